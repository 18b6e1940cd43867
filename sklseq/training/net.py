"""skorch's training loop over our rows, with batches cut by slicing."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from torch import Tensor, nn

from sklseq.nn.layers.randomness import current_generator, drawing_from
from sklseq.training.context import epoch_generators
from sklseq.training.monitors import BestWeights
from sklseq.training.optimizers import make_optimizer
from sklseq.training.phases import adversarial_step
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Batch, Rows, batches

if TYPE_CHECKING:
    from sklseq.training.engine import Trainer

__all__ = ["Net", "Objective", "StopTraining", "clip_norm_unseen", "overrides"]

Objective = Callable[[nn.Module, Batch], Tensor]
"""Scalar loss of a batch: the sum of its targets' weighted losses, over its rows."""


class StopTraining(KeyboardInterrupt):
    """Ends training in good order; skorch's callbacks raise its base class for that."""


class Net(NeuralNet):
    """skorch's loop over our rows: ``fit_loop(train_rows, validation_rows)``."""

    waits = True
    """Whether each step waits for its results, to stop at once where they are not finite."""

    def __init__(
        self,
        module: nn.Module,
        objective: Objective,
        trainer: "Trainer",
        rows: Rows,
        callbacks: list[Any],
    ):
        optimizer, options = make_optimizer(trainer, parameter_of(module).device)
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
        assert rows.weight is not None
        self.all_count = bool((rows.weight != 0).all())
        self.losses: dict[str, list[float]] = {"train": [], "valid": []}
        self.learning_rates: list[float] = []

    _default_callbacks: list[Any] = []

    @staticmethod
    def clip_norm(parameters: Iterable[nn.Parameter], limit: float) -> None:
        """Torch's `clip_grad_norm_`, which takes longer where there is nothing to clip."""
        clipped, norm = _norm(parameters)
        if not norm <= limit:
            nn.utils.clip_grads_with_norm_(clipped, limit, norm)

    def get_split_datasets(self, X: Rows, y: Rows | None = None, **_: Any) -> Any:
        """Rows and held-out rows, as they come."""
        return X, y

    def get_iterator(self, dataset: Rows, training: bool = False) -> Rows:
        """The rows, which cut batches themselves."""
        return dataset

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Note the losses of the epoch and its learning rate."""
        self.learning_rates.append(float(self.optimizer_.param_groups[0]["lr"]))
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
        """Find out who listens to what."""
        super().initialize_callbacks()
        # Calls of empty hooks would be a part of a small step.
        self.listeners = {
            hook: [callback for _, callback in self.callbacks_ if overrides(callback, hook)]
            for hook in vars(Callback)
            if hook.startswith("on_")
        }
        return self

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call a hook of all that listen to it."""
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
        """Go through all rows once."""
        if iterator is None:
            return
        trainer = self.trainer
        epoch = self.epoch
        order, layers = epoch_generators(trainer.seed, epoch)
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
        """Train on a batch."""
        trainer, module, optimizer = self.trainer, self.module_, self.optimizer_
        if not module.training:
            module.train()
        if trainer.phases:
            computed = partial(self._computed, batch)
            loss = adversarial_step(module, trainer.phases, optimizer, batch, computed, self.waits)
        elif trainer.solver == "lbfgs":
            loss = optimizer.step(self._repeatable(batch))
        else:
            loss = self.objective(module, batch)
            # Where no target counts, momentum and weight decay would still move the weights. What
            # is carried to the next segment moves on.
            if self.all_count or batch.weight.any():
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
            limit = self.clip_norm if by_norm else nn.utils.clip_grad_value_
            limit(parameters, clip)
        if self.listeners["on_grad_computed"]:
            self.notify(
                "on_grad_computed",
                named_parameters=list(self.module_.named_parameters()),
                batch=batch,
                training=True,
            )

    def validation_step(self, batch: Batch, **_: Any) -> dict[str, Any]:
        """The loss of held-out rows."""
        self.module_.eval()
        with torch.no_grad():
            return {"loss": self.objective(self.module_, batch), "y_pred": None}

    def _divergence(self, loss: float, epoch: int, batch: int, training: bool) -> str:
        if not training:
            return (
                "Training diverged, or validation data are too large: the validation loss is "
                f"{loss} in epoch {epoch}, batch {batch}. {self.trainer._advice()}"
            )
        return (
            f"Training diverged: the loss is {loss} in epoch {epoch}, batch {batch}"
            f"{self._largest_gradient()}. {self.trainer._advice()}"
        )

    def _largest_gradient(self) -> str:
        sizes = {
            name: p.grad.abs().max().nan_to_num(torch.inf).item()
            for name, p in self.module_.named_parameters()
            if p.grad is not None and p.grad.numel()
        }
        name = max(sizes, key=lambda n: sizes[n], default="none")
        return f" (largest gradient: {sizes.get(name, 0):.3g}, of {name})"

    def state_of_optimizer(self) -> dict[str, Any]:
        """What the optimizer has learned, to go on with."""
        return self.optimizer_.state_dict()


def _meant(error: KeyboardInterrupt, callback: Callback) -> bool:
    """Whether a callback ends training in good order."""
    asked = isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience
    return asked or isinstance(error, StopTraining)


def overrides(callback: Any, hook: str) -> bool:
    """Whether a callback has a hook of its own."""
    own = getattr(callback, hook)
    return getattr(own, "__func__", own) is not getattr(Callback, hook)


def _norm(parameters: Iterable[nn.Parameter]) -> tuple[list[nn.Parameter], Tensor]:
    """Parameters with gradients, and the norm of these."""
    clipped = [p for p in parameters if p.grad is not None]
    return clipped, torch.stack([p.grad.norm() for p in clipped if p.grad is not None]).norm()


def clip_norm_unseen(parameters: Iterable[nn.Parameter], limit: float) -> None:
    """`Net.clip_norm` that does not wait to see whether there is anything to clip."""
    clipped, norm = _norm(parameters)
    # A norm of 0 leaves gradients as they are.
    nn.utils.clip_grads_with_norm_(clipped, limit, norm.masked_fill(norm <= limit, 0))
