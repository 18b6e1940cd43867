"""Gated recurrent units of other forms than torch's, and simpler ones."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import linear

from sklseq.nn.recurrent.cells.options import one_of
from sklseq.nn.recurrent.cells.recurrence import Recurrence, sigmoid, uniform
from sklseq.nn.recurrent.cells.torch_layers import GRU
from sklseq.nn.recurrent.layer import Layer, State

__all__ = ["GRUGlobalLocal", "GRUResetBefore", "GRUShared", "Minimal", "make_gru"]


class GRUResetBefore(Recurrence):
    """Gated recurrent unit as first published (Cho et al. 2014, equations 5 to 8).

    ``r = sigmoid(W_r x + U_r h + b_r)``, ``z = sigmoid(W_z x + U_z h + b_z)``,
    ``n = tanh(W_n x + U_n (r * h) + b_n)``, ``h' = (1 - z) * n + z * h``: units are reset before
    they are mixed, where torch and cuDNN have ``r * (U_n h + b)``.

    Parameters
    ----------
    input_size, hidden_size : int
    """

    gates = ("reset", "keep", "new")

    def weights(self) -> tuple[Tensor, ...]:
        gates = 2 * self.hidden_size
        return self.weight_hh[:gates].t(), self.weight_hh[gates:].t()

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        of_gates, of_new = drive.split([2 * self.hidden_size, self.hidden_size], dim=1)
        r, z = map(sigmoid, torch.addmm(of_gates, state, weights[0]).chunk(2, dim=1))
        new = torch.tanh(torch.addmm(of_new, r * state, weights[1]))
        return torch.lerp(new, state, z)

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        drive = self.drive(x_t)[:, : 2 * self.hidden_size]
        h = self.start(drive) if state is None else state
        r, z = torch.sigmoid(torch.addmm(drive, h, self.weights()[0])).chunk(2, dim=1)
        return {"reset": r, "update": z}


def make_gru(input_size: int, hidden_size: int, reset: str = "after") -> Layer:
    """Gated recurrent units that reset after the product with the state, or before."""
    one_of("reset", reset, ("after", "before"))
    return (GRU if reset == "after" else GRUResetBefore)(input_size, hidden_size)


class Minimal(Recurrence):
    """Minimal gated unit, whose one gate both forgets and resets (Zhou et al. 2016).

    ``f = sigmoid(W_f x + U_f h + b_f)``, ``n = tanh(W_n x + U_n (f * h) + b_n)``,
    ``h' = (1 - f) * h + f * n`` (Minimal gated unit for recurrent neural networks, International
    Journal of Automation and Computing 13, section 3).

    Parameters
    ----------
    input_size, hidden_size : int
    """

    gates = ("take", "new")

    def weights(self) -> tuple[Tensor, ...]:
        size = self.hidden_size
        return self.weight_hh[:size].t(), self.weight_hh[size:].t()

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        of_gate, of_new = drive.chunk(2, dim=1)
        f = sigmoid(torch.addmm(of_gate, state, weights[0]))
        new = torch.tanh(torch.addmm(of_new, f * state, weights[1]))
        return torch.lerp(state, new, f)

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        drive = self.drive(x_t)[:, : self.hidden_size]
        h = self.start(drive) if state is None else state
        return {"forget": torch.sigmoid(torch.addmm(drive, h, self.weights()[0]))}


class _WithGlobalGates(Recurrence):
    """Besides the blocks of units there are gates that each have one value for all units."""

    n_global: ClassVar[int]

    def weights(self) -> tuple[Tensor, ...]:
        """Those of the candidate state, and those of the gates."""
        raise NotImplementedError

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size)
        self.gate_weight_ih = uniform(hidden_size, self.n_global, input_size)
        self.gate_weight_hh = uniform(hidden_size, self.n_global, hidden_size)
        self.gate_bias = uniform(hidden_size, self.n_global)

    def drive(self, x: Tensor) -> Tensor:
        weight = torch.cat([self.weight_ih, self.gate_weight_ih])
        return linear(x, weight, torch.cat([self.bias, self.gate_bias]))


class GRUShared(_WithGlobalGates):
    """Gated recurrent unit with one reset gate for all units.

    ``r = sigmoid(w_r x + u_r h + b_r)``, a number; ``z = sigmoid(W_z x + U_z h + b_z)``,
    ``n = tanh(W_n x + U_n (r h) + b_n)``, ``h' = (1 - z) * n + z * h`` (Goodfellow, Bengio and
    Courville 2016, Deep Learning, section 10.10.2: a reset gate can be shared by several units).

    Parameters
    ----------
    input_size, hidden_size : int
    """

    gates, n_global = ("new", "keep"), 1

    def weights(self) -> tuple[Tensor, ...]:
        candidate, gate = self.weight_hh.chunk(2)
        return candidate.t(), torch.cat([gate, self.gate_weight_hh]).t()

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        of_new, of_gates = drive.split([self.hidden_size, self.hidden_size + 1], dim=1)
        candidate, gates = weights
        z, r = torch.addmm(of_gates, state, gates).split([self.hidden_size, 1], dim=1)
        new = torch.tanh(torch.addmm(of_new, sigmoid(r) * state, candidate))
        return torch.lerp(new, state, sigmoid(z))

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        drive = self.drive(x_t)[:, self.hidden_size :]
        h = self.start(drive) if state is None else state
        gates = torch.sigmoid(torch.addmm(drive, h, self.weights()[1]))
        z, r = gates.split([self.hidden_size, 1], dim=1)
        return {"reset": r, "update": z}


class GRUGlobalLocal(_WithGlobalGates):
    """Gated recurrent unit whose gates are each the product of a global and a local one.

    ``r = sigmoid(w_r x + u_r h + c_r) sigmoid(W_r x + U_r h + b_r)``, the first factor a number
    for all units, the second a vector; z likewise; ``n = tanh(W_n x + U_n (r * h) + b_n)``,
    ``h' = (1 - z) * n + z * h`` (Goodfellow, Bengio and Courville 2016, Deep Learning, section
    10.10.2).

    Parameters
    ----------
    input_size, hidden_size : int
    """

    # A local bias alone does not decide how much is kept: no gate for `forget_bias`.
    gates, n_global = ("new", "reset", "update"), 2

    def weights(self) -> tuple[Tensor, ...]:
        candidate, gates = self.weight_hh.split([self.hidden_size, 2 * self.hidden_size])
        return candidate.t(), torch.cat([gates, self.gate_weight_hh]).t()

    def next(self, drive: Tensor, state: State, *weights: Tensor) -> State:
        size, (candidate, gates) = self.hidden_size, weights
        of_new, of_gates = drive.split([size, 2 * size + 2], dim=1)
        local, of_all = torch.addmm(of_gates, state, gates).split([2 * size, 2], dim=1)
        (r, z), (r_of_all, z_of_all) = (
            sigmoid(local).chunk(2, dim=1),
            sigmoid(of_all).chunk(2, dim=1),
        )
        new = torch.tanh(torch.addmm(of_new, r * r_of_all * state, candidate))
        return torch.lerp(new, state, z * z_of_all)

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        drive, size = self.drive(x_t)[:, self.hidden_size :], self.hidden_size
        h = self.start(drive) if state is None else state
        gates = torch.sigmoid(torch.addmm(drive, h, self.weights()[1]))
        r, z, r_of_all, z_of_all = gates.split([size, size, 1, 1], dim=1)
        return {"reset": r * r_of_all, "update": z * z_of_all}
