"""Affine couplings with their networks, as one autograd function with a hand-written gradient.

Torch records about forty nodes for a coupling of two hidden layers, most of them for a few
features. Here couplings that take turns are one node. Tensors are transposed within it, features
first: parts of the features are then contiguous, and products with few of them are fast.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from sklseq._compat.torch import relu_backward_, tanh_backward_
from sklseq.nn.layers.feedforward import FeedForward

__all__ = ["AffineKernel", "is_fast", "network_weights"]

# In place: the values of an activation, and from them its gradient.
_ACTIVATIONS: dict[type[nn.Module], tuple[Callable[..., Any], Callable[..., Any]]] = {
    nn.ReLU: (torch.relu_, relu_backward_),
    nn.Tanh: (torch.tanh_, tanh_backward_),
}


def is_fast(network: nn.Module) -> bool:
    """Whether the kernel supports this network."""
    return isinstance(network, FeedForward) and network.plain_activation in _ACTIVATIONS


def network_weights(networks: Sequence[FeedForward]) -> list[Tensor]:
    """Weight and bias of each layer of each network, in turn."""
    layers = [layer for network in networks for layer in network.linears()]
    return [tensor for layer in layers for tensor in (layer.weight, layer.bias)]


class AffineKernel(Function):
    """``x_k exp(s) + t`` by turns, with ``(a, t) = network(x_l)`` and ``s = c tanh(a / c)``.

    Arguments: ``x (n, n_features)``; ``context (n, n_context)`` or None, which gets no gradient;
    ``sizes`` of the two parts, the second of which is transformed first; ``bound`` c;
    ``activation``, a key of the supported ones; the number of turns; the weights. Returns the new
    x, and the sum of all s.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        context: Tensor | None,
        sizes: list[int],
        bound: float,
        activation: type[nn.Module],
        n_turns: int,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        activate, _ = _ACTIVATIONS[activation]
        parts = list(x.t().contiguous().split(sizes))
        saved, log_scales = [], []
        for turn, (*hidden, weight, bias) in enumerate(_of_turns(weights, n_turns)):
            changed = 1 - turn % 2
            given = parts[1 - changed]
            h = (given if context is None else torch.cat([given, context.t()])).t()
            saved += [parts[changed], h]
            for w, b in zip(hidden[::2], hidden[1::2], strict=True):
                h = activate(torch.addmm(b, h, w.t()))
                saved.append(h)
            raw, shift = torch.addmm(bias.unsqueeze(1), weight, h.t()).chunk(2)
            squashed = (raw / bound).tanh_()
            log_scale = bound * squashed
            scale = log_scale.exp()
            saved += [squashed, scale]
            log_scales.append(log_scale)
            parts[changed] = torch.addcmul(shift, parts[changed], scale)
        ctx.save_for_backward(*saved, *weights)
        ctx.settings = sizes, activation, n_turns, len(saved)
        return torch.cat(parts).t(), torch.cat(log_scales).sum(dim=0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_z: Tensor, d_log_det: Tensor) -> Any:
        sizes, activation, n_turns, n_saved = ctx.settings
        _, slope = _ACTIVATIONS[activation]
        saved = _of_turns(ctx.saved_tensors[:n_saved], n_turns)
        weights = _of_turns(ctx.saved_tensors[n_saved:], n_turns)
        d_parts = list(d_z.t().contiguous().split(sizes))
        d_weights: list[Tensor] = []  # the last one first
        for turn in reversed(range(n_turns)):
            changed = 1 - turn % 2
            x, *inputs, squashed, scale = saved[turn]
            d_shift = d_parts[changed]
            d_parts[changed] = d_shift * scale
            d_log_scale = torch.addcmul(d_log_det, d_parts[changed], x)
            d_raw = torch.addcmul(d_log_scale, squashed.square(), d_log_scale, value=-1)
            d = torch.cat([d_raw, d_shift]).t()
            for weight, h in zip(weights[turn][-2::-2], reversed(inputs), strict=True):
                is_first = h is inputs[0]
                d_weights += [d.sum(dim=0), (h.t() @ d).t() if is_first else d.t() @ h]
                if not is_first:
                    d = d @ weight
                    slope(d, h)
            given = 1 - changed
            d_parts[given] = torch.addmm(d_parts[given], weight[:, : sizes[given]].t(), d.t())
        return torch.cat(d_parts).t(), None, None, None, None, None, *reversed(d_weights)


def _of_turns(tensors: Sequence[Tensor], n_turns: int) -> list[Sequence[Tensor]]:
    n = len(tensors) // n_turns
    return [tensors[turn * n : (turn + 1) * n] for turn in range(n_turns)]
