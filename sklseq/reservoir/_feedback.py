"""A reservoir that is fed back the series it predicts: driven by a teacher, or running free."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sklseq.base.exogenous import without_first, without_last
from sklseq.data import Sequences
from sklseq.nn.reservoir import Reservoir, final_states, free_run
from sklseq.reservoir._features import StateFeatures, StepFeatures

__all__ = ["OutputFeedback", "teacher_forcing"]

Array = NDArray[Any]
Lengths = NDArray[np.int64]


def teacher_forcing(series: Sequences, exogenous: Array) -> tuple[Array, Array]:
    """What drives the network at each step but the last, and the step after it.

    `exogenous` has a row for each step of the series; that of the next step comes in beside its
    value: ``(n_rows, n_exogenous + n_features)``.
    """
    now, following = without_last(series.lengths), without_first(series.lengths)
    return np.hstack([exogenous[following], series.steps[now]]), series.steps[following]


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

    def forced(self, drive: Array, lengths: Lengths, training: bool = False) -> StepFeatures:
        """Features of the steps of series that are driven by a teacher."""
        return StepFeatures(self.run, drive, lengths[lengths > 0], one_width=not training)

    def final_states(self, drive: Array, lengths: Lengths) -> Array:
        """States after the last step; zero for a series without one."""
        states = np.zeros((len(lengths), self.run.n_units), dtype=drive.dtype)
        some = lengths > 0
        if some.any():
            layers, n_jobs = self.run.forward, self.run.n_jobs
            # The run that goes on from here is not rounded in one way in any company either.
            states[some] = final_states(
                layers, drive, lengths[some], one_width=False, n_jobs=n_jobs
            )
        return states

    def free(
        self, predict: Callable[[Array], Array], states: Array, last: Array, exogenous: Array
    ) -> Array:
        """Outputs ``(n_series, n_steps, n_features)`` of the readout `predict`.

        The run starts from states ``(n_series, units)``, with the values `last` fed back into the
        first step, and takes exogenous inputs ``(n_series, n_steps, n_exogenous)``.
        """
        t, y = 0, last

        def readout(x: Array) -> Array:
            nonlocal t, y
            y = predict(self.run.beside(np.hstack([exogenous[:, t], y]), x))
            t += 1
            return y

        n_steps = exogenous.shape[1]
        return free_run(self.layers, readout, states, last, n_steps, exogenous)[0]
