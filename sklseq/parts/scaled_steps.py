"""Features of steps and nodes, centered and scaled to unit variance in full precision.

A network starts from weights that suit numbers of about one, and float32 holds seven digits: what
tells one value of 1e9 from another would be lost before a module could subtract their mean.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklseq.base import attribute
from sklseq.base.targets import weighted_scale
from sklseq.data import Sequences, check_finite
from sklseq.data.limits import first_beyond, largest

__all__ = [
    "SCALE_ATTRIBUTES",
    "SCALE_STORED",
    "check_scale",
    "learn_scale",
    "scaled",
    "scaled_steps",
    "unscaled",
]

SCALE_ATTRIBUTES = {
    "feature_mean_": attribute(
        "ndarray of shape (n_step_features,)",
        "Mean of each feature over the steps or nodes of `fit`; the network reads features that "
        "are centered by it and scaled to unit variance. Absent where X has symbols alone.",
    ),
    "feature_scale_": attribute(
        "ndarray of shape (n_step_features,)",
        "Standard deviation of each feature; 1 where it is constant.",
    ),
}
SCALE_STORED = dict.fromkeys(SCALE_ATTRIBUTES, "absent or ndarray of shape (n_scaled,)")


def check_scale(model: Any, n_features: int) -> None:
    """Refuse a stored scale that does not suit the steps or nodes of a model."""
    if model.feature_mean_.shape != (n_features,) or model.feature_scale_.shape != (n_features,):
        raise ValueError(f"its features are {n_features}, which the scale does not suit.")
    if not (model.feature_scale_ > 0).all():
        raise ValueError("the scale of a feature is not above 0.")


def learn_scale(
    model: Any,
    rows: NDArray[Any],
    lengths: NDArray[np.int64],
    weights: NDArray[np.float64],
    whole: str = "sequence",
    allow_nan: bool = False,
) -> None:
    """Set mean and deviation of features ``(sum of lengths, n_features)``.

    Each sequence or tree counts alike whatever its length; `weights` are theirs or, of their
    targets, those of the rows. With `allow_nan` NaN is not counted. Raises ValueError where a
    number is too large to be squared.
    """
    limit = largest(np.float64, squared=True)
    if (beyond := first_beyond(rows, limit, np.float64, allow_nan)) is not None:
        (row, feature), value, why = beyond
        ends = np.cumsum(lengths)
        i = int(np.searchsorted(ends, row, side="right"))
        step = f", step {row - ends[i] + lengths[i]}" if whole == "sequence" else ""
        raise ValueError(
            f"X, {whole} {i}{step}, feature {feature} is {value}{why}: drop it first, or scale the "
            "data."
        )
    if len(weights) != len(lengths):
        weights = np.add.reduceat(weights, np.cumsum(lengths) - lengths) / lengths
    of_rows = np.repeat(weights / lengths, lengths)[:, None]
    if allow_nan:
        known = ~np.isnan(rows)
        rows, of_rows = np.where(known, rows, 0), of_rows * known
    model.feature_mean_, model.feature_scale_ = weighted_scale(rows, of_rows)


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
