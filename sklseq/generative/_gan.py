"""Generative adversarial networks as estimators."""

import math
import warnings
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, other_default, param, real
from sklseq.generative._candidates import CandidateGenerator
from sklseq.nn.adversarial.gan import CRITIC_LOSSES, AdversarialNetwork
from sklseq.nn.layers.feedforward import ACTIVATIONS
from sklseq.parts.conditions import rows_and_classes
from sklseq.parts.table_estimator import layer_sizes
from sklseq.training.phases import Phase, phase_options
from sklseq.training.rows.batch import Batch, as_tensor

__all__ = ["GAN"]

# Coverage by new rows of the same distribution, in the limit of many.
_NEIGHBOURS = 5
_OF_FRESH_ROWS = 1 - 0.5**_NEIGHBOURS
_MOST_ROWS = 1000
# Rows among which the nearest are looked for, and octaves where they have no distance.
_MOST_NEIGHBOURS, _MOST_OCTAVES = 20_000, 64
# Of fewer, chance alone covers too little.
_FEWEST_ROWS = 200
# Of ratings: beyond, a critic's loss has next to no slope.
_WIDE = 5.0


@estimator
class GAN(CandidateGenerator):
    """Generative adversarial network: a generator trained to pass a critic that learns, too.

    The generator makes rows of noise, the critic tells them from rows of the data [1]_, and each
    learns from the other. Part of the noise are coins, so that rows can lie in clusters with
    nothing between them, which a continuous map cannot make of one normal distribution [7]_.
    Samples come from a generator whose weights are averaged over the steps. A GAN has no density:
    there is nothing to score rows by.

    X may be a DataFrame with columns of any kind, see `VAE`: the generator draws booleans,
    categories and what is missing, with the gradients of softer draws [9]_, and its loss holds
    their frequencies, by class, to those of the data: a critic alone forgets what is rare. A
    DataFrame of floats alone, none of them missing, is read as its array, and draws may lie
    outside the range seen; an array of integers or booleans is read as a DataFrame of such
    columns.

    ``loss="relativistic"`` with a gradient penalty on real and generated rows is what converges
    most reliably [3]_. With ``loss="wasserstein"`` the penalty holds the critic's slope at one
    between real and generated rows [4]_. With other losses than the relativistic one, packs of
    rows show the critic what a single row does not: that all rows are alike [2]_.

    When both have learned, a judge learns from scratch to tell samples from data: its rating is
    the logarithm of the ratio of their densities. `sample` draws `n_candidates` rows for each
    that it returns and picks one with a probability proportional to that ratio, so that clusters
    get their share, and rows between them become rare [8]_. A tenth of the rows tell when the
    judge has learned enough; if it does no better than chance on them, it is not used. Where
    columns are of several kinds, ratings are tilted so that booleans, categories and missing
    values among picked rows have the frequencies of training, and otherwise change least [10]_.

    After `fit`, `coverage_` says which share of the data has samples nearby. A warning says if it
    is much below what new rows of the data would reach (mode collapse), and if the critic tells
    all samples from data so surely that the generator learns nothing more.

    See Also
    --------
    RealNVP : Exact densities.
    VAE : Codes, and a bound of the density.

    References
    ----------
    .. [1] Goodfellow et al. (2014). Generative adversarial nets. NeurIPS.
    .. [2] Lin, Khetan, Fanti and Oh (2018). PacGAN: the power of two samples in generative
       adversarial networks. NeurIPS.
    .. [3] Huang et al. (2024). The GAN is dead; long live the GAN! A modern baseline GAN. NeurIPS.
    .. [4] Gulrajani et al. (2017). Improved training of Wasserstein GANs. NeurIPS.
    .. [5] Naeem et al. (2020). Reliable fidelity and diversity metrics for generative models.
       ICML, section 3.2.
    .. [6] Tancik et al. (2020). Fourier features let networks learn high frequency functions in low
       dimensional domains. NeurIPS.
    .. [7] Khayatkhoei, Elgammal and Singh (2018). Disconnected manifold learning for generative
       adversarial networks. NeurIPS, section 3.
    .. [8] Grover et al. (2019). Bias correction of learned generative models using
       likelihood-free importance weighting. NeurIPS, section 3 and algorithm 1.
    .. [9] Jang, Gu and Poole (2017). Categorical reparameterization with Gumbel-softmax. ICLR,
       section 2.2.
    .. [10] Ireland and Kullback (1968). Contingency tables with given marginals. Biometrika 55(1).

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
        "Normal numbers of noise that make a row; None takes as many as features. More make it "
        "harder to keep distant clusters apart.",
        integer(1),
        None,
    )
    n_coins: int = param(
        8, "Numbers of noise, beside them, that are 1 or -1: they pick a cluster.", integer(0)
    )
    hidden_layer_sizes: tuple = param(
        (128, 128), "Units of the generator's hidden layers.", tuple, list
    )
    critic_layer_sizes: tuple | None = param(
        None, "Units of the critic's hidden layers; None as the generator's.", tuple, list, None
    )
    activation: str = param("relu", "Of the generator's hidden layers.", choice(*ACTIVATIONS))
    loss: str = param("relativistic", "What critic and generator play for.", choice(*CRITIC_LOSSES))
    gradient_penalty: float = param(
        0.01,
        "Weight of the critic's squared slope at real and generated rows; with 'wasserstein' of "
        "its squared distance from 1 between them.",
        real(0),
    )
    pack: int = param(1, "Rows that the critic judges together.", integer(1))
    n_octaves: int = param(
        5,
        "The critic sees of each value sines and cosines of this many frequencies, each twice the "
        "last, so that it tells fine structure early [6]_, but of none with a period below two "
        "spacings of rows, which tells single rows; 0 for the values alone, as always where "
        "columns are of several kinds.",
        integer(0),
    )
    spectral_norm: bool = param(
        False, "Whether the critic's weights are divided by their spectral norm.", "boolean"
    )
    critic_steps: int = param(1, "Updates of the critic for each of the generator.", integer(1))
    critic_learning_rate: float | None = param(
        None,
        "Learning rate of the critic; None as the generator's, which is `learning_rate`.",
        real(0, closed="neither"),
        None,
    )
    learning_rate: float = other_default(CandidateGenerator, "learning_rate", 2e-3)
    lr_schedule: str | None = other_default(CandidateGenerator, "lr_schedule", "cosine")
    gradient_clip: float | None = other_default(CandidateGenerator, "gradient_clip", None)
    batch_size: int = other_default(CandidateGenerator, "batch_size", 128)
    max_epochs: int = other_default(CandidateGenerator, "max_epochs", 200)

    _attributes = {
        "coverage_": attribute(
            "float",
            "Share of training rows with a sample nearer than their fifth neighbour [5]_, "
            "measured on at most 1,000 rows; samples of the data themselves reach 0.97.",
        )
    }

    _network: ClassVar[type[nn.Module]] = AdversarialNetwork
    _any_column: ClassVar[bool] = True

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        columns = self._mixed_columns
        if not (self.warm_start and self.__sklearn_is_fitted__()):
            self._octaves_told = _octaves_told(inputs[0][weights > 0])
        sizes = layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        critic = self.critic_layer_sizes
        return {
            "n_features": inputs[0].shape[1] - (len(columns.number_places) if columns else 0),
            "n_components": self.n_components or self.n_features_in_,
            "n_coins": self.n_coins,
            "n_context": self._n_conditions(inputs),
            "hidden_layer_sizes": sizes,
            "critic_layer_sizes": sizes
            if critic is None
            else layer_sizes("critic_layer_sizes", critic),
            "activation": self.activation,
            "pack": self.pack,
            "n_octaves": 0 if columns else min(self.n_octaves, self._octaves_told),
            "normalize_critic": bool(self.spectral_norm),
            "columns": columns.layout if columns else None,
        }

    def _initialise(self, module: nn.Module, inputs: tuple[Tensor, ...], weight: Tensor) -> None:
        network: Any = module
        with self._drawing(weight.device):
            network.initialise(inputs[0], inputs[1] if self.conditional else None, weight)

    def _phases(self) -> list[Phase]:
        def critic(module: Any, batch: Batch) -> Tensor:
            x, context = rows_and_classes(batch)
            return module.critic_loss(x, context, self.loss, self.gradient_penalty)

        def generator(module: Any, batch: Batch) -> Tensor:
            return module.generator_loss(*rows_and_classes(batch), self.loss)

        options = phase_options(self.solver)
        return [
            Phase("critic", critic, self.critic_steps, options | {"lr": self._judge_learning_rate}),
            Phase("generator", generator, 1, options | {"lr": self.learning_rate}),
        ]

    @property
    def _judge_learning_rate(self) -> float:
        """The critic's, too."""
        return self.critic_learning_rate or self.learning_rate

    def _train(self, module: Any, objective: Any, train: Any, *rest: Any, **options: Any) -> None:
        # Weights of losses would let a batch without heavy rows count for little.
        super()._train(module, objective, train.resampled(self._seed), *rest, **options)

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        """Energy distance of samples from held-out rows, by which early stopping goes."""
        network: Any = module
        distances = network.distance(*rows_and_classes(batch), batch.weight)
        return (distances * batch.weight).sum() / batch.n_rows

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        super()._finish(inputs, weights)
        rng = np.random.default_rng(self._seed)
        weighing = np.flatnonzero(weights)
        n = min(len(weighing), _MOST_ROWS)
        # None twice: its neighbours would seem to be near.
        chosen = rng.choice(weighing, size=n, replace=False)
        samples = self._draw(n, tuple(values[chosen] for values in inputs[1:]), rng)
        network: Any = self.module_
        rows = tuple(as_tensor(values[chosen], network.mean) for values in inputs)
        with torch.no_grad(), self._drawing(network.mean.device):
            real = network.standard(rows[0])
            made = (as_tensor(samples, network.mean) - network.mean) / network.scale
            self.coverage_ = _coverage(real.cpu().numpy(), made.cpu().numpy(), weights[chosen])
            margin = self._margin(rows)
        if n >= _FEWEST_ROWS:
            self._warn(margin)

    def _margin(self, rows: tuple[Tensor, ...]) -> float:
        """By how much the critic rates the worst of the rows higher than the best generated."""
        network: Any = self.module_
        real, made = (network.critic(packs) for packs in network(*rows))
        return (real.min() - made.max()).item()

    def _warn(self, margin: float) -> None:
        if self.coverage_ < 0.25 * _OF_FRESH_ROWS:
            warnings.warn(
                f"Mode collapse, or too little training: {self.coverage_:.0%} of the rows have "
                f"samples nearby, where new rows would have {_OF_FRESH_ROWS:.0%}. Raise pack, "
                "gradient_penalty, n_coins or n_components, or train longer.",
                ConvergenceWarning,
                stacklevel=2,
            )
        if margin > _WIDE:
            warnings.warn(
                "The critic is saturated: it tells every sample from every row by a wide margin, "
                "so that the generator learns next to nothing. Lower critic_learning_rate or "
                "critic_steps, raise gradient_penalty, or use loss='relativistic'.",
                ConvergenceWarning,
                stacklevel=2,
            )


def _coverage(rows: NDArray[Any], samples: NDArray[Any], weights: NDArray[np.float64]) -> float:
    k = min(_NEIGHBOURS, len(rows) - 1)
    if k < 1:
        return float("nan")
    own, _ = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()
    to_samples, _ = NearestNeighbors(n_neighbors=1).fit(samples).kneighbors(rows)
    return float(np.average(to_samples[:, 0] <= own[:, -1], weights=weights))


def _octaves_told(rows: NDArray[Any]) -> int:
    """Frequencies of which rows, standardised, lie dense enough to tell them (Nyquist's)."""
    rows = rows[:: -(-len(rows) // _MOST_NEIGHBOURS)]
    if len(rows) < 2:
        return 0
    spread = rows.std(axis=0)
    rows = rows / np.where(spread > 0, spread, 1)
    some = rows[:: -(-len(rows) // _MOST_ROWS)]
    distances, _ = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(some)
    spacing = np.median(distances[:, 1]) / math.sqrt(rows.shape[1])
    # The first has a period of 4, each other half of the last.
    return _MOST_OCTAVES if spacing == 0 else max(0, 1 + math.floor(math.log2(2 / spacing)))
