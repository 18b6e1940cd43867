"""Whole networks: what an estimator trains."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sklseq.nn.layers.feedforward import FeedForward, hidden_layers, initialize
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.pooling import AttentionPooling, joined_means, max_pool, mean_pool
from sklseq.nn.recurrent.carried import Carried
from sklseq.nn.recurrent.first_states import FirstStates
from sklseq.nn.recurrent.layer import State, by_part
from sklseq.nn.recurrent.stack import RecurrentStack

__all__ = ["NeighborNetwork", "RecurrentNetwork"]


class RecurrentNetwork(nn.Module):
    """Embedding, recurrent layers, pooling and an output layer.

    Layers before the recurrent ones make the step from input to state deep, layers behind them
    that from state to output (Pascanu et al. 2014, sections 3.1 and 3.3).

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
    n_context : int, default=0
        Features of a whole sequence, which its layers take beside the steps.
    context_as : {"steps", "state", "both"}, default="steps"
        As what: further inputs of all steps; the states that all layers, backward ones too, begin
        with (see `FirstStates`); or both.
    skip_connections, normalization
        As in `RecurrentStack`; feed-forward layers are normalized too.
    input_layer_sizes, output_layer_sizes : sequence of int, default=()
        Units of feed-forward layers that each step goes through first, and of those between the
        pooled states, or those of each step, and the linear output.
    feedforward_activation : str, default="relu"
        Of these layers, a key of `ACTIVATIONS`.
    """

    _directions_meet: ClassVar[bool] = True

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
        skip_connections: str | None = None,
        normalization: str | None = None,
        input_layer_sizes: Sequence[int] = (),
        output_layer_sizes: Sequence[int] = (),
        feedforward_activation: str = "relu",
        dropout_mask: str = "step",
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
    ):
        super().__init__()
        self.embedding = (
            None if embedding_size is None else nn.Embedding(n_features, embedding_size, 0)
        )
        self.context_at_steps = n_context > 0 and context_as in ("steps", "both")
        size = (embedding_size or n_features) + n_context * self.context_at_steps
        sizes = [size, *input_layer_sizes]
        rest = (feedforward_activation, normalization, dropout)
        self.input_layers = hidden_layers(sizes, *rest) if input_layer_sizes else None
        if self.input_layers is not None:
            initialize(self.input_layers, "xavier")
        self.stack = RecurrentStack(
            cell,
            sizes[-1],
            hidden_size,
            num_layers,
            bidirectional,
            dropout,
            cell_options,
            skip_connections=skip_connections,
            normalization=normalization,
            dropout_mask=dropout_mask,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            directions_meet=self._directions_meet,
        )
        self._output = (tuple(output_layer_sizes), *rest)
        self.pooling = pooling
        self.attention = (
            AttentionPooling(self.stack.output_size) if pooling == "attention" else None
        )
        self._make_heads(n_outputs)
        self.first_states = None
        if n_context > 0 and context_as in ("state", "both"):
            self.first_states = FirstStates(n_context, self._example_states(sizes[-1]))

    def _make_heads(self, n_outputs: int) -> None:
        self.head = self._make_head(self.stack.output_size, n_outputs)

    def _make_head(self, n_inputs: int, n_outputs: int) -> Any:
        sizes, activation, normalization, dropout = self._output
        if not sizes:
            return nn.Linear(n_inputs, n_outputs)
        return FeedForward(
            (n_inputs, *sizes, n_outputs),
            activation=activation,
            normalization=normalization,
            dropout=dropout,
        )

    def _example_states(self, size: int) -> list[State]:
        """What states of all layers are like, forward and then backward."""
        x = torch.zeros(1, size)
        self.stack.eval()
        with torch.no_grad():
            _, last = self.stack(x, Packing(np.ones(1, dtype=np.int64), x.device))
        self.stack.train()
        return last * (2 if self.stack.backward_layers else 1)

    def forward(
        self,
        steps: Tensor,
        packing: Packing,
        context: Tensor | None = None,
        carried: Carried | None = None,
    ) -> Tensor:
        """Outputs ``(n, n_outputs)``, or ``(sum of lengths, n_outputs)`` without pooling.

        Parameters
        ----------
        steps : Tensor of shape (sum of lengths, n_features) or, of symbols, (sum of lengths,)
        packing : Packing
            Of the n sequences.
        context : Tensor of shape (n, n_context) or None, default=None
            Features of each sequence as a whole, for a network that takes some.
        carried : Carried or None, default=None
            Given, these are further steps of sequences of which it holds the states; it holds
            those after them then. Pooled outputs are those of all steps so far.
        """
        if carried is None:
            x, first, backward = self._inputs(steps, packing, context)
            x = self.read(x.index_select(0, packing.to_packed), packing)
            states, _ = self.stack(x, packing, first, False, backward)
        else:
            states = self.read_on(steps, packing, context, carried)
        features = self.pooled(states, packing, carried)
        return packing.map(self.head, features) if self.pooling is None else self.head(features)

    def features(
        self,
        steps: Tensor,
        packing: Packing,
        context: Tensor | None = None,
        carried: Carried | None = None,
    ) -> Tensor:
        """States ``(sum of lengths, size)`` of each step, or ``(n, size)`` pooled."""
        states = self.read_on(steps, packing, context, carried)
        return self.pooled(states, packing, carried)

    def read_on(
        self, steps: Tensor, packing: Packing, context: Tensor | None, carried: Carried | None
    ) -> Tensor:
        """States in packed order of sequences, or of further steps of them."""
        if carried is None:
            return self.states(steps, packing, need_last=False, context=context)[0]
        one_step = len(packing.batch_sizes) == 1 and packing.lanes is None
        if one_step and not self.training:  # of a stream: a fraction of what a layer's kernel takes
            x, first, _ = self._inputs(steps, packing, context)
            state = first if carried.state is None else carried.state
            states, after = self.stack.advance(self.read(x, packing), state)
        else:
            states, after = self.states(
                steps, packing, carried.state, not carried.ends, context=context
            )
        carried.keep(None if carried.ends else after)
        return states

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
        x, first, backward = self._inputs(steps, packing, context)
        x = self.read(x.index_select(0, packing.to_packed), packing)
        if state is None:
            return self.stack(x, packing, first, need_last, backward)
        return self.stack(x, packing, state, need_last)

    def _inputs(
        self, steps: Tensor, packing: Packing, context: Tensor | None
    ) -> tuple[Tensor, list[State] | None, list[State] | None]:
        """Stacked vectors of steps, and the first states of both directions by the context."""
        x = self.embedded(steps)
        if context is not None and self.context_at_steps:
            x = torch.cat([x, context.index_select(0, packing.sequence_of_step)], dim=1)
        if context is None or self.first_states is None:
            return x, None, None
        states, n_layers = self.first_states(context), len(self.stack.forward_layers)
        return x, states[:n_layers], states[n_layers:] or None

    @property
    def reads_on(self) -> bool:
        """Whether it can read sequences part by part: backward it cannot."""
        return not self.stack.backward_layers

    def read(self, x: Tensor, packing: Packing) -> Tensor:
        """What the recurrent layers read, of vectors of steps in packed order."""
        return x if self.input_layers is None else packing.map(self.input_layers, x)

    def embedded(self, steps: Tensor) -> Tensor:
        """Vectors of steps: their features, or what is learned for their symbols."""
        return steps if self.embedding is None else self.embedding(steps)

    def pooled(self, states: Tensor, packing: Packing, carried: Carried | None = None) -> Tensor:
        """States of all steps, stacked, or one vector for each sequence.

        With `carried` it is that of all steps so far.
        """
        if self.pooling == "last":
            return self.stack.ends(states, packing)
        stacked = states.index_select(0, packing.to_stacked)
        if self.pooling is None:
            return stacked
        if carried is not None:
            summary = self._summary(stacked, packing, carried.summary)
            carried.summary = by_part(Tensor.detach, summary)
            return summary[0]
        if self.attention is not None:
            return self.attention(stacked, packing)
        return (mean_pool if self.pooling == "mean" else max_pool)(stacked, packing)

    def _summary(
        self, stacked: Tensor, packing: Packing, before: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, ...]:
        """What is pooled of all steps so far, and what it takes to go on with it."""
        if self.pooling == "max":
            largest = max_pool(stacked, packing)
            return (largest if before is None else torch.maximum(before[0], largest),)
        if self.attention is not None:
            mean, log_weight = self.attention.weighted(stacked, packing)
        else:
            mean = mean_pool(stacked, packing)
            log_weight = torch.from_numpy(packing.lengths).to(mean)[:, None].log()
        return (mean, log_weight) if before is None else joined_means(before, (mean, log_weight))


class NeighborNetwork(RecurrentNetwork):
    """Predicts each step's successor from the forward states, its predecessor from the backward.

    No direction sees what it predicts, so that states learn what a sequence is like without
    labels (as in ELMo, Peters et al. 2018, section 3.1).

    Parameters
    ----------
    n_outputs : int
        Features, or symbols, of a predicted step.
    n_features, embedding_size, ...
        As in `RecurrentNetwork`.
    """

    _directions_meet = False

    def _make_heads(self, n_outputs: int) -> None:
        both = bool(self.stack.backward_layers)
        size = self.stack.output_size // (1 + both)
        self.head = self._make_head(size, n_outputs)
        self.backward_head = self._make_head(size, n_outputs) if both else None

    def forward(  # type: ignore[override]
        self,
        steps: Tensor,
        packing: Packing,
        context: Tensor | None = None,
        carried: Carried | None = None,
    ) -> list[Tensor]:
        """Predicted next (and previous) steps, ``(sum of lengths, n_outputs)`` each."""
        states = self.read_on(steps, packing, context, carried)
        stacked = states.index_select(0, packing.to_stacked)
        if self.backward_head is None:
            return [self.head(stacked)]
        forward, backward = self.stack.split(stacked)
        return [self.head(forward.flatten(1)), self.backward_head(backward.flatten(1))]
