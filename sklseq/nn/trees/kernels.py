"""Steps of tree LSTMs over one level, with their gradients written by hand.

Autograd would record some twenty small operations a level; here a level is one.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from sklseq._compat.torch import sigmoid_backward, tanh_backward

__all__ = ["ChildSumLSTMStep", "NaryLSTMStep"]


def _gate_gradients(grad: Tensor, gates: Tensor, squashed: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the gates' sums and of the kept part of c."""
    size = squashed.shape[1]
    i, o, u = gates.split(size, dim=1)
    grad_h, grad_c = grad.split(size, dim=1)
    grad_c = grad_c + tanh_backward(grad_h * o, squashed)
    out = torch.cat([grad_c * u, grad_h * squashed, grad_c * i], dim=1)
    out[:, : 2 * size] = sigmoid_backward(out[:, : 2 * size], gates[:, : 2 * size])
    out[:, 2 * size :] = tanh_backward(out[:, 2 * size :], gates[:, 2 * size :])
    return out, grad_c


class ChildSumLSTMStep(Function):
    """Tai, Socher and Manning (2015), equations 2 to 8.

    ``apply(x, states, parents, w, w_forget)``: x ``(n, 4 size)`` with columns i, o, u, f; the
    children's states ``(m, 2 size)``; `w` ``(size, 3 size)``, `w_forget` ``(size, size)``.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, states: Tensor, parents: Tensor, w: Tensor, w_forget: Tensor
    ) -> Tensor:
        size = len(w)
        h, c = states.split(size, dim=1)
        summed = x.new_zeros(len(x), size).index_add_(0, parents, h)
        gates = torch.addmm(x[:, : 3 * size], summed, w)
        forget = torch.addmm(x[:, 3 * size :].index_select(0, parents), h, w_forget).sigmoid_()
        kept = x.new_zeros(len(x), size).index_add_(0, parents, forget * c)
        gates[:, : 2 * size].sigmoid_()
        gates[:, 2 * size :].tanh_()
        i, o, u = gates.split(size, dim=1)
        new = gates.new_empty(len(gates), 2 * size)
        squashed = torch.addcmul(kept, i, u, out=new[:, size:]).tanh()
        torch.mul(o, squashed, out=new[:, :size])
        ctx.save_for_backward(states, parents, w, w_forget, summed, gates, forget, squashed)
        return new

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        states, parents, w, w_forget, summed, gates, forget, squashed = ctx.saved_tensors
        size = len(w)
        h, c = states.split(size, dim=1)
        grad_gates, grad_kept = _gate_gradients(grad, gates, squashed)
        grad_kept = grad_kept.index_select(0, parents)
        grad_forget = sigmoid_backward(grad_kept * c, forget)
        grad_states = torch.empty_like(states)
        torch.mul(grad_kept, forget, out=grad_states[:, size:])
        from_sum = (grad_gates @ w.t()).index_select(0, parents)
        torch.addmm(from_sum, grad_forget, w_forget.t(), out=grad_states[:, :size])
        grad_x = grad.new_zeros(len(grad), 4 * size)
        grad_x[:, : 3 * size] = grad_gates
        grad_x[:, 3 * size :].index_add_(0, parents, grad_forget)
        return grad_x, grad_states, None, summed.t() @ grad_gates, h.t() @ grad_forget


class NaryLSTMStep(Function):
    """Tai, Socher and Manning (2015), equations 9 to 14.

    ``apply(x, states, slots, w)``: x ``(n, 4 size)`` with columns i, o, u, f; the children's
    states ``(m, 2 size)``; for each node and position the child there, m for none; `w`
    ``(arity * size, (3 + arity) * size)``.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, states: Tensor, slots: Tensor, w: Tensor) -> Tensor:
        size, n = x.shape[1] // 4, len(x)
        arity = len(w) // size
        padded = torch.cat([states, states.new_zeros(1, 2 * size)])
        h = padded[:, :size].index_select(0, slots).view(n, arity * size)
        c = padded[:, size:].index_select(0, slots).view(n, arity, size)
        sums = h @ w
        gates = sums[:, : 3 * size] + x[:, : 3 * size]
        forget = sums[:, 3 * size :].view(n, arity, size) + x[:, None, 3 * size :]
        forget.sigmoid_()
        gates[:, : 2 * size].sigmoid_()
        gates[:, 2 * size :].tanh_()
        i, o, u = gates.split(size, dim=1)
        new = gates.new_empty(len(gates), 2 * size)
        squashed = torch.addcmul((forget * c).sum(dim=1), i, u, out=new[:, size:]).tanh()
        torch.mul(o, squashed, out=new[:, :size])
        ctx.save_for_backward(slots, w, h, c, gates, forget, squashed)
        ctx.n_children = len(states)
        return new

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        slots, w, h, c, gates, forget, squashed = ctx.saved_tensors
        n, arity, size = c.shape
        grad_gates, grad_kept = _gate_gradients(grad, gates, squashed)
        grad_kept = grad_kept[:, None]
        grad_forget = sigmoid_backward(grad_kept * c, forget)
        grad_sums = torch.cat([grad_gates, grad_forget.view(n, arity * size)], dim=1)
        # A slot holds at most one child: what flows back is a gather, by the slots turned around.
        # Empty slots all write the row behind the children, which is dropped.
        places = slots.new_empty(ctx.n_children + 1)
        places[slots] = torch.arange(len(slots), device=slots.device)
        places = places[:-1]
        grad_states = grad.new_empty(ctx.n_children, 2 * size)
        grad_h = (grad_sums @ w.t()).view(n * arity, size)
        grad_c = (grad_kept * forget).view(n * arity, size)
        torch.index_select(grad_h, 0, places, out=grad_states[:, :size])
        torch.index_select(grad_c, 0, places, out=grad_states[:, size:])
        grad_x = torch.cat([grad_gates, grad_forget.sum(dim=1)], dim=1)
        return grad_x, grad_states, None, h.t() @ grad_sums
