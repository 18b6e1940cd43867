"""Whole networks over trees: what a recursive estimator trains."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sklseq.nn.layers.randomness import Dropout
from sklseq.nn.trees.cells import COMPOSITIONS
from sklseq.nn.trees.levels import TreePlan

__all__ = ["RecursiveNetwork", "TreeEncoder", "ValueDecoder"]


_EMBEDDING_SCALE = 0.1


class TreeEncoder(nn.Module):
    """Embedding of symbols and the cells of one or both directions.

    Parameters
    ----------
    n_symbols : int
        Number of symbol indices, 0 where there are no symbols. Index 0 is a node without symbol,
        a zero vector that stays so; 1 is an unknown symbol, which starts as zero.
    embedding_size : int
    n_features : int
        Length of feature vectors, 0 where there are none.
    composition : str or class
        Name in `COMPOSITIONS`, or a `TreeCell` class.
    hidden_size, arity, rank
        As in `TreeCell`.
    direction : {"up", "down", "both"}
        States from subtrees, from ancestors, or both: then those from ancestors are computed
        from inputs and states from subtrees, so that each sees the whole tree.
    dropout : float, default=0.0
        Share of the inputs and of the states dropped in training.
    """

    def __init__(
        self,
        *,
        n_symbols: int,
        embedding_size: int,
        n_features: int,
        composition: str | type[nn.Module],
        hidden_size: int,
        arity: int,
        rank: int | None = None,
        direction: str = "up",
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = None
        if n_symbols:
            self.embedding = nn.Embedding(n_symbols, embedding_size, 0)
            with torch.no_grad():
                # Small, so that the vectors of rare symbols are soon learned rather than noise.
                self.embedding.weight.mul_(_EMBEDDING_SCALE)
                self.embedding.weight[1] = 0.0
        size = n_features + (embedding_size if n_symbols else 0)
        self.dropout = Dropout(dropout)
        cell: Any = COMPOSITIONS[composition] if isinstance(composition, str) else composition
        self.up_cell = self.down_cell = None
        if direction != "down":
            self.up_cell = cell(size, hidden_size, arity, rank)
        if direction != "up":
            below = hidden_size if direction == "both" else 0
            self.down_cell = cell(size + below, hidden_size, arity, rank)
        self.hidden_size = hidden_size
        self.output_size = 2 * hidden_size if direction == "both" else hidden_size

    @property
    def widest(self) -> int:
        """Most numbers that a node takes."""
        cells = [cell for cell in (self.up_cell, self.down_cell) if cell is not None]
        shapes = [s for cell in cells for p in cell.parameters() for s in p.shape]
        return max(*shapes, *(cell.state_size for cell in cells))

    def inputs(self, symbols: Tensor | None, features: Tensor | None) -> Tensor:
        """Input of each node, ``(n_nodes, size)``."""
        parts = [] if features is None else [features]
        if self.embedding is not None and symbols is not None:
            parts.append(self.embedding(symbols))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def states(self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan) -> Tensor:
        """Output states ``(n_nodes, output_size)`` of all nodes, in the order of the levels."""
        x, found = self.dropout(self.inputs(symbols, features)), []
        if self.up_cell is not None:
            table = self._table(symbols, features)
            states = plan.up(self.up_cell, *((x, None) if table is None else (table, symbols)))
            found.append(states[:, : self.hidden_size])
            x = torch.cat([x, found[0]], dim=1)
        if self.down_cell is not None:
            found.append(plan.down(self.down_cell, x)[:, : self.hidden_size])
        return self.dropout(torch.cat(found, dim=1) if len(found) > 1 else found[0])

    def _table(self, symbols: Tensor | None, features: Tensor | None) -> Tensor | None:
        """Input of each symbol, if nodes have nothing else and most share theirs with others."""
        if symbols is None or features is not None or self.embedding is None:
            return None
        noisy = self.training and self.dropout.p > 0
        n_symbols = self.embedding.num_embeddings
        if noisy or 2 * n_symbols > len(symbols):
            return None
        return self.embedding(torch.arange(n_symbols, device=symbols.device))

    def pool(self, states: Tensor, plan: TreePlan) -> Tensor:
        """One vector a tree: upward the root's state, downward the mean of the leaves'."""
        parts = []
        if self.up_cell is not None:
            parts.append(states[:, : self.hidden_size].index_select(0, plan.roots))
        if self.down_cell is not None:
            ends = states[:, -self.hidden_size :].index_select(0, plan.leaves)
            zeros = ends.new_zeros(len(plan), self.hidden_size)
            counts = zeros[:, :1].index_add(0, plan.leaf_trees, torch.ones_like(ends[:, :1]))
            parts.append(zeros.index_add(0, plan.leaf_trees, ends) / counts)
        return torch.cat(parts, dim=1)


class ValueDecoder(nn.Module):
    """Decodes the values of nodes from vectors: logits of symbols, and features.

    Parameters
    ----------
    input_size, n_symbols, n_features : int
        As in `TreeEncoder`.
    """

    def __init__(self, input_size: int, n_symbols: int, n_features: int):
        super().__init__()
        self.n_symbols = n_symbols
        self.head = nn.Linear(input_size, n_symbols + n_features)

    def losses(self, vectors: Tensor, symbols: Tensor | None, features: Tensor | None) -> Tensor:
        """Error of each node: cross-entropy of its symbol and mean squared error of its features.

        What a node does not have counts as zero features or as the index for no symbol, which are
        decoded too. Features are expected to have unit variance.
        """
        decoded = self.head(vectors)
        losses = decoded.new_zeros(len(decoded))
        if self.n_symbols and symbols is not None:
            logits = decoded[:, : self.n_symbols]
            losses = losses + cross_entropy(logits, symbols, reduction="none")
        if features is not None:
            losses = losses + (decoded[:, self.n_symbols :] - features).square().mean(dim=1)
        return losses


class RecursiveNetwork(nn.Module):
    """An encoder of trees and a linear output for each tree, node or pair of trees.

    Parameters
    ----------
    n_outputs : int
    per_node : bool, default=False
        Whether nodes have outputs, instead of trees.
    pairs : bool, default=False
        Whether trees 2 i and 2 i + 1 are a pair with one output. Its vectors a and b meet in a
        layer of tanh units over a, b, their distances and products (Tai et al. 2015, section 4.2).
    **encoder
        As in `TreeEncoder`.
    """

    def __init__(
        self, *, n_outputs: int, per_node: bool = False, pairs: bool = False, **encoder: object
    ):
        super().__init__()
        self.encoder = TreeEncoder(**encoder)  # type: ignore[arg-type]
        size = self.encoder.output_size
        self.per_node = per_node
        self.comparison = nn.Linear(4 * size, size) if pairs else None
        self.head = nn.Linear(size, n_outputs)

    def forward(self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan) -> Tensor:
        """Outputs ``(n, n_outputs)``."""
        states = self.encoder.states(symbols, features, plan)
        if self.per_node:
            return plan.each(self.head, states.index_select(0, plan.results))
        vectors = self.encoder.pool(states, plan)
        if self.comparison is None:
            return plan.each(self.head, vectors)
        return plan.each(self._compare, vectors[0::2], vectors[1::2])

    def _compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Outputs for pairs of vectors."""
        both = torch.cat([a, b, (a - b).abs(), a * b], dim=1)
        return self.head(self.comparison(both).tanh())  # type: ignore[misc]
