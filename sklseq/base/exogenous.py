"""Exogenous inputs of series: containers, and which steps are known when."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import Sequences, as_container, read_sequences

__all__ = [
    "check_exogenous_names",
    "first_steps",
    "forecast_layout",
    "names_of",
    "read_exogenous",
    "without_first",
    "without_last",
]

Array = NDArray[Any]


def forecast_layout(X: Any, series: Sequences) -> str:
    """The container of forecasts: those of one "series", of a "table" of them, or of a "panel"."""
    if series.layout == "series":
        return "series"
    is_table = series.layout == "dense" and getattr(as_container(X), "ndim", 2) == 2
    return "table" if is_table else "panel"


def read_exogenous(
    exogenous: Any, lengths: NDArray[np.int64], layout: str, dtype: str
) -> Sequences:
    """Rows of steps (sum of lengths, n_exogenous), of these lengths or an error."""
    if exogenous is None:
        return Sequences(np.empty((int(lengths.sum()), 0), dtype=dtype), lengths)
    values = as_container(exogenous)
    if hasattr(values, "toarray"):
        raise TypeError("Sparse data was passed for exogenous: give exogenous.toarray().")
    if layout == "series":
        values = [values]
    elif getattr(values, "ndim", 3) == 2 and not hasattr(values, "columns"):
        values = np.asarray(values)[:, :, None]
    found = read_sequences(values, dtype=dtype, name="exogenous")
    if found.symbolic:
        raise ValueError("exogenous holds symbols: encode them first, for example one-hot.")
    if len(found) != len(lengths):
        raise ValueError(f"exogenous has {len(found)} sequences, but there are {len(lengths)}.")
    wrong = np.flatnonzero(found.lengths != lengths)
    if len(wrong):
        i = int(wrong[0])
        raise ValueError(
            f"exogenous, sequence {i} has {found.lengths[i]} steps, but {lengths[i]} are needed: "
            "one for each step of X and, to predict, one for each step ahead."
        )
    return found


def check_exogenous_names(found: Sequences, fitted: list[Any] | None) -> None:
    """Refuse inputs whose names are not those of `fit`, where both have names.

    Raises
    ------
    ValueError
        Naming both.
    """
    names = names_of(found)
    if names is not None and fitted is not None and names != fitted:
        raise ValueError(
            "The feature names of exogenous should match those that were passed during fit: they "
            f"are {names}, in fit they were {fitted}. Take exogenous[{fitted}]."
        )


def names_of(found: Sequences) -> list[Any] | None:
    """Names of inputs, where their container has some."""
    return None if found.feature_names is None else found.feature_names.tolist()


def first_steps(lengths: NDArray[np.int64], n_first: Any) -> NDArray[np.bool_]:
    """Which stacked steps are among the first of their series."""
    position = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return position < np.repeat(np.broadcast_to(n_first, lengths.shape), lengths)


def without_first(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of all steps but each series' first."""
    return np.flatnonzero(~first_steps(lengths, 1))


def without_last(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of all steps but each series' last."""
    return np.flatnonzero(first_steps(lengths, lengths - 1))
