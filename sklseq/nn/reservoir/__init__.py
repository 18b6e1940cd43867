"""Reservoirs: weights, states block by block, and the statistics of a ridge readout."""

from sklseq.nn.reservoir.kernel import ACTIVATIONS, Reservoir
from sklseq.nn.reservoir.leave_one_out import LeaveOneOut
from sklseq.nn.reservoir.recursive_least_squares import RecursiveLeastSquares
from sklseq.nn.reservoir.ridge import RidgePath, RidgeStatistics, merged
from sklseq.nn.reservoir.runs import all_states, final_states, free_run
from sklseq.nn.reservoir.spectrum import spectral_radius
from sklseq.nn.reservoir.states import map_states
from sklseq.nn.reservoir.structured import StructuredMatrix
from sklseq.nn.reservoir.topology import (
    TOPOLOGIES,
    input_weights,
    orthogonal,
    recurrent_weights,
    rescaled,
)
from sklseq.nn.reservoir.triangle import RidgeTriangle, TrianglePath

__all__ = [
    "ACTIVATIONS",
    "TOPOLOGIES",
    "LeaveOneOut",
    "RecursiveLeastSquares",
    "Reservoir",
    "RidgePath",
    "RidgeStatistics",
    "RidgeTriangle",
    "StructuredMatrix",
    "TrianglePath",
    "all_states",
    "final_states",
    "free_run",
    "input_weights",
    "map_states",
    "merged",
    "orthogonal",
    "recurrent_weights",
    "rescaled",
    "spectral_radius",
]
