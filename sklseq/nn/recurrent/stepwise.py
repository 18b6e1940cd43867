"""A layer taken step by step in Python, so that something can act between two steps."""

from collections.abc import Callable

import torch
from torch import Tensor

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import State, by_part, output_of

__all__ = ["joined_states", "states_by_steps"]


def states_by_steps(
    step: Callable[[int, Tensor, State | None], State],
    x: Tensor,
    packing: Packing,
    initial: State | None = None,
) -> list[State]:
    """The states after each packed step, of the rows that have it.

    Parameters
    ----------
    step : callable
        ``step(t, x_t, before)`` gives the states after step number t in packed order; `before` is
        None for what a layer begins with.
    x : Tensor of shape (n_steps, input_size)
        In packed order.
    packing : Packing
    initial : State or None, default=None
        As in `Layer.forward`.
    """
    now: State | None = None
    states: list[State] = []
    for t, x_t in enumerate(x.split(packing.batch_sizes)):
        if now is not None:
            n = packing.batch_sizes[t]
            now = step(t, x_t, by_part(lambda s, n=n: s[:n], now))
        if t in packing.beginnings:
            begins, sequence = packing.beginnings[t]
            before = initial
            if initial is not None:
                before = by_part(lambda s, i=sequence: s.index_select(0, i), initial)
            # A cell may begin with something else than zeros, so it is given None.
            new = step(t, x_t, before)
            if now is not None:
                new = by_part(lambda a, b, where=begins: torch.where(where, a, b), new, now)
            now = new
        states.append(now)
    return states


def joined_states(
    states: list[State], packing: Packing, need_last: bool
) -> tuple[Tensor, State | None]:
    """What `Layer.forward` gives, from the states after each packed step."""
    joined = torch.cat([output_of(state) for state in states])
    if not need_last:
        return joined, None
    return joined, by_part(lambda *part: torch.cat(part).index_select(0, packing.last), *states)
