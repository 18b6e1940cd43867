"""Reservoirs: their weights, and their states block by block."""

from sklseq.nn.reservoir.states.blocks import map_states
from sklseq.nn.reservoir.states.kernel import ACTIVATIONS, Reservoir
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
    "ACTIVATIONS",
    "TOPOLOGIES",
    "Reservoir",
    "StructuredMatrix",
    "all_states",
    "final_states",
    "free_run",
    "input_weights",
    "map_states",
    "orthogonal",
    "recurrent_weights",
    "rescaled",
    "spectral_radius",
]
