"""Recurrent matrices that are never written out: products in O(N log N) operations."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["TRANSFORMS", "StructuredMatrix"]


def _hadamard(x: Tensor) -> Tensor:
    """Orthonormal Walsh-Hadamard transform of the rows' index, natural order."""
    units, batch = x.shape
    y, half = x, 1
    while half < units:
        pairs = y.view(-1, 2, half, batch)
        y = torch.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), dim=1)
        half *= 2
    return y.reshape(units, batch) * (1 / math.sqrt(units))


def _cosine(x: Tensor) -> Tensor:
    """Orthonormal DCT-II of the rows' index by one FFT of real numbers (Makhoul 1980)."""
    units = len(x)
    spectrum = torch.fft.rfft(torch.cat((x[::2], x[1::2].flip(0))), dim=0)
    angle = torch.arange(units // 2 + 1, dtype=x.dtype, device=x.device) * (-math.pi / (2 * units))
    turned = spectrum * torch.polar(torch.ones_like(angle), angle)[:, None]
    # The upper half are the imaginary parts, mirrored: X[N - k] = -Im(turned[k]).
    upper = -turned.imag[1 : (units + 1) // 2].flip(0)
    y = torch.cat((turned.real, upper)) * math.sqrt(2 / units)
    y[0] *= math.sqrt(0.5)
    return y


TRANSFORMS = {"cosine": _cosine, "hadamard": _hadamard}


@dataclass(frozen=True, eq=False)
class StructuredMatrix:
    """A random orthogonal matrix times a number, kept as signs and a fast transform.

    ``W = scale * H D_k ... H D_2 H D_1`` with an orthonormal transform H and diagonal sign
    matrices D. A product costs O(N log N); the spectral radius is ``abs(scale)`` exactly.

    Parameters
    ----------
    transform : {"cosine", "hadamard"}
        H: the orthonormal discrete cosine transform (any size) or the Walsh-Hadamard transform
        (sizes that are powers of two).
    signs : ndarray of shape (n_factors, units)
        The diagonals of the D, each 1 or -1.
    scale : float, default=1.0
        Factor on the whole.

    References
    ----------
    Dong, Ohana, Rafayelyan, Krzakala (2020), Reservoir Computing meets Recurrent Kernels and
    Structured Transforms.

    Examples
    --------
    >>> import numpy as np
    >>> W = StructuredMatrix("hadamard", np.array([[1.0, -1.0], [1.0, 1.0]]), scale=0.5)
    >>> W.toarray().round(6) + 0.0
    array([[ 0.5,  0. ],
           [ 0. , -0.5]])
    """

    transform: str
    signs: NDArray[np.float64]
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.transform not in TRANSFORMS:
            raise ValueError(f"transform={self.transform!r}; allowed: {sorted(TRANSFORMS)}.")
        units = self.signs.shape[1]
        if self.transform == "hadamard" and units & (units - 1):
            raise ValueError(f"A Hadamard transform needs a power of two, got {units} units.")

    @property
    def shape(self) -> tuple[int, int]:
        """``(units, units)``."""
        return self.signs.shape[1], self.signs.shape[1]

    def __mul__(self, factor: float) -> "StructuredMatrix":
        return StructuredMatrix(self.transform, self.signs, self.scale * float(factor))

    def dot(self, x: Tensor) -> Tensor:
        """The product ``W @ x`` for a tensor of shape (units, batch)."""
        transform = TRANSFORMS[self.transform]
        for signs in torch.as_tensor(self.signs, dtype=x.dtype, device=x.device):
            x = transform(x * signs[:, None])
        return x * self.scale

    def toarray(self) -> NDArray[np.float64]:
        """The matrix written out, of shape (units, units)."""
        return np.asarray(self.dot(torch.eye(self.shape[0], dtype=torch.float64)).numpy())
