"""What all autoencoders of tables and images share: latent representations, scores, compression."""

import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import attribute, choice, estimator, integer, other_default, param
from sklseq.base.hints import warn_of_ignored
from sklseq.base.outliers import OutlierDetector
from sklseq.base.scale_warnings import warn_of_scales
from sklseq.base.tables import check_finite_rows, read_table
from sklseq.nn.codes.autoencoder import LOSSES
from sklseq.parts.compression import Quantizer
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.validation import Validation
from sklseq.training.rows.batch import Batch, Targets, mean_loss
from sklseq.training.rows.dense import DenseRows

__all__ = ["INSTEAD_OF_Y", "BaseAutoencoder"]

INSTEAD_OF_Y = (
    "an autoencoder reconstructs X itself; hold rows out by early_stopping=True, and train against "
    "noise by DenoisingAutoencoder"
)
"""What would use data that a user gives as y."""


@estimator
class BaseAutoencoder(
    OutlierDetector, ClassNamePrefixFeaturesOutMixin, TransformerMixin, NeuralEstimator
):
    """A network trained to reconstruct its input from a latent representation."""

    n_components: int = param(2, "Dimension of the latent space.", integer(1))
    # At the default number of epochs 1e-3 is not trained to its end (measured on digits, wine).
    learning_rate: float = other_default(NeuralEstimator, "learning_rate", 2e-3)
    loss: str = param(
        "mse",
        "Reconstruction loss, averaged over the features: 'mse' the squared error, 'huber' the "
        "absolute error where it is above 1, 'bce' the binary cross-entropy, for values in "
        "[0, 1].",
        choice(*LOSSES),
    )

    if TYPE_CHECKING:  # not an annotation at run time: it would become a parameter
        latent_range_: NDArray[Any]

    _attributes = {
        "latent_range_": attribute(
            "ndarray of shape (2, n_components)",
            "Smallest and largest value of each latent dimension over the training rows.",
        )
    }

    def _check_learned(self) -> None:
        super()._check_learned()
        n = self._n_inputs
        if self.n_features_in_ != n:
            raise ValueError(f"its network takes {n} features, expected {self.n_features_in_}.")

    @property
    def _n_inputs(self) -> int:
        """Features that the network takes."""
        return int(self._module_kwargs["n_features"])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        tags.input_tags.sparse = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return self._module_kwargs["n_components"]

    # -- training --------------------------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> NDArray[Any]:
        return read_table(self, X, reset=fresh)

    def _read_targets(
        self, y: Any, data: NDArray[Any], weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        if self.loss == "bce":
            self._check_unit_range(data)
        return Targets(weights)

    def _learn_scale(self, data: NDArray[Any], weights: NDArray[np.float64]) -> None:
        # Errors are in the units of X, as those of PCA: nothing is scaled behind the user's back.
        warn_of_scales(data.reshape(len(data), -1), type(self).__name__)

    def _rows(self, data: NDArray[Any], like: Tensor, targets: Targets | None = None) -> DenseRows:
        return DenseRows((data,), like, targets)

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
        """Whether a latent space as large as the input cannot simply hold the input."""
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

    def _finish(self, data: NDArray[Any], targets: Targets) -> None:
        counted = targets.weights > 0
        latent = self._run("encode", data)[counted]
        self.latent_range_ = np.stack([latent.min(axis=0), latent.max(axis=0)])
        self._set_offset(self._score(data), targets.weights)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train the network to reconstruct X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns should have like scales, as `StandardScaler` gives them. Images of shape
            (n_samples, height, width[, channels]) for the convolutional one.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,) or None, default=None
        X_val, sample_weight_val : as X and sample_weight, or None, default=None
            {{validation}}
        groups : array-like of shape (n_samples,) or None, default=None
            {{groups}}

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or a parameter is not valid, or training diverges; the estimator is then as it
            was before.
        """
        warn_of_ignored(y, X, INSTEAD_OF_Y, only_like_X=True)
        validation = Validation(X_val, None, sample_weight_val, groups)
        return self._fit(X, None, sample_weight, validation=validation)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X; `offset_` and `latent_range_` are then those of this X.

        So is the box to which `Autoencoder` holds latent representations: one of few rows is small.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self
        """
        warn_of_ignored(y, X, INSTEAD_OF_Y, only_like_X=True)
        return self._fit(X, None, sample_weight, partial=True)

    # -- encoding and decoding -------------------------------------------------------------

    def transform(self, X: Any) -> NDArray[Any]:
        """Latent representations of rows.

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
        """Rows decoded from latent representations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Latent representations.

        Returns
        -------
        ndarray
            In the shape of what `fit` has seen.
        """
        check_is_fitted(self)
        latent = check_array(X, dtype=[np.float64, np.float32], ensure_all_finite=False)
        check_finite_rows(latent, dtype=self._float_type(fresh=False))
        n_components = self._module_kwargs["n_components"]
        if latent.shape[1] != n_components:
            raise ValueError(
                f"X has {latent.shape[1]} columns, but the latent space of this "
                f"{type(self).__name__} has {n_components} (n_components)."
            )
        return self._run("decode", latent)

    def reconstruct(self, X: Any) -> NDArray[Any]:
        """Reconstructions of rows: ``inverse_transform(transform(X))``.

        `Autoencoder` holds latent representations to the range of its training rows in between.

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
        """Negative reconstruction loss of each row: larger is more normal.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._score(self._read_fitted(X))

    def reconstruction_errors(self, X: Any) -> NDArray[np.float64]:
        """Reconstruction loss of each value: which features make a row an outlier.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        ndarray of the shape of X
            The mean over a row is ``-score_samples(X)``.
        """
        data = self._read_fitted(X)
        return self._run("value_errors", data).astype(np.float64).reshape(np.shape(X))

    def _score(self, values: NDArray[Any]) -> NDArray[np.float64]:
        return -self._run("errors", values).astype(np.float64)

    # -- compression -----------------------------------------------------------------------

    def _quantizer(self, n_bits: int) -> Quantizer:
        check_is_fitted(self)
        low, high = self.latent_range_
        return Quantizer(low, high, n_bits)

    def compress(self, X: Any, n_bits: int = 8) -> NDArray[np.uint16]:
        """Quantized latent representations: `n_bits` each, evenly spaced over `latent_range_`.

        Parameters
        ----------
        X : array-like
            As in `fit`.
        n_bits : int, default=8
            Bits for each latent dimension, 1 to 16.

        Returns
        -------
        ndarray of uint8 or uint16 of shape (n_samples, n_components)
        """
        return self._quantizer(n_bits).encode(self._run("encode", self._read_fitted(X)))

    def decompress(self, codes: Any, n_bits: int = 8) -> NDArray[Any]:
        """Rows from what `compress` gave.

        Parameters
        ----------
        codes : array-like of int of shape (n_samples, n_components)
        n_bits : int, default=8
            As in `compress`.

        Returns
        -------
        ndarray
            In the shape of what `fit` has seen.

        Raises
        ------
        ValueError
            If `codes` are not of `compress` with this `n_bits`.
        """
        return self.inverse_transform(self._quantizer(n_bits).decode(codes))

    def compression_report(
        self, X: Any, n_bits: int = 8, bits_per_value: int = 8
    ) -> dict[str, float]:
        """Size and error of compressed rows.

        Parameters
        ----------
        X : array-like
            As in `fit`.
        n_bits : int, default=8
            As in `compress`.
        bits_per_value : int, default=8
            Bits that a value of X takes uncompressed.

        Returns
        -------
        dict
            "bits" of a compressed row; "bits_before", those of a row of X; "ratio", the latter
            over the former; "mse", the mean squared error of the rows that `decompress` gives.
        """
        restored = self.decompress(self.compress(X, n_bits), n_bits)
        values = self._read_fitted(X)
        bits = self._module_kwargs["n_components"] * n_bits
        before = values[0].size * bits_per_value
        error = np.mean((restored.reshape(values.shape) - values) ** 2, dtype=np.float64)
        return {"bits": bits, "bits_before": before, "ratio": before / bits, "mse": float(error)}
