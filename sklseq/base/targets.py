"""Targets of any rows: labels, values and weights, read and checked, and the scores of both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import (
    check_array,
    check_consistent_length,
    column_or_1d,
    compute_class_weight,
)
from sklearn.utils.multiclass import check_classification_targets

from sklseq._compat.sklearn import check_sample_weight
from sklseq.base.parameters import choice, param
from sklseq.data import Sequences, as_labels, stack_steps, unlabeled
from sklseq.data.limits import largest

__all__ = [
    "Labels",
    "TargetRows",
    "Values",
    "check_partial_classes",
    "class_weight_param",
    "of_sequences",
    "read_labels",
    "read_values",
    "read_weights",
    "require_y",
    "score_labels",
    "score_values",
    "weighted_scale",
]

# Weights beyond it, or below its inverse, count relative to each other alone.
_LARGE_WEIGHT = 1e15


@dataclass(frozen=True)
class TargetRows:
    """What targets belong to: sequences or their steps, trees or their nodes.

    Parameters
    ----------
    whole, part : str
        What messages call a row of X and a part of one.
    sizes : ndarray of int of shape (n_wholes,)
        Number of parts of each.
    per_part : bool
        Whether each part has a target, and not each whole.
    stack : callable
        ``(values, name)`` to the values of all parts, one after the other.
    """

    whole: str
    part: str
    sizes: NDArray[np.int64]
    per_part: bool
    stack: Callable[[Any, str], NDArray[Any]]

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
        return f"{self.whole} {whole}, {self.part} {row - ends[whole] + self.sizes[whole]}"


def of_sequences(X: Sequences, per_step: bool) -> TargetRows:
    """Sequences, or their steps."""
    return TargetRows(
        "sequence", "step", X.lengths, per_step, lambda values, name: stack_steps(values, X, name)
    )


# -- weights -------------------------------------------------------------------------------


def read_weights(sample_weight: Any, rows: TargetRows) -> NDArray[np.float64]:
    """Weight of each target; weights of wholes hold for all their parts.

    Raises
    ------
    ValueError
        If there is another number of weights than of targets, or one is negative.
    """
    if sample_weight is None:
        return np.ones(len(rows))
    if hasattr(sample_weight, "__array__") and not hasattr(sample_weight, "__len__"):
        sample_weight = np.asarray(sample_weight)
    if _is_scalar(sample_weight):
        sample_weight = np.full(len(rows), float(sample_weight))
    elif not rows.per_part and not all(map(_is_scalar, sample_weight)):
        of_parts = f"; weights of {rows.part}s go with target={rows.part!r}"
        raise ValueError(
            f"sample_weight must be one number for each of the {len(rows)} {rows.whole}s"
            f"{'' if rows.whole == 'row' else of_parts}."
        )
    elif rows.per_part and _one_each(sample_weight, len(rows.sizes)):
        sample_weight = np.repeat(np.asarray(sample_weight), rows.sizes)
    elif rows.per_part:
        sample_weight = rows.stack(sample_weight, "sample_weight")
    return _ordinary(
        check_sample_weight(
            sample_weight, np.empty(len(rows)), dtype=np.float64, ensure_non_negative=True
        )
    )


def _ordinary(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of mean one instead of such as single precision, or their sum, would not hold."""
    high = weights.max(initial=0)
    if high == 0 or 1 / _LARGE_WEIGHT < high < _LARGE_WEIGHT:
        return weights
    relative = weights / high
    return relative / relative[relative > 0].mean()


def _one_each(weights: Any, n: int) -> bool:
    """Whether there is one weight for each whole, rather than one for each part."""
    n_weights = len(weights) if hasattr(weights, "__len__") else 0
    return n_weights == n and all(map(_is_scalar, weights))


def _is_scalar(value: Any) -> bool:
    return not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0


# -- labels --------------------------------------------------------------------------------


class Labels(NamedTuple):
    """Labels as a classifier is trained on them."""

    codes: NDArray[np.int64]
    """Index of each label among the classes; 0 where there is none."""
    weights: NDArray[np.float64]
    """With class weights in them, 0 where there is no label."""
    classes: NDArray[Any]


def class_weight_param() -> Any:
    """Declaration of the parameter `class_weight`."""
    return param(
        None,
        "Weights of the classes as a dict, or 'balanced' for weights inverse to their frequency "
        "in `fit`.",
        dict,
        choice("balanced"),
        None,
    )


def read_labels(
    y: Any,
    rows: TargetRows,
    weights: NDArray[np.float64],
    *,
    class_weight: Any = None,
    announced: Any = None,
    known: NDArray[Any] | None = None,
) -> Labels:
    """Codes, weights and classes of labels.

    Parameters
    ----------
    y : array-like
        A label for each target; None, NaN and -1 are parts without one.
    rows : TargetRows
    weights : ndarray of shape (n_targets,)
    class_weight : dict, "balanced" or None, default=None
    announced : array-like or None, default=None
        All classes, where y need not hold them all.
    known : ndarray or None, default=None
        The classes of an earlier fit, which stay.

    Raises
    ------
    ValueError
        Naming the label or the place at fault.
    """
    y = _one_label_each(y, rows)
    labeled = ~unlabeled(y) if rows.per_part else np.ones(len(y), dtype=bool)
    if not labeled.any():
        raise ValueError(f"y has no labeled {rows.name}: all are None, NaN or -1.")
    present = _one_type(y[labeled])
    check_classification_targets(present)
    classes = known
    if classes is None:
        classes = np.unique(present if announced is None else np.asarray(announced))
        _check_two(classes, rows)
    if rows.per_part:
        _refuse_minus_one(classes, class_weight, rows)
    codes = np.zeros(len(y), dtype=np.int64)
    codes[labeled] = _encode(present, classes, np.flatnonzero(labeled), rows)
    weights = np.where(labeled, weights, 0.0)
    if class_weight is not None:
        per_class = compute_class_weight(class_weight, classes=classes, y=classes[codes[labeled]])
        weights = _ordinary(weights * per_class[codes])
    if not weights.any():
        raise ValueError(
            f"All labeled {rows.name}s have zero weight: there is nothing to learn from."
        )
    return Labels(codes, weights, classes)


def check_partial_classes(
    announced: Any, known: NDArray[Any] | None, class_weight: Any = None
) -> None:
    """Whether `partial_fit` may go on with these classes.

    Parameters
    ----------
    announced : array-like or None
        The argument ``classes``.
    known : ndarray or None
        The classes so far; None in the first call.
    class_weight : dict, "balanced" or None, default=None

    Raises
    ------
    ValueError
        If classes are missing in the first call or differ in a later one, or their weights hang
        on data that are not all there.
    """
    if known is None and announced is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    same = known is None or announced is None or np.array_equal(np.unique(announced), known)
    if known is not None and not same:
        raise ValueError(
            f"classes={announced!r} is not the same as on the last call to partial_fit, "
            f"{known.tolist()}."
        )
    if isinstance(class_weight, str) and class_weight == "balanced":
        raise ValueError(
            "class_weight='balanced' is not supported for partial_fit, which does not see all "
            "of y: compute the weights from all of it and give them as a dict."
        )


def score_labels(
    y: Any,
    predicted: NDArray[Any],
    rows: TargetRows,
    weights: NDArray[np.float64] | None,
    *,
    stacked: bool = False,
) -> float:
    """Mean accuracy over all targets that have a label.

    Parameters
    ----------
    y : array-like
        As in `read_labels`.
    predicted : ndarray
        In the container that `predict` gives.
    rows : TargetRows
    weights : ndarray of shape (n_targets,) or None
    stacked : bool, default=False
        Whether predictions are one after the other instead.
    """
    if not rows.per_part:
        true = _one_type(column_or_1d(as_labels(y)))
        return accuracy_score(true, predicted, sample_weight=weights)
    true = _column(rows.stack(y, "y"), rows)
    known = ~unlabeled(true)
    predicted = predicted if stacked else rows.stack(predicted, "prediction")
    return accuracy_score(
        _one_type(true[known]),
        predicted[known],
        sample_weight=None if weights is None else weights[known],
    )


def _one_label_each(y: Any, rows: TargetRows) -> NDArray[Any]:
    require_y(y)
    if rows.per_part:
        return _column(rows.stack(y, "y"), rows)
    _refuse_ragged(y, rows)
    y = column_or_1d(as_labels(y), warn=True)
    _refuse_mixed(y, rows)
    check_consistent_length(rows.sizes, y)
    return y


def require_y(y: Any) -> None:
    """Refuse a missing y, as scikit-learn words it."""
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")


def _column(y: NDArray[Any], rows: TargetRows) -> NDArray[Any]:
    """Labels of parts in one column."""
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        return y.ravel()
    raise ValueError(
        f"y has {y.shape[1:]} labels for each {rows.part}, but a classifier predicts one: fit one "
        "for each column."
    )


def _check_two(classes: NDArray[Any], rows: TargetRows) -> None:
    if len(classes) < 2:
        parts = rows.part.capitalize() + "s"
        hint = f" {parts} labeled -1 count as unlabeled." if rows.per_part else ""
        raise ValueError(
            "A classifier needs at least two classes, but y has one class: "
            f"{classes.tolist()[0]!r}.{hint}"
        )


def _refuse_minus_one(classes: NDArray[Any], class_weight: Any, rows: TargetRows) -> None:
    """A class -1 of parts cannot be learned; silence would lose it."""
    named = class_weight if isinstance(class_weight, dict) else ()
    if any(label == -1 for label in [*classes, *named] if not isinstance(label, str)):
        raise ValueError(
            f"-1 is among the classes, but with target={rows.part!r} it marks {rows.part}s without "
            "a label: give that class another name."
        )


def _encode(
    labels: NDArray[Any], classes: NDArray[Any], places: NDArray[np.int64], rows: TargetRows
) -> NDArray[np.int64]:
    codes = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    strange = np.flatnonzero(classes[codes] != labels)
    if len(strange):
        raise ValueError(
            f"y has the unknown label {labels[strange[0]]} at {rows.place(int(places[strange[0]]))}"
            f": the classes are {classes.tolist()}: name all classes in the first call of "
            "partial_fit, or fit anew on all labels (without warm_start)."
        )
    return codes


def _refuse_ragged(y: Any, rows: TargetRows) -> None:
    """One array for each whole means targets of parts."""
    if not isinstance(y, (list, tuple)) and getattr(getattr(y, "dtype", None), "kind", "") != "O":
        return
    sizes = {len(v) for v in y if isinstance(v, (list, tuple, np.ndarray)) and np.ndim(v)}
    if len(sizes) > 1 or (sizes and not isinstance(y, (list, tuple))):
        raise ValueError(
            f"y holds one array of targets for each {rows.whole}: set target={rows.part!r} for "
            f"targets per {rows.part}, or give one target for each {rows.whole}."
        )


def _refuse_mixed(y: NDArray[Any], rows: TargetRows) -> None:
    if y.dtype != object:
        return
    missing = np.flatnonzero(unlabeled(y) & [not isinstance(v, int) or v != -1 for v in y])
    if len(missing):
        raise ValueError(
            f"Input y contains NaN or None: {rows.whole} {missing[0]} has no label. Only "
            f"{rows.part}s may be without one, with target={rows.part!r}."
        )
    kinds = sorted({"str" if isinstance(v, str) else "number" for v in y})
    if len(kinds) > 1:
        raise ValueError(f"y mixes labels of types {kinds}: use one type.")


def _one_type(labels: NDArray[Any]) -> NDArray[Any]:
    """Numbers that stood beside None as an array of numbers, so that 1 and 1.0 are one label."""
    if labels.dtype == object and len({isinstance(label, str) for label in labels}) == 1:
        return np.array(labels.tolist())
    return labels


# -- values --------------------------------------------------------------------------------


class Values(NamedTuple):
    """Real targets as a regressor is trained on them."""

    values: NDArray[np.float64]
    """Of shape (n_targets, n_outputs); 0 where there is none."""
    weights: NDArray[np.float64]
    """Of the same shape; 0 where y is NaN."""
    n_dims: int
    """Dimensions of y: 1 if each target is one number."""


def read_values(y: Any, rows: TargetRows, weights: NDArray[np.float64]) -> Values:
    """Real targets of rows.

    Parameters
    ----------
    y : array-like
        One value (or k) for each target; NaN is a part without a target.
    rows : TargetRows
    weights : ndarray of shape (n_targets,)

    Raises
    ------
    ValueError
        If y does not fit, or has no value with weight.
    """
    require_y(y)
    if rows.per_part:
        y = rows.stack(y, "y")
        y = y.astype(np.float64) if y.dtype == object else y
    else:
        _refuse_ragged(y, rows)
    y = check_array(
        y,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite="allow-nan" if rows.per_part else True,
        input_name="y",
    )
    if not rows.per_part:
        check_consistent_length(rows.sizes, y)
    if y.ndim > 2:
        raise ValueError(f"y has shape {y.shape}, expected one value or (k,) values per target.")
    n_dims, y = y.ndim, y.reshape(len(y), -1)
    _check_size(y, rows)
    known = ~np.isnan(y)
    weights = known * weights[:, None]
    if not weights.any():
        raise ValueError("y has no value: all are NaN or have zero weight.")
    return Values(np.where(known, y, 0.0), weights, n_dims)


def _check_size(y: NDArray[np.float64], rows: TargetRows) -> None:
    """Refuse values of which sums of squares are infinite; NaN is for others to judge."""
    if (wrong := np.argwhere(np.abs(y) > (limit := largest(np.float64)))).size:
        value = y[tuple(wrong[0])]
        raise ValueError(
            f"y is {value:.3g} at {rows.place(int(wrong[0][0]))}, which is too large (the limit "
            f"is {limit:.0e}): leave it out, or give y in other units."
        )


def score_values(
    y: Any,
    predicted: NDArray[Any],
    rows: TargetRows,
    weights: NDArray[np.float64] | None,
    *,
    stacked: bool = False,
) -> float:
    """Coefficient of determination over all targets that have a value.

    Parameters
    ----------
    y : array-like
        As in `read_values`.
    predicted : ndarray
        In the container that `predict` gives.
    rows : TargetRows
    weights : ndarray of shape (n_targets,) or None
    stacked : bool, default=False
        Whether predictions are one after the other instead.
    """
    if not rows.per_part:
        true = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        _check_size(true.reshape(len(true), -1), rows)
        return r2_score(true, predicted, sample_weight=weights)
    true = rows.stack(y, "y").astype(np.float64).reshape(len(rows), -1)
    _check_size(true, rows)
    predicted = predicted if stacked else rows.stack(predicted, "prediction")
    predicted = predicted.reshape(true.shape)
    weights = np.ones(len(true)) if weights is None else weights
    # Each output has its own missing targets.
    scores = [
        r2_score(t[known], p[known], sample_weight=weights[known])
        for t, p, known in zip(true.T, predicted.T, ~np.isnan(true.T), strict=True)
    ]
    return float(np.mean(scores))


def weighted_scale(
    values: NDArray[Any], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column; 1 for the deviation of a constant one.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    weights : ndarray of shape (n_rows, n_columns) or (n_rows, 1)
    """
    total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    mean = (weights * values).sum(axis=0) / total
    scale = np.sqrt((weights * (values - mean) ** 2).sum(axis=0) / total)
    # Of a constant column only rounding is left: dividing by it would blow it up.
    constant = scale <= 10 * np.finfo(values.dtype).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, scale)
