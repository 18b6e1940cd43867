"""Ragged sequences, step targets and symbols, in numpy alone; errors that name the place."""

from sklseq.data._sequences import (
    Sequences,
    as_container,
    check_finite,
    is_nested_table,
    is_table,
    read_sequences,
    valid_steps,
)
from sklseq.data._symbols import Vocabulary
from sklseq.data._targets import stack_steps, unlabelled

__all__ = [
    "Sequences",
    "Vocabulary",
    "as_container",
    "check_finite",
    "is_nested_table",
    "is_table",
    "read_sequences",
    "stack_steps",
    "unlabelled",
    "valid_steps",
]
