"""Sequences in the place of y: read as X is, and given back as the user wrote them."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import Sequences, as_container, as_sequences, number_hint, read_sequences

__all__ = ["OutputLayout", "as_objects", "read_outputs", "warn_of_labels"]

# Inputs for each different string, from which on strings are taken for labels.
_INPUTS_A_LABEL = 10


@dataclass(frozen=True)
class OutputLayout:
    """What outputs look like, and those that are predicted are to look like.

    Parameters
    ----------
    kind : {"ragged", "strings", "array"}
        Sequences of any length; strings, whose characters are symbols; or an array, whose second
        axis says how long all outputs are.
    shape : tuple of int
        Of one output in an array: ``()`` where it is a single symbol or value.
    flat : bool
        Whether a step is a single symbol or value, and not a vector.
    """

    kind: str
    shape: tuple[int, ...] = ()
    flat: bool = True

    _stored = {"kind": "str", "shape": "tuple of int", "flat": "bool"}

    @property
    def length(self) -> int | None:
        """The one length of all outputs."""
        return None if self.kind != "array" else self.shape[0] if self.shape else 1

    def given_back(self, sequences: list[NDArray[Any]]) -> Any:
        """Predicted sequences in this layout."""
        if self.kind == "array":
            return np.stack(sequences).reshape(len(sequences), *self.shape)
        return as_objects([self.one(sequence) for sequence in sequences])

    def one(self, sequence: NDArray[Any]) -> Any:
        """One of them."""
        if self.kind == "strings":
            return "".join(sequence)
        return sequence.reshape(self.shape) if self.kind == "array" else sequence


def read_outputs(
    y: Any, n: int, *, symbolic: bool, name: str = "y"
) -> tuple[Sequences, OutputLayout]:
    """One sequence for each of n inputs, and what they look like.

    Parameters
    ----------
    y : sequences
        As X may be; in an array of one axis each is a single symbol, or value.
    n : int
    symbolic : bool
        Whether steps are symbols, and not numbers.
    name : str, default="y"

    Raises
    ------
    TypeError
        For a DataFrame.
    ValueError
        If y is not that; naming the place.
    """
    if y is None:
        raise ValueError(f"{name} is None: give an output for each of the {n} inputs.")
    if isinstance(y, (str, bytes)):
        raise ValueError(
            f"{name} is one string: give a list with an output for each of {n} inputs."
        )
    if hasattr(y, "toarray"):
        raise TypeError(f"{name} is sparse, which outputs cannot be: give {name}.toarray().")
    if hasattr(y, "columns"):
        raise TypeError(
            f"{name} is a DataFrame, of which it is not clear what a sequence is: give a list with "
            "one sequence for each input."
        )
    y, layout = _with_layout(as_sequences(as_container(y)))
    if symbolic and layout.kind == "array":
        y = _integers(y[:, :, 0] if y.shape[2] == 1 else y)
    elif symbolic and layout.kind == "ragged":
        y = [_integers(item) if _holds_floats(item) else item for item in y]
    if len(y) != n:
        raise ValueError(
            f"X holds {n} sequences, but {name} {len(y)}: inconsistent numbers of samples; "
            f"{'input' if len(y) < n else 'output'} {min(n, len(y))} has no partner."
        )
    sequences = read_sequences(list(y) if symbolic else y, symbolic=symbolic, name=name)
    if sequences.symbolic and not symbolic:
        raise ValueError(
            f"{name}, sequence 0, step 0 is {sequences.steps[0]!r}, expected a number: symbols are "
            "put out by Seq2SeqClassifier." + number_hint(sequences.steps, name)
        )
    return sequences, layout


def warn_of_labels(outputs: Sequences, layout: OutputLayout, inputs: Sequences) -> None:
    """Warn where y seems to hold a label for each input, and not a sequence."""
    how = None
    if layout == OutputLayout("array"):
        how = "and is learned as an output of one symbol"
    elif layout.kind == "strings":
        n_labels = _n_different(outputs)
        if n_labels * _INPUTS_A_LABEL <= len(inputs) and (
            n_labels * _INPUTS_A_LABEL <= _n_different(inputs)
        ):
            how = f"as {n_labels} strings for {len(inputs)} inputs, which are learned by letters"
    if how is not None:
        warnings.warn(
            f"y has one label for each input, {how}: RecurrentClassifier predicts labels of "
            "sequences, with their probabilities.",
            UserWarning,
            stacklevel=2,
        )


def _n_different(sequences: Sequences) -> int:
    parts = np.split(sequences.steps, sequences.starts[1:])
    return len({tuple(part.ravel().tolist()) for part in parts})


def as_objects(sequences: list[Any]) -> NDArray[Any]:
    """A 1-D object array, which scikit-learn can index and join."""
    array = np.empty(len(sequences), dtype=object)
    for i, sequence in enumerate(sequences):
        array[i] = sequence
    return array


def _with_layout(y: Any) -> tuple[Any, OutputLayout]:
    """The sequences and their layout."""
    if getattr(y, "ndim", 1) > 1:
        array = np.asarray(y)
        layout = OutputLayout("array", array.shape[1:], flat=array.ndim == 2)
        return array if array.ndim > 2 else array[:, :, None], layout
    y = list(y)
    if y and all(isinstance(value, str) for value in y):
        return y, OutputLayout("strings")
    if y and all(np.ndim(value) == 0 and not isinstance(value, str) for value in y):
        return np.array(y)[:, None, None], OutputLayout("array")
    return y, OutputLayout("ragged", flat=not y or np.ndim(y[0]) < 2)


def _holds_floats(item: Any) -> bool:
    """Whether one sequence of a list is made of numbers that are written as floats, or booleans."""
    if isinstance(item, np.ndarray):
        return item.dtype.kind in "fb"
    return isinstance(item, (list, tuple)) and all(isinstance(v, float | bool) for v in item)


def _integers(values: Any) -> Any:
    """Symbols that are whole numbers of any type as integers; others as they are."""
    array = np.asarray(values)
    whole = array.dtype.kind == "f" and np.isfinite(array).all() and (array % 1 == 0).all()
    return array.astype(np.int64) if whole or array.dtype.kind == "b" else values
