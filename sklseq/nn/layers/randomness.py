"""The generator that random layers draw from, so that the global one is never touched.

Torch's own dropout draws from the process-wide generator: two fits in two threads would take
each other's numbers. A context variable is private to its thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

__all__ = [
    "Dropout",
    "current_generator",
    "draw_from_own_generator",
    "drawing_from",
    "drawn",
    "dropout_mask",
]

_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Make `generator` the source of all random layers within this context and thread."""
    before = _generator.get()
    try:  # twice, for an interrupt in the first
        try:
            _generator.set(generator)
            yield
        finally:
            _generator.set(before)
    finally:
        _generator.set(before)


def current_generator() -> torch.Generator | None:
    """The generator in force here; None stands for torch's global one."""
    return _generator.get()


def drawn(like: Tensor, probability: float) -> Tensor:
    """1 with the given probability, else 0, in the shape of a tensor."""
    return torch.empty_like(like).bernoulli_(probability, generator=current_generator())


def dropout_mask(like: Tensor, p: float) -> Tensor:
    """0 with probability p, else ``1 / (1 - p)``: 1 on average."""
    return drawn(like, 1 - p).div_(1 - p)


class Dropout(nn.Module):
    """Dropout that draws from the generator in force; the identity outside training.

    Parameters
    ----------
    p : float
        Probability of a value to be dropped; the others are divided by ``1 - p``.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        return x * dropout_mask(x, self.p)


def draw_from_own_generator(module: nn.Module) -> None:
    """Replace torch's dropout in a module that others wrote by the one above."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p))
