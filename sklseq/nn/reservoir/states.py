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
from joblib import Parallel, delayed, parallel_config
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from sklseq.nn.reservoir.kernel import Block, Columns, Kernel, Reservoir
from sklseq.nn.reservoir.parallel_time import (
    Consume,
    Segment,
    forgetting_time,
    meet,
    run_segment,
    width,
)

__all__ = ["all_states", "final_states", "free_run", "map_states"]

Layers = Reservoir | Sequence[Reservoir]
Task = tuple[Callable[..., Any], tuple[Any, ...]]

# Shorter series are run from left to right: finding the warm-up would cost what chunks save.
_LONG = 2**14
# A segment is what one worker takes of a long series. Its size does not depend on the number of
# workers, so that the result does not either.
_SEGMENT, _MOST_PARTS = 100_000, 16
_PART_STEPS = 2_000


@dataclass(frozen=True)
class _Data:
    """A table of steps and where its sequences lie."""

    layers: tuple[Reservoir, ...]
    inputs: NDArray[Any]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]
    initial: NDArray[Any]
    feedback: bool

    def kernels(self) -> list[Kernel]:
        return [Kernel(r, self.feedback and i == 0) for i, r in enumerate(self.layers)]


def _prepare(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None,
    feedback: ArrayLike | None,
    initial_state: ArrayLike | None,
) -> _Data:
    layers = (layers,) if isinstance(layers, Reservoir) else tuple(layers)
    table = np.asarray(steps, dtype=layers[0].dtype)
    if table.ndim != 2:
        raise ValueError(f"The steps must have shape (n_steps, n_inputs), got {table.shape}.")
    if feedback is not None:
        if layers[0].feedback_weights is None:
            raise ValueError("The output is fed back to a reservoir without feedback_weights.")
        table = np.hstack([table, np.asarray(feedback, dtype=table.dtype)])
    n_inputs = layers[0].input_weights.shape[1]
    n_inputs += 0 if feedback is None else layers[0].feedback_weights.shape[1]
    if table.shape[1] != n_inputs:
        raise ValueError(f"The reservoir takes {n_inputs} inputs, got {table.shape[1]}.")
    sizes = np.asarray([len(table)] if lengths is None else lengths, dtype=np.int64)
    if sizes.sum() != len(table) or (sizes < 0).any():
        raise ValueError(f"The lengths add up to {sizes.sum()}, there are {len(table)} steps.")
    initial = np.zeros((len(sizes), sum(r.units for r in layers)), dtype=table.dtype)
    if initial_state is not None:
        initial[:] = initial_state
    return _Data(layers, table, sizes, np.cumsum(sizes) - sizes, initial, feedback is not None)


@contextmanager
def _one_thread() -> Iterator[None]:
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
        (see `sklseq.nn.reservoir.parallel_time`), so what it does must bear repetition.
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
    data = _prepare(layers, steps, lengths, feedback, initial_state)
    with _one_thread():
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


def _split(data: _Data, batch: int) -> tuple[NDArray[Any], list[list[NDArray[Any]]]]:
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
    data: _Data, kernels: Sequence[Kernel], sequence: int, consume: Consume
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


def _run_groups(data: _Data, groups: list[NDArray[Any]], consume: Consume) -> Any:
    def blocks() -> Iterator[Block]:
        kernels = data.kernels()
        for group in groups:
            lengths = data.lengths[group]
            yield from Columns(
                kernels, data.inputs, data.offsets[group], lengths, data.initial[group]
            )

    with _one_thread():
        return consume(blocks())


def _run_segment(
    data: _Data,
    segment: Segment,
    consume: Consume,
    start: NDArray[Any] | None,
    warm_up: int | None,
) -> tuple[Segment, Any, NDArray[Any], NDArray[Any]]:
    with _one_thread():
        kernels = data.kernels()
        return segment, *run_segment(kernels, data.inputs, segment, consume, start, warm_up)


def _chained(data: _Data, consume: Consume, done: list[Any]) -> list[Any]:
    """Results of the segments; one that began elsewhere than the last ended is run again."""
    results, last = [], None
    for segment, result, start, end in done:
        if segment.first != segment.origin and not meet(last, start):
            _, result, _, end = _run_segment(data, segment, consume, last, None)
        results.append(result)
        last = end
    return results


def all_states(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    feedback: ArrayLike | None = None,
    initial_state: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> NDArray[Any]:
    """All states, in the order of the steps.

    Parameters
    ----------
    layers, steps, lengths, feedback, initial_state, n_jobs
        As of `map_states`.

    Returns
    -------
    states : ndarray of shape (sum of lengths, units)
        After each step.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.full((1, 1), 0.5), np.ones((1, 1)), activation="identity")
    >>> all_states(r, [[1.0], [0.0], [0.0]]).ravel()
    array([1.  , 0.5 , 0.25])
    """
    stack = (layers,) if isinstance(layers, Reservoir) else tuple(layers)
    out = np.empty((len(np.asarray(steps)), sum(r.units for r in stack)), dtype=stack[0].dtype)

    def write(blocks: Iterable[Block]) -> None:
        for rows, block in blocks:
            out[rows] = block

    # Workers of another process would write to a copy.
    with parallel_config(backend="threading"):
        map_states(
            stack,
            steps,
            write,
            lengths,
            feedback=feedback,
            initial_state=initial_state,
            n_jobs=n_jobs,
        )
    return out


def final_states(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    feedback: ArrayLike | None = None,
    initial_state: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> NDArray[Any]:
    """The state after the last step of each sequence.

    Parameters
    ----------
    layers, steps, lengths, feedback, initial_state, n_jobs
        As of `map_states`.

    Returns
    -------
    states : ndarray of shape (n_sequences, units)

    Raises
    ------
    ValueError
        If a sequence has no step.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.full((1, 1), 0.5), np.ones((1, 1)), activation="identity")
    >>> final_states(r, [[1.0], [0.0], [3.0]], lengths=[2, 1]).ravel()
    array([0.5, 3. ])
    """
    n_steps = len(np.asarray(steps))
    sizes = np.asarray([n_steps] if lengths is None else lengths)
    if (sizes < 1).any():
        raise ValueError(f"Sequence {int(np.argmin(sizes))} has no step and so no final state.")
    sequence_of = np.full(n_steps, -1)
    sequence_of[np.cumsum(sizes) - 1] = np.arange(len(sizes))

    def last(blocks: Iterable[Block]) -> list[Block]:
        found = []
        for rows, block in blocks:
            ending = sequence_of[rows] >= 0
            found.append((sequence_of[rows[ending]], block[ending]))
        return found

    parts = map_states(
        layers,
        steps,
        last,
        lengths,
        feedback=feedback,
        initial_state=initial_state,
        n_jobs=n_jobs,
    )
    sequences, found = zip(*(pair for part in parts for pair in part), strict=True)
    return np.concatenate(found)[np.argsort(np.concatenate(sequences))]


def free_run(
    layers: Layers,
    readout: Callable[[NDArray[Any]], ArrayLike],
    state: ArrayLike,
    output: ArrayLike,
    n_steps: int,
    inputs: ArrayLike | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Let reservoirs run on their own output.

    Parameters
    ----------
    layers : Reservoir or sequence of Reservoir
        The reservoir, with feedback weights, or several stacked.
    readout : callable
        Output (n_sequences, n_outputs) of states (n_sequences, units). It is called once a
        step, in order, so it may also learn (see `RecursiveLeastSquares.force`).
    state : array-like of shape (n_sequences, units)
        States to start from, such as of `final_states`.
    output : array-like of shape (n_sequences, n_outputs)
        The last outputs, fed back into the first step.
    n_steps : int
        Steps to run.
    inputs : array-like of shape (n_sequences, n_steps, n_inputs) or None, default=None
        Inputs from outside; None if the reservoir has none.

    Returns
    -------
    outputs : ndarray of shape (n_sequences, n_steps, n_outputs)
        What the readout said.
    state : ndarray of shape (n_sequences, units)
        After the last step.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.zeros((1, 1)), np.ones((1, 0)), feedback_weights=np.ones((1, 1)),
    ...               activation="identity")
    >>> free_run(r, lambda x: 2 * x, [[0.0]], [[1.0]], n_steps=3)[0].ravel()
    array([2., 4., 8.])
    """
    stack = (layers,) if isinstance(layers, Reservoir) else tuple(layers)
    y = np.asarray(output, dtype=stack[0].dtype)
    n_sequences = len(y)
    if inputs is None:
        outside = np.empty((n_sequences, n_steps, 0), dtype=y.dtype)
    else:
        outside = np.asarray(inputs, dtype=y.dtype)
    data = _prepare(stack, outside[:, 0], np.ones(n_sequences), y, state)
    kernels, x = data.kernels(), data.initial
    outputs = np.empty((n_sequences, n_steps, y.shape[1]), dtype=y.dtype)
    one, each = np.ones(n_sequences, dtype=np.int64), np.arange(n_sequences)
    with _one_thread():
        for t in range(n_steps):
            x = Columns(kernels, np.hstack([outside[:, t], y]), each, one, x).finish()
            y = outputs[:, t] = readout(x)
    return outputs, x
