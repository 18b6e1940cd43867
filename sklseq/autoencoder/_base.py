"""What all autoencoders of tables and images share: codes, reconstructions, scores."""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, other_default, param
from sklseq.base.outliers import OutlierScoreMixin
from sklseq.nn.codes.autoencoder import LOSSES
from sklseq.parts.compression import CompressionMixin
from sklseq.parts.table_estimator import TableEstimator
from sklseq.training.rows.batch import Batch, mean_loss

__all__ = ["BaseAutoencoder"]


@estimator
class BaseAutoencoder(
    OutlierScoreMixin,
    CompressionMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    TableEstimator,
):
    """A network trained to give its input back through a code."""

    n_components: int = param(2, "Numbers in a code.", integer(1))
    # At the default number of epochs 1e-3 is not trained to its end (measured on digits, wine).
    learning_rate: float = other_default(TableEstimator, "learning_rate", 2e-3)
    loss: str = param(
        "mse",
        "What a reconstruction loses, as the mean over a row's values: 'mse' the squared error, "
        "'huber' the absolute error where it is above 1, 'bce' the binary cross-entropy, for "
        "values in [0, 1].",
        choice(*LOSSES),
    )

    _attributes = {
        "code_range_": attribute(
            "ndarray of shape (2, n_components)", "Smallest and largest values of training codes."
        )
    }

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self._module_kwargs["n_components"]

    # -- training --------------------------------------------------------------------------

    def _read_training(self, X: Any, y: Any, fresh: bool) -> tuple[NDArray[Any], ...]:
        (values,) = super()._read_training(X, y, fresh)
        if self.loss == "bce":
            self._check_unit_range(values)
        return (values,)

    def _check_unit_range(self, X: NDArray[Any]) -> None:
        low, high = X.min(axis=0), X.max(axis=0)
        outside = np.argwhere((low < 0) | (high > 1))
        if not len(outside):
            return
        place = tuple(outside[0])
        names = getattr(self, "feature_names_in_", None)
        column = ", ".join(map(str, place)) + ("" if names is None else f" ({names[place]!r})")
        raise ValueError(
            f"loss='bce' is for values in [0, 1], but feature {column} of X goes from "
            f"{low[place]:g} to {high[place]:g}: scale X, for example with MinMaxScaler, or use "
            "loss='mse'."
        )

    def _copying_is_hindered(self) -> bool:
        """Whether a code as large as a row cannot simply be the row."""
        return False

    def _warn_if_copying(self, n_features: int) -> None:
        if self.n_components > n_features and not self._copying_is_hindered():
            warnings.warn(
                f"n_components={self.n_components} is more than the {n_features} features of X, so "
                f"that {type(self).__name__} can learn the identity: take fewer, or a sparse, "
                "denoising or contractive autoencoder.",
                UserWarning,
                stacklevel=2,
            )

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        (x,) = batch.inputs
        return mean_loss(module.losses(module(x), x), batch)  # type: ignore[operator]

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        counted = weights > 0
        (values,) = inputs
        codes = self._run("encode", values)[counted]
        self.code_range_ = np.stack([codes.min(axis=0), codes.max(axis=0)])
        self._set_offset(self._score(values), weights)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the network to reconstruct X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns should have like scales, as `StandardScaler` gives them. Images of shape
            (n_samples, height, width[, channels]) for the convolutional one.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,) or None, default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or a parameter is not valid, or training diverges; the estimator is then as it
            was before.
        """
        return self._fit(X, None, sample_weight)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X; `offset_` and `code_range_` are then those of this X.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self
        """
        return self._fit(X, None, sample_weight, partial=True)

    # -- codes and reconstructions ---------------------------------------------------------

    def transform(self, X: Any) -> NDArray[Any]:
        """Codes of rows.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
        """
        return self._run("encode", self._read_fitted(X))

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Rows that codes stand for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        ndarray
            In the shape of what `fit` has seen.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        n_components = self._module_kwargs["n_components"]
        if codes.shape[1] != n_components:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but codes of this {type(self).__name__} have "
                f"{n_components} (n_components)."
            )
        return self._run("decode", codes)

    def reconstruct(self, X: Any) -> NDArray[Any]:
        """Rows through the code and back: ``inverse_transform(transform(X))``.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        ndarray of the shape of X
        """
        return self._run("reconstruct", self._read_fitted(X))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Negative reconstruction error of each row in the terms of `loss`: larger is more normal.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._score(self._read_fitted(X))

    def _score(self, values: NDArray[Any]) -> NDArray[np.float64]:
        return -self._run("errors", values).astype(np.float64)
