"""Reservoirs: their weights, and their states block by block.

A reservoir is not trained. Weights and states are arrays of numpy and scipy here, not tensors, and
only the steps are computed by torch. So this wing stands apart: it imports no other one, and no
other one imports it.
"""

from sklseq.nn.reservoir.states.both_directions import reversal, two_way_parts
from sklseq.nn.reservoir.states.kernel import RESERVOIR_ACTIVATIONS, Reservoir
from sklseq.nn.reservoir.states.parts import StatePart, run_parts, state_parts
from sklseq.nn.reservoir.states.runs import all_states, final_states, free_run
from sklseq.nn.reservoir.weights.spectrum import spectral_radius
from sklseq.nn.reservoir.weights.structured import StructuredMatrix
from sklseq.nn.reservoir.weights.topology import (
    TOPOLOGIES,
    input_weights,
    orthogonal,
    recurrent_weights,
    rescaled,
)

__all__ = [
    "RESERVOIR_ACTIVATIONS",
    "TOPOLOGIES",
    "Reservoir",
    "StatePart",
    "StructuredMatrix",
    "all_states",
    "final_states",
    "free_run",
    "input_weights",
    "orthogonal",
    "recurrent_weights",
    "rescaled",
    "reversal",
    "run_parts",
    "spectral_radius",
    "state_parts",
    "two_way_parts",
]
