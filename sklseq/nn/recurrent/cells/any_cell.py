"""A layer of any cell that a user wrote."""

from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.layers.randomness import draw_from_own_generator
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.layer import Layer, State, by_part, output_of

__all__ = ["AnyCell"]


class AnyCell(Layer):
    """Layer of a cell that maps ``(x_t, state)`` to the next state.

    The state is a tensor ``(n, hidden_size)`` or a tuple of them, the first of which is the
    output, as in `torch.nn.GRUCell` and `torch.nn.LSTMCell`; at the first step it is None.

    Parameters
    ----------
    cell : type
        Made as ``cell(input_size, hidden_size, **cell_options)``; may have `gates`, as `Layer`.
    input_size, hidden_size : int
    **cell_options
    """

    def __init__(
        self, cell: type[nn.Module], input_size: int, hidden_size: int, **cell_options: Any
    ):
        super().__init__()
        try:
            self.cell = cell(input_size, hidden_size, **cell_options)
            state = self.cell(torch.zeros(2, input_size), None)
            size = output_of(self.cell(torch.zeros(2, input_size), state)).shape
        except Exception as error:
            raise ValueError(
                f"cell={cell.__name__} is not a recurrent cell: cell(input_size, hidden_size) and "
                f"then cell(x_t, None) must work, as with torch.nn.GRUCell ({error})."
            ) from error
        if size != (2, hidden_size):
            raise ValueError(
                f"cell={cell.__name__} gives states of shape {tuple(size)} for two sequences, "
                f"expected (2, {hidden_size}): it must take one step, as torch.nn.GRUCell does."
            )
        self.hidden_size, self.gates = hidden_size, getattr(cell, "gates", ())
        draw_from_own_generator(self)

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        now: State | None = None
        states: list[State] = []
        for t, x_t in enumerate(x.split(packing.batch_sizes)):
            now = self._next(t, x_t, now, packing, state)
            states.append(now)
        joined = torch.cat([output_of(s) for s in states])
        if not need_last:
            return joined, None
        return joined, by_part(lambda *part: torch.cat(part).index_select(0, packing.last), *states)

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        return self.cell(x_t, state)

    def _next(
        self, t: int, x_t: Tensor, now: State | None, packing: Packing, initial: State | None
    ) -> State:
        if now is not None:
            now = self.cell(x_t, by_part(lambda s: s[: len(x_t)], now))
        if t not in packing.beginnings:
            return now
        begins, sequence = packing.beginnings[t]
        if initial is not None:
            initial = by_part(lambda s: s.index_select(0, sequence), initial)
        # What a cell makes of None is its own affair, so that it is asked, not given zeros.
        new = self.cell(x_t, initial)
        return new if now is None else by_part(lambda a, b: torch.where(begins, a, b), new, now)
