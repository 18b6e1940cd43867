"""Perplexity of a model of sequences, from the log-probabilities that it gives."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklseq.metrics._steps import read_sequence_weights

__all__ = ["sequence_perplexity"]


def sequence_perplexity(
    log_probabilities: ArrayLike, lengths: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Perplexity of sequences: among how many symbols, all alike, each choice would be as hard.

    ``exp(-sum(log_probabilities) / sum(lengths))``.

    Parameters
    ----------
    log_probabilities : array-like of shape (n_sequences,)
        Natural logarithm of the probability of each sequence.
    lengths : array-like of shape (n_sequences,)
        Number of symbols that the probability of each is the product of. Count the end of a
        sequence if its probability is a factor.
    sample_weight : array-like of shape (n_sequences,), default=None
        A weight for each sequence.

    Returns
    -------
    float
        At least 1; infinite if a sequence has probability zero.

    Raises
    ------
    ValueError
        If the two have other shapes, a log-probability is positive or NaN, or a length is not
        positive; the message names the sequence.

    Examples
    --------
    A die, thrown three times and once:

    >>> import numpy as np
    >>> from sklseq.metrics import sequence_perplexity
    >>> round(sequence_perplexity([3 * np.log(1 / 6), np.log(1 / 6)], [3, 1]), 12)
    6.0
    """
    values, counts = _column(log_probabilities, "log_probabilities"), _column(lengths, "lengths")
    if len(values) != len(counts):
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: lengths has "
            f"{len(counts)} values, but log_probabilities has {len(values)}."
        )
    # Sums of rounded logarithms may end a little above zero.
    for i in np.flatnonzero(~(values <= 1e-3))[:1]:
        raise ValueError(
            f"log_probabilities, sequence {i} is {values[i]}: give logarithms of probabilities, "
            "which are at most 0."
        )
    for i in np.flatnonzero(~(np.isfinite(counts) & (counts > 0)))[:1]:
        raise ValueError(f"lengths, sequence {i} is {counts[i]}: a sequence has a symbol or more.")
    weights = read_sequence_weights(sample_weight, len(values))
    if weights is not None:
        used = weights > 0  # a weight of zero times an infinite value would be NaN
        values, counts = values[used] * weights[used], counts[used] * weights[used]
    with np.errstate(over="ignore"):
        return float(np.exp(-values.sum() / counts.sum()))


def _column(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must have shape (n_sequences,), got {array.shape}.")
    return array
