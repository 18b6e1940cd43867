"""Echo state networks as scikit-learn estimators."""

from sklseq.reservoir._classifier import ESNClassifier
from sklseq.reservoir._forecaster import ESNForecaster
from sklseq.reservoir._liquid import LiquidStateTransformer
from sklseq.reservoir._regressor import ESNRegressor
from sklseq.reservoir._search import ESNSearchCV
from sklseq.reservoir._transformer import ESNTransformer

__all__ = [
    "ESNClassifier",
    "ESNForecaster",
    "ESNRegressor",
    "ESNSearchCV",
    "ESNTransformer",
    "LiquidStateTransformer",
]
