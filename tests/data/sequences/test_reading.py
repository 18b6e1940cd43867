"""Every container reads to the same stacked steps and back; errors name the place."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from sklseq.data import (
    Sequences,
    as_container,
    is_nested_table,
    is_table,
    read_sequences,
)

quick = settings(max_examples=30, deadline=None)
lengths_of = st.lists(st.integers(1, 7), min_size=1, max_size=6)


def stacked(lengths, n_features):
    size = (sum(lengths), n_features)
    return np.random.default_rng(sum(lengths) + n_features).normal(size=size)


def split(steps, lengths):
    return np.split(steps, np.cumsum(lengths)[:-1])


def objects(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def panel(steps, lengths, names=None):
    index = pd.MultiIndex.from_tuples(
        [(f"s{i}", t) for i, length in enumerate(lengths) for t in range(length)]
    )
    columns = [f"f{k}" for k in range(steps.shape[1])] if names is None else names
    return pd.DataFrame(steps, index=index, columns=columns)


RAGGED = {
    "list of arrays": list,
    "tuple of arrays": tuple,
    "object array": objects,
    "list of lists of lists": lambda items: [item.tolist() for item in items],
    "list of tuples": lambda items: [tuple(map(tuple, item)) for item in items],
    "list of frames": lambda items: [pd.DataFrame(item) for item in items],
    "list of Fortran arrays": lambda items: [np.asfortranarray(item) for item in items],
    "list of torch tensors": lambda items: [torch.from_numpy(item.copy()) for item in items],
    "Series of arrays": lambda items: pd.Series(objects(items)),
}


@pytest.mark.parametrize("container", RAGGED.values(), ids=RAGGED)
@quick
@given(lengths=lengths_of, n_features=st.integers(1, 3))
def test_every_ragged_container_reads_to_the_same_steps(container, lengths, n_features):
    steps = stacked(lengths, n_features)
    read = read_sequences(container(split(steps, lengths)))
    assert_array_equal(read.steps, steps)
    assert_array_equal(read.lengths, lengths)
    assert (len(read), read.layout, read.symbolic) == (len(lengths), "ragged", False)


@quick
@given(n=st.integers(1, 4), n_steps=st.integers(1, 5), n_features=st.integers(1, 3))
def test_a_dense_array_reads_as_the_list_of_its_sequences(n, n_steps, n_features):
    X = stacked([n_steps] * n, n_features).reshape(n, n_steps, n_features)
    for array in (X, np.asfortranarray(X), X.astype(object), torch.from_numpy(X)):
        read = read_sequences(array)
        assert_array_equal(read.steps, read_sequences(list(X)).steps)
        assert_array_equal(read.lengths, [n_steps] * n)
        assert read.layout == "dense"
        assert_array_equal(read.restore(read.steps), X)


@quick
@given(lengths=lengths_of, n_features=st.integers(1, 3))
def test_a_panel_frame_reads_as_the_list_of_its_sequences(lengths, n_features):
    steps = stacked(lengths, n_features)
    read = read_sequences(panel(steps, lengths))
    assert_array_equal(read.steps, steps)
    assert_array_equal(read.lengths, lengths)
    assert_array_equal(read.feature_names, [f"f{k}" for k in range(n_features)])
    assert_array_equal(read.restore(read.steps), steps)


@quick
@given(lengths=lengths_of)
def test_one_dimensional_sequences_have_one_feature(lengths):
    steps = stacked(lengths, 1)
    flat = [item[:, 0] for item in split(steps, lengths)]
    for X in (flat, objects(flat), [item.tolist() for item in flat], [pd.Series(f) for f in flat]):
        assert_array_equal(read_sequences(X).steps, steps)


@quick
@given(lengths=lengths_of, shape=st.sampled_from([(), (1,), (3,), (2, 2)]))
def test_restoring_a_ragged_reading_gives_the_input_back(lengths, shape):
    values = np.random.default_rng(0).normal(size=(sum(lengths), *shape))
    read = read_sequences(split(stacked(lengths, 2), lengths))
    restored = read.restore(values)
    assert restored.shape == (len(lengths),)
    assert restored.dtype == object
    for item, expected in zip(restored, split(values, lengths), strict=True):
        assert_array_equal(item, expected)


def test_restoring_one_series_gives_its_steps():
    values = np.arange(6.0).reshape(3, 2)
    series = Sequences(values, np.array([3]), "series")
    assert_array_equal(series.restore(values), values)


@quick
@given(lengths=lengths_of)
def test_locate_inverts_stacking(lengths):
    read = read_sequences([np.zeros((length, 1)) for length in lengths])
    places = [(i, t) for i, length in enumerate(lengths) for t in range(length)]
    assert [read.locate(row) for row in range(sum(lengths))] == places
    assert_array_equal(read.starts, [places.index((i, 0)) for i in range(len(lengths))])


def test_with_steps_changes_values_alone():
    read = read_sequences(panel(stacked([2, 1], 2), [2, 1]))
    changed = read.with_steps(np.arange(3))
    assert changed.symbolic
    assert (changed.layout, changed.lengths, changed.feature_names) == (
        read.layout,
        read.lengths,
        read.feature_names,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32])
def test_steps_have_the_type_asked_for(dtype):
    for X in ([[1, 2], [3]], np.ones((2, 3, 1), dtype=int), [np.float32([1])], [[True, False]]):
        assert read_sequences(X, dtype=dtype).steps.dtype == dtype


def test_reading_does_not_change_or_need_a_writable_input():
    X = stacked([4, 4], 2).reshape(2, 4, 2)
    X.setflags(write=False)
    before = X.copy()
    read_sequences(X)
    read_sequences(list(X), dtype="float32")
    assert_array_equal(X, before)


SYMBOLS = {
    "strings": ["abc", "a", "ba"],
    "lists of strings": [["a", "b", "c"], ["a"], ["b", "a"]],
    "tuples of strings": (("a", "b", "c"), ("a",), ("b", "a")),
    "arrays of strings": [np.array(list(s)) for s in ("abc", "a", "ba")],
    "object array of strings": objects(["abc", "a", "ba"]),
    "object array of lists": objects([["a", "b", "c"], ["a"], ["b", "a"]]),
    "array of strings": np.array(["abc", "a", "ba"]),
    "Series of strings": pd.Series(["abc", "a", "ba"]),
}


@pytest.mark.parametrize("X", SYMBOLS.values(), ids=SYMBOLS)
@pytest.mark.parametrize("symbolic", [True, False])
def test_every_container_of_symbols_reads_to_the_same_symbols(X, symbolic):
    read = read_sequences(X, symbolic=symbolic)
    assert read.symbolic
    assert read.steps.tolist() == list("abcaba")
    assert_array_equal(read.lengths, [3, 1, 2])
    assert ["".join(s) for s in read.restore(read.steps)] == ["abc", "a", "ba"]


def test_integers_are_symbols_only_where_asked():
    for X in ([[1, 2], [3]], [np.array([1, 2]), np.array([3])], objects([[1, 2], [3]])):
        assert read_sequences(X, symbolic=True).steps.tolist() == [1, 2, 3]
        assert not read_sequences(X).symbolic


# Errors


def located(X, value):
    """Containers that hold `value` in sequence 1, step 2, feature 0."""
    X = np.array(X, dtype=float)
    X[1, 2, 0] = value
    return {
        "dense": X,
        "ragged": [X[0, :1], X[1], X[2]],
        "object": objects(list(X)),
        "panel": panel(X.reshape(-1, 2), [4, 4, 4]),
    }


@pytest.mark.parametrize("container", ["dense", "ragged", "object", "panel"])
@pytest.mark.parametrize(
    ("value", "dtype", "named"),
    [
        (np.nan, "float64", "NaN"),
        (np.inf, "float64", "infinity"),
        (-np.inf, "float32", "infinity"),
        (1e39, "float32", "too large for float32"),
    ],
)
def test_a_value_that_is_not_finite_is_located(container, value, dtype, named):
    X = located(np.ones((3, 4, 2)), value)[container]
    with pytest.raises(ValueError, match="sequence 1, step 2, feature 0") as caught:
        read_sequences(X, dtype=dtype, name="Z")
    assert named in str(caught.value)
    assert "Input Z" in str(caught.value)


@pytest.mark.parametrize("container", ["dense", "ragged", "object", "panel"])
def test_nan_alone_is_let_through_where_allowed(container):
    X = located(np.ones((3, 4, 2)), np.nan)[container]
    assert np.isnan(read_sequences(X, allow_nan=True).steps).sum() == 1
    X = located(np.ones((3, 4, 2)), np.inf)[container]
    with pytest.raises(ValueError, match="infinity: sequence 1, step 2, feature 0"):
        read_sequences(X, allow_nan=True)


def test_infinities_that_cancel_are_found():
    with pytest.raises(ValueError, match="infinity: sequence 0, step 0, feature 0"):
        read_sequences([[np.inf, -np.inf]])


def test_large_finite_values_are_read():
    X = np.full((1, 3, 1), np.finfo(np.float64).max)
    assert_array_equal(read_sequences(X).steps, X[0])


@pytest.mark.parametrize("value", ["q", object(), {}])
def test_an_object_that_is_no_number_is_located(value):
    X = np.ones((3, 4, 2), dtype=object)
    X[1, 2, 1] = value
    for container in (X, list(X), objects(list(X)), panel(X.reshape(-1, 2), [4, 4, 4])):
        with pytest.raises((TypeError, ValueError), match="sequence 1, step 2, feature 1"):
            read_sequences(container)


EMPTY = [[[1.0], []], [np.ones((2, 1)), np.ones((0, 1))], objects([[1.0], []]), ["ab", ""]]


@pytest.mark.parametrize("X", EMPTY)
def test_an_empty_sequence_is_named(X):
    with pytest.raises(ValueError, match="X, sequence 1 is empty"):
        read_sequences(X)


@pytest.mark.parametrize("X", [[], (), objects([]), panel(np.ones((1, 1)), [1]).iloc[:0]])
def test_no_sequence_at_all_is_an_error(X):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        read_sequences(X)


@pytest.mark.parametrize(
    ("shape", "what"), [((0, 2, 1), "sample"), ((2, 0, 1), "step"), ((2, 2, 0), "feature")]
)
def test_an_empty_axis_is_named(shape, what):
    with pytest.raises(ValueError, match=rf"0 {what}\(s\)"):
        read_sequences(np.ones(shape))


def test_no_features_are_named():
    with pytest.raises(ValueError, match=r"X, sequence 0 has 0 feature\(s\)"):
        read_sequences([np.ones((2, 0))])


def test_sequences_with_other_features_are_named():
    for X in ([np.ones((2, 3)), np.ones((2, 2))], [np.ones((2, 3)), np.ones(2), np.ones((2, 3))]):
        with pytest.raises(ValueError, match=r"sequence 1 has \d features, but sequence 0 has 3"):
            read_sequences(X)


@pytest.mark.parametrize("before", [[], [[[1.0, 2.0]]]])
def test_steps_with_other_features_are_named(before):
    X = [*before, [[1.0, 2.0], [3.0, 4.0], [5.0]]]
    match = f"sequence {len(before)}, step 2 has 1 features, but step 0 has 2"
    with pytest.raises(ValueError, match=match):
        read_sequences(X)


@pytest.mark.parametrize(
    ("item", "step"), [([1.0, [2.0]], 1), ([[1.0], 2.0], 1), ([[1.0], [2.0], [3.0, [4.0]]], 2)]
)
def test_steps_of_other_depth_are_named(item, step):
    with pytest.raises(ValueError, match=f"X, sequence 1, step {step} is"):
        read_sequences([[1.0], item])


@pytest.mark.parametrize("symbols", [[1.0, "a"], ["a", 1.0], np.array(["b", "a"])])
def test_strings_among_numbers_are_named(symbols):
    step = [isinstance(s, str) for s in symbols].index(True)
    with pytest.raises(ValueError, match=rf"X, sequence 1, step {step} is '\w'.* mixed"):
        read_sequences([[1.0, 2.0], symbols])


@pytest.mark.parametrize(
    ("X", "symbolic", "place"),
    [
        ([["a"], ["b", 1.0]], False, "sequence 1, step 1 is 1.0"),
        ([["a", None], ["b"]], False, "sequence 0, step 1 is None"),
        ([["a"], 3], False, "sequence 1 is 3, expected a sequence"),
        ([[1], [2, "a"]], True, "sequence 1, step 1 is 'a'"),
        ([[1], [2, 2.5]], True, "sequence 1, step 1 is 2.5"),
        ([[1], [True]], True, "sequence 1, step 0 is True"),
        ([[0.5]], True, "sequence 0, step 0 is 0.5"),
        ([[1], [[1, 2]]], True, r"sequence 1, step 0 is \[1, 2\]"),
    ],
)
def test_what_is_no_symbol_is_named(X, symbolic, place):
    with pytest.raises(ValueError, match=place):
        read_sequences(X, symbolic=symbolic)


def test_a_dense_array_holds_no_symbols():
    with pytest.raises(ValueError, match="2x3x1, but a step of a symbol sequence is one symbol"):
        read_sequences(np.ones((2, 3, 1), dtype=int), symbolic=True)


def test_complex_numbers_are_refused_by_place():
    with pytest.raises(ValueError, match="Complex data not supported: X, sequence 1"):
        read_sequences([[1.0], np.array([1.0 + 2j])])
    with pytest.raises(ValueError, match="Complex data not supported"):
        read_sequences(np.ones((1, 2, 1), dtype=complex))


def test_sparse_data_are_refused():
    with pytest.raises(TypeError, match=r"Sparse data was passed for X"):
        read_sequences(sparse.csr_array(np.eye(3)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2, 2)])
def test_arrays_of_other_dimensions_are_refused(shape):
    with pytest.raises(ValueError, match=f"{len(shape)}D array|dim {len(shape)}"):
        read_sequences(np.ones(shape))


@pytest.mark.parametrize("item", [3.0, np.ones((1, 2, 2))])
def test_items_of_other_dimensions_are_named(item):
    with pytest.raises(ValueError, match=f"X, sequence 1 has {np.ndim(item)} dimensions"):
        read_sequences([np.ones((2, 2)), item])


@pytest.mark.parametrize("order", [[0, 2, 1, 3, 4], [1, 0, 2, 3, 4]])
def test_a_scattered_or_unsorted_panel_is_refused_by_sequence(order):
    index = [("u", 0), ("u", 1), ("v", 0), ("v", 1), ("w", 0)]
    rows = [index[k] for k in order]
    frame = pd.DataFrame({"a": range(5)}, index=pd.MultiIndex.from_tuples(rows))
    with pytest.raises(ValueError, match=r"X, sequence 'u'.*sort_index"):
        read_sequences(frame)
    assert_array_equal(read_sequences(frame.sort_index()).lengths, [2, 2, 1])


def test_a_panel_may_have_its_sequences_in_any_order():
    frame = panel(np.arange(5.0)[:, None], [2, 1, 2]).loc[["s2", "s0", "s1"]]
    assert_array_equal(read_sequences(frame).steps.ravel(), [3, 4, 0, 1, 2])
    assert_array_equal(read_sequences(frame).lengths, [2, 2, 1])


def test_a_panel_with_one_time_twice_is_refused():
    index = pd.MultiIndex.from_tuples([("u", 0), ("u", 0)])
    with pytest.raises(ValueError, match=r"X, sequence 'u': time .* does not come after"):
        read_sequences(pd.DataFrame({"a": [1.0, 2.0]}, index=index))


# Which container is which


def test_tables_are_told_from_sequences():
    table = np.ones((3, 2))
    assert all(is_table(X) for X in (table, pd.DataFrame(table), sparse.csr_array(table)))
    others = (table[None], list(table), [[1], [2, 3]], panel(table, [2, 1]), ["ab"], objects([[1]]))
    assert not any(is_table(X) for X in others)


def test_nested_tables_are_rows_of_as_many_numbers():
    assert is_nested_table([[1, 2], (3.0, np.float32(4))])
    others = ([], [[1], [2, 3]], [[[1]], [[2]]], [["a", "b"], ["c", "d"]], [[1, 2], [3, "a"]], "ab")
    assert not any(is_nested_table(X) for X in others)
    assert not is_nested_table(np.ones((2, 2)))


def test_what_only_offers_an_array_is_read_as_one():
    class Duck:
        def __array__(self, dtype=None, copy=None):
            return np.ones((2, 3, 1))

    assert as_container(Duck()).shape == (2, 3, 1)
    for X in ([[1.0]], np.ones(2), pd.DataFrame({"a": [1]})):
        assert as_container(X) is X
