"""Echo state networks that predict how a series goes on, and run on their own output."""

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, estimator, other_default, param, real, same
from sklseq.base.exogenous import first_steps
from sklseq.base.hints import refuse_exogenous_as_y
from sklseq.base.randomness import draw_seed
from sklseq.data import Sequences
from sklseq.nn.reservoir import input_weights
from sklseq.parts.forecasting.forecaster import Disturbance, Forecaster
from sklseq.parts.forecasting.series import ModelState, Series
from sklseq.reservoir._base import BaseESN
from sklseq.reservoir._feedback import OutputFeedback, teacher_forcing
from sklseq.reservoir._layers import checked_scaling
from sklseq.reservoir._predictor import ESNPredictor
from sklseq.reservoir._readouts import RidgeReadout
from sklseq.reservoir._scale import StepRange
from sklseq.reservoir._shared_work import shared_slot
from sklseq.reservoir._threads import one_blas_thread
from sklseq.training.placement import resolve_device

__all__ = ["ESNForecaster"]

Array = NDArray[Any]


@estimator
class ESNForecaster(Forecaster, BaseESN):
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

    feedback_scaling: Any = param(
        0.25,
        "Factor on the weights of the series that is fed back, one for all features or one for "
        "each; the network sees values as `scaling` leaves them. `input_scaling` is for exogenous "
        "inputs.",
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
    }

    if TYPE_CHECKING:  # not an annotation at run time: it would become a parameter
        _learned: RidgeReadout

    _stored = {
        "_noise_seed": "int",
        "_n_noisy": "int",
        "_learned": RidgeReadout,
        "_range": StepRange,
    }

    def _n_inputs(self, state: dict[str, Any]) -> int:
        return int(state["n_exogenous_"])

    def _check_learned(self) -> None:
        super()._check_learned()
        feedback, state = self.layers_[0].feedback_weights, self._memory.state
        if feedback is None or {self.coef_.shape[0], self._n_step_features} != {feedback.shape[1]}:
            raise ValueError("its feedback does not fit its outputs.")
        n_states = sum(layer.units for layer in self.layers_)
        shapes = {
            "states": (len(self._memory), n_states),
            "last": (len(self._memory), len(self.coef_)),
        }
        if {name: np.shape(values) for name, values in state.items()} != shapes:
            raise ValueError("its states do not fit its reservoir.")
        if self.coef_.shape != self._learned.coef.shape:
            raise ValueError("its coefficients are not those of its readout.")

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
        return self._fit_series(X, exogenous, None, fresh=not self.__sklearn_is_fitted__())

    # -- the model -------------------------------------------------------------------------

    def _read_numbers(self, X: Any, reset: bool) -> Sequences:
        return self._read_steps(X, reset)

    def _train(self, series: Series, fresh: bool) -> None:
        resolve_device(self.device)
        self._check_washout(series.lengths)
        if fresh:
            self._draw_layers(self.n_exogenous_)
            self._draw_feedback(series.steps.shape[1])
            self._range = StepRange.of(series.steps)
        drive, lengths = teacher_forcing(series)
        following = series.steps[~first_steps(series.lengths, 1)]
        if self.feedback_noise:
            drive[:, self.n_exogenous_ :] += self._noise(drive)
        ridge = RidgeReadout(self.alpha, self.solver, None if fresh else self._learned.sums)
        data = drive, lengths, following, ridge.by_gcv
        known = shared_slot(self, "sums", data) if fresh else None
        with one_blas_thread():
            source = self._feedback().forced(drive, lengths)
            self._learned = ridge.fit(source, following, self._counted(series.lengths), known)
        self.coef_, self.intercept_, self.alpha_ = ridge.coef, ridge.intercept, ridge.alpha_

    def _advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        start, last = (None, None) if state is None else (state["states"], state["last"])
        drive, lengths = teacher_forcing(series, last)
        with one_blas_thread():
            states, predicted = self._feedback().advanced(
                drive, lengths, start, self._learned.predict, len(self.coef_)
            )
        return {"states": states, "last": series.last}, predicted

    def _run_free(
        self, state: ModelState, n_steps: int, exogenous: Array, disturb: Disturbance | None = None
    ) -> Array:
        def readout(step: int, features: Array) -> Array:
            values = self._learned.product(features)
            return values if disturb is None else disturb(step, values)

        if n_steps == 1 and disturb is None:  # as any step that is predicted, to the last bit
            one = Series(
                state["last"], np.ones(len(state["last"]), dtype=np.int64), exogenous[:, 0]
            )
            return self._advance(state, one)[1][:, None]
        with one_blas_thread():
            found = self._feedback().free(readout, state["states"], state["last"], exogenous)
        self._warn_unstable(found)
        return found

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

    def _warn_unstable(self, outputs: Array) -> None:
        for i, step, feature in self._range.leaving(outputs, 10)[:1]:
            warnings.warn(
                f"The forecast of series {i} leaves the range of the training series by ten "
                f"standard deviations, first at step {step}, feature {feature}: the network is not "
                "stable on its own output. Raise alpha or feedback_noise, or lower spectral_radius "
                "or feedback_scaling.",
                stacklevel=3,
            )

    def _counted(self, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 for steps after the washout, 0 for those in it, of all but the first of each series."""
        self._check_washout(lengths)
        left = lengths - 1
        return (~first_steps(left, np.minimum(self.washout, left))).astype(np.float64)

    def _check_washout(self, lengths: NDArray[np.int64]) -> None:
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
