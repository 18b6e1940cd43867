"""Regression of sequences and of steps."""

from typing import Any, Self

from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, estimator
from sklseq.base.targets import read_values, score_values
from sklseq.data import Sequences
from sklseq.reservoir._predictor import ESNPredictor
from sklseq.reservoir._readouts import RidgeReadout
from sklseq.reservoir._recurrent_equivalent import recurrent_equivalent

__all__ = ["ESNRegressor"]

Array = NDArray[Any]


@estimator
class ESNRegressor(RegressorMixin, ESNPredictor):
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
    >>> model = ESNRegressor(target="step", washout=10, random_state=0)
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

    _stored = {"_n_target_dims": "int", "_n_outputs": "int"}

    # The mixin's would not know steps.
    score = ESNPredictor.score
    _score = staticmethod(score_values)

    @available_if(ESNPredictor._can_partial_fit)
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

    def _read_targets(
        self, y: Any, X: Sequences, weights: Array, fresh: bool, classes: Any = None
    ) -> tuple[Array, Array]:
        values, weights, n_dims = read_values(y, self._target_rows(X), weights)
        if fresh:
            self._n_target_dims, self._n_outputs = n_dims, values.shape[1]
        elif values.shape[1] != self._n_outputs:
            raise ValueError(
                f"y has {values.shape[1]} outputs, but {type(self).__name__} was fitted on "
                f"{self._n_outputs}."
            )
        flat = self.readout is not None and self._n_target_dims == 1
        return values[:, 0] if flat else values, weights

    def _keep_ridge(self, ridge: RidgeReadout) -> None:
        super()._keep_ridge(ridge)
        assert ridge.sums is not None
        self.target_mean_, self.target_scale_ = ridge.sums.mean_and_scale()
        if self._n_target_dims == 1:
            self.coef_, self.intercept_ = ridge.coef[0], float(ridge.intercept[0])

    @available_if(lambda self: hasattr(self, "coef_"))
    def recurrent_equivalent(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The network of leaky units that computes the same, for training by gradient.

        Absent until `fit` with the ridge readout.

        Returns
        -------
        params : dict
            Keyword arguments of a `sklseq.recurrent.RecurrentRegressor`.
        state_dict : dict of str to Tensor
            The state of its module, for y centered by `target_mean_` and scaled by
            `target_scale_`.

        Raises
        ------
        ValueError
            Naming a parameter with which no such network computes the same.
        """
        return recurrent_equivalent(self)

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
        sequences, values = self._outputs(X)
        if self._n_target_dims == 1 and values.ndim == 2:
            values = values[:, 0]
        return self._restore(sequences, values)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
