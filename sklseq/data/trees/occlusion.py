"""A tree without each of its subtrees in turn."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sklseq.data.trees.forest import Forest

__all__ = ["without_subtrees"]

# Nodes of the copies that are made at once.
_MAX_NODES = 1 << 20


def without_subtrees(forest: Forest, tree: int) -> Iterator[Forest]:
    """Copies of one tree, one for each node: in it, the node is a leaf without a value.

    Parameters
    ----------
    forest : Forest
    tree : int

    Yields
    ------
    Forest
        In all as many trees as the tree has nodes, in their order; a part of them each time.
    """
    here = slice(forest.starts[tree], forest.starts[tree] + forest.sizes[tree])
    parents = np.maximum(forest.parents[here] - forest.starts[tree], -1)
    first, last = _extents(parents, forest.levels([tree]).nodes - here.start)
    n = len(parents)
    for nodes in np.array_split(np.arange(n), min(n, -(-(n**2) // _MAX_NODES))):
        below = (first > first[nodes, None]) & (first < last[nodes, None])
        yield _copies(forest, here, parents, nodes, ~below)


def _copies(
    forest: Forest,
    here: slice,
    parents: NDArray[np.int64],
    gone: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> Forest:
    """The nodes `kept` of a tree for each node that is `gone`."""
    copy, node = np.nonzero(kept)
    place = np.zeros(kept.shape, dtype=np.int64)
    place[copy, node] = np.arange(len(copy))
    is_gone = gone[copy] == node
    symbols = features = None
    if forest.symbols is not None:
        symbols = forest.symbols[here][node]
        symbols[is_gone] = None
    if forest.features is not None:
        features = forest.features[here][node]
        features[is_gone] = 0
    new_parents = np.where(parents[node] < 0, -1, place[copy, parents[node]])
    has_features = forest.has_features[here][node] & ~is_gone
    sizes = kept.sum(axis=1)
    return Forest(new_parents, sizes, symbols, features, None, None, has_features)


def _extents(
    parents: NDArray[np.int64], from_the_root: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of each node with parents first, and of the first after its descendants."""
    sizes = np.ones(len(parents), dtype=np.int64)
    for node in from_the_root[:0:-1]:
        sizes[parents[node]] += sizes[node]
    first = np.zeros(len(parents), dtype=np.int64)
    free = np.ones(len(parents), dtype=np.int64)  # number of a node's next child
    for node in from_the_root[1:]:
        parent = parents[node]
        first[node] = free[parent]
        free[parent] += sizes[node]
        free[node] = first[node] + 1
    return first, first + sizes
