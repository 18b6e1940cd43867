"""Ridge regression by statistics that can be merged: one pass over the rows, every penalty."""

from sklseq.ridge.leave_one_out import LeaveOneOut, validation_errors
from sklseq.ridge.recursive_least_squares import RecursiveLeastSquares
from sklseq.ridge.ridge import RidgePath, RidgeStatistics, merged
from sklseq.ridge.rows import KeptRows
from sklseq.ridge.triangle import RidgeTriangle, TrianglePath

__all__ = [
    "KeptRows",
    "LeaveOneOut",
    "RecursiveLeastSquares",
    "RidgePath",
    "RidgeStatistics",
    "RidgeTriangle",
    "TrianglePath",
    "merged",
    "validation_errors",
]
