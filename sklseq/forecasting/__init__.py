"""Forecasters without a network: baselines, windows over any regressor, and blends of others."""

from sklseq.forecasting._seasonal_naive import SeasonalNaive
from sklseq.forecasting._theta import ThetaForecaster

__all__ = ["SeasonalNaive", "ThetaForecaster"]
