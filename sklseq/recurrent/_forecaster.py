"""Recurrent networks that predict how series go on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, integer, other_default, param, real, same
from sklseq.base.estimator import Fit
from sklseq.base.exogenous import first_steps
from sklseq.base.hints import refuse_exogenous_as_y
from sklseq.data import Sequences
from sklseq.nn.layers.losses import QuantileLoss
from sklseq.nn.recurrent.carried import Carried
from sklseq.nn.recurrent.forecast import ForecastNetwork
from sklseq.parts.context import (
    CONTEXT_ATTRIBUTES,
    CONTEXT_STORED,
    ContextParameters,
    check_context_learned,
    learn_context_scale,
    scaled_context,
    with_context,
)
from sklseq.parts.epochs import finish, warn_if_unfinished
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.forecasting.forecaster import Disturbance, Forecaster
from sklseq.parts.forecasting.memory import SeriesMemory
from sklseq.parts.forecasting.reading import Origin
from sklseq.parts.forecasting.series import ModelState, Series
from sklseq.parts.forecasting.training import begin, complete
from sklseq.parts.losses import (
    LOSS_STORED,
    LossParameters,
    check_loss_learned,
    fitted_loss,
    learn_loss,
)
from sklseq.parts.teacher_forcing import (
    TeacherForcingParameters,
    forced_probability,
    set_length_of_training,
)
from sklseq.recurrent._architecture import ArchitectureParameters, architecture_of, start_weights
from sklseq.recurrent._base import BaseRecurrent, CellParameters
from sklseq.recurrent._local_units import LocalUnits
from sklseq.recurrent._regularization import RegularizationParameters
from sklseq.recurrent._running import Drawn, advance, fed_by, run_by_level, run_free, state_shapes
from sklseq.recurrent._stepping import example_of
from sklseq.recurrent._windows import split
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Batch, Rows, Targets, mean_loss
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["RecurrentForecaster"]

Array = NDArray[Any]

# Of max_epochs="auto": the least number of epochs, and of training steps.
_EPOCHS, _STEPS = 10, 200
# Of horizon="auto": steps, and seasons.
_HORIZON, _SEASONS_AHEAD = 8, 1.5


@estimator
class RecurrentForecaster(Forecaster, NeuralEstimator):
    """Forecast series by one recurrent network for all of them, of any cell.

    After each step the network has read the value, the exogenous inputs that are known of the next
    step, and the context of the series; from its state it predicts what comes next. It is trained
    on true values, all steps at once, or as `teacher_forcing` says.

    The network counts values from the last one, in units of how much the series has changed from
    step to step so far. So it learns from series of any size, and knows nothing of their future. If
    there is a season, it learns how far to start from the value a season before. See `residual`. A
    linear function of what it reads is added to what it predicts: an autoregression [4]_.

    References
    ----------
    .. [1] Salinas et al. (2020). "DeepAR: probabilistic forecasting with autoregressive recurrent
       networks". International Journal of Forecasting 36.
    .. [2] Wen et al. (2017). "A multi-horizon quantile recurrent forecaster". arXiv:1711.11053.
    .. [3] Smyl (2020). "A hybrid method of exponential smoothing and recurrent neural networks for
       time series forecasting". International Journal of Forecasting 36.
    .. [4] Lai et al. (2018). "Modeling long- and short-term temporal patterns with deep neural
       networks". SIGIR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recurrent import RecurrentForecaster
    >>> X = np.sin(0.2 * np.arange(600))[:, None]
    >>> model = RecurrentForecaster(hidden_size=16, random_state=0).fit(X[:580])
    >>> forecast = model.forecast(20)
    >>> forecast.shape, bool(np.abs(forecast - X[580:]).max() < 0.2)
    ((20, 1), True)
    """

    strategy: str = param(
        "direct",
        "How far the network sees: with 'direct' it predicts the next `horizon` steps at once, "
        "each from the state at the origin and from the exogenous inputs of its own step; what is "
        "further ahead goes on from these predictions. With 'recursive' it predicts the next step, "
        "is fed that, and so on.",
        choice("direct", "recursive"),
    )
    horizon: Any = param(
        "auto",
        "Steps that are predicted at once with ``strategy='direct'``. 'auto' takes one and a half "
        "seasons, and at least 8.",
        integer(1),
        choice("auto"),
    )
    residual: bool = param(
        True,
        "Whether the network predicts changes: from the last value, and from that of a season "
        "before, in units of the mean change so far. Otherwise it reads and predicts values as "
        "`scaling` leaves them.",
        "boolean",
    )
    loss: str = param(
        "absolute_error",
        "What is minimized, in these units: 'absolute_error', 'squared_error' or 'huber'; or the "
        "negative log-likelihood of a 'gaussian' or 'student_t' distribution, from which sampled "
        "paths are drawn; otherwise they are made of errors of single steps in training. With "
        "'quantile' the network puts out the levels of `quantile`, which `forecast_quantiles` then "
        "takes for up to `horizon` steps; forecasts are the level nearest to 0.5.",
        choice("absolute_error", "squared_error", "huber", "quantile", "gaussian", "student_t"),
    )
    quantile: Any = same(LossParameters, "quantile")
    window: Any = param(
        "auto",
        "Series of more than twice so many steps are trained on in windows of this length, each "
        "of which overlaps the one before by half; in this half nothing is predicted. 'auto' takes "
        "100 or four seasons, whichever is more; None takes series whole.",
        integer(2),
        choice("auto"),
        None,
    )
    cell: Any = same(CellParameters, "cell")
    cell_options: dict[str, Any] | None = same(CellParameters, "cell_options")
    hidden_size: int = other_default(BaseRecurrent, "hidden_size", 32)
    num_layers: int = same(BaseRecurrent, "num_layers")
    dropout: float = same(BaseRecurrent, "dropout")
    dropout_mask: str = same(RegularizationParameters, "dropout_mask")
    recurrent_dropout: float = same(RegularizationParameters, "recurrent_dropout")
    zoneout: float = same(RegularizationParameters, "zoneout")
    skip_connections: str | None = same(ArchitectureParameters, "skip_connections")
    normalization: str | None = same(ArchitectureParameters, "normalization")
    input_layer_sizes: Any = same(ArchitectureParameters, "input_layer_sizes")
    output_layer_sizes: Any = same(ArchitectureParameters, "output_layer_sizes")
    feedforward_activation: str = same(ArchitectureParameters, "feedforward_activation")
    init: str | None = same(ArchitectureParameters, "init")
    spectral_radius: float = same(ArchitectureParameters, "spectral_radius")
    forget_bias: Any = same(ArchitectureParameters, "forget_bias")
    context_as: str = same(ContextParameters, "context_as")
    teacher_forcing: float = param(
        1.0,
        "Probability by which, in training, a step is fed the true value and not the network's own "
        "prediction of it: 1 always, 0 never (free running), between them scheduled sampling.",
        real(0, 1, "both"),
    )
    teacher_forcing_schedule: str = same(TeacherForcingParameters, "teacher_forcing_schedule")
    learning_rate: float = other_default(NeuralEstimator, "learning_rate", 1e-2)
    lr_schedule: str | None = other_default(NeuralEstimator, "lr_schedule", "cosine")
    early_stopping: bool = param(
        False,
        "Hold out the last `validation_fraction` of the steps of each series, stop when the loss "
        "on them no longer falls, and keep the best weights.",
        "boolean",
    )
    max_epochs: Any = param(
        "auto",
        "Passes over the training data. 'auto' takes 10, or as many as make 200 training steps "
        "where these are more.",
        integer(1),
        choice("auto"),
    )

    _attributes = CONTEXT_ATTRIBUTES
    _network: ClassVar[type[nn.Module]] = ForecastNetwork
    _stored: ClassVar[dict[str, Any]] = CONTEXT_STORED | LOSS_STORED | {"_units": LocalUnits}
    _takes_context: ClassVar[bool] = True

    if TYPE_CHECKING:  # not an annotation at run time: it would become a parameter
        _units: LocalUnits

    # -- fitting ---------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any = None, exogenous: Any = None, context: Any = None
    ) -> Self:
        """Train for one more epoch on further series; forecasts then go on from them.

        Parameters
        ----------
        X, y, exogenous, context
            As in `fit`. The first call settles scales, and what the network looks like.

        Returns
        -------
        self
        """
        refuse_exogenous_as_y(y, type(self).__name__)
        fresh = not self.__sklearn_is_fitted__()
        return self._fit_series(X, exogenous, context, fresh, partial=True)

    def _fit_series(
        self, X: Any, exogenous: Any, context: Any, fresh: bool, partial: bool = False
    ) -> Self:
        fresh = fresh and not (self.warm_start and self.__sklearn_is_fitted__())
        known = None if self.max_epochs == "auto" else int(self.max_epochs)
        n_epochs = 1 if partial else known
        with self._fitting(X, n_epochs=n_epochs, exogenous=exogenous) as fit:
            training = begin(self, X, exogenous, context, fresh)
            self._train(training.series, fresh, fit, partial)
            finish(self, training, Targets(np.ones(1)))
        return self

    def _train(
        self, series: Series, fresh: bool, fit: Fit | None = None, partial: bool = False
    ) -> None:
        assert fit is not None
        if (series.lengths < 2).all():
            raise ValueError(
                "Every series has one step (n_samples = 1 of one series, n_features = 1 of a "
                "table): there is no next step to learn from. For one series of many steps in a "
                "table set target='step'."
            )
        if fresh:
            learn_context_scale(self, _sequences(series), np.ones(len(series)))
            learn_loss(self)
            self._units = self._make_units(series)
        else:
            self._check_fitted_units()
        module = self._start_module(fresh, self._settings(series, Targets(np.ones(1))))
        train, held_out = split(self, series, parameter_of(module), partial)
        if fresh:
            with torch.no_grad():
                self._initialize(module, train)
        trainer = self._trainer(fit, train, partial)
        objective = self._training_objective()
        result = trainer.run(module, objective, train, held_out, self._optimizer_state)
        self._keep(module, result)
        warn_if_unfinished(trainer, result)

    def _steps_at_once(self) -> int:
        """Steps that the parameters say are predicted at once."""
        auto = self.horizon == "auto"
        if self.strategy != "recursive":
            ahead = int(_SEASONS_AHEAD * self.season_length_)
            return max(_HORIZON, ahead) if auto else int(self.horizon)
        if not auto:
            raise ValueError(
                f"horizon={self.horizon} is for strategy='direct', but strategy='recursive' "
                "predicts one step at a time: leave it at 'auto', or set the strategy."
            )
        return 1

    def _check_fitted_units(self) -> None:
        """Refuse, where training goes on, what would need another network."""
        self._check_as_fitted("loss", self._fitted_loss)
        self._check_as_fitted("residual", self._units.residual)
        levels = self._fitted_quantile
        if self.quantile != levels and tuple(np.atleast_1d(self.quantile)) != levels:
            self._check_as_fitted("quantile", levels)
        if (now := self._steps_at_once()) != (fitted := self._units.horizon):
            raise ValueError(
                f"strategy={self.strategy!r} and horizon={self.horizon!r} predict {now} steps at "
                f"once, but {type(self).__name__} was fitted for {fitted}: set them back, or fit "
                "again without warm_start."
            )

    def _make_units(self, series: Series) -> LocalUnits:
        season, horizon = self.season_length_, self._steps_at_once()
        changes = np.abs(np.diff(series.steps, axis=0))[~first_steps(series.lengths, 1)[1:]]
        mean = changes.mean(axis=0) if len(changes) else np.ones(series.steps.shape[1])
        typical = np.where(mean > 0, mean, 1.0)
        # A level that is told by the scale of a whole series would tell what is to come.
        relative = self._view.scale is None
        return LocalUnits(season, horizon, relative, self.residual, typical)

    # -- the hooks of every network --------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> Sequences:
        return self._read_numbers(X, fresh)

    def _with_context(self, data: Sequences, context: Any, X: Any, fresh: bool) -> Sequences:
        return with_context(self, data, context, X, fresh)

    def _settings(self, data: Series, targets: Targets) -> dict[str, Any]:
        units = self._units
        context = {} if data.context is None else {"n_context": data.context.shape[1]}
        return {
            "n_inputs": units.n_inputs + self.n_exogenous_,
            "n_values": data.steps.shape[1],
            "n_parameters": fitted_loss(self).n_parameters,
            "horizon": units.horizon,
            "n_ahead": self.n_exogenous_ if units.horizon > 1 else 0,
            "seasonal": units.seasonal,
            "cell": self.cell,
            "cell_options": self.cell_options,
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "dropout": self.dropout,
            "dropout_mask": self.dropout_mask,
            "recurrent_dropout": self.recurrent_dropout,
            "zoneout": self.zoneout,
            "context_as": self.context_as,
            **context,
            **architecture_of(self),
        }

    def _rows(self, data: Any, like: Tensor, targets: Targets | None = None) -> SequenceRows:
        """Columns of steps, their lengths and scaled context, as rows."""
        columns, lengths, context = data
        return SequenceRows(columns, lengths, like, targets, True, context)

    def _initialize(self, module: Any, rows: Any) -> None:
        start_weights(self, module, int(rows.lengths.max()))

    def _begin(self, module: Any, rows: Any) -> None:
        set_length_of_training(self, module, rows)

    def _finish(self, data: Any, targets: Targets) -> None:
        complete(self, data)

    def _n_epochs(self, rows: Rows) -> int:
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        return max(_EPOCHS, -(-_STEPS // rows.n_batches(self.batch_size)))

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        steps, packing, context, windows, rows = batch.inputs
        probability = forced_probability(self, module, batch)
        if probability < 1:
            fed = windows.fed(rows, fed_by(self, module, context, len(rows)), probability)
            steps, target = (torch.from_numpy(part).to(steps) for part in fed)
            batch = batch._replace(target=target)
        outputs = module(steps, packing, context)
        return mean_loss(fitted_loss(self).losses(outputs, batch.target), batch)

    # -- the model, as a forecaster is made of it ------------------------------------------

    def _advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        return advance(self, state, series)

    def _run_free(
        self, state: ModelState, n_steps: int, exogenous: Array, disturb: Disturbance | None = None
    ) -> Array:
        return run_free(self, state, n_steps, exogenous, disturb)

    def _quantiles(
        self, origin: Origin, n_steps: int, levels: Sequence[float], n_samples: int, seed: Any
    ) -> Array:
        if not isinstance(fitted_loss(self), QuantileLoss):
            return super()._quantiles(origin, n_steps, levels, n_samples, seed)
        found = run_by_level(self, origin, n_steps, levels)
        return np.stack([self._view.forecasts(each, origin.memory) for each in found])

    def _disturbance(self, memory: SeriesMemory, rng: np.random.RandomState) -> Disturbance:
        return Drawn(rng) if fitted_loss(self).has_std else super()._disturbance(memory, rng)

    def _scaled_context(self, series: Series, like: Tensor) -> Array | None:
        return scaled_context(self, _sequences(series), like)

    def _example(self, module: Any = None) -> Carried:
        """What is carried of one series."""
        module = self.module_ if module is None else module
        return example_of(module, parameter_of(module), self._module_kwargs)

    def _check_learned(self) -> None:
        super()._check_learned()
        check_context_learned(self)
        check_loss_learned(self)
        n = len(self._memory)
        shapes = {name: (n, *shape) for name, shape in state_shapes(self).items()}
        if {name: np.shape(values) for name, values in self._memory.state.items()} != shapes:
            raise ValueError("its states do not fit its network.")


def _sequences(series: Series) -> Sequences:
    return Sequences(series.steps, series.lengths, "ragged", context=series.context)
