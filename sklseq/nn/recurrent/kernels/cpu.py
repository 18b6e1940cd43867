"""Recurrences over packed steps with their gradients written by hand.

Torch's own RNN and GRU on the CPU record a dozen autograd nodes a step, and packed input makes
each of them clear a buffer as large as the whole batch. Here a layer is one node: the forward
pass writes into preallocated slices, all that the gradient needs that does not depend on the
recurrence is computed for all steps at once, and the weights' gradients are one product each.

A pass over the steps is an object that can run some of them again, as `parallel_time` does.

Arguments of the node: ``x (n_steps, n_features)`` packed, the four parameters in torch's layout,
``h0 (n_sequences, hidden_size)`` in packed order, the `Packing`, and the forward pass.
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

__all__ = [
    "ACTIVATE",
    "BackwardPass",
    "ForwardPass",
    "GRUForward",
    "RNNForward",
    "gru",
    "rnn",
    "torch_weights",
]

ACTIVATE: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh_, "relu": torch.relu_}


def torch_weights(rnn: Any) -> list[Tensor]:
    """The parameters of one layer in one direction, without the search of `parameters`."""
    return [rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0]


def _parameter_gradients(
    d_input: Tensor, d_state: Tensor, x: Tensor, w_ih: Tensor, before: Tensor, need_dx: bool
) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, w_ih, w_hh, b_ih, b_hh from those of the two projections."""
    dx = d_input @ w_ih if need_dx else None
    return dx, d_input.t() @ x, d_state.t() @ before, d_input.sum(0), d_state.sum(0)


class RNNBackward:
    """The gradient of `RNNForward`, given that of all states."""

    def __init__(
        self, grad: Tensor, w_hh: Tensor, before: Tensor, states: Tensor, activation: str = "tanh"
    ):
        self.d, self.w_hh, self.before = grad.clone(), w_hh, before
        self.slopes = 1 - states * states if activation == "tanh" else (states > 0).to(grad.dtype)

    def run(self, sizes: list[int]) -> Tensor:
        """All steps; what is left for the states before the first."""
        d_h = self.d[:0]
        parts = zip(self.d.split(sizes)[::-1], self.slopes.split(sizes)[::-1], strict=True)
        for d_t, slope in parts:
            d_t[: len(d_h)] += d_h
            d_h = d_t.mul_(slope) @ self.w_hh
        return d_h

    def add(self, d_h: Tensor, sizes: list[int], stop: int) -> Tensor:
        """Steps up to packed position `stop` again, for a gradient that comes on top."""
        n, part = len(d_h), slice(stop - sum(sizes), stop)
        for d_t, slope in zip(
            self.d[part].split(sizes)[::-1], self.slopes[part].split(sizes)[::-1], strict=True
        ):
            d_h = d_h * slope[:n]
            d_t[:n] += d_h
            d_h = d_h @ self.w_hh
        return d_h

    def gradients(self, x: Tensor, w_ih: Tensor, need_dx: bool) -> tuple[Tensor | None, ...]:
        """Those of x and the parameters, once all steps are done."""
        return _parameter_gradients(self.d, self.d, x, w_ih, self.before, need_dx)


class RNNForward:
    """``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`` (Elman 1990), or relu of it."""

    def __init__(self, rnn: nn.RNNBase, x: Tensor, weights: list[Tensor]):
        w_ih, w_hh, b_ih, b_hh = weights
        activation = str(rnn.nonlinearity)
        self.gradient = partial(RNNBackward, activation=activation)
        self.x, self.w_ih_t, self.w_hh_t = x, w_ih.t(), w_hh.t().contiguous()
        self.bias, self.activate = b_ih + b_hh, ACTIVATE[activation]
        self.states = x.new_empty(len(x), len(w_hh))
        self.kept = (self.states,)
        """What the gradient needs besides the arguments; the states are the last of it."""

    def run(self, h: Tensor, sizes: list[int], start: int = 0) -> Tensor:
        """Steps of these numbers of rows from packed position `start` on; the last states."""
        states = self.states[start : start + sum(sizes)]
        torch.addmm(self.bias, self.x[start : start + len(states)], self.w_ih_t, out=states)
        activate, w_hh_t = self.activate, self.w_hh_t
        for state in states.split(sizes):
            h = activate(state.addmm_(h[: len(state)], w_hh_t))
        return h


class GRUBackward:
    """The gradient of `GRUForward`, given that of all states.

    ``d_state = slopes * d_h`` elementwise: only d_h itself has to wait for the recurrence.
    """

    def __init__(
        self,
        grad: Tensor,
        w_hh: Tensor,
        before: Tensor,
        gates: Tensor,
        new: Tensor,
        states: Tensor,
    ):
        size = w_hh.shape[1]
        r, self.z, n_h = gates.split(size, dim=1)
        self.slopes = grad.new_empty(len(grad), 3, size)
        self.slope_n = (1 - self.z).mul_(1 - new * new)
        torch.mul(self.slope_n, r, out=self.slopes[:, 2])
        torch.mul(self.slopes[:, 2] * n_h, 1 - r, out=self.slopes[:, 0])
        torch.mul((before - new).mul_(self.z), 1 - self.z, out=self.slopes[:, 1])
        self.d, self.w_hh, self.before = grad.clone(), w_hh, before
        self.d_state = torch.empty_like(self.slopes)
        self.flat = self.d_state.view(len(grad), 3 * size)

    def run(self, sizes: list[int]) -> Tensor:
        """All steps; what is left for the states before the first."""
        d_h = self.d[:0]
        tensors = (self.d, self.slopes, self.d_state, self.flat, self.z)
        steps = zip(*(reversed(each.split(sizes)) for each in tensors), strict=True)
        for d_t, slope, d_state_t, flat_t, z_t in steps:
            d_t[: len(d_h)] += d_h
            torch.mul(slope, d_t.unsqueeze(1), out=d_state_t)
            d_h = torch.mul(d_t, z_t).addmm_(flat_t, self.w_hh)
        return d_h

    def add(self, d_h: Tensor, sizes: list[int], stop: int) -> Tensor:
        """Steps up to packed position `stop` again, for a gradient that comes on top."""
        n, part = len(d_h), slice(stop - sum(sizes), stop)
        d_state = d_h.new_empty(n, *self.slopes.shape[1:])
        flat = d_state.flatten(1)
        tensors = (self.d[part], self.slopes[part], self.flat[part], self.z[part])
        steps = zip(*(reversed(each.split(sizes)) for each in tensors), strict=True)
        for d_t, slope, flat_t, z_t in steps:
            d_t[:n] += d_h
            torch.mul(slope[:n], d_h.unsqueeze(1), out=d_state)
            flat_t[:n] += flat
            d_h = torch.mul(d_h, z_t[:n]).addmm_(flat, self.w_hh)
        return d_h

    def gradients(self, x: Tensor, w_ih: Tensor, need_dx: bool) -> tuple[Tensor | None, ...]:
        """Those of x and the parameters, once all steps are done."""
        size = self.w_hh.shape[1]
        d_input = torch.cat([self.flat[:, : 2 * size], self.slope_n.mul_(self.d)], dim=1)
        return _parameter_gradients(d_input, self.flat, x, w_ih, self.before, need_dx)


class GRUForward:
    """Gated recurrent unit (Cho et al. 2014) in the form of torch and cuDNN.

    ``r, z = sigmoid(...)``, ``n = tanh(W_in x + b_in + r * (W_hn h + b_hn))``,
    ``h' = (1 - z) * n + z * h``.
    """

    gradient = GRUBackward

    def __init__(self, rnn: nn.RNNBase, x: Tensor, weights: list[Tensor]):
        w_ih, w_hh, b_ih, self.b_hh = weights
        size = self.size = w_hh.shape[1]
        self.w_hh_t = w_hh.t().contiguous()
        self.from_x = torch.addmm(b_ih, x, w_ih.t())
        self.gates = torch.empty_like(self.from_x)  # r, z and the recurrent part of n
        self.new, self.states = x.new_empty(2, len(x), size)
        self.kept = (self.gates, self.new, self.states)
        """What the gradient needs besides the arguments; the states are the last of it."""

    def run(self, h: Tensor, sizes: list[int], start: int = 0) -> Tensor:
        """Steps of these numbers of rows from packed position `start` on; the last states."""
        size, part = self.size, slice(start, start + sum(sizes))
        from_x, gates = self.from_x[part], self.gates[part]
        r, z, n_h = gates.split(size, dim=1)
        views = (from_x[:, : 2 * size], from_x[:, 2 * size :], gates, gates[:, : 2 * size])
        tensors = (*views, r, z, n_h, self.new[part], self.states[part])
        b_hh, w_hh_t = self.b_hh, self.w_hh_t
        # Views of each step, side by side.
        steps = zip(*map(operator.methodcaller("split", sizes), tensors), strict=True)
        for x_rz, x_n, gate, rz, r_t, z_t, n_h_t, new_t, state in steps:
            h = h[: len(state)]
            torch.addmm(b_hh, h, w_hh_t, out=gate)
            rz.add_(x_rz).sigmoid_()
            torch.addcmul(x_n, r_t, n_h_t, out=new_t).tanh_()
            h = torch.lerp(new_t, h, z_t, out=state)
        return h


ForwardPass = RNNForward | GRUForward
BackwardPass = RNNBackward | GRUBackward


class RecurrentSteps(Function):
    """States of a forward pass that was made, with their gradients."""

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
        forward: ForwardPass,
    ) -> Tensor:
        ctx.save_for_backward(x, w_ih, w_hh, h0, *forward.kept)
        ctx.packing, ctx.gradient = packing, forward.gradient
        return forward.states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, w_ih, w_hh, h0, *kept = ctx.saved_tensors
        before = torch.cat([h0, kept[-1].index_select(0, ctx.packing.previous)])
        backward = ctx.gradient(grad, w_hh, before, *kept)
        d_h = backward.run(ctx.packing.batch_sizes)
        return *backward.gradients(x, w_ih, ctx.needs_input_grad[0]), d_h, None, None


def _run(
    forward_pass: Callable[..., ForwardPass],
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
    weights = torch_weights(rnn)
    with torch.no_grad():
        forward = forward_pass(rnn, x, weights)
        forward.run(h0, packing.batch_sizes)
    states = RecurrentSteps.apply(x, *weights, h0, packing, forward)
    return states, states.index_select(0, packing.last) if need_last else None


rnn = partial(_run, RNNForward)
gru = partial(_run, GRUForward)
