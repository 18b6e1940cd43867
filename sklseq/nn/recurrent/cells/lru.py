"""The linear recurrent unit, and one with eigenvalues of either sign that depend on the input."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.linear import Map, directly
from sklseq.nn.recurrent.cells.options import one_of
from sklseq.nn.recurrent.kernels.scan import scan
from sklseq.nn.recurrent.layer import Layer, State

__all__ = ["LRU", "LRUState", "SignedLRUState"]


class LRUState(NamedTuple):
    """State of a linear recurrent unit with complex eigenvalues."""

    output: Tensor
    real: Tensor
    imaginary: Tensor


class SignedLRUState(NamedTuple):
    """State of a linear recurrent unit with signed eigenvalues."""

    output: Tensor
    hidden: Tensor


class LRU(Layer):
    """Linear recurrent unit: a diagonal linear recurrence, then a nonlinear output at each step.

    The recurrence is ``h(t) = a h(t-1) + g B x(t)``, elementwise. Steps are read by
    ``u(t) = gelu(Re(C h(t)) + D x(t))``, and the layer puts out the gated
    ``y(t) = u(t) * sigmoid(V u(t) + c)`` of `hidden_size`, as many as there are eigenvalues. (The
    block of Orvieto et al. 2023, Resurrecting recurrent neural networks for long sequences, section
    3.1, with the gate of Smith et al. 2023, Simplified state space layers for sequence modeling;
    without its normalization and skip.) The state is a named tuple of y and h.

    Parameters
    ----------
    input_size, hidden_size : int
    eigenvalues : {"complex", "signed"}, default="complex"
        'complex' trains ``a = exp(-exp(nu) + i exp(theta))``, which is inside the unit circle
        whatever the parameters, and g, which begins at ``sqrt(1 - |a|^2)`` (section 3.3 and 3.4).
        The eigenvalues are the same at all steps. 'signed' has real ones that depend on the step,
        ``a(t) = tanh(A x(t) + d)`` and ``g(t) = sqrt(1 - a(t)^2)``, and a trained h(0). A sign that
        the input can turn is what states of a linear recurrence need to count modulo two (Grazzi
        et al. 2025, Unlocking state-tracking in linear RNNs through negative eigenvalues, theorem
        1): eigenvalues that are never negative cannot, those inside the circle at all steps forget.
    r_min, r_max : float, default=0 and 1
        Modulus of the eigenvalues in the beginning: complex ones are spread evenly over the ring
        between the two, signed ones have both signs. Near 1 states remember long.
    max_phase : float, default=2 * pi
        Largest argument of complex eigenvalues in the beginning. Small ones suit long sequences.
    """

    parallel = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        eigenvalues: str = "complex",
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
    ):
        super().__init__()
        if not 0 <= r_min < r_max <= 1:
            raise ValueError(f"0 <= r_min < r_max <= 1 must hold, got {r_min!r} and {r_max!r}.")
        if not 0 < max_phase < math.inf:
            raise ValueError(f"max_phase={max_phase!r} of a recurrent cell must be above 0.")
        one_of("eigenvalues", eigenvalues, ("complex", "signed"))
        self.hidden_size = hidden_size
        squares = torch.empty(hidden_size).uniform_(r_min**2, r_max**2)
        modulus = squares.sqrt().clamp(1e-3, 1 - 1e-6)
        self.recurrence: ComplexRecurrence | SignedRecurrence
        if eigenvalues == "complex":
            self.recurrence = ComplexRecurrence(input_size, modulus, max_phase)
            self.imaginary = LRUState._fields.index("imaginary")
        else:
            self.recurrence = SignedRecurrence(input_size, modulus)
        n = self.recurrence.n_numbers * hidden_size
        self.read_state = nn.Parameter(torch.randn(hidden_size, n) / math.sqrt(hidden_size))
        self.read_input = nn.Linear(input_size, hidden_size)
        self.gate = nn.Linear(hidden_size, hidden_size)

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        x, chunks = packing.to_cells(x), packing.chunks
        a, b = self.recurrence(x, packing.map)
        h = scan(a, b, self.recurrence.start(state, len(packing)), chunks)
        y = packing.map(self._output, self.recurrence.numbers(h), x)
        last = None
        if need_last:
            last = self.recurrence.state(*(v.index_select(0, chunks.last) for v in (y, h)))
        return packing.from_cells(y), last

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        a, b = self.recurrence(x_t, directly)
        h = a * self.recurrence.start(state, len(x_t)) + b
        return self.recurrence.state(self._output(self.recurrence.numbers(h), x_t), h)

    def _output(self, h: Tensor, x: Tensor) -> Tensor:
        u = gelu(linear(h, self.read_state) + self.read_input(x))
        return u * torch.sigmoid(self.gate(u))


class ComplexRecurrence(nn.Module):
    """Factors and addends with complex eigenvalues, the same at all steps."""

    n_numbers = 2

    def __init__(self, input_size: int, modulus: Tensor, max_phase: float):
        super().__init__()
        phase = torch.empty_like(modulus).uniform_(0, max_phase).clamp_min(1e-6)
        self.nu = nn.Parameter((-modulus.log()).log())
        self.theta = nn.Parameter(phase.log())
        self.log_scale = nn.Parameter((1 - modulus**2).log() / 2)
        # Real and imaginary part of a unit one after the other, here and in `read_state`.
        weight = torch.randn(2 * len(modulus), input_size) / math.sqrt(2 * input_size)
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor, run: Map) -> tuple[Tensor, Tensor]:
        a = torch.polar((-self.nu.exp()).exp(), self.theta.exp())
        weight = self.weight * self.log_scale.exp().repeat_interleave(2)[:, None]
        b = run(lambda rows: linear(rows, weight), x)
        return a[None], torch.view_as_complex(b.view(len(x), -1, 2))

    def start(self, state: LRUState | None, n: int) -> Tensor:
        if state is not None:
            return torch.complex(state.real, state.imaginary)
        zeros = self.nu.new_zeros(n, len(self.nu))
        return torch.complex(zeros, zeros)

    def numbers(self, h: Tensor) -> Tensor:
        """The real numbers of states, ``(n, n_numbers * hidden_size)``."""
        return torch.view_as_real(h).flatten(1)

    def state(self, output: Tensor, h: Tensor) -> LRUState:
        return LRUState(output, h.real.contiguous(), h.imag.contiguous())


class SignedRecurrence(nn.Module):
    """Factors and addends with real eigenvalues that depend on the step."""

    n_numbers = 1

    def __init__(self, input_size: int, modulus: Tensor):
        super().__init__()
        size = len(modulus)
        sign = torch.where(torch.arange(size) % 2 == 0, 1.0, -1.0)
        bound = 1 / math.sqrt(input_size)
        self.weight = nn.Parameter(torch.empty(2 * size, input_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.cat([torch.atanh(sign * modulus), torch.zeros(size)]))
        self.h_0 = nn.Parameter(torch.randn(size))

    def forward(self, x: Tensor, run: Map) -> tuple[Tensor, Tensor]:
        raw, new = run(self._drives, x).split(len(self.h_0), dim=1)
        return run(torch.tanh, raw), run(_norm, raw) * new

    def _drives(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def start(self, state: SignedLRUState | None, n: int) -> Tensor:
        return self.h_0.expand(n, -1) if state is None else state.hidden

    def numbers(self, h: Tensor) -> Tensor:
        """The real numbers of states, ``(n, n_numbers * hidden_size)``."""
        return h

    def state(self, output: Tensor, h: Tensor) -> SignedLRUState:
        return SignedLRUState(output, h)


def _norm(raw: Tensor) -> Tensor:
    """``sqrt(1 - tanh(raw)^2)``, with a gradient for all numbers."""
    small = torch.exp(-raw.abs())
    return 2 * small / (1 + small * small)
