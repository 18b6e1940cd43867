"""Autoencoder of images."""

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import nn

from sklseq.autoencoder._base import BaseAutoencoder
from sklseq.base import attribute, choice, estimator, integer, param, real, several
from sklseq.base.images import read_image_array
from sklseq.base.parameters import layer_sizes
from sklseq.base.scale_warnings import warn_of_scales
from sklseq.base.tables import refuse_ragged_rows
from sklseq.data import as_container
from sklseq.nn.codes.convolutional import ConvolutionalNetwork
from sklseq.nn.layers.feedforward import ACTIVATIONS, INITS
from sklseq.training.rows.batch import Targets

__all__ = ["ConvolutionalAutoencoder"]


@estimator
class ConvolutionalAutoencoder(BaseAutoencoder):
    """Compress images to a few numbers and back.

    Convolutions of stride 2 halve height and width layer by layer, and a linear map gives the
    latent representation; the decoder is the mirror image, of transposed convolutions [1]_.
    `compress` quantizes latent representations to a few bits, `compression_report` says how large
    the result is and how large the error. A table is images of one line.

    References
    ----------
    .. [1] Masci et al. (2011). "Stacked convolutional auto-encoders for hierarchical feature
       extraction". ICANN.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklseq.autoencoder import ConvolutionalAutoencoder
    >>> X = load_digits().images[:200] / 16
    >>> model = ConvolutionalAutoencoder(n_components=8, max_epochs=2, random_state=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((200, 8), (200, 8, 8))
    >>> model.compression_report(X)["ratio"]
    8.0
    """

    n_components: int = param(16, "Dimension of the latent space.", integer(1))
    channels: tuple[int, ...] = param(
        (16, 32), "Filters of each convolution; each halves height and width.", *several
    )
    kernel_size: int = param(3, "Height and width of a filter; odd.", integer(1))
    activation: str = param("relu", "Activation of the hidden layers.", choice(*ACTIVATIONS))
    dropout: float = param(0.0, "Share of hidden values dropped in training.", real(0, 1))
    init: str = param(
        "xavier",
        "Initial weights: 'xavier' keeps the variance forward and backward, 'he' forward through "
        "relu, 'orthogonal' keeps lengths.",
        choice(*INITS),
    )

    _attributes = {
        "image_shape_": attribute("tuple of int", "Shape of an image; (1, n_features) of a row.")
    }
    _network: ClassVar[type[nn.Module]] = ConvolutionalNetwork
    _stored = {"_is_table": "bool"}

    @property
    def _n_inputs(self) -> int:
        if self.image_shape_ != self._module_kwargs["image_shape"]:
            raise ValueError(f"its images have shape {self.image_shape_}.")
        return math.prod(self.image_shape_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _read(self, X: Any, fresh: bool) -> NDArray[Any]:
        X = as_container(X)
        refuse_ragged_rows(X, type(self).__name__)
        if getattr(X, "ndim", np.ndim(X) if isinstance(X, (list, tuple)) else 2) <= 2:
            values = super()._read(X, fresh)
            shape: tuple[int, ...] = (1, values.shape[1])
        else:
            values = read_image_array(X, type(self).__name__, self._float_type(fresh))
            shape = values.shape[1:]
            if fresh:
                self.n_features_in_ = int(np.prod(shape))
                self.__dict__.pop("feature_names_in_", None)
        if fresh:
            self.image_shape_, self._is_table = shape, values.ndim == 2
        if shape != self.image_shape_:
            raise ValueError(
                f"X has images of shape {shape}, but {type(self).__name__} was fitted on images of "
                f"shape {self.image_shape_}."
            )
        return values.reshape(len(values), *shape)

    def _learn_scale(self, data: NDArray[Any], weights: NDArray[np.float64]) -> None:
        warn_of_scales(data.reshape(-1, 1), type(self).__name__)  # pixels are one feature

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} is even: it must be odd.")
        self._warn_if_copying(self.n_features_in_)
        return {
            "image_shape": self.image_shape_,
            "n_components": self.n_components,
            "channels": layer_sizes("channels", self.channels),
            "kernel_size": self.kernel_size,
            "activation": self.activation,
            "dropout": self.dropout,
            "loss": self.loss,
            "init": self.init,
        }

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Images, or rows, decoded from latent representations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Latent representations.

        Returns
        -------
        ndarray of shape (n_samples, height, width[, channels])
            (n_samples, n_features) after a fit on a table.
        """
        return self._as_given(super().inverse_transform(X))

    def reconstruct(self, X: Any) -> NDArray[Any]:
        """Reconstructions of images: ``inverse_transform(transform(X))``.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        ndarray of the shape of X
        """
        return self._as_given(super().reconstruct(X))

    def _as_given(self, images: NDArray[Any]) -> NDArray[Any]:
        return images.reshape(len(images), -1) if self._is_table else images
