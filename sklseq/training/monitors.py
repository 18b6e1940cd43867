"""Callbacks of the engine's own: the best weights so far, and a line an epoch."""

import math
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

__all__ = ["BestWeights", "EpochPrinter"]


class BestWeights(Callback):
    """Remembers the weights of the epoch with the lowest loss."""

    def __init__(self, monitor: str, restore: bool):
        self.monitor, self.restore = monitor, restore

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier runs."""
        self.loss, self.epoch = math.inf, 0
        self.weights: list[Tensor] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights of an epoch that is the best so far."""
        if (loss := net.history[-1, self.monitor]) < self.loss:
            self.loss, self.epoch = loss, len(net.losses["train"])
            # Into the same memory: an epoch may be a single small step.
            self.weights = self.weights or [torch.empty_like(t) for t in _tensors(net.module_)]
            _copy(_tensors(net.module_), self.weights)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Give the module its best weights, if asked to."""
        if self.restore and self.weights:
            self.restore_into(net.module_)

    def restore_into(self, module: nn.Module) -> None:
        """Give a module the best weights so far."""
        _copy(self.weights, _tensors(module))


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


@torch.no_grad()
def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    for new, old in zip(source, target, strict=True):
        old.copy_(new)


class EpochPrinter(Callback):
    """One line an epoch."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print the losses of the epoch."""
        parts = [f"{name} loss {losses[-1]:.6g}" for name, losses in net.losses.items() if losses]
        print(f"epoch {net.epoch}: {', '.join(parts)}")
