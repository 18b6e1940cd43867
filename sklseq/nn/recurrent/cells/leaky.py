"""Leaky-integrator units, each with a time constant of its own."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.recurrent.cells.options import increasing_times
from sklseq.nn.recurrent.cells.recurrence import Recurrence
from sklseq.nn.recurrent.layer import State

__all__ = ["Leaky"]


class Leaky(Recurrence):
    """Elman network of leaky units, ``x(t) = (1 - a) x(t-1) + a tanh(W x(t-1) + W_in u(t) + b)``.

    Each unit has a leak rate a of its own in [0, 1] (Jaeger et al. 2007, Optimization and
    applications of echo state networks with leaky-integrator neurons, eq. 1; there not trained).
    It forgets with the time constant 1/a, in steps.

    Parameters
    ----------
    input_size, hidden_size : int
    time_scales : (float, float) or None, default=None
        Shortest and longest time constant at the start, at least 1 step; between them those of the
        units grow by a constant factor, and their logarithms are trained. None spreads leak rates
        evenly over (0, 1], and trains these.
    learn_leak : bool, default=True
        Whether the time constants are trained with the weights.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        time_scales: tuple[float, float] | None = None,
        learn_leak: bool = True,
    ):
        super().__init__(input_size, hidden_size)
        if time_scales is None:
            name, start = "leak_rate", torch.arange(1.0, hidden_size + 1) / hidden_size
        else:
            shortest, longest = increasing_times("time_scales", time_scales)
            name = "log_time_constant"
            start = torch.linspace(math.log(shortest), math.log(longest), hidden_size)
        self.in_logarithms = time_scales is not None
        if learn_leak:
            self.register_parameter(name, nn.Parameter(start))
        else:
            self.register_buffer(name, start)

    def weights(self) -> tuple[Tensor, ...]:
        own: Any = self
        if self.in_logarithms:
            return self.weight_hh.t(), torch.exp(-own.log_time_constant.clamp(min=0))
        return self.weight_hh.t(), own.leak_rate.clamp(0, 1)

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        weight, leak = weights
        return torch.lerp(state, torch.tanh(torch.addmm(drive, state, weight)), leak)

    def step_reading(self, x_t: Tensor, state: State, read: Tensor) -> State:
        weight, leak = self.weights()
        return torch.lerp(state, torch.tanh(torch.addmm(self.drive(x_t), read, weight)), leak)

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        return {"leak rate": self.weights()[1].expand(len(x_t), -1)}
