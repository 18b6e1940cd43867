"""Generative adversarial networks as estimators."""

import math
import warnings
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, other_default, param, real
from sklseq.base.parameters import layer_sizes
from sklseq.data import Columns
from sklseq.generative._base import Arrays, Generator, fixed_noise
from sklseq.generative._density_ratio import DensityRatioEstimator, frequency_log_weights
from sklseq.nn.adversarial.discriminator import DISCRIMINATOR_LOSSES
from sklseq.nn.adversarial.gan import AdversarialNetwork
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.parts.conditions import OneHot, rows_and_classes, set_class_prior, with_classes
from sklseq.parts.frames import TableFormat
from sklseq.training.engine import Trainer
from sklseq.training.phases import Phase, phase_options
from sklseq.training.placement import as_tensor, parameter_of
from sklseq.training.rows.batch import Batch, Rows, Targets
from sklseq.training.rows.dense import DenseRows

__all__ = ["GAN"]

# Coverage by new rows of the same distribution, in the limit of many.
_N_NEIGHBORS = 5
_COVERAGE_OF_DATA = 1 - 0.5**_N_NEIGHBORS
_MOST_ROWS = 1000
# Rows among which nearest neighbors are searched, and the limit where the distances are zero.
_MOST_NEIGHBORS, _MOST_FREQUENCIES = 20_000, 64
# With fewer rows the coverage is too uncertain for a warning.
_FEWEST_ROWS = 200
# Difference of discriminator outputs beyond which its losses are flat.
_SATURATED = 5.0
# Rows whose candidates are in memory at once.
_CHUNK = 1024


@estimator
class GAN(Generator):
    """Generative adversarial network: a generator trained against a discriminator.

    The generator makes rows of noise; the discriminator is trained to distinguish them from rows
    of the data, and the generator to fool it [1]_. Part of the noise is binary, so that rows can
    lie in clusters with nothing between them, which a continuous map of Gaussian noise alone would
    connect [2]_. Samples come from an average of the generator's weights over the steps. A GAN has
    no density: there is nothing to score rows by.

    X may be a DataFrame with columns of any kind, see `VAE`. The generator draws booleans,
    categories and missing values with straight-through Gumbel-softmax gradients [3]_. Its loss
    matches their frequencies, by class, to those of the data, as the discriminator alone loses rare
    values. A DataFrame of floats without missing values is read as its array, and samples may lie
    outside the range seen; an array of integers or booleans is read as a DataFrame of such columns.

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
        (128, 128), "Units of the generator's hidden layers.", tuple, list
    )
    discriminator_layer_sizes: tuple | None = param(
        None,
        "Units of the discriminator's hidden layers; None takes those of the generator.",
        tuple,
        list,
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
        False,
        "Whether the discriminator's weights are divided by their spectral norm.",
        "boolean",
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

    _network: ClassVar[type[nn.Module]] = AdversarialNetwork

    if TYPE_CHECKING:
        _density_ratio: DensityRatioEstimator
        _n_resolved: int

    # -- training --------------------------------------------------------------------------

    def _table_format(self) -> TableFormat:
        advice = f"this {type(self).__name__} was fitted on numbers alone"
        return TableFormat(("number", "boolean", "category"), advice)

    @property
    def _mixed_columns(self) -> Columns | None:
        """The columns of a table that is not all real numbers."""
        return self._format.columns if self._format.encoded else None

    def _read_targets(
        self, y: Any, data: Arrays, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        if fresh:
            self._n_resolved = _resolved_frequencies(data[0][weights > 0])
        return super()._read_targets(y, data, weights, fresh)

    def _settings(self, data: Arrays, targets: Targets) -> dict[str, Any]:
        (x,), columns = data, self._mixed_columns
        sizes = layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        own = self.discriminator_layer_sizes
        n_frequencies = min(self.n_fourier_frequencies, self._n_resolved)
        return {
            "n_features": x.shape[1] - (len(columns.number_places) if columns else 0),
            "n_components": self.n_components or self.n_features_in_,
            "n_binary_latents": self.n_binary_latents,
            "n_context": 0 if targets.values is None else targets.values.shape[1],
            "hidden_layer_sizes": sizes,
            "discriminator_layer_sizes": (
                sizes if own is None else layer_sizes("discriminator_layer_sizes", own)
            ),
            "activation": self.activation,
            "pac_size": self.pac_size,
            "n_fourier_frequencies": 0 if columns else n_frequencies,
            "spectrally_normalized": bool(self.spectral_norm),
            "columns": columns.layout if columns else None,
        }

    def _initialize(self, module: Any, rows: DenseRows) -> None:
        assert rows.weight is not None
        with fixed_noise(self._seed, rows.weight.device):
            module.initialize(*rows_and_classes(rows.arrays), rows.weight)

    def _training_rows(self, rows: Rows) -> Rows:
        # With weighted losses a batch without heavy rows would have little influence.
        return rows.resampled(self._seed)  # type: ignore[attr-defined]

    def _phases(self) -> list[Phase]:
        options = phase_options(self.solver)
        return [
            Phase(
                "discriminator",
                self._discriminator_loss,
                self.discriminator_steps,
                options | {"lr": self._discriminator_learning_rate},
            ),
            Phase("generator", self._generator_loss, 1, options | {"lr": self.learning_rate}),
        ]

    @property
    def _discriminator_learning_rate(self) -> float:
        return self.discriminator_learning_rate or self.learning_rate

    def _discriminator_loss(self, module: Any, batch: Batch) -> Tensor:
        x, classes = rows_and_classes(batch.inputs)
        return module.discriminator_loss(x, classes, self.loss, self.gradient_penalty)

    def _generator_loss(self, module: Any, batch: Batch) -> Tensor:
        return module.generator_loss(*rows_and_classes(batch.inputs), self.loss)

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        """Energy distance of samples from held-out rows, by which early stopping goes."""
        network: Any = module
        distances = network.distance(*rows_and_classes(batch.inputs), batch.weight)
        return (distances * batch.weight).sum() / batch.n_rows

    # -- after training --------------------------------------------------------------------

    def _finish(self, data: Arrays, targets: Targets) -> None:
        set_class_prior(self, targets.values, targets.weights)
        self._density_ratio = DensityRatioEstimator()
        if self.n_candidates > 1:
            self._density_ratio = self._trained_density_ratio(data, targets)
            self._density_ratio = self._reweighted(self._density_ratio, data[0], targets)
        self._measure(data, targets)

    def _trained_density_ratio(self, data: Arrays, targets: Targets) -> DensityRatioEstimator:
        """The estimator, without its network if training is interrupted."""
        rows = self._rows(data, parameter_of(self.module_), targets)
        trainer = Trainer(
            solver="adam",
            learning_rate=self._discriminator_learning_rate,
            lr_schedule="cosine",
            max_epochs=-(-self.max_epochs // 4),
            batch_size=self.batch_size,
            weight_decay=0.0,
            gradient_clip=None,
            gradient_clip_by="norm",
            n_iter_no_change=20,
            tol=0.0,
            n_threads=self.n_threads,
            verbose=0,
            seed=self._seed,
        )
        try:
            return DensityRatioEstimator.train(self.module_, rows, targets, trainer)
        except KeyboardInterrupt:
            warnings.warn(
                "The training of the density-ratio estimator was interrupted: `sample` does not "
                "use it.",
                ConvergenceWarning,
                stacklevel=2,
            )
            return DensityRatioEstimator()
        finally:
            self.module_.eval()

    def _reweighted(
        self, ratio: DensityRatioEstimator, x: NDArray[Any], targets: Targets
    ) -> DensityRatioEstimator:
        """The estimator, with weights by which discrete values have their frequencies."""
        if (columns := self._mixed_columns) is None:
            return ratio
        n_values = self._module_kwargs["n_features"]
        places = np.setdiff1d(np.arange(n_values), columns.number_places)
        if not len(places):
            return ratio
        log_weights = frequency_log_weights(
            self._candidates, x, targets, places, n_values, self._seed
        )
        return replace(ratio, log_weights=log_weights)

    def _measure(self, data: Arrays, targets: Targets) -> None:
        """Set `coverage_`; warn of mode collapse and of a saturated discriminator."""
        rng = np.random.default_rng(self._seed)
        weighing = np.flatnonzero(targets.weights)
        n = min(len(weighing), _MOST_ROWS)
        # Without repetition: copies would be each other's nearest neighbors.
        chosen = rng.choice(weighing, size=n, replace=False)
        classes = None if targets.values is None else targets.values[chosen]
        samples = self._draw(n, classes, rng)
        network: Any = self.module_
        rows = tuple(as_tensor(a[chosen], network.mean) for a in with_classes(data, targets.values))
        with torch.no_grad(), fixed_noise(self._seed, network.mean.device):
            real = network.standardize(rows[0])
            made = (as_tensor(samples, network.mean) - network.mean) / network.scale
            self.coverage_ = _coverage(
                real.cpu().numpy(), made.cpu().numpy(), targets.weights[chosen]
            )
            margin = self._margin(rows)
        if n >= _FEWEST_ROWS:
            self._warn(margin)

    def _margin(self, rows: tuple[Tensor, ...]) -> float:
        """Difference of the discriminator's lowest real and highest generated output."""
        network: Any = self.module_
        real, made = (network.discriminator(packs) for packs in network(*rows))
        return (real.min() - made.max()).item()

    def _warn(self, margin: float) -> None:
        if self.coverage_ < 0.25 * _COVERAGE_OF_DATA:
            warnings.warn(
                f"Mode collapse, or too little training: {self.coverage_:.0%} of the rows have "
                f"samples nearby, where new rows would have {_COVERAGE_OF_DATA:.0%}. Raise "
                "pac_size, gradient_penalty, n_binary_latents or n_components, or train longer.",
                ConvergenceWarning,
                stacklevel=2,
            )
        if margin > _SATURATED:
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
        shape = n, self.n_candidates
        classes = None if classes is None else np.repeat(classes, self.n_candidates, axis=0)
        rows = self._generated(n * self.n_candidates, classes, rng)
        log_ratios = self._density_ratio.log_ratios(self._run, rows, classes)
        return rows.reshape(*shape, -1), log_ratios.reshape(shape)

    def _generated(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        """Rows as the generator makes them."""
        return self._run("decode", with_classes((self._noise(n, rng),), classes))

    def _noise(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        network: Any = self.module_
        return rng.standard_normal((n, network.n_noise))

    def _draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        if self.n_candidates == 1 or not self._density_ratio.is_useful:
            return self._generated(n, classes, rng)
        # Noise is drawn before what picks, so that rows do not depend on the size of chunks. It is
        # drawn twice, as all of it may not fit into memory.
        noise, chunks = deepcopy(rng), list(_chunks(n))
        for chunk in chunks:
            self._noise((chunk.stop - chunk.start) * self.n_candidates, rng)
        picked = []
        for chunk in chunks:
            of_chunk = None if classes is None else classes[chunk]
            candidates = self._candidates(chunk.stop - chunk.start, of_chunk, noise)
            picked.append(self._density_ratio.picked(*candidates, of_chunk, rng))
        return np.concatenate(picked)


def _chunks(n: int) -> Iterator[slice]:
    """Slices of at most `_CHUNK` of `n` rows."""
    for start in range(0, n, _CHUNK):
        yield slice(start, min(start + _CHUNK, n))


def _coverage(rows: NDArray[Any], samples: NDArray[Any], weights: NDArray[np.float64]) -> float:
    """Share of rows with a sample nearer than their k-th neighbor."""
    k = min(_N_NEIGHBORS, len(rows) - 1)
    if k < 1:
        return float("nan")
    own, _ = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()
    to_samples, _ = NearestNeighbors(n_neighbors=1).fit(samples).kneighbors(rows)
    return float(np.average(to_samples[:, 0] <= own[:, -1], weights=weights))


def _resolved_frequencies(rows: NDArray[Any]) -> int:
    """Number of Fourier frequencies that standardized rows resolve, by Nyquist's criterion."""
    rows = rows[:: -(-len(rows) // _MOST_NEIGHBORS)]
    if len(rows) < 2:
        return 0
    spread = rows.std(axis=0)
    rows = rows / np.where(spread > 0, spread, 1)
    some = rows[:: -(-len(rows) // _MOST_ROWS)]
    distances, _ = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(some)
    spacing = np.median(distances[:, 1]) / math.sqrt(rows.shape[1])
    if spacing == 0:
        return _MOST_FREQUENCIES
    # The first has a period of 4, each other one half of the last.
    return max(0, 1 + math.floor(math.log2(2 / spacing)))
