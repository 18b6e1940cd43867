"""States of a reservoir over sequences, block by block: parts of the work, and who does them.

No array of all states need exist. A block is ``(rows, states)``: which steps of the stacked
table these are, in no particular order, and their states. The same steps come in the same
blocks whatever `n_jobs` is, and the states of a sequence are the same to the bit in any company.

Stacked reservoirs ("deep") are a sequence of `Reservoir`: each is driven by the states of the
one before, and a state is that of all layers side by side.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any, Protocol, TypeVar

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from sklseq.nn.reservoir.states.columns import StateBlock, StateColumns, fixed_width
from sklseq.nn.reservoir.states.kernel import Array, Kernel, Reservoir
from sklseq.nn.reservoir.states.parallel_time import (
    Segment,
    chunk_width,
    forgetting_time,
    slim_width,
)
from sklseq.nn.reservoir.states.threads import one_thread

__all__ = ["Layers", "Prepared", "StatePart", "prepare", "run_parts", "stacked", "state_parts"]

Layers = Reservoir | Sequence[Reservoir]
_T = TypeVar("_T")

# Shorter series are run from left to right: finding the warm-up would cost what chunks save.
_LONG = 2**14
# A segment is what one worker takes of a long series. Its size does not depend on the number of
# workers, so that the result does not either.
_SEGMENT, _MOST_PARTS = 100_000, 16
_PART_STEPS = 2_000


class StatePart(Protocol):
    """A part of the work: some sequences, or a segment of a long one."""

    def attempts(self) -> Iterator[Iterator[StateBlock]]:
        """Yield iterators of blocks ``(rows, states)``, of which the last one counts.

        The first one is the last, but for segments that turn out to have begun in another state
        than assumed. `rows` (n,) are positions in the stacked steps, `states` (n, units) are valid
        until the next block.
        """
        ...


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table of steps and where its sequences lie."""

    layers: tuple[Reservoir, ...]
    inputs: Array
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]
    initial: Array
    feedback: bool
    _spare: list[list[Kernel]] = field(default_factory=list)

    def kernels(self) -> list[Kernel]:
        """Kernels for one worker, to be given back."""
        if self._spare:
            return self._spare.pop()
        kernels: list[Kernel] = []
        for reservoir in self.layers:
            kernels.append(Kernel(reservoir, self.feedback and not kernels))
        return kernels

    def columns(
        self, kernels: list[Kernel], sequences: NDArray[np.int64], width: int | None
    ) -> StateColumns:
        """Some sequences side by side, in descending order of length."""
        return StateColumns(
            kernels,
            self.inputs,
            self.offsets[sequences],
            self.lengths[sequences],
            self.initial[sequences],
            width,
        )

    def give_back(self, kernels: list[Kernel]) -> None:
        """Leave kernels for the next worker."""
        self._spare.append(kernels)


@dataclass(frozen=True, eq=False)
class _Groups:
    """Groups of sequences, each of which runs side by side."""

    data: Prepared
    groups: list[NDArray[np.int64]]
    width: int | None

    def attempts(self) -> Iterator[Iterator[StateBlock]]:
        data = self.data
        with one_thread():
            kernels = data.kernels()
            yield chain.from_iterable(
                data.columns(kernels, group, self.width).blocks() for group in self.groups
            )
            data.give_back(kernels)


def stacked(layers: Layers) -> tuple[Reservoir, ...]:
    """One reservoir, or several, as those that are stacked."""
    return (layers,) if isinstance(layers, Reservoir) else tuple(layers)


def prepare(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None,
    feedback: ArrayLike | None,
    initial_state: ArrayLike | None,
) -> Prepared:
    """Arguments as of `state_parts`, checked and in one place."""
    layers = stacked(layers)
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


def state_parts(
    layers: Layers,
    steps: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    feedback: ArrayLike | None = None,
    initial_state: ArrayLike | None = None,
    one_width: bool = True,
) -> list[StatePart]:
    """Cut a run of a reservoir over sequences into parts: groups, and segments of long ones.

    Parameters
    ----------
    layers : Reservoir or sequence of Reservoir
        The reservoir, or several stacked.
    steps : array-like of shape (sum of lengths, n_inputs)
        All steps, stacked.
    lengths : array-like of shape (n_sequences,) or None, default=None
        Steps of each sequence; None is one sequence.
    feedback : array-like of shape (sum of lengths, n_outputs) or None, default=None
        The output fed back *into* each step, so that of the step before (teacher forcing).
    initial_state : array-like of shape (n_sequences, units) or (units,) or None, default=None
        States before the first steps; None is zero.
    one_width : bool, default=True
        Whether the states of a sequence are the same to the bit in any company. Otherwise they are
        the same to rounding, and those of a few sequences take half the time.

    Returns
    -------
    list of StatePart
        For `run_parts`.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> r = Reservoir(np.zeros((2, 2)), np.ones((2, 1)), activation="identity")
    >>> def total(part):
    ...     for blocks in part.attempts():
    ...         sums = sum(states.sum(axis=0) for rows, states in blocks)
    ...     return sums
    >>> run_parts(total, state_parts(r, [[1.0], [2.0], [3.0]]))
    [array([6., 6.])]
    """
    data = prepare(layers, steps, lengths, feedback, initial_state)
    with one_thread():
        kernels = data.kernels()
        short = data.lengths < _LONG
        parts: list[StatePart] = []
        unforgetting: list[int] = []
        for sequence in np.flatnonzero(~short):
            found = _segments(data, kernels, int(sequence))
            parts += found
            unforgetting += [] if found else [int(sequence)]
    for sequences, width in (
        (np.flatnonzero(short), fixed_width(kernels) if one_width else chunk_width(kernels)),
        (np.array(unforgetting, dtype=np.int64), slim_width(kernels)),
    ):
        parts += _group_parts(data, sequences, width, one_width)
    data.give_back(kernels)
    return parts


def run_parts(
    function: Callable[..., _T], parts: Sequence[Any], *arguments: Any, n_jobs: int | None = None
) -> list[_T]:
    """What a function makes of each part: ``function(part, *arguments)``.

    Parameters
    ----------
    function : callable
        It may be called a second time for a part, whose first result is then dropped.
    parts : sequence of StatePart
        As of `state_parts`.
    *arguments : object
        The same for all parts. Workers share memory: the function may write into arrays.
    n_jobs : int or None, default=None
        Workers of joblib; with more than one, each uses one BLAS thread. The result is the same
        for any number.

    Returns
    -------
    list
        One result for each part.
    """
    alone = n_jobs in (None, 1) or len(parts) < 2
    with nullcontext() if alone else threadpool_limits(limits=1, user_api="blas"):
        pool = Parallel(n_jobs=n_jobs, require="sharedmem")
        results = list(pool(delayed(function)(part, *arguments) for part in parts))
    for i, (before, part) in enumerate(pairwise(parts), start=1):
        # A segment that began elsewhere than the one before it ended is run again.
        if isinstance(part, Segment) and part.starts_elsewhere(before):
            results[i] = function(part, *arguments)
    return results


def _segments(data: Prepared, kernels: list[Kernel], sequence: int) -> list[StatePart]:
    """A long sequence in segments; none if the reservoir does not forget how it started."""
    origin, length = int(data.offsets[sequence]), int(data.lengths[sequence])
    limit = min(length // 16, _SEGMENT // 8)
    warm_up = forgetting_time(kernels, data.inputs, origin, origin + length, limit)
    if warm_up is None:
        return []
    count = int(np.clip(length // _SEGMENT, 1, _MOST_PARTS))
    bounds = np.linspace(origin, origin + length, count + 1).astype(int).tolist()
    initial = data.initial[sequence]
    return [
        Segment(data, origin, first, stop, warm_up, initial if first == origin else None)
        for first, stop in pairwise(bounds)
    ]


def _group_parts(
    data: Prepared, sequences: NDArray[np.int64], width: int, one_width: bool
) -> list[StatePart]:
    """Sequences of about the same length side by side."""
    order = sequences[np.argsort(-data.lengths[sequences], kind="stable")]
    groups = [order[i : i + width] for i in range(0, len(order), width)]
    n_steps = int(data.lengths[order].sum())
    n_parts = min(_MOST_PARTS, len(groups), 1 + n_steps // _PART_STEPS)
    # Dealt out in turn, longest first, so that parts take about the same time.
    filled_up = width if one_width else None
    return [_Groups(data, groups[i::n_parts], filled_up) for i in range(n_parts)]
