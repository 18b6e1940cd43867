"""A fitted recurrent network run step by step: states by which outputs can be differentiated."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from sklseq.data import Sequences
from sklseq.inspection.models import unwrapped
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import Layer, State
from sklseq.nn.recurrent.penalties import recording
from sklseq.parts.context import read_known
from sklseq.training.placement import parameter_of

__all__ = [
    "LayerPass",
    "Pass",
    "float_parts",
    "layer_of",
    "network_of",
    "recorded",
    "recurrent",
]


class LayerPass(NamedTuple):
    """One layer in one direction, along the steps of the sequences that were read."""

    layer: Layer
    states: list[State]
    """After each packed step, of the sequences that have it."""
    x: Tensor
    """What was read, in packed order."""
    all_steps: Callable[[Tensor, State], State]
    """``all_steps(x, before)``: all steps but the first of each sequence at once."""
    step: Callable[[Tensor, State | None], State]
    """``step(x_t, state)``: one step of a batch."""


class Pass(NamedTuple):
    """One pass of a copy of a fitted network over sequences, without noise, in float64."""

    network: Any
    packing: Packing
    layers: list[LayerPass]
    """Of the forward direction, the lowest first."""
    outputs: Tensor
    """``(n_sequences, n_outputs)``, or of all steps, stacked."""


def recurrent(estimator: Any, X: Any, context: Any = None) -> tuple[Any, Sequences]:
    """A fitted recurrent estimator out of what a user gives, and X as it reads it.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If it has no recurrent layers that read X.
    """
    model, X = unwrapped(estimator, X)
    network_of(model)
    return model, read_known(model, X, context)


def network_of(model: Any) -> Any:
    """The trained network of a recurrent estimator, which has layers over the steps of X."""
    module, name = getattr(model, "module_", None), type(model).__name__
    if getattr(module, "feeds_back", False):
        raise TypeError(
            f"{name} was fitted with cell='jordan', whose outputs feed back and not its states: "
            "take another cell, such as 'rnn'."
        )
    if not hasattr(module, "stack") or hasattr(module, "n_values"):
        raise TypeError(
            f"{name} has no recurrent layers over the steps of X: give a fitted classifier, "
            "regressor or transformer of sklseq.recurrent."
        )
    return module


def recorded(model: Any, data: Sequences) -> Pass:
    """Run a network over sequences, and keep what its layers did.

    The model is left as it is: a copy of its network, on the CPU and in float64, is run. Of a
    network that goes on from the end of the training series (`carry_state`), predictions of
    these sequences begin without a past here.
    """
    network = deepcopy(network_of(model)).cpu().double().eval()
    rows = model._rows(data, parameter_of(network))
    steps, packing, *beside = rows.inputs(np.arange(len(rows)))
    with recording(network.stack, with_transitions=True) as record:
        outputs = network(steps, packing, *beside[:1])
    assert record.transitions is not None
    stack = network.stack
    n_directions = 2 if stack.backward_layers else 1
    layers = [
        LayerPass(layer, found.states, found.x, found.step, _stepping(stack, layer))
        for layer, found in zip(
            stack.forward_layers, record.transitions[::n_directions], strict=True
        )
    ]
    return Pass(network, packing, layers, outputs)


def _stepping(stack: Any, layer: Layer) -> Callable[[Tensor, State | None], State]:
    return lambda x_t, state: stack.noise.step(layer, x_t, state)


def layer_of(run: Pass, layer: int) -> LayerPass:
    """One of the layers that were run, by its number; ValueError where there is none."""
    n = len(run.layers)
    if isinstance(layer, bool) or not isinstance(layer, (int, np.integer)) or not -n <= layer < n:
        raise ValueError(f"layer={layer!r}: the network has {n} recurrent layers, from 0 on.")
    return run.layers[layer]


def float_parts(state: State) -> list[Tensor]:
    """Parts of a state that a gradient goes through: those that are no counts."""
    parts = [state] if isinstance(state, Tensor) else state
    return [part for part in parts if part.is_floating_point()]
