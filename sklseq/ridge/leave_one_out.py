"""Leave-one-out errors of ridge regression."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklseq.ridge.ridge import RidgePath

__all__ = ["LeaveOneOut", "validation_errors"]


class LeaveOneOut:
    """Exact leave-one-out errors of every alpha, by one more pass over the rows.

    A residual of the fit without its own row is the residual with it divided by one minus its
    leverage (Allen 1974; Cook & Weisberg 1982).

    Parameters
    ----------
    path : RidgePath
        Fitted on the rows of the pass, and on no others.
    alphas : array-like of shape (n_alphas,)
        The penalties.

    Attributes
    ----------
    errors : ndarray of shape (n_alphas, n_targets)
        Sum of weighted squared leave-one-out residuals so far; infinite where a row cannot be
        predicted from the others.

    Examples
    --------
    >>> from sklseq.ridge.ridge import RidgeStatistics
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [5.0]])
    >>> path = RidgeStatistics(1, 1).update(X, y).path()
    >>> LeaveOneOut(path, [0.0]).update(X, y).errors.round(9)
    array([[20.25]])
    """

    def __init__(self, path: RidgePath, alphas: ArrayLike):
        self.path = path
        grid = np.atleast_1d(np.asarray(alphas, float))
        self._inverse = np.stack([path.inverse(a) for a in grid], axis=1)
        self.errors = np.zeros((len(grid), path.statistics.n_targets))

    def update(
        self, features: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None
    ) -> "LeaveOneOut":
        """Add the errors of rows; arguments as of `RidgeStatistics.update`."""
        means, n_targets = self.path.statistics, self.errors.shape[1]
        x = (np.asarray(features, dtype=np.float64) - means.feature_mean) @ self.path.vectors
        y = np.asarray(targets, dtype=np.float64) - means.target_mean
        w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
        leverage = x**2 @ self._inverse
        leverage += 1 / means.weight if self.path.fit_intercept else 0.0
        left = 1 - w[:, None] * leverage
        alone = left < 1e-13
        # All alphas of all targets in one product.
        coefs = self._inverse[:, :, None] * self.path.rotated_cross[:, None, :]
        predicted = (x @ coefs.reshape(len(coefs), -1)).reshape(*leverage.shape, n_targets)
        residual = (y[:, None, :] - predicted) / np.where(alone, 1, left)[:, :, None]
        self.errors += np.einsum("i,ijk,ijk->jk", w, residual, residual)
        self.errors[(alone & (w[:, None] > 0)).any(axis=0)] = np.inf
        return self

    def merge(self, other: "LeaveOneOut") -> "LeaveOneOut":
        """Add the errors of another part of the rows, of the same path and alphas."""
        self.errors += other.errors
        return self


def validation_errors(path: RidgePath, alphas: ArrayLike) -> NDArray[np.float64]:
    """Mean squared error on rows left out, of shape (n_alphas, n_targets).

    Exact leave-one-out where the statistics of the path have kept their rows, else generalized
    cross-validation.
    """
    kept = path.statistics.rows and path.statistics.rows.all
    if not kept:
        return path.generalized_cross_validation(alphas)
    errors = LeaveOneOut(path, alphas).update(*kept).errors
    return np.asarray(errors / path.statistics.weight)
