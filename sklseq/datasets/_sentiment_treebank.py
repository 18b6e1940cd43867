"""The Stanford Sentiment Treebank: a sentiment for every phrase."""

from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sklseq.datasets._treebank import read_treebank

_PARTS = ("train", "dev", "test")


def load_sentiment_treebank(
    path: str | PathLike[str],
    *,
    subset: Literal["train", "dev", "test"] = "train",
    return_X_y: bool = False,
) -> Bunch | tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Load the Stanford Sentiment Treebank from its files: parse trees, each node rated 0 to 4.

    The data do not ship with the package, for no licence is stated.

    Parameters
    ----------
    path : str or path
        The folder with "train.txt", "dev.txt" and "test.txt", a tree in brackets on each line.
    subset : {"train", "dev", "test"}, default="train"
        Which part of the official split to load: 8544, 1101 or 2210 trees.
    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_trees,) and dtype object
            Nested tuples, a word at each leaf: ``(None, ("It",), (None, ("works",), (".",)))``.
        target : ndarray of shape (n_trees,) and dtype object
            Nested tuples of the same shape: the sentiment of each phrase, from 0, very negative,
            to 4, very positive.
        subset : str
            The part that was loaded.
    (data, target) : tuple if `return_X_y` is True
        The first two of these.

    Raises
    ------
    ValueError
        If `subset` is none of the three.
    FileNotFoundError
        If the file is not there.

    References
    ----------
    R. Socher et al. (2013). Recursive deep models for semantic compositionality over a sentiment
    treebank. EMNLP.

    Examples
    --------
    >>> from sklseq.datasets import load_sentiment_treebank
    >>> X, y = load_sentiment_treebank("trees", return_X_y=True)  # doctest: +SKIP
    """
    if subset not in _PARTS:
        raise ValueError(f"subset must be one of {list(_PARTS)}, got {subset!r}.")
    text = (Path(path) / f"{subset}.txt").read_text(encoding="utf-8")
    data, target = read_treebank(text.splitlines())
    if return_X_y:
        return data, target
    return Bunch(data=data, target=target, subset=subset)
