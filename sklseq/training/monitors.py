"""Callbacks of the engine's own: the best weights so far, a line an epoch, lines within one."""

import math
from time import monotonic
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

__all__ = ["BatchPrinter", "BestWeights", "EpochPrinter"]

# Seconds between two lines of an epoch.
_SECONDS = 5.0

_Best = tuple[float, int, list[Tensor] | None]


class BestWeights(Callback):
    """Remembers the weights of the epoch with the lowest loss."""

    def __init__(self, monitor: str, restore: bool):
        self.monitor, self.restore = monitor, restore

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier runs."""
        self.best: _Best = (math.inf, 0, None)
        self.n_seen = 0
        self._spare: list[Tensor] | None = None

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights of an epoch that is the best so far."""
        epoch = len(net.losses["train"])
        if (loss := net.history[-1, self.monitor]) < self.best[0]:
            # Into memory that is there: an epoch may be a single small step. An interrupt in the
            # copy leaves the best as they are.
            spare = self._spare or [torch.empty_like(t) for t in _tensors(net.module_)]
            _copy(_tensors(net.module_), spare)
            self._spare, self.best = self.best[2], (loss, epoch, spare)
        self.n_seen = epoch

    @property
    def epoch(self) -> int:
        """The best epoch so far, from 1."""
        return self.best[1]

    @property
    def weights(self) -> list[Tensor] | None:
        """Its weights; None before any."""
        return self.best[2]

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Give the module its best weights, if asked to."""
        if self.restore and self.weights is not None:
            self.restore_into(net.module_)

    def restore_into(self, module: nn.Module) -> None:
        """Give a module the best weights so far."""
        assert self.weights is not None
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


class BatchPrinter(Callback):
    """A line every few seconds of an epoch: a long one shows how far it is."""

    def __init__(self, batch_size: int):
        self.batch_size = batch_size

    def on_epoch_begin(self, net: Any, dataset_train: Any, **kwargs: Any) -> None:
        """Start anew."""
        self.n_batches = dataset_train.n_batches(self.batch_size)
        self.total, self.n_rows, self.done = 0.0, 0, 0
        self.printed = monotonic()

    def on_batch_end(self, net: Any, batch: Any, training: bool, **kwargs: Any) -> None:
        """Print the mean loss of the epoch so far, unless a line was printed just now."""
        if not training:
            return
        self.total += net.history[-1, "batches", -1, "train_loss"] * batch.n_rows
        self.n_rows, self.done = self.n_rows + batch.n_rows, self.done + 1
        if self.done < self.n_batches and monotonic() - self.printed >= _SECONDS:
            self.printed = monotonic()
            print(
                f"epoch {net.epoch + 1}, batch {self.done} of {self.n_batches}: train loss "
                f"{self.total / self.n_rows:.6g}",
                flush=True,
            )
