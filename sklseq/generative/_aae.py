"""Adversarial autoencoders as estimators."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sklseq.base import choice, estimator, integer, other_default, param, real, several
from sklseq.generative._latent import LatentVariableModel
from sklseq.nn.adversarial.autoencoder import PRIORS, AdversarialAutoencoder
from sklseq.nn.adversarial.discriminator import DISCRIMINATOR_LOSSES
from sklseq.parts.conditions import OneHot, rows_and_classes, set_class_prior, with_classes
from sklseq.parts.latent_priors import (
    LATENT_DISTRIBUTIONS,
    check_latent_prior,
    latent_prior_of,
)
from sklseq.training.phases import Phase, phase_options
from sklseq.training.rows.batch import Batch, Targets, mean_loss

__all__ = ["AAE"]


def _draws_categories(model: Any) -> bool:
    # The prior that it was fitted with, once it was.
    if (prior := getattr(model, "_module_kwargs", vars(model))["prior"]) == "categorical":
        return True
    raise AttributeError(
        f"predict_clusters needs prior='categorical', set before fit, not {prior!r}."
    )


@estimator
class AAE(LatentVariableModel):
    """Adversarial autoencoder: the latent codes are trained to have the distribution of a prior.

    Encoder and decoder are trained to reconstruct rows. At the same time a discriminator is
    trained to distinguish codes from draws of the prior, and the encoder to fool it [1]_, so that
    the decoder can decode any draw of the prior. The encoder is deterministic: reconstructions are
    as sharp as an autoencoder's. The prior need not have a density. Both objectives form one loss,
    as in [2]_.

    With ``prior="mixture"`` codes have a mixture of `n_prior_components` normal distributions on a
    ring. With ``prior="categorical"`` a code is a category, given as probabilities, followed by
    `n_components` dimensions of style: the categories are clusters, see `predict_clusters`. If the
    data have as many separate clusters as the prior has components, each component usually holds
    one of them. Codes are a function of rows and vary no more freely than they do: those of a tight
    cluster are narrower than their component of the prior, and so is style where nothing but the
    clusters varies.

    With ``conditional=True`` the codes of each class have the prior's distribution: they hold what
    the class does not determine, and one code gives the same style in each class.

    `transform` gives codes, `inverse_transform` expected rows, and `sample` rows including
    observation noise. There is no density, and so no score. Scale the features alike, for example
    with `StandardScaler`. X may be any table that `VAE` takes, and is read as there.

    See Also
    --------
    VAE : With a bound of the density.
    GAN : Adversarial training on rows instead of codes.

    References
    ----------
    .. [1] Makhzani, Shlens, Jaitly, Goodfellow and Frey (2015). Adversarial autoencoders.
       arXiv:1511.05644; the mixture in section 2.3, classes in section 4, clusters in section 6.
    .. [2] Tolstikhin, Bousquet, Gelly and Schölkopf (2018). Wasserstein auto-encoders. ICLR,
       algorithm 1.
    .. [3] Ghosh et al. (2020). From variational to deterministic autoencoders. ICLR, section 4.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklseq.generative import AAE
    >>> X, y = load_digits(return_X_y=True)
    >>> model = AAE(n_components=4, conditional=True, max_epochs=2, random_state=0).fit(X / 16, y)
    >>> model.sample(3, y=[0, 1, 2], random_state=0).shape
    (3, 64)
    >>> model.interpolate(X[0] / 16, X[10] / 16, n_steps=5, y=0).shape
    (5, 64)
    """

    prior: str = param(
        "gaussian",
        "Distribution of the latent codes: 'gaussian', standard normal; 'mixture', normal "
        "distributions on a ring, which needs two `n_components` or more; 'categorical', a "
        "one-hot category followed by a standard normal style.",
        choice(*PRIORS),
    )
    n_prior_components: int = param(
        10,
        "Number of components of the prior: normal distributions of the 'mixture', categories of "
        "'categorical'; not used by 'gaussian'.",
        integer(2),
    )
    adversarial_weight: float | None = param(
        None,
        "Weight of the encoder's adversarial loss, relative to the mean log-likelihood of a value. "
        "A larger one brings codes nearer to the prior, a smaller one reconstructs better. None "
        "takes 0.2 for 'gaussian' and 1 for the others, whose components are far apart.",
        real(0),
        None,
    )
    discriminator_layer_sizes: tuple = param(
        (64, 64), "Units of the discriminator's hidden layers.", *several
    )
    loss: str = param("relativistic", "Adversarial loss.", choice(*DISCRIMINATOR_LOSSES))
    gradient_penalty: float = param(
        0.1,
        "Weight of the discriminator's squared gradient norm at codes and draws of the prior; with "
        "'wasserstein' of the squared distance of the norm from 1 between them.",
        real(0),
    )
    discriminator_steps: int = param(
        1, "Updates of the discriminator for each of encoder and decoder.", integer(1)
    )
    learning_rate: float = other_default(LatentVariableModel, "learning_rate", 2e-3)

    _network: ClassVar[type[nn.Module]] = AdversarialAutoencoder

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        self._check_prior()
        return (
            super()._settings(data, targets)
            | self._named_settings(targets, "prior", "discriminator_layer_sizes")
            | {"n_groups": self.n_prior_components}
        )

    def _check_prior(self) -> None:
        if self.prior == "mixture" and self.n_components < 2:
            raise ValueError(
                f"prior='mixture' lies on a ring in two dimensions of the latent space, but "
                f"n_components={self.n_components}: take 2 or more."
            )
        if self.prior == "categorical" and self.latent_prior is not None:
            raise ValueError(
                f"latent_prior={self.latent_prior!r} draws no categories: leave it at None with "
                "prior='categorical'."
            )

    def _component_counts(self) -> dict[str, int]:
        counts = super()._component_counts()
        if self.prior == "gaussian":
            return counts
        return counts | {"n_prior_components": self.n_prior_components}

    @property
    def _adversarial_weight(self) -> float:
        if self.adversarial_weight is not None:
            return self.adversarial_weight
        return 0.2 if self.prior == "gaussian" else 1.0

    def _phases(self) -> list[Phase]:
        steps, options = self.discriminator_steps, phase_options(self.solver)
        return [
            Phase("autoencoder", self._autoencoder_loss),
            Phase("discriminator", self._discriminator_loss, steps, options),
        ]

    def _autoencoder_loss(self, module: Any, batch: Batch) -> Tensor:
        log_likelihood, codes = module(*batch.inputs)
        loss = mean_loss(-log_likelihood / self.n_features_in_, batch)
        if not self._adversarial_weight:
            return loss
        _, classes = rows_and_classes(batch.inputs)
        adversarial = module.generator_loss(codes, classes, batch.weight, self.loss)
        return loss + self._adversarial_weight * adversarial

    def _discriminator_loss(self, module: Any, batch: Batch) -> Tensor:
        x, classes = rows_and_classes(batch.inputs)
        return module.discriminator_loss(x, classes, batch.weight, self.loss, self.gradient_penalty)

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        """Loss of held-out rows, with an energy distance instead of the changing discriminator."""
        log_likelihood, codes = module(*batch.inputs)
        distance = self._adversarial_weight * module.distances(codes, batch.weight)
        return mean_loss(distance - log_likelihood / self.n_features_in_, batch)

    _stored = {"_latent_distribution": LATENT_DISTRIBUTIONS}

    def _check_learned(self) -> None:
        super()._check_learned()
        settings = self._module_kwargs
        check_latent_prior(
            self._latent_distribution, settings["n_components"], settings["n_context"]
        )

    def _finish(self, data: NDArray[Any], targets: Targets) -> None:
        set_class_prior(self, targets.values, targets.weights)
        codes = self._run("encode", with_classes((data,), targets.values))
        self._latent_distribution = latent_prior_of(self, codes, targets)

    def _density(self, data: NDArray[Any], classes: OneHot) -> NDArray[np.float64]:
        """Log-likelihood given the code; in place of a density it decides the likely class."""
        return self._run("log_likelihood", with_classes((data,), classes))

    def _prior_codes(self, n: int, rng: np.random.Generator) -> NDArray[Any]:
        normal = rng.standard_normal((n, self._module_kwargs["n_components"]))
        return self._run("prior", (normal, rng.random((n, 1))))

    @available_if(_draws_categories)
    def predict_clusters(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """The most probable category of each row; only with ``prior="categorical"``.

        Parameters
        ----------
        X : as in `fit`
        y : scalar, array-like of shape (n_samples,) or None, default=None
            As in `transform`.

        Returns
        -------
        ndarray of shape (n_samples,)
            From 0 to ``n_prior_components - 1``.
        """
        codes, _ = self._encoded(self._read_fitted(X), y)
        return codes[:, : self._module_kwargs["n_groups"]].argmax(axis=1)

    @property
    def _n_features_out(self) -> int:
        return self.module_.prior.n_values  # type: ignore[union-attr, return-value]
