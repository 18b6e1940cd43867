"""Trees written in brackets."""

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklseq.data.trees.values import kind_of_item

__all__ = ["Brackets", "parse_brackets"]

_TOKENS = re.compile(r"\(|\)|[^\s()]+")


class Brackets(NamedTuple):
    """What a string of brackets says.

    Parameters
    ----------
    parents : ndarray of shape (n_nodes,)
        In preorder; the root's is -1.
    values : list
        The label of a bracket, None where it has none; the word of a leaf that stands alone.
    opened : list of bool
        Whether a node is a bracket.
    """

    parents: NDArray[np.int64]
    values: list[Any]
    opened: list[bool]


def parse_brackets(text: Any, place: str) -> Brackets:
    """``(label child ...)``: a word is a leaf; a bracket without a label has no value.

    Raises
    ------
    ValueError, TypeError
        Naming the tree, and where in it a bracket is missing.
    """
    if not isinstance(text, str):
        raise TypeError(f"{place} is {kind_of_item(text)}, not a string of brackets.")
    parents: list[int] = []
    values: list[Any] = []
    is_bracket: list[bool] = []
    path: list[int] = []
    opened = False
    for match in _TOKENS.finditer(text):
        token = match.group()
        ended = values and not path and not (opened and len(values) == 1)
        if ended:
            raise ValueError(f"{place} goes on after its end: {token!r} at {match.start()}.")
        if token == ")":
            if not path:
                raise ValueError(f"{place} has a ')' without a '(' at {match.start()}.")
            path.pop()
        elif opened and token != "(":
            values[-1] = token
        else:
            parents.append(path[-1] if path else -1)
            values.append(None if token == "(" else token)
            is_bracket.append(token == "(")
            if token == "(":
                path.append(len(values) - 1)
        opened = token == "("
    if path or not values:
        raise ValueError(
            f"{place} ends within {len(path)} open brackets." if path else f"{place} is empty."
        )
    return Brackets(np.array(parents, dtype=np.int64), values, is_bracket)
