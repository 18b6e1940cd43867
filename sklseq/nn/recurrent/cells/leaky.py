"""Leaky-integrator units, whose time constants are trained with their weights."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sklseq.nn.ragged.packing import Packing

__all__ = ["Leaky"]


class Leaky(nn.Module):
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

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """Hidden states ``(n_steps, hidden_size)`` of packed steps ``(n_steps, input_size)``."""
        leak = self.leak_rate.clamp(0, 1)
        state = x.new_zeros(len(packing), self.hidden_size)
        states = []
        for drive in linear(x, self.weight_ih, self.bias).split(packing.batch_sizes):
            state = state[: len(drive)]
            state = torch.lerp(state, torch.tanh(torch.addmm(drive, state, self.weight_hh.T)), leak)
            states.append(state)
        return torch.cat(states)
