"""Classifiers and regressors by a network, whatever their rows are: losses, targets, scores."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, estimator
from sklseq.base.index import check_index
from sklseq.base.target_rows import read_weights
from sklseq.base.targets import (
    check_partial_classes,
    class_weight_param,
    read_labels,
    read_values,
    score_labels,
    score_values,
    weighted_scale,
)
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.teacher_forcing import training_inputs
from sklseq.training.rows.batch import Batch, Targets, mean_loss

__all__ = ["NeuralClassifier", "NeuralRegressor"]


@estimator
class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """Softmax output of a network, trained by cross-entropy; comes first in the bases.

    Where y has several labels for each target, the outputs are logistic, each on its own.
    """

    class_weight: Any = class_weight_param()

    _attributes = {
        "classes_": attribute(
            "ndarray of shape (n_classes,)",
            "Sorted class labels; the numbers of the columns of y, where it has several labels for "
            "each target.",
        )
    }
    # A logit for each class.
    _stored = {"classes_": "ndarray of labels of shape (n_outputs,)", "_multilabel": "bool"}

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        classes_: NDArray[Any]
        _multilabel: bool

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X and y.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. The first call settles the symbols of X, so that later ones that are new
            count as unknown, and for trees the largest number of children.
        classes : array-like or None, default=None
            All labels that will come; needed in the first call. Where y has several labels for
            each target, the numbers of its columns.

        Returns
        -------
        self
        """
        check_partial_classes(classes, getattr(self, "classes_", None), self.class_weight)
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def _read_targets(
        self, y: Any, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        rows = self._target_rows(data)
        training = known.get("training")
        labels = read_labels(
            y,
            rows,
            weights,
            class_weight=self.class_weight if training is None else training.class_weight,
            classes=known.get("classes") if fresh else self.classes_,
            multilabel=None if fresh else self._multilabel,
        )
        self.classes_, self._multilabel = labels.classes, labels.multilabel
        stratify = None if rows.per_part or labels.multilabel else labels.codes
        n_classes = len(labels.classes)
        return Targets(labels.weights, labels.codes, n_classes, stratify, labels.class_weight)

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        logits = module(*training_inputs(self, module, batch))
        several = batch.target.ndim == 2
        loss = binary_cross_entropy_with_logits if several else cross_entropy
        return mean_loss(loss(logits, batch.target, reduction="none"), batch)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probability of each class.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            With ``target="step"``: ``(n_sequences, n_steps, n_classes)``, ``(n_steps, n_classes)``
            for one series, or an object array of them for ragged X; with ``target="pixel"`` as y of
            `fit` with a last axis. With ``target="node"`` an object array: for each tree the
            probabilities of its nodes, nested as in `predict`. Where y has several labels for each
            target, they are independent of each other, and do not sum to one.
        """
        data = self._read_fitted(X)
        return self._restore(data, self._probabilities(self._run("forward", data)))

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Or in the container that `predict_proba` gives.
        """
        data = self._read_fitted(X)
        logits = self._run("forward", data)
        return self._restore(
            data, log_expit(logits) if self._multilabel else log_softmax(logits, axis=1)
        )

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class; of several labels those more probable than not.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_rows,)
            With ``target="step"``: ``(n_sequences, n_steps)``, ``(n_steps,)`` for one series, or an
            object array of them for ragged X; with ``target="pixel"`` as y of `fit`. With
            ``target="node"`` an object array: for each tree nested tuples ``(label, child, ...)``
            in its shape; for parent arrays and sequences an array of labels. Where y has several
            labels for each target, a last axis of zeros and ones is added, ``(n_rows, n_classes)``.
        """
        data = self._read_fitted(X)
        return self._restore(data, self._labels(self._run("forward", data)))

    def _labels(self, logits: NDArray[Any]) -> NDArray[Any]:
        if self._multilabel:
            return (logits > 0).astype(np.int64)
        return self.classes_[logits.argmax(axis=1)]

    def _probabilities(self, logits: NDArray[Any]) -> NDArray[Any]:
        return expit(logits) if self._multilabel else softmax(logits, axis=1)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Mean accuracy of ``predict(X)``; over labeled steps, nodes or pixels, if these are rows.

        Of several labels for each target, all that are known must be right (subset accuracy).

        Parameters
        ----------
        X : as in `fit`
        y : array-like
            True labels, as in `fit`.
        sample_weight : array-like or None, default=None

        Returns
        -------
        float
        """
        check_index(X, self._per_step, y=y, sample_weight=sample_weight)
        data = self._read_fitted(X)
        predicted = self._labels(self._run("forward", data))
        rows = self._target_rows(data)
        return score_labels(y, predicted, rows, read_weights(sample_weight, rows))


@estimator
class NeuralRegressor(RegressorMixin, NeuralEstimator):
    """Linear output of a network, trained by squared error; comes first in the bases."""

    _attributes = {
        "target_mean_": attribute(
            "ndarray of shape (n_outputs,)",
            "Mean of y; the network is trained on y centered and scaled to unit variance.",
        ),
        "target_scale_": attribute("ndarray of shape (n_outputs,)", "Standard deviation of y."),
    }

    _stored = {"_n_target_dims": "int"}

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        target_mean_: NDArray[np.float64]
        target_scale_: NDArray[np.float64]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X and y.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. The first call settles the scale of y, the symbols of X and for trees the
            largest number of children.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, partial=True)

    def _read_targets(
        self, y: Any, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        values, weights, n_dims = read_values(y, self._target_rows(data), weights)
        if fresh:
            self.target_mean_, self.target_scale_ = weighted_scale(values, weights)
            self._n_target_dims = n_dims
        n_outputs = len(self.target_mean_)
        if values.shape[1] != n_outputs:
            raise ValueError(
                f"y has {values.shape[1]} outputs, but this estimator was fitted on {n_outputs}."
            )
        return Targets(weights, (values - self.target_mean_) / self.target_scale_, n_outputs)

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        outputs = module(*training_inputs(self, module, batch))
        return mean_loss((outputs - batch.target).square(), batch)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predicted values.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
            With ``target="step"``: ``(n_sequences, n_steps)`` or
            ``(n_sequences, n_steps, n_outputs)``, without the first axis for one series, or an
            object array of them for ragged X; with ``target="pixel"`` as y of `fit`. With
            ``target="node"`` an object array: for each tree nested tuples ``(value, child, ...)``
            in its shape; for parent arrays and sequences an array of values.
        """
        data = self._read_fitted(X)
        return self._restore(data, self._unscaled(self._run("forward", data)))

    def _unscaled(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Outputs in the units and with the dimensions of y, in double precision."""
        values = outputs * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._n_target_dims == 1 else values

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination of ``predict(X)``; over all rows that have a target.

        Parameters
        ----------
        X : as in `fit`
        y : array-like
            True values, as in `fit`.
        sample_weight : array-like or None, default=None

        Returns
        -------
        float
        """
        check_index(X, self._per_step, y=y, sample_weight=sample_weight)
        data = self._read_fitted(X)
        predicted = self._unscaled(self._run("forward", data))
        rows = self._target_rows(data)
        return score_values(y, predicted, rows, read_weights(sample_weight, rows))
