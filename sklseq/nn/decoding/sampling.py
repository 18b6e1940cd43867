"""Sequences drawn from a model."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from sklseq.nn.decoding.greedy import follow
from sklseq.nn.decoding.search import Found, Limits
from sklseq.nn.decoding.step import StepModel

__all__ = ["sample"]


def sample(
    model: StepModel,
    memory: Any,
    n: int,
    uniforms: Tensor,
    limits: Limits,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Found:
    """One sequence for each input, drawn symbol by symbol from what may follow.

    Parameters
    ----------
    model : StepModel
    memory
        Of n inputs.
    n : int
    uniforms : Tensor of shape (n, max_length + 1)
        Numbers between 0 and 1, on the device of the model. A row's sequence depends on its own
        numbers alone.
    limits : Limits
    temperature : float, default=1.0
        Log-probabilities are divided by it, above 0. Small values come close to `greedy`.
    top_k : int, default=None
        Draw from the k most probable symbols only.
    top_p : float, default=None
        Draw from the nucleus only: the smallest set of most probable symbols, of those that
        `top_k` leaves, whose probability reaches `top_p` (Holtzman et al. 2020, section 3.1).

    Returns
    -------
    Found
        With k = 1. Log-probabilities are those of the model, whatever the temperature, limits
        and sets that were drawn from.

    Raises
    ------
    DeadEnd
        If nothing may follow in one of the rows.
    ValueError
        If `uniforms` are not ``(n, max_length + 1)``.
    """
    if uniforms.shape != (n, limits.max_length + 1):
        raise ValueError(
            f"uniforms must have shape {(n, limits.max_length + 1)}, not {tuple(uniforms.shape)}."
        )

    def choose(log_probs: Tensor, t: int) -> Tensor:
        # The best is at 0 before the division, so that no temperature makes all of them -inf.
        logits = (log_probs - log_probs.amax(dim=1, keepdim=True)) / temperature
        if top_k is None and top_p is None:
            return _invert(logits.softmax(dim=1), uniforms[:, t])
        logits, order = logits.sort(dim=1, descending=True, stable=True)
        if top_k is not None:
            logits[:, top_k:] = -torch.inf
        probs = logits.softmax(dim=1)
        if top_p is not None:
            before = pad(probs.cumsum(dim=1)[:, :-1], (1, 0))
            probs = probs.masked_fill(before >= top_p, 0)
        return order.gather(1, _invert(probs, uniforms[:, t])[:, None])[:, 0]

    return follow(model, memory, n, limits, choose, uniforms.device)


def _invert(probs: Tensor, uniforms: Tensor) -> Tensor:
    """The first symbol of each row by which a share `uniforms` of all probability is passed.

    The target stays below the sum, so that no rounding takes a symbol without probability. In a
    row of NaN, where nothing may follow, it is the first.
    """
    passed = probs.cumsum(dim=1)
    total = passed[:, -1]
    target = torch.minimum(uniforms.to(probs) * total, total.nextafter(torch.zeros_like(total)))
    return (passed <= target[:, None]).sum(dim=1)
