"""Displays and diagnostics of fitted estimators."""

from sklseq.inspection._training_curve import TrainingCurveDisplay

__all__ = ["TrainingCurveDisplay"]
