"""Recursive networks over trees as scikit-learn estimators."""

from sklseq.recursive._supervised import RecursiveClassifier, RecursiveRegressor
from sklseq.recursive._unsupervised import RecursiveAutoencoder, RecursiveTransformer

__all__ = [
    "RecursiveAutoencoder",
    "RecursiveClassifier",
    "RecursiveRegressor",
    "RecursiveTransformer",
]
