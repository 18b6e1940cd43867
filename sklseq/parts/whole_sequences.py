"""Sequences that are rows as wholes and their own targets: reading, weights, scales."""

from typing import Any

from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Sequences, number_hint

__all__ = ["read_numbers"]


def read_numbers(model: SequenceEstimator, X: Any, *, reset: bool) -> Sequences:
    """Sequences of numbers; what `fit` of `model` has seen is set, or compared with.

    Raises ValueError if X holds symbols.
    """
    sequences = model._read_X(X, reset=reset)
    if sequences.symbolic:
        raise ValueError(
            f"X holds symbols, but {type(model).__name__} takes numbers: encode them first, for "
            "example one-hot."
            f"{number_hint(sequences.steps)}"
        )
    return sequences
