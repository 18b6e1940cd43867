"""Ragged sequences as rows."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.recurrent.carried import Carried
from sklseq.nn.recurrent.kernels.dispatch import lanes_for, widest
from sklseq.training.placement import as_tensor
from sklseq.training.rows.batch import Batch, Rows, Targets, Tile
from sklseq.training.rows.segments import TimeSegment, most_segments, segments

__all__ = ["SequenceRows", "steps_at_once"]

# Numbers in the widest activation of a tile: 32 MB in float32, and a few of them.
_MAX_NUMBERS = 1 << 23
# The same, of a part of a sequence that is too long for a tile.
_PART_NUMBERS = 1 << 20
# Sequences in a tile with lanes: whole dozens, see `dispatch`.
_TILE_ROWS = 480


class SequenceRows(Rows):
    """Ragged sequences, their targets and weights.

    Parameters
    ----------
    steps : ndarray or Tensor of shape (sum of lengths, n_features) or (sum of lengths,)
    lengths : ndarray of shape (n_sequences,)
        Stays on the CPU.
    like : Tensor
        A parameter of the module.
    targets : Targets or None, default=None
    per_step : bool, default=False
        Whether targets belong to steps.
    context : ndarray or Tensor of shape (n_sequences, n_context) or None, default=None
        What the module takes of each sequence as a whole.
    segment_steps : int or None, default=None
        Train in segments of so many steps, each with the states after the one before; None trains
        on whole sequences.
    following : bool, default=False
        Whether in segments the target of a step is that of the step after it.
    carried : Carried or None, default=None
        What sequences begin with, in inference; None begins without a past.
    """

    def __init__(
        self,
        steps: NDArray[Any] | Tensor,
        lengths: NDArray[np.int64],
        like: Tensor,
        targets: Targets | None = None,
        per_step: bool = False,
        context: NDArray[Any] | Tensor | None = None,
        *,
        segment_steps: int | None = None,
        following: bool = False,
        carried: Carried | None = None,
    ):
        self.steps, self.lengths, self.per_part = as_tensor(steps, like), lengths, per_step
        self.like, self.context = like, None if context is None else as_tensor(context, like)
        self.segment_steps, self.following, self.carried = segment_steps, following, carried
        self.in_segments = segment_steps is not None
        self._starts = np.cumsum(lengths) - lengths
        self._set_targets(like, targets)

    def __len__(self) -> int:
        return len(self.lengths)

    def inputs(
        self, rows: NDArray[np.int64], lanes: Lanes | None = None, n_rows: int = 0
    ) -> tuple[Any, ...]:
        """Stacked steps of these rows, their packing, and context and states where there are some.

        They are filled up to `n_rows` with empty ones.
        """
        lengths, free = self.lengths[rows], max(n_rows - len(rows), 0)
        if free:
            lengths = np.append(lengths, np.zeros(free, dtype=np.int64))
        inputs = self._steps_of(rows), Packing(lengths, self.steps.device, lanes)
        context = self.context_of(rows)
        if context is not None:
            context = pad(context, (0, 0, 0, free))
        if self.carried is not None:
            return *inputs, context, self._begin_of(rows, free)
        return inputs if context is None else (*inputs, context)

    def _begin_of(self, rows: NDArray[np.int64], free: int) -> Carried:
        """What these rows begin with, and free ones after them with zeros; to be changed."""
        assert self.carried is not None
        begin = self.carried.mapped(lambda s: pad(s[self.index(rows)], (0, 0, 0, free)))
        begin.ends = True
        return begin

    def context_of(self, rows: NDArray[np.int64]) -> Tensor | None:
        """Context of these rows, where there is one."""
        return None if self.context is None else self.context.index_select(0, self.index(rows))

    def _steps_of(self, rows: NDArray[np.int64]) -> Tensor:
        return self._at(self.steps, self._positions(rows))

    def step_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of all steps of these rows among the stacked steps."""
        positions = self._positions(rows)
        if isinstance(positions, slice):
            return np.arange(positions.start, positions.stop)
        return positions

    def _positions(
        self, rows: NDArray[np.int64], start: int = 0, lengths: NDArray[np.int64] | None = None
    ) -> slice | NDArray[np.int64]:
        """Those of all steps of these rows, or of `lengths` of them from `start` on.

        A slice where they lie side by side: a series of a million steps needs no index.
        """
        if lengths is None:
            lengths = self.lengths[rows]
        first = self._starts[rows] + start
        if (first[1:] == first[:-1] + lengths[:-1]).all():
            return slice(int(first[0]), int(first[-1] + lengths[-1]))
        offsets = first - (np.cumsum(lengths) - lengths)
        return np.repeat(offsets, lengths) + np.arange(lengths.sum())

    def index(self, rows: NDArray[np.int64]) -> Tensor:
        """Numbers of rows, on the device of the steps."""
        return torch.from_numpy(rows).to(self.steps.device, non_blocking=True)

    @staticmethod
    def _at(values: Tensor, positions: slice | NDArray[np.int64]) -> Tensor:
        if isinstance(positions, slice):
            return values[positions]
        index = torch.from_numpy(positions).to(values.device, non_blocking=True)
        return values.index_select(0, index)

    # -- training --------------------------------------------------------------------------

    def batches_of(self, rows: NDArray[np.int64]) -> Iterator[Batch]:
        """The batch of these rows, or the segments that they are gone through in."""
        if self.segment_steps is None:
            yield self.take(rows)
            return
        assert self.weight is not None
        lengths, carried = self.lengths[rows], Carried()
        for segment in segments(lengths, self.segment_steps):
            if segment.kept is not None:
                carried = carried.take(self.index(segment.kept))
            carried.ends = segment.ends
            positions, steps = self.segment(rows[segment.rows], segment)
            packing = Packing(segment.lengths, self.steps.device)
            share = float(segment.lengths.sum() / lengths.sum())
            weight = self._at(self.weight, positions)
            inputs = (steps, packing, self.context_of(rows[segment.rows]), carried)
            target = self._targets_at(positions)
            yield Batch(inputs, target, weight, len(rows) * share)

    def segment(
        self, rows: NDArray[np.int64], segment: TimeSegment
    ) -> tuple[slice | NDArray[np.int64], Tensor]:
        """The steps of these rows in a segment, and where they stand among all stacked steps."""
        positions = self._positions(rows, segment.start, segment.lengths)
        return positions, self._at(self.steps, positions)

    def _targets_at(self, positions: slice | NDArray[np.int64]) -> Tensor:
        values = self.steps if self.target is None else self.target
        if not self.following:
            return self._at(values, positions)
        # The last step of a sequence has no weight.
        if isinstance(positions, slice):
            positions = np.arange(positions.start, positions.stop)
        return self._at(values, np.minimum(positions + 1, len(values) - 1))

    def n_batches(self, batch_size: int) -> int:
        """Training steps of an epoch; of segments at most."""
        if self.segment_steps is None:
            return super().n_batches(batch_size)
        return most_segments(self.lengths, self.segment_steps, batch_size)

    def _target_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.step_index(rows) if self.per_part else rows

    def has_target(self, targets: Targets) -> NDArray[np.bool_]:
        """Which sequences have a target with weight, at some step at least."""
        known = targets.counted()
        return np.logical_or.reduceat(known, self._starts) if self.per_part else known

    def subset(self, rows: NDArray[np.int64]) -> Self:
        """These rows as data of their own, whose weights sum to their number."""
        part = self.part(rows)
        places = self._positions(rows) if self.per_part else rows
        part.target = None if self.target is None else self._at(self.target, places)
        part.mean_weight = self.mean_weight
        assert self.weight is not None
        part.weight = part._scaled(self._at(self.weight, places))
        return part

    def part(self, rows: NDArray[np.int64]) -> Self:
        """These rows without targets."""
        return self._without_targets(
            self._steps_of(rows), self.lengths[rows], self.context_of(rows)
        )

    def _without_targets(
        self, steps: Tensor, lengths: NDArray[np.int64], context: Tensor | None
    ) -> Self:
        return type(self)(
            steps,
            lengths,
            self.like,
            None,
            self.per_part,
            context,
            segment_steps=self.segment_steps,
            following=self.following,
        )

    def in_pieces(self, n_steps: int) -> Self:
        """Sequences of more than `n_steps` cut into pieces of about the same length.

        Each counts as a sequence of its own, which begins without a state.
        """
        n_pieces = -(-self.lengths // n_steps)
        owner = np.repeat(np.arange(len(self)), n_pieces)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces)
        length, n = self.lengths[owner], n_pieces[owner]
        lengths = (number + 1) * length // n - number * length // n
        pieces = self._without_targets(self.steps, lengths, self.context_of(owner))
        pieces.target, pieces.mean_weight = self.target, self.mean_weight
        if self.weight is not None:
            pieces.weight = pieces._scaled(self.weight)
        return pieces

    def split_end(self, targets: Targets, share: float) -> tuple[Self, Self] | None:
        """A single series with targets for its steps, cut where `share` of them is left.

        Raises ValueError if it has fewer than two targets.
        """
        if len(self) > 1 or not self.per_part:
            return None
        known = np.flatnonzero(targets.counted())
        if len(known) < 2:
            raise ValueError(
                "early_stopping=True needs two steps that have a target; set it to False."
            )
        cut = known[-int(np.clip(round(share * len(known)), 1, len(known) - 1))]
        lengths = np.array([cut, len(self.steps) - cut])
        context = None if self.context is None else self.context.expand(2, -1)
        both = self._without_targets(self.steps, lengths, context)
        both.target, both.weight = self.target, self.weight
        return both.subset(np.array([0])), both.subset(np.array([1]))

    def n_results(self, per_part: bool) -> int:
        """Number of sequences, or of steps."""
        return len(self.steps) if per_part else len(self)

    def tiles(self, module: nn.Module, per_part: bool) -> Iterator[Tile]:
        """All rows in parts for inference, in which each is computed as if it were alone.

        Sequences of similar length come together, in as many steps as memory allows. On the CPU
        they are laid in lanes, so that the shapes of all calls follow from the module and the
        sequence's own length.
        """
        max_steps = _MAX_NUMBERS // widest(module)
        for lanes, chosen in self._classes(module):
            if lanes is not None and lanes.rows == 1 and getattr(module, "reads_on", False):
                for row in chosen.tolist():
                    yield from self._long_tiles(row, lanes, module, per_part)
                continue
            lengths = self.lengths[chosen]
            size = len(chosen) if lanes is None else _TILE_ROWS
            start = 0
            while start < len(chosen):
                end = start + min(size, max(1, max_steps // int(lengths[start])))
                rows = chosen[start:end]
                places = self._positions(rows) if per_part else rows
                n_rows = 0 if lanes is None else size
                n_results = int(self.lengths[rows].sum()) if per_part else len(rows)
                yield Tile(self.inputs(rows, lanes, n_rows), places, n_results)
                start = end

    def _long_tiles(
        self, row: int, lanes: Lanes, module: nn.Module, per_part: bool
    ) -> Iterator[Tile]:
        """A very long sequence in parts of one shape, in memory that its length does not change.

        Without `per_part` the result of the last is that of the whole.
        """
        # States enter and leave where calls begin and end.
        lanes = lanes._replace(grid=lanes.block, gap=0)
        n_steps = max(steps_at_once(module) // lanes.block, 1) * lanes.block
        rows = np.array([row])
        carried = Carried() if self.carried is None else self._begin_of(rows, 0)
        for segment in segments(self.lengths[rows], n_steps):
            carried.ends = segment.ends
            places, steps = self.segment(rows, segment)
            packing = Packing(segment.lengths, "cpu", lanes)
            inputs = steps, packing, self.context_of(rows), carried
            if per_part:
                yield Tile(inputs, places, int(segment.lengths[0]))
            else:
                yield Tile(inputs, rows if segment.ends else rows[:0], int(segment.ends))

    def _classes(self, module: nn.Module) -> Iterator[tuple[Lanes | None, NDArray[np.int64]]]:
        """Rows of one shape of lanes, longest first."""
        order = np.argsort(-self.lengths, kind="stable")
        descending = self.lengths[order]
        ends = np.append(np.flatnonzero(np.diff(descending)), len(order) - 1)
        start = 0
        shapes = lanes_for(module, descending[ends], self.carried is not None)
        pairs = zip(shapes, ends + 1, strict=True)
        for lanes, group in groupby(pairs, key=lambda pair: pair[0]):
            *_, (_, end) = group
            yield lanes, order[start:end]
            start = end


def steps_at_once(module: nn.Module) -> int:
    """Steps of a part of a sequence that is too long to be taken at once."""
    return max(1, _PART_NUMBERS // widest(module))
