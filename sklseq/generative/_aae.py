"""Adversarial autoencoders as estimators."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sklseq.base import choice, estimator, integer, other_default, param, real
from sklseq.generative._latent import LatentVariableGenerator
from sklseq.nn.adversarial.autoencoder import PRIORS, AdversarialAutoencoder
from sklseq.nn.adversarial.gan import CRITIC_LOSSES
from sklseq.parts.conditions import rows_and_classes
from sklseq.parts.table_estimator import TableEstimator, layer_sizes
from sklseq.training.phases import Phase, phase_options
from sklseq.training.rows.batch import Batch, mean_loss

__all__ = ["AAE"]


def _draws_categories(model: Any) -> bool:
    # What it was fitted with, once it was.
    if (prior := getattr(model, "_module_kwargs", vars(model))["prior"]) == "categorical":
        return True
    raise AttributeError(
        f"predict_clusters needs prior='categorical', set before fit, not {prior!r}."
    )


@estimator
class AAE(LatentVariableGenerator):
    """Adversarial autoencoder: codes that a critic cannot tell from draws of a chosen prior.

    Encoder and decoder learn to give rows back; at the same time a critic learns to tell codes
    from draws of the prior, and the encoder to deceive it [1]_. So the decoder knows what to make
    of any draw of the prior, and codes are as sharp as an autoencoder's: no noise is added to
    them. Any prior that can be drawn from will do. Both losses are one, as in [2]_.

    With ``prior="mixture"`` codes fall into `n_prior_components` normal distributions on a ring;
    with ``prior="categorical"`` a code is a category, given as probabilities, beside `n_components`
    numbers of style: the categories are clusters, see `predict_clusters`. Clusters that lie apart,
    as many as there are parts, usually come to lie one in each. As codes are a function of rows,
    they can vary no more freely than rows do: those of a tight cluster are narrower than their part
    of the prior, and so is style where nothing but the clusters varies.

    With ``conditional=True`` the codes of each class have the prior's distribution: they tell
    what the class leaves open, and one code gives the same style in each class.

    `transform` gives codes, `inverse_transform` expected rows, `sample` rows with the noise that
    the model has learned. There is no density of rows, and so no score. Features should have like
    scales, as `StandardScaler` gives them. X may be a DataFrame with columns of any kind, see
    `VAE`, or an array of integers or booleans, which is one; a DataFrame of floats alone, none of
    them missing, is read as its array, and draws may lie outside the range seen.

    See Also
    --------
    VAE : With a bound of the density.
    GAN : The same game played for rows instead of codes.

    References
    ----------
    .. [1] Makhzani, Shlens, Jaitly, Goodfellow and Frey (2015). Adversarial autoencoders.
       arXiv:1511.05644; the mixture in section 2.3, classes in section 4, clusters in section 6.
    .. [2] Tolstikhin, Bousquet, Gelly and Schölkopf (2018). Wasserstein auto-encoders. ICLR,
       algorithm 1.

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
        "What codes are distributed as: 'gaussian', standard normal; 'mixture', normal "
        "distributions on a ring, which needs two `n_components` or more; 'categorical', one of "
        "so many categories beside a standard normal style.",
        choice(*PRIORS),
    )
    n_prior_components: int = param(
        10, "Distributions of the mixture, or categories; not used by 'gaussian'.", integer(2)
    )
    adversarial_weight: float | None = param(
        None,
        "Weight of deceiving the critic beside the mean log-likelihood of a value. More brings "
        "codes nearer to the prior, less reconstructs better. None takes 0.2 for 'gaussian' and 1 "
        "for the others, whose parts are far from each other.",
        real(0),
        None,
    )
    critic_layer_sizes: tuple = param((64, 64), "Units of the critic's hidden layers.", tuple, list)
    loss: str = param("relativistic", "What critic and encoder play for.", choice(*CRITIC_LOSSES))
    gradient_penalty: float = param(
        0.1,
        "Weight of the critic's squared slope at codes and draws; with 'wasserstein' of its "
        "squared distance from 1 between them.",
        real(0),
    )
    critic_steps: int = param(
        1, "Updates of the critic for each of encoder and decoder.", integer(1)
    )
    learning_rate: float = other_default(TableEstimator, "learning_rate", 2e-3)

    _network: ClassVar[type[nn.Module]] = AdversarialAutoencoder

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        self._check_settings()
        return super()._module_settings(inputs, weights) | {
            "prior": self.prior,
            "n_groups": self.n_prior_components,
            "critic_layer_sizes": layer_sizes("critic_layer_sizes", self.critic_layer_sizes),
        }

    def _check_settings(self) -> None:
        if self.prior == "mixture" and self.n_components < 2:
            raise ValueError(
                f"prior='mixture' lies on a ring in two values of a code, but n_components="
                f"{self.n_components}: take 2 or more."
            )
        if self.prior == "categorical" and self.latent_prior is not None:
            raise ValueError(
                f"latent_prior={self.latent_prior!r} draws no categories: leave it at None with "
                "prior='categorical'."
            )

    def _component_counts(self) -> dict[str, int]:
        of_prior = (
            {} if self.prior == "gaussian" else {"n_prior_components": self.n_prior_components}
        )
        return super()._component_counts() | of_prior

    @property
    def _adversarial_weight(self) -> float:
        if self.adversarial_weight is not None:
            return self.adversarial_weight
        return 0.2 if self.prior == "gaussian" else 1.0

    def _phases(self) -> list[Phase]:
        def autoencoder(module: Any, batch: Batch) -> Tensor:
            x, context = rows_and_classes(batch)
            fit, codes = module(x, context)
            loss = mean_loss(-fit / self.n_features_in_, batch)
            if not self._adversarial_weight:
                return loss
            deception = module.deception_loss(codes, context, batch.weight, self.loss)
            return loss + self._adversarial_weight * deception

        def critic(module: Any, batch: Batch) -> Tensor:
            x, context = rows_and_classes(batch)
            return module.critic_loss(x, context, batch.weight, self.loss, self.gradient_penalty)

        return [
            Phase("autoencoder", autoencoder),
            Phase("critic", critic, self.critic_steps, phase_options(self.solver)),
        ]

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        """The critic's part as an energy distance: early stopping needs a measure that stays."""
        network: Any = module
        fit, codes = network(*batch.inputs)
        distance = self._adversarial_weight * network.distances(codes, batch.weight)
        return mean_loss(distance - fit / self.n_features_in_, batch)

    def _density_given(
        self, X: NDArray[Any], condition: tuple[NDArray[Any], ...]
    ) -> NDArray[np.float64]:
        """How well rows are given back; there is no density, but the likely class goes by this."""
        return self._run("fit", X, *condition)

    def _draw_codes(self, n: int, rng: np.random.Generator) -> NDArray[Any]:
        normal = rng.standard_normal((n, self._module_kwargs["n_components"]))
        return self._run("draw_codes", normal, rng.random((n, 1)))

    @available_if(_draws_categories)
    def predict_clusters(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """The most probable category of each row; with ``prior="categorical"`` alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : scalar, array-like of shape (n_samples,) or None, default=None
            As in `transform`.

        Returns
        -------
        ndarray of shape (n_samples,)
            From 0 to ``n_prior_components - 1``.
        """
        codes = self._codes_of(X, y)
        return codes[:, : self._module_kwargs["n_groups"]].argmax(axis=1)

    @property
    def _n_features_out(self) -> int:
        network: Any = self.module_
        return network.prior.n_values
