"""Rows to train on, and rows held out to stop training by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from sklseq.training.rows.batch import Rows, Targets

__all__ = ["hold_out"]


def hold_out(
    rows: Rows,
    targets: Targets,
    share: float,
    seed: int,
    *,
    groups: NDArray[Any] | None = None,
    estimator: str = "The estimator",
    unit: str = "row",
) -> tuple[Rows, Rows]:
    """Split the rows that have a target with weight in two; the others are left out.

    Parameters
    ----------
    rows : Rows
    targets : Targets
        Of all rows. Classes are kept in proportion where they can be.
    share : float
        Of the rows that have a target; of their groups, if there are groups.
    seed : int
    groups : ndarray of shape (n_rows,) or None, default=None
        Number of the group of each row; rows of a group stay together.
    estimator, unit : str
        What messages call the estimator and a row.
    """
    if groups is None and (ends := rows.split_end(targets, share)) is not None:
        return ends
    candidates = np.flatnonzero(rows.has_target(targets))
    if groups is not None:
        n_groups = len(np.unique(groups[candidates]))
        if n_groups < 2:
            raise ValueError(
                f"{estimator} with early_stopping=True and groups holds out whole groups, but all "
                f"{unit}s that have a target and weight are of one group: leave groups out."
            )
        splitter = GroupShuffleSplit(1, test_size=_n_held(share, n_groups), random_state=seed)
        parts = next(splitter.split(candidates, groups=groups[candidates]))
        train, validation = (candidates[part] for part in parts)
    elif len(candidates) < 2:
        raise ValueError(
            f"{estimator} with early_stopping=True needs two {unit}s that have a target and "
            f"weight, one of them to hold out, but n_samples = {len(candidates)}: set it to False."
        )
    else:
        n_held = _n_held(share, len(candidates))
        train, validation = train_test_split(
            candidates,
            test_size=n_held,
            random_state=seed,
            stratify=_strata(targets.stratify, candidates, n_held),
        )
    return rows.subset(np.sort(train)), rows.subset(np.sort(validation))


def _n_held(share: float, n: int) -> int:
    """How many of n are held out: at least one, and not all."""
    return int(np.clip(np.ceil(share * n), 1, n - 1))


def _strata(
    classes: NDArray[Any] | None, candidates: NDArray[np.int64], n_held: int
) -> NDArray[Any] | None:
    """Classes of the candidates, if each part can have every class."""
    if classes is None:
        return None
    of_candidates = classes[candidates]
    sizes = np.unique(of_candidates, return_counts=True)[1]
    smaller_part = min(n_held, len(candidates) - n_held)
    return of_candidates if sizes.min() >= 2 and smaller_part >= len(sizes) else None
