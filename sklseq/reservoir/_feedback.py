"""A reservoir that is fed back the series it predicts: driven by a teacher, or running free."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from joblib import parallel_config
from numpy.typing import NDArray

from sklseq.base import estimator, other_default, param, real
from sklseq.base.exogenous import first_steps, read_exogenous, without_first, without_last
from sklseq.data import Sequences
from sklseq.nn.reservoir import final_states, free_run, input_weights
from sklseq.reservoir._base import _draw_seed
from sklseq.reservoir._pooling import Block
from sklseq.reservoir._readout import ESNWithReadout
from sklseq.reservoir._states import StateFeatures
from sklseq.reservoir._sums import Source
from sklseq.reservoir._threads import one_blas_thread

__all__ = ["FeedbackNetwork"]

Array = NDArray[Any]


@estimator
class FeedbackNetwork(ESNWithReadout):
    """Echo state network with output feedback."""

    feedback_scaling: Any = param(
        0.5,
        "Factor on the weights of the series that is fed back, one for all features or one for "
        "each. `input_scaling` is for exogenous inputs.",
        real(0),
        "array-like",
    )
    # The error of one step grows in a forecast of many: what digits there are count.
    alpha: Any = other_default(ESNWithReadout, "alpha", "gcv")
    solver: str = other_default(ESNWithReadout, "solver", "qr")
    feedback_noise: float = param(
        0.0,
        "Standard deviation of the normal noise that is added in training to the values fed back; "
        "a little makes long forecasts more stable.",
        real(0),
    )

    # A readout of the next step is often ill-conditioned and a forecast feeds its rounding back:
    # in float32 a series' forecast would depend on the others beside it.
    dtype: ClassVar[str] = "float64"  # type: ignore[misc]
    bidirectional: ClassVar[bool] = False  # type: ignore[misc]
    pooling: ClassVar[str] = "last"  # type: ignore[misc]
    n_slices: ClassVar[int] = 1  # type: ignore[misc]
    readout: ClassVar[None] = None  # type: ignore[misc]

    def _draw_feedback(self, n_features: int) -> None:
        scaling = np.asarray(self.feedback_scaling, dtype=np.float64)
        if scaling.shape not in ((), (n_features,)) or not (scaling >= 0).all():
            raise ValueError(
                f"feedback_scaling={self.feedback_scaling!r}: it must be one number, or one for "
                f"each of the {n_features} features, at least 0."
            )
        # Generators of their own: exogenous inputs and noise do not change what is drawn.
        seed = _draw_seed(self.random_state)
        weights = input_weights(
            self.reservoir_size,
            n_features,
            scaling=scaling,
            distribution=self.input_distribution,
            seed=np.random.default_rng([seed, 2]),
        )
        self.layers_[0] = replace(self.layers_[0], feedback_weights=weights)
        self._noise_seed, self._n_noisy = seed, 0

    def _noise(self, drive: Array) -> Array:
        rng = np.random.default_rng([self._noise_seed, 3, self._n_noisy])
        self._n_noisy += len(drive)
        shape = len(drive), drive.shape[1] - self.n_exogenous_
        return rng.normal(scale=self.feedback_noise, size=shape).astype(drive.dtype)

    def _state_features(self) -> StateFeatures:
        """With the values fed back as inputs among others, after the exogenous ones."""
        run = super()._state_features()
        first = run.forward[0]
        inputs: Any = [first.input_weights, first.feedback_weights]
        inputs = (sp.hstack if sp.issparse(inputs[0]) else np.hstack)(inputs)
        first = replace(first, input_weights=inputs, feedback_weights=None)
        return replace(run, forward=[first, *run.forward[1:]])

    @property
    def _n_columns(self) -> int:
        return self._state_features().n_features

    def _source(self, X: Sequences) -> Source:
        run, lengths = self._state_features(), X.lengths[X.lengths > 0]
        return lambda consume: run.over_steps(X.steps, lengths, consume)

    def _without_washout(self, weights: Array, X: Sequences) -> Array:
        return weights * ~first_steps(X.lengths, np.minimum(self.washout, X.lengths))

    def _check_lengths(self, lengths: NDArray[np.int64]) -> None:
        short = np.flatnonzero(lengths < self.washout + 2)
        if len(short) == 0 or (self.washout == 0 and len(short) < len(lengths)):
            return  # a series of one step among longer ones has no next step to learn
        size = lengths[short[0]]
        if self.washout:
            raise ValueError(
                f"X, sequence {short[0]} has {size} steps, but washout={self.washout} needs at "
                f"least {self.washout + 2}."
            )
        raise ValueError(
            "Every series has one step (n_features = 1 of a table): there is no next step to learn "
            "from. For one series of many steps in a table set target='step'."
        )

    def _teacher(self, series: Sequences, outside: Array) -> tuple[Array, Array]:
        """What drives the network at each step but the last, and the step after it."""
        now, following = without_last(series.lengths), without_first(series.lengths)
        return np.hstack([outside[following], series.steps[now]]), series.steps[following]

    def _final_states(self, drive: Array, lengths: NDArray[np.int64]) -> Array:
        """States after the last step; zero for a series without one."""
        run = self._state_features()
        states = np.zeros((len(lengths), run.n_units), dtype=drive.dtype)
        some = lengths > 0
        if some.any():
            states[some] = final_states(run.forward, drive, lengths[some], n_jobs=self.n_jobs)
        return states

    def _predicted(self, drive: Array, lengths: NDArray[np.int64]) -> Array:
        """What the readout says after each step: (n_rows, n_features)."""
        coef, results = self.coef_.T, np.empty((len(drive), len(self.coef_)), dtype=drive.dtype)

        def write(blocks: Iterable[Block]) -> None:
            for rows, features in blocks:
                results[rows] = features @ coef + self.intercept_

        # Workers of another process would write to a copy.
        with one_blas_thread(), parallel_config(backend="threading"):
            self._source(Sequences(drive, lengths))(write)
        return results

    def _run_free(self, states: Array, last: Array, inputs: Array) -> Array:
        """Forecasts (n_series, n_steps, n_features) from these states and last values."""
        run, reservoirs = self._state_features(), super()._state_features()
        coef, t, y = self.coef_.T, 0, last

        def readout(x: Array) -> Array:
            nonlocal t, y
            y = run._beside(np.hstack([inputs[:, t], y]), x) @ coef + self.intercept_
            t += 1
            return y

        outputs, _ = free_run(reservoirs.forward, readout, states, last, inputs.shape[1], inputs)
        return outputs

    def _known_exogenous(self, exogenous: Any, lengths: NDArray[np.int64], layout: str) -> Array:
        outside = read_exogenous(exogenous, lengths, layout, self.dtype)
        if outside.shape[1] != self.n_exogenous_:
            raise ValueError(
                f"exogenous has {outside.shape[1]} inputs, but {type(self).__name__} was fitted "
                f"with {self.n_exogenous_}."
            )
        return outside
