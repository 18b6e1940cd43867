"""Reading X where a row is a tree or a pair of trees, and what targets of trees belong to."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklseq.base.symbols import warn_unknown_symbols
from sklseq.base.tables import check_finite_rows
from sklseq.base.target_rows import TargetRows
from sklseq.data import (
    Forest,
    Vocabulary,
    as_container,
    as_items,
    balanced_forest,
    check_no_times,
    flatten_labels,
    is_nested_table,
    is_panel_frame,
    read_forest,
    read_sequences,
)

__all__ = [
    "check_reader",
    "check_symbols",
    "index_of_symbols",
    "node_place",
    "of_forest",
    "read_trees",
    "vocabulary_of",
]

# Readers to which tables and arrays of numbers are sequences.
_OF_SEQUENCES = ("auto", "sequence")


def read_trees(
    model: Any,
    X: Any,
    *,
    reset: bool,
    reader: Any = "auto",
    dtype: DTypeLike = np.float64,
    pairs: bool = False,
) -> Forest:
    """Validate X and set, or compare with, the features that `fit` of `model` has seen.

    X is a list of trees; with `pairs` of pairs of trees, which become trees 2 i and 2 i + 1; a
    table; or an array of sequences. Raises ValueError or TypeError, naming the tree and node at
    fault.
    """
    items = _items(X, reader, pairs)
    if items is None and pairs:
        raise ValueError("pairs=True, but X holds no pairs of trees: each item needs two.")
    if items is None:
        return _read_numbers(model, as_container(X), reset, reader, dtype)
    if pairs:
        items = [tree for i, pair in enumerate(items) for tree in _two(pair, i)]
    name_of = {"name_of": _name_in_pairs} if pairs else {}
    forest = read_forest(items, reader=reader, dtype=dtype, **name_of)
    return _settled(model, forest, reset, dtype, pairs)


def _settled(
    model: Any, forest: Forest, reset: bool, dtype: DTypeLike, pairs: bool = False
) -> Forest:
    """The forest, once a first fit has taken the number of features from it."""
    if reset:
        n = 0 if forest.features is None else forest.features.shape[1]
        model._n_node_features, model.n_features_in_ = n, max(n, 1)
        model.__dict__.pop("feature_names_in_", None)
    return _with_features(model, forest, dtype, pairs)


def check_reader(reader: Any) -> None:
    """Refuse a tuple that is not a pair of functions."""
    if isinstance(reader, tuple) and not (len(reader) == 2 and all(map(callable, reader))):
        raise ValueError(f"reader={reader!r} is not the pair (value function, children function).")


def _items(X: Any, reader: Any, pairs: bool) -> list[Any] | None:
    """The items of X; None if it is a table or array of numbers, which are sequences."""
    named = isinstance(reader, str)  # numbers are roots for a reader of two functions alone
    if named and hasattr(X, "shape"):
        check_no_times(X)
    items = as_items(X, 2 if pairs else 1, numbers=not named)
    spelled = isinstance(X, list) and len(X) > 0 and all(isinstance(row, list) for row in X)
    return None if reader in _OF_SEQUENCES and spelled and is_nested_table(X) else items


def _read_numbers(model: Any, X: Any, reset: bool, reader: Any, dtype: DTypeLike) -> Forest:
    """Rows of a table, or sequences of an array or panel, as balanced binary trees."""
    shape = getattr(X, "shape", ())
    if reader not in _OF_SEQUENCES:
        raise ValueError(
            f"X of shape {shape} is no column of trees, but reader={reader!r} reads one tree an "
            "item: give a list, a Series or one column of X."
        )
    if is_panel_frame(X):
        steps = read_sequences(X, dtype=dtype)
        ends = np.cumsum(steps.lengths)[:-1]
        return _settled(model, read_forest(np.split(steps.steps, ends), dtype=dtype), reset, dtype)
    if len(shape) == 3:
        return _settled(model, _read_panel(X, dtype), reset, dtype)
    table = _validated(model, X if hasattr(X, "shape") else np.asarray(X), reset, dtype)
    forest = balanced_forest(check_finite_rows(table)[:, :, None])
    if reset:
        model._n_node_features = 1
    return _with_features(model, forest, dtype, False)


def _validated(model: Any, X: Any, reset: bool, dtype: DTypeLike) -> NDArray[Any]:
    """A table of numbers, checked by scikit-learn."""
    check_no_times(X)  # lists of them are an array now
    try:
        with np.errstate(over="ignore"):  # as infinity, what is too large is found later
            return validate_data(model, X, reset=reset, dtype=dtype, ensure_all_finite=False)
    except (ValueError, TypeError) as error:
        if getattr(getattr(X, "dtype", None), "kind", "O") in "biufc" or len(X.shape) != 2:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"{error} A table of several columns holds numbers, the steps of a sequence in each "
            "row; trees stand in a list, a Series or one column (and numpy makes a table of tuples "
            "of equal length: give the list of them)."
        ) from error


def _read_panel(X: Any, dtype: DTypeLike) -> Forest:
    if 0 in X.shape:
        raise ValueError(f"X has shape {X.shape}: sequences, steps and features are needed.")
    flat = np.asarray(X).reshape(len(X), -1)
    with np.errstate(over="ignore"):
        flat = check_array(flat, dtype=dtype, ensure_all_finite=False, input_name="X")
    return balanced_forest(check_finite_rows(flat).reshape(X.shape))


def _two(pair: Any, i: int) -> Any:
    if isinstance(pair, (str, bytes, dict)) or not hasattr(pair, "__len__") or len(pair) != 2:
        raise ValueError(f"pairs=True, but X, item {i} is not a pair of trees.")
    return pair


def _name_in_pairs(tree: int) -> str:
    return f"Pair {tree // 2}, tree {tree % 2}"


def node_place(forest: Forest, node: int, pairs: bool = False) -> str:
    """What messages call one of the stacked nodes."""
    tree, node = forest.locate(node)
    return f"{_name_in_pairs(tree) if pairs else f'Tree {tree}'}, node {node}"


def _with_features(model: Any, forest: Forest, dtype: DTypeLike, pairs: bool) -> Forest:
    """The forest, zeros where nodes have no features; features of another length are refused."""
    wanted = model._n_node_features
    found = 0 if forest.features is None else forest.features.shape[1]
    if found == wanted:
        return forest
    if found == 0:
        return forest.with_features(np.zeros((forest.n_nodes, wanted), dtype=dtype))
    place = node_place(forest, int(forest.has_features.argmax()), pairs)
    raise ValueError(
        f"X has {found} features at a node, but {type(model).__name__} is expecting {wanted} "
        f"features as input ({place}, is the first that has some)."
    )


# -- symbols -------------------------------------------------------------------------------


def vocabulary_of(forest: Forest, min_count: int) -> NDArray[Any] | None:
    """Sorted symbols that nodes have at least so many times; None if X has no symbols."""
    if forest.symbols is None:
        return None
    found = [s for s in forest.symbols if s is not None]
    if not found:
        return np.array([], dtype=str)
    counts = Counter(found)
    known = sorted(symbol for symbol, count in counts.items() if count >= min_count)
    array = np.array(known, dtype=str if isinstance(found[0], str) else np.int64)
    # numpy drops null characters at the end of a str.
    return array if array.tolist() == known else np.array(known, dtype=object)


def index_of_symbols(forest: Forest, vocabulary: NDArray[Any] | None) -> NDArray[np.int64] | None:
    """Index of each node's symbol: 0 for none, 1 for an unknown one; None without vocabulary."""
    if vocabulary is None:
        return None
    if forest.symbols is None:
        return np.zeros(forest.n_nodes, dtype=np.int64)
    index = Vocabulary(vocabulary.tolist()).encode(forest.symbols) + 1
    index[[symbol is None for symbol in forest.symbols]] = 0
    return index


def check_symbols(
    forest: Forest, vocabulary: NDArray[Any] | None, name: str, pairs: bool = False
) -> None:
    """Refuse symbols where there were none, or of another type; warn if most are unknown.

    `vocabulary` has the symbols of `fit`; messages call the estimator `name`.
    """
    symbols = () if forest.symbols is None else forest.symbols
    node = next((i for i, symbol in enumerate(symbols) if symbol is not None), None)
    if node is None:
        return
    is_word = isinstance(symbols[node], str)
    if vocabulary is None:
        fitted = "without symbols"
    elif not len(vocabulary) or is_word == (vocabulary.dtype.kind in "UO"):
        found = np.array([symbol for symbol in symbols if symbol is not None], dtype=object)
        is_known = Vocabulary(vocabulary.tolist()).encode(found) > 0
        warn_unknown_symbols(found, is_known, vocabulary, name, "Write trees as in fit.")
        return
    else:
        fitted = f"on symbols of type {'int' if is_word else 'str'}"
    raise ValueError(
        f"{node_place(forest, node, pairs)} has the symbol {symbols[node]!r}, but {name} was "
        f"fitted {fitted}."
    )


# -- targets -------------------------------------------------------------------------------


def of_forest(forest: Forest, per_node: bool = False, trees_per_row: int = 1) -> TargetRows:
    """Trees, tuples of trees, or the nodes of trees that get results."""
    sizes = forest.n_results.reshape(-1, trees_per_row).sum(axis=1)
    return TargetRows(
        "tree", "node", sizes, per_node, lambda values, name: flatten_labels(values, forest, name)
    )
