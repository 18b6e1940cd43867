"""Reading X where a row is a tree or a pair of trees, and what targets of trees belong to."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.utils.validation import validate_data

from sklseq.base.tables import check_finite_rows
from sklseq.base.target_rows import TargetRows
from sklseq.data import (
    Forest,
    Vocabulary,
    as_container,
    balanced_forest,
    flatten_labels,
    is_nested_table,
    is_table,
    read_forest,
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
    X = as_container(X)
    if pairs:
        forest = _read_pairs(X, reader, dtype)
    elif _is_table(X):
        with np.errstate(over="ignore"):  # as infinity, what is too large is found below
            table = validate_data(model, X, reset=reset, dtype=dtype, ensure_all_finite=False)
        forest = balanced_forest(check_finite_rows(table)[:, :, None])
        if reset:
            model._n_node_features = 1
        return _with_features(model, forest, dtype, pairs)
    elif getattr(X, "ndim", 1) == 3:
        forest = _read_panel(X, dtype)
    elif isinstance(X, str) or not hasattr(X, "__iter__"):
        raise TypeError(f"X is a {type(X).__name__}, not a list of trees.")
    else:
        forest = read_forest(X, reader=reader, dtype=dtype)
    if reset:
        n = 0 if forest.features is None else forest.features.shape[1]
        model._n_node_features, model.n_features_in_ = n, max(n, 1)
        model.__dict__.pop("feature_names_in_", None)
    return _with_features(model, forest, dtype, pairs)


def check_reader(reader: Any) -> None:
    """Refuse a tuple that is not a pair of functions."""
    if isinstance(reader, tuple) and not (len(reader) == 2 and all(map(callable, reader))):
        raise ValueError(f"reader={reader!r} is not the pair (value function, children function).")


def _is_table(X: Any) -> bool:
    """Whether X is a 2-D table; rows that are tuples are trees."""
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X.ndim < 3
    of_lists = isinstance(X, list) and all(isinstance(row, list) for row in X)
    return is_table(X) or (of_lists and len(X) > 0 and is_nested_table(X))


def _read_panel(X: NDArray[Any], dtype: DTypeLike) -> Forest:
    if 0 in X.shape:
        raise ValueError(f"X has shape {X.shape}: sequences, steps and features are needed.")
    with np.errstate(over="ignore"):
        flat = X.reshape(len(X), -1).astype(dtype)
    check_finite_rows(flat)
    return balanced_forest(flat.reshape(X.shape))


def _read_pairs(X: Any, reader: Any, dtype: DTypeLike) -> Forest:
    if _is_table(X) or getattr(X, "ndim", 1) == 3 or not hasattr(X, "__iter__"):
        raise ValueError("pairs=True, but X holds no pairs of trees: each item needs two.")
    trees: list[Any] = []
    for i, pair in enumerate(X):
        if isinstance(pair, (str, dict)) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise ValueError(f"pairs=True, but X, item {i} is not a pair of trees.")
        trees.extend(pair)
    return read_forest(trees, reader=reader, dtype=dtype, name_of=_name_in_pairs)


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
    known, counts = np.unique(np.array(found), return_counts=True)
    return known[counts >= min_count]


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
    """Refuse symbols where there were none, or of another type: all would be unknown.

    `vocabulary` has the symbols of `fit`; messages call the estimator `name`.
    """
    symbols = () if forest.symbols is None else forest.symbols
    node = next((i for i, symbol in enumerate(symbols) if symbol is not None), None)
    if node is None or (vocabulary is not None and not len(vocabulary)):
        return
    is_word = isinstance(symbols[node], str)
    if vocabulary is None:
        fitted = "without symbols"
    elif is_word == (vocabulary.dtype.kind == "U"):
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
