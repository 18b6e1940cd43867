"""A fitted forecaster along series that are known, and along its own forecasts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from sklseq.nn.layers.losses import QuantileLoss
from sklseq.parts.forecasting.series import ModelState, Series, put_state, take_state
from sklseq.parts.losses import fitted_loss, nearest_to_median
from sklseq.recurrent._stepping import Stepping, hidden_shapes, read_whole
from sklseq.recurrent._windows import Grid, columns_of
from sklseq.training.context import threads
from sklseq.training.placement import parameter_of
from sklseq.training.run import work_of

__all__ = ["Drawn", "advance", "fed_by", "run_by_level", "run_free", "state_shapes"]

Array = NDArray[Any]


class Drawn:
    """Values drawn from the distribution of each step, in place of errors of training."""

    def __init__(self, rng: Any):
        self.rng = rng

    def __call__(self, step: int, values: Array) -> Array:
        """The values as they are: they are drawn where their distribution is known."""
        return values


def advance(model: Any, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
    """State after further steps, and the prediction of each of them; see `Forecaster`."""
    units = model._units
    grid = Grid.of(series, units.horizon)
    known, found = units.read(None if state is None else _of_units(units, state), grid.values)
    after = units.after(found, grid.lengths)
    after["begun"] = np.ones((len(series), 1))
    context = model._scaled_context(series, parameter_of(model.module_))
    if context is not None:
        after["context"] = context
    if state is None:
        columns = columns_of(known, grid.exogenous[:, 1:], units.horizon)
        lengths = grid.lengths - 1
        outputs, hidden = _whole(model, columns, lengths, context)
        after["begun"][lengths == 0] = 0
    else:
        before = units.now(_of_units(units, state))
        known = type(known)(
            *(np.concatenate([b, k], axis=1) for b, k in zip(before, known, strict=True))
        )
        columns = columns_of(known.at(slice(-1)), grid.exogenous, units.horizon)
        lengths = grid.lengths
        outputs, hidden = _step_by_step(model, columns, lengths, state)
    inside = np.arange(columns.shape[1]) < lengths[:, None]
    first = _located(fitted_loss(model), outputs)[:, None, : len(units.typical)]
    seen = known.at(slice(columns.shape[1]))
    predicted = seen.last[inside] + seen.scale[inside] * first[:, 0]
    return after | hidden, predicted


def run_free(
    model: Any,
    state: ModelState,
    n_steps: int,
    exogenous: Array,
    disturb: Any = None,
    level: int | None = None,
) -> Array:
    """Forecasts on from a state; see `Forecaster`.

    Of a network that puts out several levels, `level` is the one that is taken; None is that
    nearest to the median.
    """
    units, loss = model._units, fitted_loss(model)
    n, d = len(state["count"]), len(units.typical)
    # Paths go from step to step: each one depends on what was drawn for the one before.
    horizon = units.horizon if disturb is None else 1
    ahead = np.concatenate([exogenous, np.zeros((n, units.horizon, exogenous.shape[2]))], axis=1)
    found = np.empty((n, n_steps, d))
    own, ones = _of_units(units, state), np.ones(n, dtype=np.int64)
    with _inference(model):
        stepping = Stepping(model.module_, parameter_of(model.module_), state, model._example())
        for step in range(n_steps):
            is_origin = step % horizon == 0
            if is_origin or step < (n_steps - 1) // horizon * horizon:
                seen = units.now(own)
                columns = columns_of(seen, ahead[:, step:], units.horizon)[:, 0]
                outputs = stepping.step(_as_module(model, columns))
            if is_origin:
                counted = _located(loss, outputs, level)
                if isinstance(disturb, Drawn) and loss.has_std:
                    counted = loss.drawn(outputs, disturb.rng)
                counted = counted.reshape(n, 1, units.horizon, d)
                block = seen.values(counted)[:, 0]
            values = block[:, step % horizon]
            found[:, step] = values if disturb is None else disturb(step, values)
            own = units.after(units.read(own, found[:, step, None])[1], ones)
    return found


def run_by_level(model: Any, origin: Any, n_steps: int, levels: Sequence[float]) -> list[Array]:
    """Quantiles of the steps ahead, for each level, of a network that puts them out."""
    known = cast(QuantileLoss, fitted_loss(model)).levels
    horizon = model._units.horizon
    # Levels are often computed: (1 - 0.9) / 2 is not quite 0.05.
    found = [np.flatnonzero(np.isclose(known, level, rtol=0, atol=1e-9)) for level in levels]
    if unknown := [level for level, at in zip(levels, found, strict=True) if not len(at)]:
        raise ValueError(
            f"quantiles={levels!r}: the network was fitted for {known}, not for {unknown[0]}. Set "
            "quantile, and fit again, or ask for these."
        )
    if n_steps > horizon or model.differences or model.seasonal_differences:
        raise ValueError(
            f"n_steps={n_steps}: with loss='quantile' quantiles are known of the {horizon} steps "
            "that the network predicts at once, without differences. Set horizon, or "
            "loss='gaussian', whose paths go on."
        )
    return [
        run_free(model, origin.memory.state, n_steps, origin.ahead, level=int(at[0]))
        for at in found
    ]


def fed_by(model: Any, module: Any, context: Any, n: int) -> Callable[[Array], Array]:
    """The network under training, as what is fed its own predictions: a step in each call."""
    state: ModelState = {"begun": np.zeros((n, 1))}
    if context is not None:
        state["context"] = context.cpu().numpy()
    like = parameter_of(module)
    stepping = Stepping(module, like, state, model._example(module))
    loss, units = fitted_loss(model), model._units

    def predict(columns: Array) -> Array:
        was_training = module.training
        with torch.inference_mode():
            module.eval()
            outputs = stepping.step(columns.astype(_dtype(like)))
        module.train(was_training)
        return _located(loss, outputs).reshape(n, units.horizon, len(units.typical))

    return predict


def state_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays in a state of a fitted forecaster, without their first axis."""
    shapes = model._units.shapes() | hidden_shapes(model._example()) | {"begun": (1,)}
    n_context = model._module_kwargs.get("n_context", 0)
    return shapes | ({"context": (n_context,)} if n_context else {})


def _whole(
    model: Any, columns: Array, lengths: NDArray[np.int64], context: Array | None
) -> tuple[Array, ModelState]:
    """Outputs of series read from their start, and what is carried at their end."""
    example, some = model._example(), np.flatnonzero(lengths)
    n_outputs = len(model._units.typical) * model._units.horizon * fitted_loss(model).n_parameters
    hidden = {
        name: np.zeros((len(lengths), *shape), _dtype(tensor))
        for (name, shape), tensor in zip(
            hidden_shapes(example).items(), example.tensors(), strict=True
        )
    }
    if not len(some):
        return np.empty((0, n_outputs)), hidden
    inside = np.arange(columns.shape[1]) < lengths[:, None]
    beside = None if context is None else context[some]
    taken = _as_module(model, np.where(inside[..., None], columns, 0))[inside]
    rows = model._rows((taken, lengths[some], beside), parameter_of(model.module_))
    with _inference(model):
        outputs, carried = read_whole(model.module_, rows, example)
    return outputs, put_state(hidden, some, carried)


def _step_by_step(
    model: Any, columns: Array, lengths: NDArray[np.int64], state: ModelState
) -> tuple[Array, ModelState]:
    """Outputs of further steps of series, and what is carried at their end."""
    outputs: Array | None = None
    names = list(hidden_shapes(model._example()))
    hidden = {name: state[name] for name in names}
    inside = np.arange(columns.shape[1]) < lengths[:, None]
    with _inference(model):
        for length in np.unique(lengths):
            some = np.flatnonzero(lengths == length)
            stepping = Stepping(
                model.module_,
                parameter_of(model.module_),
                take_state(state, some),
                model._example(),
            )
            for step in range(length):
                found = stepping.step(_as_module(model, columns[some, step]))
                if outputs is None:
                    outputs = np.empty((*columns.shape[:2], found.shape[1]), found.dtype)
                outputs[some, step] = found
            hidden = put_state(hidden, some, stepping.hidden())
    assert outputs is not None
    return outputs[inside], hidden


@contextmanager
def _inference(model: Any) -> Iterator[None]:
    model.module_.eval()
    with torch.inference_mode(), threads(model.n_threads, work_of(model.module_)):
        yield


def _located(loss: Any, outputs: Array, level: int | None = None) -> Array:
    """Predictions; of several levels those of one, or the nearest to the median."""
    predicted = loss.predicted(outputs)
    if level is None or predicted.ndim == 2:
        return nearest_to_median(loss, predicted)
    return predicted[..., level]


def _of_units(units: Any, state: ModelState) -> ModelState:
    return {name: state[name] for name in units.shapes()}


def _as_module(model: Any, columns: Array) -> Array:
    """What the network takes of each series, in its type.

    Raises
    ------
    ValueError
        Naming a series whose values are too large for it.
    """
    dtype = _dtype(parameter_of(model.module_))
    with np.errstate(over="ignore"):
        found = columns.astype(dtype)
    if not np.isfinite(found).all():
        i = int(np.argwhere(~np.isfinite(found))[0][0])
        raise ValueError(
            f"X, sequence {i} has values that are too large for {dtype}, or whose forecasts are: "
            "leave it out, scale the data, or fit with dtype='float64'."
        )
    return found


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")
