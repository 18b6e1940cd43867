"""Losses of real targets: what of the distribution of a target the outputs of a network say.

A loss takes `n_parameters` outputs for each of the values of a target, in blocks: the first for
all values, then the second. What they mean for a prediction is computed in numpy in double
precision, outside the network.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sklseq.nn.layers.likelihoods import LARGEST_LOG_SCALE

__all__ = ["REGRESSION_LOSSES", "Loss", "QuantileLoss", "make_loss"]

Array = NDArray[Any]


class Loss:
    """The squared error, whose minimum is the mean; base of the others.

    Targets are counted from a center, in units of a scale, both given by `unit`.
    """

    n_parameters: int = 1
    has_std: ClassVar[bool] = False
    """Whether outputs tell a standard deviation."""
    is_linear: ClassVar[bool] = True
    """Whether predictions are outputs, in units of the target."""
    unit: ClassVar[str] = "deviation"
    """Scale of targets: standard "deviation" around the mean; "spread" between the first and the
    last tenth around the median, which outliers do not move; "mean", from zero."""

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss of each value, ``(n, n_values)``, of outputs ``(n, n_parameters * n_values)``."""
        return (outputs - target).square()

    def predicted(self, outputs: Array) -> Array:
        """What is predicted, ``(n, n_values)``; of several levels ``(n, n_values, n_levels)``."""
        return self.parameters(outputs)[0]

    def std(self, outputs: Array) -> Array:
        """Standard deviation ``(n, n_values)``, where `has_std`."""
        raise NotImplementedError

    def drawn(self, outputs: Array, rng: np.random.Generator) -> Array:
        """Random values ``(n, n_values)`` of the distribution, where `has_std`."""
        raise NotImplementedError

    def parameters(self, outputs: Any) -> Any:
        """The outputs ``(n_parameters, n, n_values)``, of a tensor or an array."""
        n_values = outputs.shape[1] // self.n_parameters
        return [outputs[:, i * n_values : (i + 1) * n_values] for i in range(self.n_parameters)]


class _AbsoluteError(Loss):
    """Absolute error, whose minimum is the median."""

    unit = "spread"

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        return (outputs - target).abs()


class _Huber(Loss):
    """Half the squared error up to one unit, beyond which it grows linearly (Huber 1964)."""

    unit = "spread"

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        return functional.huber_loss(outputs, target, reduction="none")


class _Poisson(Loss):
    """Negative log-likelihood of counts, up to what does not depend on the rate ``exp(output)``.

    Of targets divided by their mean it is that of the targets, divided by it.
    """

    is_linear, unit = False, "mean"

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        return functional.poisson_nll_loss(outputs, target, reduction="none")

    def predicted(self, outputs: Array) -> Array:
        return np.exp(outputs.astype(np.float64))


class QuantileLoss(Loss):
    """Pinball losses, whose minima are quantiles (Koenker and Bassett 1978, equation 2.1).

    Parameters
    ----------
    levels : sequence of float
    several : bool
        Whether predictions have an axis of levels.
    """

    unit = "spread"

    def __init__(self, levels: Sequence[float], several: bool):
        self.levels, self.several = tuple(levels), several
        self.n_parameters, self.is_linear = len(levels), not several  # type: ignore[misc]

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        parts = []
        for level, output in zip(self.levels, self.parameters(outputs), strict=True):
            error = target - output
            parts.append(torch.maximum(level * error, (level - 1) * error))
        return sum(parts[1:], parts[0]) / len(parts)

    def predicted(self, outputs: Array) -> Array:
        if not self.several:
            return outputs
        # Of levels that cross, sorting brings each nearer to the truth (Chernozhukov,
        # Fernández-Val and Galichon 2010).
        order = np.argsort(np.argsort(self.levels, kind="stable"), kind="stable")
        values = np.sort(np.stack(self.parameters(outputs), axis=-1), axis=-1)
        return values[..., order]


class _Normal(Loss):
    """Negative log-likelihood of a normal distribution (Nix and Weigend 1994).

    Outputs are its mean and, by the logarithm, its standard deviation.
    """

    n_parameters, has_std, is_linear = 2, True, False

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        mean, raw = self.parameters(outputs)
        log_scale = _log_scale(raw)
        squares = ((target - mean) * (-log_scale).exp()).square()
        return 0.5 * squares + log_scale + 0.5 * math.log(2 * math.pi)

    def std(self, outputs: Array) -> Array:
        return _scale(self.parameters(outputs)[1])

    def drawn(self, outputs: Array, rng: np.random.Generator) -> Array:
        mean = self.predicted(outputs)
        return mean + self.std(outputs) * rng.standard_normal(mean.shape)


class _StudentT(Loss):
    """Negative log-likelihood of Student's t-distribution.

    Outputs are its location, scale and degrees of freedom: more than two, with which there is a
    standard deviation.
    """

    n_parameters, has_std, is_linear, unit = 3, True, False, "spread"

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        location, raw_scale, raw_freedom = self.parameters(outputs)
        log_scale = _log_scale(raw_scale)
        freedom = _LEAST_FREEDOM + functional.softplus(raw_freedom + _FREEDOM_AT_ZERO)
        squares = ((target - location) * (-log_scale).exp()).square()
        half = 0.5 * (freedom + 1)
        normalizer = torch.lgamma(half) - torch.lgamma(0.5 * freedom)
        normalizer = normalizer - 0.5 * (math.pi * freedom).log() - log_scale
        return half * torch.log1p(squares / freedom) - normalizer

    def std(self, outputs: Array) -> Array:
        freedom = self._freedom(outputs)
        return _scale(self.parameters(outputs)[1]) * np.sqrt(freedom / (freedom - 2))

    def drawn(self, outputs: Array, rng: np.random.Generator) -> Array:
        location, raw_scale, _ = self.parameters(outputs)
        return location + _scale(raw_scale) * rng.standard_t(self._freedom(outputs))

    def _freedom(self, outputs: Array) -> Array:
        raw = self.parameters(outputs)[2].astype(np.float64)
        return _LEAST_FREEDOM + np.logaddexp(0, raw + _FREEDOM_AT_ZERO)


# With fewer the standard deviation of a few extreme values would be that of all.
_LEAST_FREEDOM = 2.1
# Outputs start near zero: about ten degrees of freedom.
_FREEDOM_AT_ZERO = 8.0


def _log_scale(raw: Tensor) -> Tensor:
    return LARGEST_LOG_SCALE * torch.tanh(raw / LARGEST_LOG_SCALE)


def _scale(raw: Array) -> Array:
    raw = raw.astype(np.float64)
    return np.exp(LARGEST_LOG_SCALE * np.tanh(raw / LARGEST_LOG_SCALE))


REGRESSION_LOSSES: dict[str, Callable[[], Loss]] = {
    "squared_error": Loss,
    "absolute_error": _AbsoluteError,
    "huber": _Huber,
    "poisson": _Poisson,
    "gaussian": _Normal,
    "student_t": _StudentT,
}


def make_loss(name: str, quantile: float | Sequence[float] | None = None) -> Loss:
    """The loss of a name, one of `REGRESSION_LOSSES` or "quantile" of a level, or of several."""
    if name != "quantile":
        return REGRESSION_LOSSES[name]()
    if isinstance(quantile, Sequence):
        return QuantileLoss(quantile, True)
    return QuantileLoss((0.5 if quantile is None else quantile,), False)
