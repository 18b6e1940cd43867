"""Solvers and learning rate schedules by name."""

import math
from typing import TYPE_CHECKING, Any

import torch
from skorch.callbacks import LRScheduler
from torch import optim
from torch.optim import lr_scheduler

from sklseq.training.rows.batch import Batch, Rows

if TYPE_CHECKING:
    from sklseq.training.engine import Trainer

__all__ = ["SCHEDULES", "SOLVERS", "make_optimizer", "make_schedule"]

SOLVERS = ("adam", "adamw", "sgd", "rmsprop", "lbfgs")
SCHEDULES = ("cosine", "exponential", "step", "cyclic", "onecycle", "plateau")


def make_optimizer(settings: "Trainer", device: torch.device) -> tuple[Any, dict[str, Any]]:
    """Optimizer class and its options."""
    if settings.solver == "lbfgs":
        return optim.LBFGS, {
            "lr": 1.0,  # the line search finds the step, so the learning rate has no part in it
            "history_size": 10,
            "line_search_fn": "strong_wolfe",
            # Torch's own would end a fit in float64 at six digits.
            "tolerance_grad": 1e-9,
            "tolerance_change": 1e-12,
        }
    options: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.solver == "rmsprop":
        return optim.RMSprop, options
    options["fused"] = device.type in ("cpu", "cuda")
    if settings.solver == "sgd":
        return optim.SGD, options | {"momentum": 0.9, "nesterov": True}
    return {"adam": optim.Adam, "adamw": optim.AdamW}[settings.solver], options


class _ByBatch(LRScheduler):
    """Moves a schedule on after each batch, so that an epoch is as long as `n_batches`.

    How many segments sequences are gone through in depends on which come together in a batch:
    each moves it on by its share of the rows.
    """

    def __init__(self, policy: Any, rows: Rows, n_batches: int, **options: Any):
        super().__init__(policy, event_name=None, step_every="batch", **options)
        self.per_row_ = n_batches / len(rows) if rows.in_segments else None

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin at the start of the schedule."""
        super().on_train_begin(net, **kwargs)
        self.position_, self.stepped_ = 0.0, False

    def on_batch_end(self, net: Any, training: bool, batch: Batch, **kwargs: Any) -> None:
        """Move on."""
        if not training:
            return
        self.position_ += 1 if self.per_row_ is None else batch.n_rows * self.per_row_
        # Before the optimizer's first step, torch would warn.
        self.stepped_ = self.stepped_ or bool(batch.weight.any())
        if self.stepped_:
            self.lr_scheduler_.last_epoch = self.position_ - 1
            self.lr_scheduler_.step()


def make_schedule(settings: "Trainer", rows: Rows, monitor: str) -> LRScheduler | None:
    """The callback that moves the learning rate; None leaves it constant, as for 'lbfgs'."""
    rate, epochs = settings.learning_rate, settings.max_epochs
    n_batches = rows.n_batches(settings.batch_size)
    by_epoch: dict[str | None, tuple[Any, dict[str, Any]]] = {
        "cosine": (lr_scheduler.CosineAnnealingLR, {"T_max": epochs}),
        "exponential": (lr_scheduler.ExponentialLR, {"gamma": 0.01 ** (1 / epochs)}),
        "step": (lr_scheduler.StepLR, {"step_size": math.ceil(epochs / 3), "gamma": 0.1}),
        "plateau": (
            lr_scheduler.ReduceLROnPlateau,
            {"monitor": monitor, "factor": 0.5, "patience": settings.n_iter_no_change // 2},
        ),
    }
    by_batch: dict[str | None, tuple[Any, dict[str, Any]]] = {
        "cyclic": (
            lr_scheduler.CyclicLR,
            {"base_lr": rate / 10, "max_lr": rate, "step_size_up": 2 * n_batches},
        ),
        # One step more than is taken: its counter starts at 1.
        "onecycle": (
            lr_scheduler.OneCycleLR,
            {"max_lr": rate, "total_steps": epochs * n_batches + 1},
        ),
    }
    if settings.lr_schedule is None or settings.solver == "lbfgs":
        return None
    if settings.lr_schedule in by_batch:
        policy, options = by_batch[settings.lr_schedule]
        return _ByBatch(policy, rows, n_batches, cycle_momentum=False, **options)
    policy, options = by_epoch[settings.lr_schedule]
    return LRScheduler(policy, event_name=None, **options)
