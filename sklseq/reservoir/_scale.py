"""The range of training series, which forecasts are to stay near."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["StepRange"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StepRange:
    """Deviation and extremes of each feature over stacked steps."""

    _stored: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("deviation", "lowest", "highest"), "ndarray of shape (n_ranges,)"
    )

    deviation: FloatArray
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def of(cls, steps: FloatArray) -> Self:
        """That of steps ``(n_rows, n_features)``."""
        return cls(steps.std(axis=0), steps.min(axis=0), steps.max(axis=0))

    def leaving(self, steps: FloatArray, n_deviations: float) -> NDArray[np.int64]:
        """Indices, one a row, of the values that lie so far outside of the range."""
        beyond = n_deviations * self.deviation
        return np.argwhere((steps < self.lowest - beyond) | (steps > self.highest + beyond))
