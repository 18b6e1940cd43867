"""Steps that are numbers, finite ones, or symbols of one kind; the first that is not is named."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.limits import first_beyond, largest
from sklseq.data.sequences.container import Sequences

__all__ = ["check_finite", "check_numeric", "check_one_kind"]


def check_numeric(
    values: NDArray[Any], dtype: DTypeLike, name: str, locate: Callable[[int], tuple[int, int]]
) -> NDArray[Any]:
    """Values as numbers, or an error; `locate` gives sequence and step of a row, for messages."""
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name}, sequence {locate(0)[0]} is complex.")
    try:
        with np.errstate(over="ignore"):  # what overflows is found by the check for infinity
            return values.astype(dtype, copy=False)
    except (TypeError, ValueError) as error:
        for (row, feature), value in np.ndenumerate(values):
            try:
                float(value)
            except (TypeError, ValueError):
                sequence, step = locate(row)
                raise type(error)(
                    f"{name}, sequence {sequence}, step {step}, feature {feature} is {value!r}: "
                    "argument must be a string or a number, and numbers and symbols cannot be "
                    "mixed."
                ) from error
        raise


def check_finite(sequences: Sequences, allow_nan: bool = False, name: str = "X") -> Sequences:
    """Refuse infinity and, unless allowed, NaN, naming the first place."""
    steps = sequences.steps
    if (beyond := first_beyond(steps, largest(steps.dtype), steps.dtype, allow_nan)) is None:
        return sequences
    (row, feature), what, why = beyond
    sequence, step = sequences.locate(row)
    raise ValueError(
        f"Input {name} contains {what}: sequence {sequence}, step {step}, feature {feature}{why}. "
        + (
            "Impute or drop it first, for example with PerStep(SimpleImputer())."
            if np.isnan(steps[row, feature])
            else "Drop it first, or scale the data."
        )
    )


def check_one_kind(sequences: Sequences, name: str = "X") -> Sequences:
    """Refuse symbols of several kinds, and numbers that are no integers, naming the place."""
    symbols = sequences.steps.tolist()
    kind = str if isinstance(symbols[0], str) else (int, np.integer)
    for row, symbol in enumerate(symbols):
        if not isinstance(symbol, kind) or isinstance(symbol, bool):
            sequence, step = sequences.locate(row)
            raise ValueError(
                f"{name}, sequence {sequence}, step {step} is {symbol!r} "
                f"({type(symbol).__name__}), but the first symbol is {symbols[0]!r}: symbols are "
                "all strings or all integers, and cannot be mixed with numbers."
            )
    return sequences
