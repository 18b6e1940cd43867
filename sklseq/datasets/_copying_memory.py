"""The copying memory task: repeat a string of symbols after a long pause."""

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklseq.datasets._common import check_at_least, object_array


def make_copying_memory(
    n_samples: int = 100,
    n_blanks: int = 50,
    *,
    n_symbols: int = 8,
    n_copy: int = 10,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Generate the copying memory task, a label for each step of a token sequence.

    A sequence has `n_blanks + 2 * n_copy` tokens: `n_copy` symbols drawn uniformly from
    0, ..., `n_symbols - 1`; `n_blanks - 1` blanks; one delimiter; `n_copy` blanks. The
    label is blank at every step but the last `n_copy`, where it is the string from the
    beginning. Blank is the token `n_symbols`, the delimiter `n_symbols + 1`.

    A model without memory can do no better than to predict blank before, and any symbol
    after, the delimiter: a cross-entropy of
    `n_copy * log(n_symbols) / (n_blanks + 2 * n_copy)` nats per step.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences, at least 1.
    n_blanks : int, default=50
        Number of steps of the pause, the delimiter being the last of them; at least 1.
    n_symbols : int, default=8
        Number of symbols to remember, at least 2.
    n_copy : int, default=10
        Length of the string to remember, at least 1.
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples,) and dtype object
        An int64 array of shape (n_blanks + 2 * n_copy,) for each sequence, for an
        estimator with `target="step"`. (A 2-D array would be one series of many
        features there; `numpy.stack(X)` makes one.)
    y : ndarray of shape (n_samples,) and dtype object
        The labels, in arrays of the same shapes.

    Raises
    ------
    ValueError
        If a number is smaller than allowed or no int; the message names the parameter.

    See Also
    --------
    make_adding_problem : Remember two numbers.
    make_temporal_order : Remember the order of two symbols.

    References
    ----------
    M. Arjovsky, A. Shah and Y. Bengio (2016). Unitary evolution recurrent neural
    networks. ICML, section 5.1; after S. Hochreiter and J. Schmidhuber (1997). Long
    short-term memory. Neural Computation 9 (8), 1735-1780.

    Examples
    --------
    >>> from sklseq.datasets import make_copying_memory
    >>> X, y = make_copying_memory(n_samples=2, n_blanks=4, n_copy=3, random_state=0)
    >>> X[0]
    array([4, 7, 5, 8, 8, 8, 9, 8, 8, 8])
    >>> y[0]
    array([8, 8, 8, 8, 8, 8, 8, 4, 7, 5])
    """
    n_samples = check_at_least("n_samples", n_samples, 1)
    n_blanks = check_at_least("n_blanks", n_blanks, 1)
    n_symbols = check_at_least("n_symbols", n_symbols, 2)
    n_copy = check_at_least("n_copy", n_copy, 1)
    rng = check_random_state(random_state)

    symbols = rng.randint(n_symbols, size=(n_samples, n_copy), dtype=np.int64)
    n_steps = n_blanks + 2 * n_copy
    tokens = np.full((n_samples, n_steps), n_symbols, dtype=np.int64)
    labels = tokens.copy()
    tokens[:, :n_copy] = symbols
    tokens[:, n_copy + n_blanks - 1] = n_symbols + 1
    labels[:, -n_copy:] = symbols
    return object_array(list(tokens)), object_array(list(labels))
