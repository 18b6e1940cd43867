"""Classification metrics for sequences with a label for each step."""

from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, f1_score

from sklseq.data import missing, read_steps, stack_steps
from sklseq.metrics._steps import (
    StepTargets,
    check_weights,
    place_of,
    read_sequence_weights,
    read_step_weights,
)


def step_accuracy_score(
    y_true: StepTargets, y_pred: StepTargets, *, sample_weight: StepTargets | None = None
) -> float:
    """Share of the labeled steps whose label is predicted right.

    Equals :func:`sklearn.metrics.accuracy_score` of the labeled steps of all sequences,
    so a long sequence counts more than a short one.

    Parameters
    ----------
    y_true : array-like
        A label for each step: an array of shape (n_sequences, n_steps); a list or 1-D
        object array of arrays of shape (n_steps_i,); or one series of shape (n_steps,).
        A step whose label is None or NaN is unlabeled and does not count.
    y_pred : array-like
        Predictions for the same steps, in any of these containers. What stands at
        unlabeled steps does not matter.
    sample_weight : array-like, default=None
        A weight for each sequence, of shape (n_sequences,), which all its steps get; or
        one for each step, in the form of `y_true`.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If sequences do not match (the message names the first), no step is labeled, or
        a prediction is missing at a labeled step.

    See Also
    --------
    sequence_accuracy_score : Share of sequences without a wrong step.
    step_f1_score : F1 score, for unbalanced classes.

    Examples
    --------
    >>> from sklseq.metrics import step_accuracy_score
    >>> step_accuracy_score([[0, 1, 1], [2, None]], [[0, 1, 0], [2, 0]])
    0.75
    """
    steps = _labeled_steps(y_true, y_pred, sample_weight)
    return float(accuracy_score(steps.y_true, steps.y_pred, sample_weight=steps.sample_weight))


def sequence_accuracy_score(
    y_true: StepTargets, y_pred: StepTargets, *, sample_weight: ArrayLike | None = None
) -> float:
    """Share of the sequences whose labeled steps are all predicted right.

    Parameters
    ----------
    y_true : array-like
        A label for each step: an array of shape (n_sequences, n_steps); a list or 1-D
        object array of arrays of shape (n_steps_i,); or one series of shape (n_steps,),
        which counts as one sequence. A step whose label is None or NaN is
        unlabeled. A sequence without a labeled step does not count.
    y_pred : array-like
        Predictions for the same steps, in any of these containers. What stands at
        unlabeled steps does not matter.
    sample_weight : array-like of shape (n_sequences,), default=None
        A weight for each sequence.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If sequences do not match (the message names the first), no step is labeled, or
        a prediction is missing at a labeled step.

    See Also
    --------
    step_accuracy_score : Share of right steps.

    Examples
    --------
    >>> from sklseq.metrics import sequence_accuracy_score
    >>> sequence_accuracy_score([[0, 1, 1], [2, None]], [[0, 1, 0], [2, 0]])
    0.5
    """
    steps = _labeled_steps(y_true, y_pred)
    wrong = np.bincount(steps.sequence, weights=steps.y_true != steps.y_pred)
    labeled = np.unique(steps.sequence)
    weights = read_sequence_weights(sample_weight, steps.n_sequences)
    if weights is not None:
        weights = check_weights(weights[labeled])
    return float(np.average(wrong[labeled] == 0, weights=weights))


def step_f1_score(
    y_true: StepTargets,
    y_pred: StepTargets,
    *,
    labels: ArrayLike | None = None,
    pos_label: Any = 1,
    average: Literal["macro", "micro", "weighted", "binary"] | None = "macro",
    sample_weight: StepTargets | None = None,
    zero_division: Any = "warn",
) -> float | NDArray[np.float64]:
    """F1 score of the labeled steps.

    Equals :func:`sklearn.metrics.f1_score` of the labeled steps of all sequences.

    Parameters
    ----------
    y_true : array-like
        A label for each step: an array of shape (n_sequences, n_steps); a list or 1-D
        object array of arrays of shape (n_steps_i,); or one series of shape (n_steps,).
        A step whose label is None or NaN is unlabeled and does not count.
    y_pred : array-like
        Predictions for the same steps, in any of these containers. What stands at
        unlabeled steps does not matter.
    labels : array-like of shape (n_classes,), default=None
        The classes to include; None means all that occur.
    pos_label : int, float, bool or str, default=1
        The class to report if `average="binary"`.
    average : {"macro", "micro", "weighted", "binary"} or None, default="macro"
        Averaging of the scores of the classes; None returns them all.
    sample_weight : array-like, default=None
        A weight for each sequence, of shape (n_sequences,), which all its steps get; or
        one for each step, in the form of `y_true`.
    zero_division : {"warn", 0.0, 1.0, np.nan}, default="warn"
        The score of a class that occurs neither in labels nor in predictions; "warn"
        means 0.0 with a warning.

    Returns
    -------
    float, or ndarray of shape (n_classes,) if `average` is None
        Between 0 and 1.

    Raises
    ------
    ValueError
        If sequences do not match (the message names the first), no step is labeled, or
        a prediction is missing at a labeled step.

    See Also
    --------
    step_accuracy_score : Share of right steps.

    Examples
    --------
    >>> from sklseq.metrics import step_f1_score
    >>> step_f1_score([[0, 1, 1], [1, None]], [[0, 1, 0], [1, 0]])
    0.733...
    """
    steps = _labeled_steps(y_true, y_pred, sample_weight)
    score = f1_score(
        steps.y_true,
        steps.y_pred,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=steps.sample_weight,
        zero_division=zero_division,
    )
    return score if average is None else float(score)


class _LabelledSteps(NamedTuple):
    """The steps that count, each array of shape (n_labeled_steps,)."""

    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    sample_weight: NDArray[np.float64] | None
    sequence: NDArray[np.int64]
    n_sequences: int


def _labeled_steps(
    y_true: StepTargets, y_pred: StepTargets, sample_weight: StepTargets | None = None
) -> _LabelledSteps:
    """Match labels with predictions and drop the unlabeled steps."""
    true = read_steps(_column(y_true), "y_true")
    pred = stack_steps(_column(y_pred), true, "y_pred", "y_true")
    for values, name in ((true.steps, "y_true"), (pred, "y_pred")):
        if values.ndim > 1:
            raise ValueError(f"{name} must hold one label for each step, got {values.shape[1:]}.")
    labeled = ~missing(true.steps)
    if not labeled.any():
        raise ValueError("y_true has no labeled step.")
    for absent in np.flatnonzero(missing(pred) & labeled)[:1]:
        raise ValueError(
            f"{place_of(true, int(absent))}: the prediction is None or NaN where y_true has a "
            "label."
        )
    labels, predictions = _plain(true.steps[labeled]), _plain(pred[labeled])
    if (labels.dtype.kind == "U") != (predictions.dtype.kind == "U"):
        raise ValueError("Labels and predictions must both be str or both be numbers.")
    weights = read_step_weights(sample_weight, true)
    return _LabelledSteps(
        y_true=labels,
        y_pred=predictions,
        sample_weight=None if weights is None else weights[labeled],
        sequence=np.repeat(np.arange(len(true)), true.lengths)[labeled],
        n_sequences=len(true),
    )


def _column(y: Any) -> Any:
    """The column of a DataFrame that has one; all else as it is."""
    return y.iloc[:, 0] if hasattr(y, "columns") and len(y.columns) == 1 else y


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Give labels that were held as objects the dtype of what they are."""
    if values.dtype != object:
        return values
    kinds = {_kind(value) for value in values}
    if len(kinds) > 1:
        raise ValueError(f"Labels must be of one kind, got {' and '.join(sorted(kinds))}.")
    return np.array(values.tolist())


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "str"
    return "numbers" if isinstance(value, (Real, np.bool_)) else type(value).__name__
