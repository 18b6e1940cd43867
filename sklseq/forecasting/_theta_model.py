"""The dynamic optimized theta model of many series at once.

Every step is read once for all candidates of the smoothing parameter. Given it, the one-step
errors are linear in the first level and in ``w = 1 - 1 / theta``, so that least squares of both,
over any number of steps read, is a 2 x 2 system of running sums.
"""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["ThetaFilter", "ThetaRun"]

Array = NDArray[Any]
Counts = NDArray[np.int64]

# The bounds of Fiorucci et al. (2016), section 3.
SMOOTHING = np.linspace(0.1, 0.99, 12)
# Errors of the first steps are not counted: there is no trend yet to judge.
N_FREE = 2


def lines(count: Counts, total: Array, moment: Array) -> tuple[Array, Array]:
    """Intercept and slope of least squares through `count` values at the steps 1, 2, ...

    `total` is the sum of the values, `moment` that of each times its step.
    """
    middle, spread = (count + 1) / 2, count * (count**2 - 1.0) / 12
    slope = np.where(count > 1, moment - middle * total, 0.0) / np.where(count > 1, spread, 1.0)
    return total / np.maximum(count, 1) - slope * middle, slope


def trend(kept: Array, smoothing: Array, intercept: Array, slope: Array) -> Array:
    """What the next value has of the line, in units of w; `kept` is (1 - alpha) ** count."""
    return kept * intercept + (1 - (1 - smoothing) * kept) / smoothing * slope


@dataclass
class ThetaFilter:
    """What was read of each of a number of series, for all candidates of the smoothing parameter.

    Values count from the first of each series, so that a level far from zero costs no digits.
    """

    count: Counts
    """Steps read, (n_series,)."""
    first: Array
    total: Array
    moment: Array
    level: Array
    """Level of exponential smoothing from zero, (n_series, n_candidates)."""
    products: Array
    """Sums over steps for the normal equations, (n_series, 6, n_candidates)."""

    @classmethod
    def new(cls, n_series: int) -> Self:
        zeros, n = np.zeros(n_series), len(SMOOTHING)
        return cls(
            np.zeros(n_series, np.int64),
            zeros,
            zeros.copy(),
            zeros.copy(),
            np.zeros((n_series, n)),
            np.moveaxis(np.zeros((6, n_series, n)), 0, 1),
        )

    def take(self, series: NDArray[np.int64]) -> Self:
        return type(self)(*(getattr(self, field.name)[series] for field in fields(self)))

    def put(self, series: NDArray[np.int64], others: Self) -> None:
        for field in fields(self):
            getattr(self, field.name)[series] = getattr(others, field.name)

    def read(
        self, values: Array, n_steps: Counts, predict_from: Counts, theta: float | None
    ) -> Array:
        """Read ``values[i, :n_steps[i]]``; `n_steps` must not grow from series to series.

        Gives the one-step predictions after each step, from the step `predict_from` of the call
        on and zero before: (n_series, steps).
        """
        predicted = np.zeros(values.shape)
        most = int((self.count + n_steps).max(initial=0)) + 1
        table = (1 - SMOOTHING) ** np.arange(most)[:, None]
        table[table < 1e-100] = 0.0  # far slower below what processors hold in full precision
        active = (n_steps[:, None] > np.arange(values.shape[1])).sum(axis=0)
        for step, n in enumerate(active):
            self._read_step(values[:n, step], table)
            asked = np.flatnonzero(predict_from[:n] <= step)
            if len(asked):
                predicted[asked, step] = self.take(asked).fitted(theta).next()
        return predicted

    def _read_step(self, values: Array, table: Array) -> None:
        n = len(values)
        count, total, moment = self.count[:n], self.total[:n], self.moment[:n]
        level, products = self.level[:n], np.moveaxis(self.products, 1, 0)
        start = count == 0
        self.first[:n][start] = values[start]
        values = values - self.first[:n]
        kept = table[count[:1]] if (count == count[:1]).all() else table[count]
        intercept, slope = lines(count, total, moment)
        line = trend(kept, SMOOTHING, intercept[:, None], slope[:, None])
        error = values[:, None] - level
        level += SMOOTHING * error
        counted = (count >= N_FREE)[:, None]
        if not counted.all():
            kept, line, error = kept * counted, line * counted, error * counted
        products[0, :n] += kept * kept
        products[1, :n] += kept * line
        products[2, :n] += line * line
        products[3, :n] += kept * error
        products[4, :n] += line * error
        products[5, :n] += error * error
        count += 1
        total += values
        moment += count * values

    def fitted(self, theta: float | None) -> "ThetaRun":
        """The best model of each series for the steps read; `theta` None is chosen, too."""
        kk, kl, ll, ke, le, ee = np.moveaxis(self.products, 1, 0)
        known = np.where(kk > 0, kk, 1.0)
        if theta is None:
            determinant = kk * ll - kl * kl
            apart = determinant > 1e-9 * kk * ll
            w = np.where(apart, kk * le - kl * ke, 0.0) / np.where(apart, determinant, 1.0)
            w = np.clip(w, 0.0, 1.0)
        else:
            w = np.full(kk.shape, 1 - 1 / theta)
        start = (ke - w * kl) / known
        squares = ee - 2 * start * ke - 2 * w * le
        squares += start * start * kk + 2 * start * w * kl + w * w * ll
        best = np.arange(len(kk)), squares.argmin(axis=1)
        smoothing = SMOOTHING[best[1]]
        level = self.level[best] + (1 - smoothing) ** self.count * start[best]
        first, total, moment = self.first.copy(), self.total.copy(), self.moment.copy()
        return ThetaRun(self.count.copy(), first, total, moment, level, smoothing, w[best])


@dataclass
class ThetaRun:
    """One model for each series, which runs on: all fields are (n_series,)."""

    count: Counts
    first: Array
    total: Array
    moment: Array
    level: Array
    smoothing: Array
    w: Array

    def next(self) -> Array:
        """Forecast of the next step."""
        kept = (1 - self.smoothing) ** self.count
        line = trend(kept, self.smoothing, *lines(self.count, self.total, self.moment))
        return self.first + self.level + self.w * line

    def read(self, values: Array) -> None:
        """Go on by a step: a forecast that is taken for the value, or one that was disturbed."""
        values = values - self.first
        self.level += self.smoothing * (values - self.level)
        self.count += 1
        self.total += values
        self.moment += self.count * values
