"""Sequences, images, trees, targets and symbols, in numpy alone; errors that name the place."""

from sklseq.data.arrays import as_array, as_container, first_date, missing
from sklseq.data.images.container import Images
from sklseq.data.sequences.checks import (
    check_finite,
    check_numeric,
    check_one_kind,
    number_hint,
    padded_sequences,
    place_in,
)
from sklseq.data.sequences.container import Sequences
from sklseq.data.sequences.frames import is_panel_frame, lengths_of_index
from sklseq.data.sequences.nested import is_nested, nested_rows
from sklseq.data.sequences.reading import (
    as_sequences,
    is_nested_table,
    is_table,
    read_sequences,
)
from sklseq.data.sequences.symbols import Vocabulary
from sklseq.data.sequences.targets import as_labels, read_steps, stack_steps
from sklseq.data.sequences.text import holds_prose, holds_texts, lowered, tokenized
from sklseq.data.sequences.times import (
    check_index_times,
    check_steps_in_time,
    times_in_numbers,
)
from sklseq.data.tables.column import Column
from sklseq.data.tables.column_values import kind_of
from sklseq.data.tables.columns import Columns
from sklseq.data.tables.containers import FrameContainer, is_frame, plain_frame
from sklseq.data.tables.normal_scale import NormalScale
from sklseq.data.tables.times import holds_times
from sklseq.data.trees.balanced import balanced_forest
from sklseq.data.trees.brackets import parse_brackets
from sklseq.data.trees.containers import as_items, check_no_times
from sklseq.data.trees.forest import Forest, Levels
from sklseq.data.trees.occlusion import without_subtrees
from sklseq.data.trees.readers import READERS, read_forest
from sklseq.data.trees.targets import flatten_labels, read_nodes

__all__ = [
    "READERS",
    "Column",
    "Columns",
    "Forest",
    "FrameContainer",
    "Images",
    "Levels",
    "NormalScale",
    "Sequences",
    "Vocabulary",
    "as_array",
    "as_container",
    "as_items",
    "as_labels",
    "as_sequences",
    "balanced_forest",
    "check_finite",
    "check_index_times",
    "check_no_times",
    "check_numeric",
    "check_one_kind",
    "check_steps_in_time",
    "first_date",
    "flatten_labels",
    "holds_prose",
    "holds_texts",
    "holds_times",
    "is_frame",
    "is_nested",
    "is_nested_table",
    "is_panel_frame",
    "is_table",
    "kind_of",
    "lengths_of_index",
    "lowered",
    "missing",
    "nested_rows",
    "number_hint",
    "padded_sequences",
    "parse_brackets",
    "place_in",
    "plain_frame",
    "read_forest",
    "read_nodes",
    "read_sequences",
    "read_steps",
    "stack_steps",
    "times_in_numbers",
    "tokenized",
    "without_subtrees",
]
