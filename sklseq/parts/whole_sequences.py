"""Sequences that are rows as wholes and their own targets: reading, weights, scales."""

from typing import Any

import torch
from torch import Tensor

from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Sequences
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["read_numbers", "scales_of", "step_weights"]


def read_numbers(model: SequenceEstimator, X: Any, *, reset: bool, dtype: str) -> Sequences:
    """Sequences of numbers; what `fit` of `model` has seen is set, or compared with.

    Raises ValueError if X holds symbols.
    """
    sequences = model._read_X(X, reset=reset, dtype=dtype)
    if sequences.symbolic:
        raise ValueError(
            f"X holds symbols, but {type(model).__name__} takes numbers: encode them first, for "
            "example one-hot."
        )
    return sequences


def step_weights(rows: SequenceRows) -> Tensor:
    """Weight of each step: that of its sequence, over its length."""
    assert rows.weight is not None
    lengths = torch.from_numpy(rows.lengths).to(rows.weight.device)
    return (rows.weight / lengths).repeat_interleave(lengths)


def scales_of(rows: SequenceRows, n_features: int) -> tuple[Tensor, Tensor]:
    """Weighted mean and deviation of the first `n_features` columns of the steps.

    Sequences count alike whatever their length. The deviation of a constant feature is 1: only
    rounding is left of it, and dividing by that would blow it up.
    """
    weight, steps = step_weights(rows)[:, None], rows.steps[:, :n_features]
    mean = (weight * steps).sum(dim=0) / weight.sum()
    variance = (weight * (steps - mean).square()).sum(dim=0) / weight.sum()
    constant = variance.sqrt() <= 10 * torch.finfo(mean.dtype).eps * mean.abs()
    return mean, torch.where(constant, torch.ones_like(mean), variance.sqrt())
