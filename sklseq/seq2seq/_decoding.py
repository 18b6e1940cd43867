"""Decoding of many inputs by a fitted classifier: tiles of inputs in, lists of symbols out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.decoding.search import DeadEnd, Found, Limits
from sklseq.nn.seq2seq.memory import Memory
from sklseq.nn.seq2seq.network import SymbolNetwork
from sklseq.training.rows.pairs import PairRows
from sklseq.training.run import run_tiles

__all__ = ["Constraint", "Search", "decoded"]

Constraint = Callable[[int, list[Any]], Any]
"""``(number of the input, symbols so far)`` to the symbols that may follow, None for the end."""

Search = Callable[[SymbolNetwork, Memory, Limits, NDArray[np.int64]], Found]
"""What is found for inputs, of which the numbers are given too."""


def decoded(
    rows: PairRows,
    network: SymbolNetwork,
    search: Search,
    limits: Limits,
    symbols: NDArray[Any],
    constraint: Constraint | None = None,
    n_threads: int | None = None,
) -> list[list[tuple[NDArray[Any], float]]]:
    """Sequences of symbols and their log-probabilities, for each input.

    Parameters
    ----------
    rows : PairRows
        Inputs alone.
    network : SymbolNetwork
    search : callable
        See `Search`.
    limits : Limits
    symbols : ndarray of shape (n_symbols,)
        Those of the codes 1, 2, ...
    constraint : callable or None, default=None
        See `Constraint`.
    n_threads : int or None, default=None
    """

    def decode(places: NDArray[np.int64], *inputs: Any) -> Found:
        memory = network.encode(*inputs)
        # What fills the tile up repeats its last input.
        numbers = places[np.minimum(np.arange(memory.n_rows), len(places) - 1)]
        own = limits
        if constraint is not None:
            own = Limits(
                limits.max_length, limits.min_length, _Allowed(constraint, numbers, symbols)
            )
        try:
            return search(network, memory, own, numbers)
        except DeadEnd as error:
            raise ValueError(
                f"Nothing may follow the first {error.step} symbols of the output for sequence "
                f"{numbers[error.row]} of X: let the constraint allow a symbol, or None for the "
                "end, set beam_size higher, or widen min_length and max_length."
            ) from None

    results: list[list[tuple[NDArray[Any], float]]] = [[] for _ in range(len(rows))]
    for places, found in run_tiles(decode, network, rows, n_threads=n_threads):
        codes, lengths, log_probs = (part.cpu().numpy() for part in found)
        for place, of_input in zip(
            places, zip(codes, lengths, log_probs, strict=True), strict=False
        ):
            results[place] = [
                (symbols[sequence[:length] - 1], float(value))
                for sequence, length, value in zip(*of_input, strict=True)
                if value > -np.inf
            ]
    return results


class _Allowed:
    """What a user's constraint allows, as `Limits` takes it."""

    def __init__(self, constraint: Constraint, numbers: NDArray[np.int64], symbols: NDArray[Any]):
        self.constraint, self.numbers, self.symbols = constraint, numbers, symbols
        self.codes = {symbol: code for code, symbol in enumerate(symbols.tolist(), start=1)}
        self.before: dict[tuple[int, bytes], set[int]] = {}

    def __call__(self, prefixes: Tensor, t: int) -> Tensor:
        width = len(prefixes) // len(self.numbers)
        mask = np.zeros((len(prefixes), len(self.symbols) + 1), dtype=bool)
        known: dict[tuple[int, bytes], set[int]] = {}
        for row, prefix in enumerate(prefixes.cpu().numpy()):
            number = int(self.numbers[row // width])
            # The user is asked only of what the user allowed, and not of what fills the beam up.
            if t and prefix[-1] not in self.before.get((number, prefix[:-1].tobytes()), ()):
                continue
            if not prefix.all():
                continue  # has ended
            key = number, prefix.tobytes()
            if key not in known:
                known[key] = self._codes_after(number, prefix)
            mask[row, list(known[key])] = True
        self.before = known
        return torch.from_numpy(mask).to(prefixes.device)

    def _codes_after(self, number: int, prefix: NDArray[np.int64]) -> set[int]:
        place = f"at step {len(prefix)} of the output for sequence {number} of X"
        given = self.constraint(number, self.symbols[prefix - 1].tolist())
        if given is None:
            raise TypeError(f"constraint returned None {place}: give a list, [None] for the end.")
        codes = set()
        for symbol in given:
            if symbol is not None and symbol not in self.codes:
                raise ValueError(
                    f"constraint allows {symbol!r} {place}, which is no symbol of y in fit."
                )
            codes.add(0 if symbol is None else self.codes[symbol])
        return codes
