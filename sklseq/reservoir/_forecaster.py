"""Echo state networks that predict how a series goes on, and run on their own output."""

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, estimator, other_default, param, real, same
from sklseq.base.exogenous import (
    check_exogenous_names,
    first_steps,
    forecast_layout,
    names_of,
    read_exogenous,
    without_first,
)
from sklseq.base.hints import refuse_exogenous_as_y
from sklseq.base.index import check_index
from sklseq.base.randomness import draw_seed
from sklseq.data import Sequences
from sklseq.nn.reservoir import input_weights
from sklseq.reservoir._base import BaseESN
from sklseq.reservoir._feedback import OutputFeedback, teacher_forcing
from sklseq.reservoir._layers import checked_scaling
from sklseq.reservoir._predictor import ESNPredictor
from sklseq.reservoir._readouts import RidgeReadout
from sklseq.reservoir._scale import StepScale
from sklseq.reservoir._shared_work import shared_slot
from sklseq.reservoir._threads import one_blas_thread
from sklseq.training.placement import resolve_device

__all__ = ["ESNForecaster"]

Array = NDArray[Any]


@estimator
class ESNForecaster(BaseESN):
    """Forecast series by an echo state network that is fed back its own output.

    In training the true value of each step is fed back (teacher forcing) and a linear readout
    learns the next one by ridge regression. A forecast feeds back what the readout said, for as
    many steps as asked. Series may differ in length. `feedback_scaling` sets how far into
    their nonlinear range they drive the units. All is computed in float64.

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

    standardize: bool = param(
        True,
        "Whether the series and exogenous inputs are centered and scaled to unit variance inside, "
        "by the mean and deviation of each feature over the steps of `fit`. Results are in the "
        "units of the series; `feedback_scaling` and `feedback_noise` then count in deviations.",
        "boolean",
    )
    feedback_scaling: Any = param(
        0.25,
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
    alpha: Any = same(ESNPredictor, "alpha")
    # The error of one step grows in a forecast of many: what digits there are count.
    solver: str = other_default(ESNPredictor, "solver", "qr")

    _attributes = {
        "coef_": attribute(
            "ndarray of shape (n_features, n_columns)", "Coefficients of the ridge."
        ),
        "alpha_": attribute("float", "The ridge penalty used."),
        "intercept_": attribute("ndarray of shape (n_features,)", "Its intercepts."),
        "n_exogenous_": attribute("int", "Number of exogenous inputs seen in `fit`."),
    }

    if TYPE_CHECKING:  # not an annotation at run time: it would become a parameter
        _learned: RidgeReadout

    _stored = {
        "_layout": "str",
        "_exogenous_names": "data",
        "_end_states": "ndarray of shape (n_series, n_states)",
        "_end_values": "ndarray of shape (n_series, n_features)",
        "_noise_seed": "int",
        "_n_noisy": "int",
        "_learned": RidgeReadout,
        "_scale": StepScale,
        "_exogenous_scale": StepScale,
    }

    def _n_inputs(self, state: dict[str, Any]) -> int:
        return int(state["n_exogenous_"])

    def _check_learned(self) -> None:
        super()._check_learned()
        n_states = sum(layer.units for layer in self.layers_)
        feedback = self.layers_[0].feedback_weights
        widths = {self.coef_.shape[0], self._end_values.shape[1], self._n_step_features}
        if feedback is None or widths != {feedback.shape[1]}:
            raise ValueError("its feedback does not fit its outputs.")
        if self._end_states.shape[1] != n_states or self.coef_.shape != self._learned.coef.shape:
            raise ValueError("its states do not fit its reservoir.")

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, exogenous: Any = None) -> Self:
        """Learn to predict each step of the series from those before.

        Parameters
        ----------
        X : sequences
            {{X: sequences}} {{X: one series}}
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
        refuse_exogenous_as_y(y, type(self).__name__)
        return self._fit(X, exogenous, fresh=True)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, exogenous: Any = None) -> Self:
        """Learn from further series beside all that came before.

        Any number of calls gives the readout of one `fit` on all series, to rounding.
        ``forecast(n_steps)`` then goes on from the series of the last call.

        Parameters
        ----------
        X, y, exogenous
            As in `fit`.

        Returns
        -------
        self
        """
        refuse_exogenous_as_y(y, type(self).__name__)
        return self._fit(X, exogenous, fresh=not self.__sklearn_is_fitted__())

    def _fit(self, X: Any, exogenous: Any, fresh: bool) -> Self:
        with self._fitting(X, exogenous=exogenous), one_blas_thread():
            check_index(X, True, exogenous=exogenous)
            resolve_device(self.device)
            series = self._read_steps(X, reset=fresh)
            self._layout = forecast_layout(X, series)
            if fresh:
                found = read_exogenous(exogenous, series.lengths, self._layout, self.dtype)
                outside, self._exogenous_names = found.steps, names_of(found)
                self.n_exogenous_ = outside.shape[1]
                self._scale = StepScale.of(series.steps, self.standardize)
                self._exogenous_scale = StepScale.of(outside, self.standardize)
                outside = self._exogenous_scale.apply(outside)
                self._draw_layers(self.n_exogenous_)
                self._draw_feedback(series.steps.shape[1])
            else:
                outside = self._known_exogenous(exogenous, series.lengths, self._layout)
            series = series.with_steps(self._scale.apply(series.steps))
            self._check_lengths(series.lengths)
            lengths, feedback = series.lengths - 1, self._feedback()
            drive, following = teacher_forcing(series, outside)
            self._end_states = feedback.final_states(drive, lengths)
            self._end_values = series.steps[np.cumsum(series.lengths) - 1]
            if self.feedback_noise:
                drive[:, self.n_exogenous_ :] += self._noise(drive)
            ridge = RidgeReadout(self.alpha, self.solver, None if fresh else self._learned.sums)
            data = drive, lengths, following, ridge.by_gcv
            known = shared_slot(self, "sums", data) if fresh else None
            source = feedback.forced(drive, lengths, training=True)
            self._learned = ridge.fit(source, following, self._after_washout(lengths), known)
            self.coef_, self.intercept_, self.alpha_ = ridge.coef, ridge.intercept, ridge.alpha_
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
        series, outside = self._read_known(X, exogenous, beyond=1)
        following = outside[without_first(series.lengths + 1)]
        predicted = self._predicted(np.hstack([following, series.steps]), series.lengths)
        predicted = self._scale.undo(predicted)
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

        Warns
        -----
        UserWarning
            If a forecast leaves the range of the training series by ten standard deviations.
        """
        check_is_fitted(self)
        if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
            raise ValueError(f"n_steps={n_steps!r}: it must be an int of at least 1.")
        if X is None:
            states, last, layout = self._end_states, self._end_values, self._layout
            outside = self._known_exogenous(exogenous, np.full(len(last), n_steps), layout)
        else:
            series, outside = self._read_known(X, exogenous, beyond=n_steps)
            layout, n_known = forecast_layout(X, series), series.lengths
            known = first_steps(n_known + n_steps, n_known)
            drive, _ = teacher_forcing(series, outside[known])
            states = self._feedback().final_states(drive, series.lengths - 1)
            last, outside = series.steps[np.cumsum(series.lengths) - 1], outside[~known]
        inputs = outside.reshape(len(last), n_steps, self.n_exogenous_)
        with one_blas_thread():
            outputs = self._feedback().free(self._learned.product, states, last, inputs)
        outputs = self._scale.undo(outputs)
        self._warn_unstable(outputs)
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
        refuse_exogenous_as_y(y, type(self).__name__)
        check_index(X, True, exogenous=exogenous)
        series, outside = self._read_known(X, exogenous)
        self._check_lengths(series.lengths)
        drive, following = teacher_forcing(series, outside)
        predicted = self._predicted(drive, series.lengths - 1)
        return r2_score(following, predicted, sample_weight=self._after_washout(series.lengths - 1))

    def _feedback(self) -> OutputFeedback:
        return OutputFeedback.of(self._state_features())

    def _draw_feedback(self, n_features: int) -> None:
        scaling = checked_scaling("feedback_scaling", self.feedback_scaling, n_features)
        # Generators of their own: exogenous inputs and noise do not change what is drawn.
        seed = draw_seed(self.random_state)
        weights = input_weights(
            self.reservoir_size,
            n_features,
            scaling=scaling,
            distribution=self.input_distribution,
            seed=np.random.default_rng([seed, 2]),
        )
        self.layers_[0] = replace(self.layers_[0], feedback_weights=weights)
        self._noise_seed, self._n_noisy = seed, 0

    def _noise(self, drive: Array) -> Array:
        rng = np.random.default_rng([self._noise_seed, 3, self._n_noisy])
        self._n_noisy += len(drive)
        return rng.normal(
            scale=self.feedback_noise, size=(len(drive), drive.shape[1] - self.n_exogenous_)
        )

    def _predicted(self, drive: Array, lengths: NDArray[np.int64]) -> Array:
        """One-step predictions after each step: (n_rows, n_features)."""
        with one_blas_thread():
            source = self._feedback().forced(drive, lengths)
            return source.table(self._learned.predict, len(self.coef_))

    def _warn_unstable(self, outputs: Array) -> None:
        for i, step, feature in self._scale.leaving(outputs, 10)[:1]:
            warnings.warn(
                f"The forecast of series {i} leaves the range of the training series by ten "
                f"standard deviations, first at step {step}, feature {feature}: the network is not "
                "stable on its own output. Raise alpha or feedback_noise, or lower spectral_radius "
                "or feedback_scaling.",
                stacklevel=3,
            )

    # -- checks ----------------------------------------------------------------------------

    def _after_washout(self, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 for steps after the washout, 0 for those in it."""
        return (~first_steps(lengths, np.minimum(self.washout, lengths))).astype(np.float64)

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
            "Every series has one step (n_samples = 1 of one series, n_features = 1 of a table): "
            "there is no next step to learn from. For one series of many steps in a table set "
            "target='step'."
        )

    def _read_known(self, X: Any, exogenous: Any, beyond: int = 0) -> tuple[Sequences, Array]:
        """Series as read, and what is known from outside, for some steps beyond their end too."""
        series = self._read_steps(X, reset=False)
        layout = forecast_layout(X, series)
        series = series.with_steps(self._scale.apply(series.steps))
        return series, self._known_exogenous(exogenous, series.lengths + beyond, layout)

    def _known_exogenous(self, exogenous: Any, lengths: NDArray[np.int64], layout: str) -> Array:
        found = read_exogenous(exogenous, lengths, layout, self.dtype)
        if (n_inputs := found.steps.shape[1]) != self.n_exogenous_:
            raise ValueError(
                f"exogenous has {n_inputs} inputs, but {type(self).__name__} was fitted with "
                f"{self.n_exogenous_}."
            )
        check_exogenous_names(found, self._exogenous_names)
        return self._exogenous_scale.apply(found.steps)
