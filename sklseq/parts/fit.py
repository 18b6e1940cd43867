"""The one way that estimators with a torch module are fitted, run and stored."""

import warnings
from abc import abstractmethod
from copy import deepcopy
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq.base import Estimator, attribute, choice, estimator, integer, param, real, same
from sklseq.base.estimator import Fit
from sklseq.base.known_state import known_state
from sklseq.base.randomness import draw_seed
from sklseq.base.tables import of_table
from sklseq.base.target_rows import TargetRows, read_weights
from sklseq.parts.computing import DeviceParameters
from sklseq.parts.epochs import EpochReporter, check_callbacks, warn_if_unfinished
from sklseq.parts.storage import (
    check_moments,
    check_same_settings,
    check_setting,
    converted,
    rebuilt,
)
from sklseq.parts.validation import Validation
from sklseq.training.context import seeded_construction
from sklseq.training.engine import Result, Trainer
from sklseq.training.net import Objective
from sklseq.training.optimizers import SCHEDULES, SOLVERS
from sklseq.training.phases import Phase
from sklseq.training.placement import device_or_cpu, parameter_of, resolve_device
from sklseq.training.rows.batch import Batch, Rows, Targets
from sklseq.training.run import run

__all__ = ["NeuralEstimator"]


@estimator
class NeuralEstimator(Estimator):
    """An estimator that trains a torch module."""

    solver: str = param(
        "adam",
        "Optimizer; 'sgd' has Nesterov's momentum of 0.9. 'lbfgs' takes the whole training set at "
        "once, up to 20 iterations an epoch, and finds its step itself.",
        choice(*SOLVERS),
    )
    learning_rate: float = param(
        1e-3, "Step size, or the largest one of a schedule.", real(0, closed="neither")
    )
    lr_schedule: str | None = param(
        None,
        "Schedule of the learning rate: 'cosine' to 0, 'exponential' to a hundredth, "
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
        "Hold out `validation_fraction` of the training data, or take `X_val` of `fit`, stop when "
        "the loss on it no longer falls, and keep the best weights.",
        "boolean",
    )
    validation_fraction: float = param(
        0.1, "Share of the training data held out by `early_stopping`.", real(0, 1, "neither")
    )
    n_iter_no_change: int = param(
        10, "Epochs without improvement after which early stopping ends training.", integer(1)
    )
    tol: float = param(
        1e-4, "Minimum decrease of the validation loss that counts as improvement.", real(0)
    )
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
    dtype: str = same(DeviceParameters, "dtype")
    device: str = same(DeviceParameters, "device")
    graph: Any = same(DeviceParameters, "graph")
    n_threads: int | None = same(DeviceParameters, "n_threads")
    random_state: Any = param(
        None,
        "Seed of the initial weights, the order of rows, dropout and the held-out part.",
        "random_state",
    )
    verbose: int = param(
        0,
        "Verbosity; 1 prints a line each epoch, 2 also one every few seconds within it.",
        integer(0),
        "boolean",
    )

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
            "Negative loss on held-out or validation data after each epoch; None without "
            "`early_stopping`.",
        ),
        "best_loss_": attribute(
            "float or None",
            "Lowest validation loss with `early_stopping`, else lowest training loss; None before "
            "the first epoch.",
        ),
    }

    if TYPE_CHECKING:
        module_: nn.Module  # not annotations at run time: they would become parameters
        _module_kwargs: dict[str, Any]
    _network: ClassVar[type[nn.Module]]
    """The module's class; `_network(**self._module_kwargs)` rebuilds it."""
    _tells_of_training: ClassVar[bool] = True
    """Whether its user can set how long it is trained."""

    # -- the template ----------------------------------------------------------------------

    def _fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        validation: Validation | None = None,
        partial: bool = False,
        context: Any = None,
        **known: Any,
    ) -> Self:
        """Fit, or with `partial` train for one epoch more: the template of every family.

        What differs between families stands in the hooks below, which are called in their order;
        ``context`` and ``known`` go to `_with_context` and `_read_targets`. A fit that fails leaves
        the estimator as it was before.
        """
        fresh = not (self.__sklearn_is_fitted__() and (partial or self.warm_start))
        n_epochs = 1 if partial else None if self.max_epochs == "auto" else int(self.max_epochs)
        beside = {} if context is None else {"context": context}
        with self._fitting(X, y, n_epochs=n_epochs, sample_weight=sample_weight, **beside) as fit:
            validation = validation or Validation()
            validation.check(self)
            data = self._with_context(self._read(X, fresh), context, X, fresh)
            target_rows = self._target_rows(data)
            weights = read_weights(sample_weight, target_rows)
            if fresh:
                self._learn_scale(data, weights)
            targets = self._read_targets(y, data, weights, fresh, **known)
            module = self._start_module(fresh, self._settings(data, targets))
            rows = self._rows(data, parameter_of(module), targets)
            train, held_out = rows, None
            # A single epoch of partial_fit has nothing to stop.
            if self.early_stopping and not partial:
                train, held_out = validation.separate(self, X, rows, targets, target_rows)
            if fresh:
                with torch.no_grad():
                    self._initialize(module, train)
            if fresh or not partial:
                self._begin(module, train)
            trainer = self._trainer(fit, train, partial)
            objective, train = self._training_objective(), self._training_rows(train)
            result = trainer.run(module, objective, train, held_out, self._optimizer_state)
            self._keep(module, result)
            if self._tells_of_training:
                warn_if_unfinished(trainer, result)
            try:
                self._finish(data, targets)
            except KeyboardInterrupt:
                warnings.warn(
                    f"Interrupted after {type(self).__name__} was trained: what is computed from "
                    "the trained network is computed once more, to keep the model. Interrupt again "
                    "to give it up.",
                    ConvergenceWarning,
                    stacklevel=2,
                )
                self._finish(data, targets)
        return self

    @abstractmethod
    def _read(self, X: Any, fresh: bool) -> Any:
        """Validated X; a fresh fit learns what X looks like, others compare with that."""

    def _target_rows(self, data: Any) -> TargetRows:
        """What targets and weights belong to; by default the rows of a table."""
        return of_table(len(data))

    def _learn_scale(self, data: Any, weights: NDArray[np.float64]) -> None:
        """Set by what the values in data are scaled, where the network does not do it."""

    def _read_targets(
        self, y: Any, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        """What rows are to give; by default themselves."""
        return Targets(weights)

    @abstractmethod
    def _settings(self, data: Any, targets: Targets) -> dict[str, Any]:
        """What `_network` is made with, for these training data."""

    @abstractmethod
    def _rows(self, data: Any, like: Tensor, targets: Targets | None = None) -> Rows:
        """What was read, as rows that a module takes; without targets for inference."""

    def _initialize(self, module: Any, rows: Any) -> None:
        """Set what a new module takes from its training rows; called without gradients."""

    def _begin(self, module: Any, rows: Any) -> None:
        """Set anew what goes along with training: in `fit`, and the first call of `partial_fit`."""

    def _phases(self) -> list[Phase]:
        """Parts that are trained against each other, each by its own loss; none by default."""
        return []

    def _training_rows(self, rows: Rows) -> Rows:
        """The rows that epochs go through, once the module was initialized from `rows`."""
        return rows

    @abstractmethod
    def _objective(self, module: Any, batch: Batch) -> Tensor:
        """Scalar loss of a batch: the sum of its targets' weighted losses, over its rows."""

    def _training_objective(self) -> Objective:
        """What training minimizes, and held-out rows are judged by: the loss."""
        return self._objective

    def _finish(self, data: Any, targets: Targets) -> None:
        """What is left to learn once the network is trained."""

    # -- its steps -------------------------------------------------------------------------

    def _start_module(self, fresh: bool, settings: dict[str, Any]) -> nn.Module:
        """The module to train: a new one, or a copy of the fitted one.

        The copy keeps the fitted one as it is until training has succeeded.
        """
        device = resolve_device(self.device)
        if not fresh:
            check_same_settings(type(self).__name__, settings, self._module_kwargs)
            return deepcopy(self.module_).to(device, getattr(torch, self.dtype))
        self.__dict__.pop("module_", None)  # nothing is read as an earlier fit would
        self._seed = draw_seed(self.random_state)
        self._module_kwargs = deepcopy(settings)  # whose parts may be the user's
        self._optimizer_state: dict[str, Any] | None = None
        self.n_iter_ = 0
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = None
        with seeded_construction(self._seed):
            module = self._network(**settings)
        return module.to(device=device, dtype=getattr(torch, self.dtype))

    def _trainer(self, fit: Fit, rows: Rows, partial: bool) -> Trainer:
        """The engine with the parameters of this estimator; those of one name are one."""
        callbacks = list(self.callbacks or ())
        check_callbacks(callbacks, self.early_stopping and not partial)
        own = {
            "lr_schedule": None if partial else self.lr_schedule,
            "max_epochs": 1 if partial else self._n_epochs(rows),
            "batch_size": len(rows) if self.solver == "lbfgs" else self.batch_size,
            "seed": self._seed,
            "epochs_done": self.n_iter_,
            "callbacks": [EpochReporter(self, fit), *callbacks],
            "phases": self._phases(),
        }
        parameters = self.get_params(deep=False)
        shared = {f.name: parameters[f.name] for f in fields(Trainer) if f.name in parameters}
        return Trainer(**shared | own)

    def _n_epochs(self, rows: Rows) -> int:
        return self.max_epochs

    def _keep(self, module: nn.Module, result: Result) -> None:
        """Make the module the fitted one."""
        self.module_ = module.eval()
        self.n_iter_ = self.n_iter_ + result.n_epochs
        self.loss_curve_ = self.loss_curve_ + result.loss_curve
        if result.validation_curve:
            scores = [-loss for loss in result.validation_curve]
            self.validation_scores_ = (self.validation_scores_ or []) + scores
        held_out = self.validation_scores_
        self.best_loss_: float | None = -max(held_out) if held_out else min(self.loss_curve_)
        self._optimizer_state = result.optimizer_state

    # -- inference -------------------------------------------------------------------------

    def _run(self, function: str, data: Any, *, per_part: bool | None = None) -> NDArray[Any]:
        """Outputs of a method of the trained module for what `_read` gave, or for rows.

        `per_part` says whether they are those of steps or nodes; None if targets are theirs.
        """
        rows = data if isinstance(data, Rows) else self._rows(data, parameter_of(self.module_))
        method = getattr(self.module_, function)
        per_part = rows.per_part if per_part is None else per_part
        return run(method, self.module_, rows, per_part=per_part, n_threads=self.n_threads)

    def _read_fitted(self, X: Any) -> Any:
        """X of a fitted estimator."""
        check_is_fitted(self)
        return self._read(X, fresh=False)

    def _restore(self, data: Any, values: NDArray[Any]) -> NDArray[Any]:
        """Values of rows in the container of X."""
        return values

    def _check_as_fitted(self, name: str, fitted: Any) -> None:
        """Refuse a parameter that was set anew since the fit, though the network depends on it."""
        if (now := getattr(self, name)) != fitted:
            raise ValueError(
                f"{name}={now!r}, but {type(self).__name__} was fitted with {name}={fitted!r}: set "
                "it back, or fit again."
            )

    def _float_type(self, fresh: bool) -> str:
        """Type in which X is read: that of the weights, whatever `dtype` says since."""
        if fresh or not hasattr(self, "module_"):
            return self.dtype
        return str(parameter_of(self.module_).dtype).removeprefix("torch.")

    # -- persistence -----------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    _stored: ClassVar[dict[str, Any]] = {
        "module_": "restored",
        "_module_kwargs": "restored",
        "_optimizer_state": "restored",
        "_seed": "int",
    }

    def __getstate__(self) -> dict[str, Any]:
        """Plain numpy arrays instead of torch objects: safe to read, on any machine."""
        state = super().__getstate__()
        if (module := state.get("module_")) is not None:
            state["module_"] = converted(module.state_dict())
        if state.get("_optimizer_state") is not None:
            state["_optimizer_state"] = converted(state["_optimizer_state"])
        return state

    @known_state()
    def _restored(self, state: dict[str, Any]) -> dict[str, Any]:
        """The module rebuilt from what it was made with, and its weights, which must fit."""
        state = dict(super()._restored(state))
        settings, arrays = state["_module_kwargs"], state["module_"]
        for name, value in settings.items():
            check_setting(type(self), name, value)
        module = rebuilt(self._network, settings, arrays)
        state["module_"] = module.to(device_or_cpu(state["device"])).eval()
        if state["_optimizer_state"] is not None:
            check_moments(state["_optimizer_state"], module)
            state["_optimizer_state"] = converted(state["_optimizer_state"])
        return state

    def _sizes(self, state: dict[str, Any]) -> dict[str, int]:
        names = ("n_outputs", "n_components")
        return {n: state["_module_kwargs"][n] for n in names if n in state["_module_kwargs"]}
