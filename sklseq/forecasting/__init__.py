"""Forecasters without a network: baselines, windows over any regressor, and blends of others."""

from sklseq.forecasting._backtest import backtest
from sklseq.forecasting._blend import BlendForecaster
from sklseq.forecasting._scorer import ForecastScorer
from sklseq.forecasting._seasonal_naive import SeasonalNaive
from sklseq.forecasting._theta import ThetaForecaster
from sklseq.forecasting._transformed import TransformedForecaster
from sklseq.forecasting._windows import WindowRegressor

__all__ = [
    "BlendForecaster",
    "ForecastScorer",
    "SeasonalNaive",
    "ThetaForecaster",
    "TransformedForecaster",
    "WindowRegressor",
    "backtest",
]
