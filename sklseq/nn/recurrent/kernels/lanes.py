"""Recurrences in lanes, for inference: every call has one shape, and little memory is used.

What is computed of the input in a call is that of a whole block, the last of them filled up.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.kernels.cpu import ACTIVATE, torch_weights

__all__ = ["gru_in_lanes", "rnn_in_lanes"]


def _blocks(x: Tensor, n_cells: int) -> Iterator[Tensor]:
    """Input of each block, all of one size."""
    for part in x.split(n_cells):
        yield part if len(part) == n_cells else pad(part, (0, 0, 0, n_cells - len(part)))


def rnn_in_lanes(
    rnn: nn.RNNBase, x: Tensor, packing: Packing, state: Tensor | None, need_last: bool
) -> tuple[Tensor, Tensor | None]:
    """``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``, or relu of it."""
    w_ih, w_hh, b_ih, b_hh = torch_weights(rnn)
    assert packing.lanes is not None
    rows, block = packing.lanes[:2]
    bias, w_hh_t = b_ih + b_hh, w_hh.t().contiguous()
    activate = ACTIVATE[str(rnn.nonlinearity)]
    beginnings, n_cells = packing.beginnings, block * rows
    states = x.new_empty(len(x) + -len(x) % n_cells, len(w_hh))
    h, t = x.new_zeros(rows, len(w_hh)), 0
    for x_block, out in zip(_blocks(x, n_cells), states.split(n_cells), strict=True):
        torch.addmm(bias, x_block, w_ih.t(), out=out)
        for now in out[: len(x) - t * rows].split(rows):
            if t in beginnings:
                h = packing.carried(t, h, state)
            h = activate(now.addmm_(h, w_hh_t))
            t += 1
    states = states[: len(x)]
    return states, states.index_select(0, packing.last) if need_last else None


def gru_in_lanes(
    rnn: nn.RNNBase, x: Tensor, packing: Packing, state: Tensor | None, need_last: bool
) -> tuple[Tensor, Tensor | None]:
    """The equations of `GRUKernel`; what a block works on is used again by the next."""
    w_ih, w_hh, b_ih, b_hh = torch_weights(rnn)
    assert packing.lanes is not None
    rows, block = packing.lanes[:2]
    size = w_hh.shape[1]
    w_rz, w_n = w_ih[: 2 * size], w_ih[2 * size :]
    w_x = torch.cat([w_n, w_rz]).t().contiguous()
    b_x = torch.cat([b_ih[2 * size :], b_ih[: 2 * size] + b_hh[: 2 * size]])
    w_hh_t = w_hh.t().contiguous()
    # Of each step: the input's part of n, the sums of r and z, the state's part of n.
    work = x.new_empty(block * rows, 4 * size)
    from_x, n_h = work[:, : 3 * size], work[:, 3 * size :]
    parts = (work[:, :size], work[:, size:], *work[:, size:].split([2 * size, size], 1))
    r, z = parts[2].chunk(2, dim=1)
    steps = list(zip(*(part.split(rows) for part in (*parts, r, z)), strict=True))
    new = x.new_empty(rows, size)
    beginnings, n_cells = packing.beginnings, block * rows
    states = x.new_empty(len(x), size)
    h, t = x.new_zeros(rows, size), 0
    for x_block, out in zip(_blocks(x, n_cells), states.split(n_cells), strict=True):
        torch.addmm(b_x, x_block, w_x, out=from_x)
        n_h.copy_(b_hh[2 * size :])
        for (x_n, from_h, rz, n_h_t, r_t, z_t), now in zip(steps, out.split(rows), strict=False):
            if t in beginnings:
                h = packing.carried(t, h, state)
            from_h.addmm_(h, w_hh_t)
            rz.sigmoid_()
            torch.addcmul(x_n, r_t, n_h_t, out=new).tanh_()
            h = torch.lerp(new, h, z_t, out=now)
            t += 1
    return states, states.index_select(0, packing.last) if need_last else None
