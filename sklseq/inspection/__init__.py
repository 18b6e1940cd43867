"""Displays and diagnostics of fitted estimators."""

from sklseq.inspection._dynamics import (
    echo_state_index,
    jacobian_eigenvalues,
    largest_lyapunov_exponent,
)
from sklseq.inspection._memory_capacity import linear_memory_capacity, memory_capacity
from sklseq.inspection._training_curve import TrainingCurveDisplay

__all__ = [
    "TrainingCurveDisplay",
    "echo_state_index",
    "jacobian_eigenvalues",
    "largest_lyapunov_exponent",
    "linear_memory_capacity",
    "memory_capacity",
]
