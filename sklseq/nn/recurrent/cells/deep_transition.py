"""Elman units with several layers between one state and the next."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sklseq.nn.recurrent.cells.options import positive_integers
from sklseq.nn.recurrent.cells.recurrence import Recurrence, uniform
from sklseq.nn.recurrent.layer import State

__all__ = ["DeepTransition"]


class DeepTransition(Recurrence):
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

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        layer_sizes: Sequence[int] | None = None,
        shortcut: bool = False,
    ):
        sizes = [hidden_size]
        if layer_sizes is not None:
            try:
                sizes = [*positive_integers("layer_sizes", layer_sizes)]
            except ValueError as error:
                raise ValueError(
                    f"{error} Without a layer between two states take cell='rnn'."
                ) from None
        super().__init__(input_size, hidden_size)
        self.weight_ih = uniform(hidden_size, sizes[0], input_size)
        self.weight_hh = uniform(hidden_size, sizes[0], hidden_size)
        self.bias = uniform(hidden_size, sizes[0])
        deeper = [*pairwise([*sizes, hidden_size])]
        self.weight_hh_deep = nn.ParameterList(uniform(i, o, i) for i, o in deeper)
        self.bias_deep = nn.ParameterList(uniform(i, o) for i, o in deeper)
        self.weight_hh_shortcut = (
            uniform(hidden_size, hidden_size, hidden_size) if shortcut else None
        )

    def weights(self) -> list[Tensor]:
        shortcut = [] if self.weight_hh_shortcut is None else [self.weight_hh_shortcut]
        return [weight.t() for weight in (self.weight_hh, *shortcut, *self.weight_hh_deep)]

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        first, *deeper = weights
        z = torch.addmm(drive, state, first)
        shortcut = deeper.pop(0) if self.weight_hh_shortcut is not None else None
        for weight, bias in zip(deeper, self.bias_deep, strict=True):
            z = torch.addmm(bias, torch.tanh(z), weight)
        if shortcut is not None:
            z = torch.addmm(z, state, shortcut)
        return torch.tanh(z)
