"""What is done to series before a model sees them, and undone in its forecasts."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sklseq.base.exogenous import first_steps
from sklseq.base.targets import weighted_scale

__all__ = ["Differences", "Scale", "scales_of_series"]

Array = NDArray[Any]
Lengths = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Differences:
    """Plain and seasonal differences, ``(1 - L)^d (1 - L^m)^D`` with L the step before.

    Parameters
    ----------
    coefficients : ndarray of shape (n_lost + 1,)
        Of the polynomial in L; the first is 1.
    """

    _stored: ClassVar[dict[str, Any]] = {"coefficients": "ndarray of shape (n_coefficients,)"}

    coefficients: Array

    @classmethod
    def of(cls, plain: int, seasonal: int, season_length: int) -> Self:
        """`plain` differences d and `seasonal` ones D, of steps `season_length` m apart."""
        found = np.ones(1)
        for lag in [1] * plain + [season_length] * seasonal:
            found = np.convolve(found, np.r_[1.0, np.zeros(lag - 1), -1.0])
        return cls(found)

    @property
    def n_lost(self) -> int:
        """First steps of a series that have no difference."""
        return len(self.coefficients) - 1

    def carried(self, steps: Array, lengths: Lengths) -> Array:
        """What a difference is added to: ``steps = differences + carried``.

        Those of all steps but the first `n_lost` of each series.
        """
        found = np.zeros_like(steps)
        for lag in np.flatnonzero(self.coefficients[1:]) + 1:
            found[lag:] -= self.coefficients[lag] * steps[:-lag]
        return found[~first_steps(lengths, self.n_lost)]

    def apply(self, steps: Array, lengths: Lengths) -> Array:
        """Differences of stacked series, each of which loses its first `n_lost` steps."""
        if not self.n_lost:
            return steps
        return steps[~first_steps(lengths, self.n_lost)] - self.carried(steps, lengths)

    def undo(self, ahead: Array, tail: Array) -> Array:
        """Values ``(n_series, n_steps, n_features)`` whose differences are `ahead`.

        `tail` has the last `n_lost` values before them, ``(n_series, n_lost, n_features)``.
        """
        if not self.n_lost:
            return ahead
        found = np.concatenate([tail, np.empty_like(ahead)], axis=1)
        weights = self.coefficients[:0:-1]
        for t in range(ahead.shape[1]):
            before = found[:, t : t + self.n_lost]
            found[:, t + self.n_lost] = ahead[:, t] - np.einsum("k,nkd->nd", weights, before)
        return found[:, self.n_lost :]


@dataclass(frozen=True, eq=False)
class Scale:
    """What the features of each series are centered and divided by, ``(n_series, n_features)``."""

    _stored: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("mean", "divisor"), "ndarray of shape (n_scaled, n_scaled_features)"
    )

    mean: Array
    divisor: Array

    @classmethod
    def one(cls, steps: Array, standardize: bool = True) -> Self:
        """One for all series, in a row: that of stacked steps, or none."""
        if not standardize or not len(steps):
            return cls(np.zeros((1, steps.shape[1])), np.ones((1, steps.shape[1])))
        mean, divisor = weighted_scale(steps, np.ones((len(steps), 1)))
        return cls(mean[None], divisor[None])

    def for_series(self, n: int) -> "Scale":
        """The one row for each of n series."""
        shape = (n, self.mean.shape[1])
        return Scale(np.broadcast_to(self.mean, shape), np.broadcast_to(self.divisor, shape))

    def take(self, rows: Any) -> "Scale":
        """That of some series."""
        return Scale(self.mean[rows], self.divisor[rows])

    def apply(self, steps: Array, lengths: Lengths) -> Array:
        """Stacked steps, scaled."""
        mean, divisor = (np.repeat(v, lengths, axis=0) for v in (self.mean, self.divisor))
        return (steps - mean) / divisor

    def undo(self, steps: Array, lengths: Lengths) -> Array:
        """Stacked steps in the units of the series."""
        mean, divisor = (np.repeat(v, lengths, axis=0) for v in (self.mean, self.divisor))
        return steps * divisor + mean

    def undo_ahead(self, ahead: Array) -> Array:
        """Forecasts ``(n_series, n_steps, n_features)`` in the units of the series."""
        return ahead * self.divisor[:, None] + self.mean[:, None]


def scales_of_series(steps: Array, lengths: Lengths) -> Scale:
    """The scale of each of some stacked series; 1 for a constant one."""
    starts = np.cumsum(lengths) - lengths
    # Moments of values about the first: those of a large offset lose no digits.
    first = steps[starts]
    centered = steps - np.repeat(first, lengths, axis=0)
    shift = np.add.reduceat(centered, starts) / lengths[:, None]
    squares = np.add.reduceat((centered - np.repeat(shift, lengths, axis=0)) ** 2, starts)
    deviation, mean = np.sqrt(squares / lengths[:, None]), first + shift
    constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return Scale(mean, np.where(constant, 1.0, deviation))
