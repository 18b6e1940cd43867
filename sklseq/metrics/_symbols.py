"""Sequences of symbols and their references, read in pairs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklseq.data import as_container, as_items, read_steps

__all__ = ["SymbolSequences", "as_symbols", "read_pairs"]

SymbolSequences = ArrayLike | Sequence[Any]
"""Sequences of symbols, or, for several references, a sequence of them in the place of each."""


def read_pairs(
    y_true: Any, y_pred: Any, multiple_references: bool, as_texts: bool = False
) -> tuple[list[list[list[Any]]], list[list[Any]]]:
    """The references of each sequence, one or several, and its prediction, as lists of symbols.

    ValueError, naming the sequence, if there are more of one than of the other, if one is no
    sequence of symbols, or if symbols that never are equal would be compared: strings with numbers,
    or, unless `as_texts` joins both, words with the characters of a string.
    """
    true, pred = _rows(y_true, "y_true"), _rows(y_pred, "y_pred")
    if len(true) != len(pred):
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: y_pred has "
            f"{len(pred)} sequences, but y_true has {len(true)}."
        )
    if not true:
        raise ValueError("y_true holds no sequence: at least 1 is required.")
    predictions = [as_symbols(row, f"y_pred, sequence {i}") for i, row in enumerate(pred)]
    references = [
        _references(row, f"y_true, sequence {i}")
        if multiple_references
        else [as_symbols(row, f"y_true, sequence {i}")]
        for i, row in enumerate(true)
    ]
    for i, (found, prediction) in enumerate(zip(references, predictions, strict=True)):
        if not as_texts:
            given = true[i] if multiple_references else [true[i]]
            for text in given:
                _refuse_words(prediction, text, f"y_pred, sequence {i}")
            for reference in found:
                _refuse_words(reference, pred[i], f"y_true, sequence {i}")
        kinds = {_kind(symbol) for reference in found for symbol in reference}
        others = {_kind(symbol) for symbol in prediction}
        if kinds and others and not kinds & others:
            raise ValueError(
                f"Sequence {i} has {' and '.join(kinds)} symbols in y_true, but "
                f"{' and '.join(others)} in y_pred: no two of them can be equal."
            )
    return references, predictions


def as_symbols(sequence: Any, place: str) -> list[Any]:
    """The symbols of a sequence, the characters of a string; `place` is its name in messages."""
    if isinstance(sequence, str):
        return list(sequence)
    sequence = as_container(sequence)
    if hasattr(sequence, "to_list"):
        sequence = sequence.to_list()
    elif hasattr(sequence, "tolist"):
        sequence = sequence.tolist()
    if not isinstance(sequence, (list, tuple)):
        raise ValueError(
            f"{place} is {sequence!r:.80}, not a sequence of symbols: give a list, an array or a "
            "string for each sequence, [[0, 1, 1]] for a single one."
        )
    symbols = [s.item() if isinstance(s, np.generic) else s for s in sequence]
    for step, symbol in enumerate(symbols):
        if not isinstance(symbol, (str, int)):
            raise ValueError(
                f"{place}, step {step} is {symbol!r:.80}: a symbol is a str or an int, and a "
                "sequence ends with its last symbol (leave padding out)."
            )
    return symbols


def _references(row: Any, place: str) -> list[list[Any]]:
    if isinstance(row, str):
        raise ValueError(
            f"{place} is {row!r:.80}: with multiple_references=True, give a list of references for "
            "each sequence."
        )
    references = _rows(row, place)
    if not references:
        raise ValueError(f"{place} has no reference: give at least one.")
    return [as_symbols(found, f"{place}, reference {k}") for k, found in enumerate(references)]


def _refuse_words(symbols: list[Any], text: Any, place: str) -> None:
    """Refuse words beside a string, whose symbols are its characters."""
    if not isinstance(text, str):
        return
    for word in [s for s in symbols if isinstance(s, str) and len(s) > 1][:1]:
        raise ValueError(
            f"{place} has the symbol {word!r:.80}, but is compared with the characters of "
            f"{text!r:.80}: split both into words, or neither."
        )


def _rows(values: Any, name: str) -> list[Any]:
    """What a container holds, one sequence each."""
    values = as_container(values)
    if isinstance(values, (str, bytes, dict, set, frozenset)) or not hasattr(values, "__iter__"):
        raise ValueError(
            f"{name} is {values!r:.80}, where a list of sequences is due: give [{name}] if it is "
            "one sequence."
        )
    if getattr(getattr(values, "index", None), "nlevels", 1) > 1:
        steps = read_steps(values, name)
        return np.split(np.ravel(steps.steps), steps.starts[1:])
    if hasattr(values, "columns") or getattr(values, "ndim", 1) != 2:
        items = as_items(values, numbers=True, name=name)
        if items is not None:
            return items
    return list(np.asarray(values))


def _kind(symbol: Any) -> str:
    return "str" if isinstance(symbol, str) else "int"
