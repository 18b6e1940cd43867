"""Values per step that belong to the steps of y_true."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklseq.data import Sequences, missing, read_steps, stack_steps

__all__ = [
    "MatchedSteps",
    "StepTargets",
    "check_weights",
    "incomplete",
    "labels_of_one_kind",
    "matched_steps",
    "place_of",
    "read_sequence_weights",
    "read_step_weights",
]

StepTargets = ArrayLike | Sequence[ArrayLike]
"""Dense, ragged or flat values, one (or k) for each step."""


class MatchedSteps(NamedTuple):
    """The steps that have a target, each array of shape (n_steps_with_target, ...)."""

    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    sample_weight: NDArray[np.float64] | None
    sequence: NDArray[np.int64]
    n_sequences: int


def matched_steps(
    y_true: StepTargets, y_pred: StepTargets, sample_weight: StepTargets | None = None
) -> MatchedSteps:
    """Targets, the predictions of their steps and weights, without the steps that lack a target.

    Raises ValueError where sequences do not match, no step has a target, or a step that has one
    lacks its prediction.
    """
    true = read_steps(_column(y_true), "y_true", series=_has_columns(y_true))
    pred = stack_steps(_column(y_pred), true, "y_pred", "y_true")
    present = ~incomplete(true.steps)
    if not present.any():
        raise ValueError("y_true has no labeled step.")
    for absent in np.flatnonzero(incomplete(pred) & present)[:1]:
        raise ValueError(
            f"{place_of(true, int(absent))}: the prediction is None or NaN where y_true has a "
            "label."
        )
    weights = read_step_weights(sample_weight, true, present)
    return MatchedSteps(
        y_true=labels_of_one_kind(true.steps[present]),
        y_pred=labels_of_one_kind(pred[present]),
        sample_weight=weights,
        sequence=np.repeat(np.arange(len(true)), true.lengths)[present],
        n_sequences=len(true),
    )


def incomplete(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows lack a value, or one of several."""
    return np.any(missing(values).reshape(len(values), -1), axis=1)


def _has_columns(y: Any) -> bool:
    return hasattr(y, "columns") and len(y.columns) > 1


def _column(y: Any) -> Any:
    """The column of a DataFrame that has one; all else as it is."""
    return y.iloc[:, 0] if hasattr(y, "columns") and len(y.columns) == 1 else y


def labels_of_one_kind(values: NDArray[Any]) -> NDArray[Any]:
    """Give labels that were held as objects the dtype of what they are."""
    if values.dtype != object:
        return values
    kinds = {_kind(value) for value in values.flat}
    if len(kinds) > 1:
        raise ValueError(f"Labels must be of one kind, got {' and '.join(sorted(kinds))}.")
    return np.array(values.tolist())


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "str"
    return "numbers" if isinstance(value, (Real, np.bool_)) else type(value).__name__


def place_of(steps: Sequences, position: int) -> str:
    """Which step one of the stacked steps is, for error messages."""
    sequence, step = steps.locate(position)
    return f"step {step}" if steps.layout == "series" else f"sequence {sequence}, step {step}"


def read_step_weights(
    sample_weight: StepTargets | None, y_true: Sequences, present: Any = slice(None)
) -> NDArray[np.float64] | None:
    """The weight of each step: that of its sequence, or its own in the container of `y_true`.

    Weights of other steps than those that are `present` do not matter.

    ValueError, if there are too few or too many, one is negative, or all are zero.
    """
    if sample_weight is None:
        return None
    found = read_steps(sample_weight, "sample_weight")
    if found.layout == "series" != y_true.layout and len(found.steps) == len(y_true):
        weights = np.repeat(found.steps, y_true.lengths)
    else:
        weights = stack_steps(sample_weight, y_true, "sample_weight", "y_true")
    return check_weights(weights[present].astype(np.float64))


def read_sequence_weights(
    sample_weight: ArrayLike | None, n_sequences: int
) -> NDArray[np.float64] | None:
    """One weight for each sequence; ValueError, if that is not what they are."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_sequences,):
        raise ValueError(
            f"sample_weight must have shape ({n_sequences},), one weight for each sequence, got "
            f"{weights.shape}."
        )
    return check_weights(weights)


def check_weights(weights: NDArray[Any]) -> NDArray[Any]:
    """The weights, if none is negative or not finite and one is positive; else ValueError."""
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ValueError(
            f"sample_weight holds {weights[wrong[0]]}: weights must be finite and not negative."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero throughout: nothing is left to score.")
    return weights
