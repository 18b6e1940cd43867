"""Targets per node: nested as the tree is, or one after the other."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklseq.data.sequences.targets import as_labels
from sklseq.data.trees.containers import as_items
from sklseq.data.trees.forest import Forest
from sklseq.data.trees.readers import walk_tuples
from sklseq.data.trees.values import plain_array

__all__ = ["NodeValues", "flatten_labels", "read_nodes"]


class NodeValues(NamedTuple):
    """Values of the nodes of trees, one after the other.

    `sizes` are the numbers of nodes, and `parents` the shape of each tree: None of a list.
    """

    values: NDArray[Any]
    sizes: list[int]
    parents: list[NDArray[np.int64] | None]


def read_nodes(
    y: Any, name: str = "y", like: NodeValues | None = None, like_name: str = "y"
) -> NodeValues:
    """Values per node of trees that are not there themselves, but may be compared with others'.

    As in `flatten_labels`; where values do not go with those of `like`, tree and node are named.
    """
    trees = [_read_tree(item, f"{name}, tree {i}") for i, item in enumerate(_items(y, name))]
    sizes, parents = [len(values) for values, _ in trees], [shape for _, shape in trees]
    if like is not None and len(sizes) != len(like.sizes):
        raise ValueError(f"{name} has {len(sizes)} trees, but {like_name} has {len(like.sizes)}.")
    for i, shape in enumerate(parents if like is not None else ()):
        assert like is not None
        place, known = f"{name}, tree {i}", like.parents[i]
        if shape is not None and known is not None:
            _check_shape(shape, known, place, like_name)
        _check_count(sizes[i], like.sizes[i], place, like_name)
    return NodeValues(_stacked([v for values, _ in trees for v in values], name), sizes, parents)


def flatten_labels(y: Any, X: Forest, name: str = "y") -> NDArray[Any]:
    """Values per node stacked in the order of the nodes of X that get results.

    y has for each tree nested tuples of its shape, or a list or array with a value for each node.
    Where values do not fit, tree and node are named.
    """
    items = _items(y, name)
    if len(items) != len(X):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {name} has {len(items)} "
            f"trees, but X has {len(X)}."
        )
    stacked: list[Any] = []
    for i, (item, count) in enumerate(zip(items, X.n_results, strict=True)):
        place = f"{name}, tree {i}"
        values, parents = _read_tree(item, place)
        if parents is not None:
            start, size = X.starts[i], X.sizes[i]
            shape = np.maximum(X.parents[start : start + size] - start, -1)
            _check_shape(parents, shape, place, "X")
        _check_count(len(values), count, place, "X")
        stacked.extend(values)
    return _stacked(stacked, name)


def _read_tree(item: Any, place: str) -> tuple[list[Any], NDArray[np.int64] | None]:
    """Values of the nodes of a tree, and its shape if they are nested as it is."""
    if isinstance(item, tuple):
        nodes = walk_tuples(item, place)
        return nodes.values, np.asarray(nodes.parents)
    item = plain_array(item)
    return (list(item) if _has_length(item) else [item]), None


def _stacked(values: list[Any], name: str) -> NDArray[Any]:
    try:
        return as_labels(values)
    except ValueError as error:
        raise ValueError(
            f"{name} has nodes with different numbers of values: give each node as many."
        ) from error


def _check_count(found: int, count: int, place: str, of: str) -> None:
    if found != count:
        raise ValueError(f"{place} has {found} values, but {of} has {count} nodes there.")


def _check_shape(found: NDArray[np.int64], shape: NDArray[np.int64], place: str, of: str) -> None:
    n = min(len(found), len(shape))
    differs = np.flatnonzero(found[:n] != shape[:n])
    if len(differs) or len(found) != len(shape):
        node = differs[0] if len(differs) else n
        whose = "the tree of X" if of == "X" else f"that of {of}"
        raise ValueError(f"{place} has another shape than {whose}, from node {node} on.")


def _items(y: Any, name: str) -> list[Any]:
    """What each tree has: of a table of numbers a row, else what the container holds."""
    if isinstance(y, dict) or not hasattr(y, "__iter__"):
        return []
    items = as_items(y, name=name)
    return list(np.asarray(y)) if items is None else items


def _has_length(values: Any) -> bool:
    return isinstance(values, (list, tuple)) or getattr(values, "ndim", 0) > 0
