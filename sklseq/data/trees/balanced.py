"""Sequences as balanced binary trees, which have few levels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.trees.forest import Forest

__all__ = ["balanced_forest", "balanced_tree"]


def balanced_tree(n_leaves: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Parents in preorder, and the leaves from left to right, of a balanced binary tree."""
    parents = np.empty(2 * n_leaves - 1, dtype=np.int64)
    leaves = np.empty(n_leaves, dtype=np.int64)
    # Subtrees of one level at once: where they start, what they hold, whose children they are.
    start, count, first = np.array([0]), np.array([n_leaves]), np.array([0])
    parents[0] = -1
    while len(start):
        single = count == 1
        leaves[first[single]] = start[single]
        start, count, first = start[~single], count[~single], first[~single]
        left = (count + 1) // 2
        right_start = start + 2 * left
        parents[start + 1] = parents[right_start] = start
        start = np.concatenate([start + 1, right_start])
        first = np.concatenate([first, first + left])
        count = np.concatenate([left, count - left])
    return parents, leaves


def balanced_forest(steps: NDArray[Any]) -> Forest:
    """Sequences ``(n_sequences, n_steps, n_features)`` as balanced binary trees."""
    n, n_steps, n_features = steps.shape
    parents, leaves = balanced_tree(n_steps)
    size = len(parents)
    starts = size * np.arange(n)[:, None]
    features = np.zeros((n, size, n_features), dtype=steps.dtype)
    features[:, leaves] = steps
    is_leaf = np.zeros(size, dtype=bool)
    is_leaf[leaves] = True
    return Forest(
        np.where(parents < 0, -1, parents + starts).ravel(),
        np.full(n, size),
        None,
        features.reshape(n * size, n_features),
        None,
        np.tile(is_leaf, n),
        np.tile(is_leaf, n),
    )
