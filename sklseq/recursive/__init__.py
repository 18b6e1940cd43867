"""Recursive networks over trees as scikit-learn estimators."""

from sklseq.recursive._supervised import RecursiveClassifier, RecursiveRegressor

__all__ = ["RecursiveClassifier", "RecursiveRegressor"]
