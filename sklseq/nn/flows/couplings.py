"""Couplings: one part of the features is transformed with parameters that depend on the other."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from sklseq.nn.flows.affine_kernel import AffineKernel, is_fast, network_weights
from sklseq.nn.flows.splines import n_spline_parameters, rational_quadratic
from sklseq.nn.flows.transforms import Transform
from sklseq.nn.layers.conditioning import concat_condition
from sklseq.nn.layers.feedforward import FeedForward

__all__ = ["AffineCoupling", "Conditioner", "SplineCoupling"]

# One coupling scales at most twentyfold: layers of it stay within single precision, and scores of
# rows far from the training data stay meaningful.
_LARGEST_LOG_SCALE = 3.0

Conditioner = Callable[[int, int], nn.Module]
"""``(n_inputs, n_outputs)`` to a network whose last layer is zero."""


class _Coupling(Transform):
    """Both parts of the features are transformed in turn, with parameters from the other part.

    Dinh et al. 2017, section 3.2. Consecutive turns keep the parts split.

    Parameters
    ----------
    n_features : int
        With a single feature there is no other part: the parameters depend on the context alone.
    conditioner : callable
        Makes the network of the parameters, from its numbers of inputs and outputs.
    n_context : int, default=0
    turns : int, default=1
        Number of transformations; the second part is transformed first.
    """

    _n_parameters: int

    def __init__(
        self, n_features: int, conditioner: Conditioner, n_context: int = 0, turns: int = 1
    ):
        super().__init__()
        self.sizes = [n_features // 2, n_features - n_features // 2]
        self.networks = nn.ModuleList()
        for turn in range(turns):
            n_given, n_changed = self.sizes if self._second_changes(turn) else self.sizes[::-1]
            # A network without inputs gets a constant one.
            n_inputs = max(n_given + n_context, 1)
            self.networks.append(conditioner(n_inputs, n_changed * self._n_parameters))

    def _second_changes(self, turn: int) -> bool:
        return turn % 2 == 0 or self.sizes[0] == 0

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._take_turns(x, context, inverse=False)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._take_turns(z, context, inverse=True)

    def _take_turns(
        self, x: Tensor, context: Tensor | None, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        first, second = x.split(self.sizes, dim=1)
        log_slopes = []
        turns = range(len(self.networks))
        for turn in reversed(turns) if inverse else turns:
            network = self.networks[turn]
            if self._second_changes(turn):
                second, log_slope = self._change(second, network(_inputs(first, context)), inverse)
            else:
                first, log_slope = self._change(first, network(_inputs(second, context)), inverse)
            log_slopes.append(log_slope)
        return torch.cat([first, second], dim=1), torch.cat(log_slopes, dim=1).sum(dim=1)

    def _change(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        """New values and the logarithms of their slopes, each of shape (n, n_changed)."""
        raise NotImplementedError


def _inputs(given: Tensor, context: Tensor | None) -> Tensor:
    inputs = concat_condition(given, context)
    return inputs if inputs.shape[1] else given.new_ones(len(given), 1)


class AffineCoupling(_Coupling):
    """Scales and shifts one part of the features by functions of the other.

    Dinh et al. 2017, Density estimation using Real NVP, equations 7 and 8. The logarithm of the
    scale is bounded, so that no weights make it overflow.
    """

    _n_parameters = 2

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if not self._by_hand(context):
            return super().forward(x, context)
        networks = cast("list[FeedForward]", list(self.networks))
        return AffineKernel.apply(
            x,
            context,
            self.sizes,
            _LARGEST_LOG_SCALE,
            networks[0].plain_activation,
            len(networks),
            *network_weights(networks),
        )

    def _by_hand(self, context: Tensor | None) -> bool:
        # Not in inference: the kernel puts features first, and a row's rounding would depend on how
        # many rows there are.
        return (
            torch.is_grad_enabled()
            and self.sizes[0] > 0
            and (context is None or not context.requires_grad)
            and all(map(is_fast, self.networks))
        )

    def _change(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        raw, shift = parameters.chunk(2, dim=1)
        log_scale = _LARGEST_LOG_SCALE * torch.tanh(raw / _LARGEST_LOG_SCALE)
        if inverse:
            return (x - shift) * (-log_scale).exp(), -log_scale
        return torch.addcmul(shift, x, log_scale.exp()), log_scale


class SplineCoupling(_Coupling):
    """Transforms one part of the features by splines whose parameters depend on the other.

    Durkan et al. 2019, Neural Spline Flows. Outside [-bound, bound] it is the identity.

    Parameters
    ----------
    n_features, conditioner, n_context, turns
        As in `AffineCoupling`.
    n_bins : int, default=8
    bound : float, default=5.0
    """

    def __init__(
        self,
        n_features: int,
        conditioner: Conditioner,
        n_context: int = 0,
        turns: int = 1,
        n_bins: int = 8,
        bound: float = 5.0,
    ):
        self._n_parameters = n_spline_parameters(n_bins)
        self.bound = bound
        super().__init__(n_features, conditioner, n_context, turns)

    def _change(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        parameters = parameters.unflatten(1, (x.shape[1], self._n_parameters))
        return rational_quadratic(x, parameters, self.bound, inverse)
