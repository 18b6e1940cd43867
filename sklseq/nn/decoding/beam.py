"""Beam search over a batch of inputs."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from sklseq.nn.decoding.greedy import greedy
from sklseq.nn.decoding.search import DeadEnd, Found, Limits, check_numbers
from sklseq.nn.decoding.step import END, StepModel

__all__ = ["beam_search"]


def beam_search(
    model: StepModel,
    memory: Any,
    n: int,
    width: int,
    limits: Limits,
    length_penalty: float = 0.0,
    device: torch.device | str | None = None,
) -> Found:
    """The best sequences that are met when `width` hypotheses of each input are kept at a time.

    Of each input the ``2 * width`` best extensions of its hypotheses are looked at. Those among the
    first `width` that end are put aside; the best `width` that do not end go on. An input is
    finished when `width` sequences are put aside and no hypothesis can come to a better score than
    the last of them. Nothing of it depends on the other inputs.

    Parameters
    ----------
    model : StepModel
    memory
        Of n inputs.
    n : int
    width : int
        With 1, this is `greedy`, whatever the length penalty.
    limits : Limits
    length_penalty : float, default=0.0
        At least 0. Sequences are ranked by their log-probability divided by the length, with `END`,
        to this power: 0 favors short ones, 1 takes the mean over the symbols.
    device : torch.device or str, default=None
        Of the model.

    Returns
    -------
    Found
        With k = `width`; sequences are distinct, the best score comes first.

    Raises
    ------
    DeadEnd
        If no sequence of an input can be completed.
    """
    if width == 1:
        return greedy(model, memory, n, limits, device)
    return _search(model, memory, n, width, limits, length_penalty, device)


class _Step(NamedTuple):
    """What one step leaves to the end."""

    alive: Tensor
    """``(n, width)``, log-probabilities of the hypotheses that go on, best first."""
    symbols: Tensor
    """``(n * width,)``, their last symbols."""
    parents: Tensor
    """``(n * width,)``, the rows that they go on from."""
    ended: Tensor
    """``(n, width)``, log-probabilities of those that end here, -inf elsewhere."""
    scores: Tensor
    """``(n, width)``, theirs."""
    extensions: Tensor
    """``(n, 2 * width)``, their parents within the input, times n_symbols; then others."""


@torch.no_grad()
def _search(
    model: StepModel,
    memory: Any,
    n: int,
    width: int,
    limits: Limits,
    length_penalty: float,
    device: torch.device | str | None,
) -> Found:
    state = model.start(memory, width)
    last = torch.full((n * width,), END, device=device)
    first_rows = torch.arange(0, n * width, width, device=device)[:, None]
    prefixes = last.new_empty((n * width, 0)) if limits.allowed is not None else None
    steps: list[_Step] = []
    for t in range(limits.max_length + 1):
        log_probs, state = model.step(last, state, memory)
        log_probs = limits.restrict(log_probs, prefixes, t)
        n_symbols = log_probs.shape[1]
        if t == 0:  # all rows of an input are the same still: one of them counts
            alive = log_probs.new_full((n, width), -torch.inf)
            best_scores = alive.clone()
            alive[:, 0] = 0
        sums = (log_probs + alive.view(-1, 1)).view(n, width * n_symbols)
        best, extensions = sums.topk(min(2 * width, width * n_symbols))
        ends = extensions % n_symbols == END

        ended = best.where(ends, -torch.inf)[:, :width]
        scores = ended / (t + 1) ** length_penalty
        best_scores = torch.cat([best_scores, scores], dim=1).topk(width).values

        alive, order = best.masked_fill(ends, -torch.inf).topk(width)
        # Log-probabilities fall with every symbol: no score can be above this one.
        bound = alive[:, :1] / (limits.max_length + 1) ** length_penalty
        done = bound <= best_scores[:, -1:]
        # What is done stays as it is, whatever others need and rounding does to that bound.
        alive = alive.masked_fill(done, -torch.inf)

        going = extensions.gather(1, order)
        last, parents = (going % n_symbols).view(-1), (going // n_symbols + first_rows).view(-1)
        steps.append(_Step(alive, last, parents, ended, scores, extensions))
        if done.all():
            break
        state = model.reorder(state, parents)
        if prefixes is not None:
            prefixes = torch.cat([prefixes[parents], last[:, None]], dim=1)
    return _trace(steps, first_rows, n_symbols, limits.max_length)


def _trace(steps: list[_Step], first_rows: Tensor, n_symbols: int, max_length: int) -> Found:
    """The best of what ended in any step, read from the end to the start."""
    n, width = steps[0].alive.shape
    scores = torch.cat([step.scores for step in steps], dim=1)
    # Of equal scores the one that ended first comes first.
    where = scores.sort(dim=1, descending=True, stable=True).indices[:, :width]
    log_probs = torch.cat([step.ended for step in steps], dim=1).gather(1, where)
    check_numbers(log_probs)
    missing = log_probs == -torch.inf
    if missing[:, 0].any():
        row = int(missing[:, 0].nonzero()[0])
        raise DeadEnd(row, next(t for t, s in enumerate(steps) if s.alive[row, 0] == -torch.inf))

    lengths = (where // width).masked_fill_(missing, 0)
    ends = torch.cat([step.extensions[:, :width] for step in steps], dim=1).gather(1, where)
    rows = ends // n_symbols + first_rows
    symbols = torch.full((max_length, n, width), END, device=where.device)
    for t in reversed(range(len(steps) - 1)):
        inside = t < lengths
        symbols[t] = steps[t].symbols[rows].where(inside, END)
        rows = steps[t].parents[rows].where(inside, rows)
    return Found(symbols.permute(1, 2, 0).contiguous(), lengths, log_probs)
