"""Autoencoders of tables: what is in the way of copying the input is the size of the code."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sklseq.autoencoder._base import BaseAutoencoder
from sklseq.base import choice, estimator, param, real
from sklseq.base.randomness import sampling_generator
from sklseq.nn.codes.autoencoder import AutoencoderNetwork
from sklseq.nn.layers.feedforward import ACTIVATIONS, INITS, NORMALIZATIONS
from sklseq.parts.latent_priors import LatentPriorMixin
from sklseq.parts.table_estimator import layer_sizes

__all__ = ["Autoencoder", "DenseAutoencoder"]


@estimator
class DenseAutoencoder(BaseAutoencoder):
    """An autoencoder with feed-forward layers."""

    hidden_layer_sizes: tuple[int, ...] = param(
        (64,), "Units of the encoder's hidden layers; () is one linear map each way.", tuple, list
    )
    decoder_layer_sizes: tuple[int, ...] | None = param(
        None, "Units of the decoder's hidden layers; None mirrors the encoder's.", tuple, list, None
    )
    activation: str = param("relu", "Activation of the hidden layers.", choice(*ACTIVATIONS))
    code_activation: Any = param("identity", "Activation of the code.", choice(*ACTIVATIONS))
    tied_weights: bool = param(
        False, "Whether the decoder's maps are the transposes of the encoder's.", "boolean"
    )
    normalization: str | None = param(
        None,
        "Normalise each hidden layer over the 'batch' or over the units of the 'layer'. With "
        "'batch', a step's gradient depends on which rows are in it together.",
        choice(*NORMALIZATIONS),
        None,
    )
    dropout: float = param(0.0, "Share of hidden units dropped in training.", real(0, 1))
    residual: bool = param(
        False,
        "Whether each hidden layer adds its input, through a linear map where the sizes differ, "
        "to its output.",
        "boolean",
    )
    init: str = param(
        "xavier",
        "Initial weights: 'xavier' keeps the variance forward and backward, 'he' forward through "
        "relu, 'orthogonal' keeps lengths.",
        choice(*INITS),
    )

    _network: ClassVar[type[nn.Module]] = AutoencoderNetwork

    def _code_settings(self) -> dict[str, Any]:
        return {"code_activation": self.code_activation, "n_active": None}

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        n_features = inputs[0].shape[1]
        decoder = self.decoder_layer_sizes
        if self.tied_weights and (decoder is not None or self.residual):
            raise ValueError(
                "tied_weights=True mirrors the encoder: leave decoder_layer_sizes at None and "
                "residual at False."
            )
        self._warn_if_copying(n_features)
        return {
            "n_features": n_features,
            "n_components": self.n_components,
            "hidden_layer_sizes": layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes),
            "decoder_layer_sizes": (
                None if decoder is None else layer_sizes("decoder_layer_sizes", decoder)
            ),
            "tied_weights": self.tied_weights,
            **self._code_settings(),
            "loss": self.loss,
            "activation": self.activation,
            "normalization": self.normalization,
            "dropout": self.dropout,
            "residual": self.residual,
            "init": self.init,
        }

    def _initialise(self, module: nn.Module, inputs: tuple[Tensor, ...], weight: Tensor) -> None:
        (x,) = inputs
        x, weight = x[weight > 0], weight[weight > 0, None]
        mean = (x * weight).sum(dim=0) / weight.sum()
        module.start_at(mean, x.amin(dim=0), x.amax(dim=0))  # type: ignore[operator]


def _has_prior(model: Any) -> bool:
    """Whether codes can be drawn, or could be after a fit."""
    prior = model._code_distribution if hasattr(model, "module_") else model.latent_prior
    if prior is None:
        raise AttributeError(
            f"{type(model).__name__} samples with a latent_prior alone: set one, and fit again."
        )
    return True


@estimator
class Autoencoder(LatentPriorMixin, DenseAutoencoder):
    """Compress rows to a few numbers and back: a nonlinear PCA, and an outlier detector.

    The encoder maps a row to a code of `n_components` numbers, the decoder maps the code back;
    both are trained to make the reconstruction error small. Without hidden layers this finds the
    subspace of PCA (Baldi & Hornik 1989). Rows that are unlike the training data are reconstructed
    badly: `score_samples` is the negative error, and `predict` calls those below `offset_`
    outliers. With a `latent_prior` it is a generator, too [3]_: `sample` decodes codes drawn from
    the distribution that was fitted to those of the training rows.

    References
    ----------
    .. [1] Hinton & Salakhutdinov (2006). "Reducing the dimensionality of data with neural
       networks". Science 313.
    .. [2] Baldi & Hornik (1989). "Neural networks and principal component analysis". Neural
       Networks 2.
    .. [3] Ghosh et al. (2020). "From variational to deterministic autoencoders". ICLR, section 4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklseq.autoencoder import Autoencoder
    >>> X = load_iris().data
    >>> model = Autoencoder(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((150, 2), (150, 4))
    >>> model.predict([[5, 3, 1.4, 0.2], [5, 3, 50, 0.2]])
    array([ 1, -1])
    >>> model.set_params(latent_prior="gmm").fit(X).sample(3, random_state=0).shape
    (3, 4)
    """

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        super()._finish(inputs, weights)
        self._sample_dtype = inputs[0].dtype.name
        self._refit_prior(self._run("encode", *inputs), weights)

    @available_if(_has_prior)
    def sample(self, n_samples: int = 1, random_state: Any = None) -> NDArray[Any]:
        """Draw rows: the decoder's, of codes that the fitted `latent_prior` draws.

        Only with a `latent_prior`, set before `fit` or `partial_fit`.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            None draws other rows with each call; an int the same ones.

        Returns
        -------
        ndarray of shape (n_samples, n_features)

        Raises
        ------
        ValueError
            If `n_samples` is below 1.
        """
        rng = sampling_generator(self, n_samples, random_state)
        codes = self._sampled_codes(n_samples, (), rng)
        return self._run("decode", codes).astype(self._sample_dtype, copy=False)
