"""Pooling over ragged batches equals the plain loop over sequences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.pooling import AttentionPooling, max_pool, mean_pool

many_lengths = st.lists(st.integers(1, 7), min_size=1, max_size=6)
SIZE = 3


@pytest.fixture(scope="module")
def attention():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AttentionPooling(SIZE).double()


def attend(attention, states):
    """Eq. 5 to 7 of Yang et al. (2016) for one sequence."""
    u = torch.tanh(states @ attention.hidden.weight.t() + attention.hidden.bias)
    weights = torch.softmax(u @ attention.score.weight[0], dim=0)
    return weights @ states


@pytest.fixture(params=["mean", "max", "attention"])
def pooling(request, attention):
    """The pooling over a batch, and the loop's body."""
    return {
        "mean": (mean_pool, lambda states: states.mean(dim=0)),
        "max": (max_pool, lambda states: states.max(dim=0).values),
        "attention": (attention, lambda states: attend(attention, states)),
    }[request.param]


def random_states(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(sum(lengths), SIZE, generator=generator, dtype=torch.float64)


def test_pooling_equals_the_loop(pooling):
    batch, loop = pooling

    @settings(max_examples=30, deadline=None)
    @given(lengths=many_lengths, seed=st.integers(0, 99))
    def check(lengths, seed):
        states = random_states(lengths, seed).requires_grad_()
        ours = batch(states, Packing(np.array(lengths)))
        theirs = torch.stack([loop(item) for item in states.split(lengths)])
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
        upstream = torch.randn_like(ours)
        (a,) = torch.autograd.grad(ours, states, upstream)
        (b,) = torch.autograd.grad(theirs, states, upstream)
        torch.testing.assert_close(a, b, rtol=0, atol=1e-14)

    with torch.random.fork_rng(devices=[]):
        check()


def test_gradients_are_right(pooling):
    packing = Packing(np.array([3, 1, 2]))
    states = random_states(packing.lengths.tolist()).requires_grad_()
    assert gradcheck(lambda s: pooling[0](s, packing), states)


def test_a_sequence_of_one_step_pools_to_that_step(pooling):
    states = random_states([1, 1])
    torch.testing.assert_close(
        pooling[0](states, Packing(np.array([1, 1]))), states, rtol=0, atol=1e-15
    )


def test_repeating_a_sequence_does_not_change_its_pooling(pooling):
    states = random_states([4])
    once = pooling[0](states, Packing(np.array([4])))
    twice = pooling[0](torch.cat([states, states]), Packing(np.array([8])))
    torch.testing.assert_close(once, twice, rtol=0, atol=1e-14)


def test_attention_is_finite_for_scores_of_any_size(attention):
    states = random_states([3, 2])
    large = AttentionPooling(SIZE).double()
    large.load_state_dict(attention.state_dict())
    with torch.no_grad():
        large.score.weight.mul_(1e6)
    pooled = large(states, Packing(np.array([3, 2])))
    for item, one in zip(states.split([3, 2]), pooled, strict=True):
        torch.testing.assert_close(one, attend(large, item), rtol=0, atol=1e-9)


def test_attention_lies_between_the_states(attention):
    states = random_states([5, 2])
    pooled = attention(states, Packing(np.array([5, 2])))
    for item, one in zip(states.split([5, 2]), pooled, strict=True):
        assert (one >= item.min(dim=0).values).all()
        assert (one <= item.max(dim=0).values).all()
