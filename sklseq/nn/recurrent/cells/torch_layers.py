"""Layers with the equations and the parameters of torch's own: RNN, GRU, LSTM."""

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.options import one_of
from sklseq.nn.recurrent.kernels.cpu import torch_weights
from sklseq.nn.recurrent.kernels.dispatch import kernel_for
from sklseq.nn.recurrent.layer import Layer, State

__all__ = ["GRU", "LSTM", "RNN", "LSTMState"]


class TorchLayer(Layer):
    """Parameters of torch's layer, run by the kernel that fits device and type."""

    torch_layer: ClassVar[Any]
    cell: ClassVar[str]

    def __init__(self, input_size: int, hidden_size: int, **options: Any):
        super().__init__()
        self.rnn = self.torch_layer(input_size, hidden_size, **options)
        self.hidden_size = hidden_size

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        kernel = kernel_for(self.cell, self.hidden_size, x, packing)
        return kernel(self.rnn, x, packing, state, need_last)

    def zero_state(self, x_t: Tensor) -> Tensor:
        return x_t.new_zeros(len(x_t), self.hidden_size)


class RNN(TorchLayer):
    """Elman network.

    Parameters
    ----------
    input_size, hidden_size : int
    activation : {"tanh", "relu"}, default="tanh"
    """

    torch_layer, cell = nn.RNN, "rnn"
    gates = ("new",)

    def __init__(self, input_size: int, hidden_size: int, activation: str = "tanh"):
        one_of("activation", activation, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, nonlinearity=activation)

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        h = self.zero_state(x_t) if state is None else state
        next_state = {"tanh": torch.rnn_tanh_cell, "relu": torch.rnn_relu_cell}
        return next_state[self.rnn.nonlinearity](x_t, h, *torch_weights(self.rnn))

    def step_reading(self, x_t: Tensor, state: State, read: Tensor) -> State:
        return self.step(x_t, read)


class GRU(TorchLayer):
    """Gated recurrent unit."""

    torch_layer, cell = nn.GRU, "gru"
    gates = ("reset", "keep", "new")

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        h = self.zero_state(x_t) if state is None else state
        return torch.gru_cell(x_t, h, *torch_weights(self.rnn))

    def step_reading(self, x_t: Tensor, state: State, read: Tensor) -> State:
        w_ih, w_hh, b_ih, b_hh = torch_weights(self.rnn)
        r_x, z_x, n_x = linear(x_t, w_ih, b_ih).chunk(3, dim=1)
        r_h, z_h, n_h = linear(read, w_hh, b_hh).chunk(3, dim=1)
        new = torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
        return torch.lerp(new, state, torch.sigmoid(z_x + z_h))

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        h = self.zero_state(x_t) if state is None else state
        w_ih, w_hh, b_ih, b_hh = torch_weights(self.rnn)
        r, z, _ = (linear(x_t, w_ih, b_ih) + linear(h, w_hh, b_hh)).chunk(3, dim=1)
        return {"reset": torch.sigmoid(r), "update": torch.sigmoid(z)}


class LSTMState(NamedTuple):
    """State of long short-term memory."""

    hidden: Tensor
    cell: Tensor


class LSTM(TorchLayer):
    """Long short-term memory; its state is an `LSTMState`."""

    torch_layer, cell = nn.LSTM, "lstm"
    gates = ("take", "keep", "new", "output")

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        states, last = super().forward(x, packing, state, need_last)
        return states, None if last is None else LSTMState(*last)

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        pair = (self.zero_state(x_t),) * 2 if state is None else state
        return LSTMState(*torch.lstm_cell(x_t, pair, *torch_weights(self.rnn)))

    def step_reading(self, x_t: Tensor, state: State, read: Tensor) -> State:
        return self.step(x_t, LSTMState(read, state[1]))

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        h = self.zero_state(x_t) if state is None else state[0]
        w_ih, w_hh, b_ih, b_hh = torch_weights(self.rnn)
        i, f, _, o = (linear(x_t, w_ih, b_ih) + linear(h, w_hh, b_hh)).chunk(4, dim=1)
        return {"input": torch.sigmoid(i), "forget": torch.sigmoid(f), "output": torch.sigmoid(o)}
