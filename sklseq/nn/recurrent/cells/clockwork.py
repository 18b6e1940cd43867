"""Clockwork networks: modules of units that tick at different rates."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.options import positive_integers
from sklseq.nn.recurrent.cells.recurrence import uniform
from sklseq.nn.recurrent.layer import Layer, State

__all__ = ["Clockwork", "ClockworkState"]


class ClockworkState(NamedTuple):
    """State of a clockwork network."""

    hidden: Tensor
    time: Tensor
    """Number of steps that each sequence has gone, integers ``(n, 1)``."""


class Module(NamedTuple):
    """Units of one period: those from `first` up to `end`."""

    period: int
    first: int
    end: int


class Clockwork(Layer):
    """Elman network in modules, each of which computes at every so many steps only.

    At step t, counted from 0 in each sequence, the module k with the period T_k has
    ``h_k(t) = tanh(W_k x(t) + sum_j U_kj h_j(t-1) + b_k)`` if T_k divides t, else
    ``h_k(t) = h_k(t-1)``, which costs nothing. The sum is over modules of equal or longer periods
    (Koutnik et al. 2014, A clockwork RNN, section 3): slow units remember, fast ones read them.

    Parameters
    ----------
    input_size, hidden_size : int
    periods : iterable of int or None, default=None
        One for each module; they share the units evenly. None takes 1, 2, 4, ... of as many
        modules, 8 at most, as divide `hidden_size`.
    """

    gates = ("new",)

    def __init__(self, input_size: int, hidden_size: int, periods: Iterable[int] | None = None):
        super().__init__()
        self.hidden_size = hidden_size
        if periods is None:
            n = max(n for n in range(1, 9) if hidden_size % n == 0)
            periods = [2**k for k in range(n)]
        self.periods = tuple(sorted(positive_integers("periods", periods)))
        size, left_over = divmod(hidden_size, len(self.periods))
        if left_over:
            fitting = [n * len(self.periods) for n in (size, size + 1) if n]
            raise ValueError(
                f"periods={self.periods} of the cell 'clockwork' are {len(self.periods)} modules, "
                f"which do not divide hidden_size={hidden_size} evenly: take hidden_size="
                f"{' or '.join(map(str, fitting))}, or another number of periods."
            )
        self.modules_by_period = [
            Module(period, self.periods.index(period) * size, first * size)
            for period, first in sorted(
                {period: i + 1 for i, period in enumerate(self.periods)}.items()
            )
        ]
        self.weight_ih = uniform(hidden_size, hidden_size, input_size)
        self.weight_hh = nn.ParameterList(
            uniform(hidden_size, end - first, hidden_size - first)
            for _, first, end in self.modules_by_period
        )
        self.bias = uniform(hidden_size, hidden_size)

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        ages = np.zeros(len(packing), dtype=np.int64)
        if state is not None and not state.time.is_meta:
            ages = state.time.squeeze(1).cpu().numpy()
        ticks, weights = self._ticks(x, packing, ages), self._weights()
        initial = None if state is None else state.hidden
        h = x.new_zeros(packing.batch_sizes[0], self.hidden_size)
        states = []
        for t, n in enumerate(packing.batch_sizes):
            if t in packing.beginnings or n < len(h):
                h = packing.carried(t, h, initial)
            h = self._next(h, weights, [tick.get(t) for tick in ticks])
            states.append(h)
        joined = torch.cat(states)
        if not need_last:
            return joined, None
        time = torch.from_numpy(ages + packing.lengths)[:, None].to(x.device)
        return joined, ClockworkState(joined.index_select(0, packing.last), time)

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        if state is None:
            hidden = x_t.new_zeros(len(x_t), self.hidden_size)
            state = ClockworkState(hidden, hidden.new_zeros((len(x_t), 1), dtype=torch.int64))
        drives = []
        for module in self.modules_by_period:
            ticks = state.time % module.period == 0
            drive = self._drive(module, x_t) if ticks.is_meta or bool(ticks.any()) else None
            drives.append(None if drive is None else (drive, ticks))
        return ClockworkState(self._next(state.hidden, self._weights(), drives), state.time + 1)

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        time = x_t.new_zeros(len(x_t), 1) if state is None else state.time
        periods = torch.empty(self.hidden_size, device=x_t.device)
        for period, first, end in self.modules_by_period:
            periods[first:end] = period
        return {"ticks": (time % periods == 0).to(x_t)}

    def _drive(self, module: Module, x: Tensor) -> Tensor:
        units = slice(module.first, module.end)
        return linear(x, self.weight_ih[units], self.bias[units])

    def _ticks(
        self, x: Tensor, packing: Packing, ages: NDArray[np.int64]
    ) -> list[dict[int, tuple[Tensor, Tensor | None]]]:
        """Of each module the steps at which some row ticks: what drives it, and which rows do.

        A mask of None is all rows.
        """
        sizes = np.array(packing.batch_sizes)
        offsets = np.cumsum(sizes) - sizes
        # What is free in lanes ticks at no period but 1.
        time = packing.packed(packing.time + np.repeat(ages, packing.lengths), -1)
        ticks = []
        for module in self.modules_by_period:
            active = time % module.period == 0
            some = np.logical_or.reduceat(active, offsets)
            every = np.logical_and.reduceat(active, offsets)
            rows = x
            if not some.all():
                index = torch.from_numpy(np.flatnonzero(np.repeat(some, sizes)))
                rows = x.index_select(0, index.to(x.device))
            drives: tuple[Tensor, ...] = ()
            if len(rows):
                drive = packing.map(lambda part, module=module: self._drive(module, part), rows)
                drives = drive.split(sizes[some].tolist())
            mask = None if every[some].all() else torch.from_numpy(active)[:, None].to(x.device)
            masks = [None] * len(sizes) if mask is None else mask.split(packing.batch_sizes)
            ticks.append(
                {
                    t: (drive, None if every[t] else masks[t])
                    for t, drive in zip(np.flatnonzero(some).tolist(), drives, strict=True)
                }
            )
        return ticks

    def _weights(self) -> list[Tensor]:
        return [weight.t().contiguous() for weight in self.weight_hh]

    def _next(
        self, h: Tensor, weights: list[Tensor], drives: list[tuple[Tensor, Tensor | None] | None]
    ) -> Tensor:
        """The state of all units where these modules, not None, compute theirs."""
        parts, kept = [], 0
        for module, weight, tick in zip(self.modules_by_period, weights, drives, strict=True):
            if tick is None:
                continue
            (drive, mask), (_, first, end) = tick, module
            new = torch.tanh(torch.addmm(drive, h[:, first:] if first else h, weight))
            if mask is not None:
                new = torch.where(mask, new, h[:, first:end])
            if kept < first:
                parts.append(h[:, kept:first])
            parts.append(new)
            kept = end
        if not parts:
            return h
        if kept < self.hidden_size:
            parts.append(h[:, kept:])
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
