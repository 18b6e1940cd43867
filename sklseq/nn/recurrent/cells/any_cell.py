"""A layer of any cell that a user wrote."""

from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.layers.randomness import draw_from_own_generator
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.options import check_options
from sklseq.nn.recurrent.layer import Layer, State, output_of
from sklseq.nn.recurrent.stepwise import joined_states, states_by_steps

__all__ = ["AnyCell"]


class AnyCell(Layer):
    """Layer of a cell that maps ``(x_t, state)`` to the next state.

    The state is a tensor ``(n, hidden_size)`` or a tuple of them, the first of which is the
    output, as in `torch.nn.GRUCell` and `torch.nn.LSTMCell`; at the first step it is None.

    Parameters
    ----------
    cell : type
        Made as ``cell(input_size, hidden_size, **cell_options)``; may have `gates` and
        `gate_values`, as `Layer`.
    input_size, hidden_size : int
    **cell_options
    """

    def __init__(
        self, cell: type[nn.Module], input_size: int, hidden_size: int, **cell_options: Any
    ):
        super().__init__()
        check_options(cell.__name__, cell, cell_options)
        try:
            self.cell = cell(input_size, hidden_size, **cell_options)
            state = self.cell(torch.zeros(2, input_size), None)
            size = output_of(self.cell(torch.zeros(2, input_size), state)).shape
        except Exception as error:
            given = f" with cell_options={cell_options!r}" if cell_options else ""
            raise ValueError(
                f"cell={cell.__name__} is not a recurrent cell: cell(input_size, hidden_size) and "
                f"then cell(x_t, None) must work{given}, as with torch.nn.GRUCell ({error})."
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
        states = states_by_steps(lambda t, x_t, state: self.cell(x_t, state), x, packing, state)
        return joined_states(states, packing, need_last)

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        return self.cell(x_t, state)

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        given = getattr(self.cell, "gate_values", None)
        return {} if given is None else given(x_t, state)
