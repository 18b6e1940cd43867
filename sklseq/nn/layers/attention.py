"""Attention of the steps of one sequence on the steps of another."""

import torch
from torch import Tensor, nn

__all__ = ["ATTENTIONS", "Attention", "attend", "with_first"]

ATTENTIONS = ("dot", "multiplicative", "additive", "multihead")


def attend(scores: Tensor, mask: Tensor | None, values: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted means of values, and the weights.

    Parameters
    ----------
    scores : Tensor of shape (..., n_queries, n_keys)
    mask : Tensor of bool, broadcast to `scores`, or None
        False where there is nothing to attend to; no row may be False throughout.
    values : Tensor of shape (..., n_keys, size)
    """
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return weights @ values, weights


def with_first(mask: Tensor) -> Tensor:
    """`mask` ``(n, n_keys)`` with the first key for all, so that empty sequences stay finite."""
    return mask | (torch.arange(mask.shape[1], device=mask.device) == 0)


class Attention(nn.Module):
    """Attention on a memory whose keys are computed once.

    The score of query q and key k is ``q . k`` ("dot"), ``q . W k`` ("multiplicative", both Luong
    et al. 2015, section 3.1), ``v . tanh(W q + U k)`` ("additive", Bahdanau et al. 2015, appendix
    A.1.2), or, with several heads, ``W q . U k / sqrt(size)`` in each ("multihead", Vaswani et al.
    2017, section 3.2).

    Parameters
    ----------
    kind : {"dot", "multiplicative", "additive", "multihead"}
    query_size, memory_size : int
        For "dot" a memory of another size is mapped to that of the queries first.
    n_heads : int, default=4
        Of "multihead".

    Attributes
    ----------
    output_size : int
    """

    def __init__(self, kind: str, query_size: int, memory_size: int, n_heads: int = 4):
        super().__init__()
        self.kind, self.n_heads = kind, n_heads if kind == "multihead" else 1
        self.output_size = memory_size
        self.key: nn.Module = nn.Linear(memory_size, query_size, bias=False)
        if kind == "dot" and query_size == memory_size:
            self.key = nn.Identity()
        if kind == "additive":
            self.query = nn.Linear(query_size, query_size)
            self.energy = nn.Linear(query_size, 1, bias=False)
        if kind == "multihead":
            if query_size % n_heads:
                raise ValueError(
                    f"n_heads={n_heads} does not divide the decoder's {query_size} units. Choose "
                    f"one of {[n for n in range(1, query_size + 1) if query_size % n == 0]}."
                )
            self.query = nn.Linear(query_size, query_size)
            self.value = nn.Linear(memory_size, query_size)
            self.output_size = query_size

    def keys(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of ``(n, n_keys, memory_size)``, with heads before the steps."""
        if self.kind != "multihead":
            return self.key(memory), memory
        return self._heads(self.key(memory)), self._heads(self.value(memory))

    def forward(
        self, queries: Tensor, keys: tuple[Tensor, Tensor], mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Means of values ``(n, n_queries, output_size)``, and weights, their mean over heads.

        Parameters
        ----------
        queries : Tensor of shape (n, n_queries, query_size)
        keys : tuple of Tensor
            Of `keys`.
        mask : Tensor of bool of shape (n, n_keys)
        """
        k, v = keys
        if self.kind == "multihead":
            q = self._heads(self.query(queries))
            scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
            context, weights = attend(scores, mask[:, None, None], v)
            return context.transpose(1, 2).flatten(2), weights.mean(dim=1)
        if self.kind == "additive":
            sums = torch.tanh(self.query(queries)[:, :, None] + k[:, None])
            scores = self.energy(sums)[..., 0]
        else:
            scores = queries @ k.transpose(1, 2)
        return attend(scores, mask[:, None], v)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.n_heads, -1)).transpose(1, 2)
