"""Targets per step are stacked as the steps are; what does not match is named."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklseq.data import Sequences, missing, read_sequences, read_steps, stack_steps

quick = settings(max_examples=30, deadline=None)


def ragged(lengths):
    return read_sequences([np.ones((length, 2)) for length in lengths])


@quick
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    shape=st.sampled_from([(), (1,), (3,)]),
)
def test_stacking_inverts_restoring(lengths, shape):
    X = ragged(lengths)
    values = np.random.default_rng(0).normal(size=(sum(lengths), *shape))
    restored = X.restore(values)
    for container in (restored, list(restored), tuple(restored), [v.tolist() for v in restored]):
        assert_array_equal(stack_steps(container, X), values)


@quick
@given(n=st.integers(1, 4), n_steps=st.integers(1, 4), shape=st.sampled_from([(), (2,)]))
def test_dense_targets_stack_as_the_list_of_their_sequences(n, n_steps, shape):
    X = read_sequences(np.ones((n, n_steps, 1)))
    values = np.random.default_rng(0).integers(5, size=(n, n_steps, *shape))
    for container in (values, list(values), values.tolist(), values.astype(object)):
        assert_array_equal(
            stack_steps(container, X).astype(int), values.reshape(n * n_steps, *shape)
        )


def test_targets_of_a_series_or_panel_stay_as_they_are():
    index = pd.MultiIndex.from_tuples([("u", 0), ("u", 1), ("v", 0)])
    frame = read_sequences(pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=index))
    series = Sequences(np.ones((3, 1)), np.array([3]), "series")
    for X in (frame, series):
        for y in ([1, 2, 3], np.array([1, 2, 3]), pd.Series([1, 2, 3])):
            assert_array_equal(stack_steps(y, X), [1, 2, 3])
        assert stack_steps(np.ones((3, 2)), X).shape == (3, 2)
        with pytest.raises(ValueError, match="y must hold a value for each step"):
            stack_steps(1, X)
        for y in ([1, 2], np.ones((2, 3))):
            with pytest.raises(ValueError, match=r"y has shape .*, but X has 3 steps"):
                stack_steps(y, X)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2]], "y has 1 sequences, but X has 2"),
        ([[1, 2], [3], [4]], "y has 3 sequences, but X has 2"),
        ([[1, 2], [3, 4]], "y, sequence 1 has 2 values, but X has 1 steps there"),
        ([[1], [3]], "y, sequence 0 has 1 values, but X has 2 steps there"),
        ([[1, 2], 3], "y, sequence 1 has one value, 3, where each step needs one"),
        (np.array([1, 3]), "y, sequence 0 has one value"),
        (np.array([[1, 2], [3, 4]]), "y, sequence 1 has 2 values"),
        ([[1, 2], [[3, 4]]], r"y, sequence 1 has values of shape \(2,\) per step"),
        ([[1, 2], [[3], [4, 5]]], "y, sequence 1 has steps with different numbers of values"),
    ],
)
def test_targets_that_do_not_match_the_steps_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        stack_steps(values, ragged([2, 1]))


def test_one_value_for_each_sequence_is_none_for_each_step():
    for lengths in ([2, 2], [1, 1]):
        with pytest.raises(ValueError, match="y, sequence 0 has one value"):
            stack_steps([0, 1], ragged(lengths))


@quick
@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_steps_are_read_with_or_without_a_reference(lengths):
    values = [np.arange(n) for n in lengths]
    index = pd.MultiIndex.from_tuples([(i, t) for i, n in enumerate(lengths) for t in range(n)])
    indexed = pd.Series(np.concatenate(values), index=index)
    for container in (values, [v.tolist() for v in values], indexed):
        found = read_steps(container)
        assert_array_equal(found.lengths, lengths)
        for reference in (ragged(lengths), found):
            assert_array_equal(stack_steps(container, reference), found.steps)


def test_messages_use_the_name_given():
    with pytest.raises(ValueError, match="sample_weight, sequence 0 has 1 values"):
        stack_steps([[1.0]], ragged([2]), "sample_weight")


def test_labels_of_unlike_types_keep_their_types():
    stacked = stack_steps([[1, 2], ["a"]], ragged([2, 1]))
    assert [type(label) for label in stacked] == [int, int, str]
    assert stack_steps([[1, 2], [0.5]], ragged([2, 1])).dtype == float
    assert stack_steps([["a", "b"], ["long"]], ragged([2, 1])).tolist() == ["a", "b", "long"]


MISSING = [None, np.nan, float("nan"), np.float32("nan"), pd.NA, pd.NaT]
PRESENT = [
    0,
    1,
    -1,
    -1.0,
    -2,
    "",
    "a",
    "-1",
    "nan",
    "None",
    True,
    False,
    np.True_,
    np.False_,
    0.5,
    np.inf,
]


@pytest.mark.parametrize("value", MISSING, ids=repr)
def test_missing_labels(value):
    labels = np.array([0, value, "a"], dtype=object)
    assert missing(labels).tolist() == [False, True, False]


@pytest.mark.parametrize("value", PRESENT, ids=repr)
def test_all_other_labels_are_labeled(value):
    labels = np.array([None, value], dtype=object)
    assert missing(labels).tolist() == [True, False]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([-1, 0, 1]), [False, False, False]),
        (np.array([np.nan, -1.0, 0.0]), [True, False, False]),
        (np.array(["-1", "nan"]), [False, False]),
        (np.array([True, False]), [False, False]),
        (np.array([], dtype=object), []),
    ],
)
def test_what_is_missing_by_the_type_of_the_array(labels, expected):
    found = missing(labels)
    assert found.dtype == bool
    assert found.tolist() == expected
