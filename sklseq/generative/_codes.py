"""Generators that know the code of a row, and the row of a code."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted, check_scalar

from sklseq.base import estimator
from sklseq.generative._base import Generator
from sklseq.parts.frames import stacked_rows
from sklseq.parts.table_estimator import check_finite_rows

__all__ = ["CodesMixin", "CodingGenerator", "check_enough_rows"]


class CodesMixin:
    """What codes of rows of a table and of sequences have in common; comes first in the bases.

    The estimator has `_encode` and `_decoded`.
    """

    def _codes_of(self: Any, X: Any, y: Any) -> NDArray[Any]:
        """As an array, whatever `transform` is to put out."""
        return self._encode(rows := self._read_fitted(X), self._asked_or_likely(rows, y))

    def _asked_or_likely(self: Any, rows: Any, y: Any) -> Any:
        """The classes asked for; None where there are classes: the most probable ones."""
        return self._likely_classes(rows) if self._by_class and y is None else y

    def _checked_codes(self: Any, Z: Any) -> NDArray[Any]:
        """Codes that the user gives, of as many numbers as the model has."""
        check_is_fitted(self)
        Z = check_array(Z, dtype=[np.float64, np.float32], ensure_all_finite=False)
        check_finite_rows(Z, "Z")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(f"Z has {Z.shape[1]} features, expected {self._n_features_out}.")
        return Z

    def interpolate(self: Any, a: Any, b: Any, n_steps: int = 10, y: Any = None) -> Any:
        """What lies on the way from one row to another, along a line between their codes.

        Parameters
        ----------
        a, b : row
            Of the X of `fit`: an array of shape (n_features,) or (1, n_features), a DataFrame of
            one row, ``df.iloc[[0]]``, or a sequence.
        n_steps : int, default=10
            Rows, with those that the codes of `a` and `b` stand for at the ends.
        y : scalar, array-like of shape (2,) or None, default=None
            With ``conditional=True``: the class of all rows, or those of `a` and `b`; None takes
            the most probable ones. Where they differ, each row on the way is of both classes, by
            its share of the way.

        Returns
        -------
        ndarray or DataFrame of `n_steps` rows
            As `inverse_transform` gives them.
        """
        check_scalar(n_steps, "n_steps", (int, np.integer), min_val=2)
        rows = self._read_fitted(self._pair(a, b))
        y = self._asked_or_likely(rows, y)
        ends = self._encode(rows, y), *self._condition(y, 2)
        return self._decoded(*(np.linspace(start, end, n_steps) for start, end in ends))

    def _pair(self, a: Any, b: Any) -> Any:
        """Two rows as an X."""
        return stacked_rows(a, b)

    @property
    def _n_features_out(self: Any) -> int:
        components = self._module_kwargs.get("n_components")
        return self.n_features_in_ if components is None else components

    def __sklearn_tags__(self: Any) -> Tags:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags


@estimator
class CodingGenerator(CodesMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, Generator):
    """Codes, from the module's `encode` and `decode`."""

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

    def _encode(self, X: NDArray[Any], y: Any) -> NDArray[Any]:
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
        Z = self._checked_codes(Z)
        return self._decoded(Z, *self._condition(y, len(Z)))

    def _decoded(self, Z: NDArray[Any], *condition: NDArray[Any]) -> Any:
        return self._written(self._run("decode", Z, *condition))


def check_enough_rows(weights: NDArray[np.floating], **counts: int) -> None:
    """Refuse to learn more of something than there are rows.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Of the rows that are trained on.
    **counts : int
        Parameters by name.

    Raises
    ------
    ValueError
        Naming the first parameter above the number of rows with weight.
    """
    n_samples = np.count_nonzero(weights)
    for name, count in counts.items():
        if count > n_samples:
            raise ValueError(
                f"{name}={count} is more than the rows with weight to train on: "
                f"n_samples={n_samples}. Lower {name}, or take more rows."
            )
