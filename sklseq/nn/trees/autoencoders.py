"""Networks that learn trees without labels: by unfolding them again, or node by node."""

from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.trees.cells import ChildSumGRU
from sklseq.nn.trees.levels import TreePlan
from sklseq.nn.trees.network import TreeEncoder, ValueDecoder

__all__ = ["RecursiveAutoencoderNetwork", "UnfoldingAutoencoder"]

# Positions among siblings that the decoder distinguishes.
_MAX_POSITIONS = 32


class UnfoldingAutoencoder(nn.Module):
    """Encodes a tree as one vector and decodes the value of each node from it.

    The decoder is a GRU from the root down, which is given the shape of the tree.

    Parameters
    ----------
    **encoder
        As in `TreeEncoder`.

    References
    ----------
    .. [1] Socher et al. (2011). "Dynamic pooling and unfolding recursive autoencoders for
       paraphrase detection". NIPS, section 2.2.
    """

    def __init__(self, **encoder: Any):
        super().__init__()
        self.encoder = TreeEncoder(**encoder)
        size = encoder["hidden_size"]
        self.positions = nn.Embedding(_MAX_POSITIONS + 1, size)
        self.to_decoder = nn.Linear(self.encoder.output_size, size)
        self.decoder = ChildSumGRU(size, size, 1)
        self.values = ValueDecoder(size, encoder["n_symbols"], encoder["n_features"])

    def features(self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan) -> Tensor:
        """Vector of each tree."""
        return self.encoder.pool(self.encoder.states(symbols, features, plan), plan)

    def node_features(
        self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan
    ) -> Tensor:
        """Vectors of the nodes with results."""
        return self.encoder.states(symbols, features, plan).index_select(0, plan.results)

    def forward(self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan) -> Tensor:
        """Mean error of the values of each tree."""
        vectors = self.to_decoder(self.features(symbols, features, plan))
        positions = torch.cat(plan.positions).clamp(max=_MAX_POSITIONS - 1)
        positions = positions.index_fill(0, plan.roots, _MAX_POSITIONS)
        x = self.positions(positions).index_add(0, plan.roots, vectors)
        states = plan.down(self.decoder, x)[:, : self.decoder.hidden_size]
        return plan.mean(self.values.losses(states, symbols, features))


class RecursiveAutoencoderNetwork(nn.Module):
    """Encodes a tree as its root's state; each node's state decodes to those of its children.

    States are compared on the unit sphere, and each node's own value is decoded too: otherwise
    states could shrink to zero (Socher et al. 2011, section 3.2).

    Parameters
    ----------
    **encoder
        As in `TreeEncoder`.

    References
    ----------
    .. [1] Socher et al. (2011). "Semi-supervised recursive autoencoders for predicting sentiment
       distributions". EMNLP.
    """

    def __init__(self, **encoder: Any):
        super().__init__()
        self.encoder = TreeEncoder(**encoder)
        size = encoder["hidden_size"]
        self.positions = nn.Embedding(_MAX_POSITIONS, size)
        self.decoder = nn.Sequential(nn.Linear(2 * size, size), nn.Tanh(), nn.Linear(size, size))
        self.values = ValueDecoder(size, encoder["n_symbols"], encoder["n_features"])

    def features(self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan) -> Tensor:
        """Vector of each tree."""
        return self.encoder.pool(self.encoder.states(symbols, features, plan), plan)

    def errors(self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan) -> Tensor:
        """Error of each node, in the order of the levels: of its value, and of its children."""
        states = self.encoder.states(symbols, features, plan)
        errors = plan.each(self.values.losses, states, symbols, features)
        parents, n_roots = plan.parent_numbers, plan.sizes[0]
        positions = torch.cat(plan.positions)[n_roots:]
        above, below = states.index_select(0, parents), states[n_roots:]
        distances = plan.each(self._distances, above, below, positions)
        total = torch.zeros_like(errors).index_add(0, parents, distances)
        count = torch.zeros_like(errors).index_add(0, parents, torch.ones_like(distances))
        return errors + total / count.clamp(min=1)

    def _distances(self, parents: Tensor, states: Tensor, positions: Tensor) -> Tensor:
        """Squared distance of each state from what its parent's state decodes to."""
        where = self.positions(positions.clamp(max=_MAX_POSITIONS - 1))
        decoded = self.decoder(torch.cat([parents, where], dim=1))
        return (_unit(decoded) - _unit(states).detach()).square().sum(dim=1)

    def node_errors(
        self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan
    ) -> Tensor:
        """Error of each node with results."""
        return self.errors(symbols, features, plan).index_select(0, plan.results)

    def forward(self, symbols: Tensor | None, features: Tensor | None, plan: TreePlan) -> Tensor:
        """Mean error of the nodes of each tree."""
        return plan.mean(self.errors(symbols, features, plan))


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-6)
