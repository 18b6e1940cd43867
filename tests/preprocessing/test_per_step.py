"""A transformer per step is the transformer of the table of all steps."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
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


@pytest.mark.parametrize("target", ["sequence", "step"])
@pytest.mark.parametrize("container", [list, tuple, pd.Series])
def test_a_list_of_frames_gives_frames_with_their_times_and_names(target, container):
    hours = pd.date_range("2024", periods=9, freq="h")
    X = [pd.DataFrame(x, columns=["a", "b", "c"], index=hours[: len(x)]) for x in sequences([3, 5])]
    y = [np.arange(len(x)) % 2 for x in X] if target == "step" else [0, 1]
    model = PerStep(target=target).fit(container(X), y)
    output = model.transform(container(X))
    assert output.dtype == object
    expected = StandardScaler().fit(np.concatenate(X))
    for x, out, back in zip(X, output, model.inverse_transform(output), strict=True):
        pd.testing.assert_index_equal(out.index, x.index)
        assert list(out.columns) == list(x.columns)
        assert_allclose(out, expected.transform(x.to_numpy()), atol=1e-12)
        pd.testing.assert_frame_equal(back, x)
    by_name = make_column_transformer((StandardScaler(), ["b"]))
    assert list(PerStep(by_name).fit_transform(X)[0].columns) == ["standardscaler__b"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform([x[["b", "a", "c"]] for x in X])


def test_columns_of_any_type_in_a_list_of_frames_reach_the_transformer():
    X = [
        pd.DataFrame({"u": [0.0, 1.0], "day": pd.date_range("2024", periods=2), "word": ["x", "y"]})
        for _ in range(3)
    ]
    by_name = make_column_transformer((StandardScaler(), ["u"]), ("passthrough", ["word"]))
    output = PerStep(by_name).fit_transform(X)
    assert output[1]["passthrough__word"].tolist() == ["x", "y"]
    with pytest.raises(TypeError, match=r"sequence 0, step 0, feature 1 \(column 'day'\)"):
        PerStep(StandardScaler()).fit(X)


def test_polars_frames_in_a_list():
    pl = pytest.importorskip("polars")
    arrays = sequences([3, 5])
    X = [pl.DataFrame(x, schema=["a", "b", "c"]) for x in arrays]
    model = PerStep().fit(X)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    output = model.transform(X)
    assert output[0].columns == ["a", "b", "c"]
    expected = PerStep().fit_transform(arrays)
    for out, values in zip(output, expected, strict=True):
        assert_allclose(out.to_numpy(), values, atol=1e-12)
    X[1][2, "b"] = None
    filled = PerStep(SimpleImputer()).fit_transform(X)
    assert not np.isnan(filled[1].to_numpy()).any()
    panel = pl.concat([x.with_columns(id=pl.lit(f"s{i}")) for i, x in enumerate(X)])
    parts = panel.partition_by("id", include_key=False)
    assert_allclose(PerStep(SimpleImputer()).fit_transform(parts)[0].to_numpy(), filled[0])
    with pytest.raises(ValueError, match="column 'id'"):
        PerStep(SimpleImputer()).fit(panel)
    with pytest.warns(UserWarning, match="partition_by"):
        PerStep().fit(panel.drop("id").drop_nulls())


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA])
def test_what_pandas_calls_missing_is_imputed(missing):
    values = np.arange(12.0).reshape(6, 2).astype(object)
    values[3, 0] = missing
    index = pd.MultiIndex.from_product([range(2), range(3)])
    frame = pd.DataFrame(values, index=index, columns=["a", "b"])
    expected = np.arange(12.0).reshape(6, 2)
    expected[3, 0] = np.mean([0, 2, 4, 8, 10])
    for X in (frame, frame.astype("Float64"), frame.convert_dtypes()):
        assert_allclose(PerStep(SimpleImputer()).fit_transform(X), expected)
        parts = [part for _, part in X.groupby(level=0)]
        assert_allclose(np.concatenate(PerStep(SimpleImputer()).fit_transform(parts)), expected)
    lists = [values[:3].tolist(), values[3:].tolist()]
    assert_allclose(np.concatenate(PerStep(SimpleImputer()).fit_transform(lists)), expected)


def test_padding_is_not_made_data_in_silence():
    X = np.random.default_rng(0).normal(size=(8, 6, 2))
    X[::2, 4:] = np.nan
    for data in (X, X[..., 0]):
        with pytest.warns(UserWarning, match="Padding is not needed"):
            model = PerStep(SimpleImputer()).fit(data)
        with pytest.warns(UserWarning, match="Padding is not needed"):
            model.transform(data)
        assert np.isnan(PerStep(StandardScaler()).fit_transform(data)).any()


def test_names_of_features():
    X = sequences([3, 2])
    assert PerStep().fit(X).get_feature_names_out().tolist() == ["x0", "x1", "x2"]
    assert PerStep(PCA(2)).fit(X).get_feature_names_out().tolist() == ["pca0", "pca1"]
    names = PerStep().fit(np.zeros((4, 2))).get_feature_names_out(["t0", "t1"])
    assert names.tolist() == ["t0", "t1"]
    with pytest.raises(ValueError, match="input_features should have length equal"):
        PerStep().fit(np.zeros((4, 2))).get_feature_names_out(["t0"])


# -- metadata routing ----------------------------------------------------------------------


@pytest.mark.parametrize("requested", [True, False, None])
@pytest.mark.parametrize("piped", [True, False])
def test_the_requests_of_the_transformer_are_respected(requested, piped):
    X, weights = sequences([2, 5, 3]), np.array([1.0, 2.0, 0.5])
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=requested)
        model = make_pipeline(PerStep(scaler)) if piped else PerStep(scaler)
        if requested is None:
            with pytest.raises(UnsetMetadataPassedError, match=r"StandardScaler\.fit"):
                model.fit(X, sample_weight=weights)
            return
        if not requested:
            with pytest.raises(TypeError, match="sample_weight"):
                model.fit(X, sample_weight=weights)
            model.fit(X)
            expected = PerStep().fit(X)
        else:
            model.fit(X, sample_weight=weights)
            expected = PerStep().fit(X, sample_weight=weights)
        fitted = model[0] if piped else model
        assert_array_equal(fitted.transformer_.mean_, expected.transformer_.mean_)


def test_metadata_by_another_name():
    X, weights = sequences([2, 5, 3]), np.array([1.0, 2.0, 0.5])
    expected = PerStep().fit(X, sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        model = PerStep(StandardScaler().set_fit_request(sample_weight="w")).fit(X, w=weights)
    assert_array_equal(model.transformer_.mean_, expected.transformer_.mean_)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        PerStep().fit(X, w=weights)


def test_columns_of_a_table_of_series_are_known_by_name():
    X = pd.DataFrame({name: [pd.Series(np.arange(3.0) + i) for i in range(4)] for name in "ab"})
    by_name = make_column_transformer((StandardScaler(), ["b"]))
    output = PerStep(by_name).fit(X).transform(X)
    assert [part.shape for part in output] == [(3, 1)] * 4
