"""Trees as training rows, and running a trained module over them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.data import Forest
from sklseq.nn.trees.levels import ENGINES
from sklseq.training.context import threads
from sklseq.training.rows.batch import Batch

__all__ = ["ForestRows", "run_forest"]

# Numbers in the widest activation of a batch: 32 MB in float32, and a few such activations.
_MAX_NUMBERS = 1 << 23


class ForestRows:
    """Trees, their values, targets and weights.

    Parameters
    ----------
    forest : Forest
    symbols : Tensor of shape (n_nodes,) or None
        Codes of the symbols.
    features : Tensor of shape (n_nodes, n_features) or None
    target, weight : Tensor
        One for each row, or for each node with results. Weight 0 masks a target; they are scaled
        so that they sum to the number of rows.
    per_node : bool
        Whether targets belong to nodes.
    trees_per_row : int, default=1
        Trees that make one row: 2 for pairs.
    engine : {"levels", "recursive"}, default="levels"
    rows : ndarray of int or None, default=None
        The rows that this holds; None is all.
    """

    def __init__(
        self,
        forest: Forest,
        symbols: Tensor | None,
        features: Tensor | None,
        target: Tensor,
        weight: Tensor,
        *,
        per_node: bool,
        trees_per_row: int = 1,
        engine: str = "levels",
        rows: NDArray[np.int64] | None = None,
    ):
        self.forest, self.symbols, self.features = forest, symbols, features
        self.target, self.per_node, self.trees_per_row = target, per_node, trees_per_row
        self.engine = engine
        self.rows = np.arange(len(forest) // trees_per_row) if rows is None else rows
        total = weight[torch.from_numpy(self._targets(self.rows)).to(weight.device)].sum()
        self.weight = weight * (len(self.rows) / total if total > 0 else 1)

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, rows: NDArray[np.int64]) -> "ForestRows":
        """These rows as data of their own."""
        return ForestRows(
            self.forest,
            self.symbols,
            self.features,
            self.target,
            self.weight,
            per_node=self.per_node,
            trees_per_row=self.trees_per_row,
            engine=self.engine,
            rows=self.rows[rows],
        )

    def inputs(self, rows: NDArray[np.int64]) -> tuple[Any, ...]:
        """Symbols, features and plan of these rows."""
        k = self.trees_per_row
        trees = rows if k == 1 else (k * rows[:, None] + np.arange(k)).ravel()
        levels = self.forest.levels(trees)
        nodes = self._index(levels.nodes)
        symbols, features = (
            None if values is None else values.index_select(0, nodes)
            for values in (self.symbols, self.features)
        )
        return symbols, features, ENGINES[self.engine](levels, nodes.device)

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows, in their order."""
        rows = self.rows[rows]
        index = self._index(self._targets(rows))
        target, weight = (values.index_select(0, index) for values in (self.target, self.weight))
        return Batch(self.inputs(rows), target, weight, len(rows))

    def _targets(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.forest.result_index(rows) if self.per_node else rows

    def _index(self, index: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(index).to(self.weight.device, non_blocking=True)


def run_forest(
    module: nn.Module,
    function: Callable[..., Tensor],
    data: ForestRows,
    *,
    widest: int,
    n_threads: int | None,
) -> NDArray[Any]:
    """Outputs for each row, or for each node with results, in the order of the input.

    Parameters
    ----------
    module : Module
        Put into evaluation mode.
    function : callable
        Symbols, features and plan to outputs, one for each target; a method of the module.
    data : ForestRows
        All rows of a forest.
    widest : int
        Numbers in the widest activation of a node; it bounds the batches.
    n_threads : int or None
    """
    result: NDArray[Any] | None = None
    module.eval()
    sizes = data.forest.sizes.reshape(len(data), -1).sum(axis=1)
    max_nodes = _MAX_NUMBERS // widest
    work = min(data.forest.n_nodes, max_nodes) * sum(p.numel() for p in module.parameters())
    with torch.inference_mode(), threads(n_threads, work):
        for rows in _batches(sizes, max_nodes):
            output = function(*data.inputs(rows)).cpu().numpy()
            if result is None:
                n = data.forest.n_results.sum() if data.per_node else len(data)
                result = np.empty((n, *output.shape[1:]), dtype=output.dtype)
            result[data.forest.result_index(rows) if data.per_node else rows] = output
    assert result is not None
    return result


def _batches(sizes: NDArray[np.int64], max_nodes: int) -> Iterator[NDArray[np.int64]]:
    """Rows of similar size together, of about `max_nodes` nodes (or one row)."""
    order = np.argsort(-sizes, kind="stable")
    which = (np.cumsum(sizes[order]) - sizes[order]) // max_nodes
    yield from np.split(order, np.flatnonzero(np.diff(which)) + 1)
