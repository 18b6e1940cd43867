"""Penalties on what a recurrent network does in training, beside its loss."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.linalg import vector_norm

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import State, by_part
from sklseq.nn.recurrent.noise import Transitions

__all__ = ["Record", "activation_penalty", "flow_penalty", "recording", "temporal_penalty"]


class Record:
    """What a pass through a stack leaves behind.

    Parameters
    ----------
    with_transitions : bool
        Whether layers are run step by step, so that there is a gradient of each state.
    """

    packing: Packing
    states: Tensor
    """Of the last layer, in packed order."""
    outputs: Tensor
    """The same after dropout."""

    def __init__(self, with_transitions: bool):
        self.transitions: list[Transitions] | None = [] if with_transitions else None


@contextmanager
def recording(stack: Any, with_transitions: bool) -> Iterator[Record]:
    """Note in the record what passes through a stack within this context."""
    stack.record = Record(with_transitions)
    try:
        yield stack.record
    finally:
        stack.record = None


def activation_penalty(record: Record, weight: Tensor) -> Tensor:
    """Mean squared output, over the steps of each sequence (activation regularization, AR).

    Merity, McCann and Socher (2017), Revisiting activation regularization for language RNNs,
    section 3.1, where it is of what dropout leaves.

    Parameters
    ----------
    record : Record
    weight : Tensor of shape (n_sequences,)
        What the penalty of each sequence is multiplied by, before they are summed.
    """
    squares = record.outputs.square().mean(dim=1)
    return (squares * _shares(record.packing, weight, 0)).sum()


def temporal_penalty(record: Record, weight: Tensor) -> Tensor:
    """Mean squared difference of states at consecutive steps (temporal AR), within sequences.

    Section 3.2 of the paper above, where it is of the states without dropout. Parameters are as
    of `activation_penalty`.
    """
    packing, states = record.packing, record.states
    n = len(packing)
    change = states[n:] - states.index_select(0, packing.previous)
    return (change.square().mean(dim=1) * _shares(packing, weight, 1)).sum()


def flow_penalty(loss: Tensor, record: Record, weight: Tensor) -> Tensor:
    """How much steps change the norm of the gradient that flows back through them.

    Pascanu, Mikolov and Bengio (2013), On the difficulty of training recurrent neural networks,
    section 3.3: ``sum_k (|v_{k+1} dx_{k+1}/dx_k| / |v_{k+1}| - 1)^2`` of eq. 9 with
    ``v_{k+1} = dE/dx_{k+1}``, the gradient of the loss through all later steps. x is the whole
    state of a layer, the sum over all steps but the first of a sequence, and over all layers. As
    in eq. 10 the gradient is the immediate one: states, inputs and v count as constants, so that
    it goes to the weights of the layer itself. Steps that no gradient reaches are left out.

    Parameters
    ----------
    loss : Tensor
        E, the mean over the sequences of the pass that was recorded.
    record : Record
        With transitions.
    weight : Tensor of shape (n_sequences,)
        As of `activation_penalty`.
    """
    assert record.transitions is not None
    packing = record.packing
    total = loss.new_zeros(())
    if len(packing.batch_sizes) == 1:
        return total
    of_layers = [list(map(_parts, layer.states)) for layer in record.transitions]
    every = [part for states in of_layers for parts in states for part in parts]
    gradients = iter(
        torch.autograd.grad(
            loss, every, retain_graph=True, allow_unused=True, materialize_grads=True
        )
    )
    weight = weight.index_select(0, packing.order)
    for layer, states in zip(record.transitions, of_layers, strict=True):
        through = [[next(gradients) for _ in parts] for parts in states]
        v = [torch.cat(part) for part in zip(*through[1:], strict=True)]
        total = total + _of_layer(layer, v, packing, weight)
    return total


def _of_layer(layer: Transitions, v: list[Tensor], packing: Packing, weight: Tensor) -> Tensor:
    n = len(packing)
    # Gradients may be so small that their squares are 0.
    size = torch.stack([part.abs().amax(dim=1) for part in v]).amax(dim=0)
    reached = (size > 0) & size.isfinite()
    v = [torch.where(reached[:, None], part / size[:, None], 0) for part in v]
    norm = _norm(v)
    v = [torch.where(reached[:, None], part / norm[:, None], 0) for part in v]

    def at_previous(*parts: Tensor) -> Tensor:
        part = torch.cat(parts).detach().index_select(0, packing.previous)
        return part.requires_grad_(part.is_floating_point())

    before = by_part(at_previous, *layer.states)
    after = _parts(layer.step(layer.x[n:].detach(), before))
    back = torch.autograd.grad(
        after, _parts(before), v, create_graph=True, allow_unused=True, materialize_grads=True
    )
    penalty = (_norm(back) - 1).square() * weight.index_select(0, packing.row_of_step[n:])
    return torch.where(reached, penalty, 0).sum()


def _norm(parts: Any) -> Tensor:
    return vector_norm(torch.cat(list(parts), dim=1), dim=1)


def _parts(state: State) -> list[Tensor]:
    """Parts of a state that a gradient goes through: those that are no counts."""
    if isinstance(state, Tensor):
        return [state]
    return [part for part in state if part.is_floating_point()]


def _shares(packing: Packing, weight: Tensor, skipped: int) -> Tensor:
    """Of each packed step the share in its sequence's weight, without the first `skipped`."""
    lengths = torch.from_numpy(packing.lengths - skipped).to(weight)
    shares = (weight / lengths.clamp(min=1)).index_select(0, packing.order)
    return shares.index_select(0, packing.row_of_step[skipped * len(packing) :])
