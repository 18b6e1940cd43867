"""Whole networks: what an estimator trains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.pooling import AttentionPooling, max_pool, mean_pool
from sklseq.nn.recurrent.first_states import FirstStates
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
        As in `RecurrentStack`.
    pooling : {"last", "mean", "max", "attention"} or None, default="last"
        None gives an output for each step.
    n_context : int, default=0
        Features of a whole sequence, which its layers take beside the steps.
    context_as : {"steps", "state", "both"}, default="steps"
        As what: further inputs of all steps; the states that all layers, backward ones too, begin
        with (see `FirstStates`); or both.
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
        n_context: int = 0,
        context_as: str = "steps",
    ):
        super().__init__()
        self.embedding = (
            None if embedding_size is None else nn.Embedding(n_features, embedding_size, 0)
        )
        self.context_at_steps = n_context > 0 and context_as in ("steps", "both")
        size = (embedding_size or n_features) + n_context * self.context_at_steps
        self.stack = RecurrentStack(
            cell,
            size,
            hidden_size,
            num_layers,
            bidirectional,
            dropout,
            cell_options,
        )
        self.pooling = pooling
        self.attention = (
            AttentionPooling(self.stack.output_size) if pooling == "attention" else None
        )
        self.head = nn.Linear(self.stack.output_size, n_outputs)
        self.first_states = None
        if n_context > 0 and context_as in ("state", "both"):
            self.first_states = FirstStates(n_context, self._example_states(size))

    def _example_states(self, size: int) -> list[State]:
        """What states of all layers are like, forward and then backward."""
        x = torch.zeros(1, size)
        self.stack.eval()
        with torch.no_grad():
            _, last = self.stack(x, Packing(np.ones(1, dtype=np.int64), x.device))
        self.stack.train()
        return last * (2 if self.stack.backward_layers else 1)

    def forward(self, steps: Tensor, packing: Packing, context: Tensor | None = None) -> Tensor:
        """Outputs ``(n, n_outputs)``, or ``(sum of lengths, n_outputs)`` without pooling.

        Parameters
        ----------
        steps : Tensor of shape (sum of lengths, n_features) or, of symbols, (sum of lengths,)
        packing : Packing
            Of the n sequences.
        context : Tensor of shape (n, n_context) or None, default=None
            Features of each sequence as a whole, for a network that takes some.
        """
        x, *first = self._inputs(steps, packing, context)
        states, _ = self.stack(x.index_select(0, packing.to_packed), packing, *first)
        features = self.pooled(states, packing)
        return packing.map(self.head, features) if self.pooling is None else self.head(features)

    def features(self, steps: Tensor, packing: Packing, context: Tensor | None = None) -> Tensor:
        """States ``(sum of lengths, size)`` of each step, or ``(n, size)`` pooled."""
        states, _ = self.states(steps, packing, need_last=False, context=context)
        return self.pooled(states, packing)

    def states(
        self,
        steps: Tensor,
        packing: Packing,
        state: Sequence[State] | None = None,
        need_last: bool = True,
        context: Tensor | None = None,
    ) -> tuple[Tensor, list[State | None]]:
        """States in packed order, and those after the last steps; see `RecurrentStack.forward`.

        A state that is given takes the place of what is made of the context.
        """
        x, first, _, backward = self._inputs(steps, packing, context)
        x = x.index_select(0, packing.to_packed)
        if state is None:
            return self.stack(x, packing, first, need_last, backward)
        return self.stack(x, packing, state, need_last)

    def _inputs(
        self, steps: Tensor, packing: Packing, context: Tensor | None
    ) -> tuple[Tensor, list[State] | None, bool, list[State] | None]:
        """Stacked steps as the stack reads them, and then its arguments after the packing."""
        x = self.embedded(steps)
        if context is not None and self.context_at_steps:
            x = torch.cat([x, context.index_select(0, packing.sequence_of_step)], dim=1)
        if context is None or self.first_states is None:
            return x, None, False, None
        states, n_layers = self.first_states(context), len(self.stack.forward_layers)
        return x, states[:n_layers], False, states[n_layers:] or None

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
        self, steps: Tensor, packing: Packing, context: Tensor | None = None
    ) -> list[Tensor]:
        """Predicted next (and previous) steps, ``(sum of lengths, n_outputs)`` each."""
        states, _ = self.states(steps, packing, need_last=False, context=context)
        stacked = states.index_select(0, packing.to_stacked)
        size = self.head.in_features
        predicted = [self.head(stacked[:, :size])]
        if self.backward_head is not None:
            predicted.append(self.backward_head(stacked[:, size:]))
        return predicted
