"""What scikit-learn's callbacks, and users, are told of the epochs of a fit."""

import math
import warnings
from copy import deepcopy
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import BatchScoring, Callback, EpochScoring

from sklseq.base.estimator import Fit
from sklseq.training.convergence import still_falling
from sklseq.training.engine import Result, Trainer
from sklseq.training.net import StopTraining
from sklseq.training.rows.batch import Rows

__all__ = ["EpochReporter", "check_callbacks", "finish", "n_epochs", "warn_if_unfinished"]

# Of max_epochs="auto".
_EPOCHS = 30


def n_epochs(model: Any, rows: Rows, least_steps: int, most_steps: float = math.inf) -> int:
    """Passes over the data; of "auto" 30, or as many as make the least or the most steps.

    The more rows there are, the fewer passes it takes to see as much: what is learned goes by the
    number of steps.
    """
    if model.max_epochs != "auto":
        return int(model.max_epochs)
    if model.solver == "lbfgs":
        return _EPOCHS
    n_batches = rows.n_batches(model.batch_size)
    most = max(most_steps / n_batches, 1)
    return math.ceil(min(max(_EPOCHS, least_steps / n_batches), most))


class EpochReporter(Callback):
    """Reports each epoch to scikit-learn's callbacks."""

    def __init__(self, owner: Any, fit: Fit):
        self.owner, self.fit = owner, fit

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a subtask."""
        self.epoch = self.fit.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.owner, **self._task(net))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """End it, and the fit if a callback asks for that."""
        if self.epoch.call_on_fit_task_end(estimator=self.owner, **self._task(net)):
            raise StopTraining

    def _task(self, net: Any) -> dict[str, Any]:
        def as_if_stopped_here() -> dict[str, Any]:  # called only where a callback asks for it
            learned = {
                "module_": deepcopy(net.module_).eval(),
                "n_iter_": net.epoch,
                "loss_curve_": self.owner.loss_curve_ + net.losses["train"],
            }
            # Training series are scored from their starts.
            return learned | ({"carry_state": False} if hasattr(self.owner, "carry_state") else {})

        return self.fit.data | {"reconstruction_attributes": as_if_stopped_here}


def check_callbacks(callbacks: list[Any], held_out: bool) -> None:
    """Refuse what is no callback of skorch, or waits for what this training does not give.

    `held_out` says whether there are rows to validate on.
    """
    for given in callbacks:
        callback = given[1] if isinstance(given, tuple) else given
        name = type(callback).__name__
        if not isinstance(callback, Callback):
            raise ValueError(f"callbacks holds {given!r}, which is not a skorch callback.")
        if isinstance(callback, (BatchScoring, EpochScoring)):
            raise ValueError(
                f"callbacks holds {name}, which lets skorch's net predict: scikit-learn's "
                "ScoringMonitor, given to set_callbacks, scores each epoch."
            )
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor.startswith("valid") and not held_out:
            raise ValueError(
                f"callbacks holds {name}, which monitors {monitor!r}, but no rows are held out to "
                f"validate on: set early_stopping=True, or monitor={'train' + monitor[5:]!r}."
            )


def warn_if_unfinished(trainer: Trainer, result: Result) -> None:
    """Warn where training went through all its epochs while the loss was clearly falling.

    Losses of adversaries tell nothing of that, nor do those of a model that is trained further.
    """
    if trainer.phases or trainer.epochs_done or result.n_epochs < trainer.max_epochs:
        return
    kind = "validation" if result.validation_curve else "training"
    losses = result.validation_curve or result.loss_curve
    if share := still_falling(losses, result.learning_rates):
        others = " or learning_rate, or lower batch_size for more steps an epoch"
        warnings.warn(
            f"Training reached max_epochs={trainer.max_epochs} before it converged: {share:.0%} of "
            f"the decrease of the {kind} loss came in the second half of training. Raise "
            f"max_epochs{'' if trainer.solver == 'lbfgs' else others}.",
            ConvergenceWarning,
            stacklevel=2,
        )


def finish(model: Any, data: Any, targets: Any) -> None:
    """What is left to learn of a trained network; once more if that is interrupted."""
    try:
        model._finish(data, targets)
    except KeyboardInterrupt:
        warnings.warn(
            f"Interrupted after {type(model).__name__} was trained: what is computed from the "
            "trained network is computed once more, to keep the model. Interrupt again to give it "
            "up.",
            ConvergenceWarning,
            stacklevel=2,
        )
        model._finish(data, targets)
