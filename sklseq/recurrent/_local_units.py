"""Series in units of their own, which every step knows: no later one has a part in them."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklseq.parts.forecasting.series import ModelState

__all__ = ["LocalUnits", "Seen"]

Array = NDArray[Any]

# What the typical change of training series counts, in steps, before a series has its own.
_PRIOR = 0.1


class Seen(NamedTuple):
    """What is known after each of some steps, ``(n_series, n_steps, ...)``."""

    inputs: Array
    """What a network reads, about 1 in size."""
    last: Array
    """The value, from which forecasts are counted, ``(..., n_features)``."""
    scale: Array
    """In which they are counted, of the same shape."""
    seasonal: Array
    """Values a season before each step of the horizon, counted so: ``(..., horizon,
    n_features)``; zero where they are not known yet. Without a season there are none."""

    def at(self, steps: slice) -> "Seen":
        """That of some of the steps."""
        return Seen(*(part[:, steps] for part in self))

    def values(self, counted: Array) -> Array:
        """Values ``(..., horizon, n_features)`` of those counted from the last, in units."""
        return self.last[..., None, :] + self.scale[..., None, :] * counted

    def counted(self, values: Array) -> Array:
        """Inverse of `values`."""
        return (values - self.last[..., None, :]) / self.scale[..., None, :]


@dataclass(frozen=True, eq=False)
class LocalUnits:
    """Values counted from the last one, in units of the mean change so far.

    A scale taken of a whole series would tell, in training, how far the series is to go yet; what a
    model learns of that is wrong where nothing of the future is known.

    Parameters
    ----------
    season : int
        Steps in a season; 1 without.
    horizon : int
        Steps that are predicted at once.
    relative : bool
        Whether levels are told by the mean of each series so far, not as they are.
    residual : bool
        Without it values are read and predicted as they are.
    typical : ndarray of shape (n_features,)
        Mean change from step to step in training.
    """

    _stored: ClassVar[dict[str, Any]] = {
        "season": "int",
        "horizon": "int",
        "relative": "bool",
        "residual": "bool",
        "typical": "ndarray of shape (n_columns,)",
    }

    season: int
    horizon: int
    relative: bool
    residual: bool
    typical: Array

    @property
    def seasonal(self) -> bool:
        """Whether values of a season before are told."""
        return self.residual and self.season > 1

    @property
    def n_inputs(self) -> int:
        """Columns of what a network reads."""
        if not self.residual:
            return len(self.typical)
        n_ratios = 1 if self.season == 1 else 2 + min(self.horizon, self.season)
        return (n_ratios + 1) * len(self.typical) + 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays in a state, without their first axis."""
        d = len(self.typical)
        return {"recent": (self.season + 1, d), "changes": (d,), "total": (d,), "count": (1,)}

    def read(self, state: ModelState | None, values: Array) -> tuple[Seen, ModelState]:
        """What is known after each of some steps, and all states in between.

        Parameters
        ----------
        state : dict of ndarray or None
            After the steps before; None if there are none.
        values : ndarray of shape (n_series, n_steps, n_features)

        Returns
        -------
        Seen
        dict of ndarray
            For `after`.
        """
        if state is None:
            n, _, d = values.shape
            first = np.repeat(values[:, :1], self.season + 1, axis=1)
            start = np.zeros((n, d))
            state = {"recent": first, "changes": start, "total": start, "count": start[:, :1]}
        full = np.concatenate([state["recent"], values], axis=1)
        steps = np.diff(full[:, self.season :], axis=1)
        found = {
            "full": full,
            "changes": state["changes"][:, None] + np.abs(steps).cumsum(axis=1),
            "total": state["total"][:, None] + values.cumsum(axis=1),
            "count": state["count"][:, None] + np.arange(1.0, values.shape[1] + 1)[:, None],
        }
        return self._seen(**found), found

    def after(self, found: ModelState, lengths: NDArray[np.int64]) -> ModelState:
        """State after so many of the steps that were read, at least one, of each series."""
        rows = np.arange(len(lengths))
        window = lengths[:, None] + np.arange(self.season + 1)
        names = ("changes", "total", "count")
        return {"recent": found["full"][rows[:, None], window]} | {
            name: found[name][rows, lengths - 1] for name in names
        }

    def now(self, state: ModelState) -> Seen:
        """What is known after the last step read."""
        others = {name: state[name][:, None] for name in ("changes", "total", "count")}
        return self._seen(state["recent"], **others)

    def _seen(self, full: Array, changes: Array, total: Array, count: Array) -> Seen:
        m, n_steps = self.season, changes.shape[1]

        def before(lag: int) -> Array:
            first = full.shape[1] - n_steps - lag
            return full[:, first : first + n_steps]

        last = before(0)
        seasonal = np.empty((*last.shape[:2], self.horizon * self.seasonal, last.shape[2]))
        if not self.residual:
            return Seen(last, np.zeros_like(last), np.ones_like(last), seasonal)
        scale = (_PRIOR * self.typical + changes) / (_PRIOR + np.maximum(count - 1, 0))
        level = _compressed((last - total / count) / scale) if self.relative else last
        inputs = [level, _compressed((last - before(1)) / scale), 1 / count]
        if m > 1:
            inputs.append(_compressed(np.where(count > m, last - before(m), 0) / scale))
            for k in range(self.horizon):
                lag = m - 1 - k % m
                seasonal[:, :, k] = np.where(count > lag, before(lag) - last, 0) / scale
            inputs += [_compressed(seasonal[:, :, k]) for k in range(min(self.horizon, m))]
        return Seen(np.concatenate(inputs, axis=2), last, scale, seasonal)


def _compressed(ratio: Array) -> Array:
    """About the number where it is small, the root of its size where it is large."""
    return ratio / np.sqrt(1 + np.abs(ratio))
