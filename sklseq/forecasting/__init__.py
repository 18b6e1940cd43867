"""Forecasters without a network: baselines, windows over any regressor, and blends of others."""

from sklseq.forecasting._seasonal_naive import SeasonalNaive

__all__ = ["SeasonalNaive"]
