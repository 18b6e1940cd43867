"""A transformer per step is the transformer of the table of all steps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)

from sklseq.preprocessing import PerStep

many_lengths = st.lists(st.integers(1, 6), min_size=1, max_size=7)


def sequences(lengths, n_features=3):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, n_features)) for n in lengths]


def panel(X, names):
    index = [(f"s{i}", t) for i, x in enumerate(X) for t in range(len(x))]
    return pd.DataFrame(np.concatenate(X), pd.MultiIndex.from_tuples(index), names)


@settings(max_examples=40, deadline=None)
@given(lengths=many_lengths, target=st.sampled_from(["sequence", "step"]))
def test_ragged_in_ragged_out_equal_to_the_table_and_back(lengths, target):
    X = sequences(lengths)
    model = PerStep(StandardScaler(), target=target).fit(X)
    output = model.transform(X)
    expected = StandardScaler().fit(np.concatenate(X))
    for x, out, back in zip(X, output, model.inverse_transform(output), strict=True):
        assert_allclose(out, expected.transform(x), atol=1e-12)
        assert_allclose(back, x, atol=1e-12)


def test_dense_stays_dense_with_as_many_features_as_come_out():
    X = np.stack(sequences([4] * 5))
    assert PerStep(PCA(2)).fit_transform(X).shape == (5, 4, 2)
    assert PerStep().fit_transform(X[..., 0]).shape == (5, 4)


@pytest.mark.parametrize("target", ["sequence", "step"])
def test_weights_of_sequences_or_steps_are_weights_of_rows(target):
    X = sequences([2, 5, 3])
    weights = [1.0, 2.0, 0.5]
    if target == "step":
        weights = [np.linspace(1, 2, len(x)) for x in X]
    rows = np.concatenate([np.broadcast_to(w, len(x)) for w, x in zip(weights, X, strict=True)])
    model = PerStep(target=target).fit(X, sample_weight=weights)
    expected = StandardScaler().fit(np.concatenate(X), sample_weight=rows)
    assert_allclose(model.transformer_.mean_, expected.mean_)
    assert_allclose(model.transformer_.scale_, expected.scale_)


def test_weights_the_transformer_cannot_take_are_an_error():
    with pytest.raises(ValueError, match=r"MinMaxScaler.*no sample_weight"):
        PerStep(MinMaxScaler()).fit(sequences([2, 3]), sample_weight=[1, 2])


@pytest.mark.parametrize("beside", ["y", "sample_weight"])
@pytest.mark.parametrize("target", ["sequence", "step"])
def test_values_in_another_order_are_refused_and_leave_the_model_as_it_was(target, beside):
    frame = panel(sequences([3, 2, 4]), ["a", "b", "c"])
    rows = frame.index.unique(0) if target == "sequence" else frame.index
    values = {beside: pd.Series(np.arange(1, len(rows) + 1), rows)}
    model = PerStep(target=target).fit(frame, **values)
    before = model.transformer_
    with pytest.raises(ValueError, match=f"{beside} and X have different indices"):
        model.fit(frame, **{beside: values[beside].iloc[::-1]})
    assert model.transformer_ is before


def test_a_file_of_another_version_is_loaded_with_a_warning():
    state = PerStep().fit(sequences([2, 3])).__getstate__()
    with pytest.warns(UserWarning, match=r"saved by sklseq 0\.0\.0"):
        PerStep().__setstate__(state | {"_sklseq_version": "0.0.0"})


@pytest.mark.parametrize("target", ["sequence", "step"])
def test_the_transformer_sees_the_columns_of_a_panel(target):
    frame = panel(sequences([3, 2, 4]), ["a", "b", "c"])
    by_name = make_column_transformer(
        (StandardScaler(), ["b"]), ("passthrough", ["a", "c"]), verbose_feature_names_out=False
    )
    output = PerStep(by_name, target=target).fit_transform(frame)
    assert list(output.columns) == ["b", "a", "c"]
    assert output.index.equals(frame.index)
    assert_array_equal(output["a"], frame["a"])


def test_one_series_in_a_frame_stays_a_frame():
    frame = panel(sequences([6]), ["a", "b", "c"]).droplevel(0)
    output = PerStep(target="step").fit_transform(frame)
    assert output.index.equals(frame.index)
    assert_allclose(output, StandardScaler().fit_transform(frame))


def test_targets_of_sequences_hold_for_their_steps():
    X, y = sequences([3, 2, 4, 3]), np.array([0, 1, 0, 1])
    steps, labels = np.concatenate(X), np.repeat(y, [3, 2, 4, 3])
    model = PerStep(SelectKBest(k=1)).fit(X, y)
    expected = SelectKBest(k=1).fit(steps, labels)
    assert_array_equal(model.transformer_.get_support(), expected.get_support())


def test_missing_values_pass_where_the_transformer_takes_them():
    X = sequences([3, 2])
    X[1][0, 2] = np.nan
    with pytest.raises(ValueError, match=r"sequence 1, step 0, feature 2"):
        PerStep(PCA(2)).fit(X)
    assert not any(np.isnan(x).any() for x in PerStep(SimpleImputer()).fit_transform(X))


def test_sparse_output_becomes_dense():
    X = [np.array([[0.0], [1.0]]), np.array([[2.0]])]
    output = PerStep(OneHotEncoder()).fit_transform(X)
    assert_array_equal(np.concatenate(output), np.eye(3))


def test_a_transformer_that_drops_or_repeats_rows_is_refused():
    X = sequences([3, 2, 4])
    for change in (lambda a: a[a[:, 0] > 0], lambda a: np.repeat(a, 2, axis=0)):
        with pytest.raises(ValueError, match="keeps every row"):
            PerStep(FunctionTransformer(change)).fit_transform(X)


def test_columns_of_any_type_reach_the_transformer():
    frame = panel(sequences([3, 2, 4], 1), ["u"])
    frame["word"] = list("xyxyxyxyx")
    frame["count"] = pd.array([1, None, 3] * 3, dtype="Int64")
    by_name = make_column_transformer(
        (StandardScaler(), ["u"]),
        (OneHotEncoder(sparse_output=False), ["word"]),
        (SimpleImputer(), ["count"]),
    )
    output = PerStep(by_name).fit_transform(frame)
    assert output.shape == (9, 4)
    assert output.index.equals(frame.index)


def test_a_frame_of_one_series_is_told_from_a_table_of_sequences():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)), columns=["a", "b"])
    with pytest.warns(UserWarning, match="set target='step'"):
        PerStep().fit(frame)
    assert_allclose(PerStep(target="step").fit_transform(frame).std(ddof=0), 1)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_steps_without_a_target_are_left_out(missing):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    gone = X[:, 1] > 0
    partly = y.astype(object)
    partly[gone] = missing
    model = PerStep(SelectKBest(k=1), target="step").fit(X, partly.tolist())
    expected = SelectKBest(k=1).fit(X[~gone], y[~gone])
    assert_allclose(model.transformer_.scores_, expected.scores_)
