"""Brings step-wise targets of every container into one form: stacked steps and lengths."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

StepTargets = ArrayLike | Sequence[ArrayLike]
"""Dense, ragged or flat values, one (or k) for each step."""


class Steps(NamedTuple):
    """The steps of all sequences, stacked.

    Attributes
    ----------
    values : ndarray of shape (sum(lengths), ...)
        One sequence after the other.
    lengths : ndarray of shape (n_sequences,)
        The number of steps of each.
    flat : bool, default=False
        Whether the steps came as one series and not as a panel of sequences.
    indexed : bool, default=False
        Whether a pandas index told the sequences apart. Flat values can belong to these.
    """

    values: NDArray[Any]
    lengths: NDArray[np.int64]
    flat: bool = False
    indexed: bool = False

    def describe(self) -> str:
        """Say what this is, for error messages."""
        if self.flat:
            return f"one flat series of {self.lengths[0]} steps"
        return f"{len(self.lengths)} sequences"

    def locate(self, position: int) -> str:
        """Say which step a position in `values` is, for error messages."""
        ends = np.cumsum(self.lengths)
        sequence = int(np.searchsorted(ends, position, side="right"))
        step = position - (ends[sequence] - self.lengths[sequence])
        return f"step {step}" if self.flat else f"sequence {sequence}, step {step}"


def stack_steps(y: Any, name: str) -> Steps:
    """Stack the steps of all sequences.

    Parameters
    ----------
    y : array-like
        Dense of shape (n_sequences, n_steps, ...); ragged: a list, tuple or 1-D object
        array of arrays of shape (n_steps_i, ...), or pandas data with a (sequence, time)
        index; or flat, of shape (n_steps,).
    name : str
        What `y` is, for messages.

    Returns
    -------
    Steps
        The stacked steps.

    Raises
    ------
    ValueError
        If `y` is a single value, or its sequences do not fit together.
    """
    if hasattr(y, "iloc") and y.ndim == 2 and y.shape[1] == 1:
        y = y.iloc[:, 0]
    if getattr(getattr(y, "index", None), "nlevels", 1) > 1:
        return _stack_indexed(y, name)
    holds_objects = getattr(getattr(y, "dtype", None), "kind", None) == "O" and y.ndim == 1
    if (holds_objects or isinstance(y, (list, tuple))) and any(map(_is_sequence, y)):
        return _stack_ragged(y, name)
    array = _as_array(y)
    if array.ndim == 0:
        raise ValueError(f"{name} must hold a value for each step, got {y!r}.")
    if array.ndim == 1:
        return Steps(array, np.array([len(array)]), flat=True)
    n_sequences, n_steps = array.shape[:2]
    # The first axis is spelled out because -1 is undefined for an array without entries.
    values = array.reshape(n_sequences * n_steps, *array.shape[2:])
    return Steps(values, np.full(n_sequences, n_steps))


def match_steps(
    reference: Steps, other: Steps, name: str, nouns: tuple[str, str] = ("labels", "predictions")
) -> Steps:
    """Return `other` if it has the same sequences of the same lengths, or raise.

    Parameters
    ----------
    reference : Steps
        `y_true`.
    other : Steps
        What must match it. Flat steps match sequences that a pandas index tells apart,
        which is how predictions for such data come.
    name : str
        The parameter that `other` came from.
    nouns : (str, str)
        What a value of each is called in the message.

    Returns
    -------
    Steps
        `other`, with the lengths of `reference`.

    Raises
    ------
    ValueError
        If they do not match; the message names the first sequence that does not.
    """
    if reference.indexed and other.flat and len(reference.values) == len(other.values):
        return other._replace(lengths=reference.lengths, flat=False)
    if reference.flat != other.flat or len(reference.lengths) != len(other.lengths):
        raise ValueError(f"y_true holds {reference.describe()}, {name} {other.describe()}.")
    for i in np.flatnonzero(reference.lengths != other.lengths)[:1]:
        where = "" if reference.flat else f"sequence {i}: "
        counts = f"{reference.lengths[i]} {nouns[0]} for {other.lengths[i]} {nouns[1]}"
        raise ValueError(where + counts)
    return other


def step_weights(sample_weight: StepTargets | None, reference: Steps) -> NDArray[np.float64] | None:
    """Give each step its weight.

    Parameters
    ----------
    sample_weight : array-like or None
        A number for each sequence, which all its steps get, or one for each step in the
        container shape of `y_true`.
    reference : Steps
        `y_true`.

    Returns
    -------
    ndarray of shape (n_steps_in_all,) or None
        The weights.

    Raises
    ------
    ValueError
        If there are too few or too many, one is negative, or all are zero.
    """
    if sample_weight is None:
        return None
    return check_weights(_spread_weights(sample_weight, reference))


def check_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights, if none is negative or not finite and one is positive; else ValueError."""
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ValueError(
            f"sample_weight holds {weights[wrong[0]]}: weights must be finite and not negative."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero throughout: nothing is left to score.")
    return weights


def _spread_weights(sample_weight: StepTargets, reference: Steps) -> NDArray[np.float64]:
    weights = stack_steps(sample_weight, "sample_weight")
    n_sequences = len(reference.lengths)
    if weights.flat and not reference.flat and len(weights.values) == n_sequences:
        return np.repeat(weights.values.astype(np.float64), reference.lengths)
    if weights.flat and not reference.flat and not reference.indexed:
        raise ValueError(
            f"sample_weight holds {len(weights.values)} weights for {n_sequences} sequences."
        )
    weights = match_steps(reference, weights, "sample_weight", ("labels", "weights"))
    return weights.values.astype(np.float64)


def missing_values(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Find None, NaN and pandas' NA.

    Parameters
    ----------
    values : ndarray
        Of any shape and dtype.

    Returns
    -------
    ndarray of bool, of the shape of `values`
        True where a value is missing.
    """
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype != object:
        return np.zeros(values.shape, dtype=bool)
    flags = (_is_missing(value) for value in values.ravel())
    return np.fromiter(flags, dtype=bool, count=values.size).reshape(values.shape)


def _is_missing(value: Any) -> bool:
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    # By the name of its type, since pandas need not be installed.
    return value is None or type(value).__name__ == "NAType"


def _is_sequence(item: Any) -> bool:
    return isinstance(item, (list, tuple)) or getattr(item, "ndim", 0) > 0


def _as_array(item: Any) -> NDArray[Any]:
    array = np.asarray(item)
    if isinstance(item, (list, tuple)) and array.dtype.kind in "US":
        # Among str, numpy would turn a NaN into the text "nan".
        return np.asarray(item, dtype=object)
    return array


def _stack_indexed(y: Any, name: str) -> Steps:
    """Stack pandas data with a (sequence, time) index."""
    codes, identities = y.index.get_level_values(0).factorize()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    if len(starts) != len(identities):
        raise ValueError(
            f"{name}: the rows of a sequence are not together; sort the data by its index "
            "first (sort_index())."
        )
    return Steps(y.to_numpy(), np.diff(starts, append=len(y)), indexed=True)


def _stack_ragged(y: Sequence[Any], name: str) -> Steps:
    for i, item in enumerate(y):
        if not _is_sequence(item):
            raise ValueError(f"{name}: sequence {i} is the single value {item!r}.")
    arrays = [_as_array(item) for item in y]
    for i, array in enumerate(arrays):
        if array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"{name}: sequence {i} has shape {array.shape}, which does not fit "
                f"sequence 0 of shape {arrays[0].shape}."
            )
    kinds = {"number" if array.dtype.kind in "biuf" else array.dtype.kind for array in arrays}
    if len(kinds) > 1:
        # Stacking numbers with str would change the label 1 to "1".
        arrays = [array.astype(object) for array in arrays]
    return Steps(np.concatenate(arrays), np.array([len(array) for array in arrays]))
