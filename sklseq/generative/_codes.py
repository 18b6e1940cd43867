"""Generators that know the latent code of a row, and the row of a code."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted, check_scalar

from sklseq.base import estimator
from sklseq.generative._base import Generator
from sklseq.generative._frames import stacked_rows
from sklseq.training.tables import check_finite_rows

__all__ = ["CodingGenerator"]


@estimator
class CodingGenerator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Generator):
    """Codes, from the module's `encode` and `decode`."""

    def _likely_classes(self, X: NDArray[Any]) -> NDArray[Any]:
        """The most probable class of each row, given the classes of training."""
        raise NotImplementedError

    def transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """The latent code of each row: noise of a flow, that of an autoencoder's encoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : scalar, array-like of shape (n_samples,) or None, default=None
            With ``conditional=True``: the class of the rows; None takes the most probable one.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
        """
        return self._codes_of(X, y)

    def _codes_of(self, X: Any, y: Any) -> NDArray[Any]:
        """As an array, whatever `transform` is to put out."""
        X = self._read_fitted(X)
        if self.conditional and y is None:
            y = self._likely_classes(X)
        return self._run("encode", X, *self._condition(y, len(X)))

    def inverse_transform(self, Z: Any, y: Any = None) -> Any:
        """The rows that latent codes stand for.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features_out)
        y : scalar, array-like of shape (n_samples,) or None, default=None
            The class of the rows; needed with ``conditional=True``.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            Of categories the most probable one; a DataFrame if `fit` was given one.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=[np.float64, np.float32], ensure_all_finite=False)
        check_finite_rows(Z, "Z")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(f"Z has {Z.shape[1]} features, expected {self._n_features_out}.")
        return self._written(self._run("decode", Z, *self._condition(y, len(Z))))

    def interpolate(self, a: Any, b: Any, n_steps: int = 10, y: Any = None) -> Any:
        """Rows on the way from one row to another, along a straight line between their codes.

        Parameters
        ----------
        a, b : array-like of shape (n_features,), or DataFrame of one row
        n_steps : int, default=10
            Rows, with those that the codes of `a` and `b` stand for at the ends.
        y : scalar or None, default=None
            The class of the rows; needed with ``conditional=True``.

        Returns
        -------
        ndarray or DataFrame of shape (n_steps, n_features)
        """
        check_scalar(n_steps, "n_steps", (int, np.integer), min_val=2)
        ends = self._codes_of(stacked_rows(a, b), y)
        share = np.linspace(0, 1, n_steps)[:, None]
        return self.inverse_transform((1 - share) * ends[0] + share * ends[1], y)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    @property
    def _n_features_out(self) -> int:
        components = self._module_kwargs.get("n_components")
        return self.n_features_in_ if components is None else components
