"""The temporal order task: which of two symbols came first, long ago."""

import string

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklseq.datasets._common import (
    StepCount,
    check_at_least,
    check_range,
    draw_lengths,
    split_steps,
)

_ALPHABET = np.array(["A", "B", *string.ascii_lowercase[2:]])
_CLASSES = np.array(["AA", "AB", "BA", "BB"])


def make_temporal_order(
    n_samples: int = 100,
    n_steps: StepCount = 50,
    *,
    n_symbols: int = 6,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.str_]]:
    """Generate the temporal order task, a classification of token sequences.

    A sequence of T tokens has distractors ("c", "d", "e", "f") everywhere but at two
    steps, which hold "A" or "B": one from T/10 to 2T/10, one from 5T/10 to 6T/10. The
    class says what they are and in which order: "AA", "AB", "BA" or "BB", all equally
    likely. Neither symbol alone determines the class, and nothing after 6T/10 helps.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences, at least 1.
    n_steps : int or (int, int), default=50
        Number of steps T of every sequence, at least 2; or the smallest and the largest
        number, both included, from which each length is drawn uniformly.
    n_symbols : int, default=6
        Size of the alphabet, from 3 to 26: "A", "B" and the distractors "c", "d", ...
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples,) and dtype object
        An array of T one-letter str for each sequence.
    y : ndarray of shape (n_samples,) and dtype str
        The classes.

    Raises
    ------
    ValueError
        If `n_samples`, `n_steps` or `n_symbols` is not as above; the message names which.

    See Also
    --------
    make_adding_problem : Remember two numbers.
    make_copying_memory : Remember a string of symbols.

    References
    ----------
    S. Hochreiter and J. Schmidhuber (1997). Long short-term memory. Neural Computation
    9 (8), 1735-1780, task 6a, for T = 100 to 110; stated for any T by R. Pascanu,
    T. Mikolov and Y. Bengio (2013). On the difficulty of training recurrent neural
    networks. ICML.

    Examples
    --------
    >>> from sklseq.datasets import make_temporal_order
    >>> X, y = make_temporal_order(n_samples=2, n_steps=(10, 20), random_state=0)
    >>> "".join(X[0]), str(y[0])
    ('dBdecfecBcedeff', 'BB')
    """
    n_samples = check_at_least("n_samples", n_samples, 1)
    low, high = check_range("n_steps", n_steps, 2)
    n_symbols = check_at_least("n_symbols", n_symbols, 3)
    if n_symbols > len(_ALPHABET):
        raise ValueError(f"n_symbols must be at most {len(_ALPHABET)}, got {n_symbols}.")
    rng = check_random_state(random_state)

    lengths = draw_lengths(rng, n_samples, low, high)
    starts = np.cumsum(lengths) - lengths
    order = rng.randint(2, size=(n_samples, 2), dtype=np.int64)
    tokens = rng.randint(2, n_symbols, size=lengths.sum(), dtype=np.int64)
    tokens[starts + _draw_tenths(rng, lengths, 1, 2)] = order[:, 0]
    tokens[starts + _draw_tenths(rng, lengths, 5, 6)] = order[:, 1]
    return split_steps(_ALPHABET[tokens], lengths), _CLASSES[2 * order[:, 0] + order[:, 1]]


def _draw_tenths(
    rng: RandomState, lengths: NDArray[np.int64], low: int, high: int
) -> NDArray[np.int64]:
    """Draw a step of each sequence from `low` to `high` tenths of its length, inclusive."""
    return rng.randint(low * lengths // 10, high * lengths // 10 + 1, dtype=np.int64)
