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
        return _states(self._like, torch.tanh(self.linear(vectors)), self._sizes)


def zero_states(like: Sequence[State], vectors: Tensor) -> list[State]:
    """States of these kinds that are zero, for as many sequences as there are vectors."""
    sizes = _sizes(like)
    return _states(like, vectors.new_zeros(len(vectors), sum(sizes)), sizes)


def _states(like: Sequence[State], values: Tensor, sizes: list[int]) -> list[State]:
    parts = iter(values.split(sizes, dim=1))

    def part_of(one: Tensor) -> Tensor:
        part = next(parts)  # of what is counted, nothing
        if one.is_floating_point():
            return part
        return part.new_zeros((len(part), one.shape[1]), dtype=one.dtype)

    return [by_part(part_of, state) for state in like]


def _sizes(states: Sequence[State]) -> list[int]:
    sizes: list[int] = []

    def note(part: Tensor) -> Tensor:
        sizes.append(part.shape[1] if part.is_floating_point() else 0)
        return part

    for state in states:
        by_part(note, state)
    return sizes
