"""Long short-term memory with peepholes, and with coupled gates."""

import torch
from torch import Tensor

from sklseq.nn.recurrent.cells.options import one_of
from sklseq.nn.recurrent.cells.recurrence import Recurrence, sigmoid, uniform
from sklseq.nn.recurrent.cells.torch_layers import LSTM, LSTMState
from sklseq.nn.recurrent.layer import Layer, State

__all__ = ["LSTMVariant", "make_lstm"]


class LSTMVariant(Recurrence):
    """Long short-term memory whose gates see the cell, or whose input gate is not its own.

    ``i = sigmoid(W_i x + U_i h + p_i * c + b_i)``, ``f = sigmoid(W_f x + U_f h + p_f * c + b_f)``,
    ``g = tanh(W_g x + U_g h + b_g)``, ``c' = f * c + i * g``,
    ``o = sigmoid(W_o x + U_o h + p_o * c' + b_o)``, ``h' = o * tanh(c')``. The state is
    an `LSTMState`.

    Parameters
    ----------
    input_size, hidden_size : int
    peepholes : bool, default=False
        With the weights p (Gers, Schraudolph and Schmidhuber 2002, Learning precise timing with
        LSTM recurrent networks, section 3); without, they are zero.
    coupled : bool, default=False
        ``i = 1 - f`` (Greff et al. 2017, LSTM: a search space odyssey, section III.C).
    """

    def __init__(
        self, input_size: int, hidden_size: int, peepholes: bool = False, coupled: bool = False
    ):
        self.gates = ("keep", "new", "output") if coupled else ("take", "keep", "new", "output")
        super().__init__(input_size, hidden_size)
        n = len(self.gates) - 1
        self.peephole = uniform(hidden_size, n, hidden_size) if peepholes else None

    def start(self, drive: Tensor) -> State:
        zeros = super().start(drive)
        return LSTMState(zeros, zeros)

    def weights(self) -> tuple[Tensor, ...]:
        return self.weight_hh.t(), *(() if self.peephole is None else self.peephole.unbind())

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        (h, c), (weight, *peepholes) = state, weights
        *gates, new, o = torch.addmm(drive, h, weight).split(self.hidden_size, dim=1)
        if peepholes:
            gates = [a + p * c for a, p in zip(gates, peepholes, strict=False)]
        *i, f = map(sigmoid, gates)
        new = torch.tanh(new)
        c = f * c + i[0] * new if i else torch.lerp(new, c, f)
        if peepholes:
            o = o + peepholes[-1] * c
        return LSTMState(sigmoid(o) * torch.tanh(c), c)

    def step_reading(self, x_t: Tensor, state: State, read: Tensor) -> State:
        return self.step(x_t, LSTMState(read, state[1]))

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        drive = self.drive(x_t)
        h, c = self.start(drive) if state is None else state
        weight, *peepholes = self.weights()
        *gates, _, o = torch.addmm(drive, h, weight).split(self.hidden_size, dim=1)
        if peepholes:
            gates = [a + p * c for a, p in zip(gates, peepholes, strict=False)]
            o = o + peepholes[-1] * self.step(x_t, state)[1]
        *i, f = map(torch.sigmoid, gates)
        return {"input": i[0] if i else 1 - f, "forget": f, "output": torch.sigmoid(o)}


def make_lstm(
    input_size: int, hidden_size: int, peepholes: bool = False, coupled: bool = False
) -> Layer:
    """Long short-term memory, by torch's fast kernel unless it has an option."""
    one_of("peepholes", peepholes, (False, True))
    one_of("coupled", coupled, (False, True))
    if not (peepholes or coupled):
        return LSTM(input_size, hidden_size)
    return LSTMVariant(input_size, hidden_size, peepholes, coupled)
