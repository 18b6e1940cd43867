"""Recurrent layers over packed steps, stacked and in both directions."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.layers.feedforward import NORMALIZATIONS
from sklseq.nn.layers.randomness import Dropout
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import make_layer
from sklseq.nn.recurrent.layer import State, output_of
from sklseq.nn.recurrent.noise import SequenceDropout, StateNoise
from sklseq.nn.recurrent.penalties import Record

__all__ = ["SKIPS", "RecurrentStack"]

SKIPS = ("residual", "dense")


class RecurrentStack(nn.Module):
    """Recurrent layers on top of each other, each in one or both directions.

    The backward direction is a layer of its own over each sequence reversed by its own length,
    so it starts at the last real step and never sees what comes after.

    Batch normalization takes mean and variance over all real steps of a batch, whatever their
    number in their sequence (Laurent et al. 2016, section 4.1, "sequence-wise"): statistics for
    each step number (Cooijmans et al. 2017) would be of one value each in a single series, and of
    few at the last steps of ragged sequences.

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
    skip_connections : {"residual", "dense"} or None, default=None
        With "residual" layers add their input to their output, from the second one on, whose
        sizes are the same (Wu et al. 2016, section 3.1). With "dense" a layer reads the input and
        the outputs of all layers below, and the output has those of all layers (Graves 2013,
        section 2).
    normalization : {"batch", "layer"} or None, default=None
        Of the states of each layer and direction before they are handed on (Ba et al. 2016, for
        "layer").
    dropout_mask : {"step", "sequence"}, default="step"
        Whether outputs are dropped anew at each step, or the same ones throughout a sequence.
    recurrent_dropout, zoneout : float, default=0
        See `StateNoise`.
    directions_meet : bool, default=True
        Whether a layer reads both directions of the layer below, or only its own.
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
        skip_connections: str | None = None,
        normalization: str | None = None,
        dropout_mask: str = "step",
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        directions_meet: bool = True,
    ):
        super().__init__()
        self.apart = bidirectional and not directions_meet
        n_directions = 2 if bidirectional else 1
        self.hidden_size = hidden_size
        width = hidden_size * (1 if self.apart else n_directions)
        self.input_size, self.skip_connections = input_size, skip_connections
        if skip_connections == "dense":
            sizes = [input_size + n * width for n in range(num_layers)]
            self.output_size = num_layers * n_directions * hidden_size
        else:
            sizes = [input_size] + [width] * (num_layers - 1)
            self.output_size = n_directions * hidden_size
        self.forward_layers = nn.ModuleList(
            make_layer(cell, size, hidden_size, cell_options) for size in sizes
        )
        self.backward_layers = nn.ModuleList(
            make_layer(cell, size, hidden_size, cell_options)
            for size in (sizes if bidirectional else [])
        )
        self.per_step = dropout_mask == "step"
        self.dropout = Dropout(dropout) if self.per_step else SequenceDropout(dropout)
        norms: list[type[nn.Module]] = []
        if normalization is not None:
            norms = [NORMALIZATIONS[normalization]] * num_layers
        self.norms = nn.ModuleList(norm(hidden_size) for norm in norms)
        self.backward_norms = nn.ModuleList(
            norm(hidden_size) for norm in (norms if bidirectional else [])
        )
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
        backward_state: Sequence[State] | None = None,
    ) -> tuple[Tensor, list[State | None]]:
        """Output at all steps, and states of all layers after the last step.

        Parameters
        ----------
        x : Tensor of shape (n_steps, input_size)
            In packed order.
        packing : Packing
        state : list of State, one for each layer, or None, default=None
            States before the first step; not for both directions, unless the other has its own.
        need_last : bool, default=True
            See `Layer.forward`.
        backward_state : list of State or None, default=None
            What the backward layers begin with, at the last step of each sequence.

        Returns
        -------
        Tensor of shape (n_steps, output_size)
        list of State
            Of the forward direction.
        """
        last, x_back = [], x
        from_end = backward_state or [None] * len(self.backward_layers)
        for i, before in enumerate(self._states_given(state, backward_state is not None)):
            layer = self._with_noise(self.forward_layers[i])
            states, after = layer(x, packing, before, need_last)
            states = self._normalized(self.norms, i, states, packing)
            last.append(after)
            if self.backward_layers:
                layer = self._with_noise(self.backward_layers[i])
                mirrored = x_back.index_select(0, packing.reverse)
                mirrored, _ = layer(mirrored, packing, from_end[i], need_last=False)
                mirrored = self._normalized(self.backward_norms, i, mirrored, packing)
                states = torch.cat([states, mirrored.index_select(0, packing.reverse)], dim=1)
            dropped = self.dropout(states) if self.per_step else self.dropout(states, packing)
            if self.record is not None:
                self.record.packing = packing
                self.record.states, self.record.outputs = states, dropped
            if self.apart:
                dropped, mirrored = dropped.split(self.hidden_size, dim=1)
                x_back = self._handed_on(i, x_back, mirrored)
            x = self._handed_on(i, x, dropped)
            if not self.apart:
                x_back = x
        if not self.apart:
            return self._output(x), last
        both = (self._output(part).unflatten(1, (-1, self.hidden_size)) for part in (x, x_back))
        return torch.stack([*both], dim=2).flatten(1), last

    def _with_noise(self, layer: Any) -> Any:
        """What is run of a layer: itself, or step by step with noise, and with a record."""
        transitions = None if self.record is None else self.record.transitions
        if not self.noise.acts and transitions is None:
            return layer
        return partial(self.noise, layer, transitions=transitions)

    @staticmethod
    def _normalized(norms: nn.ModuleList, i: int, states: Tensor, packing: Packing) -> Tensor:
        return packing.map(norms[i], states) if norms else states

    def step(self, x_t: Tensor, state: Sequence[State] | None = None) -> list[State]:
        """States of all layers after one step ``x_t`` of shape ``(n, input_size)``."""
        return self.advance(x_t, state)[1]

    def advance(
        self, x_t: Tensor, state: Sequence[State] | None = None
    ) -> tuple[Tensor, list[State]]:
        """Output ``(n, output_size)`` of one step, and states of all layers after it.

        Without normalization and skip connections the output is that of the last state.
        """
        if self.backward_layers:
            raise ValueError(
                "A bidirectional stack reads whole sequences; it takes no single steps. Use "
                "bidirectional=False."
            )
        after: list[State] = []
        for i, before in enumerate(self._states_given(state)):
            layer: Any = self.forward_layers[i]
            after.append(self.noise.step(layer, x_t, before))
            states = output_of(after[-1])
            if self.norms:
                states = self.norms[i](states)
            x_t = self._handed_on(i, x_t, self.dropout(states))
        return self._output(x_t), after

    def _handed_on(self, i: int, below: Tensor, states: Tensor) -> Tensor:
        """What the layer above layer i reads, of what layer i has read and gives."""
        if self.skip_connections == "dense":
            return torch.cat([below, states], dim=1)
        return below + states if self.skip_connections == "residual" and i else states

    def _output(self, x: Tensor) -> Tensor:
        return x[:, self.input_size :] if self.skip_connections == "dense" else x

    def ends(self, states: Tensor, packing: Packing) -> Tensor:
        """Of each sequence the states that have read it whole, ``(n, output_size)``.

        The backward one is at the first step.
        """
        last = states.index_select(0, packing.last)
        if not self.backward_layers:
            return last
        first = states.index_select(0, packing.reverse.index_select(0, packing.last))
        both = self.split(last)[0], self.split(first)[1]
        return torch.stack(both, dim=2).flatten(1)

    def split(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Forward and backward parts of the output, ``(n, n_layers_in_it, hidden_size)`` each."""
        parts = states.unflatten(1, (-1, 2, self.hidden_size))
        return parts[:, :, 0], parts[:, :, 1]

    def _states_given(
        self, state: Sequence[State] | None, both: bool = False
    ) -> Sequence[State | None]:
        n_layers = len(self.forward_layers)
        if state is None:
            return [None] * n_layers
        if self.backward_layers and not both:
            raise ValueError(
                "A bidirectional stack takes no state: its backward layers begin at the end of a "
                "sequence. Use bidirectional=False."
            )
        if len(state) != n_layers:
            raise ValueError(f"state has {len(state)} entries for {n_layers} layers.")
        return state
