"""Copies and reversals of sequences of symbols."""

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklseq.datasets._common import (
    StepCount,
    check_at_least,
    check_range,
    draw_lengths,
    object_array,
    split_steps,
)


def make_reversal(
    n_samples: int = 100,
    n_steps: StepCount = (1, 25),
    *,
    n_symbols: int = 50,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Generate sequences of symbols, and the same ones backwards.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences, at least 1.
    n_steps : int or (int, int), default=(1, 25)
        Length of all sequences, or the range, both ends included, from which that of each is
        drawn uniformly; at least 1.
    n_symbols : int, default=50
        Symbols are drawn uniformly from 0, ..., `n_symbols - 1`; at least 2.
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples,) and dtype object
        An int64 array of shape (n_steps_i,) for each sequence.
    y : ndarray of shape (n_samples,) and dtype object
        The symbols of each in reverse order, in arrays of the same shapes.

    Raises
    ------
    ValueError
        If a number is smaller than allowed or no int; the message names the parameter.

    See Also
    --------
    make_copy : The sequences as they are.
    make_copying_memory : A copy after a pause, with a label for each step.

    References
    ----------
    E. Grefenstette et al. (2015). Learning to transduce with unbounded memory. NeurIPS, section
    4.1.

    Examples
    --------
    >>> from sklseq.datasets import make_reversal
    >>> X, y = make_reversal(2, (3, 5), random_state=1)
    >>> X[0], y[0]
    (array([ 8,  9, 11,  5]), array([ 5, 11,  9,  8]))
    """
    X = _draw(n_samples, n_steps, n_symbols, random_state)
    return X, object_array([x[::-1].copy() for x in X])


def make_copy(
    n_samples: int = 100,
    n_steps: StepCount = (1, 25),
    *,
    n_symbols: int = 50,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Generate sequences of symbols that are to be repeated.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences, at least 1.
    n_steps : int or (int, int), default=(1, 25)
        Length of all sequences, or the range, both ends included, from which that of each is
        drawn uniformly; at least 1.
    n_symbols : int, default=50
        Symbols are drawn uniformly from 0, ..., `n_symbols - 1`; at least 2.
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples,) and dtype object
        An int64 array of shape (n_steps_i,) for each sequence.
    y : ndarray of shape (n_samples,) and dtype object
        Copies of these arrays.

    Raises
    ------
    ValueError
        If a number is smaller than allowed or no int; the message names the parameter.

    See Also
    --------
    make_reversal : The same sequences backwards.
    make_copying_memory : A copy after a pause, with a label for each step.

    References
    ----------
    A. Graves, G. Wayne and I. Danihelka (2014). Neural Turing machines. arXiv:1410.5401, section
    4.1.

    Examples
    --------
    >>> from sklseq.datasets import make_copy
    >>> X, y = make_copy(2, (3, 5), random_state=1)
    >>> X[0], y[0]
    (array([ 8,  9, 11,  5]), array([ 8,  9, 11,  5]))
    """
    X = _draw(n_samples, n_steps, n_symbols, random_state)
    return X, object_array([x.copy() for x in X])


def _draw(
    n_samples: int, n_steps: StepCount, n_symbols: int, random_state: int | RandomState | None
) -> NDArray[np.object_]:
    n_samples = check_at_least("n_samples", n_samples, 1)
    low, high = check_range("n_steps", n_steps, 1)
    n_symbols = check_at_least("n_symbols", n_symbols, 2)
    rng = check_random_state(random_state)
    lengths = draw_lengths(rng, n_samples, low, high)
    steps = rng.randint(n_symbols, size=lengths.sum(), dtype=np.int64)
    return object_array([x.copy() for x in split_steps(steps, lengths)])
