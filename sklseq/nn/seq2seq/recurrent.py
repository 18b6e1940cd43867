"""Recurrent encoders and decoders, with and without attention."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sklseq.nn.layers.attention import Attention
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.padding import Padding
from sklseq.nn.recurrent.first_states import FirstStates, zero_states
from sklseq.nn.recurrent.layer import State, by_part, output_of
from sklseq.nn.recurrent.stack import RecurrentStack
from sklseq.nn.seq2seq.memory import Decoder, Encoder, Memory

__all__ = ["DecoderState", "RecurrentDecoder", "RecurrentEncoder"]


class RecurrentEncoder(Encoder):
    """Recurrent layers; the summary is the state that has read the whole input.

    Parameters
    ----------
    cell, input_size, hidden_size, num_layers, bidirectional, dropout
        As in `RecurrentStack`.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        bidirectional: bool,
        dropout: float,
    ):
        super().__init__()
        self.stack = RecurrentStack(
            cell, input_size, hidden_size, num_layers, bidirectional, dropout
        )
        self.output_size = self.stack.output_size

    def forward(self, x: Tensor, packing: Packing) -> Memory:
        states, _ = self.stack(x.index_select(0, packing.to_packed), packing, need_last=False)
        padding = Padding(packing)
        padded = padding.pad(states.index_select(0, packing.to_stacked))
        return Memory(padded, padding.mask, self.stack.ends(states, packing))


class DecoderState(NamedTuple):
    """State of a recurrent decoder."""

    layers: list[State]
    features: Tensor
    """Those of the last step, ``(n * width, hidden_size)``; zero before the first."""


class RecurrentDecoder(Decoder):
    """Recurrent layers that begin with a state made of the summary, and attend to the memory.

    The features of a step are its state h; with attention ``tanh(W [c; h])`` of state and context
    (Luong et al. 2015, equation 5). With input feeding they enter the next step too (section 3.3).

    Parameters
    ----------
    cell : str
    input_size, memory_size, hidden_size, num_layers : int
    attention : str or None
        A kind of `Attention`.
    n_heads : int
    context : {"state", "steps", "both"}
        How the summary comes in: as the state before the first step, by one layer for all parts of
        the state (Cho et al. 2014, appendix A.1.1); as further inputs of every step; or as both.
    input_feeding : bool
    dropout : float
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        memory_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        attention: str | None,
        n_heads: int,
        context: str,
        input_feeding: bool,
        dropout: float,
    ):
        super().__init__()
        self.input_feeding, self.at_every_step = input_feeding, context in ("steps", "both")
        size = input_size + memory_size * self.at_every_step + hidden_size * input_feeding
        self.stack = RecurrentStack(cell, size, hidden_size, num_layers, dropout=dropout)
        with torch.no_grad():  # what a state of these cells is like
            self._like = self.stack.step(torch.zeros(1, size))
        starts = context in ("state", "both")
        self.first_states = FirstStates(memory_size, self._like) if starts else None
        self.attention = self.combine = None
        if attention is not None:
            self.attention = Attention(attention, hidden_size, memory_size, n_heads)
            self.combine = nn.Linear(self.attention.output_size + hidden_size, hidden_size)
        self.output_size = hidden_size

    def prepare(self, memory: Memory) -> Memory:
        keys = None if self.attention is None else self.attention.keys(memory.states)
        return memory._replace(keys=keys)

    def forward(self, x: Tensor, packing: Packing, memory: Memory) -> tuple[Tensor, Tensor | None]:
        padding = Padding(packing)
        if self.input_feeding:
            padded = padding.pad(x)
            features, weights = self.unroll(memory, padding.n_steps, lambda t, _: padded[:, t])
            return padding.stack(features), weights
        if self.at_every_step:
            summary = memory.summary.index_select(0, packing.sequence_of_step)
            x = torch.cat([x, summary], dim=1)
        packed = x.index_select(0, packing.to_packed)
        states, _ = self.stack(packed, packing, self._first_states(memory), need_last=False)
        states = states.index_select(0, packing.to_stacked)
        if self.attention is None:
            return states, None
        context, weights = self.attention(padding.pad(states), memory.keys, memory.mask)
        return packing.map(self._combined, padding.stack(context), states), weights

    def start(self, memory: Memory, width: int) -> DecoderState:
        layers = self._first_states(memory)
        if width > 1:
            layers = [by_part(lambda x: x.repeat_interleave(width, dim=0), s) for s in layers]
        rows = memory.n_rows * width
        return DecoderState(layers, memory.summary.new_zeros(rows, self.output_size))

    def step(
        self, x_t: Tensor, state: DecoderState, memory: Memory
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        n, width = memory.n_rows, len(x_t) // memory.n_rows
        parts = [x_t]
        if self.at_every_step:
            parts.append(memory.summary.repeat_interleave(width, dim=0))
        if self.input_feeding:
            parts.append(state.features)
        layers = self.stack.step(torch.cat(parts, dim=1) if len(parts) > 1 else x_t, state.layers)
        h, weights = self.stack.dropout(output_of(layers[-1])), None
        if self.attention is not None:
            context, weights = self.attention(h.view(n, width, -1), memory.keys, memory.mask)
            h = self._combined(context.flatten(0, 1), h)
        return h, DecoderState(layers, h), weights

    def reorder(self, state: DecoderState, index: Tensor) -> DecoderState:
        layers = [by_part(lambda x: x.index_select(0, index), s) for s in state.layers]
        return DecoderState(layers, state.features.index_select(0, index))

    def _combined(self, context: Tensor, states: Tensor) -> Tensor:
        assert self.combine is not None
        return self.stack.dropout(torch.tanh(self.combine(torch.cat([context, states], dim=1))))

    def _first_states(self, memory: Memory) -> list[State]:
        if self.first_states is None:
            return zero_states(self._like, memory.summary)
        return self.first_states(memory.summary)
