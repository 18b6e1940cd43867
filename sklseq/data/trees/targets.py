"""Targets per node: nested as the tree is, or one after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.sequences.targets import as_labels
from sklseq.data.trees.forest import Forest
from sklseq.data.trees.readers import walk_tuples

__all__ = ["flatten_labels"]


def flatten_labels(y: Any, X: Forest, name: str = "y") -> NDArray[Any]:
    """Values per node stacked in the order of the nodes of X that get results.

    y has for each tree nested tuples of its shape, or a list or array with a value for each node.
    Where values do not fit, tree and node are named.
    """
    items = list(y) if hasattr(y, "__iter__") else []
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
            values = list(item) if np.ndim(item) else [item]
        if len(values) != count:
            raise ValueError(f"{place} has {len(values)} values, but X has {count} nodes there.")
        stacked.extend(values)
    return as_labels(stacked)


def _check_shape(found: NDArray[np.int64], shape: NDArray[np.int64], place: str) -> None:
    n = min(len(found), len(shape))
    differs = np.flatnonzero(found[:n] != shape[:n])
    if len(differs) or len(found) != len(shape):
        node = differs[0] if len(differs) else n
        raise ValueError(f"{place} has another shape than the tree of X, from node {node} on.")
