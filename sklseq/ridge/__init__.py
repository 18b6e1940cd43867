"""Ridge regression by statistics that can be merged: one pass over the rows, every penalty."""

from sklseq.ridge.leave_one_out import LeaveOneOut
from sklseq.ridge.recursive_least_squares import RecursiveLeastSquares
from sklseq.ridge.ridge import RidgePath, RidgeStatistics, merged
from sklseq.ridge.triangle import RidgeTriangle, TrianglePath

__all__ = [
    "LeaveOneOut",
    "RecursiveLeastSquares",
    "RidgePath",
    "RidgeStatistics",
    "RidgeTriangle",
    "TrianglePath",
    "merged",
]
