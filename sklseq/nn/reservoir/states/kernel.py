"""Time steps of many reservoir states at once, in the fastest form for the matrix.

A state is a tensor (units, batch), so that a step is one product of the recurrent matrix with
all states.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.reservoir.weights.structured import TRANSFORMS, StructuredMatrix

__all__ = ["RESERVOIR_ACTIVATIONS", "Array", "Kernel", "Reservoir"]

Array = NDArray[Any]


def _tanh_of_half(x: Tensor) -> Tensor:
    # tanh(z) = 2 sigmoid(2 z) - 1 takes half the time of torch.tanh. It is right to an ulp of 1
    # (not of tanh z), zero stays zero, and the factor 2 inside is in the weights, exactly.
    return torch.add(_MINUS_ONE, torch.sigmoid_(x), alpha=2, out=x)


_MINUS_ONE = torch.tensor(-1.0, dtype=torch.float64, device="cpu")
# Torch warns once a process that sparse tensors are new. Hidden at import: filters of warnings
# belong to all threads, so no fit may touch them.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)
    torch.eye(1, device="cpu").to_sparse_csr()
# What is done to the sums, in place, and the factor that the weights carry for it.
RESERVOIR_ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "tanh": (_tanh_of_half, 2.0),
    "relu": (torch.relu_, 1.0),
    "identity": (lambda x: x, 1.0),
}
# Above this share of non-zero weights a dense product is faster (measured, 100 to 1,000 units).
_DENSE_ABOVE = {torch.float64: 0.25, torch.float32: 0.4}
# Up to this batch torch's sparse product wins over an embedding bag in float32 (measured).
_SMALL_BATCH = 16
# Numbers in a row of memory are a multiple of this, which is one of all vector instructions.
_ROW = 64


@dataclass(frozen=True, eq=False)
class Reservoir:
    """A recurrent layer with fixed weights: the numbers of an echo state network but its readout.

    ``x <- (1 - a) R x + a f(W x + W_in u + W_fb y + b)`` with leak rate a, input u and the
    output y fed back from the step before. R is the identity (leaky units, Jaeger et al. 2007)
    or an orthogonal `rotation` (edge of stability network, Ceni & Gallicchio 2024; a is beta).

    Parameters
    ----------
    recurrent_weights : ndarray, sparse array or StructuredMatrix of shape (units, units)
        W.
    input_weights : ndarray or sparse array of shape (units, n_inputs)
        W_in; ``n_inputs`` may be 0.
    bias : ndarray of shape (units,) or None, default=None
        b; None is zero.
    feedback_weights : ndarray of shape (units, n_outputs) or None, default=None
        W_fb; None is no feedback.
    leak_rate : float or ndarray of shape (units,), default=1.0
        a, in (0, 1].
    activation : {"tanh", "relu", "identity"}, default="tanh"
        f.
    rotation : ndarray, sparse array or StructuredMatrix of shape (units, units) or None
        R; None is the identity.
    dtype : {"float64", "float32"}, default="float64"
        Of the states.
    device : str, default="cpu"
        Torch's name of the device that computes them.

    Raises
    ------
    ValueError
        If shapes do not fit, a leak rate is outside (0, 1] or a name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.array([[0.0, 0.5], [0.5, 0.0]]), np.ones((2, 1)), leak_rate=0.3)
    >>> r.units
    2
    """

    recurrent_weights: Any
    input_weights: Any
    bias: NDArray[Any] | None = None
    feedback_weights: NDArray[Any] | None = None
    leak_rate: float | NDArray[Any] = 1.0
    activation: str = "tanh"
    rotation: Any = None
    dtype: str = "float64"
    device: str = "cpu"

    def __post_init__(self) -> None:
        square = (self.units, self.units)
        for name in ("recurrent_weights", "rotation"):
            matrix = getattr(self, name)
            if matrix is not None and matrix.shape != square:
                raise ValueError(f"{name} must have shape {square}, got {matrix.shape}.")
        for name in ("input_weights", "bias", "feedback_weights"):
            array, n_axes = getattr(self, name), 1 if name == "bias" else 2
            if array is not None and (array.ndim != n_axes or array.shape[0] != self.units):
                raise ValueError(f"{name} must have {self.units} rows, got shape {array.shape}.")
        leak = np.asarray(self.leak_rate)
        if leak.shape not in ((), (self.units,)) or not ((leak > 0) & (leak <= 1)).all():
            raise ValueError(f"leak_rate={self.leak_rate!r}; one number or one a unit, in (0, 1].")
        if self.activation not in RESERVOIR_ACTIVATIONS:
            raise ValueError(
                f"activation={self.activation!r}; allowed: {list(RESERVOIR_ACTIVATIONS)}."
            )
        if self.dtype not in ("float64", "float32"):
            raise ValueError(f"dtype={self.dtype!r}; allowed: 'float64', 'float32'.")

    @property
    def units(self) -> int:
        """Number of units."""
        return int(self.recurrent_weights.shape[0])


class _DenseProduct:
    """``into += W x`` for tensors x (n_inputs, batch) and into (units, batch)."""

    kind = "dense"

    def __init__(self, weights: sp.csr_array, dtype: torch.dtype, device: torch.device):
        # Column by column in memory: products with few states take half the time (measured).
        columns = np.ascontiguousarray(weights.toarray().T)
        self.weights = torch.as_tensor(columns, dtype=dtype, device=device).t()
        self.multiplications = weights.nnz

    def add(self, x: Tensor, into: Tensor) -> Tensor:
        return into.addmm_(self.weights, x)


class _SparseProduct:
    """The same for a matrix of few weights that are not zero."""

    kind = "sparse"

    def __init__(self, weights: sp.csr_array, dtype: torch.dtype, device: torch.device):
        ends = torch.as_tensor(weights.indptr.astype(np.int32), device=device)
        columns = torch.as_tensor(weights.indices.astype(np.int32), device=device)
        values = torch.as_tensor(weights.data, dtype=dtype, device=device)
        self.bag = (columns, ends, values)
        self.bags_win = device.type == "cpu" and dtype == torch.float32
        self.multiplications = weights.nnz
        self.weights = torch.sparse_csr_tensor(
            ends, columns, values, size=weights.shape, check_invariants=False
        )

    def add(self, x: Tensor, into: Tensor) -> Tensor:
        if x.shape[1] == 1:
            # Half the time of the matrix product for one state.
            return into.add_(torch.mv(self.weights, x[:, 0])[:, None])
        if self.bags_win and x.shape[1] > _SMALL_BATCH:
            # A CSR product is a weighted bag of rows of x a unit, and that kernel is twice as fast.
            columns, ends, values = self.bag
            total = 0
            rows, *_ = torch.embedding_bag(
                x, columns, ends, False, total, False, values, include_last_offset=True
            )
            return into.add_(rows)
        return into.addmm_(self.weights, x)


class _StructuredProduct:
    """The same for a product of signs and fast transforms."""

    def __init__(self, matrix: StructuredMatrix, dtype: torch.dtype, device: torch.device):
        self.kind = matrix.transform
        self.transform, self.scale = TRANSFORMS[matrix.transform], matrix.scale
        self.signs = torch.as_tensor(matrix.signs, dtype=dtype, device=device)[:, :, None]
        self.multiplications = 40 * matrix.shape[0]

    def add(self, x: Tensor, into: Tensor) -> Tensor:
        for signs in self.signs:
            x = self.transform(x * signs)
        return into.add_(x * self.scale)


_Product = _DenseProduct | _SparseProduct | _StructuredProduct


def _product(matrix: Any, dtype: torch.dtype, device: torch.device) -> _Product:
    """The product that suits the matrix."""
    if isinstance(matrix, StructuredMatrix):
        return _StructuredProduct(matrix, dtype, device)
    weights = sp.csr_array(matrix)
    size = max(1, weights.shape[0] * weights.shape[1])
    if weights.nnz > _DENSE_ABOVE[dtype] * size or device.type == "mps":
        return _DenseProduct(weights, dtype, device)
    return _SparseProduct(weights, dtype, device)


class Kernel:
    """A reservoir on its device, with room for a tile of its states.

    With `feedback`, the inputs end in the output fed back.
    """

    def __init__(self, reservoir: Reservoir, feedback: bool):
        dtype, device = getattr(torch, reservoir.dtype), torch.device(reservoir.device)
        inputs = reservoir.input_weights
        if feedback:
            stack = sp.hstack if sp.issparse(inputs) else np.hstack
            inputs = stack([inputs, np.asarray(reservoir.feedback_weights)])
        self.units, self.dtype, self.device = reservoir.units, dtype, device
        self.activate, factor = RESERVOIR_ACTIVATIONS[reservoir.activation]
        self.recurrent = _product(reservoir.recurrent_weights * factor, dtype, device)
        self.inputs = _product(inputs * factor, dtype, device)
        bias = np.zeros(self.units) if reservoir.bias is None else np.asarray(reservoir.bias)
        self.bias = torch.as_tensor(bias * factor, dtype=dtype, device=device)[:, None]
        rate = reservoir.leak_rate
        self.leak: Any = (
            torch.as_tensor(rate, dtype=dtype, device=device)[:, None] if np.ndim(rate) else rate
        )
        self.forgets_all = np.ndim(rate) == 0 and rate == 1
        self.rotation = None
        if reservoir.rotation is not None:
            self.rotation = _product(reservoir.rotation, dtype, device)
        self._memory = torch.empty(0, dtype=dtype, device=device)
        self._shape = (-1, -1)
        self._views: tuple[Sequence[Tensor], Sequence[Tensor], Tensor] = (), (), self._memory

    def run(self, x: Tensor, inputs: Tensor) -> Tensor:
        """States (n_steps, units, batch) after x (units, batch); valid until the next run.

        They are driven by inputs (n_steps, n_inputs, batch).
        """
        flat, states, all_steps = self._room(len(inputs), inputs.shape[2])
        before, *rows, turned_row, leak = flat
        start, *tiles, turned, leak_states = states
        x = start.copy_(x)
        if isinstance(self.leak, Tensor):
            leak_states.copy_(self.leak)
        else:
            leak = self.leak
        self._drive(inputs, all_steps)
        for row, new in zip(rows, tiles, strict=True):
            self.recurrent.add(x, new)
            self.activate(row)
            if self.rotation is not None:
                self.rotation.add(x, turned.zero_())
                torch.lerp(turned_row, row, leak, out=row)
            elif not self.forgets_all:
                torch.lerp(before, row, leak, out=row)
            before, x = row, new
        return all_steps

    def _room(self, n_steps: int, batch: int) -> tuple[Sequence[Tensor], Sequence[Tensor], Tensor]:
        """Memory for a state before the steps, for the steps, and for two more states.

        As rows of numbers, as states (units, batch), and the steps as one (n_steps, units, batch).
        Rows end in a few numbers without a meaning: so no element is the last of a vector
        instruction that is computed in another way than the others.
        """
        if self._shape == (n_steps, batch):
            return self._views
        size = self.units * batch
        row, n_rows = -(-size // _ROW) * _ROW, 1 + n_steps + 2
        if self._memory.numel() < n_rows * row:
            self._memory = self._memory.new_zeros(n_rows * row)
        flat = self._memory[: n_rows * row].view(n_rows, row)
        if self.recurrent.kind == "dense":
            # A dense product is up to twice as fast with a state in one piece of memory.
            states = flat[:, :size].view(n_rows, batch, self.units).transpose(1, 2)
        else:
            states = flat[:, :size].view(n_rows, self.units, batch)
        self._shape, self._views = (n_steps, batch), (flat.unbind(), states.unbind(), states[1:-2])
        return self._views

    def _drive(self, inputs: Tensor, states: Tensor) -> None:
        """Write ``W_in u + b`` of all steps: inputs (n_steps, n_inputs, batch)."""
        if not isinstance(self.inputs, _DenseProduct):
            states.zero_()
            for into, u in zip(states, inputs, strict=True):
                self.inputs.add(u, into)
            states.add_(self.bias)
        elif inputs.shape[1] == 1:
            torch.addcmul(self.bias, self.inputs.weights, inputs, out=states)
        else:
            torch.matmul(self.inputs.weights, inputs, out=states)
            states.add_(self.bias)
