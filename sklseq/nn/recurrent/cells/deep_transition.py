"""Elman units with several layers between one state and the next."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import Layer, State

__all__ = ["DeepTransition"]


class DeepTransition(Layer):
    """Elman network whose transition is a feed-forward network (Pascanu et al. 2014, section 3.2).

    ``z_1 = tanh(W_ih x_t + W_hh h_{t-1} + b)``, ``z_k = tanh(W_k z_{k-1} + b_k)`` for each further
    one of `layer_sizes`, and ``h_t = tanh(V z_n + c)``. With a shortcut ``S h_{t-1}`` is added
    within the last tanh: a way through time that the layers between do not lengthen.

    Parameters
    ----------
    input_size, hidden_size : int
    layer_sizes : sequence of int or None, default=None
        Units of each layer between two states; None takes one of `hidden_size`.
    shortcut : bool, default=False
    """

    gates = ("new",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        layer_sizes: Sequence[int] | None = None,
        shortcut: bool = False,
    ):
        super().__init__()
        sizes = [hidden_size] if layer_sizes is None else [*layer_sizes]
        if not sizes or min(sizes) < 1:
            raise ValueError(
                f"layer_sizes={layer_sizes!r} of the cell 'deep_transition' are not the units of "
                "one layer at least; without one between two states take cell='rnn'."
            )
        self.hidden_size = hidden_size
        self.weight_ih = _uniform(hidden_size, sizes[0], input_size)
        self.weight_hh = _uniform(hidden_size, sizes[0], hidden_size)
        self.bias = _uniform(hidden_size, sizes[0])
        deeper = [*pairwise([*sizes, hidden_size])]
        self.weight_hh_deep = nn.ParameterList(_uniform(i, o, i) for i, o in deeper)
        self.bias_deep = nn.ParameterList(_uniform(i, o) for i, o in deeper)
        self.weight_hh_shortcut = (
            _uniform(hidden_size, hidden_size, hidden_size) if shortcut else None
        )

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        h = x.new_zeros(packing.batch_sizes[0], self.hidden_size)
        states = []
        for t, drive in enumerate(packing.map(self._drive, x).split(packing.batch_sizes)):
            h = self._next(drive, packing.carried(t, h, state))
            states.append(h)
        joined = torch.cat(states)
        return joined, joined.index_select(0, packing.last) if need_last else None

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        h = x_t.new_zeros(len(x_t), self.hidden_size) if state is None else state
        return self._next(self._drive(x_t), h)

    def _drive(self, x: Tensor) -> Tensor:
        return linear(x, self.weight_ih, self.bias)

    def _next(self, drive: Tensor, h: Tensor) -> Tensor:
        z = torch.addmm(drive, h, self.weight_hh.T)
        for weight, bias in zip(self.weight_hh_deep, self.bias_deep, strict=True):
            z = linear(torch.tanh(z), weight, bias)
        if self.weight_hh_shortcut is not None:
            z = torch.addmm(z, h, self.weight_hh_shortcut.T)
        return torch.tanh(z)


def _uniform(fan_in: int, *shape: int) -> nn.Parameter:
    bound = 1 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))
