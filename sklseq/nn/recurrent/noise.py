"""Noise of training within a recurrence: variational dropout and zoneout."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sklseq.nn.layers.randomness import drawn, dropout_mask
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import Layer, State, by_part, output_of
from sklseq.nn.recurrent.stepwise import joined_states, states_by_steps

__all__ = ["SequenceDropout", "StateNoise", "Transitions"]


class Transitions(NamedTuple):
    """How a layer came from each step to the next, in one pass over a batch."""

    states: list[State]
    """After each packed step."""
    x: Tensor
    """What was read, in packed order."""
    step: Callable[[Tensor, State], State]
    """``step(x, before)``: all steps but the first of each sequence at once, in packed order."""


class SequenceDropout(nn.Module):
    """Dropout of the same units at all steps of a sequence, of others in each sequence.

    Gal and Ghahramani (2016), A theoretically grounded application of dropout in recurrent neural
    networks, section 4. It draws as `Dropout` does.

    Parameters
    ----------
    p : float
        Probability of a unit to be dropped.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor, packing: Packing | None = None) -> Tensor:
        """Packed steps; without a packing, one step of each sequence."""
        if not self.training or self.p == 0:
            return x
        if packing is None:
            return x * dropout_mask(x, self.p)
        mask = dropout_mask(x.new_empty(len(packing), x.shape[1]), self.p)
        return x * mask.index_select(0, packing.row_of_step)


class StateNoise(nn.Module):
    """Noise on the state of a layer, which is then run step by step.

    Parameters
    ----------
    recurrent_dropout : float, default=0
        Probability of a unit to be dropped from what the recurrent weights read, the same ones at
        all steps of a sequence (Gal and Ghahramani 2016, section 4.2).
    zoneout : float, default=0
        Probability of a unit to keep its value of the step before, drawn at each step, for each
        part of the state (once for complex values); outside training the expectation is taken
        (Krueger et al. 2017, Zoneout: regularizing RNNs by randomly preserving hidden activations,
        section 3). Before its first step a value is 0.
    """

    def __init__(self, recurrent_dropout: float = 0.0, zoneout: float = 0.0):
        super().__init__()
        self.recurrent_dropout, self.zoneout = recurrent_dropout, zoneout

    @property
    def acts(self) -> bool:
        """Whether a layer is another with this noise, in the present mode."""
        return self.zoneout > 0 or (self.training and self.recurrent_dropout > 0)

    def check(self, layer: nn.Module, cell: str | type) -> None:
        """Refuse a layer that does not tell apart what its recurrent weights read."""
        known = getattr(type(layer), "step_reading", None)
        if self.recurrent_dropout and known is Layer.step_reading:
            name = repr(cell) if isinstance(cell, str) else cell.__name__
            raise ValueError(
                f"recurrent_dropout={self.recurrent_dropout} drops what the recurrent weights read "
                f"and not what a state passes on, which this form of cell={name} does not tell "
                "apart: set it to 0, and take zoneout or dropout_mask='sequence', which suit "
                "every cell."
            )

    def forward(
        self,
        layer: Layer,
        x: Tensor,
        packing: Packing,
        state: State | None = None,
        need_last: bool = True,
        transitions: list[Transitions] | None = None,
    ) -> tuple[Tensor, State | None]:
        """What ``layer(x, packing, state, need_last)`` gives with noise.

        Its transitions are added to the list, if there is one; not with lanes.
        """
        read: Tensor | None = None
        if self.training and self.recurrent_dropout:
            like = x.new_empty(len(packing), layer.hidden_size)
            read = dropout_mask(like, self.recurrent_dropout)
        masks: list[dict[int, Tensor]] = []

        def step(t: int, x_t: Tensor, before: State | None) -> State:
            new = _new(layer, x_t, before, None if read is None else read[: len(x_t)])
            if self.zoneout:
                new = self._zoned(layer, new, before, masks)
            return new if transitions is None else by_part(_with_gradient, new)

        states = states_by_steps(step, x, packing, state)
        if transitions is not None:
            transitions.append(Transitions(states, x, self._all_steps(layer, packing, read, masks)))
        return joined_states(states, packing, need_last)

    def step(self, layer: Layer, x_t: Tensor, state: State | None) -> State:
        """One step, of which it is not known what was dropped at others: only zoneout acts."""
        new = layer.step(x_t, state)
        return self._zoned(layer, new, state, []) if self.zoneout else new

    def _zoned(
        self, layer: Layer, new: State, before: State | None, masks: list[dict[int, Tensor]]
    ) -> State:
        """A new state of which some of the old one is kept; what was drawn is added to `masks`."""
        if before is None:
            before = by_part(torch.zeros_like, new)
        if not self.training:
            return _chosen(layer, lambda _, a, b: torch.lerp(a, b, self.zoneout), new, before)
        kept: dict[int, Tensor] = {}

        def choose(part: int, a: Tensor, b: Tensor) -> Tensor:
            if part not in kept:
                kept[part] = drawn(a, self.zoneout).bool()
            return torch.where(kept[part], b, a)

        chosen = _chosen(layer, choose, new, before)
        masks.append(kept)
        return chosen

    def _all_steps(
        self, layer: Layer, packing: Packing, read: Tensor | None, masks: list[dict[int, Tensor]]
    ) -> Callable[[Tensor, State], State]:
        """Steps with the noise that was drawn, all but the first of each sequence at once."""
        if read is not None:
            read = read.index_select(0, packing.row_of_step[len(packing) :])

        def step(x: Tensor, before: State) -> State:
            new = _new(layer, x, before, read)
            if not masks:
                return new
            kept = {part: torch.cat([mask[part] for mask in masks[1:]]) for part in masks[0]}
            return _chosen(layer, lambda i, a, b: torch.where(kept[i], b, a), new, before)

        return step


def _chosen(
    layer: Layer, choose: Callable[[int, Tensor, Tensor], Tensor], new: State, before: State
) -> State:
    """``choose(i, new, before)`` of parts of a state that are values of units, others as new.

    The imaginary parts of values have the number i of their real parts.
    """
    if isinstance(new, Tensor):
        return choose(0, new, before)
    parts = [
        choose(i - (i == layer.imaginary), a, b)
        if a.is_floating_point() and not (i and layer.shifts)
        else a
        for i, (a, b) in enumerate(zip(new, before, strict=True))
    ]
    return type(new)(*parts) if hasattr(new, "_fields") else tuple(parts)


def _with_gradient(part: Tensor) -> Tensor:
    """A part of a state by which a loss can be differentiated, apart from all other parts.

    Of those of one step one may be computed from the other, as the output of an LSTM is.
    """
    if not part.is_floating_point():
        return part
    return part.view_as(part) if part.requires_grad else part.clone().requires_grad_()


def _new(layer: Layer, x_t: Tensor, before: State | None, read: Tensor | None) -> State:
    """The state that a layer computes, where a mask of its output is given, from what is left."""
    if read is None or before is None:
        return layer.step(x_t, before)
    return layer.step_reading(x_t, before, output_of(before) * read)
