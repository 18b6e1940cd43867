"""The generated tasks: each target follows from its sequence, by a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.datasets import make_adding_problem, make_copying_memory, make_temporal_order

GENERATORS = [make_adding_problem, make_copying_memory, make_temporal_order]
RAGGED = [make_adding_problem, make_temporal_order]

seeds = st.integers(0, 2**32 - 1)
samples = st.integers(1, 12)
step_counts = st.one_of(
    st.integers(2, 30),
    st.tuples(st.integers(2, 15), st.integers(0, 15)).map(lambda t: (t[0], sum(t))),
)
few = settings(max_examples=40, deadline=None)


def bounds(n_steps):
    return n_steps if isinstance(n_steps, tuple) else (n_steps, n_steps)


@given(samples, step_counts, seeds)
@few
def test_adding_problem_target_is_sum_of_two_marked_values(n_samples, n_steps, seed):
    X, y = make_adding_problem(n_samples, n_steps, random_state=seed)
    assert len(X) == n_samples
    assert y.shape == (n_samples,)
    low, high = bounds(n_steps)
    for sequence, target in zip(X, y, strict=True):
        assert low <= len(sequence) <= high
        marked = [value for value, mark in sequence if mark == 1]
        assert len(marked) == 2
        assert target == marked[0] + marked[1]
        assert all(0 <= value < 1 for value in sequence[:, 0])
        assert set(sequence[:, 1]) <= {0.0, 1.0}


def test_adding_problem_marks_every_pair_of_steps_alike():
    X, _ = make_adding_problem(6000, 4, random_state=0)
    pairs, counts = np.unique(X[:, :, 1], axis=0, return_counts=True)
    assert len(pairs) == 6
    # 1000 are expected of each; 5 standard deviations are 144.
    assert np.abs(counts - 1000).max() < 144


def test_adding_problem_baseline_is_one_sixth():
    _, y = make_adding_problem(50_000, 20, random_state=0)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, rel=0.03)


def test_adding_problem_is_dense_for_one_length_and_ragged_for_a_range():
    dense, y = make_adding_problem(5, 8, random_state=0)
    ragged, y_ragged = make_adding_problem(5, (8, 8), random_state=0)
    assert dense.shape == (5, 8, 2)
    assert ragged.shape == (5,)
    assert ragged.dtype == object
    np.testing.assert_array_equal(np.stack(ragged), dense)
    np.testing.assert_array_equal(y_ragged, y)


@given(samples, st.integers(1, 20), st.integers(2, 9), st.integers(1, 6), seeds)
@few
def test_copying_memory_asks_for_the_string_after_the_delimiter(
    n_samples, n_blanks, n_symbols, n_copy, seed
):
    X, y = make_copying_memory(
        n_samples, n_blanks, n_symbols=n_symbols, n_copy=n_copy, random_state=seed
    )
    assert X.shape == y.shape == (n_samples,)
    blank, delimiter = n_symbols, n_symbols + 1
    for tokens, labels in zip(X, y, strict=True):
        assert tokens.dtype == labels.dtype == np.int64
        string = list(tokens[:n_copy])
        assert all(0 <= token < n_symbols for token in string)
        pause = [blank] * (n_blanks - 1) + [delimiter]
        assert list(tokens) == string + pause + [blank] * n_copy
        assert list(labels) == [blank] * (n_copy + n_blanks) + string


@given(samples, step_counts, st.integers(3, 26), seeds)
@few
def test_temporal_order_class_is_order_of_the_marked_symbols(n_samples, n_steps, n_symbols, seed):
    X, y = make_temporal_order(n_samples, n_steps, n_symbols=n_symbols, random_state=seed)
    assert X.shape == y.shape == (n_samples,)
    low, high = bounds(n_steps)
    for tokens, label in zip(X, y, strict=True):
        T = len(tokens)
        assert low <= T <= high
        first, second = (t for t, token in enumerate(tokens) if token in ("A", "B"))
        assert tokens[first] + tokens[second] == label
        assert T // 10 <= first <= 2 * T / 10
        assert 5 * T // 10 <= second <= 6 * T / 10


def test_temporal_order_uses_all_symbols_and_classes():
    X, y = make_temporal_order(200, 60, random_state=0)
    assert set(np.concatenate(X)) == set("ABcdef")
    assert set(y) == {"AA", "AB", "BA", "BB"}


@pytest.mark.parametrize("make", RAGGED)
def test_lengths_take_both_ends_of_the_range(make):
    X, _ = make(200, (10, 12), random_state=0)
    assert {len(sequence) for sequence in X} == {10, 11, 12}


@pytest.mark.parametrize("make", GENERATORS)
def test_same_seed_gives_same_data_and_leaves_the_global_state_alone(make):
    before = np.random.get_state()[1].copy()
    one, two, other = (make(6, 12, random_state=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    for a, b, c in zip(one, two, other, strict=True):
        assert all(np.array_equal(i, j) for i, j in zip(a, b, strict=True))
        assert not all(np.array_equal(i, j) for i, j in zip(a, c, strict=True))


@pytest.mark.parametrize("make", GENERATORS)
def test_random_state_instance_is_advanced(make):
    rng = np.random.RandomState(0)
    first, second = make(6, 12, random_state=rng), make(6, 12, random_state=rng)
    assert not all(np.array_equal(a, b) for a, b in zip(first[0], second[0], strict=True))


@pytest.mark.parametrize("make", GENERATORS)
@pytest.mark.parametrize("value", [0, -3, 2.5, "many", True, None])
def test_bad_number_of_samples_is_named(make, value):
    with pytest.raises(ValueError, match="n_samples"):
        make(value)


@pytest.mark.parametrize("make", RAGGED)
@pytest.mark.parametrize("value", [1, 0, 2.5, (1, 5), (5, 4), (2, 3, 4), (2, "5"), None])
def test_bad_number_of_steps_is_named(make, value):
    with pytest.raises(ValueError, match="n_steps"):
        make(3, value)


@pytest.mark.parametrize(
    ("make", "parameter", "value"),
    [
        (make_copying_memory, "n_blanks", 0),
        (make_copying_memory, "n_symbols", 1),
        (make_copying_memory, "n_copy", 0),
        (make_temporal_order, "n_symbols", 2),
        (make_temporal_order, "n_symbols", 27),
    ],
)
def test_bad_parameter_is_named(make, parameter, value):
    with pytest.raises(ValueError, match=parameter):
        make(3, **{parameter: value})
