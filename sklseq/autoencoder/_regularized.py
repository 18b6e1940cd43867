"""Autoencoders of tables that noise, sparsity or contraction keeps from copying the input."""

from numbers import Real
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.autoencoder._autoencoder import DenseAutoencoder
from sklseq.base import choice, estimator, integer, param, real, several
from sklseq.nn.codes.autoencoder import NOISES, contraction, corrupted, noise_levels
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.training.rows.batch import Batch, Targets, mean_loss

__all__ = ["ContractiveAutoencoder", "DenoisingAutoencoder", "SparseAutoencoder"]


@estimator
class DenoisingAutoencoder(DenseAutoencoder):
    """Learn to undo noise: `reconstruct` moves a row towards where the data are.

    In training the network reconstructs rows from noisy copies, with fresh noise in each step;
    all methods take X as it is. With Gaussian noise and without hidden layers this is the Wiener
    filter; with hidden layers the step ``reconstruct(X) - X`` points along the gradient of the
    log-density [2]_.

    References
    ----------
    .. [1] Vincent et al. (2010). "Stacked denoising autoencoders". JMLR 11, section 3.
    .. [2] Alain & Bengio (2014). "What regularized auto-encoders learn from the data-generating
       distribution". JMLR 15, theorem 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from sklseq.autoencoder import DenoisingAutoencoder
    >>> X = scale(load_iris().data)
    >>> model = DenoisingAutoencoder(noise_level=0.5, max_epochs=5, random_state=0).fit(X)
    >>> model.reconstruct(X).shape
    (150, 4)
    """

    n_components: int = param(32, "Dimension of the latent space; any number.", integer(1))
    noise: str = param(
        "gaussian",
        "Kind of noise: 'gaussian' adds normal numbers, 'masking' sets values to zero, "
        "'salt_and_pepper' to the smallest or largest value of the column.",
        choice(*NOISES),
    )
    noise_level: Any = param(
        0.3,
        "Standard deviation of Gaussian noise, in units of X; otherwise the share of values that "
        "are replaced, at most 1. A pair ``(low, high)`` draws a level for each row, "
        "log-uniformly: noise of several scales helps to detect outliers.",
        real(0),
        *several,
    )

    def _copying_is_hindered(self) -> bool:
        return max(self._noise_levels()) > 0

    def _noise_levels(self) -> tuple[float, float]:
        """The lowest and the highest level."""
        level = self.noise_level
        if not isinstance(level, (tuple, list)):
            return level, level
        if len(level) != 2 or not all(isinstance(v, Real) for v in level):
            raise ValueError(f"noise_level={level!r} must be a number, or a pair (low, high).")
        if not 0 < level[0] <= level[1] < float("inf"):
            raise ValueError(f"noise_level={level!r}: a pair needs 0 < low <= high.")
        return level[0], level[1]

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        if self.noise != "gaussian" and max(self._noise_levels()) > 1:
            raise ValueError(
                f"noise_level={self.noise_level} is a share of values with noise={self.noise!r}: "
                "at most 1."
            )
        return super()._settings(data, targets)

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        (x,) = batch.inputs
        level = noise_levels(x, *self._noise_levels())
        noisy = corrupted(x, self.noise, level, module.low, module.high)
        return mean_loss(module.losses(module(noisy), x), batch)


@estimator
class SparseAutoencoder(DenseAutoencoder):
    """Learn a sparse latent representation, which may be larger than a row.

    'l1' adds the sum of the absolute activations, each times the norm of its decoder weights, so
    that a small activation and a large weight gain nothing. 'kl' adds the divergence of each
    unit's mean activation in the batch from `target_activation` [1]_. 'topk' keeps the `n_active`
    largest activations of each row and sets the others to zero, always [2]_.

    References
    ----------
    .. [1] Lee, Ekanadham & Ng (2008). "Sparse deep belief net model for visual area V2". NIPS;
       the divergence as in Ng (2011), "Sparse autoencoder", lecture notes, section 3.
    .. [2] Makhzani & Frey (2014). "k-sparse autoencoders". ICLR, section 2.1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklseq.autoencoder import SparseAutoencoder
    >>> X = load_iris().data
    >>> model = SparseAutoencoder(sparsity="topk", n_active=3, max_epochs=5, random_state=0)
    >>> int((model.fit_transform(X) != 0).sum(axis=1).max())
    3
    """

    n_components: int = param(64, "Dimension of the latent space; any number.", integer(1))
    sparsity: str = param("l1", "Sparsity constraint.", choice("l1", "kl", "topk"))
    sparsity_weight: float = param(
        0.01, "Weight of the penalty beside the loss, for 'l1' and 'kl'.", real(0)
    )
    target_activation: float = param(
        0.05, "Mean activation of each unit, for 'kl'.", real(0, 1, "neither")
    )
    n_active: int = param(8, "Activations of a row that 'topk' keeps.", integer(1))
    latent_activation: Any = param(
        None,
        "Activation of the latent representation; None takes 'logistic' for 'kl', which needs "
        "values between 0 and 1, and 'relu' otherwise.",
        choice(*ACTIVATIONS),
        None,
    )

    def _latent_settings(self) -> dict[str, Any]:
        if self.sparsity == "kl" and self.latent_activation not in (None, "logistic"):
            raise ValueError(
                f"sparsity='kl' needs activations between 0 and 1, not latent_activation="
                f"{self.latent_activation!r}: use None or 'logistic'."
            )
        default = "logistic" if self.sparsity == "kl" else "relu"
        return {
            "latent_activation": self.latent_activation or default,
            "n_active": self.n_active if self.sparsity == "topk" else None,
        }

    def _copying_is_hindered(self) -> bool:
        return self.sparsity == "topk" or self.sparsity_weight > 0

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        (x,) = batch.inputs
        latent = module.encode(x)
        loss = mean_loss(module.losses(module.raw(latent), x), batch)
        if self.sparsity == "l1":
            loss = loss + self.sparsity_weight * mean_loss(
                (latent.abs() * module.decoder_norms).sum(dim=1), batch
            )
        elif self.sparsity == "kl":
            weight = batch.weight[:, None]
            mean = (latent * weight).sum(dim=0) / weight.sum().clamp_min(torch.finfo(x.dtype).tiny)
            loss = loss + self.sparsity_weight * _bernoulli_divergence(self.target_activation, mean)
        return loss


def _bernoulli_divergence(target: float, mean: Tensor) -> Tensor:
    """Kullback-Leibler divergence of Bernoulli variables with these means, summed over units."""
    mean = mean.clamp(1e-6, 1 - 1e-6)
    rho = mean.new_full((), target)
    on, off = rho * (rho / mean).log(), (1 - rho) * ((1 - rho) / (1 - mean)).log()
    return (on + off).sum()


@estimator
class ContractiveAutoencoder(DenseAutoencoder):
    """Learn a latent representation that is robust to small changes of the input.

    To the loss is added the squared Frobenius norm of the encoder's Jacobian at each row, exactly
    and through all layers [1]_ (equation 4). Tied weights, the
    default, keep the encoder from shrinking while the decoder grows.

    References
    ----------
    .. [1] Rifai et al. (2011). "Contractive auto-encoders: explicit invariance during feature
       extraction". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklseq.autoencoder import ContractiveAutoencoder
    >>> X = load_iris().data
    >>> model = ContractiveAutoencoder(n_components=8, max_epochs=5, random_state=0)
    >>> model.fit_transform(X).shape
    (150, 8)
    """

    n_components: int = param(32, "Dimension of the latent space; any number.", integer(1))
    contraction: float = param(
        0.01, "Weight of the Jacobian's squared norm beside the loss.", real(0)
    )
    hidden_layer_sizes: tuple[int, ...] = param(
        (), "Units of the encoder's hidden layers; () is one map each way.", *several
    )
    activation: str = param("logistic", "Activation of the hidden layers.", choice(*ACTIVATIONS))
    latent_activation: Any = param(
        "logistic", "Activation of the latent representation.", choice(*ACTIVATIONS)
    )
    tied_weights: bool = param(
        True, "Whether the decoder's maps are the transposes of the encoder's.", "boolean"
    )
    normalization: str | None = param(
        None,
        "Normalize each hidden layer over the units of the 'layer'; not over a batch, for a row's "
        "Jacobian would then depend on others.",
        choice("layer"),
        None,
    )

    def _copying_is_hindered(self) -> bool:
        return self.contraction > 0

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        loss = super()._objective(module, batch)
        if self.contraction == 0:
            return loss
        (x,) = batch.inputs
        return loss + self.contraction * mean_loss(contraction(module.encode, x), batch)
