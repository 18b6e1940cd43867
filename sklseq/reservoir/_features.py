"""The features a readout sees: states of both directions with the input and squares."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

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

__all__ = ["FEATURES", "FeatureSource", "PooledFeatures", "StateFeatures", "StepFeatures", "write"]

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

    Parameters
    ----------
    forward : sequence of Reservoir
        Layers that read each sequence from its beginning.
    backward : sequence of Reservoir or None
        Layers that read it from its end.
    features : str
        A key of `FEATURES`.
    n_jobs : int or None
        Workers of joblib.
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

    def pooled(
        self, steps: Array, lengths: NDArray[np.int64], pooling: Pooling
    ) -> NDArray[np.float64]:
        """Features of sequences.

        Returns
        -------
        ndarray of shape (n_sequences, n_slices * n_features)
            The features of each slice side by side, backward ones after all forward ones.
        """
        directions = [StateFeatures(self.forward, None, self.features, self.n_jobs)]
        if self.backward is not None:
            beside = self.features.replace("+input", "")  # the input is there already
            directions.append(StateFeatures(self.backward, None, beside, self.n_jobs))
        columns = []
        for backward, run in enumerate(directions):
            slices = slice_of_steps(lengths, pooling, bool(backward))
            source = StepFeatures(run, steps[reversal(lengths)] if backward else steps, lengths)
            parts = run_parts(
                _pool_part, source.parts, source, slices, pooling.kind, n_jobs=self.n_jobs
            )
            shape = len(lengths) * pooling.n_slices, run.n_features
            values = combined([block for part in parts for block in part], slices, shape, pooling)
            columns.append(values.reshape(len(lengths), -1))
        return np.hstack(columns)


class FeatureSource(Protocol):
    """Features of rows in blocks, as often as they are asked for.

    Attributes
    ----------
    n_features : int
        Features of a row.
    n_rows : int
    dtype : str or dtype
        Type of the features.
    parts : list
        Parts of the work, for `run_parts`.
    n_jobs : int or None
        Workers of joblib.
    """

    n_features: int
    n_rows: int
    dtype: Any
    n_jobs: int | None

    @property
    def parts(self) -> list[Any]: ...

    def attempts(self, part: Any) -> Iterator[Iterator[FeatureBlock]]:
        """Yield iterators of blocks ``(rows, features)`` of a part; the last one counts."""
        ...


class StepFeatures:
    """A `FeatureSource` whose rows are steps: states are computed anew each time.

    Parameters
    ----------
    run : StateFeatures
    steps : ndarray of shape (sum of lengths, n_inputs)
    lengths : ndarray of shape (n_sequences,)
    one_width : bool, default=True
        As of `state_parts`; training, which sees all sequences at once, does without.
    """

    def __init__(
        self,
        run: StateFeatures,
        steps: Array,
        lengths: NDArray[np.int64],
        one_width: bool = True,
    ):
        self.one_width = one_width
        self.run, self.steps, self.lengths, self.n_jobs = run, steps, lengths, run.n_jobs
        self.n_rows, self.n_features = len(steps), run.n_features
        self.dtype = run.forward[0].dtype

    @cached_property
    def parts(self) -> list[StatePart]:
        """As of `FeatureSource`; cut when they are first asked for."""
        run = self.run
        if run.backward is None:
            return state_parts(run.forward, self.steps, self.lengths, one_width=self.one_width)
        return two_way_parts(run.forward, run.backward, self.steps, self.lengths, run.n_jobs)

    def attempts(self, part: StatePart) -> Iterator[Iterator[FeatureBlock]]:
        """As of `FeatureSource`."""
        for blocks in part.attempts():
            yield self._with_inputs(blocks)

    def _with_inputs(self, blocks: Iterator[FeatureBlock]) -> Iterator[FeatureBlock]:
        for rows, states in blocks:
            yield rows, self.run.beside(self.steps[rows], states)


class PooledFeatures:
    """A `FeatureSource` whose rows are in an array, in one part and one block.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    dtype : str
        Type of the states that they were computed from.
    """

    def __init__(self, rows: Array, dtype: str):
        self.n_jobs: int | None = None
        self.n_rows, self.n_features = rows.shape
        self.dtype = dtype
        self.parts: list[Array] = [rows]

    def attempts(self, part: Array) -> Iterator[Iterator[FeatureBlock]]:
        """As of `FeatureSource`."""
        yield iter([(np.arange(len(part)), part)])


def write(source: FeatureSource, function: Callable[[Array], Any], results: Array) -> Array:
    """Write what a function makes of the features of each row to the rows of `results`."""
    run_parts(_write_part, source.parts, source, function, results, n_jobs=source.n_jobs)
    return results


def _write_part(
    part: Any, source: FeatureSource, function: Callable[[Array], Any], results: Array
) -> None:
    for blocks in source.attempts(part):
        for rows, features in blocks:
            results[rows] = function(features)


def _pool_part(
    part: StatePart, source: StepFeatures, slices: NDArray[np.int64], kind: str
) -> list[FeatureBlock]:
    found: list[FeatureBlock] = []
    for blocks in source.attempts(part):
        found = []
        for rows, features in blocks:
            add_to_groups(found, slices[rows], features, kind)
    return found
