"""Generative adversarial networks as estimators."""

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, other_default, param, real, several
from sklseq.generative._base import Generator, fixed_noise
from sklseq.generative._coverage import COVERAGE_OF_DATA, MOST_ROWS, coverage, resolved_frequencies
from sklseq.generative._density_ratio import DensityRatioEstimator, learn_density_ratio
from sklseq.nn.adversarial.discriminator import DISCRIMINATOR_LOSSES
from sklseq.nn.adversarial.gan import AdversarialNetwork
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.parts.conditions import OneHot, rows_and_classes, set_class_prior, with_classes
from sklseq.parts.frames import ALL_KINDS
from sklseq.training.phases import Phase, phase_options
from sklseq.training.placement import as_tensor
from sklseq.training.rows.batch import Batch, Rows, Targets
from sklseq.training.rows.dense import DenseRows

__all__ = ["GAN"]

# With fewer rows the coverage is too uncertain for a warning.
_FEWEST_ROWS = 200
# Difference of discriminator outputs beyond which its losses are flat.
_SATURATED = 5.0


@estimator
class GAN(Generator):
    """Generative adversarial network: a generator trained against a discriminator.

    The generator makes rows of noise; the discriminator is trained to distinguish them from rows
    of the data, and the generator to fool it [1]_. Part of the noise is binary, so that rows can
    lie in clusters with nothing between them, which a continuous map of Gaussian noise alone would
    connect [2]_. Samples come from an average of the generator's weights over the steps. A GAN has
    no density: there is nothing to score rows by.

    X may be any table that `VAE` takes, and is read as there. The generator draws booleans,
    categories and missing values with straight-through Gumbel-softmax gradients [3]_. Its loss
    matches their frequencies, by class, to those of the data, as the discriminator alone loses rare
    values.

    ``loss="relativistic"`` with a gradient penalty on real and generated rows converges most
    reliably [4]_. With ``loss="wasserstein"`` the penalty holds the norm of the critic's gradient
    at 1 between real and generated rows [5]_. With other losses than the relativistic one,
    ``pac_size > 1`` lets the discriminator see several rows at once, which shows it a lack of
    diversity [6]_.

    After adversarial training a classifier of real and generated rows is trained: its logit
    estimates the logarithm of the density ratio. `sample` draws `n_candidates` rows for each that
    it returns, and picks one in proportion to the ratio (sampling importance resampling). Clusters
    then get their share, and rows between them become rare [7]_. A tenth of the rows is held out to
    stop its training; if it is no better than chance on them, it is not used. In mixed tables the
    ratios are reweighted so that booleans, categories and missing values have the frequencies of
    training, by iterative proportional fitting [8]_.

    After `fit`, `coverage_` is the share of the data with samples nearby. A warning is raised if it
    is much below that of new rows of the data (mode collapse), and one if the discriminator is
    saturated, so that the generator's gradients vanish.

    See Also
    --------
    RealNVP : Exact densities.
    VAE : Latent representations, and a bound of the density.

    References
    ----------
    .. [1] Goodfellow et al. (2014). Generative adversarial nets. NeurIPS.
    .. [2] Khayatkhoei, Elgammal and Singh (2018). Disconnected manifold learning for generative
       adversarial networks. NeurIPS, section 3.
    .. [3] Jang, Gu and Poole (2017). Categorical reparameterization with Gumbel-softmax. ICLR,
       section 2.2.
    .. [4] Huang et al. (2024). The GAN is dead; long live the GAN! A modern baseline GAN. NeurIPS.
    .. [5] Gulrajani et al. (2017). Improved training of Wasserstein GANs. NeurIPS.
    .. [6] Lin, Khetan, Fanti and Oh (2018). PacGAN: the power of two samples in generative
       adversarial networks. NeurIPS.
    .. [7] Grover et al. (2019). Bias correction of learned generative models using
       likelihood-free importance weighting. NeurIPS, section 3 and algorithm 1.
    .. [8] Ireland and Kullback (1968). Contingency tables with given marginals. Biometrika 55(1).
    .. [9] Naeem et al. (2020). Reliable fidelity and diversity metrics for generative models.
       ICML, section 3.2.
    .. [10] Tancik et al. (2020). Fourier features let networks learn high frequency functions in
       low dimensional domains. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklseq.generative import GAN
    >>> X, y = make_moons(300, noise=0.05, random_state=0)
    >>> gan = GAN(conditional=True, max_epochs=30, random_state=0).fit(X, y)
    >>> gan.sample(4, y=[0, 0, 1, 1], random_state=0).shape
    (4, 2)
    """

    n_components: int | None = param(
        None,
        "Dimension of the Gaussian noise; None takes the number of features. A larger one makes it "
        "harder to keep distant clusters apart.",
        integer(1),
        None,
    )
    n_binary_latents: int = param(
        8, "Number of binary latent variables in the noise, which select a cluster.", integer(0)
    )
    hidden_layer_sizes: tuple = param(
        (128, 128), "Units of the generator's hidden layers.", *several
    )
    discriminator_layer_sizes: tuple | None = param(
        None,
        "Units of the discriminator's hidden layers; None takes those of the generator.",
        *several,
        None,
    )
    activation: str = param(
        "relu", "Activation of the generator's hidden layers.", choice(*ACTIVATIONS)
    )
    loss: str = param("relativistic", "Adversarial loss.", choice(*DISCRIMINATOR_LOSSES))
    gradient_penalty: float = param(
        0.01,
        "Weight of the discriminator's squared gradient norm at real and generated rows; with "
        "'wasserstein' of the squared distance of the norm from 1 between them.",
        real(0),
    )
    pac_size: int = param(
        1, "Number of rows that the discriminator sees together (PacGAN).", integer(1)
    )
    n_fourier_frequencies: int = param(
        5,
        "Number of frequencies, each twice the last, at which the discriminator sees sines and "
        "cosines of each value: Fourier features, by which it learns fine structure early (Tancik "
        "et al. 2020). Frequencies with a period below twice the spacing of rows are left out, as "
        "they would identify single rows. Mixed tables have none.",
        integer(0),
    )
    spectral_norm: bool = param(
        False, "Whether the discriminator's weights are divided by their spectral norm.", "boolean"
    )
    discriminator_steps: int = param(
        1, "Updates of the discriminator for each of the generator.", integer(1)
    )
    discriminator_learning_rate: float | None = param(
        None,
        "Learning rate of the discriminator; None takes `learning_rate`, that of the generator.",
        real(0, closed="neither"),
        None,
    )
    n_candidates: int = param(
        8,
        "Number of candidates for each row that `sample` returns; 1 returns rows as the generator "
        "makes them. It takes effect with each call, if it was above 1 in `fit`.",
        integer(1),
    )
    learning_rate: float = other_default(Generator, "learning_rate", 2e-3)
    lr_schedule: str | None = other_default(Generator, "lr_schedule", "cosine")
    gradient_clip: float | None = other_default(Generator, "gradient_clip", None)
    batch_size: int = other_default(Generator, "batch_size", 128)
    max_epochs: int = other_default(Generator, "max_epochs", 200)

    _attributes = {
        "coverage_": attribute(
            "float",
            "Share of training rows with a sample nearer than their fifth neighbor (Naeem et al. "
            "2020), measured on at most 1,000 rows; new rows of the data reach 0.97.",
        )
    }

    _stored = {"_density_ratio": DensityRatioEstimator, "_n_resolved": "int"}
    _kinds = ALL_KINDS
    _network: ClassVar[type[nn.Module]] = AdversarialNetwork

    if TYPE_CHECKING:
        _density_ratio: DensityRatioEstimator
        _n_resolved: int

    @property
    def _n_inputs(self) -> int:
        encoder = self._format.encoder
        if self._module_kwargs["columns"] != (None if encoder is None else encoder.layout):
            raise ValueError("its columns are not those of its network.")
        return super()._n_inputs - (0 if encoder is None else len(encoder.number_places))

    # -- training --------------------------------------------------------------------------

    def _read_targets(
        self, y: Any, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        if fresh:
            self._n_resolved = resolved_frequencies(data[weights > 0])
        return super()._read_targets(y, data, weights, fresh)

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        encoder, sizes = self._format.encoder, "hidden_layer_sizes"
        if self.discriminator_layer_sizes is not None:
            sizes = "discriminator_layer_sizes"
        names = ("n_binary_latents", "hidden_layer_sizes", "activation", "pac_size")
        settings = self._named_settings(targets, *names) | {
            "n_features": data.shape[1],
            "n_components": self.n_components or self.n_features_in_,
            "discriminator_layer_sizes": self._named_settings(targets, sizes)[sizes],
            "n_fourier_frequencies": min(self.n_fourier_frequencies, self._n_resolved),
            "spectrally_normalized": bool(self.spectral_norm),
            "columns": None,
        }
        if encoder is None:
            return settings
        n_values = data.shape[1] - len(encoder.number_places)  # half-widths follow the values
        of_columns = {"n_features": n_values, "n_fourier_frequencies": 0}
        return settings | of_columns | {"columns": encoder.layout}

    def _initialize(self, module: Any, rows: DenseRows) -> None:
        with fixed_noise(self._seed):
            module.initialize(*rows_and_classes(rows.arrays), rows.weight)

    def _training_rows(self, rows: Rows) -> Rows:
        # With weighted losses a batch without heavy rows would have little influence.
        return rows.resampled(self._seed)  # type: ignore[attr-defined]

    def _phases(self) -> list[Phase]:
        options = phase_options(self.solver)
        steps, of_discriminator = self.discriminator_steps, {"lr": self._discriminator_rate}
        return [
            Phase("discriminator", self._discriminator_loss, steps, options | of_discriminator),
            Phase("generator", self._generator_loss, 1, options | {"lr": self.learning_rate}),
        ]

    @property
    def _discriminator_rate(self) -> float:
        return self.discriminator_learning_rate or self.learning_rate

    def _discriminator_loss(self, module: Any, batch: Batch) -> Tensor:
        x, classes = rows_and_classes(batch.inputs)
        return module.discriminator_loss(x, classes, self.loss, self.gradient_penalty)

    def _generator_loss(self, module: Any, batch: Batch) -> Tensor:
        return module.generator_loss(*rows_and_classes(batch.inputs), self.loss)

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        """Energy distance of samples from held-out rows, by which early stopping goes."""
        distances = module.distance(*rows_and_classes(batch.inputs), batch.weight)
        return (distances * batch.weight).sum() / batch.n_rows

    # -- after training --------------------------------------------------------------------

    def _finish(self, data: NDArray[Any], targets: Targets) -> None:
        set_class_prior(self, targets.values, targets.weights)
        self._density_ratio = DensityRatioEstimator()
        if self.n_candidates > 1:
            learn_density_ratio(self, data, targets)
        self._measure(data, targets)

    def _measure(self, data: NDArray[Any], targets: Targets) -> None:
        """Set `coverage_`; warn of mode collapse and of a saturated discriminator."""
        rng = np.random.default_rng(self._seed)
        weighing = np.flatnonzero(targets.weights)
        n = min(len(weighing), MOST_ROWS)
        # Without repetition: copies would be each other's nearest neighbors.
        chosen = rng.choice(weighing, size=n, replace=False)
        samples = self._draw(n, None if targets.values is None else targets.values[chosen], rng)
        network: Any = self.module_
        rows = self._rows(data, network.mean, targets).inputs(chosen)
        with torch.no_grad(), fixed_noise(self._seed):
            real = network.standardize(rows[0])
            made = (as_tensor(samples, network.mean) - network.mean) / network.scale
            weights = targets.weights[chosen]
            self.coverage_ = coverage(real.cpu().numpy(), made.cpu().numpy(), weights)
            real, made = (network.discriminator(packs) for packs in network(*rows))
        if n < _FEWEST_ROWS:
            return
        if self.coverage_ < 0.25 * COVERAGE_OF_DATA:
            warnings.warn(
                f"Mode collapse, or too little training: {self.coverage_:.0%} of the rows have "
                f"samples nearby, where new rows would have {COVERAGE_OF_DATA:.0%}. Raise "
                "pac_size, gradient_penalty, n_binary_latents or n_components, or train longer.",
                ConvergenceWarning,
                stacklevel=2,
            )
        if (real.min() - made.max()).item() > _SATURATED:
            warnings.warn(
                "The discriminator is saturated: it separates all samples from all rows by a wide "
                "margin, so that the generator's gradients vanish. Lower "
                "discriminator_learning_rate or discriminator_steps, raise gradient_penalty, or "
                "use loss='relativistic'.",
                ConvergenceWarning,
                stacklevel=2,
            )

    # -- samples ---------------------------------------------------------------------------

    def _candidates(
        self, n: int, classes: OneHot, rng: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows ``(n, n_candidates, n_values)``, and their log-ratios ``(n, n_candidates)``."""
        classes = None if classes is None else np.repeat(classes, self.n_candidates, axis=0)
        rows = self._decoded(self._noise(n * self.n_candidates, rng), classes)
        log_ratios = np.zeros(len(rows))
        if self._density_ratio.is_trained:
            log_ratios = self._run("log_density_ratio", with_classes((rows,), classes))[:, 0]
        shape = n, self.n_candidates
        return rows.reshape(*shape, -1), log_ratios.reshape(shape)

    def _noise(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        network: Any = self.module_
        return rng.standard_normal((n, network.n_noise))

    def _draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        if self.n_candidates == 1 or not self._density_ratio.is_useful:
            return self._decoded(self._noise(n, rng), classes)
        return self._density_ratio.sample(self, n, classes, rng)
