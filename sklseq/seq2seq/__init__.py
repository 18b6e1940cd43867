"""Encoder-decoder networks: sequences to sequences of another length."""

from sklseq.seq2seq._classifier import Seq2SeqClassifier

__all__ = ["Seq2SeqClassifier"]
