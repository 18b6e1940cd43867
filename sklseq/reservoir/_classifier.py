"""Classification of sequences and of steps."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, estimator
from sklseq.reservoir._legacy_targets import SequenceClassifierMixin
from sklseq.reservoir._readout import ESNWithReadout
from sklseq.reservoir._threads import one_blas_thread

__all__ = ["ESNClassifier"]


def _readout_has(method: str) -> Any:
    def check(self: Any) -> bool:
        return hasattr(self.__dict__.get("readout_", self.readout), method)

    return check


@estimator
class ESNClassifier(SequenceClassifierMixin, ESNWithReadout):
    """Classify sequences, or their steps, by an echo state network.

    A recurrent network with random weights that are never trained, the reservoir, is driven by
    a sequence: ``x(t) = (1 - a) x(t-1) + a f(W x(t-1) + W_in u(t) + b)`` with leak rate a. The
    label is read out of its states by ridge regression on 1 for the class and -1 for the others,
    as in `sklearn.linear_model.RidgeClassifier`. That gives no probabilities; with
    ``readout=LogisticRegression()``, or in a `CalibratedClassifierCV`, there are some.

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
    >>> ESNClassifier(pooling="mean", random_state=0).fit(X, y).predict(X[:2])
    array(['slow', 'fast'], dtype='<U4')
    """

    _attributes = {
        "coef_": attribute(
            "ndarray of shape (n_classes, n_columns) or (1, n_columns)",
            "Coefficients of the ridge: for the features of a step, or for those of all slices. "
            "One row if there are two classes.",
        ),
        "intercept_": attribute("ndarray of shape (n_classes,) or (1,)", "Its intercepts."),
    }

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Draw the reservoir and fit the readout.

        Parameters
        ----------
        X : sequences
            ``(n_sequences, n_steps, n_features)`` array; list or object array of
            ``(n_steps, n_features)`` or ``(n_steps,)`` arrays; ``(n_sequences, n_steps)``
            array; DataFrame with a (sequence, time) MultiIndex. With ``target="step"`` also
            ``(n_steps, n_features)``, one series.
        y : array-like
            A label for each sequence, ``(n_sequences,)``; with ``target="step"`` one for each
            step, in a container of the shape of X. None, NaN and -1 are steps without a label.
        sample_weight : array-like or None, default=None
            Weight of each sequence, or of each step.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, y or a parameter is not valid, or a sequence is not longer than the washout;
            the estimator is then as it was before.

        Warns
        -----
        scipy.linalg.LinAlgWarning
            If ``alpha=0`` and the features are linearly dependent; the condition number is
            named and the solution of least norm taken.
        """
        return self._fit(X, y, sample_weight, "fit")

    @available_if(ESNWithReadout._can_partial_fit)
    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Fit the readout to further rows beside all that came before, in `fit` too.

        With the ridge, any number of calls gives the same as one `fit` on all rows, to rounding.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like or None, default=None
            All labels that will come; needed in the first call.

        Returns
        -------
        self
        """
        if not self._goes_on() and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        known = getattr(self, "classes_", None) if self._goes_on() else None
        if (
            known is not None
            and classes is not None
            and not np.array_equal(np.unique(classes), known)
        ):
            raise ValueError(
                f"classes={classes!r} is not the same as on the last call to partial_fit, "
                f"{known.tolist()}."
            )
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which does not see all "
                "of y: compute the weights from all of it and give them as a dict."
            )
        return self._fit(X, y, sample_weight, "partial_fit", classes)

    def _fit(self, X: Any, y: Any, sample_weight: Any, method: str, classes: Any = None) -> Self:
        fresh = method == "fit" or not self._goes_on()
        data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        with self._all_or_nothing(), self._reported(data), one_blas_thread():
            sequences = self._read_training(X, fresh)
            weights = self._read_weights(sample_weight, sequences)
            codes, weights = self._read_labels(y, sequences, weights, classes, known=not fresh)
            if self.readout is None:
                self._learn(sequences, self._signs(codes), weights, fresh)
            elif method == "fit":
                self._learn_readout(sequences, codes, weights, method)
                self._check_all_learnt()
            else:
                every = np.arange(len(self.classes_))
                self._learn_readout(sequences, codes, weights, method, classes=every)
        return self

    def _signs(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 for the class and -1 for the others; one column for two classes."""
        if len(self.classes_) == 2:
            return np.where(codes[:, None] == 1, 1.0, -1.0)
        return np.where(codes[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)

    def _check_all_learnt(self) -> None:
        learnt = getattr(self.readout_, "classes_", np.arange(len(self.classes_)))
        missing = np.setdiff1d(np.arange(len(self.classes_)), learnt)
        if len(missing):
            raise ValueError(
                f"The class {self.classes_[missing[0]]!r} has no row with a positive weight after "
                "the washout."
            )

    def _check_mergeable(self, other: Any) -> None:
        super()._check_mergeable(other)
        if not np.array_equal(self.classes_, other.classes_):
            raise ValueError(
                f"The two have different classes, {self.classes_.tolist()} and "
                f"{other.classes_.tolist()}: name all in the first call of partial_fit."
            )

    @available_if(lambda self: self.readout is None or _readout_has("decision_function")(self))
    def decision_function(self, X: Any) -> NDArray[Any]:
        """What the readout says of each class; the largest is predicted.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,) or (n_sequences, n_classes)
            With two classes, one number that is positive for the second. With
            ``target="step"`` one row for each step, in the container of X.
        """
        check_is_fitted(self)
        if hasattr(self, "readout_"):
            sequences, values = self._from_readout(X, "decision_function")
        else:
            sequences, values = self._outputs(X)
            values = values[:, 0] if values.shape[1] == 1 else values
        return self._restore(sequences, values)

    @available_if(lambda self: self.readout is not None and _readout_has("predict_proba")(self))
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probability of each class, where the given `readout` has it.

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
        return self._restore(*self._from_readout(X, "predict_proba"))

    def predict(self, X: Any) -> NDArray[Any]:
        """Most likely class.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,)
            With ``target="step"``: ``(n_sequences, n_steps)``, ``(n_steps,)`` for one series,
            or an object array of them for ragged X.
        """
        check_is_fitted(self)
        if hasattr(self, "readout_"):
            sequences, codes = self._from_readout(X, "predict")
        else:
            sequences, values = self._outputs(X)
            codes = values[:, 0] > 0 if values.shape[1] == 1 else values.argmax(axis=1)
        return self._restore(sequences, self.classes_[codes.astype(np.int64)])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
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
            Steps in the washout, to which nothing was fitted, do not count.
        """
        return super().score(X, y, self._score_weights(X, sample_weight))
