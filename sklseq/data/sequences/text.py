"""Texts as sequences of tokens."""

import re
from collections.abc import Callable, Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.sequences.nested import is_nested, nested_rows
from sklseq.data.sequences.reading import as_sequences, is_table

__all__ = ["holds_prose", "holds_texts", "lowered", "tokenized"]

# Words, with what follows an apostrophe, and single marks: "don't!" is "don't", "!".
_WORDS = re.compile(r"\w+(?:['\N{RIGHT SINGLE QUOTATION MARK}]\w+)*|[^\w\s]")


def tokenized(X: Any, tokenizer: str | Callable[[str], Any], lowercase: bool = False) -> Any:
    """X with the tokens of each string in its place; all else as it is.

    Parameters
    ----------
    X : sequences
        In any container.
    tokenizer : {"char", "word"} or callable
        What gives the tokens, str or int, of a string.
    lowercase : bool, default=False
        Whether a string is converted to lowercase before.

    Raises
    ------
    TypeError, ValueError
        If the tokenizer gives no tokens; an error of its own gets a note that names the sequence.
    """
    texts = _texts(X)
    if texts is None or tokenizer == "char":
        return X
    split = _WORDS.findall if isinstance(tokenizer, str) else tokenizer
    tokens = list(texts)
    for i, text in enumerate(texts):
        if isinstance(text, str):
            tokens[i] = _tokens(text.lower() if lowercase else str(text), split, f"X, sequence {i}")
    return tokens


def lowered(symbols: NDArray[Any]) -> NDArray[Any]:
    """Symbols in lowercase, those that are strings."""
    steps = np.empty(len(symbols), dtype=object)
    steps[:] = [symbol.lower() if isinstance(symbol, str) else symbol for symbol in symbols]
    return steps


def holds_texts(X: Any) -> bool:
    """Whether there are strings among the sequences in X."""
    return _texts(X) is not None


def holds_prose(X: Any) -> bool:
    """Whether most strings in X are of several words, parted by spaces."""
    texts = [text for text in _texts(X) or () if isinstance(text, str)]
    return 2 * sum(" " in text.strip() for text in texts) > len(texts)


def _texts(X: Any) -> list[Any] | None:
    """The sequences in X, if there are strings among them."""
    X = as_sequences(X)
    if is_nested(X):
        if np.shape(X)[1] > 1:
            return None
        X = nested_rows(X, "X")[0]
    elif is_table(X):
        return None
    if not (isinstance(X, (list, tuple)) or np.ndim(X) == 1):
        return None
    sequences = list(X)
    return sequences if any(isinstance(sequence, str) for sequence in sequences) else None


def _tokens(text: str, split: Callable[[str], Any], place: str) -> list[Any]:
    try:
        found = split(text)
    except Exception as error:
        error.add_note(f"This is the tokenizer's, of {place}, {text!r:.80}.")
        raise
    # The order of a set is another one in each process.
    if isinstance(found, (str, bytes, Mapping, Set)) or not hasattr(found, "__iter__"):
        raise TypeError(
            f"{place}: the tokenizer gives a {type(found).__name__} for {text!r:.80}, and must "
            "give a list of tokens."
        )
    tokens = list(found)
    if not tokens:
        raise ValueError(
            f"{place} is empty: the tokenizer gives no token for {text!r:.80}. Leave it out, or "
            "let the tokenizer give one that stands for nothing."
        )
    for token in tokens:
        if not isinstance(token, (str, int, np.integer)):
            raise TypeError(
                f"{place}: the tokenizer gives {token!r:.80}, a {type(token).__name__}: tokens are "
                "strings, or integers."
            )
    return tokens
