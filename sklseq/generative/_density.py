"""Generators that know the density of a row, or a bound of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from sklseq.base import estimator
from sklseq.base.outliers import OutlierScoreMixin
from sklseq.generative._codes import CodingGenerator

__all__ = ["DensityGenerator", "DensityMixin"]


@estimator
class DensityMixin(OutlierScoreMixin):
    """Scores and outliers from log-densities, given classes or over all of them."""

    def _log_density(self: Any, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Of each row, given its class if that is told, else over all classes."""
        if not self._by_class or y is not None:
            return self._density_given(X, self._condition(y, len(X)))
        return logsumexp(self._log_joint(X), axis=1)

    def score_samples(self: Any, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Log-density of each row in nats: exact, or the bound that the class names.

        Of whole numbers, and what is no number, it is a log-probability.

        Parameters
        ----------
        X : as in `fit`
        y : scalar, array-like of shape (n_samples,) or None, default=None
            With ``conditional=True``: the class of the rows, for their density in that class.
            None gives the density whatever the class.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._log_density(self._read_fitted(X), y)


@estimator
class DensityGenerator(DensityMixin, CodingGenerator):
    """Rows of a table with the module's density."""

    _density_function = "forward"
    """The module's method that gives log-densities."""

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        super()._finish(inputs, weights)
        self._set_offset(self._log_density(inputs[0]), weights)

    def _density_given(
        self, X: NDArray[Any], condition: tuple[NDArray[Any], ...]
    ) -> NDArray[np.float64]:
        return self._run(self._density_function, X, *condition).astype(np.float64)
