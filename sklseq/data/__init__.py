"""Ragged sequences, trees, targets and symbols, in numpy alone; errors that name the place."""

from sklseq.data.sequences.checks import check_finite, check_one_kind
from sklseq.data.sequences.container import Sequences
from sklseq.data.sequences.frames import is_panel_frame
from sklseq.data.sequences.reading import (
    as_container,
    is_nested_table,
    is_table,
    read_sequences,
)
from sklseq.data.sequences.symbols import Vocabulary
from sklseq.data.sequences.targets import as_labels, missing, read_steps, stack_steps, unlabeled
from sklseq.data.tables.column import Column
from sklseq.data.tables.column_values import kind_of
from sklseq.data.tables.columns import Columns, is_frame
from sklseq.data.tables.normal_scale import NormalScale
from sklseq.data.trees.balanced import balanced_forest
from sklseq.data.trees.brackets import parse_brackets
from sklseq.data.trees.containers import as_items, check_no_times
from sklseq.data.trees.forest import Forest, Levels
from sklseq.data.trees.occlusion import without_subtrees
from sklseq.data.trees.readers import READERS, read_forest
from sklseq.data.trees.targets import flatten_labels

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
    "as_items",
    "as_labels",
    "balanced_forest",
    "check_finite",
    "check_no_times",
    "check_one_kind",
    "flatten_labels",
    "is_frame",
    "is_nested_table",
    "is_panel_frame",
    "is_table",
    "kind_of",
    "missing",
    "parse_brackets",
    "read_forest",
    "read_sequences",
    "read_steps",
    "stack_steps",
    "unlabeled",
    "without_subtrees",
]
