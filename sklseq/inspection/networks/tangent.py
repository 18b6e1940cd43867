"""Small differences between the states of a trained recurrent network."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklseq.nn.recurrent.layer import State, by_part
from sklseq.nn.recurrent.network import NeighborNetwork, RecurrentNetwork
from sklseq.training.placement import parameter_of

__all__ = ["growths", "has_network"]


def has_network(model: Any) -> bool:
    """Whether it is a classifier, regressor or transformer by a recurrent network; fitted."""
    if not hasattr(type(model), "_network"):
        return False
    check_is_fitted(model)
    return type(model.module_) in (RecurrentNetwork, NeighborNetwork)


def growths(model: Any, X: Any, random_state: np.random.RandomState) -> Iterator[float]:
    """By how much each step of a series but the first stretches a small difference of states.

    The state is that of all layers, in double precision; the difference is turned by each step
    and normalized. They end where nothing is left of it.

    Raises ValueError if X is more than one sequence, or the network takes context or reads
    backward, too.
    """
    data = model._read_fitted(X)
    if len(data) != 1:
        raise ValueError(
            f"X has {len(data)} sequences: give a list of one, or of an estimator with "
            "target='step' one series."
        )
    network: Any = deepcopy(model.module_).cpu().double().eval()
    if network.context_at_steps or network.first_states is not None:
        raise ValueError(
            f"{type(model).__name__} was fitted with context, of which the dynamics are not "
            "computed: fit without."
        )
    if network.stack.backward_layers:
        raise ValueError(
            f"{type(model).__name__} reads sequences from their end, too (bidirectional=True): "
            "its states follow no single order of time. Fit with bidirectional=False."
        )
    steps, packing, *_ = model._rows(data, parameter_of(network)).inputs(np.array([0]))
    with torch.no_grad():
        x = network.read(network.embedded(steps), packing)
        state = network.stack.step(x[:1])
    vector = [
        torch.from_numpy(random_state.standard_normal(tuple(part.shape))) for part in _values(state)
    ]
    _normalize(vector)
    for x_t in x[1:].split(1):
        state, vector = _stretched(network.stack, x_t, state, vector)
        yield (growth := _normalize(vector))
        if growth == 0:
            return


def _stretched(
    stack: Any, x_t: Tensor, state: list[State], vector: list[Tensor]
) -> tuple[list[State], list[Tensor]]:
    """The state after a step, and the step's Jacobian times a vector.

    It is the gradient of the transposed product, which is linear in what it is multiplied by.
    """
    state = [by_part(_with_gradient, part) for part in state]
    with torch.enable_grad():
        after = stack.step(x_t, state)
        outputs = _values(after)
        factors = [torch.zeros_like(part).requires_grad_() for part in outputs]
        back = torch.autograd.grad(
            outputs,
            _values(state),
            factors,
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        # Zeros that do not come from factors cannot be differentiated by them.
        back = tuple(part + 0 * factors[0].sum() for part in back)
        turned = torch.autograd.grad(
            back, factors, vector, allow_unused=True, materialize_grads=True
        )
    return [by_part(Tensor.detach, part) for part in after], list(turned)


def _with_gradient(part: Tensor) -> Tensor:
    return part.detach().requires_grad_(part.is_floating_point())


def _values(state: list[State]) -> list[Tensor]:
    """Parts of the states of all layers, without counts."""
    found: list[Tensor] = []
    for layer in state:
        parts = [layer] if isinstance(layer, Tensor) else list(layer)
        found += [part for part in parts if part.is_floating_point()]
    return found


def _normalize(vector: list[Tensor]) -> float:
    """Divide in place by the length, which is returned."""
    length = float(torch.stack([part.norm() for part in vector]).norm())
    if length > 0:
        for part in vector:
            part /= length
    return length
