"""Symbols to indices and back."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Vocabulary"]


class Vocabulary:
    """The symbols seen in training, each with its index; index 0 stands for all others.

    Parameters
    ----------
    symbols : iterable of str or int
        Distinct symbols, in the order of their indices 1, 2, ...

    Examples
    --------
    >>> vocabulary = Vocabulary.of(["b", "a", "b"])
    >>> vocabulary.encode(["a", "z"])
    array([1, 0])
    """

    def __init__(self, symbols: Iterable[Any]):
        self.symbols = list(symbols)
        self._index = {symbol: i for i, symbol in enumerate(self.symbols, start=1)}

    @classmethod
    def of(cls, steps: Iterable[Any]) -> "Vocabulary":
        """The vocabulary of these symbols, sorted so that it does not depend on their order."""
        return cls(sorted(set(steps)))

    def __len__(self) -> int:
        """Number of indices, the one for unknown symbols included."""
        return len(self.symbols) + 1

    def encode(self, steps: Iterable[Any]) -> NDArray[np.int64]:
        """Index of each symbol; 0 where it is unknown."""
        find = self._index.get
        return np.array([find(symbol, 0) for symbol in steps], dtype=np.int64)
