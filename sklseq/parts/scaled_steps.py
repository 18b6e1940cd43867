"""Features of steps and nodes, centered and scaled to unit variance in full precision.

A network starts from weights that suit numbers of about one, and float32 holds seven digits: what
tells one value of 1e9 from another would be lost before a module could subtract their mean.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklseq.base import attribute
from sklseq.data import Sequences, check_finite

__all__ = ["SCALE_ATTRIBUTES", "learn_scale", "mean_weights", "scaled", "scaled_steps", "unscaled"]

SCALE_ATTRIBUTES = {
    "feature_mean_": attribute(
        "ndarray",
        "Mean of each feature over the steps or nodes of `fit`; the network reads features that "
        "are centered by it and scaled to unit variance. Absent where X has symbols alone.",
    ),
    "feature_scale_": attribute(
        "ndarray", "Standard deviation of each feature; 1 where it is constant."
    ),
}


def learn_scale(
    model: Any, rows: NDArray[Any], lengths: NDArray[np.int64], weights: NDArray[np.float64]
) -> None:
    """Set mean and deviation of features ``(sum of lengths, n_features)``.

    `weights` are those of sequences or trees, each of which counts alike whatever its length.
    """
    weights = np.repeat(weights / (lengths * weights.sum()), lengths)
    mean = weights @ rows
    # Where values are large and alike, that is the mean to its rounding only.
    mean = mean + weights @ (rows - mean)
    scale = np.sqrt(weights @ np.square(rows - mean))
    constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    model.feature_mean_, model.feature_scale_ = mean, np.where(constant, 1.0, scale)


def mean_weights(weights: NDArray[np.float64], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean weight of the parts of each sequence or tree."""
    return np.asarray(np.add.reduceat(weights, np.cumsum(lengths) - lengths) / lengths)


def scaled(model: Any, values: NDArray[Any], like: Tensor) -> NDArray[Any]:
    """Values as the network reads them, in the type of `like`."""
    with np.errstate(over="ignore"):
        standardized = (values - model.feature_mean_) / model.feature_scale_
        return np.asarray(standardized, dtype=str(like.dtype).removeprefix("torch."))


def scaled_steps(model: Any, data: Sequences, like: Tensor) -> Sequences:
    """Steps as the network reads them; ValueError where one is too large for its type."""
    return check_finite(data.with_steps(scaled(model, data.steps, like)))


def unscaled(model: Any, values: NDArray[Any]) -> NDArray[np.float64]:
    """Standardized values in the units of the data."""
    return np.asarray(values * model.feature_scale_ + model.feature_mean_)
