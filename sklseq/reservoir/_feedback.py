"""A reservoir that is fed back the series it predicts: driven by a teacher, or running free."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sklseq.base.exogenous import first_steps
from sklseq.nn.reservoir import Reservoir, free_run
from sklseq.parts.forecasting.series import Series
from sklseq.reservoir._features import StateFeatures, StepFeatures

__all__ = ["OutputFeedback", "teacher_forcing"]

Array = NDArray[Any]
Lengths = NDArray[np.int64]


def teacher_forcing(series: Series, last: Array | None = None) -> tuple[Array, Lengths]:
    """What drives the network at each step, and how many steps of each series there are.

    The value of the step before, beside the exogenous inputs of the step to be predicted:
    ``(n_rows, n_exogenous + n_features)``. A series begins after `last` values, or, without, with
    its own first one, which is then not predicted.
    """
    before = np.empty_like(series.steps)
    before[1:] = series.steps[:-1]
    first = first_steps(series.lengths, 1)
    if last is not None:
        before[first] = last
        return np.hstack([series.exogenous, before]), series.lengths
    return np.hstack([series.exogenous[~first], before[~first]]), series.lengths - 1


@dataclass(frozen=True, eq=False)
class OutputFeedback:
    """States and features of a reservoir with feedback weights, for runs on its own output.

    In `run`, the values fed back are inputs among others, after the exogenous ones.
    """

    layers: Sequence[Reservoir]
    run: StateFeatures

    @classmethod
    def of(cls, features: StateFeatures) -> "OutputFeedback":
        """The feedback of layers whose first has feedback weights."""
        first, *others = features.forward
        inputs: Any = [first.input_weights, first.feedback_weights]
        inputs = (sp.hstack if sp.issparse(inputs[0]) else np.hstack)(inputs)
        first = replace(first, input_weights=inputs, feedback_weights=None)
        return cls(features.forward, replace(features, forward=[first, *others]))

    def forced(self, drive: Array, lengths: Lengths) -> StepFeatures:
        """Features of the steps of training series that are driven by a teacher."""
        return StepFeatures(self.run, drive, lengths[lengths > 0], one_width=False)

    def advanced(
        self,
        drive: Array,
        lengths: Lengths,
        states: Array | None,
        predict: Callable[[Array], Array],
        n_outputs: int,
    ) -> tuple[Array, Array]:
        """States ``(n_series, units)`` after driven steps, and what a readout says at each.

        They begin from `states`, or zero. Those of a series without steps stay.
        """
        n_units, some = self.run.n_units, lengths > 0
        if states is None:
            states = np.zeros((len(lengths), n_units), dtype=drive.dtype)
        states, predicted = states.copy(), np.empty((len(drive), n_outputs))
        if not some.any():
            return states, predicted
        series_at = np.full(len(drive), -1)
        series_at[np.cumsum(lengths)[some] - 1] = np.flatnonzero(some)
        start = states[some]

        def update(_: None, rows: Array, features: Array) -> None:
            predicted[rows] = predict(features)
            which = series_at[rows]
            states[which[which >= 0]] = features[which >= 0, :n_units]

        StepFeatures(self.run, drive, lengths[some], initial_state=start).fold(update)
        return states, predicted

    def free(
        self,
        predict: Callable[[int, Array], Array],
        states: Array,
        last: Array,
        exogenous: Array,
    ) -> Array:
        """Outputs ``(n_series, n_steps, n_features)`` of a readout, ``predict(step, features)``.

        The run starts from states ``(n_series, units)``, with the values `last` fed back into the
        first step, and takes exogenous inputs ``(n_series, n_steps, n_exogenous)``.
        """
        t, y = 0, last

        def readout(x: Array) -> Array:
            nonlocal t, y
            y = predict(t, self.run.beside(np.hstack([exogenous[:, t], y]), x))
            t += 1
            return y

        n_steps = exogenous.shape[1]
        return free_run(self.layers, readout, states, last, n_steps, exogenous)[0]
