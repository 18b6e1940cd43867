"""Recurrences on CUDA by cuDNN, of packed or of padded steps.

For packed input cuDNN has a slow algorithm alone, which up to 192 units takes 3 to 12 times as
long as its persistent kernels do for padded input (measured on an H200). So steps are padded to
rectangles, with fewer rows where many sequences have ended. Padding stands after the last step
of a sequence, where it changes nothing before it; layers that go backward get each sequence
turned round for itself (`Packing.reverse`), so that it does there too.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.rearrange import rearrange
from sklseq.nn.recurrent.kernels.cpu import torch_weights
from sklseq.nn.recurrent.layer import State, by_part

__all__ = ["MOST_STEPS", "packed", "padded", "shrinking"]

# cuDNN refuses sequences of 65,536 steps and takes those of half as many.
MOST_STEPS = 1 << 15
# A further call costs as much as so many states of ended sequences: of four rectangles instead of
# one, 1,000 steps of 128 sequences and 64 units became a little slower (measured on an H200).
_CALL_COST = 1 << 21
# Calls up to which rectangles without padding are better than packed steps, by the same figures.
_MOST_CALLS = 8

_CALLS: dict[str, Any] = {
    "GRU": torch.gru,
    "LSTM": torch.lstm,
    "RNN_TANH": torch.rnn_tanh,
    "RNN_RELU": torch.rnn_relu,
}


def padded(
    rnn: nn.RNNBase, x: Tensor, packing: Packing, state: State | None, need_last: bool
) -> tuple[Tensor, State | None]:
    """Rectangles of steps, with the arguments of every kernel (see `dispatch`)."""
    # The memory cell of an LSTM is known at the end of a call alone, and has to be the last one.
    exact = need_last and rnn.mode == "LSTM"
    blocks = shrinking(packing.batch_sizes, 0 if exact else _CALL_COST // rnn.hidden_size)
    if exact and len(blocks) > _MOST_CALLS and len(packing.batch_sizes) <= MOST_STEPS:
        return packed(rnn, x, packing, state, need_last)
    cells_of = [n_steps * rows for n_steps, rows in blocks]
    index = None if sum(cells_of) == len(x) else _index(packing, blocks)
    if index is not None:
        x = rearrange(x, index[0], index[1])
    if state is None:
        state = x.new_zeros(len(packing), rnn.hidden_size)
        state = (state, state) if rnn.mode == "LSTM" else state
    else:
        state = by_part(lambda s: s.index_select(0, packing.order), state)
    outputs: list[Tensor] = []
    ends: list[State] = []
    weights = torch_weights(rnn)
    for (n_steps, rows), cells in zip(blocks, x.split(cells_of), strict=True):
        if len(outputs):
            ends.append(by_part(lambda s, n=rows: s[n:], state))
            state = by_part(lambda s, n=rows: s[:n].contiguous(), state)
        output, state = _call(rnn, cells.view(n_steps, rows, -1), state, weights)
        outputs.append(output.flatten(0, 1))
    states = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
    if index is not None:
        states = rearrange(states, index[1], index[2])
    if not need_last:
        return states, None
    if not exact:
        return states, states.index_select(0, packing.last)
    return states, by_part(
        lambda *parts: torch.cat(parts).index_select(0, packing.rank), state, *reversed(ends)
    )


def _call(
    rnn: nn.RNNBase, cells: Tensor, state: State, weights: list[Tensor]
) -> tuple[Tensor, State]:
    """States of cells ``(n_steps, n_rows, n_features)``, and that at last.

    The layer itself would call no other function, but look at its arguments once more.
    """
    given = by_part(lambda s: s.unsqueeze(0), state)
    # Without dropout training means that there can be gradients, which a module in evaluation has.
    training = rnn.training or torch.is_grad_enabled()
    output, *last = _CALLS[rnn.mode](cells, given, weights, True, 1, 0.0, training, False, False)
    parts = [part.squeeze(0) for part in last]
    return output, tuple(parts) if rnn.mode == "LSTM" else parts[0]


def shrinking(sizes: list[int], cost: int) -> list[tuple[int, int]]:
    """Steps and rows of rectangles, one after the other, that hold `sizes` rows at each step.

    A rectangle ends before its cells of ended sequences become more than `cost`.
    """
    total = np.cumsum(sizes)
    blocks, start = [], 0
    while start < len(sizes):
        rows, before = sizes[start], total[start] - sizes[start]
        part = total[start : start + MOST_STEPS]
        wasted = rows * np.arange(1, len(part) + 1) - (part - before)
        n_steps = int(np.searchsorted(wasted, cost, "right"))
        blocks.append((n_steps, rows))
        start += n_steps
    return blocks


def _index(packing: Packing, blocks: list[tuple[int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Packed position of each cell, cell of each packed position, and whose each cell is.

    Layers and directions ask for them again.
    """
    known = packing.indices.get(key := ("rectangles", *blocks))
    if known is None:
        to_cells, to_packed = packing.block_index(blocks)
        whose = torch.full_like(to_cells, len(to_packed))
        whose[to_packed] = torch.arange(len(to_packed), device=whose.device)
        known = packing.indices[key] = to_cells, to_packed, whose
    return known


def packed(
    rnn: nn.RNNBase, x: Tensor, packing: Packing, state: State | None, need_last: bool
) -> tuple[Tensor, State | None]:
    """Steps as they are, with the arguments of every kernel (see `dispatch`)."""
    given = PackedSequence(x, torch.tensor(packing.batch_sizes))
    if state is not None:
        state = by_part(lambda s: s.index_select(0, packing.order).unsqueeze(0), state)
    states, last = rnn(given, state)
    if not need_last:
        return states.data, None
    return states.data, by_part(lambda s: s.squeeze(0).index_select(0, packing.rank), last)
