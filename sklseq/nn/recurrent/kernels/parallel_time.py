"""Few long sequences in parallel over time, with the states and gradients of the plain loop.

Sequences are cut into chunks that run side by side as the rows of a batch. At first each starts
from zero, then from the last state of its left neighbor, again and again until the states meet
those of the sweep before. What is left of a start fades within a chunk where the largest Lyapunov
exponent is below zero, so that a part of the second sweep is mostly all it takes. The gradients of
states go from right to left in the same way: that which comes from the right neighbor is a
correction, which fades, too.

It is a parareal iteration (Lions, Maday and Turinici 2001) without a coarse solver, which a network
that forgets does not need. As many sweeps as there are chunks would be exact for any network; where
the first two show that it would take more than a few, the plain loop runs instead.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from sklseq.nn.ragged.cut import Cut
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.kernels import cpu

__all__ = ["TimeParallel", "in_chunks"]

# Differences of so many units in the last place of the largest state, or gradient, have vanished.
_ROUNDING = 4
# Steps between two looks at whether states have met.
_BLOCK = 16
# Calls of a layer that are not cut after the sweeps did not meet: at first, and at most.
_WAIT, _LONGEST_WAIT = 4, 64


@dataclass
class TimeParallel:
    """Whether a layer takes sequences in chunks, and what is known of how it forgets."""

    mode: bool | str = "auto"
    """With "auto" it does where that is measured to pay, see `dispatch`."""
    misses: int = field(default=0, init=False)
    """Calls, one after the other, in which the sweeps did not meet."""
    wait: int = field(default=0, init=False)
    """Calls that are still to go by the plain loop."""

    def __deepcopy__(self, memo: Any) -> "TimeParallel":
        """A copy has learned nothing yet, as a layer that was stored."""
        return TimeParallel(self.mode)

    def due(self) -> bool:
        """Whether to try: not for some calls after it was in vain, for more each time."""
        if self.wait and self.mode == "auto":
            self.wait -= 1
            return False
        return True

    def tell(self, met: bool) -> None:
        """Note whether the sweeps of a call met."""
        self.misses = 0 if met else self.misses + 1
        self.wait = 0 if met else min(_WAIT << (self.misses - 1), _LONGEST_WAIT)


class Chunked(Function):
    """States of a forward pass over chunks that have met, with their gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        h0: Tensor,
        cut: Cut,
        starts: Tensor,
        forward: cpu.ForwardPass,
    ) -> Tensor:
        ctx.save_for_backward(x, w_ih, w_hh, h0, starts, *forward.kept)
        ctx.cut, ctx.gradient = cut, forward.gradient
        return forward.states.index_select(0, cut.from_chunks)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, w_ih, w_hh, h0, starts, *kept = ctx.saved_tensors
        cut: Cut = ctx.cut
        before = torch.cat([starts, kept[-1].index_select(0, cut.chunks.previous)])
        backward = ctx.gradient(grad.index_select(0, cut.to_chunks), w_hh, before, *kept)
        need_dx = ctx.needs_input_grad[0]
        d_h = _corrected(backward, cut)
        if d_h is not None:
            x = x.index_select(0, cut.to_chunks)
            dx, *others = backward.gradients(x, w_ih, need_dx)
            dx = None if dx is None else dx.index_select(0, cut.from_chunks)
            return dx, *others, d_h.index_select(0, cut.first), None, None, None
        packing = cut.whole
        kept = [tensor.index_select(0, cut.from_chunks) for tensor in kept]
        h0 = h0.index_select(0, packing.order)
        before = torch.cat([h0, kept[-1].index_select(0, packing.previous)])
        backward = ctx.gradient(grad, w_hh, before, *kept)
        d_h = backward.run(packing.batch_sizes).index_select(0, packing.rank)
        return *backward.gradients(x, w_ih, need_dx), d_h, None, None, None


def in_chunks(
    forward_pass: Any,
    plain: Any,
    length: int,
    time: TimeParallel,
    rnn: nn.RNNBase,
    x: Tensor,
    packing: Packing,
    state: Tensor | None,
    need_last: bool,
) -> tuple[Tensor, Tensor | None]:
    """A kernel with the arguments of `dispatch`, after the plain one and the length of chunks."""
    cut, weights = Cut.of(packing, length), cpu.torch_weights(rnn)
    h0 = x.new_zeros(len(packing), rnn.hidden_size) if state is None else state
    with torch.no_grad():
        forward = forward_pass(rnn, x.index_select(0, cut.to_chunks), weights)
        starts = _met(forward, cut, h0)
    time.tell(starts is not None)
    if starts is None:
        del forward
        return plain(rnn, x, packing, state, need_last)
    states = Chunked.apply(x, *weights, h0, cut, starts, forward)
    return states, states.index_select(0, packing.last) if need_last else None


def _met(forward: cpu.ForwardPass, cut: Cut, h0: Tensor) -> Tensor | None:
    """Run sweeps until states meet: those that chunks start with; None if they would not soon."""
    sizes = cut.chunks.batch_sizes
    ends = forward.states[len(forward.states) - sizes[-1] :]
    starts = h0.new_zeros(sizes[0], h0.shape[1]).index_copy(0, cut.first, h0)
    forward.run(starts, sizes)
    changes: list[float] = []
    while True:
        new = starts.index_copy(0, cut.right, ends.index_select(0, cut.left))
        changes.append(float((new - starts).abs().max()))
        starts, tolerance = new, _rounding(new)
        if changes[-1] <= tolerance:
            return starts
        if not _promising(changes, tolerance, sizes[0]):
            return None
        if _sweep(forward, starts, sizes):
            return starts


def _sweep(forward: cpu.ForwardPass, h: Tensor, sizes: list[int]) -> bool:
    """Run again until states meet what they were; whether they did."""
    start = 0
    for first in range(0, len(sizes), _BLOCK):
        part = sizes[first : first + _BLOCK]
        stop = start + sum(part)
        old = forward.states[stop - part[-1] : stop].clone()
        h = forward.run(h, part, start)
        if float((h - old).abs().max()) <= _rounding(h):
            return True
        start = stop
    return False


def _corrected(backward: cpu.BackwardPass, cut: Cut) -> Tensor | None:
    """Run the gradient: that of the states before each chunk; None if it would take too long."""
    sizes = cut.chunks.batch_sizes
    total = d_h = backward.run(sizes)
    tolerance = _rounding(backward.d, 0)
    changes: list[float] = []
    while True:
        on_top = d_h.new_zeros(sizes[-1], d_h.shape[1])
        on_top.index_copy_(0, cut.left, d_h.index_select(0, cut.right))
        changes.append(float(on_top.abs().max()))
        if changes[-1] <= tolerance:
            return total
        if not _promising(changes, tolerance, sizes[0]):
            return None
        stop = len(backward.d)
        for last in range(len(sizes), 0, -_BLOCK):
            part = sizes[max(last - _BLOCK, 0) : last]
            on_top = backward.add(on_top, part, stop)
            if float(on_top.abs().max()) <= tolerance:
                return total
            stop -= sum(part)
        d_h = pad(on_top, (0, 0, 0, len(total) - len(on_top)))
        total = total + d_h


def _rounding(values: Tensor, least: float = 1.0) -> float:
    """What is no difference between such values; beside an infinite one, any is."""
    largest = float(values.abs().max())
    if not math.isfinite(largest):
        return 0.0
    return _ROUNDING * torch.finfo(values.dtype).eps * max(least, largest)


def _promising(changes: list[float], tolerance: float, n_chunks: int) -> bool:
    """Whether so many more sweeps as are worth it would make the last change vanish."""
    if not math.isfinite(changes[-1]):
        return False
    if len(changes) == 1:
        return True
    left = 2 + n_chunks // 16 - len(changes)
    rate = changes[-1] / changes[-2]
    return left > 0 and changes[-1] * rate**left <= tolerance
