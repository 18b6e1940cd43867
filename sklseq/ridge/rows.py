"""Rows of a ridge regression, kept while they are few."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["KeptRows", "joined"]

FloatArray = NDArray[np.float64]


@dataclass(eq=False)
class KeptRows:
    """What sums over rows lose: the rows themselves, as long as there are at most `limit`.

    Generalized cross-validation replaces the leverage of each row by their mean, which goes wrong
    where rows are hardly more than features. There the rows cost no more memory than the
    products of the features, and leave-one-out errors can be exact.

    Parameters
    ----------
    limit : int
        Most rows to keep; of more, none is kept.
    """

    limit: int
    _blocks: list[tuple[FloatArray, FloatArray, FloatArray]] | None = field(
        default_factory=list, repr=False
    )

    _stored: ClassVar[dict[str, Any]] = {"limit": "int", "_blocks": "data"}

    def check_stored(self) -> None:
        """Refuse blocks that are not features, targets and weights of the same rows."""
        for block in self._blocks or ():
            x, y, w = block
            if not x.ndim == y.ndim == 2 or not len(x) == len(y) == w.size == len(w):
                raise ValueError("the rows that the readout keeps do not fit together.")

    def update(self, features: FloatArray, targets: FloatArray, weights: FloatArray) -> None:
        """Keep copies of rows."""
        if self._blocks is None:
            return
        kept = weights > 0
        self._blocks.append((features[kept], targets[kept], weights[kept]))
        self._drop_if_many()

    def merge(self, other: Self) -> None:
        """Keep the rows of another, which come after these."""
        self.limit = min(self.limit, other.limit)
        if self._blocks is None or other._blocks is None:
            self._blocks = None
            return
        self._blocks.extend(other._blocks)
        self._drop_if_many()

    def select(self, outputs: NDArray[np.int64]) -> "KeptRows":
        """A copy with some of the targets."""
        if self._blocks is None:
            return KeptRows(self.limit, None)
        return KeptRows(self.limit, [(x, y[:, outputs], w) for x, y, w in self._blocks])

    @property
    def all(self) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Features, targets and weights of all rows; None if they were too many."""
        if not self._blocks:
            return None
        if len(self._blocks) > 1:
            x, y, w = (np.concatenate(part) for part in zip(*self._blocks, strict=True))
            self._blocks = [(x, y, w)]
        return self._blocks[0]

    def _drop_if_many(self) -> None:
        assert self._blocks is not None
        if sum(len(w) for _, _, w in self._blocks) > self.limit:
            self._blocks = None


def joined(rows: KeptRows | None, others: KeptRows | None) -> KeptRows | None:
    """Both in one, if both are kept."""
    if rows is None or others is None:
        return None
    rows.merge(others)
    return rows
