"""How the model of a forecaster sees series: as scaled differences."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sklseq.base.exogenous import first_steps
from sklseq.parts.forecasting.memory import SeriesMemory
from sklseq.parts.forecasting.series import Series
from sklseq.parts.forecasting.transform import Differences, Scale, scales_of_series

__all__ = ["View"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class View:
    """Differences and scale, taken and undone.

    Parameters
    ----------
    differences : Differences
    scale : Scale or None
        One for all series; None for each its own.
    season_length : int
    """

    _stored: ClassVar[dict[str, Any]] = {
        "differences": Differences,
        "scale": (Scale, None),
        "season_length": "int",
    }

    differences: Differences
    scale: Scale | None
    season_length: int

    @classmethod
    def of(cls, raw: Series, differences: Differences, scaling: str | None, season: int) -> Self:
        """That of a fit on these series, in the units of the user."""
        if scaling == "series" or (scaling == "auto" and len(raw) > 1):
            return cls(differences, None, season)
        steps = differences.apply(raw.steps, raw.lengths)
        return cls(differences, Scale.one(steps, scaling is not None), season)

    def memory(self, raw: Series) -> SeriesMemory:
        """What is remembered of series beside the state of the model."""
        steps = self.differences.apply(raw.steps, raw.lengths)
        lengths = raw.lengths - self.differences.n_lost
        one = self.scale
        scale = scales_of_series(steps, lengths) if one is None else one.for_series(len(raw))
        return SeriesMemory.of(raw, scale, self.differences.n_lost, self.season_length)

    def seen(self, raw: Series, memory: SeriesMemory) -> Series:
        """The first steps of series as the model sees them; those without difference are left out.

        `memory` is theirs.
        """
        steps = self.differences.apply(raw.steps, raw.lengths)
        _, left = raw.split(self.differences.n_lost)
        return left.with_steps(memory.scale.apply(steps, left.lengths))

    def seen_after(self, memory: SeriesMemory, raw: Series) -> Series:
        """Further steps of the series of a memory as the model sees them."""
        return self.seen(memory.before(raw), memory)

    def forecasts(self, found: Array, memory: SeriesMemory) -> Array:
        """Forecasts of a model from a memory on, in the units of the series."""
        return self.differences.undo(memory.scale.undo_ahead(found), memory.tail)

    def one_step(self, predicted: Array, raw: Series, memory: SeriesMemory) -> Array:
        """Predictions of all steps but the first that a model saw, in the units of the series."""
        n_lost = self.differences.n_lost
        lengths = raw.lengths - n_lost
        following = ~first_steps(lengths, 1)
        found = np.zeros((len(following), raw.steps.shape[1]))
        found[following] = predicted
        found = memory.scale.undo(found, lengths)
        if n_lost:
            found += self.differences.carried(raw.steps, raw.lengths)
        return found[following]

    def check_lengths(self, lengths: NDArray[np.int64]) -> None:
        """Refuse series that differences leave nothing of.

        Raises
        ------
        ValueError
            Naming the shortest.
        """
        needed = self.differences.n_lost + 1
        if needed > 1 and (lengths < needed).any():
            i = int(np.argmin(lengths))
            raise ValueError(
                f"X, sequence {i} has {lengths[i]} steps to learn from, but its differences (see "
                f"differences, seasonal_differences, season_length={self.season_length}) need at "
                f"least {needed}."
            )
