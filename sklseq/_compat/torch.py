"""What torch keeps private or undocumented, in this one place; nn may import this file alone."""

import signal
import threading
from functools import cache
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "lerp_all_",
    "lerp_all_by_",
    "load_what_optimizers_need",
    "relu_backward_",
    "segment_max",
    "set_capturable",
    "sigmoid_backward",
    "tanh_backward",
    "tanh_backward_",
]

# Gradients of activations from the gradient of their values and the values themselves, in one pass.
sigmoid_backward: Any = torch.ops.aten.sigmoid_backward
tanh_backward: Any = torch.ops.aten.tanh_backward


def relu_backward_(grad: Tensor, value: Tensor) -> Tensor:
    """The gradient before ReLU, written over the one after it."""
    return torch.ops.aten.threshold_backward.grad_input(grad, value, 0, grad_input=grad)


def tanh_backward_(grad: Tensor, value: Tensor) -> Tensor:
    """The gradient before tanh, written over the one after it."""
    return torch.ops.aten.tanh_backward.grad_input(grad, value, grad_input=grad)


def lerp_all_(tensors: list[Tensor], ends: list[Tensor], weight: float) -> None:
    """Move all tensors toward `ends` by the same share of the way, in one call."""
    torch._foreach_lerp_(tensors, ends, weight)


def set_capturable(optimizer: torch.optim.Optimizer, capturable: bool) -> None:
    """Let an optimizer keep all of its state on the device, as graphs need it."""
    for group in optimizer.param_groups:
        if "capturable" in group:
            group["capturable"] = capturable
    # Steps before the capture are no mistake.
    optimizer._warned_capturable_if_run_uncaptured = True


def lerp_all_by_(tensors: list[Tensor], ends: list[Tensor], weight: Tensor) -> None:
    """`lerp_all_` by a weight on the device, which the processor does not know."""
    ways = torch._foreach_sub(ends, tensors)
    torch._foreach_mul_(ways, weight)
    torch._foreach_add_(tensors, ways)


def segment_max(values: Tensor, lengths: Tensor) -> Tensor:
    """Maximum over each segment of rows; that the lengths add up to all rows is not checked."""
    return torch.segment_reduce(values, "max", lengths=lengths, axis=0, unsafe=True)


@cache
def _first_step() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1, device="cpu"))
    parameter.grad = torch.zeros_like(parameter)
    torch.optim.SGD([parameter], lr=0.1).step()


def load_what_optimizers_need() -> None:
    """Import what torch imports in the first step of its first optimizer, in seconds.

    A half import is left broken for the life of the process, so Ctrl-C waits for its end, and then
    does what it would have done: the handler may be the user's own, or ignore it.
    """
    if _first_step.cache_info().currsize:
        return
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if in_main else None
    waiting: list[int] = []
    if before is not None:
        signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))
    try:
        _first_step()
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    if waiting:
        signal.raise_signal(signal.SIGINT)
