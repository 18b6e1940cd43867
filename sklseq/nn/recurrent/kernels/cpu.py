"""Recurrences over packed steps with their gradients written by hand.

Torch's own RNN and GRU on the CPU record a dozen autograd nodes a step, and packed input makes
each of them clear a buffer as large as the whole batch. Here a layer is one node: the forward
pass writes into preallocated slices, all that the gradient needs that does not depend on the
recurrence is computed for all steps at once, and the weights' gradients are one product each.

Arguments of both nodes: ``x (n_steps, n_features)`` packed, the four parameters in torch's layout,
``h0 (n_sequences, hidden_size)`` in packed order, and the `Packing`.
"""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from sklseq.nn.ragged.packing import Packing

__all__ = ["ACTIVATE", "GRUKernel", "RNNKernel", "gru", "rnn", "torch_weights"]

ACTIVATE: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh_, "relu": torch.relu_}


def torch_weights(rnn: Any) -> list[Tensor]:
    """The parameters of one layer in one direction, without the search of `parameters`."""
    return [rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0]


def _parameter_gradients(
    ctx: Any, d_input: Tensor, d_state: Tensor, x: Tensor, w_ih: Tensor, before: Tensor
) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, w_ih, w_hh, b_ih, b_hh from those of the two projections."""
    dx = d_input @ w_ih if ctx.needs_input_grad[0] else None
    return dx, d_input.t() @ x, d_state.t() @ before, d_input.sum(0), d_state.sum(0)


class RNNKernel(Function):
    """``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`` (Elman 1990), or relu of it."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        h0: Tensor,
        packing: Packing,
        activation: str = "tanh",
    ) -> Tensor:
        states = torch.addmm(b_ih + b_hh, x, w_ih.t())
        w_hh_t, h = w_hh.t().contiguous(), h0
        activate = ACTIVATE[activation]
        for (state,) in zip(states.split(packing.batch_sizes), strict=True):
            h = activate(state.addmm_(h[: len(state)], w_hh_t))
        ctx.save_for_backward(x, w_ih, w_hh, h0, states)
        ctx.packing, ctx.activation = packing, activation
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, w_ih, w_hh, h0, states = ctx.saved_tensors
        d = grad.clone()
        d_h = d[:0] @ w_hh
        sizes = ctx.packing.batch_sizes
        slopes = 1 - states * states if ctx.activation == "tanh" else (states > 0).to(d.dtype)
        for d_t, slope in zip(d.split(sizes)[::-1], slopes.split(sizes)[::-1], strict=True):
            d_t[: len(d_h)] += d_h
            d_h = d_t.mul_(slope) @ w_hh
        before = torch.cat([h0, states.index_select(0, ctx.packing.previous)])
        return *_parameter_gradients(ctx, d, d, x, w_ih, before), d_h, None, None


class GRUKernel(Function):
    """Gated recurrent unit (Cho et al. 2014) in the form of torch and cuDNN.

    ``r, z = sigmoid(...)``, ``n = tanh(W_in x + b_in + r * (W_hn h + b_hn))``,
    ``h' = (1 - z) * n + z * h``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        h0: Tensor,
        packing: Packing,
    ) -> Tensor:
        size = w_hh.shape[1]
        from_x = torch.addmm(b_ih, x, w_ih.t())
        gates = torch.empty_like(from_x)  # r, z and the recurrent part of n
        new, states = x.new_empty(2, len(x), size)
        w_hh_t, h = w_hh.t().contiguous(), h0
        r, z, n_h = gates.split(size, dim=1)
        views = (from_x[:, : 2 * size], from_x[:, 2 * size :], gates, gates[:, : 2 * size])
        tensors = (*views, r, z, n_h, new, states)
        # Views of each step, side by side.
        steps = zip(*map(operator.methodcaller("split", packing.batch_sizes), tensors), strict=True)
        for x_rz, x_n, gate, rz, r_t, z_t, n_h_t, new_t, state in steps:
            h = h[: len(state)]
            torch.addmm(b_hh, h, w_hh_t, out=gate)
            rz.add_(x_rz).sigmoid_()
            torch.addcmul(x_n, r_t, n_h_t, out=new_t).tanh_()
            h = torch.lerp(new_t, h, z_t, out=state)
        ctx.save_for_backward(x, w_ih, w_hh, h0, gates, new, states)
        ctx.packing = packing
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, w_ih, w_hh, h0, gates, new, states = ctx.saved_tensors
        size = w_hh.shape[1]
        r, z, n_h = gates.split(size, dim=1)
        before = torch.cat([h0, states.index_select(0, ctx.packing.previous)])
        # d_state = slopes * d_h elementwise: only d_h itself has to wait for the recurrence.
        slopes = x.new_empty(len(x), 3, size)
        slope_n = (1 - z).mul_(1 - new * new)
        torch.mul(slope_n, r, out=slopes[:, 2])
        torch.mul(slopes[:, 2] * n_h, 1 - r, out=slopes[:, 0])
        torch.mul((before - new).mul_(z), 1 - z, out=slopes[:, 1])
        d = grad.clone()
        d_state = torch.empty_like(slopes)
        flat = d_state.view(len(x), 3 * size)
        d_h = d[:0]
        split = operator.methodcaller("split", ctx.packing.batch_sizes)
        steps = zip(*map(reversed, map(split, (d, slopes, d_state, flat, z))), strict=True)
        for d_t, slope, d_state_t, flat_t, z_t in steps:
            d_t[: len(d_h)] += d_h
            torch.mul(slope, d_t.unsqueeze(1), out=d_state_t)
            d_h = torch.mul(d_t, z_t).addmm_(flat_t, w_hh)
        d_input = torch.cat([flat[:, : 2 * size], slope_n.mul_(d)], dim=1)
        return *_parameter_gradients(ctx, d_input, flat, x, w_ih, before), d_h, None


def _run(
    kernel: type[Function],
    rnn: nn.RNNBase,
    x: Tensor,
    packing: Packing,
    state: Tensor | None,
    need_last: bool,
) -> tuple[Tensor, Tensor | None]:
    """A kernel with the arguments of `dispatch`."""
    if state is None:
        h0 = x.new_zeros(packing.batch_sizes[0], rnn.hidden_size)
    else:
        h0 = state.index_select(0, packing.order)
    more = (rnn.nonlinearity,) if kernel is RNNKernel else ()
    states = kernel.apply(x, *torch_weights(rnn), h0, packing, *more)
    return states, states.index_select(0, packing.last) if need_last else None


rnn = partial(_run, RNNKernel)
gru = partial(_run, GRUKernel)
