"""Ridge regression from sums that can be added up, split and taken apart again.

The sums over the rows (weight, means, centered products) are all that a ridge readout needs, so
neither the rows nor the states behind them have to exist at once.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from sklseq.ridge.rows import KeptRows, joined

__all__ = ["RidgePath", "RidgeStatistics", "check_mergeable", "checked_rows", "merged"]

FloatArray = NDArray[np.float64]


@dataclass(eq=False)
class RidgeStatistics:
    """Weighted sums over rows of features and targets: a sufficient statistic of ridge.

    Means and centered products are kept apart, so that features with a large mean lose no digits
    (Chan, Golub & LeVeque 1983, Algorithms for computing the sample variance).

    Parameters
    ----------
    n_features, n_targets : int
        Columns of the features and of the targets.
    rows : KeptRows or None, default=None
        Keeps the rows while they are few, for exact leave-one-out errors.

    Attributes
    ----------
    n_rows : int
        Rows of positive weight.
    weight : float
        Their sum of weights.
    weight_logs : float
        Their sum of weights times their logarithms.
    feature_mean : ndarray of shape (n_features,)
        Weighted mean of the features.
    target_mean : ndarray of shape (n_targets,)
        Weighted mean of the targets.
    products : ndarray of shape (n_features, n_features)
        Sum of weighted products of centered features.
    cross : ndarray of shape (n_features, n_targets)
        Sum of weighted products of centered features and targets.
    squares : ndarray of shape (n_targets,)
        Sum of weighted squares of centered targets.

    Examples
    --------
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> half = RidgeStatistics(1, 1).update(X[:1], y[:1])
    >>> half.merge(RidgeStatistics(1, 1).update(X[1:], y[1:])).products
    array([[2.]])
    """

    n_features: int
    n_targets: int
    rows: KeptRows | None = field(default=None, repr=False)
    n_rows: int = field(default=0, init=False)
    weight: float = field(default=0.0, init=False)
    weight_logs: float = field(default=0.0, init=False)
    feature_mean: FloatArray = field(init=False, repr=False)
    target_mean: FloatArray = field(init=False, repr=False)
    products: FloatArray = field(init=False, repr=False)
    cross: FloatArray = field(init=False, repr=False)
    squares: FloatArray = field(init=False, repr=False)

    _stored: ClassVar[dict[str, Any]] = {
        "n_features": "int",
        "n_targets": "int",
        "rows": (KeptRows, None),
        "n_rows": "int",
        "weight": "float",
        "weight_logs": "float",
        "feature_mean": "ndarray of shape (n_features,)",
        "target_mean": "ndarray of shape (n_targets,)",
        "products": "ndarray of shape (n_features, n_features)",
        "cross": "ndarray of shape (n_features, n_targets)",
        "squares": "ndarray of shape (n_targets,)",
    }

    def __post_init__(self) -> None:
        self.feature_mean = np.zeros(self.n_features)
        self.target_mean = np.zeros(self.n_targets)
        self.products = np.zeros((self.n_features, self.n_features))
        self.cross = np.zeros((self.n_features, self.n_targets))
        self.squares = np.zeros(self.n_targets)

    def update(
        self, features: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None
    ) -> "RidgeStatistics":
        """Add rows.

        Parameters
        ----------
        features : array-like of shape (n_rows, n_features)
            Such as the states of a block.
        targets : array-like of shape (n_rows, n_targets)
            The targets of these rows.
        weights : array-like of shape (n_rows,) or None, default=None
            At least 0; None is 1 each.

        Returns
        -------
        self : RidgeStatistics

        Raises
        ------
        ValueError
            If the shapes do not fit or a weight is negative.
        """
        x, y, w = checked_rows(self, features, targets, weights)
        if not (total := float(w.sum())):
            return self
        if self.rows is not None:
            self.rows.update(x, y, w)
        x_mean, y_mean = w @ x / total, w @ y / total
        x -= x_mean
        y -= y_mean
        if weights is not None:
            root = np.sqrt(w)[:, None]
            x *= root
            y *= root
        # Numpy sees that both factors are one array and computes half of the products.
        self.products += x.T @ x
        self.cross += x.T @ y
        self.squares += np.einsum("ij,ij->j", y, y)
        self.weight_logs += float(xlogy(w, w).sum())
        return self._join(int(np.count_nonzero(w)), total, x_mean, y_mean)

    def merge(self, other: "RidgeStatistics") -> "RidgeStatistics":
        """Add the rows of another statistic; both as if seen at once, to rounding.

        Parameters
        ----------
        other : RidgeStatistics
            Of as many features and targets.

        Returns
        -------
        self : RidgeStatistics
        """
        check_mergeable(self, other, "Statistics")
        self.products += other.products
        self.cross += other.cross
        self.squares += other.squares
        self.weight_logs += other.weight_logs
        self.rows = joined(self.rows, other.rows)
        return self._join(other.n_rows, other.weight, other.feature_mean, other.target_mean)

    def select(self, outputs: NDArray[np.int64]) -> "RidgeStatistics":
        """A copy with some of the targets."""
        rows = self.rows and self.rows.select(outputs)
        copy = RidgeStatistics(self.n_features, len(outputs), rows)
        copy.n_rows, copy.weight = self.n_rows, self.weight
        copy.weight_logs = self.weight_logs
        copy.feature_mean, copy.products = self.feature_mean.copy(), self.products.copy()
        copy.target_mean, copy.squares = self.target_mean[outputs], self.squares[outputs]
        copy.cross = self.cross[:, outputs]
        return copy

    def copy(self) -> "RidgeStatistics":
        """A statistic of the same rows that can grow on its own."""
        return self.select(np.arange(self.n_targets))

    def uncentered(self) -> "RidgeStatistics":
        """The same sums about zero instead of the means: for a fit without intercept."""
        raw = RidgeStatistics(self.n_features, self.n_targets)
        raw.n_rows, raw.weight, w = self.n_rows, self.weight, self.weight
        raw.weight_logs, raw.rows = self.weight_logs, self.rows
        raw.products = self.products + w * np.outer(self.feature_mean, self.feature_mean)
        raw.cross = self.cross + w * np.outer(self.feature_mean, self.target_mean)
        raw.squares = self.squares + w * self.target_mean**2
        return raw

    def path(self, fit_intercept: bool = True) -> "RidgePath":
        """One eigendecomposition, from which every alpha is a product.

        Parameters
        ----------
        fit_intercept : bool, default=True
            Whether there is an intercept, which is not penalized.
        """
        if self.n_rows == 0:
            raise ValueError("There are no rows to fit.")
        source = self if fit_intercept else self.uncentered()
        values, vectors = scipy.linalg.eigh(source.products, driver="evd", check_finite=True)
        return RidgePath(source, np.maximum(values, 0), vectors, fit_intercept)

    def _join(
        self, n_rows: int, weight: float, x_mean: FloatArray, y_mean: FloatArray
    ) -> "RidgeStatistics":
        """Weights, means and the products of the means' difference (Chan et al.)."""
        total = self.weight + weight
        if weight:
            dx, dy = x_mean - self.feature_mean, y_mean - self.target_mean
            if factor := self.weight * weight / total:
                self.products += factor * np.outer(dx, dx)
                self.cross += factor * np.outer(dx, dy)
                self.squares += factor * dy**2
            self.feature_mean = self.feature_mean + weight / total * dx
            self.target_mean = self.target_mean + weight / total * dy
        self.n_rows, self.weight = self.n_rows + n_rows, total
        return self


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Ridge solutions for any penalty, from the eigenvectors of the features' products.

    ``coef(alpha) = Q (L + alpha)^-1 Q^T S_xy`` with ``S_xx = Q L Q^T``: minimizes the weighted
    squared error plus alpha times the squared coefficients. Made by `RidgeStatistics.path`.

    Parameters
    ----------
    statistics : RidgeStatistics
        The sums, about the means if there is an intercept, else about zero.
    values : ndarray of shape (n_features,)
        Eigenvalues L in ascending order.
    vectors : ndarray of shape (n_features, n_features)
        Eigenvectors Q, one a column.
    fit_intercept : bool
        Whether there is an intercept.

    Examples
    --------
    >>> stats = RidgeStatistics(1, 1).update([[0.0], [1.0], [2.0]], [[1.0], [3.0], [5.0]])
    >>> path = stats.path()
    >>> path.coef(0.0).round(12), path.intercept(0.0).round(12)
    (array([[2.]]), array([1.]))
    >>> path.coef(2.0).round(12)
    array([[1.]])
    """

    statistics: Any
    values: FloatArray
    vectors: FloatArray
    fit_intercept: bool

    @cached_property
    def rotated_cross(self) -> FloatArray:
        """``Q^T S_xy`` of shape (n_features, n_targets)."""
        return np.asarray(self.vectors.T @ self.statistics.cross)

    @property
    def floor(self) -> float:
        """Below this an eigenvalue is rounding."""
        return float(self.values[-1] * len(self.values) * np.finfo(float).eps)

    def inverse(self, alpha: float) -> FloatArray:
        """``(L + alpha)^-1``, and its pseudo-inverse where alpha is 0 and L singular.

        Raises
        ------
        ValueError
            If alpha is negative or not finite.

        Warns
        -----
        scipy.linalg.LinAlgWarning
            If alpha is 0 and L is singular to rounding.
        """
        if not (np.isfinite(alpha) and alpha >= 0):
            raise ValueError(f"alpha={alpha}; it must be a finite number, at least 0.")
        largest, smallest, floor = self.values[-1], self.values[0], self.floor
        if alpha > 0 or smallest > floor:
            return np.asarray(1 / (self.values + alpha))
        condition = largest / smallest if smallest else np.inf
        warnings.warn(
            f"The features are linearly dependent (condition number {condition:.1e}) and alpha is "
            "0: the solution of least norm is taken. Give an alpha above 0.",
            scipy.linalg.LinAlgWarning,
            stacklevel=3,
        )
        kept = self.values > floor
        return np.divide(1.0, self.values, out=np.zeros_like(self.values), where=kept)

    def coef(self, alpha: float) -> FloatArray:
        """Coefficients of shape (n_features, n_targets)."""
        return np.asarray(self.vectors @ (self.inverse(alpha)[:, None] * self.rotated_cross))

    def intercept(self, alpha: float) -> FloatArray:
        """Intercepts of shape (n_targets,); zero without."""
        if not self.fit_intercept:
            return np.zeros(self.statistics.n_targets)
        means = self.statistics
        return np.asarray(means.target_mean - means.feature_mean @ self.coef(alpha))

    def degrees_of_freedom(self, alpha: float) -> float:
        """Trace of the hat matrix, the intercept included."""
        return float(self.values @ self.inverse(alpha)) + self.fit_intercept

    @property
    def rounding(self) -> FloatArray:
        """Up to this `squared_error` is rounding, of shape (n_targets,)."""
        return np.asarray(self.statistics.squares * (len(self.values) * 10 * np.finfo(float).eps))

    def squared_error(self, alpha: float) -> FloatArray:
        """Sum of weighted squared residuals on the rows seen, of shape (n_targets,)."""
        inverse = self.inverse(alpha)
        explained = inverse * (2 - self.values * inverse) @ self.rotated_cross**2
        return np.maximum(self.statistics.squares - explained, 0)

    def generalized_cross_validation(self, alphas: ArrayLike) -> FloatArray:
        """GCV ``error / (1 - degrees of freedom / n)^2``, of shape (n_alphas, n_targets).

        Golub, Heath & Wahba (1979); from the sums alone, without another pass. The error is the
        mean over the weights, and n the number of rows of equal weight that are spread as much,
        the exponential of the weights' entropy. Infinite where no freedom is left.
        """
        sums = self.statistics
        n = sums.weight * np.exp(-sums.weight_logs / sums.weight)
        rows = []
        for alpha in np.atleast_1d(np.asarray(alphas, float)):
            left = 1 - self.degrees_of_freedom(alpha) / n
            # Where hardly any freedom is left, the rounding of the error is divided by nothing.
            error = (self.squared_error(alpha) + self.rounding) / sums.weight
            rows.append(error / left**2 if left > 1e-6 else np.full_like(error, np.inf))
        return np.stack(rows)


def checked_rows(
    statistic: Any, features: ArrayLike, targets: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Copies of rows and their weights; ValueError where they do not fit the statistic."""
    x, y = np.array(features, dtype=np.float64), np.array(targets, dtype=np.float64)
    n, p, k = len(x), statistic.n_features, statistic.n_targets
    if x.shape != (n, p) or y.shape != (n, k):
        raise ValueError(
            f"Expected (n, {p}) features and (n, {k}) targets, got {x.shape} and {y.shape}."
        )
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or (w < 0).any():
        raise ValueError("The weights must be one number at least 0 for each row.")
    return x, y, w


def check_mergeable(one: Any, other: Any, kind: str) -> None:
    """Whether two statistics have the same columns; else ValueError."""
    mine, theirs = (one.n_features, one.n_targets), (other.n_features, other.n_targets)
    if mine != theirs:
        raise ValueError(f"{kind} of {mine} and {theirs} features and targets.")


def merged(parts: Iterable[Any]) -> Any:
    """All parts merged into the first, in order."""
    first, *others = parts
    for other in others:
        first.merge(other)
    return first
