"""Forecasts from origins in the past, compared with what came."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import Bunch

from sklseq.data import as_sequences, is_panel_frame
from sklseq.parts.forecasting.forecaster import Forecaster

__all__ = ["arrays_of", "backtest", "metric_of", "scaled_error"]

Array = NDArray[Any]


def backtest(
    forecaster: Any,
    X: Any,
    horizon: int,
    *,
    n_origins: int = 5,
    step: int | None = None,
    refit: bool = True,
    exogenous: Any = None,
    scoring: Any = None,
    n_jobs: int | None = None,
    return_forecasts: bool = False,
) -> Bunch:
    """Evaluate a forecaster by forecasts from several origins, the last of which ends with X.

    Before each origin the forecaster knows all steps before, and none after. Of one series, the
    origins are those of ``TimeSeriesSplit(n_origins, test_size=horizon)``, if `step` is None.

    Parameters
    ----------
    forecaster : Forecaster
        It is cloned, not changed.
    X : sequences
        One series or many, in any container that `forecaster` takes. Origins of series of unequal
        lengths are the same number of steps before the end of each.
    horizon : int
        Steps of each forecast.
    n_origins : int, default=5
        Number of forecasts.
    step : int or None, default=None
        Steps from an origin to the next; None is `horizon`.
    refit : bool, default=True
        Whether the forecaster is fitted anew at each origin, on all steps before it, or only at the
        first one and then moved on by `update`.
    exogenous : sequences or None, default=None
        One row for each step of X.
    scoring : str, callable, list, tuple, dict or None, default=None
        'neg_mean_absolute_error', 'neg_root_mean_squared_error',
        'neg_mean_absolute_scaled_error', whose scale is that of the steps before the origin and
        the season of the forecaster, or 'neg_symmetric_mean_absolute_percentage_error'; a callable
        ``metric(y_true, y_pred)`` of one series ``(n_steps, n_features)``, which is used as it is;
        a list of names, or a dict of either by name. None is 'neg_mean_absolute_scaled_error'.
    n_jobs : int or None, default=None
        Origins at a time, by processes of joblib, with ``refit=True``.
    return_forecasts : bool, default=False
        Whether the forecasts are returned too.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        test_<name> : ndarray of shape (n_origins,)
            Score of each forecast, mean over series: ``test_score`` for one callable or no list.
        test_<name>_by_horizon : ndarray of shape (n_origins, horizon)
            Score of each of its steps.
        origins : ndarray of shape (n_origins, n_series)
            Steps known at each origin.
        fit_time, forecast_time : ndarray of shape (n_origins,)
            Seconds; those of `update` count as fit.
        forecasts : list of n_origins containers
            If `return_forecasts`, as `forecaster` gives them, with the index of their steps.

    Raises
    ------
    ValueError
        If a series is too short, or a parameter is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.forecasting import SeasonalNaive, backtest
    >>> X = np.arange(40.0)[:, None]
    >>> result = backtest(SeasonalNaive(), X, 2, n_origins=3, scoring="neg_mean_absolute_error")
    >>> result.test_score, result.test_score_by_horizon[0], result.origins.ravel()
    (array([-1.5, -1.5, -1.5]), array([-1., -2.]), array([34, 36, 38]))
    """
    if not isinstance(forecaster, Forecaster):
        raise TypeError(f"forecaster is a {type(forecaster).__name__}, which cannot forecast.")
    step = horizon if step is None else step
    for name, value in (("horizon", horizon), ("n_origins", n_origins), ("step", step)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name}={value!r}: it must be an int of at least 1.")
    metrics = _metrics(scoring)
    per_step = forecaster.target == "step"
    values = arrays_of(X, per_step)
    origins = _origins(np.array([len(x) for x in values]), horizon, n_origins, step)
    run = partial(_from_origin, X=X, exogenous=exogenous, horizon=horizon)
    if refit:
        parallel = Parallel(n_jobs=n_jobs)
        found = parallel(delayed(run)(forecaster, known, None) for known in origins)
    else:
        found, model, before = [], forecaster, None
        for known in origins:
            found.append(run(model, known, before))
            model, before = found[-1][0], known
    result = Bunch(origins=origins)
    result.fit_time, result.forecast_time = np.array([times for _, _, times in found]).T
    for name, metric in metrics.items():
        scores = [
            _scores(metric, values, arrays_of(ahead, per_step), known, model.season_length_)
            for known, (model, ahead, _) in zip(origins, found, strict=True)
        ]
        by_step = np.stack([by_step for _, by_step in scores])
        result |= {f"test_{name}": np.array([whole for whole, _ in scores])}
        result |= {f"test_{name}_by_horizon": by_step}
    if return_forecasts:
        result.forecasts = [ahead for _, ahead, _ in found]
    return result


def _origins(lengths: Array, horizon: int, n_origins: int, step: int) -> Array:
    """Steps of each series that are known at each origin, ``(n_origins, n_series)``."""
    back = horizon + step * np.arange(n_origins)[::-1]
    origins = lengths - back[:, None]
    for i in np.flatnonzero(origins[0] < 1)[:1]:
        raise ValueError(
            f"X, sequence {i} has {lengths[i]} steps, but {n_origins} origins {step} steps apart "
            f"and a horizon of {horizon} need at least {back[0] + 1}: set fewer n_origins, a "
            "smaller step or a shorter horizon."
        )
    return origins


def _from_origin(
    model: Any, known: Array, before: Array | None, X: Any, exogenous: Any, horizon: int
) -> tuple[Any, Any, list[float]]:
    """A forecaster that knows so many steps, its forecast, and seconds of both.

    It is fitted anew, or was fitted on the steps before an earlier origin.
    """
    per_step = model.target == "step"

    def part(values: Any, begin: Array, end: Array) -> Any:
        return None if values is None else _part(values, begin, end, per_step)

    begin, zero = time.perf_counter(), np.zeros_like(known)
    if before is None:
        model = clone(model).fit(part(X, zero, known), exogenous=part(exogenous, zero, known))
    elif (known > before).any():
        model.update(part(X, before, known), exogenous=part(exogenous, before, known))
    middle = time.perf_counter()
    ahead = model.forecast(horizon, exogenous=part(exogenous, known, known + horizon))
    return model, ahead, [middle - begin, time.perf_counter() - middle]


Metric = Callable[[Array, Array, Array, int], float]


def _scores(
    metric: Metric, values: list[Array], ahead: list[Array], known: Array, season_length: int
) -> tuple[float, Array]:
    """Means over series, of whole forecasts and of each of their steps."""
    whole, by_step = [], []
    for y, pred, n in zip(values, ahead, known, strict=True):
        true, train = y[n : n + len(pred)], y[:n]
        whole.append(metric(true, pred, train, season_length))
        steps = (slice(h, h + 1) for h in range(len(pred)))
        by_step.append([metric(true[h], pred[h], train, season_length) for h in steps])
    return float(np.mean(whole)), np.mean(by_step, axis=0)


def _absolute(true: Array, pred: Array, train: Array, season_length: int) -> float:
    return -float(np.abs(true - pred).mean())


def _squared(true: Array, pred: Array, train: Array, season_length: int) -> float:
    return -float(np.sqrt(((true - pred) ** 2).mean()))


def scaled_error(true: Array, pred: Array, train: Array, season_length: int) -> float:
    """Mean absolute error relative to that of the seasonal naive forecast of what was known."""
    lag = min(season_length, len(train) - 1)
    scale = np.abs(train[lag:] - train[: len(train) - lag]).mean(axis=0) if lag else np.zeros(1)
    if not scale.all():
        raise ValueError(
            "neg_mean_absolute_scaled_error needs a series that changes before each origin: leave "
            "constant ones out, or score by 'neg_mean_absolute_error'."
        )
    return -float((np.abs(true - pred).mean(axis=0) / scale).mean())


def _symmetric(true: Array, pred: Array, train: Array, season_length: int) -> float:
    size = np.abs(true) + np.abs(pred)
    return -float((200 * np.abs(true - pred) / np.where(size > 0, size, 1.0)).mean())


_METRICS: dict[str, Metric] = {
    "neg_mean_absolute_error": _absolute,
    "neg_mean_absolute_scaled_error": scaled_error,
    "neg_root_mean_squared_error": _squared,
    "neg_symmetric_mean_absolute_percentage_error": _symmetric,
}


def _metrics(scoring: Any) -> dict[str, Metric]:
    """Metrics by the names of their results."""
    if scoring is None:
        scoring = "neg_mean_absolute_scaled_error"
    if isinstance(scoring, Mapping):
        return {str(name): metric_of(one) for name, one in scoring.items()}
    if isinstance(scoring, Iterable) and not isinstance(scoring, str):
        return {str(one): metric_of(one) for one in scoring}
    return {"score": metric_of(scoring)}


def metric_of(one: Any) -> Metric:
    """The metric of a name, or that of a callable.

    Raises
    ------
    ValueError
        If the name is not known.
    """
    if callable(one):
        return lambda true, pred, train, season_length: float(one(true, pred))
    if one not in _METRICS:
        raise ValueError(
            f"scoring={one!r}: expected one of {sorted(_METRICS)}, or a callable metric(y_true, "
            "y_pred)."
        )
    return _METRICS[one]


def arrays_of(X: Any, per_step: bool) -> list[Array]:
    """Each series as (n_steps, n_features)."""
    X = as_sequences(X)
    if is_panel_frame(X):
        names = X.index.get_level_values(0).unique()
        return [np.asarray(X.loc[name], dtype=np.float64) for name in names]
    if _is_one_series(X, per_step):
        array = np.asarray(X, dtype=np.float64)
        return [array.reshape(len(array), -1)]
    return [np.asarray(x, dtype=np.float64).reshape(len(x), -1) for x in X]


def _part(X: Any, begin: Array, end: Array, per_step: bool) -> Any:
    """The steps of each series from `begin` to `end`, in the container of X."""
    X = as_sequences(X)
    if is_panel_frame(X):
        series = X.index.get_level_values(0)
        names = series.unique()
        within = np.empty(len(X), dtype=bool)
        for name, b, e in zip(names, begin, end, strict=True):
            rows = np.flatnonzero(series == name)
            within[rows] = (np.arange(len(rows)) >= b) & (np.arange(len(rows)) < e)
        return X[within]
    if _is_one_series(X, per_step):
        return X[begin[0] : end[0]]
    if isinstance(X, np.ndarray) and X.ndim > 1:
        return X[:, begin[0] : end[0]]
    return [x[b:e] for x, b, e in zip(X, begin, end, strict=True)]


def _is_one_series(X: Any, per_step: bool) -> bool:
    if hasattr(X, "iloc"):
        return not hasattr(X, "columns") or per_step
    is_array = isinstance(X, np.ndarray) and X.dtype != object
    return is_array and (X.ndim == 1 or (X.ndim == 2 and per_step))
