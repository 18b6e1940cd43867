"""What a container says is kept, or refused by place: names, times, dates, missing values."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from sklseq.base.sequences import SequenceEstimator
from sklseq.generative import SequenceVAE
from sklseq.parts.forecasting.forecaster import Forecaster
from sklseq.preprocessing import PerStep
from sklseq.recurrent import RecurrentClassifier
from sklseq.reservoir import ESNForecaster, ESNSearchCV
from sklseq.utils import all_estimators
from sklseq.utils._check_data import takes

SEQUENTIAL = {name: cls for name, cls in all_estimators() if issubclass(cls, SequenceEstimator)}
each = pytest.mark.parametrize("cls", SEQUENTIAL.values(), ids=SEQUENTIAL)
STEPS = {n: c for n, c in SEQUENTIAL.items() if takes(c(), "target", "step")}
each_of_steps = pytest.mark.parametrize("cls", STEPS.values(), ids=STEPS)
LENGTHS = (4, 6, 3, 5, 4, 6, 5, 4)
LABELS = np.arange(len(LENGTHS)) % 2


def quick(cls, **params):
    settings = {"hidden_size": 3, "max_epochs": 2, "n_components": 2, "random_state": 0} | params
    if issubclass(cls, Forecaster):  # whose default takes a table for one series
        settings = {"target": "sequence", "season_length": 1} | settings
    return cls(**{name: v for name, v in settings.items() if name in cls().get_params()})


def result(model, X):
    """What the model says of X."""
    method = "predict" if hasattr(model, "predict") else "transform"
    return np.concatenate([np.ravel(part) for part in getattr(model, method)(X)])


def frames():
    rng = np.random.default_rng(0)
    hours = pd.date_range("2024", periods=10, freq="h")
    return [
        pd.DataFrame(rng.normal(i % 2, 1, size=(n, 2)), columns=["a", "b"], index=hours[:n])
        for i, n in enumerate(LENGTHS)
    ]


def objects(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object array": objects,
    "Series": lambda items: pd.Series(objects(items)),
    "dict": lambda items: {f"s{i}": item for i, item in enumerate(items)},
    "panel": lambda items: pd.concat(items, keys=range(len(items))),
}
containers = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)


@each
@containers
def test_names_of_columns_are_kept(cls, container):
    X = frames()
    model = quick(cls).fit(container(X), LABELS)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    plain = quick(cls).fit([x.to_numpy() for x in X], LABELS)
    expected = result(plain, [x.to_numpy() for x in X])
    np.testing.assert_array_equal(np.ravel(result(model, X)), expected)
    for other in ([x[["b", "a"]] for x in X], [x.rename(columns={"a": "c"}) for x in X]):
        with pytest.raises(ValueError, match="feature names should match"):
            result(model, container(other))


@each
def test_frames_that_differ_are_refused_by_sequence(cls):
    X = frames()
    for other in (X[3][["b", "a"]], X[3].rename(columns={"a": "c"}), X[3].to_numpy()):
        with pytest.raises(ValueError, match="sequence 3"):
            quick(cls).fit([*X[:3], other, *X[4:]], LABELS)


WHEN = {
    "datetime64": np.array(["2024-01-01", "2024-01-02"], dtype="M8[ns]"),
    "timedelta64": np.array([1, 2], dtype="m8[s]"),
    "dates": objects([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)]),
    "zones": pd.date_range("2024", periods=2, tz="UTC"),
    "numpy scalars": objects([np.timedelta64(1, "s"), np.timedelta64(2, "s")]),
}


@each
@pytest.mark.parametrize("when", WHEN.values(), ids=WHEN)
def test_dates_are_no_numbers(cls, when):
    parts = [pd.DataFrame({"a": [0.0, 1.0], "when": when}) for _ in range(4)]
    panel = pd.concat(parts, keys=range(4))
    arrays = [p.to_numpy() for p in parts]
    only = [p[["when"]].to_numpy() for p in parts]
    lists = [[[*row] for row in array] for array in arrays]
    y = [0, 1, 0, 1]
    for X in (panel, parts):
        with pytest.raises(TypeError, match=r"column 'when'.*date or time"):
            quick(cls).fit(X, y)
    for X in (arrays, objects(arrays), np.stack(arrays), lists, np.stack(only)):
        with pytest.raises(TypeError, match=r"feature \d is the date or time"):
            quick(cls).fit(X, y)
    with pytest.raises(TypeError, match="date or time"):
        quick(cls).fit(np.stack([p["when"].to_numpy() for p in parts]), y)


def test_dates_are_no_targets_and_no_exogenous_inputs():
    X = np.random.default_rng(0).normal(size=(6, 3, 1))
    days = pd.date_range("2024", periods=6)
    for cls in SEQUENTIAL.values():
        if not is_regressor(cls()):
            continue
        for y in (days, pd.Series(days), days.to_numpy(), days - days[0], list(days)):
            with pytest.raises(TypeError, match="y, row 0 is the date or time"):
                quick(cls).fit(X, y)
        of_steps = np.tile(days.to_numpy()[:3], (6, 1))
        with pytest.raises(TypeError, match="y, sequence 0, step 0 is the date or time"):
            quick(cls, target="step").fit(X, of_steps)
    with pytest.raises(TypeError, match=r"exogenous.*column 'when'"):
        ESNForecaster(target="step").fit(X[:, :, 0].T, exogenous=pd.DataFrame({"when": days[:3]}))


@each
def test_missing_values_of_pandas_are_nan(cls):
    X = [x.convert_dtypes() for x in frames()]
    X[2].iloc[1, 0] = pd.NA
    for data in (X, pd.concat(X, keys=range(len(X))), [x.astype(object) for x in X]):
        if cls is PerStep:
            quick(cls).fit(data)
            continue
        with pytest.raises(ValueError, match="NaN: sequence 2, step 1, feature 0"):
            quick(cls).fit(data, LABELS)


def out_of_order(kind):
    frame = frames()[1]
    index = frame.index
    return frame.set_axis(
        {
            "descending": index[::-1],
            "twice": index[[0, 1, 1, 2, 3, 4]],
            "missing": index[:5].append(pd.DatetimeIndex([pd.NaT])),
            "numbers": pd.Index([0, 2, 1, 3, 4, 5]),
            "missing number": pd.Index([0, 1, np.nan, 3, 4, 5]),
            "mixed": pd.Index([0, "x", 1, 2, 3, 4], dtype=object),
        }[kind]
    )


@each
@pytest.mark.parametrize(
    "kind", ["descending", "twice", "missing", "numbers", "missing number", "mixed"]
)
def test_times_increase_in_every_container(cls, kind):
    X, wrong = frames(), out_of_order(kind)
    X = [*X[:2], wrong, *X[3:]]
    for container in ("list", "object array", "dict"):
        with pytest.raises(ValueError, match=r"X, sequence 2.*time"):
            quick(cls).fit(CONTAINERS[container](X), LABELS)
    with pytest.raises(ValueError, match=r"sequence 'u'.*time|several types"):
        quick(cls).fit(pd.concat([frames()[0], wrong], keys=["t", "u"]), [0, 1])
    with pytest.raises(ValueError, match=r"X, sequence 1.*time"):
        quick(cls).fit([X[0]["a"], wrong["a"]], [0, 1])
    if cls in STEPS.values():
        with pytest.raises(ValueError, match=r"X, sequence 0.*time"):
            quick(cls, target="step").fit(wrong, np.arange(6) % 2)


@each_of_steps
def test_names_of_rows_are_no_times(cls):
    frame = frames()[1].set_axis(list("fedcba"))
    quick(cls, target="step").fit(frame, np.arange(6) % 2)


@pytest.mark.parametrize("ids", [[np.nan, 1], [np.nan, np.nan], [None, "a"]], ids=str)
def test_a_row_without_a_sequence_is_named(ids):
    index = pd.MultiIndex.from_arrays([np.repeat(objects(ids), 3), [0, 1, 2] * 2])
    with pytest.raises(ValueError, match="row 0 has no name of its sequence"):
        PerStep().fit(pd.DataFrame({"a": np.arange(6.0)}, index=index))


@each_of_steps
@pytest.mark.parametrize("n_features", [1, 3])
def test_a_list_of_lists_is_the_table_it_spells(cls, n_features):
    X = np.random.default_rng(0).normal(size=(12, n_features))
    y = np.arange(12) % 2
    model, other = (quick(cls, target="step").fit(data, y) for data in (X, X.tolist()))
    np.testing.assert_array_equal(result(model, X), result(other, X.tolist()))
    np.testing.assert_array_equal(result(model, X), result(model, X.tolist()))
    if hasattr(model, "score"):
        assert model.score(X, y) == model.score(X.tolist(), y.tolist())


@each
def test_tables_of_series_are_read_as_their_rows(cls):
    X = frames()
    plain = [x.to_numpy() for x in X]
    expected = result(quick(cls).fit(plain, LABELS), plain)
    nested = pd.DataFrame({name: [x[name] for x in X] for name in "ab"})
    columns = pd.DataFrame({name: [x[name].tolist() for x in X] for name in "ab"})
    column = pd.DataFrame({"signal": objects(plain)})
    for table in (nested, columns, column, nested.to_numpy()):
        found = result(quick(cls).fit(table, LABELS), table)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    short = nested.copy()
    short.at[3, "b"] = short.at[3, "b"].iloc[:2]
    with pytest.raises(ValueError, match="row 3, column 'b' has 2 values"):
        quick(cls).fit(short, LABELS)
    holes = nested.copy()
    holes.at[3, "b"] = None
    with pytest.raises(ValueError, match="row 3, column 'b' is None"):
        quick(cls).fit(holes, LABELS)


@each_of_steps
def test_a_forgotten_target_is_told(cls):
    rng = np.random.default_rng(0)
    y = np.arange(12) % 2
    hours = pd.date_range("2024", periods=12, freq="h")
    named = pd.DataFrame(rng.normal(size=(12, 3)), columns=["heat", "wind", "rain"])
    timed = pd.DataFrame(rng.normal(size=(12, 3)), index=hours)
    for X in (named, timed):
        with pytest.warns(UserWarning, match="target='step'"):
            quick(cls).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for names in (
            range(3),
            ["t0", "t1", "t2"],
            ["1.5", "2.5", "3.5"],
            hours[:3],
            ["x0", "x1", "x2"],
        ):
            quick(cls).fit(named.set_axis(names, axis=1), y)
        quick(cls, target="step").fit(timed, y)


def test_every_step_of_a_sequence_named_as_an_output_is_told():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 5, 2)), rng.normal(size=(8, 5))
    for cls in SEQUENTIAL.values():
        if is_regressor(cls()):
            with pytest.warns(UserWarning, match="target='step'"):
                quick(cls).fit(X, y)


@each
def test_channels_first_is_told(cls):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"x\.T for x in X"):
        quick(cls).fit([rng.normal(size=(3, n)) for n in (5, 6, 7, 8)], [0, 1, 0, 1])
    if not issubclass(cls, Forecaster) and cls.__name__ != "RecurrentTransformer":
        with pytest.warns(UserWarning, match=r"transpose\(0, 2, 1\)"):
            quick(cls).fit(rng.normal(size=(6, 1, 9)), np.arange(6) % 2)


@each
def test_padding_is_told_from_gaps(cls):
    X = np.random.default_rng(0).normal(size=(8, 6, 2))
    X[::2, 4:] = np.nan
    advice = r"\[x\[~np\.isnan\(x\)\.all\(axis=1\)\] for x in X\]"
    if cls is not PerStep:
        with pytest.raises(ValueError, match=advice):
            quick(cls).fit(X, LABELS)
    shorter = [x[~np.isnan(x).all(axis=1)] for x in X]
    quick(cls).fit(shorter, LABELS)


@each
def test_columns_of_sequences_beside_others(cls):
    model = quick(cls)
    if not hasattr(model, "set_output"):
        pytest.skip("has no names of features")
    table = pd.DataFrame({"signal": objects([x.to_numpy() for x in frames()]), "age": LABELS})
    both = ColumnTransformer([("s", model, "signal"), ("n", "passthrough", ["age"])])
    output = both.set_output(transform="pandas").fit_transform(table)
    own = clone(model).fit(list(table["signal"])).get_feature_names_out()
    assert output.columns.tolist() == [*(f"s__{name}" for name in own), "n__age"]
    pipeline = make_pipeline(PerStep(), clone(model)).fit(list(table["signal"]))
    assert pipeline.get_feature_names_out().tolist() == own.tolist()


@each
def test_data_in_the_place_of_an_unused_y(cls):
    model, X = quick(cls), [x.to_numpy() for x in frames()]
    if get_tags(model).target_tags.required or cls in (PerStep, SequenceVAE):
        pytest.skip("uses y")
    for y in (X, objects(X), np.zeros((8, 4, 2))):
        with pytest.raises(ValueError, match="does not use y"):
            model.fit(X, y)
    model.fit(X, LABELS)
    if not issubclass(cls, Forecaster):
        model.fit(X, np.zeros((8, 2)))  # targets of what comes after


@pytest.mark.parametrize("target", ["sequence", "step"])
def test_exogenous_inputs_go_by_their_name(target):
    rng = np.random.default_rng(0)
    X, outside = rng.normal(size=(40, 1)), rng.normal(size=(40, 2))
    X = X if target == "step" else [X]
    for wrong in (outside, outside[:, 0], pd.DataFrame(outside), [outside], outside.tolist()):
        for call in (ESNForecaster(target=target).fit, ESNForecaster(target=target).partial_fit):
            with pytest.raises(ValueError, match="exogenous="):
                call(X, wrong)


def test_names_of_exogenous_inputs_are_kept():
    rng = np.random.default_rng(0)
    X, outside = (
        rng.normal(size=(40, 1)),
        pd.DataFrame(rng.normal(size=(40, 2)), columns=["u", "v"]),
    )
    for series, inputs in ((X, outside), ([X], [outside])):
        model = ESNForecaster(target="step", random_state=0).fit(series, exogenous=inputs)
        turned = outside[["v", "u"]]
        with pytest.raises(ValueError, match="feature names of exogenous"):
            model.forecast(3, exogenous=turned[:3] if series is X else [turned[:3]])
        model.forecast(3, exogenous=outside[:3] if series is X else [outside[:3]])


def test_each_sparse_or_scattered_exogenous_input_is_named():
    X = np.random.default_rng(0).normal(size=(5, 1))
    model = ESNForecaster(target="step")
    with pytest.raises(TypeError, match="Sparse data was passed for exogenous"):
        model.fit(X, exogenous=sparse.csr_array(np.ones((5, 1))))
    late = pd.DataFrame({"u": np.arange(5.0)}, index=pd.date_range("2024", periods=5)[::-1])
    with pytest.raises(ValueError, match="exogenous, sequence 0: time"):
        model.fit(X, exogenous=late)


@each
def test_polars_frames_keep_their_names(cls):
    pl = pytest.importorskip("polars")
    X = [pl.DataFrame(x.to_numpy(), schema=["a", "b"]) for x in frames()]
    model = quick(cls).fit(X, LABELS)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names should match"):
        result(model, [x[["b", "a"]] for x in X])
    days = [x.with_columns(c=pl.Series(pd.date_range("2024", periods=len(x)))) for x in X]
    with pytest.raises(TypeError, match=r"feature 2 \(column 'c'\) is the date or time"):
        quick(cls).fit(days, LABELS)
    with pytest.raises(TypeError, match=r"LazyFrame.*collect"):
        quick(cls).fit(X[0].lazy(), LABELS)
    nested = pl.DataFrame({name: [x[name].to_list() for x in X] for name in "ab"})
    expected = np.ravel(result(model, X))
    np.testing.assert_allclose(result(quick(cls).fit(nested, LABELS), nested), expected, atol=1e-12)


@each
def test_tensors_are_read_as_arrays(cls):
    X = [x.to_numpy() for x in frames()]
    y = torch.from_numpy(LABELS * 1.0).requires_grad_()
    expected = result(quick(cls).fit(X, LABELS * 1.0), X)
    for tensors in (
        [torch.from_numpy(x.copy()).requires_grad_() for x in X],
        [torch.from_numpy(x.copy()) for x in X],
    ):
        found = result(quick(cls).fit(tensors, y), tensors)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    dense = torch.zeros(8, 3, 2).normal_(generator=torch.Generator().manual_seed(0))
    quick(cls).fit(dense.requires_grad_(), y)


TABLES = [cls for name, cls in all_estimators() if get_tags(cls()).input_tags.two_d_array]


@pytest.mark.parametrize("cls", TABLES, ids=lambda cls: cls.__name__)
def test_rows_of_several_lengths_are_no_table(cls):
    if issubclass(cls, SequenceEstimator) or cls.__name__.startswith("Recursive"):
        pytest.skip("takes sequences")
    if getattr(cls(), "target", None) == "image":
        pytest.skip("takes images of several sizes")
    rng = np.random.default_rng(0)
    for X in ([rng.normal(size=n) for n in (2, 3, 4)], [rng.normal(size=(n, 2)) for n in (2, 3)]):
        for rows in (X, objects(X), [x.tolist() for x in X]):
            with pytest.raises(ValueError, match=r"X, row 1 has shape \(3"):
                cls().fit(rows, np.arange(len(rows)) % 2)


def test_a_dict_of_targets_has_no_order():
    X = dict(enumerate(frames()))
    for cls in SEQUENTIAL.values():
        if is_regressor(cls()) or is_classifier(cls()):
            with pytest.raises(ValueError, match=r"dict.*order"):
                quick(cls).fit(X, dict.fromkeys(X, 1))


def test_a_search_for_echo_state_networks_wants_one():
    for estimator in ({"alpha": [1.0]}, PerStep(), make_pipeline(PerStep()), ESNForecaster):
        with pytest.raises(TypeError, match="ESNSearchCV searches for an echo state network"):
            ESNSearchCV(estimator, {"alpha": [1.0]}).fit(np.zeros((6, 3)), np.zeros(6))


def test_no_class_can_be_announced():
    for cls in SEQUENTIAL.values():
        if is_classifier(cls()):
            with pytest.raises(ValueError, match=r"classes=\[\] names no class"):
                quick(cls).partial_fit(frames(), LABELS, classes=[])


def test_one_class_is_predicted_for_certain():
    for cls in SEQUENTIAL.values():
        if is_classifier(cls()):
            model = quick(cls).fit(frames(), np.full(8, "a"))
            assert set(model.predict(frames())) == {"a"}
            assert (model.predict_proba(frames()) == 1).all()
            assert model.score(frames(), ["a"] * 8) == 1


@each
def test_symbols_written_in_another_way_than_in_fit_are_told(cls):
    if "embedding_size" not in cls().get_params():
        pytest.skip("reads no symbols")
    words = [["good", "day"], ["bad", "night", "x"]] * 4
    model = quick(cls).fit(words, LABELS)
    with pytest.warns(UserWarning, match=r"symbols, such as 'g', are unknown"):
        result(model, ["good day", "bad night"])
    result(model, [["good", "evening"]])


def test_what_is_masked_is_missing():
    X = np.random.default_rng(0).normal(size=(12, 5, 2))
    masked = np.ma.masked_array(X, mask=np.zeros_like(X, dtype=bool))
    y = np.arange(12) % 2
    model = RecurrentClassifier(max_epochs=1, random_state=0)
    assert_array_equal(model.fit(masked, y).predict(X), model.fit(X, y).predict(X))
    masked[3, 2, 1] = np.ma.masked
    with pytest.raises(ValueError, match="NaN: sequence 3, step 2, feature 1"):
        model.fit(masked, y)
    filled = PerStep(SimpleImputer()).fit_transform(masked)
    assert np.isfinite(filled).all()


def test_columns_of_one_name_are_refused():
    index = pd.MultiIndex.from_product([range(4), range(3)])
    frame = pd.DataFrame(np.ones((12, 2)), columns=["a", "a"], index=index)
    with pytest.raises(ValueError, match="column 'a' occurs twice"):
        RecurrentClassifier(max_epochs=1).fit(frame, [0, 1, 0, 1])
