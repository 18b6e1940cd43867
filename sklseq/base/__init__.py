"""What every estimator is made of: declared parameters, and fits that succeed or change nothing."""

from sklseq.base.estimator import Estimator
from sklseq.base.parameters import (
    attribute,
    choice,
    estimator,
    integer,
    other_default,
    param,
    real,
    same,
    several,
)

__all__ = [
    "Estimator",
    "attribute",
    "choice",
    "estimator",
    "integer",
    "other_default",
    "param",
    "real",
    "same",
    "several",
]
