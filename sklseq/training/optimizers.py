"""Solvers and learning rate schedules by name."""

import math
from typing import TYPE_CHECKING, Any

import torch
from skorch.callbacks import LRScheduler
from torch import optim
from torch.optim import lr_scheduler

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


def make_schedule(settings: "Trainer", n_batches: int, monitor: str) -> LRScheduler | None:
    """The callback that moves the learning rate; None leaves it constant, as for 'lbfgs'."""
    rate, epochs = settings.learning_rate, settings.max_epochs
    schedules: dict[str | None, tuple[Any, dict[str, Any]]] = {
        "cosine": (lr_scheduler.CosineAnnealingLR, {"T_max": epochs}),
        "exponential": (lr_scheduler.ExponentialLR, {"gamma": 0.01 ** (1 / epochs)}),
        "step": (lr_scheduler.StepLR, {"step_size": math.ceil(epochs / 3), "gamma": 0.1}),
        "plateau": (
            lr_scheduler.ReduceLROnPlateau,
            {"monitor": monitor, "factor": 0.5, "patience": settings.n_iter_no_change // 2},
        ),
        "cyclic": (
            lr_scheduler.CyclicLR,
            {
                "step_every": "batch",
                "base_lr": rate / 10,
                "max_lr": rate,
                "step_size_up": 2 * n_batches,
                "cycle_momentum": False,
            },
        ),
        "onecycle": (
            lr_scheduler.OneCycleLR,
            {
                "step_every": "batch",
                "max_lr": rate,
                # One more than is taken: its counter starts at 1.
                "total_steps": epochs * n_batches + 1,
                "cycle_momentum": False,
            },
        ),
    }
    if settings.lr_schedule is None or settings.solver == "lbfgs":
        return None
    policy, options = schedules[settings.lr_schedule]
    return LRScheduler(policy, event_name=None, **options)
