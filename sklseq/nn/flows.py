"""Normalising flows: invertible transforms that return value and log-determinant in one pass.

``forward`` leads from data to noise, the way that training goes; ``inverse`` leads back. Both
return ``(value, log_det)``, where ``log_det`` of shape (n,) is the logarithm of the absolute
determinant of the Jacobian of what was computed.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from sklseq.nn.splines import n_spline_parameters, rational_quadratic

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "ClassNorm",
    "Composition",
    "Flow",
    "LULinear",
    "Permutation",
    "SplineCoupling",
    "Transform",
]

# One coupling stretches no more than twentyfold: layers of it stay within single precision, and
# rows far from the training data do not get scores that mean nothing.
_LARGEST_LOG_SCALE = 3.0

Conditioner = Callable[[int, int], nn.Module]
"""Makes a network with so many inputs and outputs, the last layer of which is zero."""


class Transform(nn.Module):
    """An invertible function of rows, perhaps another one for each `context`."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """From data towards noise.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
        context : Tensor of shape (n, n_context) or None

        Returns
        -------
        z : Tensor of shape (n, n_features)
        log_det : Tensor of shape (n,)
        """
        raise NotImplementedError

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """From noise towards data; parameters and returns as in `forward`."""
        raise NotImplementedError

    def initialise(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        """Learn from training rows what is not learnt by gradients; returns ``forward(x)``.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
        context : Tensor of shape (n, n_context) or None
        weight : Tensor of shape (n,) or None
        """
        return self.forward(x, context)[0]


class Composition(Transform):
    """Transforms one after the other.

    Parameters
    ----------
    transforms : iterable of Transform
    """

    def __init__(self, transforms: Iterable[Transform]):
        super().__init__()
        self.transforms = nn.ModuleList(transforms)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_dets = []
        for transform in self.transforms:
            x, log_det = transform(x, context)
            log_dets.append(log_det)
        return x, _total(log_dets, x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_dets = []
        for transform in reversed(self.transforms):
            z, log_det = transform.inverse(z, context)  # type: ignore[operator]
            log_dets.append(log_det)
        return z, _total(log_dets, z)

    def initialise(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        for transform in self.transforms:
            x = transform.initialise(x, context, weight)  # type: ignore[operator]
        return x


def _total(log_dets: list[Tensor], like: Tensor) -> Tensor:
    """Sum of log-determinants, some of which are one number for all rows."""
    total = sum(log_dets, torch.zeros((), dtype=like.dtype, device=like.device))
    return total.expand(len(like)) if total.ndim == 0 else total


class Permutation(Transform):
    """The features in another order.

    Parameters
    ----------
    order : Tensor of shape (n_features,)
    """

    order: Tensor
    back: Tensor

    def __init__(self, order: Tensor):
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x.index_select(1, self.order), x.new_zeros(())

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z.index_select(1, self.back), z.new_zeros(())


class ActNorm(Transform):
    """A scale and a shift for each feature, first set so that training data become standard.

    Kingma and Dhariwal 2018, Glow, section 3.1. Starts as the identity; `initialise` sets it from
    all the training data at once, not from the first batch that happens to pass.

    Parameters
    ----------
    n_features : int
    """

    def __init__(self, n_features: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(n_features))
        self.shift = nn.Parameter(torch.zeros(n_features))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return torch.addcmul(self.shift, x, self.log_scale.exp()), self.log_scale.sum()

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return (z - self.shift) * (-self.log_scale).exp(), -self.log_scale.sum()

    @torch.no_grad()
    def initialise(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        share = _shares(x, weight)
        mean = (share * x).sum(dim=0)
        scale = _scale(x - mean, share)
        self.log_scale.copy_(-scale.log())
        self.shift.copy_(-mean / scale)
        return self.forward(x)[0]


class ClassNorm(Transform):
    """A scale and a shift for each feature in each class.

    Starts as the identity; `initialise` centres each class and divides by the standard deviation
    within classes, so that a flow knows from its first step where each class lies.

    Parameters
    ----------
    n_features : int
    n_context : int
        Classes; the context has a one for the class of a row, and zeros.
    """

    def __init__(self, n_features: int, n_context: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(n_context, n_features))
        self.shift = nn.Parameter(torch.zeros(n_context, n_features))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert context is not None
        log_scale = context @ self.log_scale
        return torch.addcmul(context @ self.shift, x, log_scale.exp()), log_scale.sum(dim=1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert context is not None
        log_scale = context @ self.log_scale
        return (z - context @ self.shift) * (-log_scale).exp(), -log_scale.sum(dim=1)

    @torch.no_grad()
    def initialise(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        assert context is not None
        share = _shares(x, weight)
        in_class = (share * context).sum(dim=0).unsqueeze(1)
        # A class without weight lies at the origin, as good as anywhere.
        means = (share * context).T @ x / torch.where(in_class > 0, in_class, 1)
        scale = _scale(x - context @ means, share)
        self.log_scale.copy_(-scale.log().expand_as(means))
        self.shift.copy_(-means / scale)
        return self.forward(x, context)[0]


def _shares(x: Tensor, weight: Tensor | None) -> Tensor:
    weight = x.new_ones(len(x)) if weight is None else weight
    return (weight / weight.sum()).unsqueeze(1)


def _scale(centred: Tensor, share: Tensor) -> Tensor:
    """Weighted standard deviations; what does not vary is left as large as it is."""
    scale = (share * centred.square()).sum(dim=0).sqrt()
    return torch.where(scale > 0, scale, torch.ones_like(scale))


class LULinear(Transform):
    """A linear map ``x (LU)'`` with a unit lower and an upper triangular factor.

    Its determinant is the product of U's diagonal, which is an exponential and so never zero
    (Kingma and Dhariwal 2018, section 3.2). Starts as the identity.

    Parameters
    ----------
    n_features : int
    """

    def __init__(self, n_features: int):
        super().__init__()
        self.lower = nn.Parameter(torch.zeros(n_features, n_features))
        self.upper = nn.Parameter(torch.zeros(n_features, n_features))
        self.log_diagonal = nn.Parameter(torch.zeros(n_features))

    def factors(self) -> tuple[Tensor, Tensor]:
        """L and U."""
        eye = torch.eye(len(self.lower), dtype=self.lower.dtype, device=self.lower.device)
        return self.lower.tril(-1) + eye, self.upper.triu(1) + self.log_diagonal.exp().diag()

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        lower, upper = self.factors()
        return x @ (lower @ upper).T, self.log_diagonal.sum()

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        lower, upper = self.factors()
        half = torch.linalg.solve_triangular(lower, z.T, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper, half, upper=True).T, -self.log_diagonal.sum()


class _Coupling(Transform):
    """One part of the features is changed as the other part says (Dinh et al. 2017, section 3.2).

    Parameters
    ----------
    n_features : int
        With a single feature there is no other part, and the context alone decides.
    conditioner : callable
        Makes the network that says how, from its numbers of inputs and outputs.
    n_context : int, default=0
    first : bool, default=False
        Whether the first part is changed, and not the second.
    """

    _n_parameters: int

    def __init__(
        self, n_features: int, conditioner: Conditioner, n_context: int = 0, first: bool = False
    ):
        super().__init__()
        self.sizes = [n_features // 2, n_features - n_features // 2]
        self.first = first and n_features > 1
        n_changed = self.sizes[0] if self.first else self.sizes[1]
        n_given = n_features - n_changed + n_context
        # A network needs an input; without any, it sees a constant.
        self.network = conditioner(max(n_given, 1), n_changed * self._n_parameters)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._couple(x, context, inverse=False)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._couple(z, context, inverse=True)

    def _couple(self, x: Tensor, context: Tensor | None, inverse: bool) -> tuple[Tensor, Tensor]:
        head, tail = x.split(self.sizes, dim=1)
        changed, given = (head, tail) if self.first else (tail, head)
        seen = given if context is None else torch.cat([given, context], dim=1)
        if seen.shape[1] == 0:
            seen = x.new_ones(len(x), 1)
        changed, log_det = self._change(changed, self.network(seen), inverse)
        parts = [changed, given] if self.first else [given, changed]
        return torch.cat(parts, dim=1), log_det

    def _change(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


class AffineCoupling(_Coupling):
    """Scales and shifts one part of the features by functions of the other.

    Dinh et al. 2017, Density estimation using Real NVP, equations 7 and 8. The logarithm of the
    scale is bounded, so that no weights make it overflow.
    """

    _n_parameters = 2

    def _change(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        raw, shift = parameters.chunk(2, dim=1)
        log_scale = _LARGEST_LOG_SCALE * torch.tanh(raw / _LARGEST_LOG_SCALE)
        if inverse:
            return (x - shift) * (-log_scale).exp(), -log_scale.sum(dim=1)
        return torch.addcmul(shift, x, log_scale.exp()), log_scale.sum(dim=1)


class SplineCoupling(_Coupling):
    """Bends one part of the features by rational-quadratic splines that the other part chooses.

    Durkan et al. 2019, Neural Spline Flows. Outside [-bound, bound] values stay as they are.

    Parameters
    ----------
    n_features, conditioner, n_context, first
        As in `AffineCoupling`.
    n_bins : int, default=8
    bound : float, default=5.0
    """

    def __init__(
        self,
        n_features: int,
        conditioner: Conditioner,
        n_context: int = 0,
        first: bool = False,
        n_bins: int = 8,
        bound: float = 5.0,
    ):
        self._n_parameters = n_spline_parameters(n_bins)
        self.bound = bound
        super().__init__(n_features, conditioner, n_context, first)

    def _change(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        parameters = parameters.unflatten(1, (x.shape[1], self._n_parameters))
        y, log_slope = rational_quadratic(x, parameters, self.bound, inverse)
        return y, log_slope.sum(dim=1)


class Flow(nn.Module):
    """A density: a transform to the standard normal distribution.

    Parameters
    ----------
    transform : Transform
    """

    def __init__(self, transform: Transform):
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-density in nats, of shape (n,)."""
        z, log_det = self.transform(x, context)
        constant = 0.5 * math.log(2 * math.pi) * z.shape[1]
        return log_det - 0.5 * z.square().sum(dim=1) - constant

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The noise that a row stands for."""
        return self.transform(x, context)[0]

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The row that the noise stands for."""
        return self.transform.inverse(z, context)[0]
