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
from sklseq.generative._base import Generator
from sklseq.generative._conditions import rows_and_classes
from sklseq.generative._frames import within_intervals
from sklseq.nn.adversarial import CRITIC_LOSSES, AdversarialNetwork
from sklseq.nn.feedforward import ACTIVATIONS
from sklseq.nn.randomness import drawing_from
from sklseq.training import DenseRows, Trainer
from sklseq.training.adversarial import Phase
from sklseq.training.data import Batch, as_tensor
from sklseq.training.tables import hold_out, layer_sizes

__all__ = ["GAN"]

_NEIGHBOURS = 5
_MOST_ROWS = 1000
# Of fewer, chance alone covers too little.
_FEWEST_ROWS = 200
# Share of the rows that tell when the judge has learned, and what a judge loses that guesses.
_HELD_OUT, _OF_CHANCE = 0.1, 2 * math.log(2)
# Samples that each of these rows is compared with, once it has.
_COMPARISONS = 16
# With fewer rows one or two are held out: they cannot tell.
_FEWEST_JUDGED = 50


@estimator
class GAN(Generator):
    """Generative adversarial network: a generator trained to pass a critic that learns, too.

    The generator makes rows of noise, the critic tells them from rows of the data [1]_, and each
    learns from the other. Part of the noise are coins, so that rows can lie in clusters with
    nothing between them, which a continuous map cannot make of one normal distribution [7]_.
    Samples come from a generator whose weights are averaged over the steps. A GAN has no density:
    there is nothing to score rows by.

    X may be a DataFrame with columns of any kind, see `VAE`: the generator draws booleans,
    categories and what is missing, with the gradients of softer draws [9]_. One of floats alone,
    none of them missing, is read as its array, and draws may lie outside the range seen; an array
    of integers or booleans is read as a DataFrame of such columns.

    ``loss="relativistic"`` with a gradient penalty on real and generated rows is what converges
    most reliably [3]_. With ``loss="wasserstein"`` the penalty holds the critic's slope at one
    between real and generated rows [4]_. With other losses than the relativistic one, packs of
    rows show the critic what a single row does not: that all rows are alike [2]_.

    When both have learned, a judge learns from scratch to tell samples from data: its rating is
    the logarithm of the ratio of their densities. `sample` draws `n_candidates` rows for each
    that it returns and picks one with a probability proportional to that ratio, so that clusters
    get their share, and rows between them become rare [8]_. A tenth of the rows tell when the
    judge has learned enough; if it does no better than chance on them, it is not used.

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
        "last, so that it tells fine structure early [6]_; 0 for the values alone, as always where "
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
    n_candidates: int = param(
        8,
        "Rows drawn for each that `sample` returns; 1 returns them as the generator makes them. "
        "Counts with each call, if it was above 1 in `fit`.",
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
            "Share of training rows with a sample nearer than their fifth neighbour [5]_, "
            "measured on at most 1,000 rows; samples of the data themselves reach 0.97.",
        )
    }

    _network: ClassVar[type[nn.Module]] = AdversarialNetwork
    _any_column: ClassVar[bool] = True

    def _read_training(self, X: Any, y: Any, fresh: bool) -> tuple[NDArray[Any], ...]:
        X, *rest = super()._read_training(X, y, fresh)
        if (columns := self._mixed_columns) is not None:
            X = within_intervals(columns, X)
        return (X, *rest)

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        if self.solver == "lbfgs":
            raise ValueError("solver='lbfgs' minimises one loss; a GAN has two: take 'adam'.")
        sizes = layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        critic = self.critic_layer_sizes
        return {
            "n_features": inputs[0].shape[1],
            "n_components": self.n_components or self.n_features_in_,
            "n_coins": self.n_coins,
            "n_context": self._n_conditions(inputs),
            "hidden_layer_sizes": sizes,
            "critic_layer_sizes": sizes
            if critic is None
            else layer_sizes("critic_layer_sizes", critic),
            "activation": self.activation,
            "pack": self.pack,
            "n_octaves": 0 if self._mixed_columns else self.n_octaves,
            "normalize_critic": bool(self.spectral_norm),
            "columns": self._mixed_columns.layout if self._mixed_columns else None,
        }

    def _initialise(self, module: nn.Module, inputs: tuple[Tensor, ...], weight: Tensor) -> None:
        network: Any = module
        generator = torch.Generator(device=weight.device)
        generator.manual_seed(self._seed)
        with drawing_from(generator):
            network.initialise(inputs[0], inputs[1] if self.conditional else None, weight)

    def _phases(self) -> list[Phase]:
        def critic(module: Any, batch: Batch) -> Tensor:
            x, context = rows_and_classes(batch)
            return module.critic_loss(x, context, self.loss, self.gradient_penalty)

        def generator(module: Any, batch: Batch) -> Tensor:
            return module.generator_loss(*rows_and_classes(batch), self.loss)

        # Half the usual momentum: the other side moves, and old gradients mislead.
        options: dict[str, Any] = {"betas": (0.5, 0.99)} if "adam" in self.solver else {}
        rate = self.critic_learning_rate or self.learning_rate
        return [
            Phase("critic", critic, self.critic_steps, options | {"lr": rate}),
            Phase("generator", generator, 1, options | {"lr": self.learning_rate}),
        ]

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
        try:
            self._judged = self.n_candidates > 1 and self._train_judge(inputs, weights)
        except KeyboardInterrupt:
            self._judged = False
            warnings.warn(
                "The judge's training was interrupted: `sample` returns rows as the generator "
                "makes them.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.module_.eval()
        weighing = np.flatnonzero(weights)
        n = min(len(weighing), _MOST_ROWS)
        # None twice: its neighbours would seem to be near.
        chosen = rng.choice(weighing, size=n, replace=False)
        rows = tuple(values[chosen] for values in inputs)
        samples = self._draw(n, rows[1:], rng)
        network: Any = self.module_
        mean, scale = network.mean.cpu().numpy(), network.scale.cpu().numpy()
        self.coverage_ = _coverage(
            (rows[0] - mean) / scale, (samples - mean) / scale, weights[chosen]
        )
        if n >= _FEWEST_ROWS and self.coverage_ < 0.25 * (1 - 0.5**_NEIGHBOURS):
            warnings.warn(
                f"Mode collapse, or too little training: {self.coverage_:.0%} of the rows have "
                f"samples nearby, where new rows would have {1 - 0.5**_NEIGHBOURS:.0%}. "
                "Raise pack, gradient_penalty, n_coins or n_components, or train longer.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._warn_of_saturation(rows, rng.standard_normal((n, network.n_noise)))

    def _train_judge(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> bool:
        """Let the judge learn to tell samples from data; whether it can, on rows held out."""
        network: Any = self.module_
        rows = DenseRows(
            tuple(as_tensor(values, network.mean) for values in inputs),
            as_tensor(weights, network.mean),
        )
        if np.count_nonzero(weights) < _FEWEST_JUDGED:
            return False
        train, validation = hold_out(rows, weights, _HELD_OUT, self._seed)

        def objective(judge: nn.Module, batch: Batch) -> Tensor:
            return (batch.weight * network.judge_losses(*rows_and_classes(batch))).mean()

        trainer = Trainer(
            solver="adam",
            learning_rate=self.critic_learning_rate or self.learning_rate,
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
        trainer.run(network.judge, objective, train.resampled(self._seed), validation)
        return self._beats_chance(validation)

    def _beats_chance(self, rows: DenseRows) -> bool:
        """Whether the judge loses less than one that guesses, by more than a standard error.

        Each row is compared with several new samples: those of training chose the epoch.
        """
        network: Any = self.module_
        generator = torch.Generator(device=rows.weight.device).manual_seed(self._seed)
        batch = rows.take(np.arange(len(rows)))
        with torch.no_grad(), drawing_from(generator):
            losses = torch.stack(
                [network.judge_losses(*rows_and_classes(batch)) for _ in range(_COMPARISONS)]
            ).mean(dim=0)
        mean = (rows.weight * losses).mean()
        error = (rows.weight * (losses - mean)).norm() / len(rows)
        return bool(mean + error < _OF_CHANCE)

    def _warn_of_saturation(self, rows: tuple[NDArray[Any], ...], noise: NDArray[Any]) -> None:
        network: Any = self.module_
        like = network.mean
        x, *context = (torch.from_numpy(np.asarray(r)).to(like) for r in rows)
        with torch.no_grad():
            fake = network.generator(torch.from_numpy(noise).to(like), *context)
            real = (x - network.mean) / network.scale
            rated = [
                network.critic(network._packed(torch.cat([side, *context], dim=1)))
                for side in (real, fake)
            ]
        margin = (rated[0].min() - rated[1].max()).item()
        if len(x) >= _FEWEST_ROWS and margin > 5:
            warnings.warn(
                "The critic is saturated: it tells every sample from every row by a wide margin, "
                "so that the generator learns next to nothing. Lower critic_learning_rate or "
                "critic_steps, raise gradient_penalty, or use loss='relativistic'.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _draw(
        self, n_samples: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        network: Any = self.module_
        k = self.n_candidates if self._judged else 1
        noise = rng.standard_normal((n_samples * k, network.n_noise))
        condition = tuple(np.repeat(values, k, axis=0) for values in condition)
        rows = self._run("decode", noise, *condition)
        if k == 1:
            return rows
        rated = self._run("rate", rows, *condition).reshape(n_samples, k)
        # The largest of logarithms with Gumbel noise is a draw by the numbers themselves.
        chosen = (rated + rng.gumbel(size=rated.shape)).argmax(axis=1)
        return rows.reshape(n_samples, k, -1)[np.arange(n_samples), chosen]


def _coverage(rows: NDArray[Any], samples: NDArray[Any], weights: NDArray[np.float64]) -> float:
    k = min(_NEIGHBOURS, len(rows) - 1)
    if k < 1:
        return float("nan")
    own, _ = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()
    to_samples, _ = NearestNeighbors(n_neighbors=1).fit(samples).kneighbors(rows)
    return float(np.average(to_samples[:, 0] <= own[:, -1], weights=weights))
