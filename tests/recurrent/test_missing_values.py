"""Missing values and irregular times: what the network reads of them, and that nothing leaks."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.utils import get_tags

from sklseq.recurrent import (
    GRUClassifier,
    GRURegressor,
    RecurrentRegressor,
    RecurrentTransformer,
)
from sklseq.reservoir import ESNRegressor
from sklseq.utils import to_onnx


def sequences(n=20, d=2, seed=0, share=0.3):
    """Values with gaps, the times of their steps, and a target."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(3, 2, size=(rng.integers(2, 9), d)) for _ in range(n)]
    y = np.array([x[-1, 0] for x in X])
    for x in X:
        x[rng.random(x.shape) < share] = np.nan
        if np.isnan(x[-1]).all():
            x[-1] = 1.0
    times = [rng.exponential(5, size=len(x)).cumsum() for x in X]
    return X, times, y


def joined(X, times):
    return [np.column_stack([x, t]) for x, t in zip(X, times, strict=True)]


def quick(cls=GRURegressor, **params):
    return cls(**{"hidden_size": 4, "max_epochs": 2, "random_state": 0} | params)


def read_by(model, X):
    """Inputs of the network for each sequence."""
    data = model._read_fitted(X)
    rows = model._rows(data, next(model.module_.parameters()))
    return np.split(rows.steps.numpy(), np.cumsum(rows.lengths)[:-1])


# -- what the network reads ----------------------------------------------------------------


@pytest.mark.parametrize("timed", [False, True])
def test_the_inputs_are_those_of_the_paper(timed):
    """Section 2 of Che et al. (2018), one value at a time."""
    X, times, y = sequences()
    given = joined(X, times) if timed else X
    model = quick(missing="mask", time_feature=-1 if timed else None, dtype="float64")
    model.fit(given, y)
    mean, scale = model.feature_mean_, model.feature_scale_
    for x, t, found in zip(X, times, read_by(model, given), strict=True):
        s = t if timed else np.arange(len(x))
        intervals = np.zeros((len(x), 2 + timed))
        for d in range(2):
            last = 0.0
            for k in range(len(x)):
                if not np.isnan(x[k, d]):
                    last = (x[k, d] - mean[d]) / scale[d]
                assert found[k, d] == pytest.approx(last)
                assert found[k, 2 + d] == (not np.isnan(x[k, d]))
                if k:
                    since = s[k] - s[k - 1]
                    if np.isnan(x[k - 1, d]):
                        since += intervals[k - 1, d]
                    intervals[k, d] = since
        if timed:
            intervals[1:, 2] = np.diff(t)
        expected = (intervals - model.interval_mean_) / model.interval_scale_
        expected[0] = 0
        np.testing.assert_allclose(found[:, 4:], expected, atol=1e-12)
        assert found.shape[1] == 6 + timed
    assert model.n_features_in_ == 2 + timed


def test_the_scale_is_that_of_observed_values():
    X, _, y = sequences()
    model = quick(missing="mask").fit(X, y)
    weights = np.concatenate([np.full(len(x), 1 / len(x)) for x in X])
    for d, column in enumerate(np.concatenate(X).T):
        seen = ~np.isnan(column)
        mean = np.average(column[seen], weights=weights[seen])
        variance = np.average((column[seen] - mean) ** 2, weights=weights[seen])
        assert model.feature_mean_[d] == pytest.approx(mean)
        assert model.feature_scale_[d] == pytest.approx(variance**0.5)


def test_without_gaps_the_inputs_are_the_values_and_constants():
    X, _, y = sequences(share=0)
    plain, masked = quick().fit(X, y), quick(missing="mask").fit(X, y)
    for a, b in zip(read_by(plain, X), read_by(masked, X), strict=True):
        np.testing.assert_allclose(a, b[:, :2], rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(b[:, 2:4], 1)
        np.testing.assert_allclose(b[:, 4:], 0, atol=1e-12)


def test_a_feature_that_is_never_observed_is_zero():
    X, _, y = sequences()
    for x in X:
        x[:, 1] = np.nan
    model = quick(missing="mask").fit(X, y)
    assert all((x[:, 1] == 0).all() and (x[:, 3] == 0).all() for x in read_by(model, X))
    assert np.isfinite(model.predict(X)).all()


# -- promises ------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["sequence", "step"])
@pytest.mark.parametrize("cls", [GRURegressor, GRUClassifier, RecurrentTransformer])
def test_a_sequence_is_read_alone_as_in_company(cls, target):
    X, times, y = sequences(share=0.5)
    given = joined(X, times)
    if target == "step":
        y = [np.nan_to_num(x[:, 0]) for x in X]
    if cls is GRUClassifier:
        y = [np.sign(v - 1) for v in y] if target == "step" else np.sign(y - 1)
    model = quick(cls, target=target, missing="mask", time_feature=-1)
    model.fit(given, *(() if cls is RecurrentTransformer else (y,)))
    method = model.transform if cls is RecurrentTransformer else model.predict
    loaded = pickle.loads(pickle.dumps(model))
    again = loaded.transform if cls is RecurrentTransformer else loaded.predict
    together, same = method(given), again(given[::-1])[::-1]
    for i, x in enumerate(given):
        np.testing.assert_array_equal(method([x])[0], together[i])
        np.testing.assert_array_equal(same[i], together[i])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean", "attention"])
def test_steps_of_nan_alone_at_the_end_are_padding(bidirectional, pooling):
    X, _, y = sequences()
    longest = max(map(len, X))
    padded = np.full((len(X), longest, 2), np.nan)
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    setting = {"missing": "mask", "bidirectional": bidirectional, "pooling": pooling}
    ragged, dense = quick(**setting).fit(X, y), quick(**setting).fit(padded, y)
    assert ragged.loss_curve_ == dense.loss_curve_
    np.testing.assert_array_equal(ragged.predict(X), dense.predict(padded))
    nothing = ragged.predict(np.full((2, 5, 2), np.nan))
    np.testing.assert_array_equal(nothing, ragged.predict([np.full((1, 2), np.nan)] * 2))


def test_each_step_has_a_prediction_and_does_not_see_later_ones():
    X, _, _ = sequences()
    y = [np.nan_to_num(x[:, 0]) for x in X]
    model = quick(target="step", missing="mask").fit(X, y)
    longer = np.vstack([X[0], np.full((3, 2), np.nan)])
    found = model.predict([longer])[0]
    assert len(found) == len(longer)
    np.testing.assert_array_equal(found[: len(X[0])], model.predict([X[0]])[0])


def test_a_transformer_is_not_asked_for_what_was_not_observed():
    X, _, _ = sequences()
    data = quick(RecurrentTransformer, missing="mask", max_epochs=5)
    data.fit(X)
    assert np.isfinite(data.loss_curve_).all()
    module = data.module_.train()
    rows = data._rows(data._read_fitted(X), next(module.parameters()))
    targets = data._read_targets(None, data._read_fitted(X), np.ones(len(X)), False)
    rows._set_targets(rows.like, targets)
    batch = rows.take(np.arange(len(rows)))
    loss = data._objective(module, batch)
    zeros = batch._replace(target=torch.where(batch.target.isnan(), 0, batch.target))
    assert loss < data._objective(module, zeros)
    loss.backward()
    assert all(p.grad.isfinite().all() for p in module.parameters() if p.grad is not None)


def test_it_learns_from_the_mask_and_from_time():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((300, 6, 1)) < 0.5, np.nan, rng.normal(size=(300, 6, 1)))
    X[:, -1] = 0
    seen = (~np.isnan(X)).sum(axis=(1, 2)) - 3.5
    assert (
        GRURegressor(missing="mask", hidden_size=16, random_state=0).fit(X, seen).score(X, seen)
        > 0.9
    )
    times = rng.exponential(size=(300, 6, 1)).cumsum(axis=1)
    X = np.concatenate([rng.normal(size=(300, 6, 1)), times], axis=2)
    longest = np.diff(times[:, :, 0], axis=1).max(axis=1)
    model = GRURegressor(time_feature=1, hidden_size=16, random_state=0)
    assert model.fit(X, longest).score(X, longest) > 0.9


# -- where times stand ---------------------------------------------------------------------


def forms(X, times):
    """The same data with the times in several places, and what time_feature says of each."""
    start = pd.Timestamp("2024-03-30", tz="Europe/Berlin")
    stamps = [start + pd.to_timedelta(t, "s") for t in times]
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]

    def each(function, of=stamps):
        return [function(f, t) for f, t in zip(frames, of, strict=True)]

    panel = pd.concat(dict(enumerate(frames)))
    when = np.concatenate([np.asarray(s.tz_localize(None)) for s in stamps])
    cells = {
        name: each(lambda f, s, name=name: pd.Series(f[name].to_numpy(), s)) for name in ("a", "b")
    }
    return {
        "last column": (joined(X, times), -1),
        "first column": ([np.roll(x, 1, axis=1) for x in joined(X, times)], 0),
        "named column": (each(lambda f, t: f.assign(t=t), times), "t"),
        "column of dates": (each(lambda f, s: f.assign(t=s)), "t"),
        "first of dates": (each(lambda f, s: f.assign(t=s)[["t", "a", "b"]]), 0),
        "objects": (each(lambda f, s: f.assign(t=s.astype(object))), "t"),
        "index": (each(lambda f, t: f.set_axis(t), times), "index"),
        "index of dates": (each(lambda f, s: f.set_axis(s)), "index"),
        "panel": (pd.concat(dict(enumerate(each(lambda f, s: f.set_axis(s))))), "index"),
        "column of a panel": (panel.assign(t=when), "t"),
        "dict": (dict(enumerate(joined(X, times))), 2),
        "nested": (pd.DataFrame(cells), "index"),
    }


@pytest.mark.parametrize("missing", ["error", "mask"])
def test_times_are_the_same_wherever_they_stand(missing):
    X, times, y = sequences(8, share=0.3 if missing == "mask" else 0)
    times = [t.round(3) for t in times]
    expected = None
    for name, (given, source) in forms(X, times).items():
        model = quick(missing=missing, time_feature=source, dtype="float64").fit(given, y)
        found = model.predict(given)
        expected = found if expected is None else expected
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)
        assert model.n_features_in_ == 2 + (source != "index")


@pytest.mark.parametrize("known", [False, True])
def test_padding_is_not_read_wherever_times_stand(known):
    """Whether the times of steps without values are known or not."""
    X, times, y = sequences(8)
    expected = quick(missing="mask", time_feature=-1, dtype="float64").fit(joined(X, times), y)
    padded = [np.vstack([x, np.full((3, 2), np.nan)]) for x in X]
    later = [np.append(t, t[-1] + [1, 2, 3] if known else [np.nan] * 3) for t in times]
    for name, (given, source) in (
        forms(padded, later).items() if known else [("last column", (joined(padded, later), -1))]
    ):
        model = quick(missing="mask", time_feature=source, dtype="float64").fit(given, y)
        found, wanted = model.predict(given), expected.predict(joined(X, times))
        np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=name)


def test_one_series_has_the_times_of_its_index():
    rng = np.random.default_rng(0)
    t = rng.exponential(size=50).cumsum()
    X = pd.DataFrame({"a": rng.normal(size=50)}, pd.Timestamp("2024") + pd.to_timedelta(t, "D"))
    model = quick(target="step", time_feature="index").fit(X, X["a"].to_numpy())
    (found,) = read_by(model, X)
    scaled = (np.diff(t) - np.diff(t).mean()) / np.diff(t).std()
    np.testing.assert_allclose(found[1:, 1], scaled, rtol=1e-4, atol=1e-4)
    assert found[0, 1] == 0


def test_moving_the_origin_or_the_unit_of_time_changes_nothing():
    X, times, y = sequences()
    found = [
        quick(time_feature=-1, missing="mask", dtype="float64")
        .fit(joined(X, [a * t + b for t in times]), y)
        .predict(joined(X, [a * t + b for t in times]))
        for a, b in ((1, 0), (3600, 0), (1, 1000))
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-8)


# -- mistakes ------------------------------------------------------------------------------


def test_missing_values_are_an_error_that_names_place_and_ways_out():
    X, _, y = sequences(share=0)
    X[3][1, 1] = np.nan
    with pytest.raises(ValueError, match=r"sequence 3, step 1, feature 1.*missing='mask'"):
        GRURegressor().fit(X, y)
    X[3][1, 1] = np.inf
    with pytest.raises(ValueError, match="infinity: sequence 3, step 1, feature 1"):
        GRURegressor(missing="mask").fit(X, y)


def test_the_tags_say_whether_nan_is_allowed():
    assert get_tags(GRURegressor(missing="mask")).input_tags.allow_nan
    assert not get_tags(GRURegressor()).input_tags.allow_nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, t: t[2].__setitem__(1, t[2][0] - 1), "sequence 2, step 1.* comes before .*sort"),
        (lambda X, t: t[2].__setitem__(1, np.nan), "sequence 2, step 1: its time is nan"),
    ],
)
def test_times_that_go_back_or_are_missing_are_named(change, message):
    X, times, y = sequences()
    change(X, times)
    with pytest.raises(ValueError, match=message):
        GRURegressor(missing="mask", time_feature=-1).fit(joined(X, times), y)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("when", "'when' is no column of X, whose features have no names"),
        ("index", "sequence 0, has no index of times.*time_feature=-1"),
        (5, "time_feature=5, but steps have 3 feature"),
        (True, "time_feature=True does not say where"),
    ],
)
def test_times_that_are_not_there_are_asked_for(source, message):
    X, times, y = sequences(share=0)
    with pytest.raises(ValueError, match=message):
        GRURegressor(time_feature=source).fit(joined(X, times), y)


def test_names_of_columns_are_listed():
    X = [pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 3.0]})] * 4
    with pytest.raises(ValueError, match=re.escape("whose columns are ['a', 'b']")):
        GRURegressor(time_feature="c").fit(X, [0, 1, 2, 3])
    named = [x.set_axis(["first", "second"]) for x in X]
    with pytest.raises((TypeError, ValueError), match="no time"):
        GRURegressor(time_feature="index").fit(named, [0, 1, 2, 3])


def test_symbols_have_neither_gaps_nor_times():
    for setting in ({"missing": "mask"}, {"time_feature": -1}):
        with pytest.raises(ValueError, match="X holds symbols"):
            GRUClassifier(**setting).fit(["ab", "ba"] * 4, [0, 1] * 4)


def test_what_was_fitted_is_kept_to():
    X, times, y = sequences()
    model = quick(missing="mask", time_feature=-1).fit(joined(X, times), y)
    with pytest.raises(ValueError, match="fitted with missing='mask'"):
        clone(model).set_params(missing="mask").fit(joined(X, times), y).set_params(
            missing="error"
        ).predict(joined(X, times))
    with pytest.raises(ValueError, match="fitted with time_feature=-1"):
        model.set_params(time_feature=0).predict(joined(X, times))
    frames = [pd.DataFrame(x, columns=["a", "b", "t"]) for x in joined(X, times)]
    model.set_params(time_feature="t").fit(frames, y)
    frame = frames[0].assign(t=pd.to_timedelta(times[0], "D"))
    with pytest.raises(ValueError, match=r"are dates or durations.*fitted on numbers"):
        model.predict([frame])
    plain = quick().fit(sequences(share=0)[0], y)
    with pytest.raises(ValueError, match="fitted with missing='error'"):
        plain.set_params(missing="mask").predict(X)


def test_a_reservoir_gives_a_network_without_gaps():
    X = np.random.default_rng(0).uniform(size=(100, 1))
    esn = ESNRegressor(target="step", reservoir_size=5, random_state=0).fit(X, X[:, 0])
    for setting in ({"missing": "mask"}, {"time_feature": -1}, {"zoneout": 0.1}):
        with pytest.raises(ValueError, match=next(iter(setting))):
            RecurrentRegressor.from_reservoir(esn, **setting)


@pytest.mark.parametrize("setting", [{"missing": "mask"}, {"zoneout": 0.1}])
def test_what_onnx_has_no_operators_for_is_refused(setting):
    pytest.importorskip("onnxscript")
    X, _, y = sequences(share=0)
    with pytest.raises(TypeError, match=r"impute|zoneout"):
        to_onnx(quick(**setting).fit(X, y), X)


def test_a_stream_does_not_forget_what_was_observed():
    X, _, _ = sequences()
    y = [np.nan_to_num(x[:, 0]) for x in X]
    with pytest.raises(ValueError, match=r"missing='mask'.*missing='error'"):
        quick(target="step", missing="mask").fit(X, y).stream()
