"""Pairs of sequences as rows: inputs, and what is to be put out for them."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sklseq.nn.ragged.packing import Lanes
from sklseq.nn.ragged.padding import padded_length
from sklseq.training.rows.batch import Batch, Rows, Targets, Tile
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["PairRows"]

# Pairs in a tile, and the longest padded sequences for it. Whole dozens, or one, see `dispatch`;
# few, for on the CPU one pair takes as long.
_TILE_ROWS = ((24, 1024), (12, 4096), (1, 2**62))
# Batches of which the pairs are sorted by length.
_POOL = 20


class PairRows(Rows):
    """Sequences, and for each of them another one, which may have any length.

    Parameters
    ----------
    sources : SequenceRows
    outputs : SequenceRows or None, default=None
        None where they are what is wanted.
    targets : Targets or None, default=None
        Weights of the pairs, in training.
    """

    def __init__(
        self,
        sources: SequenceRows,
        outputs: SequenceRows | None = None,
        targets: Targets | None = None,
    ):
        self.sources, self.outputs, self.like = sources, outputs, sources.like
        self._set_targets(self.like, None if targets is None else targets._replace(values=None))

    def __len__(self) -> int:
        return len(self.sources)

    def inputs(self, rows: NDArray[np.int64]) -> tuple[Any, ...]:
        """Stacked steps and packing of the sources, and then of the outputs."""
        parts = self.sources.inputs(rows)
        return parts if self.outputs is None else (*parts, *self.outputs.inputs(rows))

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these pairs; its target are the stacked steps of the outputs."""
        batch = super().take(rows)
        return batch._replace(target=batch.inputs[2])

    def subset(self, rows: NDArray[np.int64]) -> Self:
        """These pairs as data of their own, whose weights sum to their number."""
        assert self.outputs is not None
        part = type(self)(self.sources.part(rows), self.outputs.part(rows))
        part.mean_weight = self.mean_weight
        assert self.weight is not None
        part.weight = part._scaled(self.weight.index_select(0, self._index(rows)))
        return part

    def shuffled(self, rng: np.random.Generator, batch_size: int) -> NDArray[np.int64]:
        """Random order in which the pairs of a batch have outputs of about the same length."""
        assert self.outputs is not None
        order = rng.permutation(len(self))
        batches = []
        for start in range(0, len(order), _POOL * batch_size):
            pool = order[start : start + _POOL * batch_size]
            lengths = self.sources.lengths[pool], self.outputs.lengths[pool]
            pool = pool[np.lexsort(lengths)]
            batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
        whole = [batch for batch in batches if len(batch) == batch_size]
        rest = [batch for batch in batches if len(batch) < batch_size]
        shuffled = [whole[i] for i in rng.permutation(len(whole))]
        return np.concatenate(shuffled + rest)

    def n_results(self, per_part: bool) -> int:
        """Number of pairs."""
        return len(self)

    def tiles(self, module: nn.Module, per_part: bool) -> Iterator[Tile]:
        """All pairs, those whose sequences are padded to the same lengths together.

        On the CPU each tile has the same number of them: its last one fills it up.
        """
        on_cpu = self.like.device.type == "cpu"
        parts = [self.sources] if self.outputs is None else [self.sources, self.outputs]
        padded = np.stack([_padded(part.lengths) for part in parts], axis=1)
        shapes, shape_of = np.unique(padded, axis=0, return_inverse=True)
        for number, shape in enumerate(shapes.tolist()):
            size = next(rows for rows, longest in _TILE_ROWS if max(shape) <= longest)
            pairs = np.flatnonzero(shape_of == number)
            for start in range(0, len(pairs), size):
                places = pairs[start : start + size]
                filled = places
                lanes: list[Lanes | None] = [None] * len(shape)
                if on_cpu:
                    filled = np.append(places, np.repeat(places[-1:], size - len(places)))
                    lanes = [Lanes(size, n_steps, grid=n_steps) for n_steps in shape]
                inputs: list[Any] = []
                for part, own in zip(parts, lanes, strict=True):
                    inputs += part.inputs(filled, own)
                yield Tile(tuple(inputs), places, len(places))


def _padded(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    different, which = np.unique(lengths, return_inverse=True)
    return np.array([padded_length(n) for n in different.tolist()])[which]
