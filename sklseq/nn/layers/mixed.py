"""The likelihood of rows with numbers, booleans and categories, some of which may be missing."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot, pad

from sklseq.nn.layers.likelihoods import Gaussian, Likelihood

__all__ = ["Layout", "Mixed", "interval_log_prob"]

Layout = Sequence[tuple[str, int, bool, float]]
"""Of each column: kind, width, whether it has an indicator, logarithm of its step."""

# The logit of a probability of zero; an infinity times zero would be NaN.
_NEVER = -1e4
# Half widths, in standard deviations, up to which the density is taken as constant.
_NARROW = 0.02
_LEAST_SHARE = 1e-4


class Mixed(Likelihood):
    """Independent columns, each with the distribution of its kind.

    A number is an interval of a normal distribution whose noise is that of its column; its
    log-probability minus the log of its step is a log-density, averaged over the step. A boolean
    and an indicator of a missing value have a Bernoulli distribution, a category a categorical
    one. A missing value contributes the log-probability of its indicator alone.

    Parameters
    ----------
    layout : sequence of (kind, width, has indicator, log of step)
        One for each column, as `sklseq.data.Columns.layout`. Rows are as `Columns.encode` gives
        them: behind their `n_values` stand the half widths of the numbers.
    noise : str or float, default="learned"
        Standard deviation of normal scores: learned for each column, or a number that is kept.
    """

    numbers: Tensor
    binary: Tensor
    categories: Tensor
    owner: Tensor
    log_step: Tensor

    def __init__(self, layout: Layout, noise: str | float):
        super().__init__()
        self.n_values = self.n_parameters = n = sum(width + has for _, width, has, _ in layout)
        numbers, binary, categories = list[int](), list[int](), list[range]()
        # Position of each value's indicator; one behind all values stands for "never missing".
        owner: list[int] = []
        for kind, width, has_indicator, _ in layout:
            indicator = len(owner) if has_indicator else n
            if has_indicator:
                binary.append(indicator)
                owner.append(n)
            places = range(len(owner), len(owner) + width)
            owner += [indicator] * width
            if kind == "category" and width:
                categories.append(places)
            elif width:
                (numbers if kind == "number" else binary).extend(places)
        widest = max(map(len, categories), default=0)
        padded = [[*places, *[n] * (widest - len(places))] for places in categories]
        self.noise = Gaussian(len(numbers), "diagonal" if isinstance(noise, str) else noise)
        for name, index in {"numbers": numbers, "binary": binary, "owner": owner}.items():
            self.register_buffer(name, torch.tensor(index, dtype=torch.int64), persistent=False)
        table = torch.tensor(padded, dtype=torch.int64).reshape(len(padded), widest)
        self.register_buffer("categories", table, persistent=False)
        log_step = torch.tensor([step for kind, _, _, step in layout if kind == "number"])
        self.register_buffer("log_step", log_step, persistent=False)

    def present(self, x: Tensor) -> Tensor:
        """1 for each of the `n_values` that is observed, 0 where its column is missing."""
        return 1 - pad(x[:, : self.n_values], (0, 1)).index_select(1, self.owner)

    def drawn_from_intervals(self, x: Tensor, uniform: Tensor) -> Tensor:
        """The values of rows, each number drawn from its interval.

        Parameters
        ----------
        x : Tensor of shape (n, n_values and half widths)
        uniform : Tensor of shape (n, number of half widths)
        """
        values, half_widths = x[:, : self.n_values], x[:, self.n_values :]
        center = self._of_numbers(values)
        # The lower tail: probabilities of the upper one are rounded to one.
        low, high = (torch.special.ndtr(side * half_widths - center.abs()) for side in (-1.0, 1.0))
        share = (low + uniform * (high - low)).clamp(max=1 - torch.finfo(x.dtype).eps)
        drawn = torch.special.ndtri(share) * torch.where(center > 0, -1.0, 1.0)
        return values.index_copy(1, self.numbers, torch.where(half_widths > 0, drawn, center))

    def _of_numbers(self, values: Tensor) -> Tensor:
        return values.index_select(1, self.numbers)

    def _of_binary(self, values: Tensor) -> Tensor:
        return values.index_select(1, self.binary)

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        values, half_widths = x[:, : self.n_values], x[:, self.n_values :]
        present = self.present(x)
        of_binary = -binary_cross_entropy_with_logits(
            self._of_binary(parameters), self._of_binary(values), reduction="none"
        )
        observed = self._of_numbers(present)
        log_scale = self.noise.log_scale()
        of_numbers = interval_log_prob(
            (self._of_numbers(values) - self._of_numbers(parameters)) * (-log_scale).exp(),
            torch.where(observed > 0, half_widths, 1.0) * (-log_scale).exp(),
        )
        of_numbers = observed * (of_numbers - self.log_step)
        chosen = pad(values, (0, 1))[:, self.categories]
        of_categories = chosen * self._logits(parameters).log_softmax(dim=2)
        of_binary = self._of_binary(present) * of_binary
        return of_binary.sum(dim=1) + of_numbers.sum(dim=1) + of_categories.sum(dim=(1, 2))

    def _logits(self, parameters: Tensor) -> Tensor:
        """Logits of categories, ``(n, n_categorical, largest number of categories)``."""
        return pad(parameters, (0, 1), value=_NEVER)[:, self.categories]

    def _filled(self, numbers: Tensor, binary: Tensor, categories: Tensor) -> Tensor:
        """Rows ``(n, n_values)`` of the values of each kind."""
        rows = numbers.new_zeros(len(numbers), self.n_values + 1)
        rows = rows.index_copy(1, self.numbers, numbers).index_copy(1, self.binary, binary)
        # The padding is written to the column behind all values.
        rows = rows.index_copy(1, self.categories.flatten(), categories.flatten(1))
        return rows[:, : self.n_values]

    def mean(self, parameters: Tensor) -> Tensor:
        return self._filled(
            self._of_numbers(parameters),
            self._of_binary(parameters).sigmoid(),
            self._logits(parameters).softmax(dim=2),
        )

    def draw(self, parameters: Tensor, uniform: Tensor) -> Tensor:
        noisy = self._perturbed(parameters, uniform)
        return self._filled(
            self.noise.draw(self._of_numbers(parameters), self._of_numbers(uniform)),
            (self._of_binary(noisy) > 0).to(parameters.dtype),
            self._one_hot(self._logits(noisy)),
        )

    def draw_through(self, parameters: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Rows with straight-through Gumbel-softmax gradients (Jang et al. 2017).

        Booleans, indicators and categories are drawn, and have the gradient of a relaxed draw;
        numbers are the parameters themselves, and zero where they are missing.
        """
        noisy = self._perturbed(parameters, uniform)
        logits, binary = self._logits(noisy), self._of_binary(noisy)
        soft_binary = (binary / temperature).sigmoid()
        soft = (logits / temperature).softmax(dim=2)
        rows = self._filled(
            self._of_numbers(parameters),
            (binary > 0).to(soft) + (soft_binary - soft_binary.detach()),
            self._one_hot(logits) + (soft - soft.detach()),
        )
        return rows * self.present(rows)

    def _perturbed(self, parameters: Tensor, uniform: Tensor) -> Tensor:
        """Logits with noise, so that the largest one, or the sign, is a draw (Gumbel-max trick)."""
        uniform = uniform[:, : self.n_values]
        smallest = torch.finfo(uniform.dtype).eps
        uniform = uniform.clamp(smallest, 1 - smallest)
        noise = -(-uniform.log()).log()
        return parameters + noise.index_copy(1, self.binary, self._of_binary(uniform).logit())

    @staticmethod
    def _one_hot(logits: Tensor) -> Tensor:
        if not logits.shape[2]:
            return logits
        return one_hot(logits.argmax(dim=2), logits.shape[2]).to(logits.dtype)

    def initial_parameters(self, x: Tensor, share: Tensor) -> Tensor:
        share = self._share_of_present(x, share)
        mean = (share * x[:, : self.n_values]).sum(dim=0)
        initial = mean.clamp(_LEAST_SHARE, 1 - _LEAST_SHARE).log()
        initial[self.numbers] = mean[self.numbers]
        initial[self.binary] = mean[self.binary].clamp(_LEAST_SHARE, 1 - _LEAST_SHARE).logit()
        return initial

    def initialize(self, parameters: Tensor, x: Tensor, share: Tensor) -> None:
        share = self._of_numbers(self._share_of_present(x, share))
        self.noise.initialize(self._of_numbers(parameters), self._of_numbers(x), share)

    def _share_of_present(self, x: Tensor, share: Tensor) -> Tensor:
        weight = share * self.present(x)
        total = weight.sum(dim=0)
        return weight / torch.where(total > 0, total, 1.0)


def interval_log_prob(z: Tensor, half_width: Tensor) -> Tensor:
    """Log-probability of a standard normal number in ``z - half_width .. z + half_width``."""
    is_narrow = half_width < _NARROW
    density = -0.5 * z.square() - 0.5 * math.log(2 * math.pi) + (2 * half_width).log()
    # In the lower tail, with a width that avoids a division by zero.
    half_width = torch.where(is_narrow, 1.0, half_width)
    larger = torch.special.log_ndtr(half_width - z.abs())
    smaller = torch.special.log_ndtr(-half_width - z.abs())
    # Far from the mean both round to the same.
    share = -torch.expm1(smaller - larger).clamp(max=-torch.finfo(z.dtype).eps)
    return torch.where(is_narrow, density, larger + share.log())
