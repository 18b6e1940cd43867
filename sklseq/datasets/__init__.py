"""Sequence and tree data sets: two that ship with the package, generated tasks, files."""

from sklseq.datasets._adding_problem import make_adding_problem
from sklseq.datasets._addition import make_addition
from sklseq.datasets._co2 import load_co2
from sklseq.datasets._competitions import load_m3, load_tourism
from sklseq.datasets._copying_memory import make_copying_memory
from sklseq.datasets._dynamical_systems import make_lorenz, make_mackey_glass, make_narma
from sklseq.datasets._g2p import load_g2p
from sklseq.datasets._hourly import load_hourly
from sklseq.datasets._japanese_vowels import load_japanese_vowels
from sklseq.datasets._listops import make_listops
from sklseq.datasets._propositional_logic import make_propositional_logic
from sklseq.datasets._python_functions import load_python_functions
from sklseq.datasets._reversal import make_copy, make_reversal
from sklseq.datasets._scan import make_scan
from sklseq.datasets._sentiment_treebank import load_sentiment_treebank
from sklseq.datasets._temporal_order import make_temporal_order
from sklseq.datasets._treebank import read_treebank

__all__ = [
    "load_co2",
    "load_g2p",
    "load_hourly",
    "load_japanese_vowels",
    "load_m3",
    "load_python_functions",
    "load_sentiment_treebank",
    "load_tourism",
    "make_adding_problem",
    "make_addition",
    "make_copy",
    "make_copying_memory",
    "make_listops",
    "make_lorenz",
    "make_mackey_glass",
    "make_narma",
    "make_propositional_logic",
    "make_reversal",
    "make_scan",
    "make_temporal_order",
    "read_treebank",
]
