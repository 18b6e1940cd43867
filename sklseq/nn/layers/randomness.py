"""The one place where the noise of training is drawn.

Torch's own dropout draws from the process-wide generator: two fits in two threads would take
each other's numbers. A context variable is private to its thread. And the generator of each kind
of device gives other numbers, so all noise is drawn by that of the CPU and sent to the device: a
model is the same, but for rounding, wherever it is trained.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "Dropout",
    "current_generator",
    "draw_from_own_generator",
    "drawing_from",
    "drawn",
    "dropout_mask",
    "exponential_noise",
    "noise_to_come",
    "normal_noise",
    "uniform_noise",
]

_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)
_to_come: ContextVar[tuple[torch.device, list[Callable[[], None]]] | None] = ContextVar(
    "to_come", default=None
)


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Make `generator`, one of the CPU, the source of all noise within this context and thread."""
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


@contextmanager
def noise_to_come(device: torch.device) -> Iterator[list[Callable[[], None]]]:
    """Noise within this context has its place on a device and no numbers yet.

    Each of the functions that it gives draws those of one place, in their order, again and again
    from the generator then in force: for steps that are captured and replayed.
    """
    draws: list[Callable[[], None]] = []
    token = _to_come.set((device, draws))
    try:
        yield draws
    finally:
        _to_come.reset(token)


def normal_noise(like: Tensor, *shape: int) -> Tensor:
    """Standard normal numbers of the type and device of a tensor; in its shape if none is given."""
    return _draw(like, shape, "normal_")


def uniform_noise(
    like: Tensor,
    *shape: int,
    low: float = 0.0,
    high: float = 1.0,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Numbers between `low` and `high`; as `normal_noise`, or of another type."""
    return _draw(like, shape, "uniform_", low, high, dtype=dtype)


def exponential_noise(like: Tensor) -> Tensor:
    """Exponential numbers of rate 1, as `normal_noise`."""
    return _draw(like, (), "exponential_")


def drawn(like: Tensor, probability: float) -> Tensor:
    """1 with the given probability, else 0, as `normal_noise`."""
    return _draw(like, (), "bernoulli_", probability)


def _draw(
    like: Tensor,
    shape: tuple[int, ...],
    method: str,
    *parameters: float,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """A new tensor filled by a method of tensors that takes a generator."""
    options: Any = {"dtype": dtype} if dtype else {}
    to_come, kind = _to_come.get(), like.device.type
    if kind != "cpu" and to_come is None:
        options |= {"device": "cpu", "pin_memory": kind == "cuda"}
    # The order in which memory is filled is that of the tensor's strides, on every device.
    new = like.new_empty(shape, **options) if shape else torch.empty_like(like, **options)
    if to_come is not None:
        return _drawn_later(new, method, parameters, *to_come)
    getattr(new, method)(*parameters, generator=_generator.get())
    return new if kind == "cpu" else new.to(like.device, non_blocking=kind == "cuda")


def _drawn_later(
    place: Tensor,
    method: str,
    parameters: tuple[float, ...],
    device: torch.device,
    draws: list[Callable[[], None]],
) -> Tensor:
    if place.device != device:
        raise RuntimeError("Noise that the processor reads cannot be drawn later.")

    def draw() -> None:
        numbers = torch.empty_like(place, device="cpu", pin_memory=device.type == "cuda")
        getattr(numbers, method)(*parameters, generator=_generator.get())
        place.copy_(numbers, non_blocking=True)

    draws.append(draw)
    return place


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
