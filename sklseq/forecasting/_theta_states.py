"""How far the theta model of each of many series has read, and its predictions on the way."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklseq.forecasting._seasonal_indices import SeasonalIndices, estimation_points
from sklseq.forecasting._theta_model import ThetaFilter, ThetaRun

__all__ = ["ThetaStates"]

Array = NDArray[Any]
Counts = NDArray[np.int64]

# Filters that run beside each other: few enough for the processor's cache.
N_BESIDE = 512


@dataclass
class ThetaStates:
    """Histories of a number of series, their seasonal indices, and the filters that read them.

    All is a function of the history of each series alone, in however many parts it came.
    """

    history: Array
    """(n_series, n_steps), zero after the end of each."""
    indices: SeasonalIndices
    filters: ThetaFilter

    @classmethod
    def new(cls, n_series: int, season_length: int) -> Self:
        return cls(
            np.zeros((n_series, 0)),
            SeasonalIndices.none(n_series, season_length),
            ThetaFilter.new(n_series),
        )

    def read(self, values: Array, n_steps: Counts, theta: float | None, additive: bool) -> Array:
        """Go on by ``values[i, :n_steps[i]]``; gives the prediction after each of these steps.

        A prediction rests on the steps before it alone: indices, smoothing and theta of each are
        those of these steps.
        """
        before = self.filters.count.copy()
        after = before + n_steps
        real = np.arange(values.shape[1]) < n_steps[:, None]
        rows, steps = np.nonzero(real)
        grown = np.zeros((len(before), max(int(after.max(initial=0)), self.history.shape[1])))
        grown[:, : self.history.shape[1]] = self.history
        grown[rows, before[rows] + steps] = values[real]
        self.history = grown
        predicted = np.zeros(grown.shape)
        for jobs in _tiles([self._jobs(i, before[i], after[i]) for i in range(len(before))]):
            self._run(jobs, after, predicted, theta, additive)
        result = np.zeros(values.shape)
        result[real] = predicted[rows, before[rows] + steps]
        return result

    def ahead(self, theta: float | None) -> "SeasonalRun":
        """What goes on from here by its own forecasts."""
        return SeasonalRun(self.filters.fitted(theta), self.indices)

    def _jobs(self, row: int, before: int, after: int) -> Counts:
        """Columns: the series, its first step to read, the first to predict after, the end.

        Up to the next estimation of the indices the filter goes on; at each it starts again.
        """
        points = estimation_points(before, after, self.indices.season_length)
        ends = np.append(points - 1, after)
        begins = np.append(before, np.zeros(len(points), np.int64))
        firsts = np.append(before, points - 1)
        jobs = np.stack([np.full(len(ends), row), begins, firsts, ends], axis=1)
        return jobs[ends > firsts]

    def _run(
        self, jobs: Counts, after: Counts, predicted: Array, theta: float | None, additive: bool
    ) -> None:
        rows, begins, firsts, ends = jobs[np.argsort(jobs[:, 1] - jobs[:, 3], kind="stable")].T
        indices, filters = self.indices.take(rows), self.filters.take(rows)
        again = np.flatnonzero(begins < firsts)
        if len(again):
            used, place = np.unique(rows[again], return_inverse=True)
            found = SeasonalIndices.of(
                self.history[used], place, firsts[again] + 1, indices.season_length, additive
            )
            indices.put(again, found)
            filters.put(again, ThetaFilter.new(len(again)))
        steps = begins[:, None] + np.arange((ends - begins).max())
        values = self.history[rows[:, None], np.minimum(steps, self.history.shape[1] - 1)]
        values = indices.remove(values, steps)
        following = filters.read(values, ends - begins, firsts - begins, theta)
        following = indices.restore(following, steps + 1)
        asked = (steps >= firsts[:, None]) & (steps < ends[:, None])
        predicted[np.broadcast_to(rows[:, None], steps.shape)[asked], steps[asked]] = following[
            asked
        ]
        last = np.flatnonzero(ends == after[rows])
        self.indices.put(rows[last], indices.take(last))
        self.filters.put(rows[last], filters.take(last))


@dataclass
class SeasonalRun:
    """A model of each of a number of series, and its season."""

    adjusted: ThetaRun
    indices: SeasonalIndices

    def next(self) -> Array:
        """Forecast of the next step: (n_series,)."""
        return self.indices.restore(self.adjusted.next()[:, None], self.adjusted.count[:, None])[
            :, 0
        ]

    def read(self, values: Array) -> None:
        """Go on by a step."""
        steps = self.adjusted.count[:, None]
        self.adjusted.read(self.indices.remove(values[:, None], steps)[:, 0])


def _tiles(jobs: list[Counts]) -> list[Counts]:
    """Those of neighboring series together, about `N_BESIDE` at a time."""
    tiles: list[list[Counts]] = [[]]
    n = 0
    for each in jobs:
        if n and n + len(each) > N_BESIDE:
            tiles.append([])
            n = 0
        tiles[-1].append(each)
        n += len(each)
    return [np.concatenate(tile) for tile in tiles if sum(map(len, tile))]
