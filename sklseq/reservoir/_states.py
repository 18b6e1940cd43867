"""The features a readout sees: states of both directions with the input and squares, in blocks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from sklseq.nn.reservoir import Reservoir, all_states, map_states
from sklseq.reservoir._pooling import Block, combine, slice_of_steps, sum_up
from sklseq.reservoir._threads import one_blas_thread

__all__ = ["FEATURES", "Consume", "StateFeatures"]

Array = NDArray[Any]
Consume = Callable[[Iterable[Block]], Any]
# What stands beside the states.
FEATURES: dict[str, tuple[str, ...]] = {
    "state": (),
    "state+input": ("input",),
    "state+squares": ("squares",),
    "state+input+squares": ("input", "squares"),
}
# Long series are read in windows where both directions must meet; the states at the ends of all
# windows are kept, so that a window should not be short.
_WINDOW, _GROUP_BYTES, _MOST_PARTS = 256, 32 * 2**20, 16


@dataclass(frozen=True, eq=False)
class StateFeatures:
    """Features of steps, or pooled over the steps of sequences, of one or two directions.

    Parameters
    ----------
    forward : sequence of Reservoir
        Layers that read each sequence from its beginning.
    backward : sequence of Reservoir or None
        Layers that read it from its end.
    features : str
        A key of `FEATURES`.
    n_jobs : int or None
        Workers of joblib.
    """

    forward: Sequence[Reservoir]
    backward: Sequence[Reservoir] | None
    features: str
    n_jobs: int | None

    @property
    def n_units(self) -> int:
        """Units of all layers and directions."""
        return sum(r.units for r in (*self.forward, *(self.backward or ())))

    @property
    def n_features(self) -> int:
        """Features of a step."""
        beside = FEATURES[self.features]
        n_inputs = self.forward[0].input_weights.shape[1] if "input" in beside else 0
        return self.n_units * (2 if "squares" in beside else 1) + n_inputs

    def over_steps(self, steps: Array, lengths: NDArray[np.int64], consume: Consume) -> list[Any]:
        """Give the features of all steps to `consume`, block by block, as `map_states` does.

        Parameters
        ----------
        steps : ndarray of shape (sum of lengths, n_inputs)
        lengths : ndarray of shape (n_sequences,)
        consume : callable
            Takes an iterable of ``(rows, features)``, gives a result. It may be called again
            for the same rows; the last result counts.

        Returns
        -------
        list of results
            One for each part of the work; the same parts for any `n_jobs`.
        """

        def with_features(blocks: Iterable[Block]) -> Any:
            with one_blas_thread():
                return consume((rows, self._beside(steps[rows], x)) for rows, x in blocks)

        if self.backward is None:
            return map_states(self.forward, steps, with_features, lengths, n_jobs=self.n_jobs)
        return _Both(self.forward, self.backward, steps, lengths, self.n_jobs).map(with_features)

    def pooled(
        self, steps: Array, lengths: NDArray[np.int64], washout: int, pooling: str, n_slices: int
    ) -> NDArray[np.float64]:
        """Features of sequences; arguments as of `slice_of_steps`.

        Returns
        -------
        ndarray of shape (n_sequences, n_slices * n_features)
            The features of each slice side by side, backward ones after all forward ones.
        """
        settings = (lengths, washout, n_slices, pooling)
        ahead = StateFeatures(self.forward, None, self.features, self.n_jobs)
        columns = [ahead._pool(steps, lengths, slice_of_steps(*settings, backward=False), pooling)]
        if self.backward is not None:
            beside = self.features.replace("+input", "")  # the input is there already
            back = StateFeatures(self.backward, None, beside, self.n_jobs)
            groups = slice_of_steps(*settings, backward=True)
            columns.append(back._pool(steps[_reversal(lengths)], lengths, groups, pooling))
        columns = [values.reshape(len(lengths), -1) for values in columns]
        return np.hstack(columns)

    def _pool(
        self, steps: Array, lengths: NDArray[np.int64], groups: NDArray[np.int64], pooling: str
    ) -> NDArray[np.float64]:
        def pool(blocks: Iterable[Block]) -> list[Block]:
            return sum_up(blocks, groups, pooling)

        parts = self.over_steps(steps, lengths, pool)
        shape = int(groups.max()) + 1, self.n_features
        return combine((block for part in parts for block in part), groups, shape, pooling)

    def _beside(self, inputs: Array, states: Array) -> Array:
        beside = FEATURES[self.features]
        if not beside:
            return states
        columns = {"input": lambda: inputs, "squares": lambda: states**2}
        return np.concatenate([states, *(columns[name]() for name in beside)], axis=1)


def _reversal(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row that holds each row's step when every sequence is turned around."""
    stops = np.cumsum(lengths)
    return np.repeat(stops + stops - lengths, lengths) - 1 - np.arange(stops[-1])


@dataclass(frozen=True, eq=False)
class _Both:
    """States of both directions at the same steps, in windows, without keeping all of either.

    Each direction is run once for its states at the ends of the windows; from those, groups of
    windows are run again, forward and backward.
    """

    forward: Sequence[Reservoir]
    backward: Sequence[Reservoir]
    steps: Array
    lengths: NDArray[np.int64]
    n_jobs: int | None

    def map(self, consume: Consume) -> list[Any]:
        windows = self._windows()
        starts, stops = np.cumsum(windows) - windows, np.cumsum(windows)
        turn = _reversal(self.lengths)
        # Before a window forward comes the step left of it; backward, the step right of it.
        ends = np.cumsum(self.lengths)
        forward = self._states_at(
            self.forward,
            self.steps,
            np.where(np.isin(starts, ends - self.lengths), -1, starts - 1),
        )
        inner = ~np.isin(stops, ends)
        backward = self._states_at(
            self.backward,
            self.steps[turn],
            np.where(inner, turn[np.minimum(stops, len(turn) - 1)], -1),
        )
        groups = self._groups(windows)
        parts = np.array_split(np.arange(len(groups)), min(_MOST_PARTS, len(groups)))

        def run(part: NDArray[np.int64]) -> Any:
            return consume(
                (np.arange(starts[a], stops[b - 1]), states)
                for a, b in (groups[i] for i in part)
                for states in [
                    self._group(starts[a], stops[b - 1], windows[a:b], forward[a:b], backward[a:b])
                ]
            )

        if self.n_jobs in (None, 1):
            return [run(part) for part in parts]
        with one_blas_thread():
            return list(
                Parallel(n_jobs=self.n_jobs, prefer="threads")(delayed(run)(p) for p in parts)
            )

    def _windows(self) -> NDArray[np.int64]:
        """Lengths of windows that the sequences are cut into, in order."""
        count = -(-self.lengths // _WINDOW)
        windows = np.full(count.sum(), _WINDOW)
        windows[np.cumsum(count) - 1] = self.lengths - (count - 1) * _WINDOW
        return windows

    def _groups(self, windows: NDArray[np.int64]) -> list[tuple[int, int]]:
        """First and last (excluded) window of groups whose states fit into memory."""
        units = sum(r.units for r in (*self.forward, *self.backward))
        largest = max(_WINDOW, _GROUP_BYTES // (8 * units))
        number = (np.cumsum(windows) - windows) // largest
        first = np.flatnonzero(np.r_[True, np.diff(number) > 0])
        return list(zip(first.tolist(), [*first[1:].tolist(), len(windows)], strict=True))

    def _states_at(
        self, layers: Sequence[Reservoir], steps: Array, rows: NDArray[np.int64]
    ) -> Array:
        """States after some rows, zero where a row is -1: (n_rows, units)."""
        found = np.zeros((len(rows), sum(r.units for r in layers)), dtype=layers[0].dtype)
        wanted = np.flatnonzero(rows >= 0)
        if len(wanted) == 0:
            return found
        place = np.full(len(steps), -1)
        place[rows[wanted]] = wanted

        def pick(blocks: Iterable[Block]) -> list[Block]:
            kept = ((place[r], x) for r, x in blocks)
            return [(p[p >= 0], x[p >= 0]) for p, x in kept]

        for part in map_states(layers, steps, pick, self.lengths, n_jobs=self.n_jobs):
            for places, states in part:
                found[places] = states
        return found

    def _group(
        self, start: int, stop: int, windows: NDArray[np.int64], forward: Array, backward: Array
    ) -> Array:
        steps, turn = self.steps[start:stop], _reversal(windows)
        ahead = all_states(self.forward, steps, windows, initial_state=forward)
        back = all_states(self.backward, steps[turn], windows, initial_state=backward)
        return np.hstack([ahead, back[turn]])
