"""Pronouncing dictionaries: words, and how they are spoken."""

import re
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sklseq.datasets._common import object_array

_VARIANTS = ("first", "all")
_NUMBER_OF_VARIANT = re.compile(r"(?<=.)\(\d+\)$")
_STRESS = re.compile(r"\d$")


def load_g2p(
    path: str | PathLike[str],
    *,
    variants: Literal["first", "all"] = "first",
    stress: bool = True,
    encoding: str = "utf-8",
    return_X_y: bool = False,
) -> Bunch | tuple[NDArray[np.object_], NDArray[np.object_]]:
    r"""Load a pronouncing dictionary from a file, for grapheme-to-phoneme conversion (G2P).

    The format is that of CMUdict: on each line a word, space, and its phones, separated by
    spaces; "WORD(2)" is another pronunciation of "WORD". Or it is that of the usual lists for
    training and test: a word and its pronunciations, one or several, separated by tabs. A word
    on several lines has the pronunciations of all. Empty lines and comments (after ";;;" at the
    beginning of a line, or after " #") are left out.

    Parameters
    ----------
    path : str or path
        The file.
    variants : {"first", "all"}, default="first"
        Whether a word has one row, with its first pronunciation, or one for each, as for
        training.
    stress : bool, default=True
        Whether to keep the digits of stress at the end of vowels, "AH0". Published results are
        mostly without.
    encoding : str, default="utf-8"
        How the file is encoded; "latin-1" for CMUdict 0.7.
    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_rows,) and dtype object
            A word, a str, for each row, in the order of the file. They serve as `groups` too, to
            keep the pronunciations of a word in one part of a split.
        target : ndarray of shape (n_rows,) and dtype object
            Its pronunciation, an array of str of shape (n_phones_i,).
        references : ndarray of shape (n_rows,) and dtype object
            A list of all pronunciations of the word, for metrics with `multiple_references`.
    (data, target) : tuple if `return_X_y` is True
        The first two of these.

    Raises
    ------
    ValueError
        If `variants` is neither of the two, a line has no pronunciation (the message names it),
        or the file is encoded in another way.
    FileNotFoundError
        If the file is not there.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklseq.datasets import load_g2p
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "words.dict"
    ...     _ = path.write_text("READ  R EH1 D\nREAD(2)  R IY1 D\nTEA  T IY1\n")
    ...     words = load_g2p(path, stress=False)
    >>> words.data
    array(['READ', 'TEA'], dtype=object)
    >>> words.target[0]
    array(['R', 'EH', 'D'], dtype='<U2')
    >>> [" ".join(phones) for phones in words.references[0]]
    ['R EH D', 'R IY D']
    """
    if variants not in _VARIANTS:
        raise ValueError(f"variants must be one of {list(_VARIANTS)}, got {variants!r}.")
    words: dict[str, dict[tuple[str, ...], None]] = {}  # inner keys: an ordered set
    for word, phones in _entries(Path(path), encoding):
        if not stress:
            phones = tuple(_STRESS.sub("", phone) for phone in phones)
        words.setdefault(word, {})[phones] = None
    data, target, references = [], [], []
    for word, found in words.items():
        arrays = [np.array(phones) for phones in found]
        for array in arrays if variants == "all" else arrays[:1]:
            data.append(word)
            target.append(array)
            references.append(arrays)
    if return_X_y:
        return object_array(data), object_array(target)
    return Bunch(
        data=object_array(data), target=object_array(target), references=object_array(references)
    )


def _entries(path: Path, encoding: str) -> list[tuple[str, tuple[str, ...]]]:
    """Words and pronunciations, as they come in the file."""
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not encoded in {encoding!r} ({error}): give another encoding, such as "
            "'latin-1' for CMUdict 0.7."
        ) from error
    entries = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.partition(" #")[0].strip()
        if not line or line.startswith(";;;"):
            continue
        word, *pronunciations = line.split("\t") if "\t" in line else line.split(maxsplit=1)
        spoken = [tuple(phones.split()) for phones in pronunciations]
        if not spoken or not all(spoken):
            raise ValueError(
                f"Line {number} of {path}, {line!r:.80}, has no pronunciation: expected 'WORD  PH "
                "PH', or 'WORD', a tab and 'PH PH'."
            )
        word = _NUMBER_OF_VARIANT.sub("", word.strip())
        entries += [(word, phones) for phones in spoken]
    return entries
