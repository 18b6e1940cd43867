"""Autoencoders of tables: the size of the latent space keeps them from copying the input."""

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sklseq.autoencoder._base import BaseAutoencoder
from sklseq.autoencoder._typical_rows import typical_rows
from sklseq.base import choice, estimator, param, real, same, several
from sklseq.base.parameters import layer_sizes
from sklseq.base.randomness import sampling_generator
from sklseq.nn.codes.autoencoder import AutoencoderNetwork
from sklseq.nn.layers.feedforward import ACTIVATIONS, INITS, NORMALIZATIONS
from sklseq.parts.latent_priors import (
    LATENT_DISTRIBUTIONS,
    LatentPriorParameters,
    check_latent_prior,
    latent_prior_of,
)
from sklseq.training.rows.batch import Batch, Targets, mean_loss
from sklseq.training.rows.dense import DenseRows

__all__ = ["Autoencoder", "DenseAutoencoder"]


@estimator
class DenseAutoencoder(BaseAutoencoder):
    """An autoencoder with feed-forward layers."""

    hidden_layer_sizes: tuple[int, ...] = param(
        (64,), "Units of the encoder's hidden layers; () is one linear map each way.", *several
    )
    decoder_layer_sizes: tuple[int, ...] | None = param(
        None, "Units of the decoder's hidden layers; None mirrors the encoder's.", *several, None
    )
    activation: str = param("relu", "Activation of the hidden layers.", choice(*ACTIVATIONS))
    latent_activation: Any = param(
        "identity", "Activation of the latent representation.", choice(*ACTIVATIONS)
    )
    tied_weights: bool = param(
        False, "Whether the decoder's maps are the transposes of the encoder's.", "boolean"
    )
    normalization: str | None = param(
        None,
        "Normalize each hidden layer over the 'batch' or over the units of the 'layer'. With "
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

    def _latent_settings(self) -> dict[str, Any]:
        return {"latent_activation": self.latent_activation, "n_active": None}

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        decoder = self.decoder_layer_sizes
        if self.tied_weights and (decoder is not None or self.residual):
            raise ValueError(
                "tied_weights=True mirrors the encoder: leave decoder_layer_sizes at None and "
                "residual at False."
            )
        self._warn_if_copying(data.shape[1])
        return {
            "n_features": data.shape[1],
            "n_components": self.n_components,
            "hidden_layer_sizes": layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes),
            "decoder_layer_sizes": (
                None if decoder is None else layer_sizes("decoder_layer_sizes", decoder)
            ),
            "tied_weights": self.tied_weights,
            **self._latent_settings(),
            "loss": self.loss,
            "activation": self.activation,
            "normalization": self.normalization,
            "dropout": self.dropout,
            "residual": self.residual,
            "init": self.init,
        }

    def _initialize(self, module: Any, rows: DenseRows) -> None:
        assert rows.weight is not None
        counted = rows.weight > 0
        (x,), weight = rows.arrays, rows.weight[:, None]
        x, weight = x[counted], weight[counted]
        mean = (x * weight).sum(dim=0) / weight.sum()
        module.initialize(mean, x.amin(dim=0), x.amax(dim=0))


def _typical(losses: Tensor, n_trimmed: int) -> Tensor:
    """Factors of mean one: 0 for the largest losses, where they are above twice the median."""
    ordered = losses.sort().values
    kept = losses <= torch.maximum(ordered[-n_trimmed - 1], 2 * ordered[len(losses) // 2])
    return kept / kept.to(losses.dtype).mean()


def _can_sample(model: Any) -> bool:
    """Whether latent representations can be drawn, or could be after a fit."""
    prior = model._latent_distribution if hasattr(model, "module_") else model.latent_prior
    if prior is None:
        raise AttributeError(
            f"{type(model).__name__} samples with a latent_prior alone: set one, and fit again."
        )
    return True


@estimator
class Autoencoder(DenseAutoencoder):
    """Compress rows to a few numbers and back: a nonlinear PCA, and an outlier detector.

    The encoder maps a row to its latent representation of `n_components` numbers, the decoder
    maps that back; both are trained to minimize the reconstruction loss. Without hidden layers
    this finds the subspace of PCA [2]_. Rows that are unlike the training data are reconstructed
    badly: `score_samples` is the negative loss, and `predict` calls rows below `offset_`
    outliers. Beyond the training data the decoder would go on as it ends: for `reconstruct` and
    scores, latent representations are held to the range of those of the training rows, see `trim`.
    With a `latent_prior` it is a generator, too: `sample` decodes draws from a
    distribution that was fitted to the latent representations of the training rows (ex-post
    density estimation [3]_).

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

    trim: float = param(
        0.2,
        "Share of the rows, at most, that are not learned from, as outliers among the training "
        "rows would be learned by heart; `trim_by` says which. For `reconstruct` and scores, "
        "latent representations are held to a box that all training rows but this share, at most, "
        "are in. 0 learns from all rows and has all in the box, and so does 'lbfgs'.",
        real(0, 0.5),
    )
    trim_by: str = param(
        "neighbors",
        "Rows that `trim` leaves out: 'neighbors' those that are farthest from their nearest "
        "neighbors, in all of training, where that is above 1.15 times the median; 'loss' those of "
        "largest loss in each batch, where it is above twice the median.",
        choice("neighbors", "loss"),
    )
    latent_prior: str | None = same(LatentPriorParameters, "latent_prior")

    _stored = {"_sample_dtype": "str", "_latent_distribution": LATENT_DISTRIBUTIONS}

    def _check_learned(self) -> None:
        super()._check_learned()
        check_latent_prior(self._latent_distribution, self._module_kwargs["n_components"])
        if np.dtype(self._sample_dtype).kind != "f":
            raise ValueError(f"its rows are of {self._sample_dtype!r}.")
        low, high = self.module_.bounds  # type: ignore[misc]
        if (low > high).any():
            raise ValueError("the bounds of its latent representations are empty.")

    def _latent_settings(self) -> dict[str, Any]:
        return super()._latent_settings() | {"bounded": True}

    def _training_rows(self, rows: Any) -> Any:
        if self.solver == "lbfgs" or self.trim_by != "neighbors" or self.trim == 0:
            return rows
        assert rows.weight is not None
        weights = rows.weight.cpu().double().numpy()
        kept = weights == 0  # what has no weight is nobody's neighbor
        counted = np.flatnonzero(~kept)
        values = rows.arrays[0].cpu().double().numpy()[counted]
        kept[counted] = typical_rows(values, weights[counted], self.trim, self._seed)
        return rows if kept.all() else rows.subset(np.flatnonzero(kept))

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        (x,) = batch.inputs
        losses = module.losses(module(x), x)
        n_trimmed = int(self.trim * len(x)) if self.trim_by == "loss" else 0
        if self.solver != "lbfgs" and n_trimmed:
            losses = losses * _typical(losses.detach(), n_trimmed)
        return mean_loss(losses, batch)

    def _finish(self, data: NDArray[Any], targets: Targets) -> None:
        latent = self._run("encode", data)
        self._bound(latent, targets.weights)
        super()._finish(data, targets)
        self._sample_dtype = data.dtype.name
        self._latent_distribution = latent_prior_of(self, latent, targets)

    def _bound(self, latent: NDArray[Any], weights: NDArray[np.float64]) -> None:
        """Let the decoder go no further than where the training rows are."""
        beyond = 0.0 if self.solver == "lbfgs" else self.trim / (2 * latent.shape[1])
        counted = weights > 0
        bounds = np.quantile(
            latent[counted],
            [beyond, 1 - beyond],
            axis=0,
            weights=weights[counted],
            method="inverted_cdf",
        )
        self.module_.bounds.copy_(torch.from_numpy(bounds))  # type: ignore[operator]

    @available_if(_can_sample)
    def sample(self, n_samples: int = 1, random_state: Any = None) -> NDArray[Any]:
        """Draw rows: decode draws from the fitted `latent_prior`.

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
        assert self._latent_distribution is not None
        latent = self._latent_distribution.draw(n_samples, None, rng)
        return self._run("decode", latent).astype(self._sample_dtype, copy=False)
