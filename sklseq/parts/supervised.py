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
from sklseq.base import attribute, estimator, same
from sklseq.base.index import check_index
from sklseq.base.target_rows import read_weights
from sklseq.base.targets import (
    check_partial_classes,
    class_weight_param,
    read_labels,
    read_values,
    score_labels,
    score_values,
)
from sklseq.nn.layers.losses import Loss, make_loss
from sklseq.parts.context import read_known
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.losses import (
    LOSS_STORED,
    LossParameters,
    check_counts,
    check_loss_learned,
    fitted_loss,
    learn_loss,
    nearest_to_median,
    refuse_std,
    target_unit,
)
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
        return self._restore(data, self._log_probabilities(self._run("forward", data)))

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

    def _log_probabilities(self, logits: NDArray[Any]) -> NDArray[Any]:
        return log_expit(logits) if self._multilabel else log_softmax(logits, axis=1)

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
        return self._scored(X, y, sample_weight)

    def _scored(self, X: Any, y: Any, sample_weight: Any, context: Any = None) -> float:
        check_index(X, self._per_step, y=y, sample_weight=sample_weight)
        data = read_known(self, X, context)
        predicted = self._labels(self._run("forward", data))
        rows = self._target_rows(data)
        return score_labels(y, predicted, rows, read_weights(sample_weight, rows))


@estimator
class NeuralRegressor(RegressorMixin, NeuralEstimator):
    """Real values by the outputs of a network and a loss; comes first in the bases."""

    loss: str = same(LossParameters, "loss")
    quantile: Any = same(LossParameters, "quantile")

    _attributes = {
        "target_mean_": attribute(
            "ndarray of shape (n_outputs,)",
            "Center of y, which the network is trained on centered and scaled: its mean; with the "
            "losses 'absolute_error', 'huber', 'quantile' and 'student_t' the median, with "
            "'poisson' 0.",
        ),
        "target_scale_": attribute(
            "ndarray of shape (n_outputs,)",
            "Scale of y: its standard deviation; around a median that of a normal distribution "
            "with the first and last tenth of y, with 'poisson' the mean.",
        ),
    }

    _stored = {"_n_target_dims": "int"} | LOSS_STORED

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
        rows = self._target_rows(data)
        values, weights, n_dims = read_values(y, rows, weights)
        if fresh:
            learn_loss(self)
        loss = self._loss_as_fitted()
        check_counts(loss, values, weights, rows)
        if fresh:
            self.target_mean_, self.target_scale_ = target_unit(loss, values, weights)
            self._n_target_dims = n_dims
        n_outputs = len(self.target_mean_)
        if values.shape[1] != n_outputs:
            raise ValueError(
                f"y has {values.shape[1]} outputs, but this estimator was fitted on {n_outputs}."
            )
        values = (values - self.target_mean_) / self.target_scale_
        return Targets(weights, values, n_outputs * loss.n_parameters)

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        outputs = module(*training_inputs(self, module, batch))
        return mean_loss(fitted_loss(self).losses(outputs, batch.target), batch)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predicted values.

        Parameters
        ----------
        X : as in `fit`
        return_std : bool, default=False
            Whether to give the standard deviation of each prediction, too, with ``loss="gaussian"``
            and ``"student_t"``.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
            With ``target="step"``: ``(n_sequences, n_steps)`` or
            ``(n_sequences, n_steps, n_outputs)``, without the first axis for one series, or an
            object array of them for ragged X; with ``target="pixel"`` as y of `fit`. With
            ``target="node"`` an object array: for each tree nested tuples ``(value, child, ...)``
            in its shape; for parent arrays and sequences an array of values. Of several levels of
            `quantile` there is a last axis of them. With `return_std` a tuple of two such arrays.
        """
        return self._given(self._read_fitted(X), return_std)

    def _given(self, data: Any, return_std: bool) -> Any:
        """What `predict` gives for what was read."""
        if return_std:
            refuse_std(fitted_loss(self), vars(self).get("_fitted_loss", "squared_error"))
        outputs = self._run("forward", data)
        values = self._restore(data, self._unscaled(outputs))
        return (values, self._restore(data, self._std(outputs))) if return_std else values

    def _unscaled(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """What is predicted by outputs, in the units and with the dimensions of y."""
        values = fitted_loss(self).predicted(outputs)
        if values.ndim > 2:  # of several levels
            values = values * self.target_scale_[:, None] + self.target_mean_[:, None]
        else:
            values = values * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._n_target_dims == 1 else values

    def _std(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Standard deviation of y around predictions."""
        std = fitted_loss(self).std(outputs) * self.target_scale_
        return std[:, 0] if self._n_target_dims == 1 else std

    def _loss_as_fitted(self) -> Loss:
        """The loss that training goes on with, which must be that of the first fit."""
        known = vars(self)
        self._check_as_fitted("loss", known.get("_fitted_loss", "squared_error"))
        levels = known.get("_fitted_quantile")
        given = self.quantile
        if (tuple(map(float, given)) if np.iterable(given) else given) != levels:
            self._check_as_fitted("quantile", levels)
        return fitted_loss(self)

    def _sizes(self, state: dict[str, Any]) -> dict[str, int]:
        sizes = super()._sizes(state)
        name, levels = state.get("_fitted_loss", "squared_error"), state.get("_fitted_quantile")
        n_parameters = make_loss(name, levels).n_parameters
        return sizes | {"n_outputs": sizes["n_outputs"] // n_parameters}

    def _check_learned(self) -> None:
        super()._check_learned()
        check_loss_learned(self)

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
        return self._scored(X, y, sample_weight)

    def _scored(self, X: Any, y: Any, sample_weight: Any, context: Any = None) -> float:
        check_index(X, self._per_step, y=y, sample_weight=sample_weight)
        data = read_known(self, X, context)
        predicted = self._unscaled(self._run("forward", data))
        predicted = nearest_to_median(fitted_loss(self), predicted)
        rows = self._target_rows(data)
        return score_values(y, predicted, rows, read_weights(sample_weight, rows))
