"""States of two reservoirs at the same steps, one of which reads the sequences from their end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklseq.nn.reservoir.states.columns import StateBlock, fixed_width
from sklseq.nn.reservoir.states.kernel import Array, Kernel, Reservoir
from sklseq.nn.reservoir.states.parts import Prepared, StatePart, prepare, state_parts
from sklseq.nn.reservoir.states.runs import gathered
from sklseq.nn.reservoir.states.threads import one_thread

__all__ = ["reversal", "two_way_parts"]

# Sequences are read in windows where both directions must meet; the states at the ends of all
# windows are kept, so that a window should not be short.
_WINDOW, _GROUP_BYTES, _MOST_PARTS = 256, 32 * 2**20, 16

Index = NDArray[np.int64]


def reversal(lengths: Index) -> Index:
    """The row that holds each row's step when every sequence is turned around."""
    stops = np.cumsum(lengths)
    return np.repeat(stops + stops - lengths, lengths) - 1 - np.arange(lengths.sum())


def two_way_parts(
    forward: Sequence[Reservoir],
    backward: Sequence[Reservoir],
    steps: Array,
    lengths: Index,
    n_jobs: int | None = None,
) -> list[StatePart]:
    """Parts whose blocks have the states of both directions side by side, without keeping all.

    Each direction is run once for its states at the ends of windows; from those, groups of
    windows are run again, forward and backward.

    Parameters
    ----------
    forward, backward : sequence of Reservoir
        Layers that read each sequence from its beginning, and from its end.
    steps : ndarray of shape (sum of lengths, n_inputs)
        All steps, stacked.
    lengths : ndarray of shape (n_sequences,)
        Steps of each sequence.
    n_jobs : int or None, default=None
        Workers of joblib for the first run.

    Returns
    -------
    list of StatePart
        For `run_parts`.
    """
    windows = _window_lengths(lengths)
    stops, ends = np.cumsum(windows), np.cumsum(lengths)
    starts, turn = stops - windows, reversal(lengths)
    # Before a window forward comes the step left of it; backward, the step right of it.
    left = np.where(np.isin(starts, ends - lengths), -1, starts - 1)
    right = np.where(np.isin(stops, ends), -1, turn[np.minimum(stops, len(turn) - 1)])
    before = _states_after(forward, steps, lengths, left, n_jobs)
    after = _states_after(backward, steps[turn], lengths, right, n_jobs)
    turn = reversal(windows)
    ahead = prepare(forward, steps, windows, None, before)
    back = prepare(backward, steps[turn], windows, None, after)
    units = sum(r.units for r in (*forward, *backward))
    groups = _groups(windows, max(_WINDOW, _GROUP_BYTES // (8 * units)))
    parts = np.array_split(np.arange(len(groups)), min(_MOST_PARTS, len(groups)))
    return [_WindowGroups(ahead, back, turn, [groups[i] for i in part]) for part in parts]


@dataclass(frozen=True, eq=False)
class _WindowGroups:
    """Groups of windows, one after the other."""

    ahead: Prepared
    back: Prepared
    turn: Index
    groups: list[tuple[int, int]]

    def attempts(self) -> Iterator[Iterator[StateBlock]]:
        with one_thread():
            ahead, back = self.ahead.kernels(), self.back.kernels()
            yield self._blocks(ahead, back)
            self.ahead.give_back(ahead)
            self.back.give_back(back)

    def _blocks(self, ahead: list[Kernel], back: list[Kernel]) -> Iterator[StateBlock]:
        n_ahead, n_back = sum(k.units for k in ahead), sum(k.units for k in back)
        for first, stop in self.groups:
            begin = int(self.ahead.offsets[first])
            end = int(self.ahead.offsets[stop - 1] + self.ahead.lengths[stop - 1])
            rows = np.arange(begin, end)
            states = np.empty((len(rows), n_ahead + n_back), dtype=self.ahead.inputs.dtype)
            _fill(ahead, self.ahead, first, stop, rows - begin, states[:, :n_ahead])
            _fill(back, self.back, first, stop, self.turn[rows] - begin, states[:, n_ahead:])
            yield rows, states


def _fill(
    kernels: list[Kernel], data: Prepared, first: int, stop: int, place: Index, out: Array
) -> None:
    """Write the states of some windows to the rows of `out` that are the place of each step."""
    width, begin = fixed_width(kernels), data.offsets[first]
    order = first + np.argsort(-data.lengths[first:stop], kind="stable")
    for i in range(0, len(order), width):
        columns = data.columns(kernels, order[i : i + width], width)
        for rows, states in columns.blocks():
            out[place[rows - begin]] = states


def _window_lengths(lengths: Index) -> Index:
    """Lengths of windows that the sequences are cut into, in order."""
    lengths = lengths[lengths > 0]
    count = -(-lengths // _WINDOW)
    windows = np.full(count.sum(), _WINDOW)
    windows[np.cumsum(count) - 1] = lengths - (count - 1) * _WINDOW
    return windows


def _groups(windows: Index, largest: int) -> list[tuple[int, int]]:
    """First and last (excluded) window of groups whose states fit into memory."""
    number = (np.cumsum(windows) - windows) // largest
    first = np.flatnonzero(np.r_[True, np.diff(number) > 0])
    return list(zip(first.tolist(), [*first[1:].tolist(), len(windows)], strict=True))


def _states_after(
    layers: Sequence[Reservoir], steps: Array, lengths: Index, rows: Index, n_jobs: int | None
) -> Array:
    """States after some rows, zero where a row is -1: (n_rows, units)."""
    wanted = np.flatnonzero(rows >= 0)
    if len(wanted) == 0:
        return np.zeros((len(rows), sum(r.units for r in layers)), dtype=layers[0].dtype)
    place = np.full(len(steps), -1)
    place[rows[wanted]] = wanted
    return gathered(layers, state_parts(layers, steps, lengths), place, len(rows), n_jobs)
