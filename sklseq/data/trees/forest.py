"""The one form of trees: stacked nodes with parents, compiled to levels by depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forest", "Levels"]


@dataclass(frozen=True, eq=False)
class Levels:
    """Some trees of a forest by depth: what a network needs to run over them.

    Nodes are numbered level by level from the roots down; within a level those with children
    come first. The children of a level's nodes are the whole next level.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes,)
        Index of each node in the forest.
    parents : ndarray of shape (n_nodes,)
        Number of each node's parent within the level above; 0 for roots.
    positions : ndarray of shape (n_nodes,)
        Place of each node among its siblings, from 0.
    sizes, n_inner : ndarray of shape (n_levels,)
        Nodes of each level, and those of them with children.
    roots : ndarray of shape (n_trees,)
        Number of each tree's root.
    trees : ndarray of shape (n_nodes,)
        Which of the trees each node belongs to.
    results : ndarray of shape (n_results,)
        Numbers of the nodes that results are given for: tree by tree, in the order of the input.
    """

    nodes: NDArray[np.int64]
    parents: NDArray[np.int64]
    positions: NDArray[np.int64]
    sizes: NDArray[np.int64]
    n_inner: NDArray[np.int64]
    roots: NDArray[np.int64]
    trees: NDArray[np.int64]
    results: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of trees."""
        return len(self.roots)

    @cached_property
    def parent_numbers(self) -> NDArray[np.int64]:
        """Number of each node's parent among all nodes, for the nodes below the roots."""
        starts = np.cumsum(self.sizes) - self.sizes
        return np.repeat(starts[:-1], self.sizes[1:]) + self.parents[self.sizes[0] :]


class Forest:
    """Trees as stacked nodes.

    Raises ValueError if a tree has no root, two roots or a cycle; tree and node are named.

    Parameters
    ----------
    parents : ndarray of shape (n_nodes,)
        Index of each node's parent among all nodes, -1 for a root. Siblings are ordered by index.
    sizes : ndarray of shape (n_trees,)
        Nodes of each tree; they stand together.
    symbols : ndarray of object of shape (n_nodes,) or None, default=None
        Symbol of each node, None where it has none.
    features : ndarray of shape (n_nodes, n_features) or None, default=None
        Feature vectors, 0 where a node has none.
    nested : ndarray of bool of shape (n_trees,) or None, default=None
        Trees whose results per node are nested as the tree is; None is none of them.
    results : ndarray of bool of shape (n_nodes,) or None, default=None
        Nodes that get targets and results; None is all.
    has_features : ndarray of bool of shape (n_nodes,) or None, default=None
        Nodes that have a feature vector; None is all.

    Examples
    --------
    >>> forest = Forest(np.array([-1, 0, 0, 2]), np.array([4]))
    >>> forest.levels([0]).sizes
    array([1, 2, 1])
    """

    def __init__(
        self,
        parents: NDArray[np.int64],
        sizes: NDArray[np.int64],
        symbols: NDArray[Any] | None = None,
        features: NDArray[Any] | None = None,
        nested: NDArray[np.bool_] | None = None,
        results: NDArray[np.bool_] | None = None,
        has_features: NDArray[np.bool_] | None = None,
    ):
        self.parents, self.sizes = parents, sizes
        self.symbols, self.features = symbols, features
        self.nested = np.zeros(len(sizes), dtype=bool) if nested is None else nested
        self.results = np.ones(len(parents), dtype=bool) if results is None else results
        everywhere = np.ones(len(parents), dtype=bool)
        self.has_features = everywhere if has_features is None else has_features
        self.starts = np.cumsum(sizes) - sizes
        self._compile()

    def __len__(self) -> int:
        """Number of trees."""
        return len(self.sizes)

    @property
    def n_nodes(self) -> int:
        """Number of nodes of all trees."""
        return len(self.parents)

    @cached_property
    def n_results(self) -> NDArray[np.int64]:
        """Number of nodes of each tree that get targets and results."""
        return np.add.reduceat(self.results.astype(np.int64), self.starts)

    @property
    def arity(self) -> int:
        """Largest number of children."""
        return int(self._n_children.max())

    @property
    def depth(self) -> int:
        """Largest distance of a node from its root."""
        return int(self._depth.max())

    def locate(self, node: int) -> tuple[int, int]:
        """Tree, and node within it, of one of the stacked nodes."""
        tree = int(np.searchsorted(self.starts, node, side="right")) - 1
        return tree, int(node - self.starts[tree])

    def widest(self) -> int:
        """The node with the most children."""
        return int(self._order[self._n_children.argmax()])

    def with_features(self, features: NDArray[Any]) -> "Forest":
        """The same trees with other feature vectors."""
        twin = object.__new__(Forest)
        twin.__dict__.update(self.__dict__, features=features)
        return twin

    def _compile(self) -> None:
        """Number the nodes of each tree breadth first, over all trees at once."""
        n = self.n_nodes
        self._check_roots()
        children = np.argsort(self.parents, kind="stable")
        counts = np.bincount(self.parents + 1, minlength=n + 1)
        starts, counts = np.cumsum(counts)[:-1], counts[1:]
        level = children[: starts[0]]
        found, depths = [], []
        while len(level):
            found.append(level)
            depths.append(len(level))
            level = children[_ranges(starts[level], counts[level])]
        order = np.concatenate(found)
        self._check_reached(order)
        depth = np.repeat(np.arange(len(found)), depths)
        tree = np.repeat(np.arange(len(self)), self.sizes)
        by_tree = np.argsort(tree[order], kind="stable")
        self._order = order[by_tree]
        self._depth = depth[by_tree]
        self._n_children = counts[self._order]
        place = np.empty(n, dtype=np.int64)
        place[self._order] = np.arange(n)
        parent = self.parents[self._order]
        self._parent = np.where(parent < 0, np.arange(n), place[parent])
        rank = np.empty(n, dtype=np.int64)
        rank[children] = np.arange(n) - np.concatenate([[0], starts])[self.parents[children] + 1]
        self._position = np.where(parent < 0, 0, rank[self._order])
        # Of the nodes with results, in the order of the input: their places breadth first.
        self._result_place = place[self.results]
        self._result_starts = np.cumsum(self.n_results) - self.n_results

    def _check_roots(self) -> None:
        roots = np.flatnonzero(self.parents < 0)
        tree = np.repeat(np.arange(len(self)), self.sizes)[roots]
        counts = np.bincount(tree, minlength=len(self))
        if (counts == 1).all():
            return
        i = int(np.argmax(counts != 1))
        if counts[i] == 0:
            raise ValueError(f"Tree {i} has no root: every node has a parent, so there is a cycle.")
        first, second = (roots[tree == i] - self.starts[i])[:2]
        raise ValueError(f"Tree {i} has two roots: nodes {first} and {second} have no parent.")

    def _check_reached(self, order: NDArray[np.int64]) -> None:
        if len(order) == self.n_nodes:
            return
        reached = np.zeros(self.n_nodes, dtype=bool)
        reached[order] = True
        tree, node = self.locate(int(np.argmin(reached)))
        raise ValueError(
            f"Tree {tree} has a cycle: from node {node}, parent after parent leads to no root."
        )

    def levels(self, trees: Sequence[int] | NDArray[np.int64]) -> Levels:
        """Levels of these trees, in their order."""
        trees = np.asarray(trees, dtype=np.int64)
        sizes = self.sizes[trees]
        starts = np.cumsum(sizes) - sizes
        chosen = _ranges(self.starts[trees], sizes)
        key = 2 * self._depth[chosen] + (self._n_children[chosen] == 0)
        order = np.argsort(key, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        # Place of a tree's first node in this batch less its place in the forest.
        shift = np.repeat(starts - self.starts[trees], sizes)
        counts = np.bincount(key)
        counts = np.append(counts, np.zeros(len(counts) % 2, dtype=np.int64)).reshape(-1, 2)
        level_sizes = counts.sum(axis=1)
        depth = self._depth[chosen][order]
        parents = place[(self._parent[chosen] + shift)[order]]
        above = np.concatenate([[0], np.cumsum(level_sizes) - level_sizes])[depth]
        n_results = self.n_results[trees]
        results = self._result_place[self.result_index(trees)]
        results = results + np.repeat(starts - self.starts[trees], n_results)
        return Levels(
            nodes=self._order[chosen][order],
            parents=np.where(depth > 0, parents - above, 0),
            positions=self._position[chosen][order],
            sizes=level_sizes,
            n_inner=counts[:, 0],
            roots=place[starts],
            trees=np.repeat(np.arange(len(trees)), sizes)[order],
            results=place[results],
        )

    def result_index(self, trees: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of the results of these trees among all results."""
        trees = np.asarray(trees, dtype=np.int64)
        return _ranges(self._result_starts[trees], self.n_results[trees])

    def restore(self, values: NDArray[Any]) -> NDArray[np.object_]:
        """Values of the nodes with results ``(n_results, ...)``, for each tree in its shape.

        That is ``(value, child, ...)`` nested as the tree is, or an array of the values.
        """
        out = np.empty(len(self), dtype=object)
        bounds = np.cumsum(self.n_results)
        for i, (end, count) in enumerate(zip(bounds, self.n_results, strict=True)):
            of_tree = values[end - count : end]
            if self.nested[i]:
                start = self.starts[i]
                parents = self.parents[start : start + self.sizes[i]] - start
                # Labels as Python's own, as they are in the trees of X.
                items = of_tree.tolist() if of_tree.ndim == 1 else of_tree
                out[i] = _nest(items, parents)
            else:
                out[i] = of_tree
        return out


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """``start, start + 1, ...`` of each count, one after the other."""
    offsets = starts - (np.cumsum(counts) - counts)
    return np.repeat(offsets, counts) + np.arange(counts.sum())


def _nest(values: Any, parents: NDArray[np.int64]) -> tuple[Any, ...]:
    """Nested tuples of values in preorder."""
    children: list[list[Any]] = [[] for _ in parents]
    node: tuple[Any, ...] = ()
    for i in range(len(parents) - 1, -1, -1):  # children come after their parents
        node = (values[i], *reversed(children[i]))
        if i:
            children[parents[i]].append(node)
    return node
