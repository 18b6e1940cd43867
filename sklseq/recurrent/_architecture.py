"""Parameters of a recurrent network's architecture and start, which all estimators take."""

from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import nn

from sklseq.base import choice, estimator, param, real
from sklseq.base.parameters import layer_sizes, several
from sklseq.nn.layers.feedforward import ACTIVATIONS, NORMALIZATIONS
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.initialization import (
    RECURRENT_INITS,
    initialize_recurrent,
    set_forget_bias,
)
from sklseq.nn.recurrent.stack import SKIPS
from sklseq.recurrent._feedback import FEEDBACK_CELL

__all__ = [
    "ArchitectureParameters",
    "CellParameters",
    "architecture_of",
    "plain_architecture",
    "start_weights",
]


@estimator
class CellParameters:
    """Declarations of estimators that leave the choice of the cell."""

    cell: Any = param(
        "gru",
        "The recurrent cell; those with names are in the user guide, with their options: 'rnn' "
        "(tanh units), 'lstm' (long short-term memory), 'gru' (gated recurrent unit); with fewer "
        "gates, 'minimal' (one), 'gru_shared' (one reset gate for all units), "
        "'gru_global_local' (each a product of one for all units and one for each); of several "
        "time scales, 'leaky' (a time constant for each unit), 'clockwork' (modules of different "
        "periods), 'skip' (states of several steps back); 'deep_transition' (layers from state to "
        "state); computed for all steps at once, 'mingru', 'minlstm', 'lru'; 'jordan', with "
        "target='step', feeds back outputs and no states. Or a class whose instances "
        "``cell(input_size, hidden_size)`` map ``(x_t, state)`` to the next state, as "
        "`torch.nn.GRUCell` does.",
        choice(*CELLS, FEEDBACK_CELL),
        type,
    )
    cell_options: dict[str, Any] | None = param(
        None, "More arguments of the cell's constructor, by name.", dict, None
    )


@estimator
class ArchitectureParameters:
    """Declarations of estimators with a recurrent network."""

    skip_connections: str | None = param(
        None,
        "Shortcuts between recurrent layers: with 'residual' layers from the second one on add "
        "what they read to their output; with 'dense' a layer reads the input and the outputs of "
        "all layers below, and the prediction is made from the states of all layers.",
        choice(*SKIPS),
        None,
    )
    normalization: str | None = param(
        None,
        "Normalization of the states of each recurrent layer before they are handed on, and within "
        "the layers of `input_layer_sizes` and `output_layer_sizes`: 'layer' over the units, "
        "'batch' over all steps of the sequences in a batch. Padding never counts, and predictions "
        "use averages of training.",
        choice(*NORMALIZATIONS),
        None,
    )
    input_layer_sizes: Any = param(
        (),
        "Units of feed-forward layers that each step goes through before the first recurrent one.",
        *several,
    )
    output_layer_sizes: Any = param(
        (), "Units of feed-forward layers between states and prediction.", *several
    )
    feedforward_activation: str = param(
        "relu",
        "Activation of the layers of `input_layer_sizes` and `output_layer_sizes`.",
        choice(*ACTIVATIONS),
    )
    init: str | None = param(
        None,
        "How recurrent weights start, for each gate on its own: 'xavier', 'he', 'orthogonal', "
        "'identity' (with small input weights, for units of ``cell='rnn', cell_options="
        "{'activation': 'relu'}``), or 'esn', at random with `spectral_radius`. Input weights "
        "start as by 'xavier', or 'he'; biases at zero. None is the cell's own start.",
        choice(*RECURRENT_INITS),
        None,
    )
    spectral_radius: float = param(
        0.9,
        "Largest modulus of the eigenvalues of recurrent weights with ``init='esn'``.",
        real(0),
    )
    forget_bias: Any = param(
        None,
        "Bias with which the gates that keep the state start, such as the forget gate of 'lstm' "
        "and the update gate of 'gru': about 1 helps to remember over some ten steps. 'chrono' "
        "draws it so that units remember over as many steps as the longest training sequence has. "
        "Cells without such gates are refused.",
        real(),
        choice("chrono"),
        None,
    )


def architecture_of(model: Any) -> dict[str, Any]:
    """Settings of the network by the parameters that shape it."""
    settings = {
        "skip_connections": model.skip_connections,
        "normalization": model.normalization,
        "feedforward_activation": model.feedforward_activation,
        "input_layer_sizes": layer_sizes("input_layer_sizes", model.input_layer_sizes),
        "output_layer_sizes": layer_sizes("output_layer_sizes", model.output_layer_sizes),
    }
    sizes = (model.hidden_size, *settings["input_layer_sizes"], *settings["output_layer_sizes"])
    if model.normalization == "layer" and min(sizes) == 1:
        raise ValueError(
            "normalization='layer' over a layer of one unit leaves nothing of its value: give each "
            "layer more units, or take 'batch' or None."
        )
    return settings


def plain_architecture() -> dict[str, Any]:
    """Parameters of a network without any of these parts, whose weights are given."""
    return {field.name: field.default for field in fields(ArchitectureParameters)}


def start_weights(model: Any, module: nn.Module, n_steps: int) -> None:
    """Set a new network's recurrent weights by the parameters above.

    `n_steps` is the length of the longest training sequence.
    """
    generator = torch.Generator()
    words = np.random.SeedSequence(model._seed, spawn_key=(1,)).generate_state(1, np.uint64)
    generator.manual_seed(int(words[0] >> 1))
    if model.init is not None:
        initialize_recurrent(module, model.cell, model.init, generator, model.spectral_radius)
    if model.forget_bias is not None:
        if "time_scales" in (getattr(model, "cell_options", None) or {}):
            raise ValueError(
                f"forget_bias={model.forget_bias!r} and time_scales of cell_options set the same "
                "biases: give one of them."
            )
        set_forget_bias(module, model.cell, model.forget_bias, n_steps, generator)
