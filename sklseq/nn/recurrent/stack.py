"""Recurrent layers over packed steps, stacked and in both directions."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import PackedSequence

from sklseq.nn.layers.randomness import Dropout, draw_from_own_generator
from sklseq.nn.ragged.packing import Packing, rearrange
from sklseq.nn.recurrent.cells.leaky import Leaky
from sklseq.nn.recurrent.kernels.cpu import GRUKernel, RNNKernel

__all__ = ["CELLS", "Cell", "RecurrentStack", "make_layer"]

# A kernel call on rectangles costs about as much as this many cells of one hidden unit, and
# its working memory stays in the cache up to that many (measured on one core of a server).
_CALL_COST = 12_000
_CACHE_CELLS = 1 << 18
# Drives a gate shut to the last bit: larger than any sum that it meets in a trained network.
_SHUT = 1e4


class _TorchLayer(nn.Module):
    """One layer in one direction with torch's parameters; cuDNN on CUDA."""

    torch_layer: Callable[[int, int], nn.RNNBase]

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.rnn = self.torch_layer(input_size, hidden_size)
        self.hidden_size = hidden_size

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """Hidden states ``(n_steps, hidden_size)`` of packed steps ``(n_steps, input_size)``."""
        if x.is_cuda:
            sizes = torch.tensor(packing.batch_sizes)
            return self.rnn(PackedSequence(x, sizes))[0].data
        return self.run(x, packing)

    def run(self, x: Tensor, packing: Packing) -> Tensor:
        raise NotImplementedError


class _KernelLayer(_TorchLayer):
    kernel: Callable[..., Tensor]

    def run(self, x: Tensor, packing: Packing) -> Tensor:
        start = x.new_zeros(len(packing), self.hidden_size)
        return type(self).kernel(x, *self.rnn._flat_weights, start, packing)


class RNN(_KernelLayer):
    """Elman network with tanh."""

    torch_layer = nn.RNN
    kernel = RNNKernel.apply


class GRU(_KernelLayer):
    """Gated recurrent unit."""

    torch_layer = nn.GRU
    kernel = GRUKernel.apply


class LSTM(_TorchLayer):
    """Long short-term memory: torch's fused kernel over rectangles."""

    torch_layer = nn.LSTM

    def run(self, x: Tensor, packing: Packing) -> Tensor:
        equal = len(packing.batch_sizes) * len(packing) == len(x)
        # oneDNN's kernel takes time by cells and calls, torch's own by steps.
        one_dnn = x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
        return self._blocks(x, packing) if equal or not one_dnn else self._folded(x, packing)

    def _folded(self, x: Tensor, packing: Packing) -> Tensor:
        """Sequences end to end; a step between them shuts input and forget gate: state is zero."""
        n_rows, to_cells, to_packed = packing.folded
        weights: list[Any] = self.rnn._flat_weights
        w_ih, *others = weights
        between = w_ih.new_zeros(len(w_ih), 1)
        between[: 2 * self.hidden_size] = -_SHUT
        weights = [torch.cat([w_ih, between], dim=1), *others]
        x = pad(x, (0, 1, 0, 1))  # one more feature, 1 in the row that free cells take
        x[-1, -1] = 1
        cells = x.index_select(0, to_cells).unflatten(0, (-1, n_rows))
        n_calls = max(1, round(cells[..., 0].numel() * self.hidden_size / _CACHE_CELLS * 2))
        state = [x.new_zeros(1, n_rows, self.hidden_size)] * 2
        outputs = []
        for part in cells.split(-(-len(cells) // n_calls)):
            output, *state = torch.lstm(
                part, state, weights, True, 1, 0.0, self.training, False, False
            )
            outputs.append(output)
        states = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        return rearrange(states.flatten(0, 1), to_packed, to_cells)

    def _blocks(self, x: Tensor, packing: Packing) -> Tensor:
        """Rectangles that shrink as sequences end."""
        blocks = packing.blocks(_CALL_COST // self.hidden_size, _CACHE_CELLS // self.hidden_size)
        cells_of = [n_steps * rows for n_steps, rows in blocks]
        padded = sum(cells_of) != len(x)  # else packed order is that of the rectangles' cells
        if padded:
            to_cells, to_packed = packing.block_index(blocks)
            x = x.index_select(0, to_cells)
        state, outputs = None, []
        for (n_steps, rows), cells in zip(blocks, x.split(cells_of), strict=True):
            if state is not None and state[0].shape[1] != rows:
                state = tuple(s[:, :rows].contiguous() for s in state)
            output, state = self.rnn(cells.view(n_steps, rows, -1), state)
            outputs.append(output.reshape(n_steps * rows, -1))
        states = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        return states.index_select(0, to_packed) if padded else states


class Cell(nn.Module):
    """Any cell ``(input_size, hidden_size)`` that maps ``(x_t, state)`` to the next state.

    The state is a tensor ``(n, hidden_size)`` or a tuple of them, the first of which is the
    output, as in `torch.nn.GRUCell` and `torch.nn.LSTMCell`; at the first step it is None.
    """

    def __init__(self, cell: type[nn.Module], input_size: int, hidden_size: int):
        super().__init__()
        try:
            self.cell = cell(input_size, hidden_size)
            state = self.cell(torch.zeros(2, input_size), None)
            state = self.cell(torch.zeros(2, input_size), state)
            size = (state[0] if isinstance(state, tuple) else state).shape
        except Exception as error:
            raise ValueError(
                f"cell={cell.__name__} is not a recurrent cell: cell(input_size, hidden_size) and "
                f"then cell(x_t, None) must work, as with torch.nn.GRUCell ({error})."
            ) from error
        if size != (2, hidden_size):
            raise ValueError(
                f"cell={cell.__name__} gives states of shape {tuple(size)} for two sequences, "
                f"expected (2, {hidden_size}): it must take one step, as torch.nn.GRUCell does."
            )
        self.hidden_size = hidden_size
        draw_from_own_generator(self)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """Hidden states ``(n_steps, hidden_size)`` of packed steps ``(n_steps, input_size)``."""
        state: Any = None
        outputs = []
        for x_t in x.split(packing.batch_sizes):
            if isinstance(state, tuple):
                state = tuple(s[: len(x_t)] for s in state)
            elif state is not None:
                state = state[: len(x_t)]
            state = self.cell(x_t, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.cat(outputs)


CELLS: dict[str, Callable[[int, int], nn.Module]] = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "leaky": Leaky,
}


def make_layer(cell: str | type[nn.Module], input_size: int, hidden_size: int) -> nn.Module:
    """One recurrent layer in one direction, of a named cell or a cell class."""
    if isinstance(cell, str):
        return CELLS[cell](input_size, hidden_size)
    return Cell(cell, input_size, hidden_size)


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
    """

    def __init__(
        self,
        cell: str | type[nn.Module],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        directions = 2 if bidirectional else 1
        self.hidden_size, self.output_size = hidden_size, directions * hidden_size
        sizes = [input_size] + [self.output_size] * (num_layers - 1)
        self.forward_layers = nn.ModuleList(make_layer(cell, s, hidden_size) for s in sizes)
        self.backward_layers = nn.ModuleList(
            make_layer(cell, s, hidden_size) for s in (sizes if bidirectional else [])
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """States ``(n_steps, output_size)`` of the last layer, packed as ``x`` is."""
        for i, forward_layer in enumerate(self.forward_layers):
            states = forward_layer(x, packing)
            if self.backward_layers:
                reverse = packing.reverse
                mirrored = self.backward_layers[i](x.index_select(0, reverse), packing)
                states = torch.cat([states, mirrored.index_select(0, reverse)], dim=1)
            x = self.dropout(states)
        return x
