"""Ragged sequences in segments of time: which of them have one, and which go on."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["TimeSegment", "most_segments", "segments"]


class TimeSegment(NamedTuple):
    """The same stretch of time of all sequences that reach into it."""

    rows: NDArray[np.int64]
    """Numbers of these sequences."""
    kept: NDArray[np.int64] | None
    """Which of the sequences in the segment before they are; None for all."""
    start: int
    lengths: NDArray[np.int64]
    """Steps of each of them in this segment."""
    ends: bool
    """Whether no sequence goes on."""


def segments(lengths: NDArray[np.int64], n_steps: int) -> Iterator[TimeSegment]:
    """Segments of `n_steps` each, the last of a sequence being what is left of it."""
    longest = int(lengths.max())
    rows = np.arange(len(lengths))
    for start in range(0, longest, n_steps):
        kept = None
        left = lengths[rows] - start
        if (going := left > 0).sum() < len(rows):
            kept = np.flatnonzero(going)
            rows, left = rows[kept], left[kept]
        yield TimeSegment(rows, kept, start, np.minimum(left, n_steps), start + n_steps >= longest)


def most_segments(lengths: NDArray[np.int64], n_steps: int, batch_size: int) -> int:
    """Segments of all batches, however sequences come together in them."""
    n_batches = -(-len(lengths) // batch_size)
    longest = np.sort(lengths)[len(lengths) - n_batches :]
    return int((-(-longest // n_steps)).sum())
