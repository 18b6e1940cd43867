"""Recurrent layers over packed steps, stacked and in both directions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.layers.randomness import Dropout
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import make_layer
from sklseq.nn.recurrent.layer import State, output_of
from sklseq.nn.recurrent.noise import SequenceDropout, StateNoise
from sklseq.nn.recurrent.penalties import Record

__all__ = ["RecurrentStack"]


class RecurrentStack(nn.Module):
    """Recurrent layers on top of each other, each in one or both directions.

    The backward direction is a layer of its own over each sequence reversed by its own length,
    so it starts at the last real step and never sees what comes after.

    Parameters
    ----------
    cell : str or type
        A key of `CELLS`, or a cell class.
    input_size, hidden_size, num_layers : int
    bidirectional : bool, default=False
        Concatenate the states of both directions, forward first.
    dropout : float, default=0
        On the output of every layer.
    cell_options : dict or None, default=None
        More arguments of the cell.
    dropout_mask : {"step", "sequence"}, default="step"
        Whether outputs are dropped anew at each step, or the same ones throughout a sequence.
    recurrent_dropout, zoneout : float, default=0
        See `StateNoise`.
    """

    def __init__(
        self,
        cell: str | type[nn.Module],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        cell_options: dict[str, Any] | None = None,
        dropout_mask: str = "step",
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
    ):
        super().__init__()
        directions = 2 if bidirectional else 1
        self.hidden_size, self.output_size = hidden_size, directions * hidden_size
        sizes = [input_size] + [self.output_size] * (num_layers - 1)
        self.forward_layers = nn.ModuleList(
            make_layer(cell, size, hidden_size, cell_options) for size in sizes
        )
        self.backward_layers = nn.ModuleList(
            make_layer(cell, size, hidden_size, cell_options)
            for size in (sizes if bidirectional else [])
        )
        self.per_step = dropout_mask == "step"
        self.dropout = Dropout(dropout) if self.per_step else SequenceDropout(dropout)
        self.noise = StateNoise(recurrent_dropout, zoneout)
        for layer in self.forward_layers:
            self.noise.check(layer, cell)
        self.record: Record | None = None

    def forward(
        self,
        x: Tensor,
        packing: Packing,
        state: Sequence[State] | None = None,
        need_last: bool = True,
    ) -> tuple[Tensor, list[State | None]]:
        """States of the last layer at all steps, and states of all layers after the last step.

        Parameters
        ----------
        x : Tensor of shape (n_steps, input_size)
            In packed order.
        packing : Packing
        state : list of State, one for each layer, or None, default=None
            States before the first step; not for both directions.
        need_last : bool, default=True
            See `Layer.forward`.

        Returns
        -------
        Tensor of shape (n_steps, output_size)
        list of State
            Of the forward direction.
        """
        last = []
        transitions = None if self.record is None else self.record.transitions
        stepwise = self.noise.acts or transitions is not None
        for i, before in enumerate(self._states_given(state)):
            layer: Any = self.forward_layers[i]
            if stepwise:
                layer = partial(self.noise, layer, transitions=transitions)
            states, after = layer(x, packing, before, need_last)
            last.append(after)
            if self.backward_layers:
                layer = self.backward_layers[i]
                if stepwise:
                    layer = partial(self.noise, layer, transitions=transitions)
                backward = x.index_select(0, packing.reverse)
                mirrored, _ = layer(backward, packing, need_last=False)
                states = torch.cat([states, mirrored.index_select(0, packing.reverse)], dim=1)
            x = self.dropout(states) if self.per_step else self.dropout(states, packing)
        if self.record is not None:
            self.record.packing, self.record.states, self.record.outputs = packing, states, x
        return x, last

    def step(self, x_t: Tensor, state: Sequence[State] | None = None) -> list[State]:
        """States of all layers after one step ``x_t`` of shape ``(n, input_size)``.

        The output of the stack is that of its last layer, `output_of` the last state.
        """
        if self.backward_layers:
            raise ValueError(
                "A bidirectional stack reads whole sequences; it takes no single steps. Use "
                "bidirectional=False."
            )
        after: list[State] = []
        layer: Any
        for layer, before in zip(self.forward_layers, self._states_given(state), strict=True):
            after.append(self.noise.step(layer, x_t, before))
            x_t = self.dropout(output_of(after[-1]))
        return after

    def ends(self, states: Tensor, packing: Packing) -> Tensor:
        """Of each sequence the states that have read it whole, ``(n, output_size)``.

        The backward one is at the first step.
        """
        last = states.index_select(0, packing.last)
        if not self.backward_layers:
            return last
        size = self.hidden_size
        first = states.index_select(0, packing.reverse.index_select(0, packing.last))
        return torch.cat([last[:, :size], first[:, size:]], dim=1)

    def _states_given(self, state: Sequence[State] | None) -> Sequence[State | None]:
        n_layers = len(self.forward_layers)
        if state is None:
            return [None] * n_layers
        if self.backward_layers:
            raise ValueError(
                "A bidirectional stack takes no state: its backward layers begin at the end of a "
                "sequence. Use bidirectional=False."
            )
        if len(state) != n_layers:
            raise ValueError(f"state has {len(state)} entries for {n_layers} layers.")
        return state
