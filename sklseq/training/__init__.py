"""The engine that trains the torch modules of all families."""

from sklseq.training.data import Batch, DenseRows, Rows, SequenceRows
from sklseq.training.engine import Result, Trainer
from sklseq.training.estimator import NeuralEstimator
from sklseq.training.inference import run_rows, run_sequences
from sklseq.training.ragged import RaggedEstimator
from sklseq.training.tables import TableEstimator

__all__ = [
    "Batch",
    "DenseRows",
    "NeuralEstimator",
    "RaggedEstimator",
    "Result",
    "Rows",
    "SequenceRows",
    "TableEstimator",
    "Trainer",
    "run_rows",
    "run_sequences",
]
