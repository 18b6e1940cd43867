"""What networks for labels and for real values are trained by, whatever their rows are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sklseq.base import attribute, estimator
from sklseq.base.targets import SequenceClassifierMixin, SequenceRegressorMixin, weighted_scale
from sklseq.training.rows.batch import Batch, mean_loss

__all__ = ["CrossEntropyMixin", "SquaredErrorMixin"]


@estimator
class CrossEntropyMixin(SequenceClassifierMixin):
    """A network whose outputs are logits, trained by their cross-entropy."""

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        losses = cross_entropy(module(*batch.inputs), batch.target, reduction="none")
        return mean_loss(losses, batch)


class SquaredErrorMixin(SequenceRegressorMixin):
    """A network trained by the squared error of targets that are centred and of unit variance."""

    _attributes = {
        "target_mean_": attribute(
            "ndarray of shape (n_outputs,)",
            "Mean of y; the network is trained on y centred and scaled to unit variance.",
        ),
        "target_scale_": attribute("ndarray of shape (n_outputs,)", "Standard deviation of y."),
    }

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        return mean_loss((module(*batch.inputs) - batch.target).square(), batch)

    def _scale_targets(
        self: Any, values: NDArray[np.float64], weights: NDArray[np.float64], fresh: bool
    ) -> NDArray[np.float64]:
        """Targets as the network sees them; a fresh fit learns their scale."""
        if fresh:
            self.target_mean_, self.target_scale_ = weighted_scale(values, weights)
        elif values.shape[1] != len(self.target_mean_):
            raise ValueError(
                f"y has {values.shape[1]} outputs, but {type(self).__name__} was fitted on "
                f"{len(self.target_mean_)}."
            )
        return (values - self.target_mean_) / self.target_scale_

    def _unscale(self: Any, outputs: NDArray[Any]) -> NDArray[Any]:
        """Outputs in the units and with the dimensions of y."""
        values = outputs * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._n_target_dims == 1 else values
