"""Values per step that belong to the steps of y_true."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklseq.data import Sequences, read_steps, stack_steps

__all__ = [
    "StepTargets",
    "check_weights",
    "place_of",
    "read_sequence_weights",
    "read_step_weights",
]

StepTargets = ArrayLike | Sequence[ArrayLike]
"""Dense, ragged or flat values, one (or k) for each step."""


def place_of(steps: Sequences, position: int) -> str:
    """Which step one of the stacked steps is, for error messages."""
    sequence, step = steps.locate(position)
    return f"step {step}" if steps.layout == "series" else f"sequence {sequence}, step {step}"


def read_step_weights(
    sample_weight: StepTargets | None, y_true: Sequences
) -> NDArray[np.float64] | None:
    """The weight of each step: that of its sequence, or its own in the container of `y_true`.

    ValueError, if there are too few or too many, one is negative, or all are zero.
    """
    if sample_weight is None:
        return None
    found = read_steps(sample_weight, "sample_weight")
    if found.layout == "series" != y_true.layout and len(found.steps) == len(y_true):
        weights = np.repeat(found.steps, y_true.lengths)
    else:
        weights = stack_steps(sample_weight, y_true, "sample_weight", "y_true")
    return check_weights(weights.astype(np.float64))


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
