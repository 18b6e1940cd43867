"""The one interface of forecasters."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, other_default, param
from sklseq.base.hints import refuse_exogenous_as_y
from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Sequences
from sklseq.parts.forecasting.intervals import RollingOrigins, half_widths
from sklseq.parts.forecasting.memory import SeriesMemory
from sklseq.parts.forecasting.reading import Origin, read_series
from sklseq.parts.forecasting.rolling import followed, last_steps, one_step_ahead, origin_of
from sklseq.parts.forecasting.series import ModelState, Series
from sklseq.parts.forecasting.timeline import Timeline
from sklseq.parts.forecasting.training import begin, complete
from sklseq.parts.forecasting.transform import Scale
from sklseq.parts.forecasting.view import View

__all__ = ["Disturbance", "Forecaster"]

Array = NDArray[Any]
Disturbance = Callable[[int, Array], Array]


@estimator
class Forecaster(SequenceEstimator):
    """Forecasts of one series or many, by a model of what follows."""

    # A 2-D X is one series of steps.
    target: str = other_default(SequenceEstimator, "target", "step")
    season_length: Any = param(
        "auto",
        "Steps in a season, such as 12 of monthly values. 'auto' takes it from the frequency of "
        "the index, if X is a DataFrame of dates, and 1 elsewhere.",
        integer(1),
        choice("auto"),
    )
    differences: int = param(
        0,
        "How often differences of successive steps are taken before the model sees a series; they "
        "are undone in its forecasts. For series with a trend.",
        integer(0),
    )
    seasonal_differences: int = param(
        0, "How often differences of steps `season_length` apart are taken.", integer(0)
    )
    scaling: str | None = param(
        "auto",
        "Mean and deviation by which the model sees values: those of each 'series', of 'all' steps "
        "of `fit`, or None for the values as they are. 'auto' takes 'all' for one series and "
        "'series' for many. Exogenous inputs are scaled too. Forecasts are in the units of X.",
        choice("auto", "series", "all"),
        None,
    )
    calibration_steps: int | None = param(
        None,
        "Last steps of each series that are held out of training, for `forecast_interval`: "
        "forecasts are made before each of them, and compared with what came. Later steps, by "
        "`update`, take their place.",
        integer(1),
        None,
    )

    _attributes = {
        "n_features_in_": attribute("int", "Number of features seen in `fit`."),
        "feature_names_in_": attribute(
            "ndarray of shape (`n_features_in_`,)", "Column names, where X was a DataFrame."
        ),
        "n_exogenous_": attribute("int", "Number of exogenous inputs seen in `fit`."),
        "season_length_": attribute("int", "Steps in a season."),
    }
    _stored: ClassVar[dict[str, Any]] = {
        "_n_step_features": "int",
        "_layout": "str",
        "_exogenous_names": "data",
        "_timeline": Timeline,
        "_view": View,
        "_exogenous_scale": Scale,
        "_memory": SeriesMemory,
        "_origins": (RollingOrigins, None),
        "_step_errors": "ndarray of shape (n_errors, n_outputs)",
    }
    _takes_context: ClassVar[bool] = False

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        _memory: SeriesMemory
        _origins: RollingOrigins | None
        _timeline: Timeline
        _view: View
        _step_errors: Array

    # -- what a forecaster is made of ------------------------------------------------------

    @abstractmethod
    def _train(self, series: Series, fresh: bool) -> None:
        """Learn from series; all but the first fit of `partial_fit` keep what was learned."""

    @abstractmethod
    def _advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        """Read further steps of each series, or from None on the first ones.

        Returns the state after them, and the predictions of these steps, each one step ahead:
        stacked, without state of all but the first step of each series.
        """

    @abstractmethod
    def _run_free(
        self, state: ModelState, n_steps: int, exogenous: Array, disturb: Disturbance | None = None
    ) -> Array:
        """Forecasts ``(n_series, n_steps, n_features)`` from a state on.

        ``disturb(step, values)`` replaces the values of a step ``(n_series, n_features)`` before
        they are fed back.
        """

    # -- fitting ---------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, exogenous: Any = None, context: Any = None) -> Self:
        """Learn to predict each step of the series from those before.

        Parameters
        ----------
        X : sequences
            {{X: sequences}} {{X: one series}} A pandas Series is one, too.
        y : Ignored
            Not used, present for API consistency.
        exogenous : sequences or None, default=None
            What is known from outside, one row for each step of X, in a container like X's; row t
            helps to predict step t of X.
        context : array-like of shape (n_series, n_context) or None, default=None
            What is known of each series as a whole, where the forecaster takes it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, `exogenous` or a parameter is not valid, an index of times has gaps, or a series
            is too short; the estimator is then as it was before.
        """
        refuse_exogenous_as_y(y, type(self).__name__)
        return self._fit_series(X, exogenous, context, fresh=True)

    def _fit_series(self, X: Any, exogenous: Any, context: Any, fresh: bool) -> Self:
        with self._fitting(X, exogenous=exogenous):
            training = begin(self, X, exogenous, context, fresh)
            self._train(training.series, fresh)
            complete(self, training)
        return self

    def update(self, X: Any, exogenous: Any = None) -> Self:
        """Go on to the end of further steps of the series, without training.

        Parameters
        ----------
        X : sequences
            Steps that follow those of `fit`, or of the last update, of all series in their order.
        exogenous : sequences or None, default=None
            One row for each step of X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X does not follow, or is not valid; nothing is changed then.
        """
        check_is_fitted(self)
        self._memory, self._origins, self._timeline = followed(self, X, exogenous)
        return self

    # -- forecasting -----------------------------------------------------------------------

    def forecast(
        self, n_steps: int, X: Any = None, exogenous: Any = None, context: Any = None
    ) -> Any:
        """Run on from the end of each series.

        Parameters
        ----------
        n_steps : int
            Steps to forecast, at least 1.
        X : sequences or None, default=None
            The series to go on from; None takes those of `fit`, and `update`.
        exogenous : sequences or None, default=None
            One row for each step of X, if given, and then for each step to forecast.
        context : array-like of shape (n_series, n_context) or None, default=None
            That of the series of X.

        Returns
        -------
        ndarray of shape (n_series, n_steps, n_features)
            ``(n_steps, n_features)`` for one series; ``(n_series, n_steps)`` if X is such an array.
            A DataFrame whose index goes on from that of X, where X is one.

        Raises
        ------
        ValueError
            If X or `exogenous` is not valid.
        """
        origin = origin_of(self, n_steps, X, exogenous, context)
        return origin.restore(self._forecast_from(origin.memory, n_steps, origin.ahead))

    def forecast_interval(
        self,
        n_steps: int,
        X: Any = None,
        exogenous: Any = None,
        context: Any = None,
        *,
        coverage: float = 0.9,
    ) -> tuple[Any, Any]:
        """Intervals around the forecasts, each of which holds what comes with a probability.

        They are as wide as the errors of forecasts of the same number of steps ahead were, which
        were made before steps that the model was not trained on (split conformal prediction). Of
        many series the errors of all count, each relative to how much the series changes.

        Parameters
        ----------
        n_steps, X, exogenous, context
            As of `forecast`.
        coverage : float, default=0.9
            The probability, for each step of its own.

        Returns
        -------
        lower, upper : containers as of `forecast`

        Raises
        ------
        ValueError
            If there are too few errors for this coverage: see `calibration_steps`.
        """
        origin = origin_of(self, n_steps, X, exogenous, context)
        widths = half_widths(self._origins, self._memory.spread, n_steps, coverage)
        center = self._forecast_from(origin.memory, n_steps, origin.ahead)
        half = widths * origin.memory.spread[:, None]
        return origin.restore(center - half), origin.restore(center + half)

    def sample_paths(
        self,
        n_steps: int,
        n_samples: int = 100,
        X: Any = None,
        exogenous: Any = None,
        context: Any = None,
        *,
        random_state: Any = None,
    ) -> Array:
        """Paths that the series may take: to each step a random error of training is added.

        Parameters
        ----------
        n_steps, X, exogenous, context
            As of `forecast`.
        n_samples : int, default=100
            Paths of each series.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        ndarray of shape (n_samples, n_series, n_steps, n_features)
            Without the second axis for one series, and without the last for a table of series.
        """
        origin = origin_of(self, n_steps, X, exogenous, context)
        paths = self._paths(origin, n_steps, n_samples, random_state)
        if origin.layout == "series":
            return paths[:, 0]
        return paths[..., 0] if origin.layout == "table" else paths

    def forecast_quantiles(
        self,
        n_steps: int,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        X: Any = None,
        exogenous: Any = None,
        context: Any = None,
        *,
        n_samples: int = 400,
        random_state: Any = None,
    ) -> tuple[Any, ...]:
        """Quantiles of the values of each step, over sampled paths.

        Parameters
        ----------
        n_steps, X, exogenous, context, n_samples, random_state
            As of `sample_paths`.
        quantiles : sequence of float, default=(0.1, 0.5, 0.9)
            Probabilities, between 0 and 1.

        Returns
        -------
        tuple of containers as of `forecast`
            One for each of `quantiles`.
        """
        if not all(0 <= q <= 1 for q in quantiles):
            raise ValueError(f"quantiles={quantiles!r}: they must be between 0 and 1.")
        origin = origin_of(self, n_steps, X, exogenous, context)
        found = self._quantiles(origin, n_steps, quantiles, n_samples, random_state)
        return tuple(origin.restore(each) for each in found)

    def predict(self, X: Any, exogenous: Any = None, context: Any = None) -> Any:
        """Predict one step ahead.

        Parameters
        ----------
        X, context
            As in `fit`.
        exogenous : sequences or None, default=None
            One row for each step of X and one for the step after the last.

        Returns
        -------
        ndarray of the container of X
            Row t is the prediction of step t + 1, made at the end of step t; NaN for first steps
            that have no difference. With ``target="sequence"`` the step after the last of each
            series alone, ``(n_series, n_features)``, or ``(n_series,)`` of one feature.
        """
        check_is_fitted(self)
        read = read_series(self, X, exogenous, context, beyond=1)
        predicted = one_step_ahead(self, read)
        if self._per_step:
            return read.sequences.restore(predicted)
        last = predicted[np.cumsum(read.series.lengths) - 1]
        return last[:, 0] if last.shape[1] == 1 else last

    def score(self, X: Any, y: Any = None, exogenous: Any = None, context: Any = None) -> float:
        """Coefficient of determination of one-step predictions.

        Parameters
        ----------
        X, y, exogenous, context
            As in `fit`.

        Returns
        -------
        float
            Mean over features; 1 is perfect.
        """
        check_is_fitted(self)
        refuse_exogenous_as_y(y, type(self).__name__)
        read = read_series(self, X, exogenous, context)
        came, predicted, lengths = last_steps(self, read)
        return float(r2_score(came, predicted, sample_weight=self._counted(lengths)))

    def _read_numbers(self, X: Any, reset: bool) -> Sequences:
        """X as numbers; a fresh fit learns what it looks like."""
        sequences = self._read_X(X, reset=reset)
        if sequences.symbolic:
            raise ValueError(
                f"X holds symbols, but {type(self).__name__} takes numbers: encode them one-hot."
            )
        return sequences

    def _forecast_from(
        self, memory: SeriesMemory, n_steps: int, ahead: Array, disturb: Disturbance | None = None
    ) -> Array:
        """Forecasts in the units of the series."""
        found = self._run_free(memory.state, int(n_steps), ahead, disturb)
        return self._view.forecasts(found, memory)

    def _paths(self, origin: Origin, n_steps: int, n_samples: int, seed: Any) -> Array:
        """Sampled paths ``(n_samples, n_series, n_steps, n_features)``."""
        if isinstance(n_samples, bool) or not isinstance(n_samples, int) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r}: it must be an int of at least 1.")
        memory, ahead = origin.memory.repeated(n_samples), np.tile(origin.ahead, (n_samples, 1, 1))
        disturb = self._disturbance(memory, check_random_state(seed))
        paths = self._forecast_from(memory, n_steps, ahead, disturb)
        return paths.reshape(n_samples, -1, *paths.shape[1:])

    def _quantiles(
        self, origin: Origin, n_steps: int, levels: Sequence[float], n_samples: int, seed: Any
    ) -> Array:
        """Quantiles ``(n_levels, n_series, n_steps, n_features)``."""
        return np.quantile(self._paths(origin, n_steps, n_samples, seed), levels, axis=0)

    def _disturbance(self, memory: SeriesMemory, rng: np.random.RandomState) -> Disturbance:
        """What sampled paths do to each step: errors as large as the series changes are added."""
        errors, size = self._step_errors, memory.spread / memory.scale.divisor
        return lambda _, values: values + size * errors[rng.randint(len(errors), size=len(values))]

    def _counted(self, lengths: NDArray[np.int64]) -> Array | None:
        """Weights in `score` of all steps but the first of each series."""
        return None
