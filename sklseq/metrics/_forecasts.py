"""Metrics of forecasts: of values, of intervals and of sampled paths."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "crps_samples",
    "interval_coverage",
    "mean_absolute_scaled_error",
    "normalized_root_mean_squared_error",
    "symmetric_mean_absolute_percentage_error",
    "valid_prediction_time",
]

Array = NDArray[Any]


def mean_absolute_scaled_error(
    y_true: ArrayLike, y_pred: ArrayLike, y_train: ArrayLike, season_length: int = 1
) -> float:
    """Mean absolute error, relative to that of the seasonal naive forecast in training (MASE).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_steps,) or (n_steps, n_features)
        What came, and its forecast.
    y_train : array-like of shape (n_known,) or (n_known, n_features)
        The steps before.
    season_length : int, default=1
        Steps in a season: the scale is the mean absolute difference of the values of `y_train` so
        many steps apart.

    Returns
    -------
    float
        Mean over features; below 1 the forecast beats the naive one of a single step in training.

    Raises
    ------
    ValueError
        If shapes do not match, a value is missing, or `y_train` has no difference that is not zero.

    References
    ----------
    .. [1] Hyndman and Koehler (2006). "Another look at measures of forecast accuracy".
       International Journal of Forecasting 22.

    Examples
    --------
    >>> from sklseq.metrics import mean_absolute_scaled_error
    >>> mean_absolute_scaled_error([5.0, 6.0], [5.0, 5.0], [1.0, 2.0, 3.0, 4.0])
    0.5
    """
    true, pred = _pair(y_true, y_pred)
    train = _steps(y_train, "y_train")
    if train.shape[1] != true.shape[1]:
        raise ValueError(f"y_train has {train.shape[1]} features, y_true {true.shape[1]}.")
    _check_at_least("season_length", season_length)
    if len(train) <= season_length:
        raise ValueError(
            f"y_train has {len(train)} steps, but season_length={season_length} needs at least "
            f"{season_length + 1}."
        )
    scale = np.abs(train[season_length:] - train[:-season_length]).mean(axis=0)
    for k in np.flatnonzero(scale == 0)[:1]:
        raise ValueError(
            f"y_train, feature {k} is the same in all seasons: an error has nothing to be relative "
            "to. Leave such series out."
        )
    return float((np.abs(true - pred).mean(axis=0) / scale).mean())


def symmetric_mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean of ``200 |y_true - y_pred| / (|y_true| + |y_pred|)``, from 0 to 200 (sMAPE).

    The definition of the M3 competition, in percent. Where both are zero the error is 0.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_steps,) or (n_steps, n_features)
        What came, and its forecast.

    Returns
    -------
    float
        0 is perfect.

    Raises
    ------
    ValueError
        If shapes do not match or a value is missing.

    References
    ----------
    .. [1] Makridakis and Hibon (2000). "The M3-Competition: results, conclusions and implications".
       International Journal of Forecasting 16.

    Examples
    --------
    >>> from sklseq.metrics import symmetric_mean_absolute_percentage_error
    >>> symmetric_mean_absolute_percentage_error([100.0, 0.0], [300.0, 0.0])
    50.0
    """
    true, pred = _pair(y_true, y_pred)
    size = np.abs(true) + np.abs(pred)
    return float((200 * np.abs(true - pred) / np.where(size > 0, size, 1.0)).mean())


def normalized_root_mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Root mean squared error in standard deviations of what came (NRMSE).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_steps,) or (n_steps, n_features)
        What came, and its forecast.

    Returns
    -------
    float
        Mean over features; 0 is perfect, and the mean of `y_true` has 1.

    Raises
    ------
    ValueError
        If shapes do not match, a value is missing, or a feature of `y_true` is constant.

    Examples
    --------
    >>> from sklseq.metrics import normalized_root_mean_squared_error
    >>> normalized_root_mean_squared_error([1.0, 3.0], [2.0, 2.0])
    1.0
    """
    true, pred = _pair(y_true, y_pred)
    deviation = _deviation(true)
    return float((np.sqrt(((true - pred) ** 2).mean(axis=0)) / deviation).mean())


def crps_samples(y_true: ArrayLike, samples: ArrayLike) -> float:
    """Continuous ranked probability score of sampled forecasts (CRPS).

    ``E |S - y| - E |S - S'| / 2`` of two samples S and S' with replacement, the energy form [1]_;
    with one sample it is the absolute error.

    Parameters
    ----------
    y_true : array-like of shape (n_steps,), (n_steps, n_features) or any other
        What came.
    samples : array-like of shape (n_samples, ...)
        Sampled forecasts of it, as of `sample_paths`: each of the shape of `y_true`.

    Returns
    -------
    float
        Mean over all values; 0 is perfect.

    Raises
    ------
    ValueError
        If shapes do not match or a value is missing.

    References
    ----------
    .. [1] Gneiting and Raftery (2007). "Strictly proper scoring rules, prediction, and estimation".
       Journal of the American Statistical Association 102, equation 21.

    Examples
    --------
    >>> from sklseq.metrics import crps_samples
    >>> crps_samples([0.0], [[-1.0], [1.0]])
    0.5
    """
    true = _finite(y_true, "y_true")
    drawn = _finite(samples, "samples")
    if drawn.ndim != true.ndim + 1 or drawn.shape[1:] != true.shape or not len(drawn):
        raise ValueError(
            f"samples has shape {drawn.shape}, but y_true {true.shape}: expected (n_samples, "
            f"{', '.join(map(str, true.shape))})."
        )
    n = len(drawn)
    # Of sorted samples, each is so often the larger of a pair and so often the smaller.
    ranks = (2 * np.arange(1, n + 1) - n - 1).reshape(-1, *[1] * true.ndim)
    spread = (ranks * np.sort(drawn, axis=0)).sum(axis=0) / n**2
    return float((np.abs(drawn - true).mean(axis=0) - spread).mean())


def interval_coverage(y_true: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """Share of values that lie in their intervals, bounds included.

    Parameters
    ----------
    y_true : array-like
        What came.
    lower, upper : array-like of the shape of `y_true`
        Bounds, as of `forecast_interval`.

    Returns
    -------
    float
        From 0 to 1; compare it with the nominal coverage.

    Raises
    ------
    ValueError
        If shapes do not match, a value is missing, or a lower bound is above the upper one.

    Examples
    --------
    >>> from sklseq.metrics import interval_coverage
    >>> interval_coverage([1.0, 2.0, 3.0, 9.0], [0.0, 2.0, 0.0, 0.0], [2.0, 3.0, 4.0, 4.0])
    0.75
    """
    true = _finite(y_true, "y_true")
    low, high = _finite(lower, "lower", True), _finite(upper, "upper", True)
    for name, bounds in (("lower", low), ("upper", high)):
        if bounds.shape != true.shape:
            raise ValueError(f"{name} has shape {bounds.shape}, but y_true {true.shape}.")
    for place in np.argwhere(low > high)[:1]:
        raise ValueError(f"The lower bound is above the upper one at {tuple(map(int, place))}.")
    return float(((low <= true) & (true <= high)).mean())


def valid_prediction_time(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    threshold: float = 0.4,
    time_step: float = 1.0,
    y_train: ArrayLike | None = None,
) -> float:
    """Time until the normalized error of a forecast first exceeds a threshold (VPT).

    The error of a step is the root mean square over features of the errors in standard deviations.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_steps,) or (n_steps, n_features)
        The path of a chaotic system, and its forecast.
    threshold : float, default=0.4
        The error at which the forecast is lost.
    time_step : float, default=1.0
        Time of a step, in whatever unit the result is to have: of a Lyapunov time, it is the step
        times the largest Lyapunov exponent.
    y_train : array-like of shape (n_known,) or (n_known, n_features), default=None
        The values whose standard deviations count; those of `y_true` by default.

    Returns
    -------
    float
        The number of steps before the first that exceeds the threshold, times `time_step`: all
        steps, where none does.

    Raises
    ------
    ValueError
        If shapes do not match, a value is missing, or a feature is constant.

    References
    ----------
    .. [1] Vlachas et al. (2020). "Backpropagation algorithms and reservoir computing in recurrent
       neural networks for the forecasting of complex spatiotemporal dynamics". Neural Networks 126.

    Examples
    --------
    >>> from sklseq.metrics import valid_prediction_time
    >>> valid_prediction_time([0.0, 1.0, 0.0, 1.0], [0.0, 1.1, 0.4, 1.0], time_step=0.5)
    1.0
    """
    true, pred = _pair(y_true, y_pred)
    known = true if y_train is None else _steps(y_train, "y_train")
    deviation = _deviation(known, "y_true" if y_train is None else "y_train")
    errors = np.sqrt((((true - pred) / deviation) ** 2).mean(axis=1))
    lost = np.flatnonzero(errors > threshold)
    return float(time_step * (lost[0] if len(lost) else len(true)))


def _pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
    true, pred = _steps(y_true, "y_true"), _steps(y_pred, "y_pred")
    if true.shape != pred.shape:
        raise ValueError(f"y_true has shape {true.shape}, but y_pred {pred.shape}.")
    return true, pred


def _steps(values: ArrayLike, name: str) -> Array:
    """As (n_steps, n_features)."""
    array = _finite(values, name)
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(
            f"{name} must have shape (n_steps,) or (n_steps, n_features), got {array.shape}: score "
            "one series at a time."
        )
    return array.reshape(len(array), -1)


def _finite(values: ArrayLike, name: str, infinite: bool = False) -> Array:
    array = np.asarray(values, dtype=np.float64)
    wrong = np.isnan(array) if infinite else ~np.isfinite(array)
    for place in np.argwhere(wrong)[:1]:
        raise ValueError(f"{name} is {array[tuple(place)]} at {tuple(map(int, place))}.")
    return array


def _deviation(values: Array, name: str = "y_true") -> Array:
    deviation = values.std(axis=0)
    tiny = 10 * np.finfo(np.float64).eps * np.abs(values).max(axis=0)
    for k in np.flatnonzero(deviation <= tiny)[:1]:
        raise ValueError(f"{name}, feature {k} is constant: errors have nothing to be relative to.")
    return deviation


def _check_at_least(name: str, value: Any, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}={value!r}: it must be an int of at least {least}.")
