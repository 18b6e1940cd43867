"""A tree without each of its subtrees in turn."""

import numpy as np
from numpy.typing import NDArray

from sklseq.data.trees.forest import Forest

__all__ = ["without_subtrees"]


def without_subtrees(forest: Forest, tree: int) -> Forest:
    """Copies of one tree, one for each node in order: in it, the node is a leaf without a value."""
    here = slice(forest.starts[tree], forest.starts[tree] + forest.sizes[tree])
    parents = np.maximum(forest.parents[here] - forest.starts[tree], -1)
    copy, node = np.nonzero(~_descendants(parents, forest.levels([tree]).nodes - here.start))
    sizes = np.bincount(copy, minlength=len(parents))
    place = np.zeros((len(parents), len(parents)), dtype=np.int64)
    place[copy, node] = np.arange(len(copy))
    gone = copy == node
    symbols = features = None
    if forest.symbols is not None:
        symbols = forest.symbols[here][node]
        symbols[gone] = None
    if forest.features is not None:
        features = forest.features[here][node]
        features[gone] = 0
    new_parents = np.where(parents[node] < 0, -1, place[copy, parents[node]])
    has_features = forest.has_features[here][node] & ~gone
    return Forest(new_parents, sizes, symbols, features, None, None, has_features)


def _descendants(parents: NDArray[np.int64], from_the_root: NDArray[np.int64]) -> NDArray[np.bool_]:
    """``[i, j]``: whether node j is a descendant of node i."""
    below = np.zeros((len(parents), len(parents)), dtype=bool)
    for node in from_the_root[:0:-1]:
        parent = parents[node]
        below[parent] |= below[node]
        below[parent, node] = True
    return below
