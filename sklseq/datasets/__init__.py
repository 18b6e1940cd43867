"""Sequence data sets: one that ships with the package, and generators of long-memory tasks."""

from sklseq.datasets._adding_problem import make_adding_problem
from sklseq.datasets._copying_memory import make_copying_memory
from sklseq.datasets._japanese_vowels import load_japanese_vowels
from sklseq.datasets._temporal_order import make_temporal_order

__all__ = [
    "load_japanese_vowels",
    "make_adding_problem",
    "make_copying_memory",
    "make_temporal_order",
]
