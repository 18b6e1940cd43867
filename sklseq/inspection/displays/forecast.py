"""A forecast, with its intervals, after the history that it goes on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.sklearn import check_matplotlib_support
from sklseq.data import is_table
from sklseq.inspection.displays._axes import BLUE, ORANGE, new_axes
from sklseq.inspection.models import unwrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["ForecastDisplay"]


class ForecastDisplay:
    """Visualization of the history of a series, its forecast and what came.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create an
    instance. All parameters are stored as attributes.

    Parameters
    ----------
    history : ndarray of shape (n_steps,)
        Values before the forecast.
    forecast : ndarray of shape (n_ahead,)
    lower, upper : ndarray of shape (n_ahead,) or None, default=None
        Interval around the forecast of each step.
    actual : ndarray of shape (n_actual,) or None, default=None
        What came.
    times : array-like of shape (n_steps,) or None, default=None
        Times of the history, such as dates; None numbers the steps.
    times_ahead : array-like of shape (n_ahead,) or None, default=None
        Those of the forecast.
    interval_name : str, default="interval"
        Name of the interval in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the series.
    figure_ : matplotlib Figure
        Figure with the axes.
    lines_ : list of matplotlib Line2D
        History, forecast and, if known, what came.
    """

    ax_: Axes
    figure_: Figure | SubFigure
    lines_: list[Line2D]

    def __init__(
        self,
        *,
        history: NDArray[Any],
        forecast: NDArray[Any],
        lower: NDArray[Any] | None = None,
        upper: NDArray[Any] | None = None,
        actual: NDArray[Any] | None = None,
        times: Any = None,
        times_ahead: Any = None,
        interval_name: str = "interval",
    ) -> None:
        self.history = history
        self.forecast = forecast
        self.lower = lower
        self.upper = upper
        self.actual = actual
        self.times = times
        self.times_ahead = times_ahead
        self.interval_name = interval_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        n_steps: int,
        *,
        actual: Any = None,
        series: int = 0,
        feature: int = 0,
        coverage: float = 0.9,
        intervals: str | None = "auto",
        exogenous: Any = None,
        context: Any = None,
        n_history: int | None = None,
        random_state: Any = 0,
        ax: Axes | None = None,
    ) -> ForecastDisplay:
        """Draw the forecast of a fitted forecaster from the end of a series on.

        Parameters
        ----------
        estimator : estimator instance
            A fitted forecaster.
        X : sequences
            The series to go on from, as in `forecast`.
        n_steps : int
            Steps to forecast.
        actual : sequences or None, default=None
            What came after X, in a container like X.
        series, feature : int, default=0
            Which of several series, and which of its features, is drawn.
        coverage : float, default=0.9
            Probability of the intervals.
        intervals : {"auto", "conformal", "paths"} or None, default="auto"
            Those of `forecast_interval`, of `forecast_quantiles`, or none. "auto" takes the first
            where the forecaster has held out steps (`calibration_steps`), else the second.
        exogenous, context : default=None
            As in `forecast`.
        n_history : int or None, default=None
            Last steps of the history to draw; None takes four times those of the forecast, at
            least 50.
        random_state : int, RandomState instance or None, default=0
            Seed of the paths.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ForecastDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is no forecaster.
        ValueError
            If an argument is not valid.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklseq.datasets import load_co2
        >>> from sklseq.forecasting import SeasonalNaive
        >>> from sklseq.inspection import ForecastDisplay
        >>> X = load_co2().data
        >>> model = SeasonalNaive(season_length=12).fit(X[:-24])
        >>> ForecastDisplay.from_estimator(model, X[:-24], 24, actual=X[-24:])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        model, X = unwrapped(estimator, X)
        if not hasattr(model, "forecast_interval"):
            raise TypeError(
                f"{type(model).__name__} does not forecast: give a fitted forecaster, such as "
                "those of sklseq.forecasting."
            )
        if intervals not in ("auto", "conformal", "paths", None):
            raise ValueError(
                f"intervals={intervals!r} must be 'auto', 'conformal', 'paths' or None."
            )
        if n_history is not None and n_history < 0:
            raise ValueError(f"n_history={n_history} must be 0 or more.")
        beside = {"X": X, "exogenous": exogenous, "context": context}
        ahead = model.forecast(n_steps, **beside)
        bounds: Any = (None, None)
        if intervals == "auto":
            intervals = "paths" if model._origins is None else "conformal"
        if intervals == "conformal":
            bounds = model.forecast_interval(n_steps, **beside, coverage=coverage)
        elif intervals == "paths":
            tails = ((1 - coverage) / 2, (1 + coverage) / 2)
            bounds = model.forecast_quantiles(n_steps, tails, **beside, random_state=random_state)
        single = model._per_step and (hasattr(X, "iloc") or is_table(X))
        history, times = _one(X, single, series, feature)
        n_history = max(50, 4 * n_steps) if n_history is None else n_history
        begin = max(len(history) - n_history, 0)
        center, times_ahead = _one(ahead, single, series, feature)
        lower, upper, came = (
            None if values is None else _one(values, single, series, feature)[0]
            for values in (*bounds, actual)
        )
        display = cls(
            history=history[begin:],
            forecast=center,
            lower=lower,
            upper=upper,
            actual=came,
            times=None if times is None else times[begin:],
            times_ahead=times_ahead,
            interval_name=f"{coverage:.0%} interval",
        )
        return display.plot(ax)

    @classmethod
    def from_predictions(
        cls,
        history: Any,
        forecast: Any,
        *,
        lower: Any = None,
        upper: Any = None,
        actual: Any = None,
        ax: Axes | None = None,
        interval_name: str = "interval",
    ) -> ForecastDisplay:
        """Draw a forecast that was made already.

        Parameters
        ----------
        history : array-like of shape (n_steps,) or (n_steps, 1)
            Values before the forecast; a pandas Series or DataFrame has its index as times.
        forecast : array-like of shape (n_ahead,) or (n_ahead, 1)
        lower, upper, actual : array-like as `forecast` or None, default=None
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        interval_name : str, default="interval"
            Name of the interval in the legend.

        Returns
        -------
        display : ForecastDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the arrays do not fit each other.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklseq.inspection import ForecastDisplay
        >>> ForecastDisplay.from_predictions([1.0, 2.0, 3.0], [4.0, 5.0], actual=[4.5, 4.5])
        <...>
        >>> plt.show()
        """
        check_matplotlib_support(f"{cls.__name__}.from_predictions")
        values = {"lower": lower, "upper": upper, "actual": actual, "forecast": forecast}
        found: dict[str, Any] = {
            name: None if given is None else _column(given, name) for name, given in values.items()
        }
        n = len(found["forecast"])
        for name in ("lower", "upper"):
            if found[name] is not None and len(found[name]) != n:
                raise ValueError(f"{name} has {len(found[name])} steps, and the forecast has {n}.")
        display = cls(
            history=_column(history, "history"),
            times=getattr(history, "index", None) if hasattr(history, "iloc") else None,
            times_ahead=getattr(forecast, "index", None) if hasattr(forecast, "iloc") else None,
            interval_name=interval_name,
            **found,
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> ForecastDisplay:
        """Draw the series.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.

        Returns
        -------
        display : ForecastDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(self, ax, (7.5, 3.6))
        n, ahead = len(self.history), len(self.forecast)
        times = _plottable(self.times, np.arange(n))
        later = _plottable(self.times_ahead, np.arange(n, n + ahead))
        (past,) = ax.plot(times, self.history, color="0.25", linewidth=1.2, label="history")
        self.lines_ = [past]
        if self.actual is not None:
            m = min(len(self.actual), ahead)
            (came,) = ax.plot(
                later[:m], self.actual[:m], color=ORANGE, linewidth=1.2, label="what came"
            )
        (forecast,) = ax.plot(
            later, self.forecast, color=BLUE, linestyle=(0, (4, 1.5)), label="forecast"
        )
        self.lines_.append(forecast)
        if self.actual is not None:
            self.lines_.append(came)
        if self.lower is not None and self.upper is not None:
            ax.fill_between(
                later,
                self.lower,
                self.upper,
                color=BLUE,
                alpha=0.2,
                linewidth=0,
                label=self.interval_name,
            )
        if n:
            ax.axvline(later[0], color="0.6", linewidth=0.8, linestyle=":")
        if self.times is None:
            ax.set_xlabel("Step")
        ax.set_ylabel("Value")
        ax.legend(loc="upper left")
        return self


def _one(X: Any, single: bool, series: int, feature: int) -> tuple[NDArray[Any], Any]:
    """Values of one feature of one series, and its times, where it has some."""
    try:
        if hasattr(X, "iloc"):
            if X.index.nlevels > 1:
                X = X.xs(X.index.unique(level=0)[series])
            values, times = X.to_numpy(), X.index
        else:
            values, times = np.asarray(X if single else X[series], dtype=float), None
        return (values if values.ndim == 1 else values[:, feature]).astype(float), times
    except IndexError:
        raise ValueError(f"There is no series={series}, or no feature={feature} of it.") from None


def _column(values: Any, name: str) -> NDArray[Any]:
    column = np.asarray(values, dtype=float)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise ValueError(f"{name} has shape {column.shape}, and one series is shown.")
    return column


def _plottable(times: Any, numbers: NDArray[Any]) -> Any:
    if times is None:
        return numbers
    return times.to_timestamp() if hasattr(times, "to_timestamp") else np.asarray(times)
