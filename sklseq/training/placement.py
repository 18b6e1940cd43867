"""Where data and modules lie: the one place that decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["as_tensor", "device_or_cpu", "enough_memory", "parameter_of", "resolve_device"]


def resolve_device(device: str) -> torch.device:
    """The torch device of a name; "auto" takes an accelerator if there is one.

    Raises ValueError if the device is unknown or not there.
    """
    if device == "auto":
        best = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if best is None else best
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is not a device: use 'cpu', 'cuda' or 'auto'."
        ) from error
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }.get(resolved.type, 0)
    if (resolved.index or 0) >= present:
        raise ValueError(
            f"device={device!r} is not there: this machine has {present} of the kind "
            f"{resolved.type!r}. Use device='auto' to take an accelerator only where there is one."
        )
    return resolved


def device_or_cpu(device: str) -> torch.device:
    """The device of a name, or the CPU where it is not there: for models that are loaded."""
    try:
        return resolve_device(device)
    except ValueError:
        return torch.device("cpu")


def parameter_of(module: nn.Module) -> Tensor:
    """A parameter of the module: what it computes with has its type and lies on its device."""
    return next(module.parameters())


@contextmanager
def enough_memory(like: Tensor, what: str, *remedies: str) -> Iterator[None]:
    """Say what did not fit on the device of `like`, and what would help, if memory runs out."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        if like.dtype == torch.float64:
            remedies = (*remedies, "dtype='float32'")
        raise MemoryError(
            f"device={str(like.device)!r} has no room for {what}: take "
            f"{', '.join(remedies)} or device='cpu'. Other processes, and other models of this "
            "one, may hold memory too."
        ) from error


def as_tensor(values: NDArray[Any] | Tensor, like: Tensor) -> Tensor:
    """On the device of `like`; real numbers in its type, integers as they are.

    Raises MemoryError if there is too little memory.
    """
    if isinstance(values, Tensor):
        return values.to(like.device)
    dtype = like.dtype if values.dtype.kind == "f" else torch.int64
    # Torch cannot share memory that must not be written to.
    tensor = torch.from_numpy(np.require(values, requirements=["C", "W"]))
    if like.is_cpu:
        return tensor.to(dtype)
    gigabytes = values.size * dtype.itemsize / 1e9
    with enough_memory(like, f"{gigabytes:.3g} GB of data", "fewer rows"):
        return tensor.to(like.device, dtype)
