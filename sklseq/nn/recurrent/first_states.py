"""States before the first step, made of one vector for each sequence."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklseq.nn.recurrent.layer import State, by_part

__all__ = ["CONTEXTS", "FirstStates", "zero_states"]

CONTEXTS = ("state", "steps", "both")
"""How a vector of a whole sequence reaches recurrent layers: as the state before the first step,
as further inputs of all steps, or as both."""


class FirstStates(nn.Module):
    """States of several layers before the first step, ``tanh(W v + b)`` for all of their parts.

    (Cho et al. 2014, Learning phrase representations using RNN encoder-decoder, appendix A.1.1.)

    Parameters
    ----------
    input_size : int
        Size of the vector v of each sequence.
    like : list of State
        One for each layer: a state of its kind, of any number of sequences.
    """

    def __init__(self, input_size: int, like: Sequence[State]):
        super().__init__()
        self._like, self._sizes = like, _sizes(like)
        self.linear = nn.Linear(input_size, sum(self._sizes))

    def forward(self, vectors: Tensor) -> list[State]:
        """A state for each layer, from vectors ``(n_sequences, input_size)``."""
        parts = iter(torch.tanh(self.linear(vectors)).split(self._sizes, dim=1))
        return [by_part(lambda _: next(parts), state) for state in self._like]


def zero_states(like: Sequence[State], vectors: Tensor) -> list[State]:
    """States of these kinds that are zero, for as many sequences as there are vectors."""
    n = len(vectors)
    return [by_part(lambda part: vectors.new_zeros(n, part.shape[1]), state) for state in like]


def _sizes(states: Sequence[State]) -> list[int]:
    sizes: list[int] = []

    def note(part: Tensor) -> Tensor:
        sizes.append(part.shape[1])
        return part

    for state in states:
        by_part(note, state)
    return sizes
