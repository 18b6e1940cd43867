"""Methods of classifiers and regressors that take the context of sequences beside X.

Each estimator takes them in its body: a class that holds them would be one more in its MRO.
"""

from typing import Any, Self

from numpy.typing import NDArray

from sklseq._compat.sklearn import fit_context
from sklseq.base.targets import check_partial_classes
from sklseq.parts.context import read_known
from sklseq.parts.supervised import NeuralClassifier, NeuralRegressor

__all__ = ["CLASSIFIER_METHODS", "REGRESSOR_METHODS"]


class _Classifier(NeuralClassifier):
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        context: Any = None,
    ) -> Self:
        """Train for one more epoch on X and y.

        Parameters
        ----------
        X, y, sample_weight, context
            As in `fit`. The first call settles the symbols of X, so that later ones that are new
            count as unknown, and whether there is context.
        classes : array-like or None, default=None
            All labels that will come; needed in the first call. Where y has several labels for
            each target, the numbers of its columns.

        Returns
        -------
        self
        """
        check_partial_classes(classes, getattr(self, "classes_", None), self.class_weight)
        return self._fit(X, y, sample_weight, partial=True, context=context, classes=classes)

    def predict(self, X: Any, *, context: Any = None) -> NDArray[Any]:
        """Most probable class; of several labels those more probable than not.

        Parameters
        ----------
        X, context : as in `fit`

        Returns
        -------
        ndarray of shape (n_sequences,)
            With ``target="step"``: ``(n_sequences, n_steps)``, ``(n_steps,)`` for one series,
            or an object array of them for ragged X. Where y has several labels for each target, a
            last axis of zeros and ones is added, ``(n_sequences, n_classes)``.
        """
        data = read_known(self, X, context)
        return self._restore(data, self._labels(self._run("forward", data)))

    def predict_proba(self, X: Any, *, context: Any = None) -> NDArray[Any]:
        """Probability of each class.

        Parameters
        ----------
        X, context : as in `fit`

        Returns
        -------
        ndarray of shape (n_sequences, n_classes)
            With ``target="step"``: ``(n_sequences, n_steps, n_classes)``, ``(n_steps,
            n_classes)`` for one series, or an object array of them for ragged X. Where y has
            several labels for each target, they are independent of each other, and do not sum to
            one.
        """
        data = read_known(self, X, context)
        return self._restore(data, self._probabilities(self._run("forward", data)))

    def predict_log_proba(self, X: Any, *, context: Any = None) -> NDArray[Any]:
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X, context : as in `fit`

        Returns
        -------
        ndarray of shape (n_sequences, n_classes)
            Or in the container that `predict_proba` gives.
        """
        data = read_known(self, X, context)
        return self._restore(data, self._log_probabilities(self._run("forward", data)))

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, context: Any = None) -> float:
        """Mean accuracy of `predict`; over all labeled steps, if these are rows.

        Of several labels for each target, all that are known must be right (subset accuracy).

        Parameters
        ----------
        X : as in `fit`
        y : array-like
            True labels, as in `fit`.
        sample_weight : array-like or None, default=None
        context : as in `fit`

        Returns
        -------
        float
        """
        return self._scored(X, y, sample_weight, context)


class _Regressor(NeuralRegressor):
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, context: Any = None
    ) -> Self:
        """Train for one more epoch on X and y.

        Parameters
        ----------
        X, y, sample_weight, context
            As in `fit`. The first call settles the scale of y and of the context, and the symbols
            of X.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, partial=True, context=context)

    def predict(self, X: Any, return_std: bool = False, *, context: Any = None) -> Any:
        """Predicted values.

        Parameters
        ----------
        X, context : as in `fit`
        return_std : bool, default=False
            Whether to give the standard deviation of each prediction, too, with ``loss="gaussian"``
            and ``"student_t"``.

        Returns
        -------
        ndarray of shape (n_sequences,) or (n_sequences, n_outputs)
            With ``target="step"``: ``(n_sequences, n_steps)`` or ``(n_sequences, n_steps,
            n_outputs)``, without the first axis for one series, or an object array of them for
            ragged X. Of several levels of `quantile` there is a last axis of them. With
            `return_std` a tuple of two such arrays.
        """
        return self._given(read_known(self, X, context), return_std)

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, context: Any = None) -> float:
        """Coefficient of determination of `predict`; over all rows that have a target.

        Parameters
        ----------
        X : as in `fit`
        y : array-like
            True values, as in `fit`.
        sample_weight : array-like or None, default=None
        context : as in `fit`

        Returns
        -------
        float
        """
        return self._scored(X, y, sample_weight, context)


CLASSIFIER_METHODS: tuple[Any, ...] = (
    _Classifier.partial_fit,
    _Classifier.predict,
    _Classifier.predict_proba,
    _Classifier.predict_log_proba,
    _Classifier.score,
)
REGRESSOR_METHODS: tuple[Any, ...] = (
    _Regressor.partial_fit,
    _Regressor.predict,
    _Regressor.score,
)
