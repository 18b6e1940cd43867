"""The one ragged form: stacked steps and lengths."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sequences"]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of unequal length as one stacked array.

    Parameters
    ----------
    steps : ndarray of shape (sum of lengths, n_features) or (sum of lengths,)
        All steps, one sequence after the other; 1-D where a step is a symbol.
    lengths : ndarray of shape (n_sequences,)
        Number of steps of each sequence, at least 1.
    layout : {"dense", "ragged", "series", "frame"}
        The container the user gave, which results per step are given back in.
    feature_names : ndarray of str or None
        Column names, where the container had them.
    context : ndarray of shape (n_sequences, n_context) or None
        What is known of each sequence as a whole.
    """

    steps: NDArray[Any]
    lengths: NDArray[np.int64]
    layout: Literal["dense", "ragged", "series", "frame"] = "ragged"
    feature_names: NDArray[Any] | None = None
    context: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def symbolic(self) -> bool:
        """Whether a step is one symbol rather than a vector of features."""
        return self.steps.ndim == 1

    @property
    def starts(self) -> NDArray[np.int64]:
        """Index of each sequence's first step among the stacked steps."""
        return np.cumsum(self.lengths) - self.lengths

    def locate(self, stacked_index: int) -> tuple[int, int]:
        """Sequence and step within it of one of the stacked steps."""
        sequence = int(np.searchsorted(self.starts, stacked_index, side="right")) - 1
        return sequence, int(stacked_index - self.starts[sequence])

    def with_steps(self, steps: NDArray[Any]) -> "Sequences":
        """The same sequences with other values: ``steps`` has one row (or symbol) per step."""
        return replace(self, steps=steps)

    def take(self, rows: NDArray[np.int64]) -> "Sequences":
        """These sequences, one after the other."""
        lengths = self.lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        steps = self.steps[np.repeat(self.starts[rows], lengths) + within]
        context = None if self.context is None else self.context[rows]
        return Sequences(steps, lengths, "ragged", self.feature_names, context)

    def restore(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values per step ``(sum of lengths, ...)`` in the container of the input.

        ``(n_sequences, n_steps, ...)`` for dense input; ``(n_steps, ...)`` for one series or a
        DataFrame; else a 1-D object array with one array per sequence.
        """
        if self.layout in ("series", "frame"):
            return values
        if self.layout == "dense":
            return values.reshape(len(self), -1, *values.shape[1:])
        # Filled one by one: np.array(list) would make a dense array of equal lengths.
        ragged = np.empty(len(self), dtype=object)
        for i, (start, length) in enumerate(zip(self.starts, self.lengths, strict=True)):
            ragged[i] = values[start : start + length]
        return ragged
