"""Addition of numbers that are written in digits."""

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklseq.datasets._common import check_at_least, object_array


def make_addition(
    n_samples: int = 100,
    *,
    n_digits: int = 3,
    reverse: bool = True,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Generate sums of two numbers and their results, strings to strings.

    The number of digits of a summand is drawn uniformly from 1 to `n_digits`, then each digit.
    No two samples have the same summands, in whatever order.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sums, at least 1, and at most as many as there are.
    n_digits : int, default=3
        Most digits of a summand, 1 to 17.
    reverse : bool, default=True
        Whether to write the sum, though not the result, backwards, "61+535" as "535+16", which
        brings the last digits of the input near the first ones of the output.
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples,) and dtype object
        A str such as "535+16" for each sum.
    y : ndarray of shape (n_samples,) and dtype object
        A str such as "596" for each result. Neither is padded.

    Raises
    ------
    ValueError
        If a number is not as above; the message names which.

    References
    ----------
    W. Zaremba and I. Sutskever (2014). Learning to execute. arXiv:1410.4615; I. Sutskever, O.
    Vinyals and Q. Le (2014). Sequence to sequence learning with neural networks. NeurIPS, for the
    reversal. As an example it is known from Keras (F. Chollet et al., 2015).

    Examples
    --------
    >>> from sklseq.datasets import make_addition
    >>> X, y = make_addition(3, random_state=0)
    >>> X.tolist(), y.tolist()
    (['78+4', '88+6', '693+88'], ['91', '94', '484'])
    """
    n_samples = check_at_least("n_samples", n_samples, 1)
    n_digits = check_at_least("n_digits", n_digits, 1)
    if n_digits > 17:
        raise ValueError(f"n_digits must be at most 17, got {n_digits}.")
    n_numbers = 10**n_digits
    n_pairs = n_numbers * (n_numbers + 1) // 2
    if n_samples > n_pairs:
        raise ValueError(
            f"n_samples must be at most {n_pairs}, the pairs of numbers of {n_digits} digits, got "
            f"{n_samples}."
        )
    rng = check_random_state(random_state)
    found: dict[tuple[int, int], tuple[int, int]] = {}
    while len(found) < n_samples:
        lengths = rng.randint(1, n_digits + 1, size=(n_samples, 2), dtype=np.int64)
        for a, b in rng.randint(0, 10**lengths, dtype=np.int64).tolist():
            found.setdefault((min(a, b), max(a, b)), (a, b))
    pairs = list(found.values())[:n_samples]
    step = -1 if reverse else 1
    X = object_array([f"{a}+{b}"[::step] for a, b in pairs])
    return X, object_array([str(a + b) for a, b in pairs])
