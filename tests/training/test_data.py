"""Batches are cut by slicing and hold exactly the rows they should."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.training.rows.batch import Targets, batches
from sklseq.training.rows.sequences import SequenceRows

quick = settings(max_examples=40, deadline=None)
many_lengths = st.lists(st.integers(1, 6), min_size=1, max_size=8)


def make_rows(lengths, per_step, symbolic=False):
    """Every step, target and weight is a number of its own."""
    n_steps = sum(lengths)
    n_targets = n_steps if per_step else len(lengths)
    steps = np.arange(n_steps) if symbolic else np.arange(2.0 * n_steps).reshape(-1, 2)
    target = np.arange(n_targets) + 1000
    targets = Targets(target + 1000.0, target)
    return SequenceRows(steps, np.array(lengths), torch.zeros(1), targets, per_step)


def unpack(batch, lengths, per_step):
    """Steps, target and weight of each sequence of a batch."""
    steps = batch.inputs[0].split(lengths)
    sizes = lengths if per_step else [1] * len(lengths)
    return list(zip(steps, batch.target.split(sizes), batch.weight.split(sizes), strict=True))


def same(a, b):
    return len(a) == len(b) and all(
        torch.equal(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)
    )


@quick
@given(lengths=many_lengths, per_step=st.booleans(), symbolic=st.booleans(), data=st.data())
def test_a_batch_holds_its_rows_in_their_order(lengths, per_step, symbolic, data):
    rows = make_rows(lengths, per_step, symbolic)
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=10))
    batch = rows.take(np.array(chosen))
    chosen_lengths = [lengths[i] for i in chosen]
    assert batch.inputs[1].lengths.tolist() == chosen_lengths
    whole = unpack(rows.take(np.arange(len(lengths))), lengths, per_step)
    assert same(unpack(batch, chosen_lengths, per_step), [whole[i] for i in chosen])
    steps, packing = rows.inputs(np.array(chosen))
    assert torch.equal(steps, batch.inputs[0])
    assert packing.lengths.tolist() == chosen_lengths


@quick
@given(lengths=many_lengths, per_step=st.booleans(), data=st.data())
def test_a_subset_is_data_of_its_own(lengths, per_step, data):
    rows = make_rows(lengths, per_step)
    chosen = np.array(data.draw(st.permutations(range(len(lengths)))))[: max(1, len(lengths) // 2)]
    part = rows.subset(chosen)
    assert len(part) == len(chosen)
    mine, theirs = part.take(np.arange(len(chosen))), rows.take(chosen)
    assert torch.equal(mine.inputs[0], theirs.inputs[0])
    assert mine.inputs[1].lengths.tolist() == theirs.inputs[1].lengths.tolist()
    assert torch.equal(mine.target, theirs.target)
    assert mine.n_rows == theirs.n_rows == len(chosen)
    torch.testing.assert_close(mine.weight.sum(), torch.tensor(float(len(chosen))))
    torch.testing.assert_close(mine.weight / mine.weight[0], theirs.weight / theirs.weight[0])


@quick
@given(lengths=many_lengths, batch_size=st.integers(1, 10), seed=st.none() | st.integers(0, 9))
def test_batches_hold_all_rows_once(lengths, batch_size, seed):
    rows = make_rows(lengths, per_step=False)
    rng = None if seed is None else np.random.default_rng(seed)
    cut = list(batches(rows, batch_size, rng))
    sizes = [len(batch.target) for batch in cut]
    assert all(size == batch_size for size in sizes[:-1])
    assert 0 < sizes[-1] <= batch_size
    order = (torch.cat([batch.target for batch in cut]) - 1000).tolist()
    assert sorted(order) == list(range(len(lengths)))
    if seed is None or batch_size >= len(lengths):
        assert order == list(range(len(lengths)))


def test_order_is_drawn_from_the_generator_alone():
    rows = make_rows([1] * 50, per_step=False)
    state = np.random.get_state()[1].tolist(), torch.get_rng_state()

    def order(seed):
        cut = batches(rows, 7, np.random.default_rng(seed))
        return torch.cat([batch.target for batch in cut]).tolist()

    assert order(0) == order(0) != order(1)
    assert np.random.get_state()[1].tolist() == state[0]
    assert torch.equal(torch.get_rng_state(), state[1])
