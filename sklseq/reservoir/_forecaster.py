"""Echo state networks that predict how a series goes on, and run on their own output."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from sklseq._compat import fit_context
from sklseq.base import attribute, estimator, param, real
from sklseq.data import Sequences
from sklseq.nn.reservoir import final_states, free_run, input_weights
from sklseq.reservoir._base import _draw_seed
from sklseq.reservoir._exogenous import (
    first_steps,
    layout_of,
    read_exogenous,
    without_first,
    without_last,
)
from sklseq.reservoir._pooling import Block
from sklseq.reservoir._readout import ESNWithReadout
from sklseq.reservoir._states import StateFeatures
from sklseq.reservoir._sums import Source
from sklseq.reservoir._threads import one_blas_thread
from sklseq.training.context import resolve_device

__all__ = ["ESNForecaster"]

Array = NDArray[Any]


@estimator
class ESNForecaster(ESNWithReadout):
    """Forecast series by an echo state network that is fed back its own output.

    In training the true value of each step is fed back (teacher forcing) and a linear readout
    learns the next one by ridge regression. A forecast feeds back what the readout said, for as
    many steps as asked. Series may differ in length. Their values should be of the order of 1:
    `feedback_scaling` sets how far into their nonlinear range they drive the units. All is computed
    in float64.

    References
    ----------
    .. [1] Jaeger (2001). "The 'echo state' approach to analysing and training recurrent neural
       networks". GMD Report 148.
    .. [2] Jaeger and Haas (2004). "Harnessing nonlinearity: predicting chaotic systems and saving
       energy in wireless communication". Science 304.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.reservoir import ESNForecaster
    >>> X = np.sin(0.2 * np.arange(600))[:, None]
    >>> model = ESNForecaster(target="step", washout=50, alpha=1e-6, random_state=0).fit(X[:500])
    >>> forecast = model.forecast(100)
    >>> forecast.shape, bool(np.abs(forecast - X[500:]).max() < 0.01)
    ((100, 1), True)
    """

    feedback_scaling: Any = param(
        0.5,
        "Factor on the weights of the series that is fed back, one for all features or one for "
        "each. `input_scaling` is for exogenous inputs.",
        real(0),
        "array-like",
    )
    feedback_noise: float = param(
        0.0,
        "Standard deviation of the normal noise that is added in training to the values fed back; "
        "a little makes long forecasts more stable.",
        real(0),
    )

    _attributes = {
        "coef_": attribute(
            "ndarray of shape (n_features, n_columns)", "Coefficients of the ridge."
        ),
        "intercept_": attribute("ndarray of shape (n_features,)", "Its intercepts."),
        "n_exogenous_": attribute("int", "Number of exogenous inputs seen in `fit`."),
    }
    # A readout of the next step is often ill-conditioned and a forecast feeds its rounding back:
    # in float32 a series' forecast would depend on the others beside it.
    dtype: ClassVar[str] = "float64"  # type: ignore[misc]
    bidirectional: ClassVar[bool] = False  # type: ignore[misc]
    pooling: ClassVar[str] = "last"  # type: ignore[misc]
    n_slices: ClassVar[int] = 1  # type: ignore[misc]
    readout: ClassVar[None] = None  # type: ignore[misc]

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, exogenous: Any = None) -> Self:
        """Learn to predict each step of the series from those before.

        Parameters
        ----------
        X : sequences
            The series: ``(n_series, n_steps, n_features)`` array; list or object array of
            ``(n_steps, n_features)`` or ``(n_steps,)`` arrays; ``(n_series, n_steps)`` array;
            DataFrame with a (series, time) MultiIndex. With ``target="step"`` also
            ``(n_steps, n_features)``, one series.
        y : Ignored
            Not used, present for API consistency.
        exogenous : sequences or None, default=None
            What is known from outside, one row for each step of X, in a container like X's; row t
            helps to predict step t of X, so the first row is not used.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, `exogenous` or a parameter is not valid, or a series is not longer than the
            washout; the estimator is then as it was before.
        """
        data = {"X": X, "y": y, "metadata": {"exogenous": exogenous}}
        with self._all_or_nothing(), self._reported(data), one_blas_thread():
            resolve_device(self.device)
            series = self._read_steps(X, reset=True)
            self._layout = layout_of(X, series)
            outside = read_exogenous(exogenous, series.lengths, self._layout, self.dtype)
            self.n_exogenous_ = outside.shape[1]
            self._check_lengths(series.lengths)
            self._draw_layers(self.n_exogenous_)
            self._draw_feedback(series.steps.shape[1])
            drive, following = self._teacher(series, outside)
            self._end_states = self._final_states(drive, series.lengths - 1)
            self._end_values = series.steps[np.cumsum(series.lengths) - 1]
            if self.feedback_noise:
                drive[:, self.n_exogenous_ :] += self._noise(drive)
            ones = np.ones(len(drive))
            self._learn(Sequences(drive, series.lengths - 1), following, ones, fresh=True)
        return self

    def predict(self, X: Any, exogenous: Any = None) -> Array:
        """Predict one step ahead.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        exogenous : sequences or None, default=None
            One row for each step of X and one for the step after the last.

        Returns
        -------
        ndarray of shape (n_series, n_features) or (n_series,)
            The step after the last of each series; 1-D if there is one feature. With
            ``target="step"`` the step after each, in the container of X: row t is the prediction
            of step t + 1.
        """
        check_is_fitted(self)
        series = self._read_steps(X, reset=False)
        outside = self._known_exogenous(exogenous, series.lengths + 1, layout_of(X, series))
        following = outside[without_first(series.lengths + 1)]
        predicted = self._predicted(np.hstack([following, series.steps]), series.lengths)
        if self._per_step:
            return series.restore(predicted)
        last = predicted[np.cumsum(series.lengths) - 1]
        return last[:, 0] if last.shape[1] == 1 else last

    def forecast(self, n_steps: int, X: Any = None, exogenous: Any = None) -> Array:
        """Run on from the end of each series.

        Parameters
        ----------
        n_steps : int
            Steps to forecast, at least 1.
        X : sequences or None, default=None
            The series to go on from; None takes those of `fit`.
        exogenous : sequences or None, default=None
            One row for each step of X, if given, and then for each step to forecast.

        Returns
        -------
        ndarray of shape (n_series, n_steps, n_features)
            ``(n_steps, n_features)`` for one series; ``(n_series, n_steps)`` if X is such an array.

        Raises
        ------
        ValueError
            If X or `exogenous` is not valid.
        """
        check_is_fitted(self)
        if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
            raise ValueError(f"n_steps={n_steps!r}: it must be an int of at least 1.")
        if X is None:
            states, last, layout = self._end_states, self._end_values, self._layout
            n_known = np.zeros(len(last), dtype=np.int64)
            outside = self._known_exogenous(exogenous, n_known + n_steps, layout)
        else:
            series = self._read_steps(X, reset=False)
            layout, n_known = layout_of(X, series), series.lengths
            outside = self._known_exogenous(exogenous, n_known + n_steps, layout)
            known = first_steps(n_known + n_steps, n_known)
            drive, _ = self._teacher(series, outside[known])
            states = self._final_states(drive, series.lengths - 1)
            last, outside = series.steps[np.cumsum(series.lengths) - 1], outside[~known]
        inputs = outside.reshape(len(last), n_steps, self.n_exogenous_)
        with one_blas_thread():
            outputs = self._run_free(states, last, inputs)
        if layout == "series":
            return outputs[0]
        return outputs[:, :, 0] if layout == "table" else outputs

    def score(self, X: Any, y: Any = None, exogenous: Any = None) -> float:
        """Coefficient of determination of one-step predictions, after the washout.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : Ignored
            Not used, present for API consistency.
        exogenous : sequences or None, default=None
            One row for each step of X.

        Returns
        -------
        float
            Mean over features; 1 is perfect.
        """
        check_is_fitted(self)
        series = self._read_steps(X, reset=False)
        self._check_lengths(series.lengths)
        outside = self._known_exogenous(exogenous, series.lengths, layout_of(X, series))
        drive, following = self._teacher(series, outside)
        predicted = self._predicted(drive, series.lengths - 1)
        weights = self._without_washout(np.ones(len(drive)), Sequences(drive, series.lengths - 1))
        return r2_score(following, predicted, sample_weight=weights)

    # -- the network ------------------------------------------------------------------------

    def _draw_feedback(self, n_features: int) -> None:
        scaling = np.asarray(self.feedback_scaling, dtype=np.float64)
        if scaling.shape not in ((), (n_features,)) or not (scaling >= 0).all():
            raise ValueError(
                f"feedback_scaling={self.feedback_scaling!r}: it must be one number, or one for "
                f"each of the {n_features} features, at least 0."
            )
        # Generators of their own: exogenous inputs and noise do not change what is drawn.
        seed = _draw_seed(self.random_state)
        weights = input_weights(
            self.reservoir_size,
            n_features,
            scaling=scaling,
            distribution=self.input_distribution,
            seed=np.random.default_rng([seed, 2]),
        )
        self.layers_[0] = replace(self.layers_[0], feedback_weights=weights)
        self._noise_seed = seed

    def _noise(self, drive: Array) -> Array:
        rng = np.random.default_rng([self._noise_seed, 3])
        shape = len(drive), drive.shape[1] - self.n_exogenous_
        return rng.normal(scale=self.feedback_noise, size=shape).astype(drive.dtype)

    def _state_features(self) -> StateFeatures:
        """With the values fed back as inputs among others, after the exogenous ones."""
        run = super()._state_features()
        first = run.forward[0]
        inputs: Any = [first.input_weights, first.feedback_weights]
        inputs = (sp.hstack if sp.issparse(inputs[0]) else np.hstack)(inputs)
        first = replace(first, input_weights=inputs, feedback_weights=None)
        return replace(run, forward=[first, *run.forward[1:]])

    @property
    def _n_columns(self) -> int:
        return self._state_features().n_features

    def _source(self, X: Sequences) -> Source:
        run, lengths = self._state_features(), X.lengths[X.lengths > 0]
        return lambda consume: run.over_steps(X.steps, lengths, consume)

    def _without_washout(self, weights: Array, X: Sequences) -> Array:
        return weights * ~first_steps(X.lengths, np.minimum(self.washout, X.lengths))

    def _check_lengths(self, lengths: NDArray[np.int64]) -> None:
        short = np.flatnonzero(lengths < self.washout + 2)
        if len(short) == 0 or (self.washout == 0 and len(short) < len(lengths)):
            return  # a series of one step among longer ones has no next step to learn
        size = lengths[short[0]]
        if self.washout:
            raise ValueError(
                f"X, sequence {short[0]} has {size} steps, but washout={self.washout} needs at "
                f"least {self.washout + 2}."
            )
        raise ValueError(
            "Every series has one step (n_features = 1 of a table): there is no next step to learn "
            "from. For one series of many steps in a table set target='step'."
        )

    def _teacher(self, series: Sequences, outside: Array) -> tuple[Array, Array]:
        """What drives the network at each step but the last, and the step after it."""
        now, following = without_last(series.lengths), without_first(series.lengths)
        return np.hstack([outside[following], series.steps[now]]), series.steps[following]

    def _final_states(self, drive: Array, lengths: NDArray[np.int64]) -> Array:
        """States after the last step; zero for a series without one."""
        run = self._state_features()
        states = np.zeros((len(lengths), run.n_units), dtype=drive.dtype)
        some = lengths > 0
        if some.any():
            states[some] = final_states(run.forward, drive, lengths[some], n_jobs=self.n_jobs)
        return states

    def _predicted(self, drive: Array, lengths: NDArray[np.int64]) -> Array:
        """What the readout says after each step: (n_rows, n_features)."""
        coef, results = self.coef_.T, np.empty((len(drive), len(self.coef_)), dtype=drive.dtype)

        def write(blocks: Iterable[Block]) -> None:
            for rows, features in blocks:
                results[rows] = features @ coef + self.intercept_

        # Workers of another process would write to a copy.
        with one_blas_thread(), parallel_config(backend="threading"):
            self._source(Sequences(drive, lengths))(write)
        return results

    def _run_free(self, states: Array, last: Array, inputs: Array) -> Array:
        """Forecasts (n_series, n_steps, n_features) from these states and last values."""
        run, reservoirs = self._state_features(), super()._state_features()
        coef, t, y = self.coef_.T, 0, last

        def readout(x: Array) -> Array:
            nonlocal t, y
            y = run._beside(np.hstack([inputs[:, t], y]), x) @ coef + self.intercept_
            t += 1
            return y

        outputs, _ = free_run(reservoirs.forward, readout, states, last, inputs.shape[1], inputs)
        return outputs

    def _known_exogenous(self, exogenous: Any, lengths: NDArray[np.int64], layout: str) -> Array:
        outside = read_exogenous(exogenous, lengths, layout, self.dtype)
        if outside.shape[1] != self.n_exogenous_:
            raise ValueError(
                f"exogenous has {outside.shape[1]} inputs, but {type(self).__name__} was fitted "
                f"with {self.n_exogenous_}."
            )
        return outside
