"""From the features of steps to one vector a sequence, block by block."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["POOLINGS", "check_lengths", "combine", "slice_of_steps", "sum_up"]

POOLINGS = {"last": np.add, "mean": np.add, "max": np.maximum}
Block = tuple[NDArray[np.int64], NDArray[Any]]


def check_lengths(lengths: NDArray[np.int64], washout: int, n_slices: int) -> None:
    """Refuse sequences that the washout, or the slices, leave nothing of.

    Raises
    ------
    ValueError
        Naming the first such sequence.
    """
    short = np.flatnonzero(lengths < washout + n_slices)
    if len(short):
        why = f"washout={washout}" + (f" and n_slices={n_slices}" if n_slices > 1 else "")
        raise ValueError(
            f"X, sequence {short[0]} has {lengths[short[0]]} steps, but {why} need at least "
            f"{washout + n_slices}."
        )


def slice_of_steps(
    lengths: NDArray[np.int64], washout: int, n_slices: int, pooling: str, backward: bool
) -> NDArray[np.int64]:
    """The slice each step is pooled into; -1 where it is not.

    Parameters
    ----------
    lengths : ndarray of shape (n_sequences,)
    washout : int
        First steps of each sequence that are left out.
    n_slices : int
        Slices of equal length that the rest is cut into.
    pooling : str
        With "last", a slice has its last step alone.
    backward : bool
        Whether the sequences are read from their end; slices are numbered from their beginning.

    Returns
    -------
    ndarray of shape (sum of lengths,)
        ``n_slices * sequence + slice``.
    """
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    kept = np.arange(len(sequence)) - (np.cumsum(lengths) - lengths)[sequence] - washout
    size = (lengths - washout)[sequence]
    part = kept * n_slices // size
    pooled = kept >= 0
    if pooling == "last":
        pooled &= (kept + 1) * n_slices // size > part
    if backward:
        part = n_slices - 1 - part
    return np.where(pooled, n_slices * sequence + part, -1)


def sum_up(blocks: Iterable[Block], group_of: NDArray[np.int64], pooling: str) -> list[Block]:
    """Sum (or maximum) of each group's rows, as parts that may hold a group several times."""
    parts: list[Block] = []
    for rows, features in blocks:
        groups = group_of[rows]
        kept = np.flatnonzero(groups >= 0)
        if len(kept) == 0:
            continue
        kept = kept[np.argsort(groups[kept], kind="stable")]
        present, first = np.unique(groups[kept], return_index=True)
        # In float64, so that a sum does not depend on the blocks it is made of.
        values = POOLINGS[pooling].reduceat(features[kept], first, axis=0, dtype=np.float64)
        if parts and np.isin(present, parts[-1][0]).all():
            # The same sequences go on: without this, parts would grow with their length.
            place = np.searchsorted(parts[-1][0], present)
            parts[-1][1][place] = POOLINGS[pooling](parts[-1][1][place], values)
        else:
            parts.append((present, values))
    return parts


def combine(
    parts: Iterable[Block], group_of: NDArray[np.int64], shape: tuple[int, int], pooling: str
) -> NDArray[np.float64]:
    """The pooled features of all groups, an array of `shape` (n_groups, n_features)."""
    pooled = np.full(shape, -np.inf if pooling == "max" else 0.0)
    for groups, values in parts:
        pooled[groups] = POOLINGS[pooling](pooled[groups], values)
    if pooling == "mean":
        pooled /= np.bincount(group_of[group_of >= 0], minlength=len(pooled))[:, None]
    return pooled
