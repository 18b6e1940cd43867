"""The adding problem: remember two marked numbers and give their sum."""

from typing import Any

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


def make_adding_problem(
    n_samples: int = 100,
    n_steps: StepCount = 50,
    *,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Generate the adding problem, a regression task over long sequences.

    A step has two features: a number drawn uniformly from [0, 1), and a mark, 1.0 at two
    different steps and 0.0 at all others. The target is the sum of the two marked
    numbers. The marks lie anywhere, each pair of steps being equally likely, so a model
    must carry the first number over `n_steps` / 3 steps on average.

    The best constant prediction is 1, with a mean squared error of 1/6.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences, at least 1.
    n_steps : int or (int, int), default=50
        Number of steps of every sequence, at least 2; or the smallest and the largest
        number, both included, from which each length is drawn uniformly.
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples, n_steps, 2), or (n_samples,) and dtype object
        The sequences. For a pair `n_steps`, a 1-D object array of arrays of shape
        (n_steps_i, 2).
    y : ndarray of shape (n_samples,)
        The sums.

    Raises
    ------
    ValueError
        If `n_samples` or `n_steps` is not as above; the message names which.

    See Also
    --------
    make_copying_memory : Remember a string of symbols.
    make_temporal_order : Remember the order of two symbols.

    References
    ----------
    S. Hochreiter and J. Schmidhuber (1997). Long short-term memory. Neural Computation
    9 (8), 1735-1780, section 5.4. There the first mark lies in the first ten steps and
    the second in the first half, and the sum is scaled; both marks anywhere is how later
    comparisons of recurrent cells state the task.

    Examples
    --------
    >>> from sklseq.datasets import make_adding_problem
    >>> X, y = make_adding_problem(n_samples=4, n_steps=10, random_state=0)
    >>> X.shape, y.shape
    ((4, 10, 2), (4,))
    >>> values, marks = X[0].T
    >>> bool(abs(values[marks == 1].sum() - y[0]) < 1e-12)
    True
    """
    n_samples = check_at_least("n_samples", n_samples, 1)
    low, high = check_range("n_steps", n_steps, 2)
    rng = check_random_state(random_state)

    lengths = draw_lengths(rng, n_samples, low, high)
    starts = np.cumsum(lengths) - lengths
    values = rng.uniform(size=lengths.sum())
    first = rng.randint(0, lengths, dtype=np.int64)
    second = rng.randint(0, lengths - 1, dtype=np.int64)
    # The second is drawn among the remaining steps: those from `first` on move up by one.
    second += second >= first
    marks = np.zeros_like(values)
    marks[starts + first] = 1.0
    marks[starts + second] = 1.0

    steps = np.column_stack([values, marks])
    y = values[starts + first] + values[starts + second]
    if isinstance(n_steps, (tuple, list)):
        return split_steps(steps, lengths), y
    return steps.reshape(n_samples, low, 2), y
