"""Ragged sequences, trees, targets and symbols, in numpy alone; errors that name the place."""

from sklseq.data._balanced_trees import balanced_forest
from sklseq.data._column import Column
from sklseq.data._column_values import kind_of
from sklseq.data._columns import Columns, is_frame
from sklseq.data._normal_scale import NormalScale
from sklseq.data._sequences import (
    Sequences,
    as_container,
    check_finite,
    check_symbols,
    is_nested_table,
    is_table,
    read_sequences,
    valid_steps,
)
from sklseq.data._symbols import Vocabulary
from sklseq.data._targets import as_labels, stack_steps, unlabelled
from sklseq.data._tree_occlusion import without_subtrees
from sklseq.data._tree_readers import READERS, read_forest
from sklseq.data._tree_targets import flatten_labels
from sklseq.data._trees import Forest, Levels

__all__ = [
    "READERS",
    "Column",
    "Columns",
    "Forest",
    "Levels",
    "NormalScale",
    "Sequences",
    "Vocabulary",
    "as_container",
    "as_labels",
    "balanced_forest",
    "check_finite",
    "check_symbols",
    "flatten_labels",
    "is_frame",
    "is_nested_table",
    "is_table",
    "kind_of",
    "read_forest",
    "read_sequences",
    "stack_steps",
    "unlabelled",
    "valid_steps",
    "without_subtrees",
]
