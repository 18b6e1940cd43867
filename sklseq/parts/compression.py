"""Codes as a few bits each."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

__all__ = ["CompressionMixin"]


class CompressionMixin:
    """Quantised codes; comes before the class with `transform` and `inverse_transform`."""

    def compress(self: Any, X: Any, n_bits: int = 8) -> NDArray[np.uint16]:
        """Codes of rows as whole numbers of `n_bits`, evenly spaced over `code_range_`.

        Parameters
        ----------
        X : array-like
            As in `fit`.
        n_bits : int, default=8
            1 to 16.

        Returns
        -------
        ndarray of uint8 or uint16 of shape (n_samples, n_components)
        """
        dtype = _integers(n_bits)
        low, step = self._grid(n_bits)
        levels = np.rint((np.asarray(self.transform(X), dtype=np.float64) - low) / step)
        return levels.clip(0, 2**n_bits - 1).astype(dtype)

    def decompress(self: Any, codes: Any, n_bits: int = 8) -> NDArray[Any]:
        """Rows from what `compress` gave.

        Parameters
        ----------
        codes : array-like of int of shape (n_samples, n_components)
        n_bits : int, default=8
            As in `compress`.

        Returns
        -------
        ndarray
            In the shape of what `fit` has seen.

        Raises
        ------
        ValueError
            If `codes` are not of `compress` with this `n_bits`.
        """
        _integers(n_bits)
        low, step = self._grid(n_bits)
        levels = check_array(codes, dtype=np.float64, input_name="codes")
        if levels.shape[1] != len(low) or not 0 <= levels.min() <= levels.max() < 2**n_bits:
            raise ValueError(
                f"codes must be what compress(X, n_bits={n_bits}) gives: {len(low)} columns of "
                f"whole numbers from 0 to {2**n_bits - 1}."
            )
        return self.inverse_transform(low + levels * step)

    def compression_report(
        self: Any, X: Any, n_bits: int = 8, bits_per_value: int = 8
    ) -> dict[str, float]:
        """What compression saves and loses on X.

        Parameters
        ----------
        X : array-like
            As in `fit`.
        n_bits : int, default=8
            As in `compress`.
        bits_per_value : int, default=8
            Bits that a value of X takes uncompressed.

        Returns
        -------
        dict
            "bits" of a code; "bits_before", those of a row of X; "ratio", the latter over the
            former; "mse", the mean squared error of the rows that come out of `decompress`.
        """
        restored = self.decompress(self.compress(X, n_bits), n_bits)
        values = self._read_fitted(X)
        bits = self._module_kwargs["n_components"] * n_bits
        before = values[0].size * bits_per_value
        error = np.mean((restored.reshape(values.shape) - values) ** 2, dtype=np.float64)
        return {"bits": bits, "bits_before": before, "ratio": before / bits, "mse": float(error)}

    def _grid(self: Any, n_bits: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        check_is_fitted(self)
        low, high = self.code_range_.astype(np.float64)
        return low, np.where(high > low, (high - low) / (2**n_bits - 1), 1.0)


def _integers(n_bits: int) -> Any:
    if not isinstance(n_bits, Integral) or not 1 <= n_bits <= 16:
        raise ValueError(f"n_bits={n_bits!r} is not a whole number from 1 to 16.")
    return np.uint8 if n_bits <= 8 else np.uint16
