"""The engine that trains the torch modules of all families."""

from sklseq.training.data import Batch, Rows, SequenceRows
from sklseq.training.engine import Result, Trainer
from sklseq.training.estimator import NeuralEstimator
from sklseq.training.inference import run_sequences

__all__ = ["Batch", "NeuralEstimator", "Result", "Rows", "SequenceRows", "Trainer", "run_sequences"]
