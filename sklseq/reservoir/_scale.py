"""By what steps are centered and scaled before they drive a reservoir."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sklseq.base.targets import weighted_scale

__all__ = ["StepScale"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StepScale:
    """What each feature is centered and divided by, and what it is like."""

    _stored: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("mean", "divisor", "deviation", "lowest", "highest"), "ndarray of shape (n_scaled,)"
    )

    mean: FloatArray
    divisor: FloatArray
    deviation: FloatArray
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def of(cls, steps: FloatArray, standardize: bool) -> Self:
        """That of steps ``(n_rows, n_features)``; they stay as they are without `standardize`."""
        mean, deviation = weighted_scale(steps, np.ones((len(steps), 1)))
        divisor = deviation if standardize else np.ones_like(deviation)
        lowest, highest = steps.min(axis=0), steps.max(axis=0)
        return cls(mean * standardize, divisor, deviation, lowest, highest)

    def apply(self, steps: FloatArray) -> FloatArray:
        """Steps that drive the reservoir."""
        return (steps - self.mean) / self.divisor

    def undo(self, steps: FloatArray) -> FloatArray:
        """Steps in the units of the data."""
        return steps * self.divisor + self.mean

    def leaving(self, steps: FloatArray, n_deviations: float) -> NDArray[np.int64]:
        """Indices, one a row, of the values that lie so far outside of the range."""
        beyond = n_deviations * self.deviation
        return np.argwhere((steps < self.lowest - beyond) | (steps > self.highest + beyond))
