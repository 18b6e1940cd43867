"""Leaky-integrator units, whose time constants are trained with their weights."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import Layer, State

__all__ = ["Leaky"]


class Leaky(Layer):
    """Elman network of leaky units, ``x(t) = (1 - a) x(t-1) + a tanh(W x(t-1) + W_in u(t) + b)``.

    Each unit has a leak rate a of its own in [0, 1] (Jaeger et al. 2007, Optimization and
    applications of echo state networks with leaky-integrator neurons, eq. 1; there not trained).
    They start spread evenly over (0, 1], so that the units have many time scales.

    Parameters
    ----------
    input_size, hidden_size : int
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hidden_size = hidden_size
        bound = 1 / math.sqrt(hidden_size)
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(hidden_size).uniform_(-bound, bound))
        self.leak_rate = nn.Parameter(torch.arange(1.0, hidden_size + 1) / hidden_size)

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        leak = self.leak_rate.clamp(0, 1)
        h = x.new_zeros(packing.batch_sizes[0], self.hidden_size)
        states = []
        for t, drive in enumerate(packing.map(self._drive, x).split(packing.batch_sizes)):
            h = self._next(drive, packing.carried(t, h, state), leak)
            states.append(h)
        joined = torch.cat(states)
        return joined, joined.index_select(0, packing.last) if need_last else None

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        h = x_t.new_zeros(len(x_t), self.hidden_size) if state is None else state
        return self._next(self._drive(x_t), h, self.leak_rate.clamp(0, 1))

    def step_reading(self, x_t: Tensor, state: State, read: Tensor) -> State:
        new = torch.tanh(torch.addmm(self._drive(x_t), read, self.weight_hh.T))
        return torch.lerp(state, new, self.leak_rate.clamp(0, 1))

    def _drive(self, x: Tensor) -> Tensor:
        return linear(x, self.weight_ih, self.bias)

    def _next(self, drive: Tensor, h: Tensor, leak: Tensor) -> Tensor:
        return torch.lerp(h, torch.tanh(torch.addmm(drive, h, self.weight_hh.T)), leak)
