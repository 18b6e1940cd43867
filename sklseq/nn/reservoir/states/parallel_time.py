"""One long series run as many columns at once, equal to the run from left to right.

The echo state property makes a reservoir forget how it started. So the series is cut into
chunks that run side by side; each starts some steps before its first one, from zero, and by its
first step has come to the state of the run from the left. Whether it has is checked against the
last state of the chunk to its left: where they differ, the chunks are run again with a longer
warm-up and in the end one after the other.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.nn.reservoir.states.columns import StateBlock, StateColumns
from sklseq.nn.reservoir.states.kernel import Array, Kernel
from sklseq.nn.reservoir.states.threads import one_thread

__all__ = ["Segment", "chunk_width", "forgetting_time", "slim_width"]

# Two states have met if they differ by less than this times the larger of 1 and their size.
# The warm-up aims lower than the check, so that it is seldom repeated.
_AIM = {"float64": 1e-12, "float32": 1e-6}
_CHECK = {"float64": 1e-11, "float32": 1e-5}
_PROBES, _PROBE_STEPS = 4, 16
# Seconds: what a step costs besides its arithmetic, a multiply-add, and the rest of a unit
# (float64; float32 takes a quarter).
_CALL, _MULTIPLY, _ACTIVATE = 12e-6, 0.25e-9, 4e-9
_CACHE_BYTES = 160 * 1024


@dataclass(eq=False)
class Segment:
    """Consecutive steps of one long series, as many chunks side by side.

    The series begins at row `origin` of the table `data`, the segment lies between `first` and
    `stop`. A chunk warms up by so many steps (None: the run is from left to right). The state
    before the first step is `start`; None is found by warming up.
    """

    data: Any
    origin: int
    first: int
    stop: int
    warm_up: int | None
    start: Array | None
    # The states that the last attempt began and ended with, and whether its chunks met.
    begun: Array | None = field(default=None, init=False)
    ended: Array | None = field(default=None, init=False)
    _chunks_meet: bool = field(default=False, init=False)

    def attempts(self) -> Iterator[Iterator[StateBlock]]:
        """As of `StatePart`: another attempt follows where chunks did not meet."""
        with one_thread():
            kernels = self.data.kernels()
            inputs, n_steps, guess = self.data.inputs, self.stop - self.first, self.start
            while self.warm_up is not None:
                n_chunks = _n_chunks(kernels, n_steps, self.warm_up)
                if n_chunks < 2:
                    break
                bounds = np.linspace(self.first, self.stop, n_chunks + 1).astype(int)
                begin = np.maximum(bounds[:-1] - self.warm_up, self.origin)
                zero = np.zeros((n_chunks, sum(k.units for k in kernels)), inputs.dtype)
                starts = _final_states(kernels, inputs, begin, bounds[:-1], zero)
                if self.start is not None:
                    starts[0] = self.start
                yield from self._attempt(kernels, bounds[:-1], bounds[1:], starts)
                if self._chunks_meet:
                    self.data.give_back(kernels)
                    return
                guess, self.warm_up = starts[0], 2 * self.warm_up
            if guess is None:
                raise ValueError("A segment without a start state is too short for its warm-up.")
            whole = np.array([self.first]), np.array([self.stop])
            yield from self._attempt(kernels, *whole, guess[None])
            self.data.give_back(kernels)

    def starts_elsewhere(self, before: Any) -> bool:
        """Whether it has to run again, from where the segment before it ended."""
        if self.first == self.origin or not isinstance(before, Segment):
            return False
        assert before.ended is not None
        assert self.begun is not None
        if _meet(before.ended, self.begun):
            return False
        self.start, self.warm_up = before.ended, None
        return True

    def _attempt(
        self,
        kernels: Sequence[Kernel],
        first: NDArray[np.int64],
        stop: NDArray[np.int64],
        starts: Array,
    ) -> Iterator[Iterator[StateBlock]]:
        order = np.argsort(first - stop, kind="stable")
        columns = StateColumns(
            kernels, self.data.inputs, first[order], (stop - first)[order], starts[order]
        )
        blocks = columns.blocks()
        yield blocks
        for _ in blocks:
            pass  # The last states are needed even if the consumer stopped early.
        ends = columns.final[np.argsort(order)]
        self.begun, self.ended = starts[0], ends[-1]
        self._chunks_meet = _meet(ends[:-1], starts[1:])


def slim_width(kernels: Sequence[Kernel]) -> int:
    """How many long series run side by side, where a step of one alone would cost about as much.

    For series that cannot be cut into chunks as the reservoir does not forget how it started.
    """
    units = max(k.units for k in kernels)
    if any(k.recurrent.kind != "sparse" for k in kernels) or units > 700:
        return 1
    return int(2 ** np.clip(np.round(np.log2(2000 / units)), 2, 4))


def chunk_width(kernels: Sequence[Kernel]) -> int:
    """How many columns make a step's work cheapest for each."""
    if any(k.recurrent.kind != "sparse" for k in kernels):
        return 64
    units = max(k.units * k.dtype.itemsize for k in kernels)
    # All states should stay in the cache of one core while the matrix streams by.
    return int(2 ** np.clip(np.round(np.log2(_CACHE_BYTES / units)), np.log2(_narrow(kernels)), 7))


def _narrow(kernels: Sequence[Kernel]) -> int:
    """The batch from which sparse products are fast: two cache lines a unit (measured)."""
    return 128 // int(kernels[0].dtype.itemsize)


def _meet(left: Array, right: Array, bounds: dict[str, float] = _CHECK) -> bool:
    """Whether two arrays of states are equal within the tolerance of their dtype."""
    size = max(1.0, float(np.abs(left).max(initial=0.0)))
    # Written so that NaN does not meet.
    return bool(np.abs(left - right).max(initial=0.0) <= bounds[left.dtype.name] * size)


def forgetting_time(
    kernels: Sequence[Kernel], inputs: Array, origin: int, stop: int, limit: int
) -> int | None:
    """Steps after which the start does not matter, or None where they exceed the limit.

    At some places of the series, which lies in the rows from `origin` to `stop`, a state of zero
    and one of random signs are run side by side until they meet.
    """
    units = sum(k.units for k in kernels)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (_PROBES, units))
    states = np.concatenate([np.zeros_like(signs), signs]).astype(inputs.dtype)
    places = np.tile(np.linspace(origin, stop - limit, _PROBES).astype(int), 2)
    for done in range(0, limit, _PROBE_STEPS):
        now = places + done
        states = _final_states(kernels, inputs, now, now + _PROBE_STEPS, states)
        zero, random = np.split(states, 2)
        if _meet(zero, random, _AIM):
            return done + _PROBE_STEPS
    return None


def _n_chunks(kernels: Sequence[Kernel], n_steps: int, warm_up: int) -> int:
    """Chunks that minimize the time: few calls against few steps of warm-up."""
    column = sum(_MULTIPLY * k.recurrent.multiplications + _ACTIVATE * k.units for k in kernels)
    column *= (kernels[0].dtype.itemsize / 8) ** 2
    best = np.sqrt(_CALL * len(kernels) / column * n_steps / warm_up)
    return int(min(max(best, _narrow(kernels)), chunk_width(kernels), n_steps // (2 * warm_up)))


def _final_states(
    kernels: Sequence[Kernel],
    inputs: Array,
    first: NDArray[np.int64],
    stop: NDArray[np.int64],
    starts: Array,
) -> Array:
    """States after rows `first` to `stop` of each column, in any order of length."""
    order = np.argsort(first - stop, kind="stable")
    columns = StateColumns(kernels, inputs, first[order], (stop - first)[order], starts[order])
    deque(columns.blocks(needed=False), maxlen=0)
    return columns.final[np.argsort(order)]
