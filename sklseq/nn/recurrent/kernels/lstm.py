"""Long short-term memory by torch's fused kernel, which takes rectangles only.

`folded` lays ragged sequences end to end, `rectangles` cuts time into blocks of fewer and fewer
rows, `lanes` makes calls of one shape. A feature that only free cells have opens and shuts gates
there: the state becomes zero between two sequences, or stays what it was at the end of one.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.rearrange import rearrange
from sklseq.nn.recurrent.kernels.cpu import torch_weights

__all__ = ["folded", "lanes", "rectangles"]

# A kernel call on rectangles costs about as much as this many cells of one hidden unit, and
# its working memory stays in the cache up to that many (measured on one core of a server).
_CALL_COST = 12_000
_CACHE_CELLS = 1 << 18
# Drives a gate open or shut to the last bit: larger than any sum it meets in a trained network.
_SHUT = 1e4

Pair = tuple[Tensor, Tensor]


def call(cells: Tensor, state: Any, weights: list[Tensor], training: bool) -> tuple[Tensor, Pair]:
    """States of cells ``(n_steps, n_rows, n_features)``, and the pair ``(n_rows, size)`` at last.

    `nn.LSTM` would take a fifth longer for a block.
    """
    pair = [s.unsqueeze(0) for s in state]
    output, h, c = torch.lstm(cells, pair, weights, True, 1, 0.0, training, False, False)
    return output.flatten(0, 1), (h.squeeze(0), c.squeeze(0))


def folded(
    rnn: nn.RNNBase, x: Tensor, packing: Packing, state: Pair | None, need_last: bool
) -> tuple[Tensor, Pair | None]:
    """Sequences end to end: fastest with oneDNN, which takes time by cells and calls."""
    equal = len(packing.batch_sizes) * len(packing) == len(x)
    if equal or need_last or state is not None:
        return rectangles(rnn, x, packing, state, need_last)
    n_rows, to_cells, to_packed = packing.folded
    real = torch.arange(len(x), device=x.device)
    x, weights = _marked(pad(x, (0, 0, 0, 1)), real, torch_weights(rnn), -_SHUT)
    cells = x.index_select(0, to_cells).unflatten(0, (-1, n_rows))
    n_calls = max(1, round(len(to_cells) * rnn.hidden_size / _CACHE_CELLS * 2))
    pair = (x.new_zeros(n_rows, rnn.hidden_size),) * 2
    outputs = []
    for part in cells.split(-(-len(cells) // n_calls)):
        output, pair = call(part, pair, weights, rnn.training)
        outputs.append(output)
    return rearrange(_joined(outputs), to_packed, to_cells), None


def rectangles(
    rnn: nn.RNNBase, x: Tensor, packing: Packing, state: Pair | None, need_last: bool
) -> tuple[Tensor, Pair | None]:
    """Blocks whose rows become fewer as sequences end."""
    size = rnn.hidden_size
    blocks = packing.blocks(_CALL_COST // size, _CACHE_CELLS // size)
    cells_of = [n_steps * rows for n_steps, rows in blocks]
    weights = torch_weights(rnn)
    padded = sum(cells_of) != len(x)  # else packed order is that of the rectangles' cells
    if padded:
        to_cells, to_packed = packing.block_index(blocks)
        x = x.index_select(0, to_cells)
        if need_last:
            x, weights = _marked(x, to_packed, weights, _SHUT)
    if state is None:
        h = c = x.new_zeros(len(packing), size)
    else:
        h, c = (s.index_select(0, packing.order) for s in state)
    outputs, ended = [], []
    for (n_steps, rows), cells in zip(blocks, x.split(cells_of), strict=True):
        if len(h) != rows:
            ended.append(c[rows:])
            h, c = h[:rows].contiguous(), c[:rows].contiguous()
        output, (h, c) = call(cells.view(n_steps, rows, -1), (h, c), weights, rnn.training)
        outputs.append(output)
    states = _joined(outputs)
    if padded:
        states = states.index_select(0, to_packed)
    if not need_last:
        return states, None
    memory = torch.cat([c, *reversed(ended)]).index_select(0, packing.rank)
    return states, (states.index_select(0, packing.last), memory)


def lanes(
    rnn: nn.RNNBase, x: Tensor, packing: Packing, state: Pair | None, need_last: bool
) -> tuple[Tensor, Pair | None]:
    """Calls of one shape, for inference.

    With a gap between sequences, in which the state becomes zero, there is nothing to waste. But
    a given or a last state can only be that at the ends of calls.
    """
    assert packing.lanes is not None
    rows, block, grid, gap = packing.lanes
    if grid % block and (not gap or need_last or state is not None):
        raise ValueError(
            f"{packing.lanes} gives long short-term memory no way in or out for states: use lanes "
            "whose grid is the block."
        )
    n_cells = len(x)
    x, weights = _marked(x, packing.to_stacked, torch_weights(rnn), -_SHUT if gap else _SHUT)
    x = pad(x, (0, 0, 0, -n_cells % (block * rows)))
    h = c = x.new_zeros(rows, rnn.hidden_size)
    h0, c0 = (None, None) if state is None else state
    outputs, memories = [], []
    for i, cells in enumerate(x.unflatten(0, (-1, rows)).split(block)):
        if not gap and i * block in packing.beginnings:
            h, c = packing.carried(i * block, h, h0), packing.carried(i * block, c, c0)
        output, (h, c) = call(cells, (h, c), weights, False)
        outputs.append(output)
        memories.append(c)
    states = _joined(outputs)[:n_cells]
    if not need_last:
        return states, None
    # Held from the last step of a sequence to the end of its block.
    time, row = packing.last // rows, packing.last % rows
    memory = torch.cat(memories).index_select(0, time // block * rows + row)
    return states, (states.index_select(0, packing.last), memory)


def _joined(outputs: list[Tensor]) -> Tensor:
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _marked(
    x: Tensor, real: Tensor, weights: list[Tensor], forget: float
) -> tuple[Tensor, list[Tensor]]:
    """Cells with one more feature, 1 where they are not `real`, and weights that know it.

    The state there is what the gate `forget` makes of it: it stays, or becomes zero.
    """
    w_ih, *others = weights
    size = len(w_ih) // 4
    column = w_ih.new_zeros(len(w_ih), 1)
    column[:size], column[size : 2 * size] = -_SHUT, forget
    free = x.new_ones(len(x), 1).index_fill(0, real, 0)
    return torch.cat([x, free], dim=1), [torch.cat([w_ih, column], dim=1), *others]
