"""Pairs of sequences as rows: inputs, and what is to be put out for them."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.ragged.padding import padded_length
from sklseq.training.rows.batch import Batch, Rows, Targets, Tile
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["PairRows"]

# Pairs in a tile on the CPU, whole dozens, see `dispatch`; few, for one pair takes as long.
_TILE_ROWS = 24
# On accelerators.
_MOST_ROWS = 512
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
        """All pairs, those of one shape of kernel calls together; the last fills a tile up."""
        for lanes, chosen in self.sources.classes(module):
            for out_lanes, rows in self._by_output(module, chosen):
                size = _MOST_ROWS if lanes is None else _TILE_ROWS
                for start in range(0, len(rows), size):
                    places = rows[start : start + size]
                    missing = 0 if lanes is None else size - len(places)
                    filled = np.append(places, np.repeat(places[-1:], missing))
                    parts = self.sources.inputs(filled, lanes)
                    if self.outputs is not None:
                        parts += self.outputs.inputs(filled, out_lanes)
                    yield Tile(parts, places, len(places))

    def _by_output(
        self, module: nn.Module, chosen: NDArray[np.int64]
    ) -> Iterator[tuple[Any, NDArray[np.int64]]]:
        """Parts of these pairs whose sources, and outputs, are padded to one length each."""
        for rows in _by_padded_length(chosen, self.sources.lengths):
            if self.outputs is None:
                yield None, rows
                continue
            for lanes, some in self.outputs.classes(module, rows):
                for part in _by_padded_length(some, self.outputs.lengths):
                    yield lanes, part


def _by_padded_length(
    rows: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    padded = np.array([padded_length(n) for n in lengths[rows].tolist()])
    for size in np.unique(padded)[::-1]:
        yield rows[padded == size]
