"""What searches are asked for and what they find."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sklseq.nn.decoding.step import END

__all__ = ["DeadEnd", "Found", "Limits", "check_numbers"]


class Found(NamedTuple):
    """The k sequences found for each of n inputs, best first."""

    symbols: Tensor
    """``(n, k, max_length)`` of int64, `END` from the end on."""
    lengths: Tensor
    """``(n, k)`` of int64, without `END`."""
    log_probs: Tensor
    """``(n, k)``, the model's for a sequence and its `END`; -inf where there are fewer than k."""


class DeadEnd(ValueError):
    """No sequence can be completed for an input.

    Attributes
    ----------
    row : int
        Of the input among the n.
    step : int
        Number of symbols after which nothing may follow.
    """

    def __init__(self, row: int, step: int):
        super().__init__(row, step)
        self.row, self.step = row, step

    def __str__(self) -> str:
        return (
            f"Sequence {self.row}, step {self.step}: nothing may follow. All symbols, the end "
            "among them, are forbidden or have no probability; allow one, or widen the limits "
            "of length or the beam."
        )


@dataclass(frozen=True)
class Limits:
    """What sequences may be found.

    Parameters
    ----------
    max_length : int
        Number of symbols after which only `END` may follow.
    min_length : int, default=0
        Number of symbols before which `END` may not follow.
    allowed : callable, default=None
        ``allowed(prefixes, t)`` gives ``(rows, n_symbols)`` of bool: what may follow the first t
        symbols ``(rows, t)`` of each row, `END` included. Rows that have ended are asked about
        too, to no effect; so are copies of a row.

    Raises
    ------
    ValueError
        If ``0 <= min_length <= max_length`` does not hold.
    """

    max_length: int
    min_length: int = 0
    allowed: Callable[[Tensor, int], Tensor] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_length <= self.max_length:
            raise ValueError(
                f"min_length={self.min_length} must be between 0 and max_length={self.max_length}."
            )

    def restrict(self, log_probs: Tensor, prefixes: Tensor | None, t: int) -> Tensor:
        """Log-probabilities ``(rows, n_symbols)``, -inf for what may not follow t symbols.

        `prefixes` are needed where `allowed` is given.
        """
        if self.allowed is not None:
            assert prefixes is not None
            mask = self.allowed(prefixes, t)
            if mask.shape != log_probs.shape or mask.dtype != torch.bool:
                raise ValueError(
                    f"allowed must return booleans of shape {tuple(log_probs.shape)}; it returned "
                    f"{mask.dtype} of shape {tuple(mask.shape)} at step {t}."
                )
            log_probs = log_probs.masked_fill(~mask, -torch.inf)
        if t == self.max_length:
            only_end = torch.full_like(log_probs, -torch.inf)
            only_end[:, END] = log_probs[:, END]
            return only_end
        if t < self.min_length:
            log_probs = log_probs.clone()
            log_probs[:, END] = -torch.inf
        return log_probs


def check_numbers(log_probs: Tensor) -> None:
    """Refuse what a model without finite weights gives."""
    if log_probs.isnan().any():
        row = int(log_probs.isnan().nonzero()[0, 0])
        raise ValueError(f"Sequence {row}: the model's log-probabilities are NaN.")
