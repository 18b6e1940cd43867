"""Gated layers whose state is linear in the state before: they train in parallel over time."""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.options import increasing_times
from sklseq.nn.recurrent.kernels.scan import scan
from sklseq.nn.recurrent.layer import Layer, State

__all__ = ["Map", "MinGRU", "MinLSTM", "ScannedLayer", "directly"]

Map: TypeAlias = Callable[..., Tensor]
"""Calls a function of rows with these rows, as `Packing.map` does."""


def directly(function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """The `Map` of single steps."""
    return function(*rows)


class ScannedLayer(Layer):
    """Layer with ``h(t) = a(t) h(t-1) + b(t)``, a and b of the input alone, from zero.

    Parameters
    ----------
    input_size, hidden_size : int
    time_scales : (float, float) or None, default=None
        Shortest and longest time scale at the start, at least 1 step; between them those of the
        units grow by a constant factor. They are set by the biases of the gates (Tallec and
        Ollivier 2018, Can recurrent neural networks warp time?, section 2). None begins as torch's
        layers do, with time scales of about two steps.
    """

    parallel = True
    gates: tuple[str, ...]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        time_scales: tuple[float, float] | None = None,
    ):
        super().__init__()
        self.hidden_size = hidden_size
        bound, size = 1 / math.sqrt(hidden_size), len(self.gates) * hidden_size
        self.weight = nn.Parameter(torch.empty(size, input_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(size).uniform_(-bound, bound))
        if time_scales is not None:
            shortest, longest = increasing_times("time_scales", time_scales)
            scales = torch.linspace(math.log(shortest), math.log(longest), hidden_size).exp()
            self._begin_with((scales - 1).clamp_min(0.01).log())

    def _begin_with(self, log_ratio: Tensor) -> None:
        """Set biases for sigmoid(log_ratio) to be the share that is kept at each step."""
        raise NotImplementedError

    def coefficients(self, x: Tensor, run: Map) -> tuple[Tensor, Tensor]:
        """Factor and addend of each step ``(n_steps, input_size)``, in any order."""
        raise NotImplementedError

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        a, b = self.coefficients(packing.to_cells(x), packing.map)
        start = x.new_zeros(len(packing), self.hidden_size) if state is None else state
        states = packing.from_cells(scan(a, b, start, packing.chunks))
        return states, states.index_select(0, packing.last) if need_last else None

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        a, b = self.coefficients(x_t, directly)
        return b if state is None else a * state + b

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        kept = self.coefficients(x_t, directly)[0]
        return {"input": 1 - kept, "forget": kept}

    def _drives(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class MinGRU(ScannedLayer):
    """Minimal gated recurrent unit, ``h(t) = (1 - z(t)) h(t-1) + z(t) (W x(t) + b)``.

    With ``z(t) = sigmoid(W_z x(t) + b_z)`` (Feng et al. 2024, Were RNNs all we needed?, section
    3.1). Gates do not see the state, so all steps are computed at once. States are means of inputs
    with weights that are not negative: what has to change its sign with the input, such as the
    parity of bits, cannot be followed.

    Parameters
    ----------
    input_size, hidden_size : int
    time_scales : (float, float) or None, default=None
        As in `ScannedLayer`.
    """

    gates = ("take", "new")

    def _begin_with(self, log_ratio: Tensor) -> None:
        self.bias.data[: self.hidden_size] = -log_ratio

    def coefficients(self, x: Tensor, run: Map) -> tuple[Tensor, Tensor]:
        gate, new = run(self._drives, x).split(self.hidden_size, dim=1)
        z = run(torch.sigmoid, gate)
        return 1 - z, z * new


class MinLSTM(ScannedLayer):
    """Minimal long short-term memory, ``h(t) = f(t) h(t-1) + i(t) (W x(t) + b)``.

    Both gates are sigmoids of the input, divided by their sum (Feng et al. 2024, Were RNNs all we
    needed?, section 3.2). What is said of `MinGRU` is true of it, too.

    Parameters
    ----------
    input_size, hidden_size : int
    time_scales : (float, float) or None, default=None
        As in `ScannedLayer`.
    """

    gates = ("keep", "take", "new")

    def _begin_with(self, log_ratio: Tensor) -> None:
        # f / (f + i) of these two is sigmoid(log_ratio).
        self.bias.data[: self.hidden_size] = log_ratio
        self.bias.data[self.hidden_size : 2 * self.hidden_size] = -log_ratio

    def coefficients(self, x: Tensor, run: Map) -> tuple[Tensor, Tensor]:
        forget, write, new = run(self._drives, x).split(self.hidden_size, dim=1)
        i = run(_share, write, forget)
        return 1 - i, i * new


def _share(write: Tensor, forget: Tensor) -> Tensor:
    """``i / (i + f)``, also where both sigmoids are zero."""
    return torch.sigmoid(softplus(-forget) - softplus(-write))
