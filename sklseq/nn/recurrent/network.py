"""Whole networks: what an estimator trains."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.pooling import AttentionPooling, max_pool, mean_pool
from sklseq.nn.recurrent.layer import State
from sklseq.nn.recurrent.stack import RecurrentStack

__all__ = ["NeighborNetwork", "RecurrentNetwork"]


class RecurrentNetwork(nn.Module):
    """Embedding, recurrent layers, pooling and a linear output layer.

    Parameters
    ----------
    n_features : int
        Features of a step; the number of symbols where `embedding_size` is given.
    n_outputs : int
    embedding_size : int or None, default=None
        Steps are symbols, embedded with this size; index 0, the unknown symbol, is the zero
        vector and stays so.
    cell, hidden_size, num_layers, bidirectional, dropout, cell_options
    dropout_mask, recurrent_dropout, zoneout
        As in `RecurrentStack`.
    pooling : {"last", "mean", "max", "attention"} or None, default="last"
        None gives an output for each step.
    """

    def __init__(
        self,
        *,
        n_features: int,
        n_outputs: int,
        embedding_size: int | None = None,
        cell: str | type[nn.Module] = "gru",
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        pooling: str | None = "last",
        cell_options: dict[str, Any] | None = None,
        dropout_mask: str = "step",
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
    ):
        super().__init__()
        self.embedding = (
            None if embedding_size is None else nn.Embedding(n_features, embedding_size, 0)
        )
        self.stack = RecurrentStack(
            cell,
            embedding_size or n_features,
            hidden_size,
            num_layers,
            bidirectional,
            dropout,
            cell_options,
            dropout_mask,
            recurrent_dropout,
            zoneout,
        )
        self.pooling = pooling
        self.attention = (
            AttentionPooling(self.stack.output_size) if pooling == "attention" else None
        )
        self.head = nn.Linear(self.stack.output_size, n_outputs)

    def forward(self, steps: Tensor, packing: Packing) -> Tensor:
        """Outputs ``(n, n_outputs)``, or ``(sum of lengths, n_outputs)`` without pooling.

        Parameters
        ----------
        steps : Tensor of shape (sum of lengths, n_features) or, of symbols, (sum of lengths,)
        packing : Packing
            Of the n sequences.
        """
        x = self.embedded(steps).index_select(0, packing.to_packed)
        states, _ = self.stack(x, packing, need_last=False)
        features = self.pooled(states, packing)
        return packing.map(self.head, features) if self.pooling is None else self.head(features)

    def features(self, steps: Tensor, packing: Packing) -> Tensor:
        """States ``(sum of lengths, size)`` of each step, or ``(n, size)`` pooled."""
        return self.pooled(self.states(steps, packing, need_last=False)[0], packing)

    def states(
        self,
        steps: Tensor,
        packing: Packing,
        state: Sequence[State] | None = None,
        need_last: bool = True,
    ) -> tuple[Tensor, list[State | None]]:
        """States in packed order, and those after the last steps; see `RecurrentStack.forward`."""
        x = self.embedded(steps).index_select(0, packing.to_packed)
        return self.stack(x, packing, state, need_last=need_last)

    def embedded(self, steps: Tensor) -> Tensor:
        """Vectors of steps: their features, or what is learned for their symbols."""
        return steps if self.embedding is None else self.embedding(steps)

    def pooled(self, states: Tensor, packing: Packing) -> Tensor:
        """States of all steps, stacked, or one vector for each sequence."""
        if self.pooling == "last":
            return self.stack.ends(states, packing)
        stacked = states.index_select(0, packing.to_stacked)
        if self.pooling is None:
            return stacked
        if self.attention is not None:
            return self.attention(stacked, packing)
        return (mean_pool if self.pooling == "mean" else max_pool)(stacked, packing)


class NeighborNetwork(RecurrentNetwork):
    """Predicts each step's successor from the forward states, its predecessor from the backward.

    No direction sees what it predicts, so that states learn what a sequence is like without
    labels (as in ELMo, Peters et al. 2018, section 3.1).

    Parameters
    ----------
    n_outputs : int
        Features, or symbols, of a predicted step.
    **kwargs
        As in `RecurrentNetwork`.
    """

    def __init__(self, *, n_outputs: int, **kwargs: Any):
        super().__init__(n_outputs=n_outputs, **kwargs)
        size = self.stack.hidden_size
        self.head = nn.Linear(size, n_outputs)
        self.backward_head = nn.Linear(size, n_outputs) if self.stack.backward_layers else None

    def forward(  # type: ignore[override]
        self, steps: Tensor, packing: Packing
    ) -> list[Tensor]:
        """Predicted next (and previous) steps, ``(sum of lengths, n_outputs)`` each."""
        states, _ = self.states(steps, packing, need_last=False)
        stacked = states.index_select(0, packing.to_stacked)
        size = self.head.in_features
        predicted = [self.head(stacked[:, :size])]
        if self.backward_head is not None:
            predicted.append(self.backward_head(stacked[:, size:]))
        return predicted
