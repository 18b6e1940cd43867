"""Japanese Vowels: nine speakers, to be classified by short ragged sequences."""

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sklseq.datasets._common import split_steps

_SUBSETS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


def load_japanese_vowels(
    *, subset: Literal["train", "test", "all"] = "train", return_X_y: bool = False
) -> Bunch | tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Load the Japanese Vowels data set: utterances of nine speakers, to be classified.

    ================== ============================
    Classes            9 speakers
    Training sequences 270, 30 for each speaker
    Test sequences     370, 24 to 88 for each
    Steps              7 to 29
    Features           12 real numbers for each step
    ================== ============================

    The data ship with the package; nothing is downloaded.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which part of the official split to load; "all" is the training sequences
        followed by the test sequences. Sequences are ordered by speaker in each part.
    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_sequences,) and dtype object
            A float64 array of shape (n_steps_i, 12) for each utterance.
        target : ndarray of shape (n_sequences,)
            The speaker, 1 to 9.
        feature_names : list of str
            The 12 coefficients of the LPC cepstrum.
        target_names : ndarray of shape (9,)
            A name for each speaker, in the order of the labels.
        subset : str
            The part that was loaded.
        DESCR : str
            Description of the data, with references and licence.
    (data, target) : tuple if `return_X_y` is True
        The first two of these.

    Raises
    ------
    ValueError
        If `subset` is none of the three.

    References
    ----------
    M. Kudo, J. Toyama and M. Shimbo (1999). Multidimensional curve classification using
    passing-through regions. Pattern Recognition Letters 20 (11-13), 1103-1111. From the
    UCI Machine Learning Repository, https://doi.org/10.24432/C5NS47, CC BY 4.0.

    Examples
    --------
    >>> from sklseq.datasets import load_japanese_vowels
    >>> vowels = load_japanese_vowels()
    >>> vowels.data.shape, vowels.data[0].shape
    ((270,), (20, 12))
    >>> X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    >>> len(X_test), int(y_test[0])
    (370, 1)
    """
    if not isinstance(subset, str) or subset not in _SUBSETS:
        raise ValueError(f"subset must be one of {sorted(_SUBSETS)}, got {subset!r}.")
    data, target = _read(_SUBSETS[subset])
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        feature_names=[f"lpc_cepstrum_{i}" for i in range(1, 13)],
        target_names=np.array([f"speaker {i}" for i in range(1, 10)]),
        subset=subset,
        DESCR=_resource("japanese_vowels.rst").read_text(encoding="utf-8"),
    )


def _resource(name: str) -> Traversable:
    return resources.files("sklseq.datasets").joinpath("data", name)


def _read(parts: tuple[str, ...]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Read and join parts of the split as (sequences, speakers)."""
    with _resource("japanese_vowels.npz").open("rb") as file, np.load(file) as stored:
        values, lengths, labels = (
            np.concatenate([stored[f"{part}_{kind}"] for part in parts])
            for kind in ("values", "lengths", "labels")
        )
    # The source has six decimals. Rounding in double precision gives back just those numbers,
    # which single precision holds only approximately.
    return split_steps(np.round(values.astype(np.float64), 6), lengths), labels
