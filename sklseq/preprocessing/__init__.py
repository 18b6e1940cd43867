"""Transformers for sequences."""

from sklseq.preprocessing._per_step import PerStep

__all__ = ["PerStep"]
