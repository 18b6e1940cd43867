"""Training rows of a forecaster: windows of series, and what follows each of their steps."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.layers.randomness import uniform_noise
from sklseq.parts.forecasting.series import Series
from sklseq.recurrent._local_units import LocalUnits, Seen
from sklseq.training.rows.batch import Batch, Targets
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["Grid", "WindowRows", "Windows", "columns_of", "split"]

Array = NDArray[Any]

# Of window="auto": steps of a window, and seasons.
_WINDOW, _SEASONS = 100, 4


class Grid(NamedTuple):
    """Series side by side, filled up with their last steps and with zero inputs."""

    values: Array
    """Of shape (n_series, n_steps, n_features)."""
    exogenous: Array
    """Those of each step and of some beyond, ``(n_series, n_steps + n_beyond, n_exogenous)``."""
    lengths: NDArray[np.int64]
    context: Array | None

    @classmethod
    def of(cls, series: Series, beyond: int = 0) -> Self:
        """The grid of stacked series."""
        lengths = series.lengths
        longest = int(lengths.max())
        steps = np.minimum(np.arange(longest), lengths[:, None] - 1)
        stacked = steps + (np.cumsum(lengths) - lengths)[:, None]
        exogenous = series.exogenous[stacked]
        exogenous[np.arange(longest) >= lengths[:, None]] = 0
        room = np.zeros((len(lengths), beyond, exogenous.shape[2]))
        exogenous = np.concatenate([exogenous, room], axis=1)
        return cls(series.steps[stacked], exogenous, lengths, series.context)


def columns_of(seen: Seen, exogenous: Array, horizon: int) -> Array:
    """What the network takes at each step, ``(n_series, n_steps, n_columns)``.

    `exogenous` begins with the inputs of the step after the first, and goes as far beyond the
    last as the horizon.
    """
    n_steps = seen.inputs.shape[1]
    parts = [seen.inputs, exogenous[:, :n_steps]]
    if horizon > 1:
        parts += [exogenous[:, k : k + n_steps] for k in range(horizon)]
    return np.concatenate([*parts, seen.seasonal.reshape(*seen.inputs.shape[:2], -1)], axis=2)


class Windows:
    """Windows of training series, and what the network is to give at each of their steps.

    A window begins with the units of its series, but without the states of the network: those of
    its first steps, up to `washin`, are not counted, unless it is the first.

    Parameters
    ----------
    series : Series
        As the model sees them.
    units : LocalUnits
    window : int or None
        Steps of a window, of which each overlaps the one before by half; None takes series whole,
        as are those of no more than two windows.
    targets_from, targets_to : ndarray of int of shape (n_series,)
        Values of which steps of each series are predicted.
    """

    def __init__(
        self,
        series: Series,
        units: LocalUnits,
        window: int | None,
        targets_from: NDArray[np.int64],
        targets_to: NDArray[np.int64],
    ):
        self.grid, self.units = Grid.of(series, units.horizon + 1), units
        self.seen, self._found = units.read(None, self.grid.values)
        self.targets_from, self.targets_to = targets_from, targets_to
        rows, starts, lengths, washins = [], [], [], []
        for row, last in enumerate(targets_to - 1):  # the last value is not read
            size = int(last)
            if window is None or size <= 2 * window:
                cuts = [(0, size, 0)] if size > 0 else []
            else:
                stride = max(window // 2, 1)
                cuts = [
                    (start, min(window, size - start), (window - stride) * (start > 0))
                    for start in range(0, max(size - window, 0) + stride, stride)
                ]
            for start, length, washin in cuts:
                if start + length >= targets_from[row]:
                    rows.append(row)
                    starts.append(start)
                    lengths.append(length)
                    washins.append(washin)
        found = (np.array(part, dtype=np.int64) for part in (rows, starts, lengths, washins))
        self.rows, self.starts, self.lengths, self.washins = found

    def __len__(self) -> int:
        return len(self.rows)

    # -- what is to be predicted -----------------------------------------------------------

    def targets(self, windows: NDArray[np.int64], seen: Seen) -> tuple[Array, Array]:
        """Values after each step, in the units there, and whether they count: stacked.

        Both are ``(sum of lengths, horizon * n_features)``; `seen` is padded.
        """
        row, horizon = self.rows[windows], self.units.horizon
        n_steps = seen.last.shape[1]
        step = self.starts[windows][:, None] + np.arange(n_steps)
        ahead = step[:, :, None] + np.arange(1, horizon + 1)
        last = self.grid.values.shape[1] - 1
        values = self.grid.values[row[:, None, None], np.minimum(ahead, last)]
        counts = ahead < self.targets_to[row][:, None, None]
        counts &= ahead >= self.targets_from[row][:, None, None]
        counts &= (np.arange(n_steps) >= self.washins[windows][:, None])[:, :, None]
        inside = np.arange(n_steps) < self.lengths[windows][:, None]
        size = (horizon * values.shape[3],)
        weights = np.repeat(counts[inside].astype(np.float64), values.shape[3], axis=1)
        return seen.counted(values)[inside].reshape(-1, *size), weights

    def seen_in(self, windows: NDArray[np.int64]) -> Seen:
        """What is known in these windows, padded."""
        step = self._steps(windows)
        row = self.rows[windows][:, None]
        return Seen(*(part[row, step] for part in self.seen))

    def columns(self, windows: NDArray[np.int64], seen: Seen) -> Array:
        """What the network takes at each step of the windows: stacked."""
        n_steps = seen.last.shape[1]
        outside = self._exogenous(windows, 1, n_steps + self.units.horizon - 1)
        inside = np.arange(n_steps) < self.lengths[windows][:, None]
        return columns_of(seen, outside, self.units.horizon)[inside]

    def _exogenous(self, windows: NDArray[np.int64], first: int, n_steps: int) -> Array:
        """Inputs of so many steps of each window, from one on."""
        step = self.starts[windows][:, None] + np.arange(first, first + n_steps)
        last = self.grid.exogenous.shape[1] - 1
        return self.grid.exogenous[self.rows[windows][:, None], np.minimum(step, last)]

    def _steps(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        longest = int(self.lengths[windows].max())
        step = self.starts[windows][:, None] + np.arange(longest)
        return np.minimum(step, self.grid.values.shape[1] - 1)

    # -- what the network feeds itself -----------------------------------------------------

    def fed(
        self,
        windows: NDArray[np.int64],
        predict: Callable[[Array], Array],
        probability: float,
    ) -> tuple[Array, Array]:
        """Columns and targets of windows where values are fed that the network predicts.

        Parameters
        ----------
        windows : ndarray of int of shape (n,)
        predict : callable
            Columns ``(n, n_columns)`` of the steps one after the other to values counted from the
            last, ``(n, horizon, n_features)``.
        probability : float
            Of the true value being fed.
        """
        true = self.grid.values[self.rows[windows][:, None], self._steps(windows)]
        found = {name: part[self.rows[windows]] for name, part in self._found.items()}
        state = self.units.after(found, self.starts[windows] + 1)
        seen, ones = [self.units.now(state)], np.ones(len(windows), dtype=np.int64)
        drawn = _uniform(true.shape[:2])
        for step in range(1, true.shape[1]):
            outside = self._exogenous(windows, step, self.units.horizon)
            predicted = predict(columns_of(seen[-1], outside, self.units.horizon)[:, 0])
            own = seen[-1].values(predicted[:, None])[:, 0, 0]
            values = np.where(drawn[:, step, None] < probability, true[:, step], own)
            state = self.units.after(self.units.read(state, values[:, None])[1], ones)
            seen.append(self.units.now(state))
        known = Seen(*(np.concatenate(parts, axis=1) for parts in zip(*seen, strict=True)))
        return self.columns(windows, known), self.targets(windows, known)[0]


class WindowRows(SequenceRows):
    """Windows as rows of training, whose batches tell which windows they are of what."""

    windows: Windows

    @classmethod
    def of(cls, windows: Windows, like: Tensor, context: Array | None) -> Self:
        """Rows on the device of the parameter `like`; `context` is scaled, one row a series."""
        every = np.arange(len(windows))
        seen = windows.seen_in(every)
        values, weights = windows.targets(every, seen)
        rows = cls(
            np.asarray(windows.columns(every, seen), str(like.dtype).removeprefix("torch.")),
            windows.lengths,
            like,
            Targets(weights, values),
            True,
            None if context is None else context[windows.rows],
        )
        rows.windows = windows
        return rows

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows, whose inputs end with the windows and their numbers."""
        batch = super().take(rows)
        steps, packing, context = (*batch.inputs, None)[:3]
        return batch._replace(inputs=(steps, packing, context, self.windows, rows))


def _uniform(shape: tuple[int, ...]) -> Array:
    """Random numbers from the generator of training."""
    return uniform_noise(torch.empty(0), *shape).numpy()


def split(
    model: Any, series: Series, like: Tensor, partial: bool
) -> tuple[WindowRows, WindowRows | None]:
    """Windows to train a forecaster on, and such that early stopping goes by."""
    lengths, season = series.lengths, model.season_length_
    first = np.ones(len(lengths), dtype=np.int64)
    if model.residual:  # what is not known in the first season is not to be made up for
        first = np.clip(lengths - 1, 1, (season if season > 1 else 3) + 1)
    auto = max(_WINDOW, _SEASONS * season)
    window = auto if model.window == "auto" else model.window
    context = model._scaled_context(series, like)

    def windows(begin: NDArray[np.int64], end: NDArray[np.int64]) -> WindowRows:
        return WindowRows.of(Windows(series, model._units, window, begin, end), like, context)

    if not model.early_stopping or partial:
        return windows(first, lengths), None
    held = np.ceil(model.validation_fraction * lengths).astype(np.int64)
    cut = np.minimum(np.maximum(lengths - held, first + 1), lengths)
    if (cut == lengths).all():
        raise ValueError(
            "early_stopping=True holds out the last steps of series, but no series has enough "
            f"of them: the longest has {lengths.max()}. Set it to False."
        )
    return windows(first, cut), windows(cut, lengths)
