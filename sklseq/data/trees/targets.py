"""Targets per node: nested as the tree is, or one after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.sequences.targets import as_labels
from sklseq.data.trees.containers import as_items
from sklseq.data.trees.forest import Forest
from sklseq.data.trees.readers import walk_tuples
from sklseq.data.trees.values import plain_array

__all__ = ["flatten_labels"]


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
        if isinstance(item, tuple):
            nodes = walk_tuples(item, place)
            start, size = X.starts[i], X.sizes[i]
            shape = np.maximum(X.parents[start : start + size] - start, -1)
            _check_shape(nodes.parents, shape, place)
            values: Any = nodes.values
        else:
            item = plain_array(item)
            values = list(item) if _has_length(item) else [item]
        if len(values) != count:
            raise ValueError(f"{place} has {len(values)} values, but X has {count} nodes there.")
        stacked.extend(values)
    try:
        return as_labels(stacked)
    except ValueError as error:
        raise ValueError(
            f"{name} has nodes with different numbers of values: give each node as many."
        ) from error


def _check_shape(found: NDArray[np.int64], shape: NDArray[np.int64], place: str) -> None:
    n = min(len(found), len(shape))
    differs = np.flatnonzero(found[:n] != shape[:n])
    if len(differs) or len(found) != len(shape):
        node = differs[0] if len(differs) else n
        raise ValueError(f"{place} has another shape than the tree of X, from node {node} on.")


def _items(y: Any, name: str) -> list[Any]:
    """What each tree has: of a table of numbers a row, else what the container holds."""
    if isinstance(y, dict) or not hasattr(y, "__iter__"):
        return []
    items = as_items(y, name=name)
    return list(np.asarray(y)) if items is None else items


def _has_length(values: Any) -> bool:
    return isinstance(values, (list, tuple)) or getattr(values, "ndim", 0) > 0
