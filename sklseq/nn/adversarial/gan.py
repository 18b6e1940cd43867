"""Generative adversarial networks: generator, critic and what each of them loses."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus
from torch.nn.utils.parametrizations import spectral_norm

from sklseq._compat.torch import lerp_all_
from sklseq.nn.adversarial.mixed_rows import Frequencies, MixedRows
from sklseq.nn.codes.conditional import beside
from sklseq.nn.layers.feedforward import FeedForward
from sklseq.nn.layers.mixed import Layout
from sklseq.nn.layers.randomness import current_generator

__all__ = [
    "CRITIC_LOSSES",
    "GENERATOR_LOSSES",
    "AdversarialNetwork",
    "critic_loss",
    "critic_network",
    "energy_distances",
]

_Loss = Callable[[Tensor, Tensor], Tensor]
# Of the critic's outputs for real and for generated packs, both to be minimised.
CRITIC_LOSSES: dict[str, _Loss] = {
    "minmax": lambda real, fake: softplus(-real) + softplus(fake),
    "non_saturating": lambda real, fake: softplus(-real) + softplus(fake),
    "least_squares": lambda real, fake: (real - 1).square() + fake.square(),
    "hinge": lambda real, fake: relu(1 - real) + relu(1 + fake),
    "wasserstein": lambda real, fake: fake - real,
    "relativistic": lambda real, fake: softplus(fake - real),
}
GENERATOR_LOSSES: dict[str, _Loss] = {
    "minmax": lambda real, fake: -softplus(fake),
    "non_saturating": lambda real, fake: softplus(-fake),
    "least_squares": lambda real, fake: (fake - 1).square(),
    "hinge": lambda real, fake: -fake,
    "wasserstein": lambda real, fake: -fake,
    "relativistic": lambda real, fake: softplus(real - fake),
}
# Share of the old average that a step keeps, once there were many.
_DECAY = 0.995


class _RowGenerator(nn.Module):
    """Noise to rows; data are standardised outside, and classes start where they lie.

    The last numbers of the noise count by their sign alone: coins, which put rows into clusters
    that lie apart, where a continuous map would draw a bridge of rows between them.
    """

    def __init__(
        self,
        n_features: int,
        n_components: int,
        n_coins: int,
        n_context: int,
        sizes: tuple[int, ...],
        activation: str,
    ):
        super().__init__()
        self.parts = (n_components, n_coins)
        n_inputs = n_components + n_coins + n_context
        self.network = FeedForward((n_inputs, *sizes, n_features), activation=activation, init="he")
        self.class_start = nn.Parameter(torch.zeros(n_context, n_features))

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        smooth, coins = z.split(self.parts, dim=1)
        if context is None:
            return self.network(torch.cat([smooth, coins.sign()], dim=1))
        seen = torch.cat([smooth, coins.sign(), context], dim=1)
        return self.network(seen) + context @ self.class_start


class _Waves(nn.Module):
    """Beside each value its sine and cosine at doubling frequencies.

    Networks learn what is coarse first; waves show them what is fine (Tancik et al. 2020).
    """

    frequencies: Tensor

    def __init__(self, n_octaves: int):
        super().__init__()
        frequencies = math.pi / 2 * 2.0 ** torch.arange(n_octaves)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        phases = (x.unsqueeze(-1) * self.frequencies).flatten(1)
        return torch.cat([x, phases.sin(), phases.cos()], dim=1)


def critic_network(
    n_inputs: int, sizes: Sequence[int], n_octaves: int = 0, normalize: bool = False
) -> nn.Sequential:
    """A network that rates packs, ``(n, n_inputs)`` to ``(n, 1)``.

    Parameters
    ----------
    n_inputs : int
    sizes : sequence of int
        Hidden layers, with leaky rectifiers.
    n_octaves : int, default=0
        Frequencies of the waves that it sees of each value.
    normalize : bool, default=False
        Divide the weights by their spectral norm (Miyato et al. 2018).
    """
    n_seen = n_inputs * (1 + 2 * n_octaves)
    judge = FeedForward((n_seen, *sizes, 1), activation="leaky_relu", init="he")
    if normalize:
        for layer in judge.linears():
            spectral_norm(layer)
    return nn.Sequential(_Waves(n_octaves), judge)


def critic_loss(
    critic: nn.Module,
    real: Tensor,
    fake: Tensor,
    loss: str,
    penalty: float,
    weight: Tensor | None = None,
) -> Tensor:
    """What a critic minimises, with the penalty on its slope.

    Parameters
    ----------
    critic : Module
    real, fake : Tensor of shape (n, n_inputs)
        Without gradients.
    loss : str
        Key of `CRITIC_LOSSES`.
    penalty : float
        Weight of the squared slope at real and generated packs; with "wasserstein" of its squared
        distance from 1 between them.
    weight : Tensor of shape (n,) or None, default=None
        Of each pair of a real and a generated pack.
    """

    def mean(values: Tensor) -> Tensor:
        if weight is None:
            return values.mean()
        return (weight.repeat(len(values) // len(weight)) * values).mean()

    if penalty and loss == "wasserstein":
        share = real.new_empty(len(real), 1).uniform_(generator=current_generator())
        between = share * real + (1 - share) * fake
        _, slope = _with_slope(critic, between)
        cost = penalty * mean((slope.clamp(min=1e-12).sqrt() - 1).square())
        return mean(CRITIC_LOSSES[loss](critic(real), critic(fake))[:, 0]) + cost
    if not penalty:
        return mean(CRITIC_LOSSES[loss](critic(real), critic(fake))[:, 0])
    rated, slope = _with_slope(critic, torch.cat([real, fake]))
    losses = CRITIC_LOSSES[loss](*rated.chunk(2))
    return mean(losses[:, 0]) + penalty * mean(slope)


def _with_slope(critic: nn.Module, packs: Tensor) -> tuple[Tensor, Tensor]:
    """The critic's outputs, and the square of their gradient, at each pack."""
    packs = packs.requires_grad_()
    rated = critic(packs)
    (gradient,) = torch.autograd.grad(rated.sum(), packs, create_graph=True)
    return rated, gradient.square().sum(dim=1)


class AdversarialNetwork(nn.Module):
    """Generator and critic of Goodfellow et al. (2014), over packs of rows.

    Beside them a judge of single rows, for the time when the generator is done.

    Parameters
    ----------
    n_features : int
        Values of a generated row.
    n_components : int
        Standard normal numbers that the generator makes a row of.
    n_coins : int, default=0
        More of them, of which the generator sees the sign alone.
    n_context : int, default=0
    hidden_layer_sizes, critic_layer_sizes : sequence of int
    activation : str, default="relu"
        Of the generator; the critic has leaky rectifiers.
    pack : int, default=1
        Rows that the critic sees at once (Lin et al. 2018, PacGAN).
    n_octaves : int, default=0
        Frequencies of the waves that the critic sees of each value.
    normalize_critic : bool, default=False
        Divide the critic's weights by their spectral norm (Miyato et al. 2018).
    columns : sequence or None, default=None
        Layout of `Mixed`, where features are not all numbers: real rows then have half widths
        behind their values, and each number is drawn from its interval, for an adversary would
        know data by the few scores of whole numbers.
    """

    mean: Tensor
    scale: Tensor
    n_steps: Tensor

    def __init__(
        self,
        *,
        n_features: int,
        n_components: int,
        n_coins: int = 0,
        n_context: int = 0,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        critic_layer_sizes: Sequence[int] = (128, 128),
        activation: str = "relu",
        pack: int = 1,
        n_octaves: int = 0,
        normalize_critic: bool = False,
        columns: Layout | None = None,
    ):
        super().__init__()
        self.n_noise, self.pack = n_components + n_coins, pack
        self.generator: Any = _RowGenerator(
            n_features, n_components, n_coins, n_context, tuple(hidden_layer_sizes), activation
        )
        self.frequencies: Any = None
        if columns is not None:
            self.frequencies = Frequencies(columns, n_context)
            self.generator = MixedRows(self.generator, columns)
            self.n_noise += self.generator.n_draws
        self.average = deepcopy(self.generator).requires_grad_(False)
        n_seen = n_features + n_context
        self.critic = critic_network(pack * n_seen, critic_layer_sizes, n_octaves, normalize_critic)
        self.judge = critic_network(n_seen, critic_layer_sizes, n_octaves)
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.register_buffer("n_steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Standardise data, and let the generator start with rows of their mean and size."""
        share = (weight / weight.sum()).unsqueeze(1)
        if isinstance(self.generator, MixedRows):
            self.generator.initialise(x, context, share, self.noise(x[:1024]))
            self.average.load_state_dict(self.generator.state_dict())
            return
        self.mean.copy_((share * x).sum(dim=0))
        scale = (share * (x - self.mean).square()).sum(dim=0).sqrt()
        self.scale.copy_(torch.where(scale > 0, scale, torch.ones_like(scale)))
        standard = (x - self.mean) / self.scale
        within = standard
        if context is not None:
            in_class = (share * context).sum(dim=0).unsqueeze(1)
            means = (share * context).T @ standard / torch.where(in_class > 0, in_class, 1)
            self.generator.class_start.copy_(means)
            within = standard - context @ means
        rows = self.generator(self.noise(x[:1024]), None if context is None else context[:1024])
        if context is not None:
            rows = rows - context[:1024] @ self.generator.class_start
        spread = rows.std(dim=0, correction=0).clamp(min=1e-3)
        target = (share * within.square()).sum(dim=0).sqrt()
        output = self.generator.network.output
        output.weight.mul_((target / spread).unsqueeze(1))
        output.bias.copy_(-(rows.mean(dim=0) - output.bias) * target / spread)
        self.average.load_state_dict(self.generator.state_dict())

    def noise(self, like: Tensor) -> Tensor:
        """As many rows of noise as `like` has rows."""
        noise = like.new_empty(len(like), self.n_noise)
        return noise.normal_(generator=current_generator())

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Rows by the generator whose weights are averaged over training."""
        return torch.addcmul(self.mean, self.average(z, context), self.scale)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Real and generated rows of the same classes as the critic sees them, in packs."""
        fake = self.generator(self.noise(x), context)
        return self._packed(self.standard(x), context), self._packed(fake, context)

    def standard(self, x: Tensor) -> Tensor:
        """Real rows as they are compared with generated ones."""
        if isinstance(self.generator, MixedRows):
            heads = self.generator.heads
            uniform = torch.empty_like(x[:, heads.n_values :])
            return heads.spread(x, uniform.uniform_(generator=current_generator()))
        return (x - self.mean) / self.scale

    def rate(self, made: Tensor, context: Tensor | None = None) -> Tensor:
        """How much denser the data are than what is generated, by the judge: logarithms."""
        return self.judge(beside((made - self.mean) / self.scale, context))

    def judge_losses(self, x: Tensor, context: Tensor | None) -> Tensor:
        """What the judge minimises, of each row of x and one generated, ``(n,)``.

        It is the cross-entropy, for then the judge estimates a ratio of densities.
        """
        with torch.no_grad():
            fake = self.decode(self.noise(x), context)
        real, made = self.judge(beside(self.standard(x), context)), self.rate(fake, context)
        return CRITIC_LOSSES["non_saturating"](real, made)[:, 0]

    def _packed(self, rows: Tensor, context: Tensor | None) -> Tensor:
        """Rows side by side; a last pack that is not full takes rows from the beginning."""
        rows = beside(rows, context)
        if self.pack == 1:
            return rows
        n_packs = -(-len(rows) // self.pack)
        index = torch.arange(n_packs * self.pack, device=rows.device) % len(rows)
        return rows[index].reshape(n_packs, -1)

    def critic_loss(self, x: Tensor, context: Tensor | None, loss: str, penalty: float) -> Tensor:
        """What the critic minimises."""
        real, fake = (rows.detach() for rows in self(x, context))
        return critic_loss(self.critic, real, fake, loss, penalty)

    def generator_loss(self, x: Tensor, context: Tensor | None, loss: str) -> Tensor:
        """What the generator minimises."""
        real, fake = self.standard(x), self.generator(self.noise(x), context)
        rated = (self.critic(self._packed(rows, context)) for rows in (real, fake))
        deceived = GENERATOR_LOSSES[loss](*rated).mean()
        if self.frequencies is None:
            return deceived
        return deceived + self.frequencies(real, fake, context)

    @torch.no_grad()
    def after_step(self) -> None:
        """Let the average follow the generator."""
        self.n_steps += 1
        # Early on the average forgets faster, or it would remember the start.
        decay = min(_DECAY, 1 - 10 / (10 + self.n_steps.item()))
        averages, latest = self.average.parameters(), self.generator.parameters()
        lerp_all_(list(averages), list(latest), 1 - decay)

    @torch.no_grad()
    def distance(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        """Energy distance of generated rows from x, per row of x."""
        fake = self.average(self.noise(x), context)
        return energy_distances(self.standard(x), fake, weight)


def energy_distances(real: Tensor, fake: Tensor, weight: Tensor | None = None) -> Tensor:
    """What each real row adds to the energy distance of both sets, ``(n,)``.

    Over the square root of the number of columns (Szekely and Rizzo 2013, equation 5). Weights
    are of pairs of a real and a generated row.
    """
    share = torch.ones_like(real[:, 0]) if weight is None else weight / weight.mean()
    pairs = share.unsqueeze(1) * share
    across = (share * _distances(real, fake)).mean(dim=1)
    within = 0.5 * sum((pairs * _distances(rows, rows)).mean() for rows in (real, fake))
    return 2 * (across - within) / math.sqrt(real.shape[1])


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
