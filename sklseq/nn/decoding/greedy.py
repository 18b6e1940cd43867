"""One sequence for each input, a symbol at a time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sklseq.nn.decoding.search import DeadEnd, Found, Limits, check_numbers
from sklseq.nn.decoding.step import END, StepModel

__all__ = ["follow", "greedy"]


def greedy(
    model: StepModel,
    memory: Any,
    n: int,
    limits: Limits,
    device: torch.device | str | None = None,
) -> Found:
    """The most probable symbol of those that may follow, at every step.

    Parameters
    ----------
    model : StepModel
    memory
        Of n inputs.
    n : int
    limits : Limits
    device : torch.device or str, default=None
        Of the model.

    Returns
    -------
    Found
        With k = 1.

    Raises
    ------
    DeadEnd
        If nothing may follow in one of the rows.
    """
    return follow(model, memory, n, limits, lambda log_probs, t: log_probs.argmax(dim=1), device)


@torch.no_grad()
def follow(
    model: StepModel,
    memory: Any,
    n: int,
    limits: Limits,
    choose: Callable[[Tensor, int], Tensor],
    device: torch.device | str | None,
) -> Found:
    """The sequences of symbols that ``choose(log_probs, t)`` takes, as in `greedy`.

    Where all log-probabilities are -inf, it must take `END`.
    """
    symbols = torch.full((n, limits.max_length + 1), END, device=device)
    done = torch.zeros(n, dtype=torch.bool, device=device)
    last, state = torch.full_like(done, END, dtype=torch.int64), model.start(memory, 1)
    # Added in order: a sum over all steps at once would depend on how many others need.
    total: Tensor | None = None
    for t in range(limits.max_length + 1):
        log_probs, state = model.step(last, state, memory)
        log_probs = limits.restrict(log_probs, symbols[:, :t], t)
        last = choose(log_probs, t).masked_fill_(done, END)
        symbols[:, t] = last
        gain = log_probs.gather(1, last[:, None])[:, 0].masked_fill_(done, 0)
        total = gain if total is None else total + gain
        done |= last == END
        if done.all():
            break
    assert total is not None
    check_numbers(total)
    symbols = symbols[:, : limits.max_length]
    lengths = (symbols != END).sum(dim=1)
    if (total == -torch.inf).any():
        row = int((total == -torch.inf).nonzero()[0, 0])
        raise DeadEnd(row, int(lengths[row]))
    return Found(symbols[:, None], lengths[:, None], total[:, None])
