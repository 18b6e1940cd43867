"""What targets and weights belong to: rows of a table, sequences or steps, trees or nodes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_sample_weight
from sklseq.data import as_container

__all__ = ["TargetRows", "ordinary_weights", "read_weights"]

# Weights beyond it, or below its inverse, count relative to each other alone.
_LARGE = 1e15


@dataclass(frozen=True)
class TargetRows:
    """What targets belong to: sequences or their steps, trees or their nodes, images or pixels.

    Parameters
    ----------
    whole, part : str
        What messages call a row of X and a part of one.
    sizes : ndarray of int of shape (n_wholes,)
        Number of parts of each.
    per_part : bool, default=False
        Whether each part has a target, and not each whole.
    stack : callable or None, default=None
        ``(values, name)`` to the values of all parts, one after the other; None without parts.
    place_within : callable or None, default=None
        ``(whole, part)`` to what messages call a part of one; None numbers it.
    """

    whole: str
    part: str
    sizes: NDArray[np.int64]
    per_part: bool = False
    stack: Callable[[Any, str], NDArray[Any]] | None = None
    place_within: Callable[[int, int], str] | None = None

    def __len__(self) -> int:
        return int(self.sizes.sum()) if self.per_part else len(self.sizes)

    @property
    def name(self) -> str:
        """What one is called."""
        return self.part if self.per_part else self.whole

    def place(self, row: int) -> str:
        """Where a target stands, for messages."""
        if not self.per_part:
            return f"row {row}"
        ends = np.cumsum(self.sizes)
        whole = int(np.searchsorted(ends, row, side="right"))
        part = int(row - ends[whole] + self.sizes[whole])
        within = f"{self.part} {part}"
        if self.place_within is not None:
            within = self.place_within(whole, part)
        return f"{self.whole} {whole}, {within}"

    def stacked(self, values: Any, name: str = "y") -> Any:
        """Values of all parts, one after the other; values of wholes as they are."""
        return self.stack(values, name) if self.per_part and self.stack else values


def read_weights(sample_weight: Any, rows: TargetRows) -> NDArray[np.float64]:
    """Weight of each target; weights of wholes hold for all their parts."""
    if sample_weight is None:
        return np.ones(len(rows))
    sample_weight = as_container(sample_weight)
    if _is_scalar(sample_weight):
        sample_weight = np.full(len(rows), float(sample_weight))
    elif all(map(_is_scalar, sample_weight)) and len(sample_weight) == len(rows.sizes):
        sample_weight = np.repeat(np.asarray(sample_weight), rows.sizes if rows.per_part else 1)
    elif rows.per_part:
        sample_weight = rows.stacked(sample_weight, "sample_weight")
    elif not all(map(_is_scalar, sample_weight)):
        of_parts = f"; weights of {rows.part}s go with target={rows.part!r}"
        raise ValueError(
            f"sample_weight must be one number for each of the {len(rows)} {rows.whole}s"
            f"{of_parts if rows.stack else ''}."
        )
    weights = check_sample_weight(
        sample_weight, np.empty(len(rows)), dtype=np.float64, ensure_non_negative=True
    )
    return ordinary_weights(weights)


def ordinary_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of mean one instead of such as single precision, or their sum, would not hold."""
    high = weights.max(initial=0)
    if high == 0 or 1 / _LARGE < high < _LARGE:
        return weights
    relative = weights / high
    return relative / relative[relative > 0].mean()


def _is_scalar(value: Any) -> bool:
    return not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0
