"""Targets of any rows: labels and values, read and checked, and the scores of both."""

import warnings
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

from sklseq.base.multilabel import (
    BINARIZE,
    indicators,
    is_indicator,
    other_kind,
    read_indicators,
    refuse_sets,
    score_indicators,
)
from sklseq.base.parameters import choice, param
from sklseq.base.target_rows import TargetRows, ordinary_weights
from sklseq.data import as_array, as_container, as_labels, first_date, missing
from sklseq.data.limits import largest

__all__ = [
    "Labels",
    "Values",
    "check_partial_classes",
    "class_weight_param",
    "read_labels",
    "read_values",
    "score_labels",
    "score_values",
    "weighted_scale",
]

# -- labels --------------------------------------------------------------------------------


class Labels(NamedTuple):
    """Labels as a classifier is trained on them."""

    codes: NDArray[Any]
    """Index of each label among the classes, 0 where there is none; of several labels for each
    target zeros and ones ``(n_targets, n_classes)``."""
    weights: NDArray[np.float64]
    """With class weights in them, 0 where there is no label; of the shape of `codes`."""
    classes: NDArray[Any]
    class_weight: dict[Any, float] | None = None
    """Weight of each class."""

    @property
    def multilabel(self) -> bool:
        """Whether a target has several labels, independent of each other."""
        return self.codes.ndim == 2


def class_weight_param() -> Any:
    """Declaration of the parameter `class_weight`."""
    return param(
        None,
        "Weights of the classes as a dict, or 'balanced' for weights inverse to their frequency "
        "in `fit`. Not with several labels for each target.",
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
    classes: Any = None,
    multilabel: bool | None = None,
) -> Labels:
    """Codes, weights and classes of labels; an error names the label or the place at fault.

    Parameters
    ----------
    y : array-like
        A label for each target; None and NaN are parts without one.
    rows : TargetRows
    weights : ndarray of shape (n_targets,)
    class_weight : dict, "balanced" or None, default=None
    classes : array-like or None, default=None
        All classes, where y need not hold them all: given by the user or by an earlier fit.
    multilabel : bool or None, default=None
        Whether an earlier fit had several labels for each target; None without one.
    """
    y = _label_of_each(y, rows)
    if multilabel is not None and multilabel != (y.ndim == 2):
        raise ValueError(other_kind(multilabel, rows))
    if y.ndim == 2:
        return Labels(*read_indicators(y, rows, weights, class_weight, classes))
    labeled = ~missing(y) if rows.per_part else np.ones(len(y), dtype=bool)
    if not labeled.any():
        raise ValueError(f"y has no labeled {rows.name}: all are None or NaN.")
    _refuse_mixed(y[labeled])
    present = _one_type(y[labeled])
    check_classification_targets(present)
    classes = np.unique(present if classes is None else np.asarray(classes))
    codes = np.zeros(len(y), dtype=np.int64)
    codes[labeled] = _encode(present, classes, np.flatnonzero(labeled), rows)
    weights = np.where(labeled, weights, 0.0)
    if class_weight is not None:
        per_class = compute_class_weight(class_weight, classes=classes, y=classes[codes[labeled]])
        weights = ordinary_weights(weights * per_class[codes])
        class_weight = dict(zip(classes.tolist(), per_class.tolist(), strict=True))
    if not weights.any():
        raise ValueError(
            f"All labeled {rows.name}s have zero weight: there is nothing to learn from."
        )
    return Labels(codes, weights, classes, class_weight)


def check_partial_classes(
    classes: Any, known: NDArray[Any] | None, class_weight: Any = None
) -> None:
    """Refuse an argument `classes` with which `partial_fit` cannot go on.

    The classes so far are `known`, None in the first call.
    """
    if classes is not None and np.size(classes) == 0:
        raise ValueError("classes=[] names no class: give all labels that will come.")
    if known is None and classes is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    if known is not None and classes is not None and not np.array_equal(np.unique(classes), known):
        raise ValueError(
            f"classes={classes!r} is not the same as on the last call to partial_fit, "
            f"{known.tolist()}."
        )
    if isinstance(class_weight, str) and class_weight == "balanced":
        raise ValueError(
            "class_weight='balanced' is not supported for partial_fit, which does not see all "
            "of y: compute the weights from all of it and give them as a dict."
        )


def score_labels(
    y: Any, predicted: NDArray[Any], rows: TargetRows, weights: NDArray[np.float64]
) -> float:
    """Mean accuracy over all targets that have a label, given `predicted` of all targets."""
    true = rows.stacked(y) if rows.per_part else as_labels(y)
    several = is_indicator(true)
    if predicted.ndim == true.ndim == 2 and true.shape[1] > 1 and not several:
        raise ValueError("y holds other values than 0 and 1, the labels of each column.")
    if several != (predicted.ndim == 2):
        raise ValueError(other_kind(predicted.ndim == 2, rows))
    if several:
        return score_indicators(indicators(true, rows), predicted, rows, weights)
    if rows.per_part:
        true = _column(true, rows)
        known = ~missing(true)
        if not known.any():
            raise ValueError(f"y has no labeled {rows.part} to score: all are None or NaN.")
        true, predicted, weights = true[known], predicted[known], weights[known]
    else:
        true = column_or_1d(true)
    return accuracy_score(_one_type(true), predicted, sample_weight=weights)


def _label_of_each(y: Any, rows: TargetRows) -> NDArray[Any]:
    """Labels in one column; several of each target as zeros and ones, NaN where unknown."""
    if not rows.per_part:
        _refuse_ragged(y, rows)
    y = rows.stacked(y) if rows.per_part else as_labels(y)
    if is_indicator(y):
        check_consistent_length(np.empty(len(rows)), y)
        return indicators(y, rows)
    if rows.per_part:
        return _column(y, rows)
    if _has_each_part(y, rows):
        raise ValueError(
            f"y should be a 1d array, got an array of shape {y.shape} instead: a label for each "
            f"{rows.whole}. For labels of {rows.part}s set target={rows.part!r}."
        )
    if y.ndim == 2 and y.shape[1] > 1:
        raise ValueError(
            f"y should be a 1d array, got an array of shape {y.shape} instead: {_ONE_OR_SEVERAL}"
        )
    y = column_or_1d(y, warn=True)
    if y.dtype == object:
        absent = np.flatnonzero(missing(y))
        if len(absent):
            raise ValueError(
                f"Input y contains NaN or None: {rows.whole} {absent[0]} has no label. Only "
                f"{rows.part}s may be without one, with target={rows.part!r}."
            )
    check_consistent_length(rows.sizes, y)
    return y


_ONE_OR_SEVERAL = (
    "give one label for each, or several as columns of 0 and 1. For columns of classes fit one "
    "classifier each."
)


def _refuse_mixed(y: NDArray[Any]) -> None:
    if y.dtype != object:
        return
    kinds = sorted({"str" if isinstance(label, str) else "number" for label in y})
    if len(kinds) > 1:
        raise ValueError(f"y mixes labels of types {kinds}: use one type.")


def _column(y: NDArray[Any], rows: TargetRows) -> NDArray[Any]:
    """Labels of parts in one column."""
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        return y.ravel()
    raise ValueError(f"y has {y.shape[1:]} labels for each {rows.part}: {_ONE_OR_SEVERAL}")


def _encode(
    labels: NDArray[Any], classes: NDArray[Any], places: NDArray[np.int64], rows: TargetRows
) -> NDArray[np.int64]:
    codes = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    strange = np.flatnonzero(classes[codes] != labels)
    if len(strange):
        raise ValueError(
            f"y has the unknown label {labels[strange[0]]} at {rows.place(int(places[strange[0]]))}"
            f": the classes are {classes.tolist()}: leave it out, or fit anew on all labels "
            "(without warm_start; of partial_fit name all classes in the first call)."
        )
    return codes


def _refuse_ragged(y: Any, rows: TargetRows) -> None:
    """One array for each whole means targets of parts."""
    holds_objects = getattr(getattr(y, "dtype", None), "kind", "") == "O" and y.ndim == 1
    if not isinstance(y, (list, tuple)) and not holds_objects:
        return
    refuse_sets(y, rows)
    sizes = {len(v) for v in y if isinstance(v, (list, tuple, np.ndarray)) and np.ndim(v)}
    if len(sizes) > 1 or (sizes and not isinstance(y, (list, tuple))):
        raise ValueError(
            f"y holds one array of targets for each {rows.whole}: set target={rows.part!r} for "
            f"targets per {rows.part}, or give one target for each {rows.whole}. A list of labels "
            f"for each is given as columns of 0 and 1, {BINARIZE}."
        )


def _one_type(labels: NDArray[Any]) -> NDArray[Any]:
    """Numbers among which there was None as an array of numbers: 1 and 1.0 are one label."""
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
    """Real targets: one value (or k) for each target, NaN for a part without one.

    Raises ValueError if y does not fit, or has no value with weight.
    """
    if rows.per_part:
        y = rows.stacked(y)
    else:
        _refuse_ragged(y, rows)
    y = check_array(
        _as_numbers(y, rows),
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite="allow-nan" if rows.per_part else True,
        input_name="y",
    )
    if not rows.per_part:
        check_consistent_length(rows.sizes, y)
        if _has_each_part(y, rows):
            warnings.warn(
                f"y of shape {y.shape} is read as {y.shape[1]} outputs for each {rows.whole}, "
                f"which has as many {rows.part}s: if it has a value for each {rows.part}, set "
                f"target={rows.part!r}.",
                UserWarning,
                stacklevel=2,
            )
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
    if (wrong := np.argwhere(np.abs(y) > (limit := largest(np.float64, squared=True)))).size:
        value = y[tuple(wrong[0])]
        raise ValueError(
            f"y is {value:.3g} at {rows.place(int(wrong[0][0]))}, which is too large (the limit "
            f"is {limit:.0e}): leave it out, or give y in other units."
        )


def score_values(
    y: Any, predicted: NDArray[Any], rows: TargetRows, weights: NDArray[np.float64]
) -> float:
    """Coefficient of determination over all targets that have a value.

    `predicted` is ``(n_targets,)`` or ``(n_targets, n_outputs)``, `weights` ``(n_targets,)``.
    """
    if not rows.per_part:
        true = check_array(_as_numbers(y, rows), dtype=np.float64, ensure_2d=False, input_name="y")
        _check_size(true.reshape(len(true), -1), rows)
        return r2_score(true, predicted, sample_weight=weights)
    true = np.asarray(_as_numbers(rows.stacked(y), rows), np.float64).reshape(len(rows), -1)
    _check_size(true, rows)
    # Each output has its own missing targets.
    scores = [
        r2_score(t[known], p[known], sample_weight=weights[known])
        for t, p, known in zip(
            true.T, predicted.reshape(true.shape).T, ~np.isnan(true.T), strict=True
        )
    ]
    return float(np.mean(scores))


def _has_each_part(y: NDArray[Any], rows: TargetRows) -> bool:
    """Whether y has as many columns as each whole has parts, of which there are several."""
    several = rows.stack is not None and y.ndim == 2 and y.shape[1] > 1
    return several and bool((rows.sizes == y.shape[1]).all())


def _as_numbers(y: Any, rows: TargetRows) -> Any:
    """y, with objects as numbers, NaN where one is missing; dates are no numbers."""
    y = as_container(y)
    values = as_array(y)
    if values.ndim == 0 or values.dtype.kind not in "OmM":
        return y
    for row, of_row in enumerate(values):
        date = first_date(of_row)
        if date is not None:
            raise TypeError(
                f"y, {rows.place(row)} is the date or time {date}, which is no number: predict "
                "one, such as seconds since the first."
            )
    try:
        return np.where(missing(values), np.nan, values).astype(np.float64)
    except (TypeError, ValueError):
        return y  # which scikit-learn refuses in its own words


def weighted_scale(
    values: NDArray[Any], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column ``(n_rows, n_columns)``; 1 for a constant one.

    Weights are of shape ``(n_rows, n_columns)`` or ``(n_rows, 1)``.
    """
    total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    mean = (weights * values).sum(axis=0) / total
    scale = np.sqrt((weights * (values - mean) ** 2).sum(axis=0) / total)
    # Of a constant column only rounding is left: dividing by it would blow it up.
    constant = scale <= 10 * np.finfo(values.dtype).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, scale)
