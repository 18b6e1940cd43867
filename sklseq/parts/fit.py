"""What every estimator with a torch module shares: training parameters, fitting, persistence."""

import warnings
from copy import deepcopy
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, check_scalar
from skorch.callbacks import Callback
from torch import nn

from sklseq import __version__
from sklseq.base import Estimator, attribute, choice, estimator, integer, param, real
from sklseq.base.randomness import draw_seed
from sklseq.training.context import resolve_device, seeded_construction
from sklseq.training.engine import Objective, StopTraining, Trainer
from sklseq.training.optimizers import SCHEDULES, SOLVERS
from sklseq.training.phases import Phase
from sklseq.training.rows.batch import Rows

__all__ = ["NeuralEstimator"]


@estimator
class NeuralEstimator(Estimator):
    """An estimator that trains a torch module."""

    solver: str = param(
        "adam",
        "Optimiser; 'sgd' has Nesterov's momentum of 0.9. 'lbfgs' takes the whole training set at "
        "once, up to 20 iterations an epoch, and finds its step itself.",
        choice(*SOLVERS),
    )
    learning_rate: float = param(
        1e-3, "Step size, or the largest one of a schedule.", real(0, closed="neither")
    )
    lr_schedule: str | None = param(
        None,
        "How the learning rate changes in training: 'cosine' to 0, 'exponential' to a hundredth, "
        "'step' to a tenth after each third, 'cyclic' between a tenth and all of it, 'onecycle' "
        "up and down, 'plateau' halves it when the loss stops falling. None keeps it. Each `fit` "
        "goes through the schedule; `partial_fit` keeps the rate. Not used by 'lbfgs'.",
        choice(*SCHEDULES),
        None,
    )
    max_epochs: int = param(100, "Passes over the training data.", integer(1))
    batch_size: int = param(32, "Rows in a training step.", integer(1))
    weight_decay: float = param(
        0.0, "L2 penalty, decoupled from the gradient for 'adamw'; not used by 'lbfgs'.", real(0)
    )
    gradient_clip: float | None = param(
        1.0,
        "Largest gradient allowed, in the sense of `gradient_clip_by`; None for no limit. Not "
        "used by 'lbfgs'.",
        real(0, closed="neither"),
        None,
    )
    gradient_clip_by: str = param(
        "norm",
        "Whether the limit holds for the norm of the whole gradient or for each value.",
        choice("norm", "value"),
    )
    early_stopping: bool = param(
        False,
        "Hold out `validation_fraction` of the training data, stop when the loss on it no longer "
        "falls, and keep the best weights.",
        "boolean",
    )
    validation_fraction: float = param(
        0.1, "Share of the training data held out by `early_stopping`.", real(0, 1, "neither")
    )
    n_iter_no_change: int = param(
        10, "Epochs without improvement after which early stopping ends training.", integer(1)
    )
    tol: float = param(1e-4, "Smallest fall of the validation loss that counts.", real(0))
    warm_start: bool = param(
        False, "Whether `fit` goes on from the weights of the last fit.", "boolean"
    )
    callbacks: Any = param(
        None,
        "skorch callbacks for training; they see ``net.module_`` and, in ``net.history``, "
        "``train_loss`` and ``valid_loss``. Those that let the net predict cannot be used: "
        "scikit-learn's `ScoringMonitor` scores epochs, see `set_callbacks`.",
        list,
        tuple,
        None,
    )
    dtype: str = param(
        "float32", "Type of the weights and of the computation.", choice("float32", "float64")
    )
    device: str = param(
        "cpu",
        "Where to compute: 'cpu', 'cuda', 'cuda:1', 'mps', or 'auto' for the best there.",
        str,
    )
    n_threads: int | None = param(
        None,
        "Threads of torch. None takes one where a training step is small, for more would only "
        "wait for each other.",
        integer(1),
        None,
    )
    random_state: Any = param(
        None,
        "Seed of the initial weights, the order of rows, dropout and the held-out part.",
        "random_state",
    )
    verbose: int = param(0, "1 prints a line each epoch.", integer(0), "boolean")

    _attributes = {
        "module_": attribute("torch.nn.Module", "The trained network."),
        "n_features_in_": attribute("int", "Number of features seen in `fit`."),
        "feature_names_in_": attribute(
            "ndarray of shape (`n_features_in_`,)", "Column names, where X was a DataFrame."
        ),
        "n_iter_": attribute("int", "Number of epochs trained."),
        "loss_curve_": attribute("list of float", "Mean training loss of each epoch."),
        "validation_scores_": attribute(
            "list of float or None",
            "Negative loss on the held-out part after each epoch; None without `early_stopping`.",
        ),
        "best_loss_": attribute(
            "float", "Lowest validation loss with `early_stopping`, else lowest training loss."
        ),
    }

    if TYPE_CHECKING:
        module_: nn.Module  # not an annotation at run time: it would become a parameter
    _network: ClassVar[type[nn.Module]]
    """The module's class; `_network(**self._module_kwargs)` rebuilds it."""

    def _start_module(self, fresh: bool, **kwargs: Any) -> nn.Module:
        """The module to train: a new one, or a copy of the fitted one.

        The copy keeps the fitted one as it is until training has succeeded.
        """
        device = resolve_device(self.device)
        if not fresh:
            self._check_same_network(kwargs)
            return deepcopy(self.module_).to(device, getattr(torch, self.dtype))
        self._seed = draw_seed(self.random_state)
        self._module_kwargs = kwargs
        self._optimizer_state: dict[str, Any] | None = None
        self.n_iter_ = 0
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = None
        with seeded_construction(self._seed):
            module = self._network(**kwargs)
        return module.to(device=device, dtype=getattr(torch, self.dtype))

    def _phases(self) -> list[Phase]:
        """Parts that are trained against each other, each by its own loss; none by default."""
        return []

    def _check_same_network(self, wanted: dict[str, Any]) -> None:
        """Refuse to go on from a network that is not the one the parameters describe."""
        changed = [k for k, v in wanted.items() if v != self._module_kwargs[k]]
        if changed:
            raise ValueError(
                f"The fitted {type(self).__name__} cannot be trained further: "
                + ", ".join(
                    f"{k} was {self._module_kwargs[k]!r}, now {wanted[k]!r}" for k in changed
                )
                + ". Set it back, or fit anew with warm_start=False."
            )

    def _train(
        self,
        module: nn.Module,
        objective: Objective,
        train: Rows,
        validation: Rows | None,
        *,
        partial: bool,
        data: dict[str, Any],
    ) -> None:
        """Train `module` and make it the fitted one.

        Parameters
        ----------
        partial : bool
            One epoch at the full learning rate, instead of `max_epochs` with the schedule.
        data : dict
            The user's ``X``, ``y`` and ``metadata``, for scikit-learn's callbacks.
        """
        epochs = 1 if partial else self.max_epochs
        context = self._init_callback_context(max_subtasks=epochs)
        context.call_on_fit_task_begin(estimator=self, **data)
        callbacks = list(self.callbacks or ())
        for callback in callbacks:
            named = callback[1] if isinstance(callback, tuple) else callback
            if not isinstance(named, Callback):
                raise ValueError(f"callbacks holds {callback!r}, which is not a skorch callback.")
        reporter = _EpochReporter(self, context, data)
        own = {
            "lr_schedule": None if partial else self.lr_schedule,
            "max_epochs": epochs,
            "batch_size": len(train) if self.solver == "lbfgs" else self.batch_size,
            "seed": self._seed,
            "epochs_done": self.n_iter_,
            "callbacks": [reporter, *callbacks],
            "phases": self._phases(),
        }
        # All else is called alike, so that a setting of the engine is a parameter by its name.
        params = self.get_params(deep=False)
        passed_on = {f.name: params[f.name] for f in fields(Trainer) if f.name in params}
        trainer = Trainer(**passed_on | own)
        result = trainer.run(module, objective, train, validation, self._optimizer_state)
        self.module_ = module.eval()
        self.n_iter_ = self.n_iter_ + result.n_epochs
        self.loss_curve_ = self.loss_curve_ + result.loss_curve
        if validation is not None:
            scores = [-loss for loss in result.validation_curve]
            self.validation_scores_ = (self.validation_scores_ or []) + scores
        held_out = self.validation_scores_
        self.best_loss_ = -max(held_out) if held_out else min(self.loss_curve_)
        self._optimizer_state = result.optimizer_state
        context.call_on_fit_task_end(
            estimator=self, **data, reconstruction_attributes={"module_": module}
        )

    def _finish_training(self: Any, *data: Any) -> None:
        """`_finish`, lest Ctrl-C there loses the trained network.

        The first Ctrl-C in this part has it begin anew; the second gives up the fit.
        """
        try:
            self._finish(*data)
        except KeyboardInterrupt:
            warnings.warn(
                f"Interrupted when {type(self).__name__} was trained, but for what is computed "
                "from the trained network: that begins anew, to keep the model. Interrupt again "
                "to give it up.",
                ConvergenceWarning,
                stacklevel=2,
            )
            self._finish(*data)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __getstate__(self) -> dict[str, Any]:
        """Plain numpy arrays instead of torch objects: safe to read, on any machine."""
        state = dict(super().__getstate__())
        state["_sklseq_version"] = __version__
        if (module := state.get("module_")) is not None:
            state["module_"] = _to_arrays(module.state_dict())
        if state.get("_optimizer_state") is not None:
            state["_optimizer_state"] = _to_arrays(state["_optimizer_state"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild the module from what it was made with, and load its weights strictly.

        Raises
        ------
        ValueError
            If the stored weights do not fit the module.
        """
        state = dict(state)
        version = state.pop("_sklseq_version", __version__)
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was saved by sklseq {version} and is loaded by "
                f"{__version__}; its results may differ.",
                UserWarning,
                stacklevel=2,
            )
        if (arrays := state.get("module_")) is not None:
            with seeded_construction(0):
                module = self._network(**state["_module_kwargs"])
            _check_shapes(type(self).__name__, module, arrays)
            # Assigned, so that the weights keep their type: the parameter may be set anew.
            module.load_state_dict(_to_tensors(arrays), assign=True)
            state["module_"] = module.to(_device_or_cpu(state["device"])).eval()
        if state.get("_optimizer_state") is not None:
            state["_optimizer_state"] = _to_tensors(state["_optimizer_state"])
        super().__setstate__(state)


class _EpochReporter(Callback):
    """Tells scikit-learn's callbacks of each epoch."""

    def __init__(self, owner: NeuralEstimator, context: Any, data: dict[str, Any]):
        self.owner, self.context, self.data = owner, context, data

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.owner, **self._task(net))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.epoch.call_on_fit_task_end(estimator=self.owner, **self._task(net)):
            raise StopTraining

    def _task(self, net: Any) -> dict[str, Any]:
        def as_if_stopped_here() -> dict[str, Any]:  # called only where a callback asks for it
            return {
                "module_": deepcopy(net.module_).eval(),
                "n_iter_": net.epoch,
                "loss_curve_": self.owner.loss_curve_ + net.losses["train"],
            }

        return self.data | {"reconstruction_attributes": as_if_stopped_here}


def sampling_generator(model: Any, n_samples: Any, random_state: Any) -> np.random.Generator:
    """What samples of a model are drawn with.

    Parameters
    ----------
    model : estimator
    n_samples, random_state
        As the user gives them.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        If the model is not fitted, or `n_samples` is not a whole number of at least 1.
    """
    check_is_fitted(model)
    if isinstance(n_samples, bool):  # an int, for Python
        raise TypeError(f"n_samples={n_samples} is not a number of samples.")
    check_scalar(n_samples, "n_samples", (int, np.integer), min_val=1)
    return np.random.default_rng(draw_seed(random_state))


def _device_or_cpu(device: str) -> torch.device:
    try:
        return resolve_device(device)
    except ValueError:  # trained where there was one
        return torch.device("cpu")


def _to_arrays(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return np.asarray(value.detach().cpu().numpy(), order="C")
    if isinstance(value, dict):
        return {k: _to_arrays(v) for k, v in value.items()}
    return [_to_arrays(v) for v in value] if isinstance(value, list) else value


def _to_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {k: _to_tensors(v) for k, v in value.items()}
    return [_to_tensors(v) for v in value] if isinstance(value, list) else value


def _check_shapes(name: str, module: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    expected = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    found = {k: v.shape for k, v in arrays.items()}
    if expected != found:
        wrong = sorted(k for k in expected.keys() | found if expected.get(k) != found.get(k))
        raise ValueError(
            f"The stored weights of this {name} do not fit its network: "
            + "; ".join(f"{k} is {found.get(k)}, expected {expected.get(k)}" for k in wrong[:3])
        )
