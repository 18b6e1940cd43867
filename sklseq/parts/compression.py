"""Latent representations as a few bits for each dimension."""

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

__all__ = ["Quantizer"]


class Quantizer:
    """Evenly spaced levels between the smallest and the largest value of each dimension.

    Raises ValueError if `n_bits` is not a whole number from 1 to 16.

    Parameters
    ----------
    low, high : ndarray of shape (n_components,)
        Values outside are moved to the nearest level.
    n_bits : int
        Bits for each dimension, 1 to 16.
    """

    def __init__(self, low: NDArray[np.floating], high: NDArray[np.floating], n_bits: int):
        whole = isinstance(n_bits, (int, np.integer)) and not isinstance(n_bits, bool)
        if not whole or not 1 <= n_bits <= 16:
            raise ValueError(f"n_bits={n_bits!r} is not a whole number from 1 to 16.")
        self.n_bits, self.n_levels = int(n_bits), 2 ** int(n_bits)
        self.low = low.astype(np.float64)
        width = high - self.low
        self.step = np.where(width > 0, width / (self.n_levels - 1), 1.0)

    def encode(self, latent: NDArray[np.floating]) -> NDArray[np.uint16]:
        """Number of the nearest level, uint8 or uint16, for values ``(n, n_components)``."""
        levels = np.rint((latent.astype(np.float64) - self.low) / self.step)
        dtype = np.uint8 if self.n_bits <= 8 else np.uint16
        return levels.clip(0, self.n_levels - 1).astype(dtype)

    def decode(self, levels: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Values of levels.

        Raises ValueError if `levels` cannot have come from `encode`.
        """
        levels = check_array(levels, dtype=np.float64, input_name="codes")
        n_columns = len(self.low)
        in_range = 0 <= levels.min() <= levels.max() < self.n_levels
        if levels.shape[1] != n_columns or not in_range or (levels % 1).any():
            raise ValueError(
                f"codes must be what compress(X, n_bits={self.n_bits}) gives: {n_columns} columns "
                f"of whole numbers from 0 to {self.n_levels - 1}."
            )
        return self.low + levels * self.step
