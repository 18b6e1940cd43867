"""An encoder of single vectors."""

import torch
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.seq2seq.memory import Encoder, Memory

__all__ = ["VectorEncoder"]


class VectorEncoder(Encoder):
    """Makes a memory of one step, and the summary, of inputs of one step each.

    Parameters
    ----------
    input_size, hidden_size : int
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.layer = nn.Linear(input_size, hidden_size)
        self.output_size = hidden_size

    def forward(self, x: Tensor, packing: Packing) -> Memory:
        summary = torch.tanh(self.layer(x))
        mask = torch.ones(len(x), 1, dtype=torch.bool, device=x.device)
        return Memory(summary[:, None], mask, summary)
