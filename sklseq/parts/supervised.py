"""Losses and target scaling of classifiers and regressors, whatever their rows are."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sklseq.base import attribute
from sklseq.training.rows.batch import Batch, mean_loss

__all__ = [
    "CLASS_ATTRIBUTES",
    "CLASS_STORED",
    "SCALE_ATTRIBUTES",
    "cross_entropy_loss",
    "scaled",
    "squared_error_loss",
    "unscaled",
]

CLASS_ATTRIBUTES = {"classes_": attribute("ndarray of shape (n_classes,)", "Sorted class labels.")}
# A logit for each class.
CLASS_STORED = {"classes_": "ndarray of labels of shape (n_outputs,)"}
SCALE_ATTRIBUTES = {
    "target_mean_": attribute(
        "ndarray of shape (n_outputs,)",
        "Mean of y; the network is trained on y centered and scaled to unit variance.",
    ),
    "target_scale_": attribute("ndarray of shape (n_outputs,)", "Standard deviation of y."),
}


def cross_entropy_loss(module: nn.Module, batch: Batch) -> Tensor:
    """Loss of a network whose outputs are logits."""
    losses = cross_entropy(module(*batch.inputs), batch.target, reduction="none")
    return mean_loss(losses, batch)


def squared_error_loss(module: nn.Module, batch: Batch) -> Tensor:
    """Loss of a network whose outputs are scaled targets."""
    return mean_loss((module(*batch.inputs) - batch.target).square(), batch)


def scaled(
    values: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Targets ``(n_targets, n_outputs)`` as the network sees them.

    Raises
    ------
    ValueError
        If there are more or fewer outputs than in the first fit.
    """
    if values.shape[1] != len(mean):
        raise ValueError(
            f"y has {values.shape[1]} outputs, but this estimator was fitted on {len(mean)}."
        )
    return (values - mean) / scale


def unscaled(
    outputs: NDArray[np.floating],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    n_dims: int,
) -> NDArray[np.float64]:
    """Outputs in the units and with the dimensions of y, in double precision."""
    values = outputs * scale + mean
    return values[:, 0] if n_dims == 1 else values
