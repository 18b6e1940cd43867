"""Which rows of a table are among others, and which stand apart."""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches

__all__ = ["typical_rows"]

# Neighbors are a share of the weight, so that a few outliers alike are no neighborhood, and a
# weight counts as so many rows; distances to a part of the rows rank them as well, at a cost linear
# in the number of rows.
_SHARE, _REFERENCES, _AT_ONCE = 0.15, 1000, 10_000
# Of normal rows about .26 are beyond in six dimensions, .07 in twenty, none in fifty.
_FAR = 1.15


def typical_rows(
    X: NDArray[np.float64], weights: NDArray[np.float64], most: float, seed: int
) -> NDArray[np.bool_]:
    """Which rows have neighbors about as near as the median row has.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    weights : ndarray of shape (n_rows,)
        Positive. A weight of two is two rows.
    most : float
        Share of the weight, at most, of the rows that are not typical.
    seed : int
        Draws the rows among which neighbors are looked for, if there are many.

    Returns
    -------
    ndarray of bool of shape (n_rows,)
    """
    n = len(X)
    X = X / (np.abs(X).max() or 1)  # squares of large values are finite then
    X -= X.mean(axis=0)  # and far from zero their sums would not tell rows apart
    references = np.arange(n)
    if n > _REFERENCES:
        references = np.random.default_rng(seed).choice(n, _REFERENCES, replace=False)
    of_references = weights[references]
    near = _SHARE * of_references.sum()
    # So many hold that weight even where they are the lightest; a row is among its own neighbors.
    n_neighbors = 1 + int(np.searchsorted(np.cumsum(np.sort(of_references)), near))
    search = NearestNeighbors(n_neighbors=min(n_neighbors, len(references))).fit(X[references])
    distances = np.empty(n)
    for part in gen_batches(n, _AT_ONCE):
        far, which = search.kneighbors(X[part])
        mass = of_references[which]
        counted = np.clip(near - (np.cumsum(mass, axis=1) - mass), 0, mass)
        distances[part] = np.average(far, axis=1, weights=counted)
    # Rounding decides neither what share a row ends, nor between two rows alike.
    shares = np.array([0.5, 1 - most]) - 1e-9
    median, furthest_kept = np.quantile(distances, shares, weights=weights, method="inverted_cdf")
    return distances <= (1 + 1e-9) * max(furthest_kept, _FAR * median)
