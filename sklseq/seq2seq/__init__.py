"""Encoder-decoder networks: sequences to sequences of another length."""

from sklseq.seq2seq._classifier import Seq2SeqClassifier
from sklseq.seq2seq._regressor import Seq2SeqRegressor

__all__ = ["Seq2SeqClassifier", "Seq2SeqRegressor"]
