"""Sequences read part by part: what a network keeps of them between two parts."""

from collections.abc import Callable, Sequence

from torch import Tensor

from sklseq.nn.recurrent.layer import State, by_part

__all__ = ["Carried"]


class Carried:
    """States of sequences after the part of them that was read, and a summary of all its steps.

    A network reads it before a part and changes it after. What it holds has no gradient: that
    of a part ends where the part begins. Tensors are replaced, never written to.

    Parameters
    ----------
    state : list of State or None, default=None
        Of each layer, in the order of the sequences; None before the first part.
    summary : tuple of Tensor or None, default=None
        Of the steps so far, where they are pooled: tensors with a row for each sequence.
    """

    def __init__(
        self, state: Sequence[State] | None = None, summary: tuple[Tensor, ...] | None = None
    ):
        self.state, self.summary = state, summary
        self.ends = False
        """Whether no part follows, which spares the work that the states after it would be."""

    def keep(self, state: Sequence[State] | None) -> None:
        """Set the states after a part, without their gradient."""
        self.state = None if state is None else [by_part(Tensor.detach, s) for s in state]

    def mapped(self, function: Callable[..., Tensor], *others: "Carried") -> "Carried":
        """``function(*tensors)`` of corresponding tensors, all of which have a row a sequence."""
        all_of = (self, *others)
        state = summary = None
        if self.state is not None:
            layers = zip(*(c.state for c in all_of), strict=True)
            state = [by_part(function, *states) for states in layers]
        if self.summary is not None:
            summary = by_part(function, *(c.summary for c in all_of))
        return Carried(state, summary)

    def tensors(self) -> list[Tensor]:
        """All that it holds, one after the other."""
        found: list[Tensor] = []

        def note(tensor: Tensor) -> Tensor:
            found.append(tensor)
            return tensor

        self.mapped(note)
        return found

    def take(self, rows: Tensor) -> "Carried":
        """That of some of the sequences."""
        return self.mapped(lambda s: s.index_select(0, rows))

    def put(self, rows: Tensor, part: "Carried") -> "Carried":
        """What this is with that of some of the sequences replaced."""
        return self.mapped(lambda s, new: s.index_copy(0, rows, new), part)

    def spread(self, rows: Tensor, n: int) -> "Carried":
        """That of n sequences of which these are some; the others have zeros."""
        return self.mapped(lambda s: s.new_zeros(n, *s.shape[1:]).index_copy(0, rows, s))
