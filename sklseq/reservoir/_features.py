"""The features a readout sees: states of both directions with the input and squares."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.nn.reservoir import (
    Reservoir,
    StatePart,
    reversal,
    run_parts,
    state_parts,
    two_way_parts,
)
from sklseq.reservoir._pooling import FeatureBlock, Pooling, add_to_groups, combined, slice_of_steps

__all__ = ["FEATURES", "FeatureSource", "PooledFeatures", "StateFeatures", "StepFeatures"]

Array = NDArray[Any]
# What stands beside the states.
FEATURES: dict[str, tuple[str, ...]] = {
    "state": (),
    "state+input": ("input",),
    "state+squares": ("squares",),
    "state+input+squares": ("input", "squares"),
}


@dataclass(frozen=True, eq=False)
class StateFeatures:
    """Features of steps, or pooled over the steps of sequences, of one or two directions.

    `forward` and `backward` are the layers that read each sequence from its beginning and from its
    end, `features` is a key of `FEATURES`.
    """

    forward: Sequence[Reservoir]
    backward: Sequence[Reservoir] | None
    features: str
    n_jobs: int | None

    @property
    def n_units(self) -> int:
        """Units of all layers and directions."""
        return sum(r.units for r in (*self.forward, *(self.backward or ())))

    @property
    def n_features(self) -> int:
        """Features of a step."""
        beside = FEATURES[self.features]
        n_inputs = self.forward[0].input_weights.shape[1] if "input" in beside else 0
        return self.n_units * (2 if "squares" in beside else 1) + n_inputs

    def beside(self, inputs: Array, states: Array) -> Array:
        """States with what stands beside them."""
        beside = FEATURES[self.features]
        if not beside:
            return states
        columns = {"input": lambda: inputs, "squares": lambda: states**2}
        return np.concatenate([states, *(columns[name]() for name in beside)], axis=1)

    def pooled(self, steps: Array, lengths: NDArray[np.int64], pooling: Pooling) -> Array:
        """Features ``(n_sequences, n_slices * n_features)`` of sequences.

        Those of each slice stand side by side, backward ones after all forward ones.
        """
        directions = [StateFeatures(self.forward, None, self.features, self.n_jobs)]
        if self.backward is not None:
            beside = self.features.replace("+input", "")  # the input is there already
            directions.append(StateFeatures(self.backward, None, beside, self.n_jobs))
        columns = []
        for backward, run in enumerate(directions):
            slices = slice_of_steps(lengths, pooling, bool(backward))
            source = StepFeatures(run, steps[reversal(lengths)] if backward else steps, lengths)
            pool = partial(add_to_groups, group_of=slices, kind=pooling.kind)
            found = chain.from_iterable(source.fold(pool, list))
            shape = len(lengths) * pooling.n_slices, run.n_features
            columns.append(combined(found, slices, shape, pooling).reshape(len(lengths), -1))
        return np.hstack(columns)


class FeatureSource:
    """Features of rows in blocks, as often as they are asked for."""

    n_rows: int
    n_features: int
    dtype: Any
    n_jobs: int | None = None
    parts: Any

    def beside(self, rows: Array, states: Array) -> Array:
        """The features of some rows, whose block is given."""
        return states

    def fold(
        self, update: Callable[[Any, Array, Array], Any], start: Callable[[], Any] = lambda: None
    ) -> list[Any]:
        """``update(found, rows, features)`` over the blocks of each part, from ``start()`` on."""

        def of_part(part: StatePart) -> Any:
            for blocks in part.attempts():  # the last one counts
                found = start()
                for rows, states in blocks:
                    update(found, rows, self.beside(rows, states))
            return found

        return run_parts(of_part, self.parts, n_jobs=self.n_jobs)

    def table(
        self,
        function: Callable[[Array], Any] = np.asarray,
        width: int | None = None,
        dtype: Any = None,
    ) -> Array:
        """What a function makes of the features of each row; without one, the features."""
        width = self.n_features if width is None else width
        results = np.empty((self.n_rows, width), dtype=dtype or self.dtype)

        def write(_: None, rows: Array, features: Array) -> None:
            results[rows] = function(features)

        self.fold(write)
        return results


class StepFeatures(FeatureSource):
    """Features whose rows are steps: states are computed anew each time.

    With `one_width`, as of `state_parts`; training, which sees all sequences at once, does without.
    `initial_state` has those before the first steps, of one direction; None is zero.
    """

    def __init__(
        self,
        run: StateFeatures,
        steps: Array,
        lengths: NDArray[np.int64],
        one_width: bool = True,
        initial_state: Array | None = None,
    ):
        self.run, self.steps, self.lengths, self.one_width = run, steps, lengths, one_width
        self.initial_state = initial_state
        self.n_rows, self.n_features, self.n_jobs = len(steps), run.n_features, run.n_jobs
        self.dtype = run.forward[0].dtype

    @cached_property
    def parts(self) -> list[StatePart]:
        """Parts of the run; cut when they are first asked for."""
        run = self.run
        if run.backward is None:
            return state_parts(
                run.forward,
                self.steps,
                self.lengths,
                initial_state=self.initial_state,
                one_width=self.one_width,
            )
        return two_way_parts(run.forward, run.backward, self.steps, self.lengths, run.n_jobs)

    def beside(self, rows: Array, states: Array) -> Array:
        """The features of some steps, whose states are given."""
        return self.run.beside(self.steps[rows], states)


class PooledFeatures(FeatureSource):
    """Features whose rows are in an array, in one part and one block."""

    def __init__(self, rows: Array, dtype: str):
        self.rows, self.dtype = rows, dtype  # the type of the states they were computed from
        self.n_rows, self.n_features = rows.shape
        self.parts = [self]

    def attempts(self) -> Iterator[Iterator[FeatureBlock]]:
        """As of `StatePart`."""
        yield iter([(np.arange(self.n_rows), self.rows)])
