"""Trees that tell a network what it is to predict."""

import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import Forest

__all__ = ["warn_labels_as_symbols", "warn_ratings_as_symbols"]

_DIGITS = re.compile(r"[+-]?\d+")
_WAY_OUT = (
    "the network sees them, and what it is scored by may be no more than that. Take labels out of "
    "X; sklseq.datasets.read_treebank gives trees in brackets and their labels apart."
)


def warn_ratings_as_symbols(forest: Forest) -> None:
    """Warn where all nodes above words are numbers, as the labels of a treebank are."""
    if ratings := _ratings(forest):
        warnings.warn(
            f"All nodes above words have numbers for symbols ({', '.join(map(repr, ratings[:5]))}),"
            f" as if these were their labels: {_WAY_OUT}",
            UserWarning,
            stacklevel=2,
        )


def warn_labels_as_symbols(forest: Forest, labels: NDArray[Any], per_node: bool) -> None:
    """Warn where each tree, or node with children, has its label for a symbol: other than numbers.

    Parameters
    ----------
    forest : Forest
    labels : ndarray of object of shape (n_targets,)
        Of each tree, or of each node with results; None for none.
    per_node : bool
    """
    if forest.symbols is None or _ratings(forest):
        return
    nodes = forest.results if per_node else forest.parents < 0
    symbols, inner = forest.symbols[nodes], _has_children(forest)[nodes]
    compared = [
        (symbol, label)
        for symbol, label in zip(symbols[inner], labels[inner], strict=True)
        if label is not None
    ]
    if len(compared) > 1 and all(str(s) == str(v) for s, v in compared):
        where = "node with children" if per_node else "tree with children, at its root,"
        warnings.warn(
            f"Each {where} has its label for a symbol, such as {compared[0][0]!r}: {_WAY_OUT}",
            UserWarning,
            stacklevel=2,
        )


def _ratings(forest: Forest) -> list[str]:
    """The numbers above words; none where something else stands there too, or no word below."""
    if forest.symbols is None:
        return []
    inner = _has_children(forest)
    above = {s for s in forest.symbols[inner] if s is not None}
    below = {s for s in forest.symbols[~inner] if s is not None}
    return sorted(above) if all(map(_is_number, above)) > all(map(_is_number, below)) else []


def _has_children(forest: Forest) -> NDArray[np.bool_]:
    return np.bincount(forest.parents + 1, minlength=forest.n_nodes + 1)[1:] > 0


def _is_number(symbol: Any) -> bool:
    return isinstance(symbol, str) and _DIGITS.fullmatch(symbol) is not None
