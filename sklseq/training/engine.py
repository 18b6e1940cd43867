"""A training run of any torch family: what it is given, and what it leaves behind."""

import warnings
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from sklseq._compat.torch import load_what_optimizers_need
from sklseq.training.context import threads
from sklseq.training.graphs import net_for
from sklseq.training.monitors import BatchPrinter, BestWeights, EpochPrinter
from sklseq.training.net import Net, Objective, StopTraining
from sklseq.training.optimizers import make_schedule
from sklseq.training.phases import Phase
from sklseq.training.placement import enough_memory, parameter_of
from sklseq.training.rows.batch import Rows

__all__ = ["Result", "Trainer"]

# A loss so many times that of the first step, or one, has gone the wrong way.
_EXPLODED = 100


@dataclass
class Result:
    """What a training run leaves behind."""

    n_epochs: int
    loss_curve: list[float]
    validation_curve: list[float]
    learning_rates: list[float]
    optimizer_state: dict[str, Any] = field(repr=False)


@dataclass
class Trainer:
    """Settings of a training run; named as the estimators' parameters.

    Parameters
    ----------
    epochs_done : int, default=0
        Epochs the module was trained for before: randomness goes on from there.
    callbacks : sequence of skorch callbacks, default=()
    phases : sequence of Phase, default=()
        Parts with losses of their own; the objective is then that of held-out rows alone.
    graph : bool or "auto", default="auto"
        Whether steps are captured and replayed; see `graphs`.
    """

    solver: str
    learning_rate: float
    lr_schedule: str | None
    max_epochs: int
    batch_size: int
    weight_decay: float
    gradient_clip: float | None
    gradient_clip_by: str
    n_iter_no_change: int
    tol: float
    n_threads: int | None
    verbose: int
    seed: int
    epochs_done: int = 0
    callbacks: Sequence[Callback] = ()
    phases: Sequence[Phase] = ()
    graph: str | bool = "auto"

    def run(
        self,
        module: nn.Module,
        objective: Objective,
        train: Rows,
        validation: Rows | None = None,
        optimizer_state: dict[str, Any] | None = None,
    ) -> Result:
        """Train `module` in place.

        With `validation`, training stops once its loss has not fallen by `tol` for
        `n_iter_no_change` epochs, and the best weights are restored.

        Raises ValueError if the loss is not finite, and MemoryError if the device is too small.
        """
        load_what_optimizers_need()
        n_parameters = sum(p.numel() for p in module.parameters())
        net = net_for(module, objective, self, train, self._all_callbacks(train, validation))
        with threads(self.n_threads, n_parameters * min(self.batch_size, len(train))):
            net.initialize()
            if optimizer_state is not None:
                _resume(net.optimizer_, optimizer_state)
            net.notify("on_train_begin", X=train, y=validation)
            interrupted = ended = False
            try:
                with suppress(StopTraining), enough_memory(parameter_of(module), *self._step()):
                    net.fit_loop(train, validation)
                ended = True
                net.notify("on_train_end", X=train, y=validation)
            except KeyboardInterrupt:
                interrupted = True
                if not ended:
                    net.notify("on_train_end", X=train, y=validation)
        if interrupted:
            self._keep_best(net)
        # The last step of a run has no loss after it that would show that it diverged.
        for name, parameter in module.named_parameters():
            if not parameter.isfinite().all():
                raise ValueError(f"Training diverged: {name} is not finite. {self._advice()}")
        self._warn_if_exploded(net, restored=interrupted or validation is not None)
        return Result(
            n_epochs=len(net.losses["train"]),
            loss_curve=net.losses["train"],
            validation_curve=net.losses["valid"],
            learning_rates=net.learning_rates,
            optimizer_state=net.state_of_optimizer(),
        )

    def _step(self) -> list[str]:
        """A training step in words, and what makes it smaller."""
        if self.solver == "lbfgs":
            return ["a step of solver='lbfgs', which takes all rows", "another solver"]
        fewer = [f"batch_size={self.batch_size // 2} or less"] if self.batch_size > 1 else []
        return [f"a training step of batch_size={self.batch_size}", *fewer, "a smaller network"]

    def _all_callbacks(self, train: Rows, validation: Rows | None) -> list[Any]:
        monitor = "train_loss" if validation is None else "valid_loss"
        own: list[Callback] = [BestWeights(monitor, restore=validation is not None)]
        if (schedule := make_schedule(self, train, monitor)) is not None:
            own.append(schedule)
        if self.verbose:
            own.append(EpochPrinter())
        if self.verbose > 1:
            own.append(BatchPrinter(self.batch_size))
        if validation is not None:
            own.append(
                EarlyStopping(
                    patience=self.n_iter_no_change, threshold=self.tol, threshold_mode="abs"
                )
            )
        return [*self.callbacks, *own]

    def _advice(self) -> str:
        return (
            f"Lower learning_rate (now {self.learning_rate}), set gradient_clip (now "
            f"{self.gradient_clip}) or scale the inputs, for example with StandardScaler."
        )

    def _warn_if_exploded(self, net: Net, restored: bool) -> None:
        first = net.history[0, "batches", 0, "train_loss"]
        last = net.losses["train"][net.best.epoch - 1 if restored else -1]
        if last > _EXPLODED * max(abs(first), 1):
            warnings.warn(
                f"Training diverged: the loss was {first:.3g} in the first step and is {last:.3g} "
                f"at the end. {self._advice()}",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _keep_best(self, net: Net) -> None:
        best = net.best
        if best.weights is None:
            raise KeyboardInterrupt("interrupted before the first epoch ended")
        # An interrupt may come after the losses of an epoch were noted, and before its weights.
        for losses in net.losses.values():
            del losses[max(best.n_seen, best.epoch) :]
        best.restore_into(net.module_)
        warnings.warn(
            f"Training was interrupted in epoch {net.epoch + 1}; the weights of epoch "
            f"{self.epochs_done + best.epoch}, the best so far, are kept.",
            ConvergenceWarning,
            stacklevel=2,
        )


def _resume(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load moments but keep the settings asked for now: they may have been changed since.

    Moments of another solver, whose settings have other names, are of no use.
    """
    now = optimizer.state_dict()
    if now["param_groups"][0].keys() <= state["param_groups"][0].keys():
        # Copied, for the optimizer changes them in place, also in a run that fails.
        optimizer.load_state_dict(now | {"state": deepcopy(state["state"])})
        # Weights that did not train have none yet, with which torch's fused step cannot go on.
        if state["state"] and optimizer.defaults.get("momentum"):
            for parameter in optimizer.param_groups[0]["params"]:
                buffer = optimizer.state[parameter]
                buffer.setdefault("momentum_buffer", torch.zeros_like(parameter))
