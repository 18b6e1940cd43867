"""Targets of sequences and of steps: reading labels and values, and the scores of both."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import (
    Tags,
    check_array,
    check_consistent_length,
    column_or_1d,
    compute_class_weight,
)
from sklearn.utils.multiclass import check_classification_targets

from sklseq.base import attribute, choice, estimator, param
from sklseq.data import Sequences, as_labels, stack_steps, unlabelled

__all__ = ["SequenceClassifierMixin", "SequenceRegressorMixin", "weighted_scale"]


@estimator
class SequenceClassifierMixin(ClassifierMixin):
    """Labels of sequences or steps; comes before `SequenceEstimator` in the bases."""

    class_weight: Any = param(
        None,
        "Weights of the classes as a dict, or 'balanced' for weights inverse to their frequency "
        "in `fit`.",
        dict,
        choice("balanced"),
        None,
    )

    _attributes = {"classes_": attribute("ndarray of shape (n_classes,)", "Sorted class labels.")}

    def _read_labels(
        self: Any,
        y: Any,
        X: Sequences,
        weights: NDArray[np.float64],
        classes: Any = None,
        known: bool = False,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Code of each label, and weights with class weights in them and 0 where unlabelled.

        Parameters
        ----------
        classes : array-like or None
            All classes, where y need not hold them all.
        known : bool
            Whether `classes_` are there already and stay.
        """
        self._require_y(y)
        if self._per_step:
            y = _one_label_each(stack_steps(y, X), self._row_words[1])
            labelled = ~unlabelled(y)
        else:
            _refuse_ragged(y, *self._row_words)
            y = column_or_1d(as_labels(y), warn=True)
            _refuse_mixed(y, *self._row_words)
            labelled = np.ones(len(y), dtype=bool)
            check_consistent_length(X, y)
        if not labelled.any():
            raise ValueError(f"y has no labelled {self._row_words[1]}: all are None, NaN or -1.")
        present = _one_type(y[labelled])
        check_classification_targets(present)
        if not known:
            self._set_classes(present if classes is None else np.asarray(classes))
        if self._per_step:
            self._refuse_minus_one()
        codes = np.zeros(len(y), dtype=np.int64)
        codes[labelled] = self._encode(present, np.flatnonzero(labelled), X)
        weights = np.where(labelled, weights, 0.0)
        if self.class_weight is not None:
            per_class = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_[codes[labelled]]
            )
            weights = weights * per_class[codes]
        if not weights.any():
            raise ValueError(
                f"All labelled {self._row_words[1]}s have zero weight: there is nothing to learn "
                "from."
            )
        return codes, weights

    def _check_partial(self: Any, classes: Any, fresh: bool | None = None) -> None:
        """Whether `partial_fit` may go on with these classes; `fresh` if nothing is learned yet."""
        if fresh is None:
            fresh = not self.__sklearn_is_fitted__()
        if fresh and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if (
            not fresh
            and classes is not None
            and not np.array_equal(np.unique(classes), self.classes_)
        ):
            raise ValueError(
                f"classes={classes!r} is not the same as on the last call to partial_fit, "
                f"{self.classes_.tolist()}."
            )
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which does not see all "
                "of y: compute the weights from all of it and give them as a dict."
            )

    def _refuse_minus_one(self: Any) -> None:
        """A class -1 cannot be learned per step; silence would lose it."""
        named = self.class_weight if isinstance(self.class_weight, dict) else ()
        if any(label == -1 for label in [*self.classes_, *named] if not isinstance(label, str)):
            step = self._row_words[1]
            raise ValueError(
                f"-1 is among the classes, but with target={step!r} it marks {step}s without a "
                "label: give that class another name."
            )

    def _set_classes(self: Any, labels: NDArray[Any]) -> None:
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            steps = self._row_words[1].capitalize() + "s"
            hint = f" {steps} labelled -1 count as unlabelled." if self._per_step else ""
            raise ValueError(
                f"{type(self).__name__} needs at least two classes, but y has one class: "
                f"{self.classes_.tolist()[0]!r}.{hint}"
            )

    def _encode(self: Any, labels: Any, rows: NDArray[np.int64], X: Sequences) -> Any:
        codes = np.searchsorted(self.classes_, labels)
        codes = np.minimum(codes, len(self.classes_) - 1)
        strange = np.flatnonzero(self.classes_[codes] != labels)
        if len(strange):
            row = int(rows[strange[0]])
            place = (
                "{2} {0}, {3} {1}".format(*X.locate(row), *self._row_words)
                if self._per_step
                else f"row {row}"
            )
            raise ValueError(
                f"y has the unknown label {labels[strange[0]]} at {place}: the classes are "
                f"{self.classes_.tolist()}: name all classes in the first call of partial_fit, or "
                "fit anew on all labels (without warm_start)."
            )
        return codes

    def score(self: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Mean accuracy of ``predict(X)``; over all labelled steps with ``target="step"``.

        Parameters
        ----------
        X : sequences
        y : array-like
            True labels, one for each sequence or step.
        sample_weight : array-like or None, default=None

        Returns
        -------
        float
        """
        predicted = self.predict(X)
        if not self._per_step:
            self._check_index(X, y=y, sample_weight=sample_weight)
            true = _one_type(column_or_1d(as_labels(y)))
            return accuracy_score(true, predicted, sample_weight=sample_weight)
        self._check_index(X, y=y, sample_weight=sample_weight)
        X = self._read_X(X, reset=False, **self._reading)
        true = _one_label_each(stack_steps(y, X), self._row_words[1])
        predicted = stack_steps(predicted, X, "prediction")
        known = ~unlabelled(true)
        weights = self._score_weights(sample_weight, X)[known]
        return accuracy_score(_one_type(true[known]), predicted[known], sample_weight=weights)


def _one_label_each(y: NDArray[Any], step: str) -> NDArray[Any]:
    """Labels of steps in one column."""
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        return y.ravel()
    raise ValueError(
        f"y has {y.shape[1:]} labels for each {step}, but a classifier predicts one: fit one "
        "for each column."
    )


def _refuse_ragged(y: Any, sequence: str, step: str) -> None:
    """One array for each sequence means targets per step."""
    if not isinstance(y, (list, tuple)) and getattr(getattr(y, "dtype", None), "kind", "") != "O":
        return
    sizes = {len(v) for v in y if isinstance(v, (list, tuple, np.ndarray)) and np.ndim(v)}
    if len(sizes) > 1 or (sizes and not isinstance(y, (list, tuple))):
        raise ValueError(
            f"y holds one array of targets for each {sequence}: set target={step!r} for targets "
            f"per {step}, or give one target for each {sequence}."
        )


def _refuse_mixed(y: NDArray[Any], sequence: str, step: str) -> None:
    if y.dtype != object:
        return
    missing = np.flatnonzero(unlabelled(y) & [not isinstance(v, int) or v != -1 for v in y])
    if len(missing):
        raise ValueError(
            f"Input y contains NaN or None: {sequence} {missing[0]} has no label. Only {step}s may "
            f"be without one, with target={step!r}."
        )
    kinds = sorted({"str" if isinstance(v, str) else "number" for v in y})
    if len(kinds) > 1:
        raise ValueError(f"y mixes labels of types {kinds}: use one type.")


def _one_type(labels: NDArray[Any]) -> NDArray[Any]:
    """Numbers that stood beside None as an array of numbers, so that 1 and 1.0 are one label."""
    if labels.dtype == object and len({isinstance(label, str) for label in labels}) == 1:
        return np.array(labels.tolist())
    return labels


class SequenceRegressorMixin(RegressorMixin):
    """Real targets of sequences or steps; comes before `SequenceEstimator` in the bases."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _read_values(
        self: Any, y: Any, X: Sequences, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Targets ``(n_rows, n_outputs)`` and weights of the same shape, 0 where y is NaN."""
        self._require_y(y)
        if self._per_step:
            y = stack_steps(y, X)
            y = y.astype(np.float64) if y.dtype == object else y
        else:
            _refuse_ragged(y, *self._row_words)
        y = check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite="allow-nan" if self._per_step else True,
            input_name="y",
        )
        if not self._per_step:
            check_consistent_length(X, y)
        if y.ndim > 2:
            raise ValueError(
                f"y has shape {y.shape}, expected one value or (k,) values per target."
            )
        self._n_target_dims = y.ndim
        y = y.reshape(len(y), -1)
        known = ~np.isnan(y)
        weights = known * weights[:, None]
        if not weights.any():
            raise ValueError("y has no value: all are NaN or have zero weight.")
        return np.where(known, y, 0.0), weights

    def score(self: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination of ``predict(X)``; over all steps that have a target.

        Parameters
        ----------
        X : sequences
        y : array-like
            True values, one (or k) for each sequence or step.
        sample_weight : array-like or None, default=None

        Returns
        -------
        float
        """
        predicted = self.predict(X)
        if not self._per_step:
            return r2_score(y, predicted, sample_weight=sample_weight)
        self._check_index(X, y=y, sample_weight=sample_weight)
        X = self._read_X(X, reset=False, **self._reading)
        true = stack_steps(y, X).astype(np.float64).reshape(len(X.steps), -1)
        predicted = stack_steps(predicted, X, "prediction").reshape(true.shape)
        weights = self._score_weights(sample_weight, X)
        # Each output has its own missing targets.
        scores = [
            r2_score(t[known], p[known], sample_weight=weights[known])
            for t, p, known in zip(true.T, predicted.T, ~np.isnan(true.T), strict=True)
        ]
        return float(np.mean(scores))


def weighted_scale(
    values: NDArray[Any], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column; 1 for the deviation of a constant one.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    weights : ndarray of shape (n_rows, n_columns) or (n_rows, 1)
    """
    total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    mean = (weights * values).sum(axis=0) / total
    scale = np.sqrt((weights * (values - mean) ** 2).sum(axis=0) / total)
    # Of a constant column only rounding is left: dividing by it would blow it up.
    constant = scale <= 10 * np.finfo(values.dtype).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, scale)
