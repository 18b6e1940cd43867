"""Which rows of a table are among others, and which stand apart."""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches

__all__ = ["typical_rows"]

# Neighbors are a share of the rows, so that a few outliers alike are no neighborhood, but some at
# least; distances to a part of the rows rank them as well, at a cost linear in the number of rows.
_SHARE, _FEWEST, _REFERENCES, _AT_ONCE = 0.05, 10, 1000, 10_000
# Of normal rows few are beyond: in 20 dimensions none, in two about one of four.
_FAR = 1.25


def typical_rows(X: NDArray[np.float64], most: float, seed: int) -> NDArray[np.bool_]:
    """Which rows have neighbors about as near as the median row has.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    most : float
        Share of the rows, at most, that are not typical.
    seed : int
        Draws the rows among which neighbors are looked for, if there are many.

    Returns
    -------
    ndarray of bool of shape (n_rows,)
    """
    n = len(X)
    n_references = min(n, _REFERENCES)
    n_neighbors = min(max(_FEWEST, int(_SHARE * n_references)), n_references - 1)
    if n_neighbors < _FEWEST or not int(most * n):
        return np.ones(n, dtype=bool)
    X = X / (np.abs(X).max() or 1)  # squares of large values are finite then
    references = np.random.default_rng(seed).choice(n, n_references, replace=False)
    search = NearestNeighbors(n_neighbors=n_neighbors + 1).fit(X[references])
    distances = np.empty(n)
    for part in gen_batches(n, _AT_ONCE):
        distances[part] = search.kneighbors(X[part])[0][:, :-1].mean(axis=1)
    # A row is no neighbor of its own.
    distances[references] = search.kneighbors(X[references])[0][:, 1:].mean(axis=1)
    furthest_kept = np.sort(distances)[n - 1 - int(most * n)]
    return distances <= max(furthest_kept, _FAR * float(np.median(distances)))
