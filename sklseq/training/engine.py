"""One training loop for all torch families: skorch's, with batches cut by slicing."""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from torch import Tensor, nn

from sklseq._compat.torch import load_what_optimizers_need
from sklseq.nn.layers.randomness import current_generator, drawing_from
from sklseq.training.context import epoch_generators, threads
from sklseq.training.monitors import BatchPrinter, BestWeights, EpochPrinter
from sklseq.training.optimizers import make_optimizer, make_schedule
from sklseq.training.phases import Phase, adversarial_step
from sklseq.training.rows.batch import Batch, Rows, batches

__all__ = ["Objective", "Result", "StopTraining", "Trainer"]

# A loss so many times that of the first step, or one, has gone the wrong way.
_EXPLODED = 100

Objective = Callable[[nn.Module, Batch], Tensor]
"""Scalar loss of a batch: the sum of its targets' weighted losses, over its rows."""


class StopTraining(KeyboardInterrupt):
    """Ends training in good order; skorch's callbacks raise its base class for that."""


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

        Raises ValueError if the loss is not finite.
        """
        load_what_optimizers_need()
        device = next(module.parameters()).device
        n_parameters = sum(p.numel() for p in module.parameters())
        net = _Net(module, objective, self, device, self._all_callbacks(train, validation))
        with threads(self.n_threads, n_parameters * min(self.batch_size, len(train))):
            net.initialize()
            if optimizer_state is not None:
                _resume(net.optimizer_, optimizer_state)
            net.notify("on_train_begin", X=train, y=validation)
            interrupted = ended = False
            try:
                with suppress(StopTraining):
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
            optimizer_state=net.optimizer_.state_dict(),
        )

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

    def _warn_if_exploded(self, net: "_Net", restored: bool) -> None:
        first = net.history[0, "batches", 0, "train_loss"]
        last = net.losses["train"][net.best.epoch - 1 if restored else -1]
        if last > _EXPLODED * max(abs(first), 1):
            warnings.warn(
                f"Training diverged: the loss was {first:.3g} in the first step and is {last:.3g} "
                f"at the end. {self._advice()}",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _keep_best(self, net: "_Net") -> None:
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


class _Net(NeuralNet):
    """skorch's loop over our rows: ``fit_loop(train_rows, validation_rows)``."""

    def __init__(
        self,
        module: nn.Module,
        objective: Objective,
        trainer: Trainer,
        device: torch.device,
        callbacks: list[Any],
    ):
        optimizer, options = make_optimizer(trainer, device)
        if trainer.phases:
            options["param_groups"] = [(f"{p.part}.*", p.options) for p in trainer.phases]
        super().__init__(
            module,
            criterion=nn.Identity,  # the objective computes the loss from the whole batch
            optimizer=optimizer,
            max_epochs=trainer.max_epochs,
            batch_size=trainer.batch_size,
            callbacks=callbacks,
            device=None,
            verbose=0,
            **{f"optimizer__{name}": value for name, value in options.items()},
        )
        self.objective, self.trainer = objective, trainer
        self.parameters = list(module.parameters())
        self.losses: dict[str, list[float]] = {"train": [], "valid": []}
        self.learning_rates: list[float] = []

    _default_callbacks: list[Any] = []

    def get_split_datasets(self, X: Rows, y: Rows | None = None, **_: Any) -> Any:
        return X, y

    def get_iterator(self, dataset: Rows, training: bool = False) -> Rows:
        return dataset

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.learning_rates.append(self.optimizer_.param_groups[0]["lr"])
        for name, losses in self.losses.items():
            if (loss := self.history[-1].get(f"{name}_loss")) is not None:
                # For skorch's Checkpoint.
                self.history.record(f"{name}_loss_best", loss < min(losses, default=math.inf))
                losses.append(loss)

    @property
    def best(self) -> BestWeights:
        """The callback that has the best weights so far."""
        return next(c for _, c in self.callbacks_ if isinstance(c, BestWeights))

    @property
    def epoch(self) -> int:
        """Epochs the module was trained for, in earlier runs too."""
        return self.trainer.epochs_done + len(self.losses["train"])

    def initialize_callbacks(self) -> Any:
        super().initialize_callbacks()
        # Calls of empty hooks would be a part of a small step.
        self.listeners = {
            hook: [callback for _, callback in self.callbacks_ if _overrides(callback, hook)]
            for hook in vars(Callback)
            if hook.startswith("on_")
        }
        return self

    def notify(self, method_name: str, **kwargs: Any) -> None:
        getattr(self, method_name)(self, **kwargs)
        stop: KeyboardInterrupt | None = None
        for callback in self.listeners[method_name]:
            try:
                getattr(callback, method_name)(self, **kwargs)
            except KeyboardInterrupt as error:
                if method_name != "on_epoch_end":
                    raise
                # Ctrl-C within a callback is not its way to end training.
                stop = StopTraining() if _meant(error, callback) else error
        if stop is not None:  # raised last, so that all callbacks see the epoch's end
            raise stop

    def run_single_epoch(
        self, iterator: Rows | None, training: bool, prefix: str, step_fn: Any, **_: Any
    ) -> None:
        if iterator is None:
            return
        trainer = self.trainer
        device = next(self.module_.parameters()).device
        epoch = self.epoch
        order, layers = epoch_generators(trainer.seed, epoch, device)
        total = n_rows = 0.0
        records = self.history[-1]["batches"]
        with drawing_from(layers):
            cut = batches(iterator, trainer.batch_size, order if training else None)
            for number, batch in enumerate(cut):
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch)
                loss = step["loss"].item()
                if not math.isfinite(loss):
                    raise ValueError(self._divergence(loss, epoch + 1, number + 1, training))
                total, n_rows = total + loss * batch.n_rows, n_rows + batch.n_rows
                records[-1] |= {f"{prefix}_loss": loss, f"{prefix}_batch_size": batch.n_rows}
                self.notify("on_batch_end", batch=batch, training=training, **step)
        self.history.record(f"{prefix}_loss", total / n_rows)

    def train_step(self, batch: Batch, **_: Any) -> dict[str, Any]:
        trainer, module, optimizer = self.trainer, self.module_, self.optimizer_
        if not module.training:
            module.train()
        if trainer.phases:
            computed = partial(self._computed, batch)
            loss = adversarial_step(module, trainer.phases, optimizer, batch, computed)
        elif trainer.solver == "lbfgs":
            loss = optimizer.step(self._repeatable(batch))
        else:
            loss = self.objective(module, batch)
            # Where no target counts, momentum and weight decay would still move the weights. What
            # is carried to the next segment moves on.
            if batch.weight.any():
                self._backpropagate(loss, batch)
                optimizer.step()
        return {"loss": loss.detach(), "y_pred": None}

    def _repeatable(self, batch: Batch) -> Callable[[], Tensor]:
        """For a line search, which compares losses: all it asks for meet the same noise."""
        layers = current_generator()
        assert layers is not None
        state = layers.get_state()

        def gradients() -> Tensor:
            layers.set_state(state)
            loss = self.objective(self.module_, batch)
            self._backpropagate(loss, batch)
            return loss.detach()

        return gradients

    def _backpropagate(self, loss: Tensor, batch: Batch) -> None:
        """Make the gradients of the parameters those of this loss."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        self._computed(batch, self.parameters)

    def _computed(self, batch: Batch, parameters: Iterable[nn.Parameter]) -> None:
        """Clip new gradients, and show them to callbacks."""
        clip = self.trainer.gradient_clip
        if clip is not None and self.trainer.solver != "lbfgs":
            by_norm = self.trainer.gradient_clip_by == "norm"
            limit = _clip_norm if by_norm else nn.utils.clip_grad_value_
            limit(parameters, clip)
        if self.listeners["on_grad_computed"]:
            self.notify(
                "on_grad_computed",
                named_parameters=list(self.module_.named_parameters()),
                batch=batch,
                training=True,
            )

    def validation_step(self, batch: Batch, **_: Any) -> dict[str, Any]:
        self.module_.eval()
        with torch.no_grad():
            return {"loss": self.objective(self.module_, batch), "y_pred": None}

    def _divergence(self, loss: float, epoch: int, batch: int, training: bool) -> str:
        if not training:
            return (
                "Training diverged, or validation data are too large: the validation loss is "
                f"{loss} in epoch {epoch}, batch {batch}. {self.trainer._advice()}"
            )
        sizes = {
            name: p.grad.abs().max().nan_to_num(torch.inf).item()
            for name, p in self.module_.named_parameters()
            if p.grad is not None and p.grad.numel()
        }
        name = max(sizes, key=lambda n: sizes[n], default="none")
        return (
            f"Training diverged: the loss is {loss} in epoch {epoch}, batch {batch} (largest "
            f"gradient: {sizes.get(name, 0):.3g}, of {name}). {self.trainer._advice()}"
        )


def _meant(error: KeyboardInterrupt, callback: Callback) -> bool:
    """Whether a callback ends training in good order."""
    asked = isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience
    return asked or isinstance(error, StopTraining)


def _overrides(callback: Callback, hook: str) -> bool:
    own = getattr(callback, hook)
    return getattr(own, "__func__", own) is not getattr(Callback, hook)


def _clip_norm(parameters: Iterable[nn.Parameter], limit: float) -> None:
    """Torch's `clip_grad_norm_`, which takes longer where there is nothing to clip."""
    clipped = [p for p in parameters if p.grad is not None]
    norm = torch.stack([p.grad.norm() for p in clipped if p.grad is not None]).norm()
    if not norm <= limit:
        nn.utils.clip_grads_with_norm_(clipped, limit, norm)


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
