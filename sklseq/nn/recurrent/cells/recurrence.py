"""The base of cells that are written as one equation: all inputs at once, then step by step."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import Layer, State, by_part, output_of

__all__ = ["Recurrence", "sigmoid", "uniform"]


def uniform(hidden_size: int, *shape: int) -> nn.Parameter:
    """A parameter drawn as those of torch's recurrent layers are."""
    bound = 1 / math.sqrt(hidden_size)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


def sigmoid(x: Tensor) -> Tensor:
    """Of rows ``(n, size)``, each of which is rounded in the same way in inference.

    Torch computes the last few numbers of a tensor in one piece in another way than the others.
    """
    if x.is_contiguous() and not torch.is_grad_enabled():
        x = pad(x, (0, 1))[:, :-1]
    return torch.sigmoid(x)


class Recurrence(Layer):
    """Layer of a cell that says what drives it and what its next state is.

    What each block of a cell's units takes of the input, ``weight_ih x + bias``, does not wait
    for the recurrence, so that it is one product for all steps. A cell names its blocks in `gates`
    and defines `next`, and `weights`, `drive` or `start` where these are not enough.

    Parameters
    ----------
    input_size, hidden_size : int
    """

    gates: tuple[str, ...] = ("new",)
    weight_hh: Any

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hidden_size, n = hidden_size, len(self.gates) * hidden_size
        self.weight_ih = uniform(hidden_size, n, input_size)
        self.weight_hh = uniform(hidden_size, n, hidden_size)
        self.bias = uniform(hidden_size, n)

    def drive(self, x: Tensor) -> Tensor:
        """What the units take of the input, ``(n, n_blocks * hidden_size)``."""
        return linear(x, self.weight_ih, self.bias)

    def weights(self) -> Iterable[Tensor]:
        """What `next` needs of the parameters, made once for all steps."""
        return (self.weight_hh.t(),)

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        """The state after a step with this drive."""
        raise NotImplementedError

    def start(self, drive: Tensor) -> State:
        """A state of zeros, with a row for each of the drive."""
        return drive.new_zeros(len(drive), self.hidden_size)

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        drive = self.drive(x_t)
        return self.next(drive, self.start(drive) if state is None else state, *self.weights())

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        drives = packing.map(self.drive, x).split(packing.batch_sizes)
        weights = [weight.contiguous() for weight in self.weights()]
        now = self.start(drives[0])
        endings, place = packing.endings if need_last else ({}, None)
        outputs, ended = [], []
        for t, drive in enumerate(drives):
            if t in packing.beginnings or len(drive) < len(output_of(now)):
                now = _carried(packing, t, now, state)
            now = self.next(drive, now, *weights)
            outputs.append(output_of(now))
            if t in endings:
                ended.append(by_part(lambda part, t=t: part.index_select(0, endings[t]), now))
        joined = torch.cat(outputs)
        if place is None:
            return joined, None
        return joined, by_part(lambda *parts: torch.cat(parts).index_select(0, place), *ended)


def _carried(packing: Packing, time: int, now: State, initial: State | None) -> State:
    if initial is None:
        return by_part(lambda part: packing.carried(time, part, None), now)
    return by_part(lambda part, first: packing.carried(time, part, first), now, initial)
