"""Nearest neighbors of training rows: coverage by samples, and frequencies that rows resolve."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

__all__ = ["COVERAGE_OF_DATA", "MOST_ROWS", "coverage", "resolved_frequencies"]

_N_NEIGHBORS = 5
# By new rows of the same distribution, in the limit of many.
COVERAGE_OF_DATA = 1 - 0.5**_N_NEIGHBORS
# Rows whose neighbors are searched, and those among which they are.
MOST_ROWS, _MOST_NEIGHBORS = 1000, 20_000
# Where the distances are zero.
_MOST_FREQUENCIES = 64


def coverage(rows: NDArray[Any], samples: NDArray[Any], weights: NDArray[np.float64]) -> float:
    """Share of rows with a sample nearer than their k-th neighbor; NaN for a single row."""
    k = min(_N_NEIGHBORS, len(rows) - 1)
    if k < 1:
        return float("nan")
    own, _ = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()
    to_samples, _ = NearestNeighbors(n_neighbors=1).fit(samples).kneighbors(rows)
    return float(np.average(to_samples[:, 0] <= own[:, -1], weights=weights))


def resolved_frequencies(rows: NDArray[Any]) -> int:
    """Number of Fourier frequencies that standardized rows resolve, by Nyquist's criterion."""
    rows = rows[:: -(-len(rows) // _MOST_NEIGHBORS)]
    if len(rows) < 2:
        return 0
    spread = rows.std(axis=0)
    rows = rows / np.where(spread > 0, spread, 1)
    some = rows[:: -(-len(rows) // MOST_ROWS)]
    distances, _ = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(some)
    spacing = np.median(distances[:, 1]) / math.sqrt(rows.shape[1])
    if spacing == 0:
        return _MOST_FREQUENCIES
    # The first has a period of 4, each other one half of the last.
    return max(0, 1 + math.floor(math.log2(2 / spacing)))
