"""Ridge regression one row at a time, and the training of feedback by it (FORCE)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["RecursiveLeastSquares"]

FloatArray = NDArray[np.float64]


class RecursiveLeastSquares:
    """Recursive least squares: after each update the ridge solution of all rows so far.

    There is no intercept: give a constant feature, which is penalized as the others. Without
    forgetting, the coefficients equal those of `RidgeStatistics.path(fit_intercept=False)`.

    Parameters
    ----------
    n_features, n_targets : int
        Columns of the features and of the targets.
    alpha : float, default=1.0
        Ridge penalty, above 0.
    forgetting : float, default=1.0
        In (0, 1]: an error of k updates ago, and the penalty, count ``forgetting ** k`` times.

    Attributes
    ----------
    coef : ndarray of shape (n_features, n_targets)
        The coefficients.
    inverse : ndarray of shape (n_features, n_features)
        Inverse of the features' products plus alpha times the identity.

    References
    ----------
    Haykin (2002), Adaptive Filter Theory, chapter 9; in blocks by the Woodbury identity.
    Sussillo & Abbott (2009), Generating coherent patterns of activity from chaotic neural
    networks.

    Examples
    --------
    >>> rls = RecursiveLeastSquares(1, 1, alpha=2.0)
    >>> for x in (1.0, 2.0):
    ...     error = rls.update([[x]], [[3 * x]])
    >>> rls.coef.round(6)  # 15 / (5 + 2)
    array([[2.142857]])
    """

    def __init__(
        self, n_features: int, n_targets: int, alpha: float = 1.0, forgetting: float = 1.0
    ):
        if not alpha > 0:
            raise ValueError(f"alpha={alpha}; recursive least squares needs it above 0.")
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting={forgetting}; it must be in (0, 1].")
        self.forgetting = forgetting
        self.coef = np.zeros((n_features, n_targets))
        self.inverse = np.eye(n_features) / alpha

    def predict(self, features: ArrayLike) -> FloatArray:
        """Targets (n_rows, n_targets) of features (n_rows, n_features)."""
        return np.asarray(np.asarray(features, dtype=np.float64) @ self.coef)

    def update(
        self, features: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None
    ) -> FloatArray:
        """Learn rows, which count as one update.

        Parameters
        ----------
        features : array-like of shape (n_rows, n_features)
            The features; one row is cheapest for each update, many rows for each row.
        targets : array-like of shape (n_rows, n_targets)
            The targets.
        weights : array-like of shape (n_rows,) or None, default=None
            At least 0; None is 1 each.

        Returns
        -------
        errors : ndarray of shape (n_rows, n_targets)
            Of the coefficients before the update, target minus prediction.
        """
        x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
        errors = y - self.predict(x)
        root = np.ones(len(x)) if weights is None else np.sqrt(np.asarray(weights, float))
        scaled = x * root[:, None]
        projected = self.inverse @ scaled.T
        system = np.eye(len(x)) * self.forgetting + scaled @ projected
        gain = np.linalg.solve(system, projected.T).T
        self.inverse -= gain @ projected.T
        # Rounding would make it less and less symmetric, and then wrong.
        self.inverse = (self.inverse + self.inverse.T) / (2 * self.forgetting)
        self.coef += gain @ (errors * root[:, None])
        return errors

    def force(
        self, targets: ArrayLike, every: int = 1
    ) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        """A readout that learns while its output is fed back (FORCE, Sussillo & Abbott 2009).

        Parameters
        ----------
        targets : array-like of shape (n_steps, n_targets)
            What the output should be at each step.
        every : int, default=1
            Steps from one update to the next.

        Returns
        -------
        readout : callable
            For `free_run` over ``n_steps`` steps: states (n_sequences, n_features) to outputs
            (n_sequences, n_targets), as they were before the update of that step.
        """
        remaining = enumerate(np.asarray(targets, dtype=np.float64))

        def readout(states: NDArray[Any]) -> NDArray[np.float64]:
            step, target = next(remaining)
            output = self.predict(states)
            if step % every == 0:
                self.update(states, np.broadcast_to(target, output.shape))
            return output

        return readout
