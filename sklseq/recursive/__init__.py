"""Recursive networks over trees as scikit-learn estimators."""

from sklseq.recursive._classifier import RecursiveClassifier
from sklseq.recursive._regressor import RecursiveRegressor
from sklseq.recursive._unsupervised import RecursiveAutoencoder, RecursiveTransformer

__all__ = [
    "RecursiveAutoencoder",
    "RecursiveClassifier",
    "RecursiveRegressor",
    "RecursiveTransformer",
]
