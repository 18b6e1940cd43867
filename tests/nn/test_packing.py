"""The index vectors of a packing mean what they say, for any lengths."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from sklseq.nn.ragged.packing import Packing

quick = settings(max_examples=60, deadline=None)
many_lengths = st.lists(st.integers(1, 12), min_size=1, max_size=9)


def places(lengths):
    """Sequence and time of each stacked step."""
    return [(i, t) for i, length in enumerate(lengths) for t in range(length)]


def packed_places(lengths):
    """Sequence and time of each packed step, by the definition of packed order."""
    longest_first = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return [(i, t) for t in range(max(lengths)) for i in longest_first if t < lengths[i]]


@quick
@given(lengths=many_lengths)
def test_to_packed_and_to_stacked_are_inverse_and_follow_the_definition(lengths):
    packing = Packing(np.array(lengths))
    stacked, packed = places(lengths), packed_places(lengths)
    assert [stacked[k] for k in packing.to_packed] == packed
    assert [packed[k] for k in packing.to_stacked] == stacked
    assert len(packing) == len(lengths)


@quick
@given(lengths=many_lengths)
def test_packed_order_is_that_of_torch(lengths):
    packing = Packing(np.array(lengths))
    steps = torch.arange(sum(lengths))
    theirs = pack_sequence(list(steps.split(lengths)), enforce_sorted=False)
    assert packing.batch_sizes == theirs.batch_sizes.tolist()
    # Sequences of one length may stand in another order: torch does not sort stably.
    ours = steps.index_select(0, packing.to_packed).split(packing.batch_sizes)
    for mine, their in zip(ours, theirs.data.split(packing.batch_sizes), strict=True):
        assert sorted(mine.tolist()) == sorted(their.tolist())


@quick
@given(lengths=many_lengths)
def test_reverse_runs_each_sequence_backward_and_is_its_own_inverse(lengths):
    packing = Packing(np.array(lengths))
    packed = packed_places(lengths)
    mirrored = [(i, lengths[i] - 1 - t) for i, t in packed]
    assert [packed[k] for k in packing.reverse] == mirrored
    there_and_back = packing.reverse.index_select(0, packing.reverse)
    assert there_and_back.tolist() == list(range(len(packed)))


@quick
@given(lengths=many_lengths)
def test_previous_is_the_step_before(lengths):
    packing = Packing(np.array(lengths))
    packed = packed_places(lengths)
    later = packed[len(lengths) :]
    assert [packed[k] for k in packing.previous] == [(i, t - 1) for i, t in later]


@quick
@given(lengths=many_lengths)
def test_last_is_the_last_step_in_the_order_of_the_sequences(lengths):
    packing = Packing(np.array(lengths))
    packed = packed_places(lengths)
    assert [packed[k] for k in packing.last] == [(i, n - 1) for i, n in enumerate(lengths)]


costs = st.integers(0, 60)
cells = st.integers(1, 200)


@quick
@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=40), cost=costs, max_cells=cells)
def test_blocks_hold_every_step_once(lengths, cost, max_cells):
    packing = Packing(np.array(lengths))
    blocks = packing.blocks(cost, max_cells)
    rows = [r for _, r in blocks]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] == len(lengths)
    assert all(n_steps > 0 for n_steps, _ in blocks)
    starts = np.cumsum([0, *(n_steps for n_steps, _ in blocks)])
    assert starts[-2] < max(lengths) <= starts[-1]
    for start, n_rows in zip(starts, rows, strict=False):
        assert n_rows >= packing.batch_sizes[start]  # and later steps have fewer
    to_cells, to_packed = packing.block_index(blocks)
    assert len(to_cells) == sum(n_steps * r for n_steps, r in blocks)
    # Each step has one cell, in which the rectangle holds that step.
    assert to_cells.index_select(0, to_packed).tolist() == list(range(sum(lengths)))
    assert len(set(to_packed.tolist())) == sum(lengths)


@quick
@given(lengths=many_lengths, cost=costs, max_cells=cells)
def test_a_cell_keeps_its_row_from_step_to_step(lengths, cost, max_cells):
    # The state is carried by row: row k must hold the k-th longest sequence all the time.
    packing = Packing(np.array(lengths))
    blocks = packing.blocks(cost, max_cells)
    _, to_packed = packing.block_index(blocks)
    cell_place = [
        (start + t, row)
        for (n_steps, n_rows), start in zip(
            blocks, np.cumsum([0, *(n for n, _ in blocks)]), strict=False
        )
        for t in range(n_steps)
        for row in range(n_rows)
    ]
    expected = [(t, rank) for t, size in enumerate(packing.batch_sizes) for rank in range(size)]
    assert [cell_place[k] for k in to_packed] == expected


def test_no_waste_is_allowed_at_no_cost():
    packing = Packing(np.array([3, 1, 2, 3]))
    assert sum(n_steps * rows for n_steps, rows in packing.blocks(0, 10**6)) == 9


def test_equal_lengths_are_one_block_and_a_full_cache_cuts_it():
    packing = Packing(np.full(4, 10))
    assert packing.blocks(0, 10**6) == [(10, 4)]
    assert all(n_steps * rows <= 12 for n_steps, rows in packing.blocks(0, 12))


@pytest.mark.parametrize("lengths", [[1], [7], [1, 1, 1], [2, 5, 5, 1]])
def test_index_vectors_are_on_the_device_asked_for(lengths):
    packing = Packing(np.array(lengths), "meta")
    for name in ("to_packed", "to_stacked", "reverse", "previous", "last"):
        index = getattr(packing, name)
        assert index.device.type == "meta"
        assert index.dtype == torch.int64
