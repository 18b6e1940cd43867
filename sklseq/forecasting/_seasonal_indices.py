"""Seasonal indices of many series: classical decomposition, shrunk toward no season at all."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["SeasonalIndices", "estimation_points"]

Array = NDArray[Any]
Counts = NDArray[np.int64]


def estimation_points(after: int, to: int, season_length: int) -> Counts:
    """The numbers of steps, from ``after + 1`` to `to`, at which indices are estimated anew.

    Each one above two seasons up to 64, each second to 128, each fourth to 256 and so on: indices
    are never older than a 32nd of the series.
    """
    if season_length < 2:
        return np.empty(0, np.int64)
    counts = np.arange(max(after, 2 * season_length) + 1, to + 1)
    strides = 2 ** np.maximum(np.log2(np.maximum(counts, 1)).astype(np.int64) - 5, 0)
    return counts[counts % strides == 0]


@dataclass
class SeasonalIndices:
    """For each step of the season a factor and a term, of each of a number of series.

    Both arrays are (n_series, season_length).
    """

    factors: Array
    terms: Array

    @classmethod
    def none(cls, n_series: int, season_length: int) -> Self:
        shape = n_series, season_length
        return cls(np.ones(shape), np.zeros(shape))

    @classmethod
    def of(
        cls, values: Array, rows: Counts, counts: Counts, season_length: int, additive: bool
    ) -> Self:
        """The indices of the first ``counts[i]`` values of series ``rows[i]``.

        Ratios of the values to their centered moving average, averaged over each step of the
        season; differences, if `additive` or one of these values is not positive. Their
        deviations from no season are multiplied by ``v / (v + e)``, where v + e is their variance
        and e the squared standard error of an index: the estimator of James and Stein, as Miller
        and Williams (2003), "Shrinkage estimators of time series seasonal factors and their effect
        on forecasting accuracy", apply it. It stands in the place of a test whether there is a
        season.
        """
        middle, half = _centered_average(values, season_length)
        inside = values[:, half : half + middle.shape[1]]
        positive = np.minimum.accumulate(values, axis=1)[rows, counts - 1] > 0
        positive &= not additive
        ratios = inside / np.where(middle > 0, middle, 1.0)
        by_ratio = _shrunk(ratios, half, rows, counts, season_length)
        by_ratio /= by_ratio.mean(axis=1, keepdims=True)
        by_difference = _shrunk(inside - middle, half, rows, counts, season_length)
        by_difference -= by_difference.mean(axis=1, keepdims=True)
        return cls(
            np.where(positive[:, None], by_ratio, 1.0),
            np.where(positive[:, None], 0.0, by_difference),
        )

    @property
    def season_length(self) -> int:
        return self.factors.shape[1]

    def take(self, series: Counts) -> Self:
        return type(self)(self.factors[series], self.terms[series])

    def put(self, series: Counts, others: Self) -> None:
        self.factors[series], self.terms[series] = others.factors, others.terms

    def remove(self, values: Array, steps: Counts) -> Array:
        """Seasonally adjusted values; both are (n_series, n), steps count from the first."""
        return (values - self._at(self.terms, steps)) / self._at(self.factors, steps)

    def restore(self, values: Array, steps: Counts) -> Array:
        return values * self._at(self.factors, steps) + self._at(self.terms, steps)

    def _at(self, indices: Array, steps: Counts) -> Array:
        return np.take_along_axis(indices, steps % indices.shape[1], axis=1)


def _centered_average(values: Array, season_length: int) -> tuple[Array, int]:
    """Moving average over a season around each step, and how many steps at each end have none."""
    half = season_length // 2
    n = max(values.shape[1] - 2 * half, 0)
    weights = np.full(2 * half + 1, 1 / season_length)
    if season_length % 2 == 0:
        weights[[0, -1]] /= 2
    total = np.zeros((len(values), n))
    for shift, weight in enumerate(weights):
        total += weight * values[:, shift : shift + n]
    return total, half


def _shrunk(parts: Array, half: int, rows: Counts, counts: Counts, season_length: int) -> Array:
    """Means of `parts` for each step of the season, shrunk toward their mean.

    ``parts[:, 0]`` is that of step `half`; those of the first ``counts[i] - half`` steps count.
    """
    n_cycles = -(-(parts.shape[1] + half) // season_length)
    laid = np.zeros((len(parts), n_cycles * season_length))
    laid[:, half : half + parts.shape[1]] = parts
    laid = laid.reshape(len(parts), n_cycles, season_length)
    steps = np.arange(season_length)
    cycles = -(-np.maximum(counts[:, None] - half - steps, 0) // season_length)
    n = cycles - (steps < half)
    total, squares = (
        np.pad(np.cumsum(power, axis=1), ((0, 0), (1, 0), (0, 0)))[rows[:, None], cycles, steps]
        for power in (laid, laid**2)
    )
    mean = total / n
    center = mean.mean(axis=1, keepdims=True)
    rest = np.maximum(squares - total * mean, 0.0).sum(axis=1)
    n_parts = n.sum(axis=1)
    error = rest / (n_parts - season_length) * season_length / n_parts
    spread = ((mean - center) ** 2).sum(axis=1) / (season_length - 1)
    weight = np.maximum(spread - error, 0.0) / np.where(spread > 0, spread, 1.0)
    return center + weight[:, None] * (mean - center)
