"""Trained modules run over further steps of sequences whose states are carried."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.carried import Carried
from sklseq.training.rows.segments import segments
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["run_on"]


def run_on(
    function: Callable[..., Tensor],
    rows: SequenceRows,
    carried: Carried | None,
    begun: NDArray[np.bool_],
    *,
    per_part: bool,
    at_once: int,
) -> tuple[NDArray[Any], Carried]:
    """Outputs for the further steps of sequences, and what is carried after them.

    Parameters
    ----------
    function : callable
        A method of a module that takes steps, packing, context and `Carried`.
    rows : SequenceRows
        Some may have length 0, not all: their outputs are any numbers.
    carried : Carried or None
        Of all sequences; None where none has begun. It is not changed.
    begun : ndarray of bool of shape (n_sequences,)
        Which were read before. The others are given no states, for a cell may begin with something
        else than zeros.
    per_part : bool
        Whether outputs are those of steps.
    at_once : int
        Approximate number of steps in a call.
    """
    lengths, n, n_begun = rows.lengths, len(rows), np.count_nonzero(begun)
    if n_begun in (0, n) and len(rows.steps) <= at_once and np.count_nonzero(lengths) == n:
        part = _copied(carried) if n_begun else Carried()
        given = rows.steps, _packing(lengths, rows.steps), rows.context, part
        return function(*given).cpu().numpy(), part
    outputs: NDArray[Any] | None = None
    for group in (np.flatnonzero((lengths > 0) & begun), np.flatnonzero((lengths > 0) & ~begun)):
        if not len(group):
            continue
        part = _copied(carried).take(rows.index(group)) if begun[group[0]] else Carried()
        for segment in segments(lengths[group], max(1, at_once // len(group))):
            if segment.kept is not None:
                part = part.take(rows.index(segment.kept))
            members = group[segment.rows]
            places, steps = rows.segment(members, segment)
            packing = _packing(segment.lengths, steps)
            output = function(steps, packing, rows.context_of(members), part).cpu().numpy()
            if outputs is None:
                size = len(rows.steps) if per_part else n
                outputs = np.zeros((size, *output.shape[1:]), output.dtype)
            outputs[places if per_part else members] = output
            index = rows.index(members)
            carried = part.spread(index, n) if carried is None else carried.put(index, part)
    assert outputs is not None
    assert carried is not None
    return outputs, carried


def _copied(carried: Carried | None) -> Carried:
    """A copy, to be changed."""
    assert carried is not None
    return Carried(carried.state, carried.summary)


def _packing(lengths: NDArray[np.int64], steps: Tensor) -> Packing:
    if len(steps) == len(lengths):
        return _of_single_steps(len(lengths), steps.device)
    return Packing(lengths, steps.device)


@lru_cache(maxsize=16)
def _of_single_steps(n: int, device: torch.device) -> Packing:
    """That of one step each: streams ask for it again and again."""
    return Packing(np.ones(n, dtype=np.int64), device)
