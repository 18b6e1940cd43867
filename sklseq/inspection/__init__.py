"""Displays and diagnostics of fitted estimators."""

from sklseq.inspection.displays.training_curve import TrainingCurveDisplay
from sklseq.inspection.reservoirs.dynamics import (
    echo_state_index,
    jacobian_eigenvalues,
    largest_lyapunov_exponent,
)
from sklseq.inspection.reservoirs.memory_capacity import linear_memory_capacity, memory_capacity

__all__ = [
    "TrainingCurveDisplay",
    "echo_state_index",
    "jacobian_eigenvalues",
    "largest_lyapunov_exponent",
    "linear_memory_capacity",
    "memory_capacity",
]
