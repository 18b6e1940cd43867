"""Several labels for each target: y with a column of zeros and ones for each label."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base.target_rows import TargetRows
from sklseq.data import missing

__all__ = [
    "BINARIZE",
    "indicators",
    "is_indicator",
    "other_kind",
    "read_indicators",
    "refuse_sets",
    "score_indicators",
]

BINARIZE = "MultiLabelBinarizer().fit_transform(y)"
"""The way to columns of zeros and ones, for messages."""


def is_indicator(y: NDArray[Any]) -> bool:
    """Whether y has several columns and holds nothing but zeros and ones, and what is missing."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biufO":
        return False
    known = y[~missing(y)]
    if y.dtype.kind == "O" and not all(np.isscalar(v) and not isinstance(v, str) for v in known):
        return False
    return bool(np.isin(known, (0, 1)).all())


def indicators(y: NDArray[Any], rows: TargetRows) -> NDArray[np.float64]:
    """Zeros and ones ``(n_targets, n_labels)``, NaN where a part has no label.

    Raises
    ------
    ValueError
        If the label of a whole is missing.
    """
    unknown = missing(y)
    values = np.where(unknown, np.nan, y).astype(np.float64)
    if unknown.any() and not rows.per_part:
        row, label = np.argwhere(unknown)[0]
        raise ValueError(
            f"Input y contains NaN or None: {rows.whole} {row}, label {label}. Only {rows.part}s "
            f"may be without labels, with target={rows.part!r}."
        )
    return values


def read_indicators(
    values: NDArray[np.float64],
    rows: TargetRows,
    weights: NDArray[np.float64],
    class_weight: Any = None,
    classes: Any = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Zeros and ones, weights ``(n_targets, n_labels)``, 0 where a label is missing, and classes.

    Parameters
    ----------
    values : ndarray of shape (n_targets, n_labels)
        As `indicators` gives them.
    rows : TargetRows
    weights : ndarray of shape (n_targets,)
    class_weight : None
    classes : array-like or None, default=None
        Numbers of the columns, given by the user or by an earlier fit.

    Warns
    -----
    UserWarning
        If each target has just one label, which says that they exclude each other; or if there
        are as many labels as each whole has parts.
    """
    known, every = ~np.isnan(values), np.arange(values.shape[1])
    if class_weight is not None:
        raise ValueError(
            "class_weight weighs classes that exclude each other, but y has several labels for "
            f"each {rows.name}: set class_weight=None, and give sample_weight if some count more."
        )
    if classes is not None and not np.array_equal(np.unique(classes), every):
        raise ValueError(
            f"y has {len(every)} columns of 0 and 1, but the classes are "
            f"{np.unique(classes).tolist()}: they must be the numbers of the columns, "
            f"np.arange({len(every)})."
        )
    if not known.any():
        raise ValueError(f"y has no labeled {rows.name}: all are None or NaN.")
    if not (weights := known * weights[:, None]).any():
        raise ValueError(
            f"All labeled {rows.name}s have zero weight: there is nothing to learn from."
        )
    _warn_of_classes(values, rows)
    return np.where(known, values, 0.0), weights, every


def _warn_of_classes(values: NDArray[np.float64], rows: TargetRows) -> None:
    if len(values) > 1 and (values.sum(axis=1) == 1).all():
        warnings.warn(
            f"Each {rows.name} has just one of the {values.shape[1]} labels in y, which are "
            "learned as independent of each other. If they exclude each other, give classes: "
            "y.argmax(axis=1).",
            UserWarning,
            stacklevel=2,
        )
    several = rows.stack is not None and not rows.per_part
    if several and (rows.sizes == values.shape[1]).all():
        warnings.warn(
            f"y of shape {values.shape} is read as {values.shape[1]} labels for each {rows.whole}, "
            f"which has as many {rows.part}s: if it has a label for each {rows.part}, set "
            f"target={rows.part!r}.",
            UserWarning,
            stacklevel=2,
        )


def other_kind(multilabel: bool, rows: TargetRows) -> str:
    """The message where y is multilabel and a fit was not, or the other way round."""
    several, one = f"several labels for each {rows.name} (columns of 0 and 1)", "one label"
    was, now = (several, one) if multilabel else (one, several)
    return f"y has {now}, but this estimator was fitted on {was}."


def refuse_sets(y: Any, rows: TargetRows) -> None:
    """Refuse a set of labels for each target.

    Raises
    ------
    ValueError
        With the way to columns of zeros and ones.
    """
    if any(isinstance(item, (set, frozenset)) for item in y):
        raise ValueError(
            f"y holds a set of labels for each {rows.name}: give a column of 0 and 1 for each "
            f"label, {BINARIZE}."
        )


def score_indicators(
    true: NDArray[np.float64],
    predicted: NDArray[Any],
    rows: TargetRows,
    weights: NDArray[np.float64],
) -> float:
    """Subset accuracy: the share of targets of which all labels that are known are right.

    Raises
    ------
    ValueError
        If there are other labels than those predicted, or none that is known.
    """
    if true.shape != predicted.shape:
        raise ValueError(
            f"y of shape {true.shape} holds labels, but those predicted have the shape "
            f"{predicted.shape}."
        )
    known = ~np.isnan(true)
    some = known.any(axis=1)
    if not some.any():
        raise ValueError(f"y has no labeled {rows.name} to score: all are None or NaN.")
    right = ((predicted == true) | ~known).all(axis=1)
    return float(np.average(right[some], weights=weights[some]))
