"""One time step of many reservoir states at once, in the fastest form for its matrix.

A state is a tensor (units, batch), so that a step is one product of the recurrent matrix with
all states.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.reservoir.weights.structured import StructuredMatrix

__all__ = ["ACTIVATIONS", "Kernel", "Reservoir"]


def _tanh_of_half(x: Tensor) -> Tensor:
    # tanh(z) = 2 sigmoid(2 z) - 1 takes half the time of torch.tanh. It is right to an ulp of 1
    # (not of tanh z), zero stays zero, and the factor 2 inside is in the weights, exactly.
    return torch.add(_MINUS_ONE, torch.sigmoid_(x), alpha=2, out=x)


_MINUS_ONE = torch.tensor(-1.0, dtype=torch.float64)
# What is done to the sums, in place, and the factor that the weights carry for it.
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "tanh": (_tanh_of_half, 2.0),
    "relu": (torch.relu_, 1.0),
    "identity": (lambda x: x, 1.0),
}
# Above this share of non-zero weights a dense product is faster (measured, 100 to 1,000 units).
_DENSE_ABOVE = {torch.float64: 0.25, torch.float32: 0.4}
# Up to this batch torch's sparse product wins over an embedding bag in float32 (measured).
_SMALL_BATCH = 16


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
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation={self.activation!r}; allowed: {list(ACTIVATIONS)}.")
        if self.dtype not in ("float64", "float32"):
            raise ValueError(f"dtype={self.dtype!r}; allowed: 'float64', 'float32'.")

    @property
    def units(self) -> int:
        """Number of units."""
        return int(self.recurrent_weights.shape[0])


class _Product:
    """``into += matrix @ x`` for tensors (units, batch), by the kernel that suits the matrix."""

    def __init__(self, matrix: Any, dtype: torch.dtype, device: torch.device):
        self.dense: Tensor | None = None
        self.sparse: Any = None
        self.structured: StructuredMatrix | None = None
        if isinstance(matrix, StructuredMatrix):
            self.structured, self.multiplications = matrix, 40 * matrix.shape[0]
            return
        weights = sp.csr_array(matrix)
        self.multiplications = weights.nnz
        size = max(1, weights.shape[0] * weights.shape[1])
        if weights.nnz > _DENSE_ABOVE[dtype] * size or device.type == "mps":
            self.dense = torch.as_tensor(weights.toarray(), dtype=dtype, device=device)
            return
        ends, columns = (
            torch.as_tensor(index.astype(np.int32), device=device)
            for index in (weights.indptr, weights.indices)
        )
        values = torch.as_tensor(weights.data, dtype=dtype, device=device)
        self.bag = (columns, ends, values)
        self.bags_win = device.type == "cpu" and dtype == torch.float32
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)
            self.sparse = torch.sparse_csr_tensor(
                ends, columns, values, size=weights.shape, check_invariants=False
            )

    def add(self, x: Tensor, into: Tensor) -> Tensor:
        if self.dense is not None:
            return into.addmm_(self.dense, x)
        if self.structured is not None:
            return into.add_(self.structured.dot(x))
        if x.shape[1] == 1:
            # Half the time of the matrix product for one state.
            return into.add_(torch.mv(self.sparse, x[:, 0])[:, None])
        if self.bags_win and x.shape[1] > _SMALL_BATCH:
            # A CSR product is a weighted bag of rows of x a unit, and that kernel is twice as fast.
            columns, ends, values = self.bag
            total = 0
            rows, *_ = torch.embedding_bag(
                x, columns, ends, False, total, False, values, include_last_offset=True
            )
            return into.add_(rows)
        return into.addmm_(self.sparse, x)


class Kernel:
    """A reservoir on its device, with room for a tile of its states.

    Parameters
    ----------
    reservoir : Reservoir
        The layer.
    feedback : bool
        Whether the inputs end in the output fed back.
    """

    def __init__(self, reservoir: Reservoir, feedback: bool):
        dtype, device = getattr(torch, reservoir.dtype), torch.device(reservoir.device)

        def tensor(array: Any) -> Tensor:
            return torch.as_tensor(np.asarray(array), dtype=dtype, device=device)

        inputs = reservoir.input_weights
        if feedback:
            stack = sp.hstack if sp.issparse(inputs) else np.hstack
            inputs = stack([inputs, np.asarray(reservoir.feedback_weights)])
        self.units, self.dtype, self.device = reservoir.units, dtype, device
        self.activate, factor = ACTIVATIONS[reservoir.activation]
        self.recurrent = _Product(reservoir.recurrent_weights * factor, dtype, device)
        self.inputs = _Product(inputs * factor, dtype, device)
        bias = np.zeros(self.units) if reservoir.bias is None else np.asarray(reservoir.bias)
        self.bias = tensor(bias * factor)[:, None]
        leak = reservoir.leak_rate
        self.leak: Any = tensor(leak)[:, None] if np.ndim(leak) else float(leak)
        self.rotation = None
        if reservoir.rotation is not None:
            self.rotation = _Product(reservoir.rotation, dtype, device)
        self._room = torch.empty(0, dtype=dtype, device=device)

    def _tile(self, n_steps: int, batch: int) -> Tensor:
        """Memory (n_steps, units, batch), each step laid out as the recurrent product likes it."""
        size = n_steps * self.units * batch
        if self._room.numel() < size:
            self._room = self._room.new_empty(size)
        room = self._room[:size]
        if self.recurrent.dense is not None:
            # A dense product is up to twice as fast with a state in one row of memory.
            return room.view(n_steps, batch, self.units).transpose(1, 2)
        return room.view(n_steps, self.units, batch)

    def _drive(self, inputs: Tensor) -> Tensor:
        """``W_in u + b`` of all steps: inputs (n_steps, n_inputs, batch)."""
        n_steps, n_inputs, batch = inputs.shape
        tile = self._tile(n_steps, batch)
        if self.inputs.dense is None:
            tile.zero_()
            for into, u in zip(tile, inputs, strict=True):
                self.inputs.add(u, into)
        elif n_inputs == 1:
            return torch.addcmul(self.bias, self.inputs.dense, inputs, out=tile)
        else:
            torch.matmul(self.inputs.dense, inputs, out=tile)
        return tile.add_(self.bias)

    def _step(self, x: Tensor, drive: Tensor) -> Tensor:
        new = self.activate(self.recurrent.add(x, drive))
        if self.rotation is not None:
            kept = torch.zeros_like(x)
            self.rotation.add(x, kept)
            return torch.lerp(kept, new, self.leak, out=new)
        if isinstance(self.leak, float) and self.leak == 1:
            return new
        return torch.lerp(x, new, self.leak, out=new)

    def run(self, x: Tensor, inputs: Tensor) -> Tensor:
        """States (n_steps, units, batch) after x (units, batch); valid until the next run.

        Parameters
        ----------
        x : Tensor of shape (units, batch)
            States before the first step.
        inputs : Tensor of shape (n_steps, n_inputs, batch)
            What drives them.
        """
        states = self._drive(inputs)
        for t in range(len(states)):
            x = self._step(x, states[t])
        return states
