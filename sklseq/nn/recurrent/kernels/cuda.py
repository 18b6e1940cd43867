"""Recurrences on CUDA by cuDNN."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import State, by_part

__all__ = ["cudnn"]


def cudnn(
    rnn: nn.RNNBase, x: Tensor, packing: Packing, state: State | None, need_last: bool
) -> tuple[Tensor, State | None]:
    """All of torch's layers, with the arguments of every kernel (see `dispatch`)."""
    packed = PackedSequence(x, torch.tensor(packing.batch_sizes))
    if state is not None:
        state = by_part(lambda s: s.index_select(0, packing.order).unsqueeze(0), state)
    states, last = rnn(packed, state)
    if not need_last:
        return states.data, None
    return states.data, by_part(lambda s: s.squeeze(0).index_select(0, packing.rank), last)
