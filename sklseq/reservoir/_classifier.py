"""Classification of sequences and of steps."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, estimator, other_default
from sklseq.base.targets import (
    check_partial_classes,
    class_weight_param,
    read_labels,
    score_labels,
)
from sklseq.data import Sequences
from sklseq.reservoir._predictor import ESNPredictor
from sklseq.reservoir._readouts import GivenReadout

__all__ = ["ESNClassifier"]

Array = NDArray[Any]


def _readout_has(method: str) -> Any:
    def check(model: Any) -> bool:
        return hasattr(vars(model).get("readout_", model.readout), method)

    return check


@estimator
class ESNClassifier(ClassifierMixin, ESNPredictor):
    """Classify sequences, or their steps, by an echo state network.

    A recurrent network with random weights that are never trained, the reservoir, is driven by
    a sequence: ``x(t) = (1 - a) x(t-1) + a f(W x(t-1) + W_in u(t) + b)`` with leak rate a. The
    label is read out of its states and their squares by ridge regression on 1 for the class and
    -1 for the others, as in `sklearn.linear_model.RidgeClassifier`. Probabilities are the softmax
    of these outputs, which is not calibrated: ``readout=LogisticRegression()``, or a
    `CalibratedClassifierCV`, gives better ones. Several labels for each target, columns of 0 and 1,
    are read out independently of each other.

    References
    ----------
    .. [1] Jaeger et al. (2007). "Optimization and applications of echo state networks with
       leaky-integrator neurons". Neural Networks 20; section 5 for `n_slices`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.reservoir import ESNClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.array(["slow", "fast"] * 30)
    >>> X = [np.sin((0.8 if label == "fast" else 0.4) * np.arange(rng.integers(20, 40)))
    ...      for label in y]
    >>> ESNClassifier(random_state=0).fit(X, y).predict(X[:2])
    array(['slow', 'fast'], dtype='<U4')
    """

    features: str = other_default(ESNPredictor, "features", "state+squares")
    class_weight: Any = class_weight_param()

    _attributes = {
        "classes_": attribute(
            "ndarray of shape (n_classes,)",
            "Sorted class labels; the numbers of the columns of y, where it has several labels for "
            "each target.",
        ),
        "coef_": attribute(
            "ndarray of shape (n_classes, n_columns) or (1, n_columns)",
            "Coefficients of the ridge: for the features of a step, or for those of all slices. "
            "One row if there are two classes, unless they are labels of their own.",
        ),
        "intercept_": attribute("ndarray of shape (n_classes,) or (1,)", "Its intercepts."),
    }

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        classes_: Array
        _multilabel: bool

    _stored = {"classes_": "ndarray of labels of shape (n_classes,)", "_multilabel": "bool"}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_learned(self) -> None:
        super()._check_learned()
        n_classes, coef = len(self.classes_), getattr(self, "coef_", None)
        # One output tells two classes apart.
        if coef is not None and n_classes != (2 if len(coef) == 1 else len(coef)):
            raise ValueError(f"its readout has {len(coef)} outputs for {n_classes} classes.")

    # The mixin's would not know steps.
    score = ESNPredictor.score
    _score = staticmethod(score_labels)

    @available_if(ESNPredictor._can_partial_fit)
    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Fit the readout to further rows beside all that came before, in `fit` too.

        With the ridge, any number of calls gives the same as one `fit` on all rows, to rounding.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like or None, default=None
            All labels that will come; needed in the first call. Where y has several labels for
            each target, the numbers of its columns.

        Returns
        -------
        self
        """
        known = self.classes_ if self._goes_on() else None
        check_partial_classes(classes, known, self.class_weight)
        return self._fit(X, y, sample_weight, "partial_fit", classes)

    def _read_targets(
        self, y: Any, X: Sequences, weights: Array, fresh: bool, classes: Any = None
    ) -> tuple[Array, Array]:
        labels = read_labels(
            y,
            self._target_rows(X),
            weights,
            class_weight=self.class_weight,
            classes=classes if fresh else self.classes_,
            multilabel=None if fresh else self._multilabel,
        )
        self.classes_, self._multilabel = labels.classes, labels.multilabel
        codes = labels.codes.astype(np.int64)
        return self._signs(codes) if self.readout is None else codes, labels.weights

    def _new_readout(self, method: str, **more: Any) -> GivenReadout:
        if method == "partial_fit":
            more["classes"] = np.arange(len(self.classes_))
        return super()._new_readout(method, **more)

    def _keep_given(self, given: GivenReadout) -> None:
        every = np.arange(len(self.classes_))
        known = every if self._multilabel else getattr(given.estimator, "classes_", every)
        missing = np.setdiff1d(every, known)
        if len(missing):
            raise ValueError(
                f"The class {self.classes_[missing[0]]!r} has no row with a positive weight after "
                "the washout."
            )
        super()._keep_given(given)

    def _signs(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 for the class and -1 for the others; one column for two classes."""
        if self._multilabel:
            return np.where(codes == 1, 1.0, -1.0)
        if len(self.classes_) == 2:
            return np.where(codes[:, None] == 1, 1.0, -1.0)
        return np.where(codes[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)

    def _check_mergeable(self, other: Any) -> None:
        super()._check_mergeable(other)
        if self._multilabel != other._multilabel:
            raise ValueError("One of the two has several labels for each target.")
        if not np.array_equal(self.classes_, other.classes_):
            raise ValueError(
                f"The two have different classes, {self.classes_.tolist()} and "
                f"{other.classes_.tolist()}: name all in the first call of partial_fit."
            )

    @available_if(lambda self: self.readout is None or _readout_has("decision_function")(self))
    def decision_function(self, X: Any) -> NDArray[Any]:
        """Output of the readout for each class; the largest is predicted.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,) or (n_sequences, n_classes)
            With two classes, one number that is positive for the second; of several labels for
            each target one for each label. With ``target="step"`` one row for each step, in the
            container of X.
        """
        check_is_fitted(self)
        sequences, values = self._outputs(X, "decision_function")
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        return self._restore(sequences, values)

    @available_if(lambda self: self.readout is None or _readout_has("predict_proba")(self))
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probability of each class: the softmax of the ridge's outputs, or what `readout` gives.

        Of several labels for each target each has its own, as of two classes.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_classes)
            With ``target="step"`` one row for each step, in the container of X.
        """
        check_is_fitted(self)
        return self._restore(*self._probabilities(X))

    @available_if(lambda self: self.readout is None or _readout_has("predict_proba")(self))
    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_classes)
            Or in the container that `predict_proba` gives.
        """
        check_is_fitted(self)
        sequences, values = self._probabilities(X)
        with np.errstate(divide="ignore"):
            return self._restore(sequences, np.log(values))

    def _probabilities(self, X: Any) -> tuple[Sequences, Array]:
        sequences, values = self._outputs(X, "predict_proba")
        if hasattr(self, "readout_"):
            return sequences, values
        if self._multilabel:
            return sequences, expit(2 * values)
        if len(self.classes_) == 2:
            values = np.hstack([-values, values])
        return sequences, softmax(values, axis=1)

    def predict(self, X: Any) -> NDArray[Any]:
        """Most likely class; of several labels those more likely than not.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,)
            With ``target="step"``: ``(n_sequences, n_steps)``, ``(n_steps,)`` for one series,
            or an object array of them for ragged X. Where y has several labels for each target,
            a last axis of zeros and ones is added, ``(n_sequences, n_classes)``.
        """
        check_is_fitted(self)
        sequences, codes = self._outputs(X)
        if self._multilabel:
            codes = codes if hasattr(self, "readout_") else codes > 0
            return self._restore(sequences, codes.astype(np.int64))
        if not hasattr(self, "readout_"):
            codes = codes[:, 0] > 0 if len(self.classes_) == 2 else codes.argmax(axis=1)
        return self._restore(sequences, self.classes_[codes.astype(np.int64)])
