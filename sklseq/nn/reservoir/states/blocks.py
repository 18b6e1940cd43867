"""States of a reservoir over sequences, given to their user block by block.

No array of all states need exist. A block is ``(rows, states)``: which steps of the stacked
table these are, in no particular order, and their states. The same steps come in the same
blocks whatever `n_jobs` is.

Stacked reservoirs ("deep") are a sequence of `Reservoir`: each is driven by the states of the
one before, and a state is that of all layers side by side.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from sklseq.nn.reservoir.states.columns import Block, Columns
from sklseq.nn.reservoir.states.kernel import Kernel, Reservoir
from sklseq.nn.reservoir.states.parallel_time import (
    Consume,
    Segment,
    forgetting_time,
    meet,
    run_segment,
    width,
)

__all__ = ["Layers", "Prepared", "map_states", "one_thread", "prepare"]

Layers = Reservoir | Sequence[Reservoir]
Task = tuple[Callable[..., Any], tuple[Any, ...]]

# Shorter series are run from left to right: finding the warm-up would cost what chunks save.
_LONG = 2**14
# A segment is what one worker takes of a long series. Its size does not depend on the number of
# workers, so that the result does not either.
_SEGMENT, _MOST_PARTS = 100_000, 16
_PART_STEPS = 2_000


@dataclass(frozen=True)
class Prepared:
    """A table of steps and where its sequences lie."""

    layers: tuple[Reservoir, ...]
    inputs: NDArray[Any]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]
    initial: NDArray[Any]
    feedback: bool

    def kernels(self) -> list[Kernel]:
        return [Kernel(r, self.feedback and i == 0) for i, r in enumerate(self.layers)]


def prepare(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None,
    feedback: ArrayLike | None,
    initial_state: ArrayLike | None,
) -> Prepared:
    """Arguments as of `map_states`, checked and in one place."""
    layers = (layers,) if isinstance(layers, Reservoir) else tuple(layers)
    table = np.asarray(steps, dtype=layers[0].dtype)
    if table.ndim != 2:
        raise ValueError(f"The steps must have shape (n_steps, n_inputs), got {table.shape}.")
    n_inputs = layers[0].input_weights.shape[1]
    if feedback is not None:
        weights = layers[0].feedback_weights
        if weights is None:
            raise ValueError("The output is fed back to a reservoir without feedback_weights.")
        table = np.hstack([table, np.asarray(feedback, dtype=table.dtype)])
        n_inputs += weights.shape[1]
    if table.shape[1] != n_inputs:
        raise ValueError(f"The reservoir takes {n_inputs} inputs, got {table.shape[1]}.")
    sizes = np.asarray([len(table)] if lengths is None else lengths, dtype=np.int64)
    if sizes.sum() != len(table) or (sizes < 0).any():
        raise ValueError(f"The lengths add up to {sizes.sum()}, there are {len(table)} steps.")
    initial = np.zeros((len(sizes), sum(r.units for r in layers)), dtype=table.dtype)
    if initial_state is not None:
        initial[:] = initial_state
    return Prepared(layers, table, sizes, np.cumsum(sizes) - sizes, initial, feedback is not None)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch's: a step is too little work to share."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def map_states(
    layers: Layers,
    steps: ArrayLike,
    consume: Callable[[Iterable[Block]], Any],
    lengths: ArrayLike | None = None,
    *,
    feedback: ArrayLike | None = None,
    initial_state: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> list[Any]:
    """Run a reservoir over sequences and give the states, block by block, to a function.

    The work is cut into parts: groups of sequences, and segments of long ones. For each part
    `consume` is called with an iterator of blocks and its result, such as statistics that can be
    merged, is returned. Batches of sequences equal one by one, and a long series cut into
    chunks equals the run from left to right, to 1e-11 (float64) or 1e-5 (float32).

    Parameters
    ----------
    layers : Reservoir or sequence of Reservoir
        The reservoir, or several stacked.
    steps : array-like of shape (sum of lengths, n_inputs)
        All steps, stacked.
    consume : callable
        Takes an iterable of ``(rows, states)``: an integer array (n,) of positions in `steps`,
        in no particular order, and an array (n, units) that is valid until the next block.
        It may be called a second time for the same part, whose first result is then dropped
        (see `sklseq.nn.reservoir.states.parallel_time`), so what it does must bear repetition.
    lengths : array-like of shape (n_sequences,) or None, default=None
        Steps of each sequence; None is one sequence.
    feedback : array-like of shape (sum of lengths, n_outputs) or None, default=None
        The output fed back *into* each step, so that of the step before (teacher forcing).
    initial_state : array-like of shape (n_sequences, units) or (units,) or None, default=None
        States before the first steps; None is zero.
    n_jobs : int or None, default=None
        Workers of joblib, threads unless another backend is in force; with more than one, each
        uses one BLAS thread. The result is the same for any number.

    Returns
    -------
    results : list
        One for each part.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.zeros((2, 2)), np.ones((2, 1)), activation="identity")
    >>> def total(blocks):
    ...     return sum(states.sum(axis=0) for rows, states in blocks)
    >>> map_states(r, [[1.0], [2.0], [3.0]], total)
    [array([6., 6.])]
    """
    data = prepare(layers, steps, lengths, feedback, initial_state)
    with one_thread():
        kernels = data.kernels()
        long, parts = _split(data, width(kernels))
        tasks: list[Task] = [(_run_groups, (data, part, consume)) for part in parts]
        for sequence in long:
            tasks += _segment_tasks(data, kernels, int(sequence), consume)
        done = _parallel(tasks, n_jobs)
        return done[: len(parts)] + _chained(data, consume, done[len(parts) :])


def _parallel(tasks: list[Task], n_jobs: int | None) -> list[Any]:
    if n_jobs in (None, 1) or len(tasks) < 2:
        return [function(*arguments) for function, arguments in tasks]
    with threadpool_limits(limits=1, user_api="blas"):
        pool = Parallel(n_jobs=n_jobs, prefer="threads")
        return list(pool(delayed(function)(*arguments) for function, arguments in tasks))


def _split(data: Prepared, batch: int) -> tuple[NDArray[Any], list[list[NDArray[Any]]]]:
    """Sequences to cut into chunks, and parts: lists of groups to run as batches."""
    order = np.argsort(-data.lengths, kind="stable")
    # A batch is wide until the batch-th longest sequence ends; what goes on long after that
    # would run almost alone.
    wide = data.lengths[order[batch - 1]] if len(order) >= batch else 0
    n_long = int(np.count_nonzero(data.lengths >= wide + _LONG))
    rest = order[n_long:]
    groups = [rest[i : i + batch] for i in range(0, len(rest), batch)]
    n_parts = min(_MOST_PARTS, len(groups), 1 + int(data.lengths[rest].sum()) // _PART_STEPS)
    # Dealt out in turn, longest first, so that parts take about the same time.
    return order[:n_long], [groups[i::n_parts] for i in range(n_parts)]


def _segment_tasks(
    data: Prepared, kernels: Sequence[Kernel], sequence: int, consume: Consume
) -> list[Task]:
    """A long sequence in segments, or in one that is run from left to right."""
    origin, length = int(data.offsets[sequence]), int(data.lengths[sequence])
    limit = min(length // 16, _SEGMENT // 8)
    warm_up = forgetting_time(kernels, data.inputs, origin, origin + length, limit)
    count = 1 if warm_up is None else int(np.clip(length // _SEGMENT, 1, _MOST_PARTS))
    bounds = np.linspace(origin, origin + length, count + 1).astype(int).tolist()
    tasks: list[Task] = []
    for first, stop in pairwise(bounds):
        start = data.initial[sequence] if first == origin else None
        segment = Segment(origin, first, stop)
        tasks.append((_run_segment, (data, segment, consume, start, warm_up)))
    return tasks


def _run_groups(data: Prepared, groups: list[NDArray[Any]], consume: Consume) -> Any:
    def blocks() -> Iterator[Block]:
        kernels = data.kernels()
        for group in groups:
            lengths = data.lengths[group]
            yield from Columns(
                kernels, data.inputs, data.offsets[group], lengths, data.initial[group]
            )

    with one_thread():
        return consume(blocks())


def _run_segment(
    data: Prepared,
    segment: Segment,
    consume: Consume,
    start: NDArray[Any] | None,
    warm_up: int | None,
) -> tuple[Segment, Any, NDArray[Any], NDArray[Any]]:
    with one_thread():
        kernels = data.kernels()
        return segment, *run_segment(kernels, data.inputs, segment, consume, start, warm_up)


def _chained(data: Prepared, consume: Consume, done: list[Any]) -> list[Any]:
    """Results of the segments; one that began elsewhere than the last ended is run again."""
    results: list[Any] = []
    last: Any = None
    for segment, result, start, end in done:
        if segment.first != segment.origin and not meet(last, start):
            _, result, _, end = _run_segment(data, segment, consume, last, None)
        results.append(result)
        last = end
    return results
