"""One long series run as many columns at once, equal to the run from left to right.

The echo state property makes a reservoir forget how it started. So the series is cut into
chunks that run side by side; each starts some steps before its first one, from zero, and by its
first step has come to the state of the run from the left. Whether it has is checked against the
last state of the chunk to its left: where they differ, the chunks are run again with a longer
warm-up and in the end one after the other.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.nn.reservoir.states.columns import Block, Columns
from sklseq.nn.reservoir.states.kernel import Kernel

__all__ = ["Segment", "forgetting_time", "meet", "run_segment", "width"]

# Two states have met if they differ by less than this times the larger of 1 and their size.
# The warm-up aims lower than the check, so that it is seldom repeated.
_AIM = {"float64": 1e-12, "float32": 1e-6}
_CHECK = {"float64": 1e-11, "float32": 1e-5}
_PROBES, _PROBE_STEPS = 4, 16
# Seconds: what a step costs besides its arithmetic, a multiply-add, and the rest of a unit
# (float64; float32 takes a quarter).
_CALL, _MULTIPLY, _ACTIVATE = 12e-6, 0.25e-9, 4e-9
_CACHE_BYTES = 160 * 1024

Consume = Callable[[Iterable[Block]], Any]


@dataclass(frozen=True)
class Segment:
    """Steps `first` to `stop` of one series of the table that begins at row `origin`."""

    origin: int
    first: int
    stop: int


def width(kernels: Sequence[Kernel]) -> int:
    """How many columns make a step's work cheapest for each."""
    if any(k.recurrent.sparse is None for k in kernels):
        return 64
    units = max(k.units * k.dtype.itemsize for k in kernels)
    # All states should stay in the cache of one core while the matrix streams by.
    return int(2 ** np.clip(np.round(np.log2(_CACHE_BYTES / units)), np.log2(_narrow(kernels)), 7))


def _narrow(kernels: Sequence[Kernel]) -> int:
    """The batch from which sparse products are fast: two cache lines a unit (measured)."""
    return 128 // int(kernels[0].dtype.itemsize)


def meet(left: NDArray[Any], right: NDArray[Any], bounds: dict[str, float] = _CHECK) -> bool:
    """Whether two arrays of states are equal within the tolerance of their dtype."""
    size = max(1.0, float(np.abs(left).max(initial=0.0)))
    # Written so that NaN does not meet.
    return bool(np.abs(left - right).max(initial=0.0) <= bounds[left.dtype.name] * size)


def forgetting_time(
    kernels: Sequence[Kernel], inputs: NDArray[Any], origin: int, stop: int, limit: int
) -> int | None:
    """Steps after which the start does not matter, or None where they exceed the limit.

    At some places of the series, a state of zero and one of random signs are run side by side
    until they meet.

    Parameters
    ----------
    kernels : sequence of Kernel
        Layers of the reservoir.
    inputs : ndarray of shape (n_rows, n_inputs)
        All steps, stacked.
    origin, stop : int
        Rows of the series: the first, and one past the last.
    limit : int
        Most steps to try.
    """
    units = sum(k.units for k in kernels)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (_PROBES, units))
    states = np.concatenate([np.zeros_like(signs), signs]).astype(_dtype(kernels))
    places = np.tile(np.linspace(origin, stop - limit, _PROBES).astype(int), 2)
    for done in range(0, limit, _PROBE_STEPS):
        now = places + done
        states = _run(kernels, inputs, now, now + _PROBE_STEPS, states)[1]
        zero, random = np.split(states, 2)
        if meet(zero, random, _AIM):
            return done + _PROBE_STEPS
    return None


def run_segment(
    kernels: Sequence[Kernel],
    inputs: NDArray[Any],
    segment: Segment,
    consume: Consume,
    start: NDArray[Any] | None,
    warm_up: int | None,
) -> tuple[Any, NDArray[Any], NDArray[Any]]:
    """Run a segment and give its blocks to `consume`.

    Parameters
    ----------
    kernels : sequence of Kernel
        Layers of the reservoir.
    inputs : ndarray of shape (n_rows, n_inputs)
        All steps, stacked.
    segment : Segment
        Where the steps are.
    consume : callable
        Called with an iterator of blocks; again from the beginning if chunks did not meet.
    start : ndarray of shape (units,) or None
        The state before the first step; None is found by warming up.
    warm_up : int or None
        Steps before a chunk's first one; None runs from left to right.

    Returns
    -------
    result : object
        Of `consume`.
    start, end : ndarray of shape (units,)
        The states before the first step and after the last.
    """
    n_steps, guess = segment.stop - segment.first, start
    while warm_up is not None and (n_chunks := _n_chunks(kernels, n_steps, warm_up)) > 1:
        bounds = np.linspace(segment.first, segment.stop, n_chunks + 1).astype(int)
        first, stop = bounds[:-1], bounds[1:]
        starts = _finals(kernels, inputs, np.maximum(first - warm_up, segment.origin), first)
        starts[0] = starts[0] if start is None else start
        result, ends = _run(kernels, inputs, first, stop, starts, consume)
        if meet(ends[:-1], starts[1:]):
            return result, starts[0], ends[-1]
        guess, warm_up = starts[0], 2 * warm_up
    if guess is None:
        raise ValueError("A segment without a start state is too short for its warm-up.")
    whole = np.array([segment.first]), np.array([segment.stop])
    result, ends = _run(kernels, inputs, *whole, guess[None], consume)
    return result, guess, ends[0]


def _n_chunks(kernels: Sequence[Kernel], n_steps: int, warm_up: int) -> int:
    """Chunks that minimise the time: few calls against few steps of warm-up."""
    column = sum(_MULTIPLY * k.recurrent.multiplications + _ACTIVATE * k.units for k in kernels)
    column *= (kernels[0].dtype.itemsize / 8) ** 2
    best = np.sqrt(_CALL * len(kernels) / column * n_steps / warm_up)
    return int(min(max(best, _narrow(kernels)), width(kernels), n_steps // (2 * warm_up)))


def _finals(
    kernels: Sequence[Kernel], inputs: NDArray[Any], first: NDArray[Any], stop: NDArray[Any]
) -> NDArray[Any]:
    """States after rows `first` to `stop` of each column, from zero."""
    zero = np.zeros((len(first), sum(k.units for k in kernels)), _dtype(kernels))
    return _run(kernels, inputs, first, stop, zero)[1]


def _run(
    kernels: Sequence[Kernel],
    inputs: NDArray[Any],
    first: NDArray[Any],
    stop: NDArray[Any],
    starts: NDArray[Any],
    consume: Consume | None = None,
) -> tuple[Any, NDArray[Any]]:
    """What `consume` makes of these columns, in any order of length, and their last states."""
    order = np.argsort(first - stop, kind="stable")
    columns = Columns(kernels, inputs, first[order], (stop - first)[order], starts[order])
    result = None
    if consume is None:
        columns.finish()
    else:
        blocks = iter(columns)
        result = consume(blocks)
        for _ in blocks:
            pass  # The last states are needed even if the consumer stopped early.
    return result, columns.final[np.argsort(order)]


def _dtype(kernels: Sequence[Kernel]) -> str:
    return str(kernels[0].dtype).removeprefix("torch.")
