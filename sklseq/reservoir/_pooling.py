"""From the features of steps to one vector a sequence, block by block."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "POOLING_UFUNCS",
    "FeatureBlock",
    "Pooling",
    "add_to_groups",
    "check_washout",
    "combined",
    "slice_of_steps",
]

POOLING_UFUNCS = {"last": np.add, "mean": np.add, "max": np.maximum}
FeatureBlock = tuple[NDArray[np.int64], NDArray[Any]]


@dataclass(frozen=True)
class Pooling:
    """How steps become one vector: "last", "mean" or "max" of each slice after the washout."""

    kind: str
    washout: int
    n_slices: int


def check_washout(lengths: NDArray[np.int64], washout: int, n_slices: int = 1) -> None:
    """Refuse sequences that the washout, or the slices, leave nothing of; name the first."""
    short = np.flatnonzero(lengths < washout + n_slices)
    if len(short):
        why = f"washout={washout}" + (f" and n_slices={n_slices}" if n_slices > 1 else "")
        raise ValueError(
            f"X, sequence {short[0]} has {lengths[short[0]]} steps, but {why} need at least "
            f"{washout + n_slices}."
        )


def slice_of_steps(
    lengths: NDArray[np.int64], pooling: Pooling, backward: bool
) -> NDArray[np.int64]:
    """The slice ``n_slices * sequence + slice`` that each step is pooled into; -1 where it is not.

    With "last", a slice has its last step alone. Slices are numbered from the beginning of the
    sequences, also where these are read backward.
    """
    washout, n_slices = pooling.washout, pooling.n_slices
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    kept = np.arange(len(sequence)) - (np.cumsum(lengths) - lengths)[sequence] - washout
    size = (lengths - washout)[sequence]
    part = kept * n_slices // size
    pooled = kept >= 0
    if pooling.kind == "last":
        pooled &= (kept + 1) * n_slices // size > part
    if backward:
        part = n_slices - 1 - part
    return np.where(pooled, n_slices * sequence + part, -1)


def add_to_groups(
    found: list[FeatureBlock],
    rows: NDArray[np.int64],
    features: NDArray[Any],
    group_of: NDArray[np.int64],
    kind: str,
) -> None:
    """Add the features of rows to the sum (or maximum) of each row's group; -1 is none.

    `found` holds groups in ascending order with their values, and is changed in place. A group may
    stand in several of its blocks.
    """
    groups = group_of[rows]
    kept = np.flatnonzero(groups >= 0)
    if len(kept) == 0:
        return
    kept = kept[np.argsort(groups[kept], kind="stable")]
    present, first = np.unique(groups[kept], return_index=True)
    pool = POOLING_UFUNCS[kind]
    values = pool.reduceat(features[kept], first, axis=0, dtype=np.float64)
    known = np.isin(present, found[-1][0]) if found else np.zeros(len(present), dtype=bool)
    if not known.any():
        found.append((present, values))
        return
    # The same sequences go on. All of their steps are added up from left to right, with other
    # sequences beside them or not: otherwise a sum would be rounded in another way.
    groups, sums = found[-1]
    place = np.searchsorted(groups, present[known])
    sums[place] = pool(sums[place], values[known])
    if not known.all():
        groups = np.concatenate([groups, present[~known]])
        sums = np.concatenate([sums, values[~known]])
        order = np.argsort(groups)
        found[-1] = groups[order], sums[order]


def combined(
    found: Iterable[FeatureBlock],
    group_of: NDArray[np.int64],
    shape: tuple[int, int],
    pooling: Pooling,
) -> NDArray[np.float64]:
    """The pooled features of all groups, an array of `shape` (n_groups, n_features)."""
    pooled = np.full(shape, -np.inf if pooling.kind == "max" else 0.0)
    for groups, values in found:
        pooled[groups] = POOLING_UFUNCS[pooling.kind](pooled[groups], values)
    if pooling.kind == "mean":
        pooled /= np.bincount(group_of[group_of >= 0], minlength=len(pooled))[:, None]
    return pooled
