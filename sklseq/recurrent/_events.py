"""Sequences as events, each step given those before it, or the end; what steps are."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from sklseq.data import Sequences
from sklseq.nn.decoding.step import END
from sklseq.nn.recurrent.language import START
from sklseq.parts.scaled_steps import unscaled

__all__ = [
    "check_labels",
    "events_of",
    "kind_of_steps",
    "next_probabilities",
    "next_steps",
    "without_rare",
]


def kind_of_steps(output: str, data: Sequences) -> str:
    """What the steps of training sequences are: symbols, labels or values.

    Raises ValueError if they are not the `output` asked for.

    Warns
    -----
    UserWarning
        If numbers that are taken for values may be symbols.
    """
    if data.symbolic:
        if output in ("labels", "values"):
            raise ValueError(
                f"output={output!r}, but X holds symbols: set output='symbols', or 'auto'."
            )
        return "symbols"
    if output != "auto":
        return output
    steps = data.steps
    if ((steps == 0) | (steps == 1)).all():
        return "labels"
    if steps.shape[1] == 1 and (steps == np.rint(steps)).all():
        warnings.warn(
            f"X holds whole numbers, such as {steps[0, 0]:.0f}, which are taken for real values: "
            "set output='symbols' if each is a symbol, or output='values' if not.",
            UserWarning,
            stacklevel=2,
        )
    return "values"


def check_labels(data: Sequences, name: str = "X") -> None:
    """Refuse labels that are not 0 or 1, naming the first."""
    wrong = np.argwhere((data.steps != 0) & (data.steps != 1))
    if not len(wrong):
        return
    row, label = wrong[0]
    sequence, step = data.locate(int(row))
    names = data.feature_names
    column = "" if names is None else f" (column {names[label]!r})"
    raise ValueError(
        f"{name}, sequence {sequence}, step {step}, feature {label}{column} is "
        f"{data.steps[row, label]:g}, which is no label: each is 0 or 1. For real values set "
        "output='values' in fit."
    )


def without_rare(data: Sequences, min_frequency: int) -> tuple[Sequences, NDArray[np.int64]]:
    """Symbols that occur so often renumbered, the others as 0; and the numbers that they had.

    Raises ValueError if there are none.
    """
    kept = np.flatnonzero(np.bincount(data.steps) >= min_frequency)
    kept = kept[kept > 0]
    if not len(kept):
        raise ValueError(
            f"No symbol of X occurs min_frequency={min_frequency} times: set it lower."
        )
    codes = np.zeros(int(data.steps.max()) + 1, dtype=np.int64)
    codes[kept] = np.arange(1, len(kept) + 1)
    return data.with_steps(codes[data.steps]), kept


def events_of(data: Sequences, n_symbols: int) -> NDArray[Any]:
    """The start and all steps of each sequence, and beside each what follows.

    Parameters
    ----------
    data : Sequences
        Codes of symbols, or values as the network reads them.
    n_symbols : int
        Number of known symbols; not used for values.

    Returns
    -------
    ndarray
        As `LanguageNetwork` takes them.
    """
    steps, ends = data.steps, np.cumsum(data.lengths)
    if data.symbolic:
        # Read as 0, the unknown symbol is the last of the outputs, of which 0 is the end.
        outputs = np.where(steps == 0, n_symbols + 1, steps)
        before, after = np.insert(steps, data.starts, START), np.insert(outputs, ends, END)
        return np.stack([before, after], axis=1)
    before = np.insert(steps, data.starts, np.nan, axis=0)
    after = np.insert(steps, ends, 0, axis=0)
    is_end = np.insert(np.zeros(len(steps), dtype=steps.dtype), ends, 1)
    return np.hstack([before, is_end[:, None], after])


def next_steps(model: Any, outputs: NDArray[Any]) -> NDArray[Any]:
    """Most probable symbols, None for the end; or probable labels, or expected values.

    Parameters
    ----------
    model : RecurrentLanguageModel
    outputs : ndarray
        Of its network.
    """
    if model._kind == "symbols":
        names = np.array([None, *model.vocabulary_.tolist()], dtype=object)
        return names[outputs[:, :-1].argmax(axis=1)]
    if model._kind == "labels":
        return (outputs[:, 1:] > 0).astype(np.int64)
    return unscaled(model, outputs[:, 1:])


def next_probabilities(model: Any, outputs: NDArray[Any]) -> NDArray[Any]:
    """Probabilities of symbols and the unknown one, or of labels, and last of the end.

    Parameters are as of `next_steps`.
    """
    first_end = softmax(outputs, axis=1) if model._kind == "symbols" else expit(outputs)
    return np.roll(first_end, -1, axis=1)
