"""Trees as rows."""

from collections.abc import Iterator
from copy import copy
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.data import Forest
from sklseq.nn.trees.levels import ENGINES, TreePlan
from sklseq.nn.trees.tiled import INFERENCE
from sklseq.training.placement import as_tensor
from sklseq.training.rows.batch import Rows, Targets, Tile

__all__ = ["ForestRows"]

# Numbers in the widest activation of a batch: 32 MB in float32, and a few such activations.
_MAX_NUMBERS = 1 << 23


class ForestRows(Rows):
    """Trees, their values, targets and weights.

    Parameters
    ----------
    forest : Forest
    symbols : ndarray of shape (n_nodes,) or None
        Index of each node's symbol.
    like : Tensor
        A parameter of the module.
    targets : Targets or None, default=None
        One for each row, or for each node with results.
    per_node : bool, default=False
        Whether targets belong to nodes.
    trees_per_row : int, default=1
        Trees that make one row: 2 for pairs.
    engine : {"levels", "recursive"}, default="levels"
    """

    def __init__(
        self,
        forest: Forest,
        symbols: NDArray[np.int64] | None,
        like: Tensor,
        targets: Targets | None = None,
        *,
        per_node: bool = False,
        trees_per_row: int = 1,
        engine: str = "levels",
    ):
        self.forest, self.like, self.engine = forest, like, engine
        self.symbols, self.features = (
            None if values is None else as_tensor(values, like)
            for values in (symbols, forest.features)
        )
        self.per_part, self.trees_per_row = per_node, trees_per_row
        self.rows = np.arange(len(forest) // trees_per_row)
        self._set_targets(like, targets)

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, rows: NDArray[np.int64]) -> Self:
        """These rows as data of their own, whose weights sum to their number."""
        assert self.weight is not None
        part = copy(self)
        part.rows = self.rows[rows]
        own = torch.from_numpy(part._target_index(np.arange(len(rows)))).to(self.weight.device)
        total = self.weight[own].sum()
        part.weight = self.weight * (len(rows) / total) if total > 0 else self.weight
        return part

    def inputs(self, rows: NDArray[np.int64]) -> tuple[Any, ...]:
        """Symbols, features and plan of these rows, for training."""
        return self._inputs(rows, ENGINES[self.engine])

    def _inputs(self, rows: NDArray[np.int64], plan: type[TreePlan]) -> tuple[Any, ...]:
        k, rows = self.trees_per_row, self.rows[rows]
        trees = rows if k == 1 else (k * rows[:, None] + np.arange(k)).ravel()
        levels = self.forest.levels(trees)
        nodes = torch.from_numpy(levels.nodes).to(self.like.device, non_blocking=True)
        symbols, features = (
            None if values is None else values.index_select(0, nodes)
            for values in (self.symbols, self.features)
        )
        return symbols, features, plan(levels, nodes.device)

    def _target_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = self.rows[rows]
        return self.forest.result_index(rows) if self.per_part else rows

    def has_target(self, targets: Targets) -> NDArray[np.bool_]:
        """Which rows have a target with weight, at some node at least."""
        known = targets.counted()
        if not self.per_part:
            return known
        counts = self.forest.n_results
        return np.logical_or.reduceat(known, np.cumsum(counts) - counts)

    def n_results(self, per_part: bool) -> int:
        """Number of rows, or of nodes with results."""
        return int(self.forest.n_results.sum()) if per_part else len(self)

    def tiles(self, module: nn.Module, per_part: bool) -> Iterator[Tile]:
        """Rows of similar size together; their plans keep the shape of every call the same."""
        encoder: Any = module.encoder
        sizes = self.forest.sizes.reshape(len(self), -1).sum(axis=1)
        order = np.argsort(-sizes, kind="stable")
        which = (np.cumsum(sizes[order]) - sizes[order]) // (_MAX_NUMBERS // encoder.widest)
        for rows in np.split(order, np.flatnonzero(np.diff(which)) + 1):
            places = self.forest.result_index(rows) if per_part else rows
            yield Tile(self._inputs(rows, INFERENCE[self.engine]), places, len(places))
