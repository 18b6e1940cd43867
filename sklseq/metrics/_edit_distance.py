"""How many edits predicted sequences of symbols are away from their references."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklseq.metrics._steps import read_sequence_weights
from sklseq.metrics._symbols import SymbolSequences, as_symbols, read_pairs

__all__ = ["edit_distance", "edit_distance_rate", "exact_match_score"]

_CELLS = 2**18  # of a row of the dynamic program over the pairs of a block


def exact_match_score(
    y_true: SymbolSequences,
    y_pred: SymbolSequences,
    *,
    multiple_references: bool = False,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of the sequences that are predicted right from the first symbol to the last.

    One minus it is the word error rate of pronunciations (the share of words of which some
    symbol is wrong).

    Parameters
    ----------
    y_true : array-like of n_sequences sequences
        Each a list or array of symbols (str or int), of any length, or a string, whose
        characters are the symbols. An array of shape (n_sequences, n_steps) has as many steps
        for each.
    y_pred : array-like of n_sequences sequences
        Predicted sequences; their lengths may differ from those of `y_true`.
    multiple_references : bool, default=False
        Whether an element of `y_true` is a list of sequences, any of which is right.
    sample_weight : array-like of shape (n_sequences,), default=None
        A weight for each sequence.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If there are more sequences of one than of the other, or if one (named in the message)
        does not consist of symbols.

    See Also
    --------
    edit_distance_rate : Counts the symbols that are wrong.
    sequence_accuracy_score : For a label at each step.

    Examples
    --------
    >>> from sklseq.metrics import exact_match_score
    >>> exact_match_score([["B", "AY"], ["K", "AE", "T"]], [["B", "AY"], ["K", "AE"]])
    0.5
    >>> exact_match_score([["color", "colour"]], ["colour"], multiple_references=True)
    1.0
    """
    references, predictions = read_pairs(y_true, y_pred, multiple_references)
    weights = read_sequence_weights(sample_weight, len(predictions))
    right = [x in found for found, x in zip(references, predictions, strict=True)]
    return float(np.average(right, weights=weights))


def edit_distance_rate(
    y_true: SymbolSequences,
    y_pred: SymbolSequences,
    *,
    multiple_references: bool = False,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Edits that make the references of the predictions, for each symbol of the references.

    The sum of the edit distances over the sum of the lengths of the references: the word, phone
    or character error rate, by what the symbols are. It may exceed 1, as predictions may be
    longer than the references.

    Parameters
    ----------
    y_true : array-like of n_sequences sequences
        Each a list or array of symbols (str or int), of any length, or a string, whose
        characters are the symbols. An array of shape (n_sequences, n_steps) has as many steps
        for each.
    y_pred : array-like of n_sequences sequences
        Predicted sequences; their lengths may differ from those of `y_true`.
    multiple_references : bool, default=False
        Whether an element of `y_true` is a list of sequences. The nearest to the prediction
        counts, with its length; of equally near ones, the longest.
    sample_weight : array-like of shape (n_sequences,), default=None
        A weight for each sequence, of its distance and of its length.

    Returns
    -------
    float
        0 if all are right.

    Raises
    ------
    ValueError
        If there are more sequences of one than of the other, if one (named in the message)
        does not consist of symbols, or if all references are empty.

    See Also
    --------
    edit_distance : That of one pair.
    exact_match_score : Share of sequences without an error.

    Examples
    --------
    >>> from sklseq.metrics import edit_distance_rate
    >>> edit_distance_rate(["kitten", "sad"], ["sitting", "sad"])
    0.333...
    >>> edit_distance_rate([["color", "colour"]], ["colors"], multiple_references=True)
    0.2
    """
    references, predictions = read_pairs(y_true, y_pred, multiple_references)
    weights = read_sequence_weights(sample_weight, len(predictions))
    owner = np.repeat(np.arange(len(predictions)), [len(found) for found in references])
    flat = [reference for found in references for reference in found]
    distances = _edit_distances(flat, [predictions[i] for i in owner])
    lengths = np.array([len(reference) for reference in flat])
    order = np.lexsort((-lengths, distances, owner))
    nearest = order[np.unique(owner, return_index=True)[1]]
    if weights is None:
        weights = np.ones(len(predictions))
    total = weights @ lengths[nearest]
    if total == 0:
        raise ValueError("y_true has no symbol: there is nothing to divide the distances by.")
    return float(weights @ distances[nearest] / total)


def edit_distance(a: Sequence[Any] | NDArray[Any], b: Sequence[Any] | NDArray[Any]) -> int:
    """Fewest symbols to insert, delete or replace in one sequence to make the other of it.

    Parameters
    ----------
    a, b : str, or array-like of str or int
        Sequences of symbols; those of a string are its characters.

    Returns
    -------
    int
        The Levenshtein distance, from 0, for equal sequences, to the length of the longer one.

    Raises
    ------
    ValueError
        If one is no sequence of symbols.

    See Also
    --------
    edit_distance_rate : Of many pairs, for each symbol.

    References
    ----------
    R. Wagner and M. Fischer (1974). The string-to-string correction problem. Journal of the ACM
    21 (1), 168-173.

    Examples
    --------
    >>> from sklseq.metrics import edit_distance
    >>> edit_distance("kitten", "sitting")
    3
    >>> edit_distance(["K", "AE", "T"], ["K", "AH", "T", "S"])
    2
    """
    return int(_edit_distances([as_symbols(a, "a")], [as_symbols(b, "b")])[0])


def _edit_distances(first: list[list[Any]], second: list[list[Any]]) -> NDArray[np.int64]:
    """The distance of each pair, many at a time."""
    codes: dict[Any, int] = {}
    pairs = [
        sorted(
            ([codes.setdefault(symbol, len(codes)) for symbol in x] for x in both),
            key=len,
        )
        for both in zip(first, second, strict=True)
    ]
    lengths = np.array([[len(short), len(long)] for short, long in pairs])
    distances = np.empty(len(pairs), dtype=np.int64)
    order = np.argsort(-lengths[:, 1], kind="stable")  # blocks of about the same length
    start = 0
    while start < len(order):
        size = max(1, _CELLS // (lengths[order[start], 1] + 1))
        block = order[start : start + size]
        block = block[np.argsort(-lengths[block, 0], kind="stable")]
        distances[block] = _of_block([pairs[i] for i in block], *lengths[block].T)
        start += size
    return distances


def _of_block(
    pairs: list[list[list[int]]], n_short: NDArray[np.int64], n_long: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Distances by dynamic programming, row by row for all pairs at once.

    A step of the loop takes one more symbol of each shorter sequence. Pairs come by falling
    length of these, so that those which go on are the first.
    """
    short = _padded([short for short, _ in pairs], n_short)
    long = _padded([long for _, long in pairs], n_long)
    columns = np.arange(long.shape[1] + 1, dtype=np.int32)
    row = np.tile(columns, (len(pairs), 1))
    distances = n_long.copy()  # of nothing from the longer one
    for i in range(1, short.shape[1] + 1):
        n = np.count_nonzero(n_short >= i)
        row, above = np.empty_like(row[:n]), row[:n]
        row[:, 0] = i
        replaced = above[:, :-1] + (long[:n] != short[:n, i - 1 : i])
        np.minimum(above[:, 1:] + 1, replaced, out=row[:, 1:])
        # An insertion costs one for each column that it goes to the right.
        row = np.minimum.accumulate(row - columns, axis=1) + columns
        ended = np.flatnonzero(n_short[:n] == i)
        distances[ended] = row[ended, n_long[ended]]
    return distances


def _padded(sequences: list[list[int]], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
    out = np.full((len(sequences), lengths.max()), -1, dtype=np.int32)
    out[np.arange(out.shape[1]) < lengths[:, None]] = [code for x in sequences for code in x]
    return out
