"""What a forecaster remembers of series at their end."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sklseq.base.exogenous import first_steps
from sklseq.parts.forecasting.series import ModelState, Series, put_state, repeat_state, take_state
from sklseq.parts.forecasting.transform import Scale

__all__ = ["SeriesMemory"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class SeriesMemory:
    """The state of the model, and what undoes differences and scale.

    Parameters
    ----------
    scale : Scale
        Of each series.
    tail : ndarray of shape (n_series, n_lost, n_features)
        The last values of each, in its units.
    spread : ndarray of shape (n_series, n_features)
        Mean absolute difference of values a season apart, by which errors of series are compared.
    context : ndarray of shape (n_series, n_context) or None
        What is known of each as a whole.
    state : dict of ndarray
        Of the model.
    """

    _stored: ClassVar[dict[str, Any]] = {
        "scale": Scale,
        "tail": "ndarray of shape (n_remembered, n_lost, n_columns)",
        "spread": "ndarray of shape (n_remembered, n_columns)",
        "context": "None or ndarray of shape (n_remembered, n_context)",
        "state": "data",
    }

    scale: Scale
    tail: Array
    spread: Array
    context: Array | None
    state: ModelState

    @classmethod
    def of(cls, raw: Series, scale: Scale, n_lost: int, season_length: int) -> Self:
        """That at the end of series, before the model has read them."""
        tail = _last(raw, n_lost)
        spread = mean_changes(raw.steps, raw.lengths, season_length)
        return cls(scale, tail, spread, raw.context, {})

    def __len__(self) -> int:
        return len(self.spread)

    def at(self, state: ModelState) -> "SeriesMemory":
        """With another state of the model."""
        return replace(self, state=state)

    def after(self, raw: Series) -> "SeriesMemory":
        """At the end of further steps, but for the state."""
        n_lost = self.tail.shape[1]
        return replace(self, tail=_last(self.before(raw), n_lost)) if n_lost else self

    def before(self, raw: Series) -> Series:
        """Further steps with the last ones before them, whose inputs are not known any more."""
        _, n_lost, n_features = self.tail.shape
        lengths = raw.lengths + n_lost
        early = first_steps(lengths, n_lost)
        steps = np.empty((len(early), n_features))
        exogenous = np.zeros((len(early), raw.exogenous.shape[1]))
        steps[early], steps[~early] = self.tail.reshape(-1, n_features), raw.steps
        exogenous[~early] = raw.exogenous
        return Series(steps, lengths, exogenous, raw.context)

    def take(self, rows: Any) -> "SeriesMemory":
        """That of some series."""
        context = None if self.context is None else self.context[rows]
        state = take_state(self.state, rows)
        return SeriesMemory(
            self.scale.take(rows), self.tail[rows], self.spread[rows], context, state
        )

    def put(self, rows: Any, new: "SeriesMemory") -> "SeriesMemory":
        """With the tail and state of some series replaced."""
        tail = self.tail.copy()
        tail[rows] = new.tail
        return replace(self, tail=tail, state=put_state(self.state, rows, new.state))

    def repeated(self, n: int) -> "SeriesMemory":
        """That of all series, again and again."""
        rows = np.tile(np.arange(len(self)), n)
        return self.at({}).take(rows).at(repeat_state(self.state, n))


def mean_changes(steps: Array, lengths: NDArray[np.int64], season_length: int) -> Array:
    """Mean absolute difference of steps a season apart; of successive ones in shorter series.

    1 where nothing changes.
    """
    found = np.ones((len(lengths), steps.shape[1]))
    for lag in (1, season_length):
        sizes = np.zeros_like(steps)
        sizes[lag:] = np.abs(steps[lag:] - steps[:-lag])
        sizes[first_steps(lengths, lag)] = 0
        starts = np.cumsum(lengths) - lengths
        counts = np.maximum(lengths - lag, 1)[:, None]
        mean = np.add.reduceat(sizes, starts) / counts
        found = np.where(mean > 0, mean, found)
    return found


def _last(raw: Series, n: int) -> Array:
    """The last n steps of each series."""
    late = ~first_steps(raw.lengths, raw.lengths - n)
    return raw.steps[late].reshape(len(raw), n, raw.steps.shape[1])
