"""Trees and labels apart, from the brackets in which treebanks write both."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import as_items, parse_brackets
from sklseq.datasets._common import object_array


def read_treebank(lines: Iterable[str]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Read labeled trees in brackets, as treebanks write them: trees of words, and their labels.

    A bracket is ``(label child ...)``, or ``(label word)`` at a leaf. Read by ``reader="brackets"``
    the labels would be symbols of the trees, which a model that predicts them must not see.

    Parameters
    ----------
    lines : iterable of str
        One tree each: a list, an array or Series, or an open file, whose empty lines are left out.

    Returns
    -------
    X : ndarray of shape (n_trees,) and dtype object
        Nested tuples with a word at each leaf and None above.
    y : ndarray of shape (n_trees,) and dtype object
        Nested tuples of the same shape: an int for a label of digits, else a str; None for a
        bracket without a label and for a word among other children.

    Raises
    ------
    ValueError, TypeError
        Naming the tree at fault, if it is not a string of whole brackets.

    See Also
    --------
    sklseq.datasets.load_sentiment_treebank : The files of one treebank.

    Examples
    --------
    >>> from sklseq.datasets import read_treebank
    >>> X, y = read_treebank(["(4 (2 It) (3 works))", "(0 (0 Awful) (2 .))"])
    >>> X[0], y[0]
    ((None, ('It',), ('works',)), (4, (2,), (3,)))

    For a label of each tree, take that of its root:

    >>> [tree[0] for tree in y]
    [4, 0]
    """
    items = as_items(lines, name="lines")
    if items is None:
        raise TypeError("lines holds numbers or several columns, not one str for each tree.")
    both = [
        _words_and_labels(line, f"Tree {i}")
        for i, line in enumerate(items)
        if not isinstance(line, str) or line.strip()
    ]
    return object_array([x for x, _ in both]), object_array([y for _, y in both])


def _words_and_labels(text: Any, place: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    parents, values, opened = parse_brackets(text, place)
    below: list[list[tuple[Any, Any]]] = [[] for _ in values]
    words: tuple[Any, ...] = ()
    labels: tuple[Any, ...] = ()
    for i in range(len(values) - 1, -1, -1):  # children come after their parents
        children, label = below[i][::-1], _label(values[i])
        if not opened[i]:
            words, labels = (values[i],), (None,)
        elif len(children) == 1 and not opened[i + 1]:
            words, labels = children[0][0], (label,)
        else:
            words = (None, *(w for w, _ in children))
            labels = (label, *(y for _, y in children))
        if i:
            below[parents[i]].append((words, labels))
    return words, labels


def _label(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.removeprefix("-").isdecimal() else text
