"""Series as the model of a forecaster sees them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base.exogenous import first_steps

__all__ = ["ModelState", "Series", "put_state", "repeat_state", "take_state"]

Array = NDArray[Any]
ModelState = dict[str, Array]
"""What a model remembers of each series: arrays whose first axis is the series."""


@dataclass(frozen=True, eq=False)
class Series:
    """Stacked steps of series with what is known beside them.

    Parameters
    ----------
    steps : ndarray of shape (sum of lengths, n_features)
        The values.
    lengths : ndarray of shape (n_series,)
        Number of steps of each series, at least 1.
    exogenous : ndarray of shape (sum of lengths, n_exogenous)
        Inputs of each step, known when it is predicted; without any there are no columns.
    context : ndarray of shape (n_series, n_context) or None
        What is known of each series as a whole.
    """

    steps: Array
    lengths: NDArray[np.int64]
    exogenous: Array
    context: Array | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def last(self) -> Array:
        """The last step of each series."""
        return self.steps[np.cumsum(self.lengths) - 1]

    def split(self, n_first: Any) -> tuple["Series", "Series"]:
        """The first steps of each series, and the others; both keep series of no steps."""
        n_first = np.broadcast_to(n_first, self.lengths.shape)
        early = first_steps(self.lengths, n_first)
        return self._of(early, n_first), self._of(~early, self.lengths - n_first)

    def take(self, rows: Any) -> "Series":
        """These series, one after the other."""
        lengths = self.lengths[rows]
        starts = (np.cumsum(self.lengths) - self.lengths)[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        steps = np.repeat(starts, lengths) + within
        context = None if self.context is None else self.context[rows]
        return Series(self.steps[steps], lengths, self.exogenous[steps], context)

    def with_steps(self, steps: Array) -> "Series":
        """The same series with other values."""
        return replace(self, steps=steps)

    def _of(self, some: NDArray[np.bool_], lengths: NDArray[np.int64]) -> "Series":
        return Series(self.steps[some], lengths, self.exogenous[some], self.context)


def take_state(state: ModelState, rows: Any) -> ModelState:
    """That of some series."""
    return {name: values[rows] for name, values in state.items()}


def put_state(state: ModelState, rows: Any, new: ModelState) -> ModelState:
    """The state with that of some series replaced.

    Their arrays may have grown, such as what was read of each series: others are filled with zeros.
    """
    found = {}
    for name, values in new.items():
        found[name] = np.zeros((len(state[name]), *values.shape[1:]), values.dtype)
        found[name][tuple(map(slice, state[name].shape))] = state[name]
        found[name][rows] = values
    return found


def repeat_state(state: ModelState, n: int) -> ModelState:
    """That of all series, again and again."""
    return {name: np.concatenate([values] * n) for name, values in state.items()}
