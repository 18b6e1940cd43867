"""Recurrent networks as scikit-learn estimators."""

from sklseq.parts.streaming import Stream
from sklseq.recurrent._classifiers import (
    GRUClassifier,
    LSTMClassifier,
    RecurrentClassifier,
    RNNClassifier,
)
from sklseq.recurrent._forecaster import RecurrentForecaster
from sklseq.recurrent._language_model import RecurrentLanguageModel
from sklseq.recurrent._regressors import (
    GRURegressor,
    LSTMRegressor,
    RecurrentRegressor,
    RNNRegressor,
)
from sklseq.recurrent._renet import ReNetClassifier, ReNetRegressor
from sklseq.recurrent._transformer import RecurrentTransformer

__all__ = [
    "GRUClassifier",
    "GRURegressor",
    "LSTMClassifier",
    "LSTMRegressor",
    "RNNClassifier",
    "RNNRegressor",
    "ReNetClassifier",
    "ReNetRegressor",
    "RecurrentClassifier",
    "RecurrentForecaster",
    "RecurrentLanguageModel",
    "RecurrentRegressor",
    "RecurrentTransformer",
    "Stream",
]
