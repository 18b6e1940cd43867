"""Layers of the transformer (Vaswani et al. 2017): attention on a sequence itself and on another.

The layers are normalized before, not after ("pre-norm"): ``x + f(norm(x))``. The gradient of the
lower layers is bounded at the start, so that training needs no warm-up (Xiong et al. 2020, "On
layer normalization in the transformer architecture", theorem 1).

All is padded, ``(n, n_steps, size)``. The hidden layers have ReLU: its values are exact, wherever
in a vector register they are computed.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sklseq.nn.layers.attention import Attention, attend
from sklseq.nn.layers.feedforward import initialize
from sklseq.nn.layers.randomness import Dropout

__all__ = ["POSITIONS", "Past", "SelfAttention", "Source", "TransformerStack", "sinusoids"]

POSITIONS = ("absolute", "relative")


def sinusoids(positions: Tensor, size: int) -> Tensor:
    """``sin(p / 10000^(2i / size))`` and the cosine of the same in turn, ``(n_positions, size)``.

    Vaswani et al. (2017), section 3.5.
    """
    even = torch.arange(0, size, 2, device=positions.device, dtype=positions.dtype)
    angles = positions[:, None] * torch.exp(even * (-math.log(10000) / size))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :size]


class Source(NamedTuple):
    """Another sequence that is attended to, as a layer sees it."""

    keys: tuple[Tensor, Tensor]
    """Of `Attention.keys`."""
    mask: Tensor
    """``(n, n_source_steps)``, no row False throughout."""


class Past(NamedTuple):
    """What a layer keeps of the steps so far."""

    keys_values: Tensor
    """``(2, n, n_heads, n_steps, size / n_heads)``."""
    distances: Tensor | None
    """Encoded distances from ``n_steps - 1`` down to -1, ``(n_heads, n_steps + 1, ...)``."""


class SelfAttention(nn.Module):
    """Attention of the steps of a sequence on each other.

    The score of query i and key j in a head of size d is ``(q_i + u) . k_j / sqrt(d)``, where u is
    the bias of the queries (a bias of the keys would cancel); with `relative`
    ``((q_i + u) . k_j + (q_i + v) . W r_{i-j}) / sqrt(d)`` (Dai et al. 2019, "Transformer-XL",
    section 3.3, terms a to d), where r are the `sinusoids` of the signed distance.

    Parameters
    ----------
    size : int
    n_heads : int
        Divides `size`.
    relative : bool
    """

    def __init__(self, size: int, n_heads: int, relative: bool):
        super().__init__()
        self.n_heads = n_heads
        self.head_size = size // n_heads
        self.queries_keys_values = nn.Linear(size, 3 * size, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(n_heads, 1, self.head_size))
        if relative:
            self.distance_bias = nn.Parameter(torch.zeros(n_heads, 1, self.head_size))
            self.distance = nn.Linear(size, size, bias=False)
        self.output = nn.Linear(size, size)

    def encode_distances(self, sinusoids: Tensor) -> Tensor:
        """``W r``, ``(n_heads, n_distances, head_size)``."""
        return self.distance(sinusoids).unflatten(1, (self.n_heads, -1)).transpose(0, 1)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        distances: Tensor | None = None,
        past: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """New values of ``(n, n_queries, size)``, and keys and values of all steps so far.

        Parameters
        ----------
        x : Tensor of shape (n, n_queries, size)
        mask : Tensor of bool, broadcast to (n, n_heads, n_queries, n_keys), or None
        distances : Tensor of shape (n_heads, n_distances, head_size), optional
            Encoded distances of relative attention, from ``n_keys - 1`` down by ones to the
            smallest that the mask lets through, and one more at least.
        past : Tensor of shape (2, n, n_heads, n_past, head_size), optional
            Keys and values of earlier steps.
        """
        parts = self.queries_keys_values(x).unflatten(2, (3, self.n_heads, self.head_size))
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        keys_values = torch.stack([k, v])
        if past is not None:
            keys_values = torch.cat([past, keys_values], dim=3)
        k, v = keys_values
        scale = self.head_size**-0.5
        scores = ((q + self.content_bias) * scale) @ k.transpose(-1, -2)
        if distances is not None:
            scores = scores + self._by_distance((q + self.distance_bias) * scale, distances, k)
        means, _ = attend(scores, mask, v)
        return self.output(means.transpose(1, 2).flatten(2)), keys_values

    @staticmethod
    def _by_distance(q: Tensor, distances: Tensor, k: Tensor) -> Tensor:
        n, n_heads, n_queries, size = q.shape
        # One product for each head, in place of one for each sequence and head.
        flat = q.transpose(0, 1).reshape(n_heads, n * n_queries, size)
        products = (flat @ distances.transpose(1, 2)).view(n_heads, n, n_queries, -1)
        # The distance of query i and key j stands in column n_queries - 1 - i + j: each row begins
        # one place before the one above it, so in the flattened rectangle all rows are one place
        # shorter.
        width = products.shape[-1] - 1
        sheared = products.flatten(2)[..., n_queries - 1 : -1].unflatten(2, (n_queries, width))
        return sheared[..., : k.shape[2]].transpose(0, 1)


class TransformerBlock(nn.Module):
    """Self-attention, attention on a source if there is one, and two layers at each step."""

    def __init__(
        self, size: int, n_heads: int, dropout: float, relative: bool, source_size: int | None
    ):
        super().__init__()
        self.attention = SelfAttention(size, n_heads, relative)
        self.attention_norm = nn.LayerNorm(size)
        self.source_attention = None
        if source_size is not None:
            self.source_attention = Attention("multihead", size, source_size, n_heads)
            self.source_norm = nn.LayerNorm(size)
            self.source_output = nn.Linear(size, size)
        self.steps = nn.Sequential(nn.Linear(size, 4 * size), nn.ReLU(), nn.Linear(4 * size, size))
        self.steps_norm = nn.LayerNorm(size)
        self.dropout = Dropout(dropout)

    def residual_outputs(self) -> list[nn.Linear]:
        """The last linear map of each part, whose output is added to the block's input."""
        last: list[nn.Linear] = [self.attention.output, self.steps[-1]]  # type: ignore[list-item]
        return last if self.source_attention is None else [*last, self.source_output]

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        distances: Tensor | None,
        past: Tensor | None,
        source: Source | None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As `SelfAttention`, and the weights of the source ``(n, n_queries, n_source_steps)``."""
        new, keys_values = self.attention(self.attention_norm(x), mask, distances, past)
        x, weights = x + self.dropout(new), None
        if self.source_attention is not None and source is not None:
            # Queries of all that belong to one row of the source stand side by side.
            queries = self.source_norm(x).view(len(source.mask), -1, x.shape[2])
            new, weights = self.source_attention(queries, source.keys, source.mask)
            x = x + self.dropout(self.source_output(new)).view_as(x)
        return x + self.dropout(self.steps(self.steps_norm(x))), keys_values, weights


class TransformerStack(nn.Module):
    """Blocks one above the other, between the inputs and a last normalization.

    Weights are drawn as Glorot & Bengio (2010) do; those whose results are added to the stream are
    divided by the square root of how many they are, so that its variance does not grow with the
    depth (Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.3).

    Parameters
    ----------
    input_size : int
        Inputs of another size than `hidden_size` are mapped to it first.
    hidden_size, num_layers, n_heads : int
    dropout : float
        Of what each part of a block adds; inputs are dropped where they are embedded.
    positions : {"absolute", "relative"}
        Whether `sinusoids` are added to the inputs or attention sees distances.
    source_size : int or None, default=None
        Of another sequence that is attended to.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        n_heads: int,
        dropout: float,
        positions: str,
        source_size: int | None = None,
    ):
        super().__init__()
        if hidden_size % n_heads:
            raise ValueError(
                f"n_heads={n_heads} does not divide hidden_size={hidden_size}. Choose one of "
                f"{[n for n in range(1, hidden_size + 1) if hidden_size % n == 0]}."
            )
        self.hidden_size, self.relative = hidden_size, positions == "relative"
        same = input_size == hidden_size
        self.input = nn.Identity() if same else nn.Linear(input_size, hidden_size)
        blocks = [
            TransformerBlock(hidden_size, n_heads, dropout, self.relative, source_size)
            for _ in range(num_layers)
        ]
        self.blocks: Any = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(hidden_size)
        initialize(self, "xavier")
        outputs = [linear for block in blocks for linear in block.residual_outputs()]
        with torch.no_grad():
            for linear in outputs:
                linear.weight.div_(len(outputs) ** 0.5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States ``(n, n_steps, hidden_size)`` of steps that all see all others.

        Parameters
        ----------
        x : Tensor of shape (n, n_steps, input_size)
        mask : Tensor of bool of shape (n, n_steps)
            Steps that are seen; no row may be False throughout.
        """
        n_steps = x.shape[1]
        x, table = self._enter(x, 0), None
        if self.relative:
            table = self._sinusoids(x, n_steps - 1, -n_steps)
        for block in self.blocks:
            x, _, _ = block(x, mask[:, None, None], self._distances(block, table), None, None)
        return self.norm(x)

    def causal(
        self, x: Tensor, sources: list[Source], past: Sequence[Past] = ()
    ) -> tuple[Tensor, list[Past], Tensor]:
        """States of steps that see those before and themselves.

        Parameters
        ----------
        x : Tensor of shape (n, n_steps, input_size)
        sources : list of Source
            For each block; n is a multiple of their rows, and neighboring rows of x share one.
        past : list of Past, optional
            Of the steps before, as a call for these gave it.

        Returns
        -------
        Tensor of shape (n, n_steps, hidden_size)
        list of Past
        Tensor of shape (n, n_steps, n_source_steps)
            Weights of the last source; queries of rows that share one stand side by side.
        """
        start, n_new = past[0].keys_values.shape[3] if past else 0, x.shape[1]
        x, table, mask = self._enter(x, start), None, None
        if self.relative:
            table = self._sinusoids(x, start + n_new - 1, start if past else -1)
        if n_new > 1:
            mask = torch.ones(n_new, start + n_new, dtype=torch.bool, device=x.device).tril(start)
        pasts: Sequence[tuple[Any, Any]] = past or [(None, None)] * len(self.blocks)
        after = []
        for block, source, (before, smaller) in zip(self.blocks, sources, pasts, strict=True):
            distances = self._distances(block, table, smaller)
            x, keys_values, weights = block(x, mask, distances, before, source)
            after.append(Past(keys_values, distances))
        return self.norm(x), after, weights

    def _enter(self, x: Tensor, start: int) -> Tensor:
        x = self.input(x)
        if not self.relative:
            x = x + self._sinusoids(x, start + x.shape[1] - 1, start).flip(0)
        return x

    def _sinusoids(self, like: Tensor, first: int, last: int) -> Tensor:
        """Of positions or distances from `first` down to `last`."""
        down = torch.arange(first, last - 1, -1, device=like.device, dtype=like.dtype)
        return sinusoids(down, self.hidden_size)

    @staticmethod
    def _distances(
        block: TransformerBlock, table: Tensor | None, smaller: Tensor | None = None
    ) -> Tensor | None:
        if table is None:
            return None
        encoded = block.attention.encode_distances(table)
        return encoded if smaller is None else torch.cat([encoded, smaller], dim=1)
