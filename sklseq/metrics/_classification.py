"""Classification metrics for sequences with a label for each step."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, f1_score

from sklseq.metrics._steps import (
    MatchedSteps,
    StepTargets,
    check_weights,
    matched_steps,
    read_sequence_weights,
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


def _labeled_steps(
    y_true: StepTargets, y_pred: StepTargets, sample_weight: StepTargets | None = None
) -> MatchedSteps:
    """Labels matched with predictions of one label for each step."""
    steps = matched_steps(y_true, y_pred, sample_weight)
    for values, name in ((steps.y_true, "y_true"), (steps.y_pred, "y_pred")):
        if values.ndim > 1:
            raise ValueError(f"{name} must hold one label for each step, got {values.shape[1:]}.")
    if (steps.y_true.dtype.kind == "U") != (steps.y_pred.dtype.kind == "U"):
        raise ValueError("Labels and predictions must both be str or both be numbers.")
    return steps
