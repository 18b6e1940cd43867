"""Sequences in segments: each step once and in order, whatever the lengths."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sklseq.nn.recurrent.kernels.dispatch as dispatch
import sklseq.training.rows.sequences as sequence_rows
from sklseq.nn.ragged.pooling import POOLINGS
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.training.context import seeded_construction
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Targets, batches
from sklseq.training.rows.segments import most_segments, segments
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run

many_lengths = st.lists(st.integers(1, 12), min_size=1, max_size=6).map(np.array)
some = settings(max_examples=20, deadline=None)


@some
@given(lengths=many_lengths, n_steps=st.integers(1, 13))
def test_segments_hold_every_step_once(lengths, n_steps):
    seen = [[] for _ in lengths]
    before = np.arange(len(lengths))
    for segment in segments(lengths, n_steps):
        before = before if segment.kept is None else before[segment.kept]
        np.testing.assert_array_equal(before, segment.rows)
        for row, n in zip(segment.rows, segment.lengths, strict=True):
            seen[row] += range(segment.start, segment.start + n)
    assert segment.ends
    assert seen == [list(range(n)) for n in lengths]


def rows_of(lengths, k, following=False):
    """Rows whose steps are numbered, as are their targets."""
    n = lengths.sum()
    weights = np.linspace(1, 2, n)
    targets = Targets(weights, np.arange(float(n))[:, None])
    return SequenceRows(
        np.arange(float(n))[:, None],
        lengths,
        torch.zeros(1, dtype=torch.float64),
        targets,
        per_step=True,
        segment_steps=k,
        following=following,
    )


@some
@given(lengths=many_lengths, k=st.integers(1, 13), batch_size=st.integers(1, 6), seed=st.none())
def test_batches_of_segments_are_those_of_whole_sequences_in_parts(lengths, k, batch_size, seed):
    whole, cut = rows_of(lengths, None), rows_of(lengths, k)
    rng = np.random.default_rng(0)
    found = list(batches(cut, batch_size, rng))
    assert len(found) <= cut.n_batches(batch_size) == most_segments(lengths, k, batch_size)
    assert sum(batch.n_rows for batch in found) == pytest.approx(len(lengths))
    steps = torch.cat([batch.inputs[0] for batch in found])[:, 0]
    assert sorted(steps.tolist()) == list(range(lengths.sum()))
    for batch in found:
        torch.testing.assert_close(batch.target, batch.inputs[0])
        torch.testing.assert_close(batch.weight, whole.weight[batch.inputs[0][:, 0].long()])
        assert batch.inputs[1].lengths.max() <= k
    if k >= lengths.max():
        expected = batches(whole, batch_size, np.random.default_rng(0))
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one.inputs[0], other.inputs[0])
            assert torch.equal(one.weight, other.weight)
            assert one.n_rows == other.n_rows
            assert one.inputs[-1].ends


@some
@given(lengths=many_lengths, k=st.integers(1, 13))
def test_the_target_of_a_step_may_be_what_follows(lengths, k):
    last = np.cumsum(lengths) - 1
    for batch in batches(rows_of(lengths, k, following=True), 4, None):
        now = batch.inputs[0][:, 0].long()
        has_next = ~np.isin(now.numpy(), last)
        assert torch.equal(batch.target[has_next, 0].long(), now[has_next] + 1)


def test_one_series_is_not_copied():
    rows = rows_of(np.array([40]), 8)
    first, second, *_ = rows.batches_of(np.array([0]))
    for batch, start in ((first, 0), (second, 8)):
        assert batch.inputs[0].data_ptr() == rows.steps[start:].data_ptr()
        assert batch.weight.data_ptr() == rows.weight[start:].data_ptr()
    train, held_out = rows.split_end(Targets(np.ones(40)), 0.25)
    assert train.segment_steps == held_out.segment_steps == 8
    assert train.steps.data_ptr() == rows.steps.data_ptr()


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=4, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 150), min_size=1, max_size=4).map(np.array),
    pooling=st.sampled_from([*POOLINGS, None]),
    num_layers=st.integers(1, 2),
    double=st.booleans(),
)
def test_very_long_sequences_are_predicted_in_parts(cell, lengths, pooling, num_layers, double):
    dtype = torch.float64 if double else torch.float32
    with seeded_construction(0):
        network = RecurrentNetwork(
            n_features=2, n_outputs=2, cell=cell, hidden_size=3, num_layers=num_layers,
            pooling=pooling,
        )  # fmt: skip
    network = network.to(dtype)
    steps = np.random.default_rng(0).normal(size=(lengths.sum(), 2)).astype(str(dtype)[6:])
    per_step, like = pooling is None, parameter_of(network)

    def results(chosen, method):
        part = SequenceRows(steps, lengths, like).part(np.array(chosen))
        return run(method, network, part, per_part=per_step, n_threads=1)

    every = list(range(len(lengths)))
    for method in (network.forward, network.features):
        whole = results(every, method)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dispatch, "_MAX_NUMBERS", 1)  # all are too long
            patch.setattr(sequence_rows, "_PART_NUMBERS", 1)  # parts of a single block
            found = results(every, method)
            alone = [results([i], method) for i in every]
        np.testing.assert_allclose(found, whole, atol=1e-5 if dtype == torch.float32 else 1e-11)
        np.testing.assert_array_equal(found, np.concatenate(alone))
