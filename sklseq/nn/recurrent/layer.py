"""The contract of all recurrent layers: one layer in one direction, with a state in and out."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing

__all__ = ["Layer", "State", "by_part", "output_of"]

State: TypeAlias = Any
"""A tensor ``(n, hidden_size)``, or a (named) tuple of them of which the first is the output.

Rows are in the order of the sequences, whatever the order of the packed steps. Parts that are
counts are integers, ``(n, 1)``; they begin at zero, and no gradient goes through them.
"""


class Layer(nn.Module):
    """A recurrent layer ``(input_size, hidden_size, **cell_options)`` over packed steps."""

    hidden_size: int
    gates: tuple[str, ...] = ()
    """What each block of rows of the weights is for.

    "keep" is a gate that keeps the old state where it is 1, "take" one that lets the new one in;
    any other word will do for other blocks. See `initialization`.
    """
    parallel: ClassVar[bool] = False
    """Whether the steps of a sequence are computed at once."""
    shifts: ClassVar[bool] = False
    """Whether parts of the state but the first are what the first was at steps before."""
    imaginary: int | None = None
    """Which part of the state is imaginary, that before it being real; None for no such part."""

    def forward(
        self, x: Tensor, packing: Packing, state: State | None = None, need_last: bool = True
    ) -> tuple[Tensor, State | None]:
        """States of all steps, and the state after the last step of each sequence.

        Parameters
        ----------
        x : Tensor of shape (n_steps, input_size)
            In packed order.
        packing : Packing
        state : State or None, default=None
            State of each sequence before its first step; None is the cell's own start.
        need_last : bool, default=True
            Without it the second result may be None, which spares the work.

        Returns
        -------
        Tensor of shape (n_steps, hidden_size)
        State or None
            What `state` has to be for the steps that follow.
        """
        raise NotImplementedError

    def step(self, x_t: Tensor, state: State | None = None) -> State:
        """The state after one step ``x_t`` of shape ``(n, input_size)`` of each sequence."""
        raise NotImplementedError

    def step_reading(self, x_t: Tensor, state: State, read: Tensor) -> State:
        """As `step`, but the recurrent weights read something else than the state's output.

        What a state passes on without weights stays its own. A layer that cannot tell the two
        apart leaves this out.

        Parameters
        ----------
        x_t : Tensor of shape (n, input_size)
        state : State
        read : Tensor of shape (n, hidden_size)
        """
        raise NotImplementedError

    def gate_values(self, x_t: Tensor, state: State | None = None) -> dict[str, Tensor]:
        """What the gates let through at a step, by their names, ``(n, hidden_size or 1)`` each.

        To be looked at: no step is computed by it. A layer without gates leaves this out.
        """
        return {}


def output_of(state: State) -> Tensor:
    """What the layer above reads."""
    return state if isinstance(state, Tensor) else state[0]


def by_part(function: Callable[..., Tensor], *states: State) -> State:
    """A state made of corresponding tensors of states: ``function(*tensors)``, part by part."""
    first = states[0]
    if isinstance(first, Tensor):
        return function(*states)
    parts = [function(*tensors) for tensors in zip(*states, strict=True)]
    return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
