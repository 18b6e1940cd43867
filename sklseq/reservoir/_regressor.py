"""Regression of sequences and of steps."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, estimator
from sklseq.reservoir._legacy_targets import SequenceRegressorMixin
from sklseq.reservoir._readout import ESNWithReadout
from sklseq.reservoir._threads import one_blas_thread

__all__ = ["ESNRegressor"]


@estimator
class ESNRegressor(SequenceRegressorMixin, ESNWithReadout):
    """Predict real values of sequences, or of their steps, by an echo state network.

    A recurrent network with random weights that are never trained, the reservoir, is driven by
    a sequence: ``x(t) = (1 - a) x(t-1) + a f(W x(t-1) + W_in u(t) + b)`` with leak rate a.
    Ridge regression reads the targets out of its states. Fitting accumulates sums of products:
    no array of all states is made, whatever the number of steps.

    References
    ----------
    .. [1] Jaeger (2001). "The 'echo state' approach to analysing and training recurrent neural
       networks". GMD Report 148.
    .. [2] Jaeger et al. (2007). "Optimization and applications of echo state networks with
       leaky-integrator neurons". Neural Networks 20, eq. (1).
    .. [3] Ceni and Gallicchio (2024). "Edge of stability echo state network". IEEE TNNLS,
       for `rotation`.
    .. [4] Gallicchio, Micheli and Pedrelli (2017). "Deep reservoir computing: a critical
       experimental analysis". Neurocomputing 268, for `num_layers`.

    Examples
    --------
    The input two steps ago, one target for each step:

    >>> import numpy as np
    >>> from sklseq.reservoir import ESNRegressor
    >>> X = np.random.default_rng(0).uniform(size=(300, 1))
    >>> y = np.roll(X[:, 0], 2)
    >>> model = ESNRegressor(target="step", washout=10, alpha=1e-8, random_state=0)
    >>> bool(model.fit(X[:200], y[:200]).score(X, y) > 0.99)
    True
    """

    _attributes = {
        "coef_": attribute(
            "ndarray of shape (n_outputs, n_columns) or (n_columns,)",
            "Coefficients of the ridge: for the features of a step, or for those of all slices.",
        ),
        "intercept_": attribute("ndarray of shape (n_outputs,) or float", "Its intercepts."),
        "target_mean_": attribute(
            "ndarray of shape (n_outputs,)", "Mean of y; with the ridge readout."
        ),
        "target_scale_": attribute("ndarray of shape (n_outputs,)", "Its standard deviation."),
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
            ``(n_sequences,)`` or ``(n_sequences, n_outputs)``; with ``target="step"`` one value
            (or n_outputs) for each step, in a container of the shape of X. NaN is a step
            without a target.
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
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the readout to further rows beside all that came before, in `fit` too.

        With the ridge, any number of calls gives the same as one `fit` on all rows, to rounding.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, "partial_fit")

    def _fit(self, X: Any, y: Any, sample_weight: Any, method: str) -> Self:
        fresh = method == "fit" or not self._goes_on()
        data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        with self._all_or_nothing(), self._reported(data), one_blas_thread():
            sequences = self._read_training(X, fresh)
            row_weights = self._read_weights(sample_weight, sequences)
            n_dims = getattr(self, "_n_target_dims", None)
            values, weights = self._read_values(y, sequences, row_weights)
            if not fresh:
                self._check_outputs(values.shape[1])
                self._n_target_dims = n_dims
            if self.readout is None:
                self._learn(sequences, values, weights, fresh)
            else:
                flat = values[:, 0] if self._n_target_dims == 1 else values
                self._learn_readout(sequences, flat, weights, method)
            self._n_outputs = values.shape[1]
        return self

    def _check_outputs(self, n_outputs: int) -> None:
        if n_outputs != self._n_outputs:
            raise ValueError(
                f"y has {n_outputs} outputs, but {type(self).__name__} was fitted on "
                f"{self._n_outputs}."
            )

    def _set_coefficients(self, coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> None:
        self.target_mean_, self.target_scale_ = self._sums.mean_and_scale()
        if self._n_target_dims == 1:
            self.coef_, self.intercept_ = coef[0], float(intercept[0])
        else:
            super()._set_coefficients(coef, intercept)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predicted values.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences,) or (n_sequences, n_outputs)
            With ``target="step"``: ``(n_sequences, n_steps)`` or ``(n_sequences, n_steps,
            n_outputs)``, without the first axis for one series, or an object array of them for
            ragged X. Steps in the washout are predicted too.
        """
        if hasattr(self, "readout_"):
            sequences, values = self._from_readout(X, "predict")
        else:
            sequences, values = self._outputs(X)
            values = values[:, 0] if self._n_target_dims == 1 else values
        return self._restore(sequences, values)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
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
            Steps in the washout, to which nothing was fitted, do not count.
        """
        return super().score(X, y, self._score_weights(X, sample_weight))
