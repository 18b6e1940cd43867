"""Running a cell over trees: level by level for whole batches, or node by node as the oracle."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.data import Levels

__all__ = ["ENGINES", "Cell", "Children", "RecursivePlan", "TreePlan"]


class Children:
    """The children of some nodes, for `compose`.

    Parameters
    ----------
    states : Tensor of shape (n_children, state_size)
    parents : Tensor of shape (n_children,)
        Which of the nodes each is a child of.
    positions : Tensor of shape (n_children,)
        Place among its siblings, from 0.
    n_nodes : int
    slots : Tensor of shape (n_nodes * arity,) or None, default=None
        Child at each position of each node, or `n_children` where there is none; computed if
        not given.
    """

    def __init__(
        self,
        states: Tensor,
        parents: Tensor,
        positions: Tensor,
        n_nodes: int,
        slots: Tensor | None = None,
    ):
        self.states, self.parents, self.positions = states, parents, positions
        self.n_nodes, self._slots = n_nodes, slots

    def sum(self, values: Tensor) -> Tensor:
        """Sum of ``(n_children, k)`` values over the children of each node, ``(n_nodes, k)``."""
        zeros = values.new_zeros(self.n_nodes, values.shape[1])
        return zeros.index_add(0, self.parents, values)

    def of_parent(self, values: Tensor) -> Tensor:
        """For each child its parent's row of ``(n_nodes, k)`` values."""
        return values.index_select(0, self.parents)

    @cached_property
    def counts(self) -> Tensor:
        """Number of children of each node, ``(n_nodes, 1)``."""
        ones = self.states.new_ones(len(self.states), 1)
        return ones.new_zeros(self.n_nodes, 1).index_add(0, self.parents, ones)

    def slots(self, arity: int) -> Tensor:
        """Child at each position of each node, `n_children` for none, ``(n_nodes * arity,)``."""
        if self._slots is None:
            n = len(self.parents)
            slots = self.parents.new_full((self.n_nodes * arity,), n)
            places = self.parents * arity + self.positions
            self._slots = slots.index_copy(0, places, torch.arange(n, device=slots.device))
        return self._slots

    def spread(self, values: Tensor, arity: int) -> Tensor:
        """Values of the children side by side, zeros for none, ``(n_nodes, arity, k)``."""
        padded = torch.cat([values, values.new_zeros(1, values.shape[1])])
        slots = self.slots(arity) if self._slots is None else self._slots
        spread = padded.index_select(0, slots)
        return spread.view(self.n_nodes, arity, values.shape[1])


class Cell(Protocol):
    """Protocol of a cell: see `sklseq.nn.trees.cells.TreeCell`."""

    arity: int | None
    hidden_size: int
    state_size: int

    def parameters(self) -> Iterable[Tensor]: ...
    def project(self, x: Tensor) -> Tensor: ...
    def leaf(self, x: Tensor) -> Tensor: ...
    def compose(self, x: Tensor, children: Children) -> Tensor: ...


class TreePlan:
    """Levels of a batch of trees as tensors.

    Parameters
    ----------
    levels : Levels
    device : torch.device or str, default="cpu"
    """

    def __init__(self, levels: Levels, device: torch.device | str = "cpu"):
        self.levels, self.device = levels, torch.device(device)
        self.sizes, self.n_inner = levels.sizes.tolist(), levels.n_inner.tolist()
        self.parents = self._tensor(levels.parents).split(self.sizes)
        self.positions = self._tensor(levels.positions).split(self.sizes)
        self.roots, self.results = self._tensor(levels.roots), self._tensor(levels.results)

    def __len__(self) -> int:
        return len(self.levels)

    @cached_property
    def parent_numbers(self) -> Tensor:
        """As in `Levels`."""
        return self._tensor(self.levels.parent_numbers)

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self.device)

    @cached_property
    def is_leaf(self) -> NDArray[np.bool_]:
        """Which nodes have no children."""
        sizes, n_inner = self.levels.sizes, self.levels.n_inner
        starts = np.cumsum(sizes) - sizes
        rank = np.arange(sizes.sum()) - np.repeat(starts, sizes)
        return rank >= np.repeat(n_inner, sizes)

    @cached_property
    def leaves(self) -> Tensor:
        """Numbers of the nodes without children."""
        return self._tensor(np.flatnonzero(self.is_leaf))

    @cached_property
    def leaf_trees(self) -> Tensor:
        """Which tree each of the leaves belongs to."""
        return self._tensor(self.levels.trees[self.is_leaf])

    @cached_property
    def inner_then_leaves(self) -> Tensor:
        """Numbers of the nodes with children, then of those without."""
        return self._tensor(np.argsort(self.is_leaf, kind="stable"))

    def each(self, function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
        """Results of a function that gives one row for each row of its arguments."""
        return function(*tensors)

    def mean(self, values: Tensor) -> Tensor:
        """Mean of one value a node over each tree, ``(n_trees,)``."""
        trees = self._tensor(self.levels.trees)
        zeros = values.new_zeros(len(self))
        counts = zeros.index_add(0, trees, torch.ones_like(values))
        return zeros.index_add(0, trees, values) / counts

    def slots(self, arity: int | None) -> Sequence[Tensor | None]:
        """For each level but the last, the child at each position of its inner nodes."""
        levels = self.levels
        if arity is None or len(self.sizes) == 1:
            return [None] * len(self.sizes)
        starts = np.cumsum(levels.sizes) - levels.sizes
        inner_starts = np.cumsum(levels.n_inner) - levels.n_inner
        child = slice(levels.sizes[0], None)  # all but the roots
        depth = np.repeat(np.arange(len(levels.sizes)), levels.sizes)[child]
        parents = inner_starts[depth - 1] + levels.parents[child]
        below = np.append(levels.sizes[1:], 0)
        slots = np.repeat(below, levels.n_inner * arity)
        local = np.arange(levels.sizes[0], levels.sizes.sum()) - starts[depth]
        slots[parents * arity + levels.positions[child]] = local
        return self._tensor(slots).split([n * arity for n in self.n_inner])

    def up(self, cell: Cell, x: Tensor, kinds: Tensor | None = None) -> Tensor:
        """States of all nodes ``(n_nodes, state_size)`` from their subtrees, deepest level first.

        x has a row for each node; or with `kinds`, the row of each node, one for many nodes: what
        depends on inputs alone is then computed once for each.
        """
        n_leaves = [size - inner for size, inner in zip(self.sizes, self.n_inner, strict=True)]
        nodes, projected = self.inner_then_leaves, cell.project(x)
        rows = nodes if kinds is None else kinds.index_select(0, nodes)
        at_inner, at_leaves = rows.split([sum(self.n_inner), sum(n_leaves)])
        inner = projected.index_select(0, at_inner).split(self.n_inner)
        if kinds is None:
            leaves = cell.leaf(projected.index_select(0, at_leaves)).split(n_leaves)
        else:
            leaves = cell.leaf(projected).index_select(0, at_leaves).split(n_leaves)
        slots = self.slots(cell.arity)
        states = leaves[-1]
        out = [states]
        for level in range(len(self.sizes) - 2, -1, -1):
            n = self.n_inner[level]
            below = Children(
                states, self.parents[level + 1], self.positions[level + 1], n, slots[level]
            )
            states = cell.compose(inner[level], below)
            if n_leaves[level]:
                states = torch.cat([states, leaves[level]])
            out.append(states)
        return torch.cat(out[::-1])

    def down(self, cell: Cell, x: Tensor) -> Tensor:
        """States of all nodes from their ancestors: a node's only child is its parent.

        The parent stands at the node's own position among its siblings, so that a cell with
        weights for each position distinguishes left from right here too.
        """
        projected = cell.project(x).split(self.sizes)
        states = cell.leaf(projected[0])
        out = [states]
        for level in range(1, len(self.sizes)):
            n = self.sizes[level]
            above = states.index_select(0, self.parents[level])
            only = torch.arange(n, device=self.device)
            states = cell.compose(projected[level], Children(above, only, self.positions[level], n))
            out.append(states)
        return torch.cat(out)


class RecursivePlan(TreePlan):
    """The same one node at a time: slow and readable, the reference implementation."""

    @cached_property
    def _above(self) -> list[int]:
        """Parent of each node, -1 of roots."""
        return [-1] * self.sizes[0] + self.levels.parent_numbers.tolist()

    @cached_property
    def _children(self) -> list[list[int]]:
        children: list[list[int]] = [[] for _ in self._above]
        for node, parent in enumerate(self._above):
            if parent >= 0:
                children[parent].append(node)
        return [sorted(c, key=self.levels.positions.__getitem__) for c in children]

    def up(self, cell: Cell, x: Tensor, kinds: Tensor | None = None) -> Tensor:
        """As `TreePlan.up`."""
        x = x if kinds is None else x.index_select(0, kinds)
        out: dict[int, Tensor] = {}

        def state(node: int) -> Tensor:
            here = cell.project(x[node : node + 1])
            below = [state(child) for child in self._children[node]]
            n = len(below)
            out[node] = (
                cell.compose(here, self._family(torch.cat(below), torch.arange(n)))
                if below
                else cell.leaf(here)
            )
            return out[node]

        self._from_the_roots(state)
        return torch.cat([out[node] for node in range(len(x))])

    def down(self, cell: Cell, x: Tensor) -> Tensor:
        """As `TreePlan.down`."""
        out: dict[int, Tensor] = {}

        def visit(node: int) -> None:
            here = cell.project(x[node : node + 1])
            parent = self._above[node]
            position = torch.tensor([int(self.levels.positions[node])])
            out[node] = (
                cell.leaf(here)
                if parent < 0
                else cell.compose(here, self._family(out[parent], position))
            )
            for child in self._children[node]:
                visit(child)

        self._from_the_roots(visit)
        return torch.cat([out[node] for node in range(len(x))])

    def _family(self, states: Tensor, positions: Tensor) -> Children:
        zeros = torch.zeros(len(positions), dtype=torch.int64)
        return Children(states, zeros.to(self.device), positions.to(self.device), 1)

    def _from_the_roots(self, visit: Any) -> None:
        try:
            for root in self.levels.roots.tolist():
                visit(root)
        except RecursionError as error:
            raise ValueError(
                f"A tree has {len(self.sizes)} levels, more than Python's recursion reaches: use "
                "engine='levels'."
            ) from error


ENGINES: dict[str, type[TreePlan]] = {"levels": TreePlan, "recursive": RecursivePlan}
"""Plans by name."""
