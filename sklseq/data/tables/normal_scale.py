"""Numbers of a column as normal scores: a monotonic map by quantiles, and back."""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["NormalScale"]

_NORMAL = NormalDist()
# Between two knots lie at least as many rows and normal scores, so that slopes are no accident.
_ROWS_APART = 5
_SCORES_APART = 0.15
# A value that this share of the rows has is kept distinct from its neighbors.
_SHARE_OF_ATOM = 0.05
# Parts of the range: real numbers closer than the first are not distinguished, and the second is
# what floating point can carry there and back.
_RESOLUTION, _PRECISION = 1e-9, 1e-12
# A smaller width has no reciprocal.
_LEAST = 1e-300
# So many normal scores beyond the range seen all is the same, so that densities do not overflow.
_FARTHEST = 40.0


@dataclass(frozen=True)
class NormalScale:
    """A piecewise linear, monotonic map of the numbers seen to about standard normal ones.

    Each number stands for the interval of width `step` around it, as it does for whole numbers
    and for measurements of so many decimals; an interval has a probability. A value that many
    rows have, such as the zero of an amount, has a wide interval of normal scores for itself, so
    that it comes out as exactly that value as often as it was seen.

    Parameters
    ----------
    values, normal : tuple of float
        Knots of the map. Between equal values lie the normal scores that stand for this value.
    step : float
        Width of the intervals.
    decimals : int or None
        To which all numbers seen are rounded; None if to none.
    """

    values: tuple[float, ...]
    normal: tuple[float, ...]
    step: float
    decimals: int | None

    _stored: ClassVar[dict[str, Any]] = {
        "values": "tuple of float",
        "normal": "tuple of float",
        "step": "float",
        "decimals": "int or None",
    }

    def check_stored(self) -> None:
        """Refuse knots that make no map."""
        rising = all(a <= b for knots in (self.values, self.normal) for a, b in pairwise(knots))
        if len(self.values) != len(self.normal) or not self.values or not rising:
            raise ValueError("the knots of a column's scale make no map.")
        if self.step <= 0:
            raise ValueError(f"the step of a column's scale is {self.step}.")

    @classmethod
    def of(cls, x: NDArray[np.floating], decimals: int | None = None) -> Self:
        """The map for a finite sample; None as `decimals` looks for them."""
        range_ = float(np.ptp(x))
        if decimals is None:
            decimals = _decimals(x, range_)
        least = max(_RESOLUTION * (range_ or abs(float(x[0])) or 1.0), _LEAST)
        ordered = np.sort(x.astype(np.float64))
        values, normal = _knots(ordered)
        step = least if decimals is None else 10.0**-decimals
        return cls(tuple(values.tolist()), tuple(normal.tolist()), step, decimals)

    def intervals(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Center and half of the width of each number's interval of normal scores."""
        far = _FARTHEST / self._slope
        # From the first knot on, so that a small step is not lost beside large numbers.
        x = np.clip(x, self.values[0] - far, self.values[-1] + far) - self.values[0]
        low, high = self._scores(x - self.step / 2), self._scores(x + self.step / 2)
        return (low + high) / 2, (high - low) / 2

    @property
    def _slope(self) -> float:
        """Normal scores for each unit, on average, as it is beyond the range seen."""
        range_ = self.values[-1] - self.values[0]
        return (self.normal[-1] - self.normal[0]) / max(range_, self.step)

    def _scores(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        knots = np.subtract(self.values, self.values[0])
        beyond = np.minimum(x, 0) + np.maximum(x - knots[-1], 0)
        return np.interp(x, knots, self.normal) + self._slope * beyond

    def numbers(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """The numbers that normal scores stand for, within the range seen."""
        x = np.interp(z, self.normal, self.values)
        return x if self.decimals is None else self.limit(np.round(x, self.decimals))

    def limit(self, x: NDArray[Any]) -> NDArray[Any]:
        """Numbers, none of which is outside the range seen."""
        return np.clip(x, self.values[0], self.values[-1])


def _decimals(x: NDArray[np.floating], range_: float) -> int | None:
    """Decimals to which all numbers are rounded, unless they are as good as continuous."""
    for decimals in range(7):
        if 10.0**-decimals < _PRECISION * range_:
            return None
        if np.array_equal(np.round(x, decimals), x):
            return decimals
    return None


def _knots(ordered: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n = len(ordered)
    seen, counts = np.unique(ordered, return_counts=True)
    is_atom = (counts >= _SHARE_OF_ATOM * n) & (counts >= min(_ROWS_APART, n))
    atoms = seen[is_atom]
    single = np.setdiff1d(ordered[_spaced_ranks(n)], atoms)
    middle = sum(np.searchsorted(ordered, single, side) for side in ("left", "right")) / 2
    # A quarter of a row on each side is left for what lies between two atoms.
    first = np.searchsorted(ordered, atoms, "left") + 0.25
    last = np.searchsorted(ordered, atoms, "right") - 0.25
    values = np.concatenate([single, atoms, atoms])
    ranks = np.concatenate([middle, first, last])
    order = np.argsort(ranks, kind="stable")
    return values[order], np.array([_NORMAL.inv_cdf(r / n) for r in ranks[order]])


def _spaced_ranks(n: int) -> list[int]:
    """The first row, the last one, and some in between."""
    ranks = [0]
    while True:
        score = _NORMAL.inv_cdf((ranks[-1] + 0.5) / n)
        by_score = math.ceil(n * _NORMAL.cdf(score + _SCORES_APART) - 0.5)
        rank = max(ranks[-1] + _ROWS_APART, by_score)
        if rank + _ROWS_APART > n - 1:
            return [*ranks, n - 1]
        ranks.append(rank)
