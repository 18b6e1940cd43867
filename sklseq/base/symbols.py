"""What happens to symbols that `fit` has not seen."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["warn_unknown_symbols"]


def warn_unknown_symbols(
    symbols: NDArray[Any],
    is_known: NDArray[np.bool_],
    vocabulary: NDArray[Any],
    name: str,
    hint: str = "Write sequences as in fit, for example lists of words there and here.",
) -> None:
    """Warn where most symbols are unknown: predictions then say little about it.

    Parameters
    ----------
    symbols, is_known : ndarray of shape (n,)
        All symbols of X, and which of them `fit` has seen.
    vocabulary : ndarray
        The symbols of `fit`.
    name : str
        What messages call the estimator.
    hint : str
        The way out.
    """
    n_unknown = int(np.count_nonzero(~is_known))
    if 2 * n_unknown <= len(symbols):
        return
    strange = symbols[int(np.argmin(is_known))]
    seen = ", ".join(repr(symbol) for symbol in vocabulary[:3].tolist()) or "none"
    warnings.warn(
        f"{n_unknown} of {len(symbols)} symbols, such as {strange!r}, are unknown to {name}, "
        f"which was fitted on {len(vocabulary)} ({seen}{', ...' if len(vocabulary) > 3 else ''}): "
        f"it takes them all for one and the same symbol. {hint}",
        UserWarning,
        stacklevel=2,
    )
