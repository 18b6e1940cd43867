"""Predictions that go on from the end of the training series, over all estimators that can."""

import pickle
import re

import numpy as np
import pytest
from damaged_states import damaged_states
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier
from sklearn.callback import ScoringMonitor
from sklearn.model_selection import (
    GridSearchCV,
    TimeSeriesSplit,
    cross_val_score,
)

from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.recurrent import GRURegressor, RecurrentClassifier, RecurrentRegressor
from sklseq.reservoir import ESNRegressor
from sklseq.utils import all_estimators

CARRYING = {name: cls for name, cls in all_estimators() if "carry_state" in cls().get_params()}
each = pytest.mark.parametrize("cls", CARRYING.values(), ids=CARRYING)


def quick(cls, **params):
    setting = {"hidden_size": 5, "reservoir_size": 20, "max_epochs": 2, "random_state": 0}
    setting |= {"target": "step", "dtype": "float64"} | params
    known = cls().get_params()
    return cls(**{name: value for name, value in setting.items() if name in known})


def series(n=60, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 2))
    return X, np.roll(X[:, 0], 2)


def targets(cls, y):
    return (y > 0).astype(int) if is_classifier(cls()) else y


def results(model, X):
    methods = ("predict", "predict_proba", "decision_function")
    return [getattr(model, method)(X) for method in methods if hasattr(model, method)]


def test_there_are_some():
    assert {"GRUClassifier", "RecurrentRegressor", "ESNRegressor", "ESNClassifier"} <= set(CARRYING)
    assert not {"RecurrentTransformer", "ESNTransformer"} & set(CARRYING)


@each
@settings(max_examples=3, deadline=None)
@given(cut=st.integers(20, 59), end=st.integers(1, 40))
def test_the_slice_after_the_training_series_is_the_tail_of_the_whole(cls, cut, end):
    X, y = series()
    model = quick(cls, carry_state=True).fit(X[:cut], targets(cls, y)[:cut])
    cold = clone(model).set_params(carry_state=False).fit(X[:cut], targets(cls, y)[:cut])
    after = X[cut : cut + end]
    for found, whole in zip(results(model, after), results(cold, X), strict=True):
        np.testing.assert_allclose(found, whole[cut : cut + end], rtol=1e-6, atol=1e-9)
    stored = pickle.loads(pickle.dumps(model))
    for found, same in zip(results(stored, after), results(model, after), strict=True):
        np.testing.assert_array_equal(found, same)
    for found, same in zip(
        results(model.set_params(carry_state=False), after), results(cold, after), strict=True
    ):
        np.testing.assert_array_equal(found, same)


@pytest.mark.parametrize("cell", [*CELLS, "jordan"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_every_cell_goes_on(cell, num_layers):
    if cell == "jordan" and num_layers > 1:
        return
    X, y = series()
    context = np.array([[1.0, 2.0], [0.0, -1.0]])
    both, values = [X[:30], X[30:]], [y[:30], y[30:]]
    lengths = [17, 25]
    setting = {"cell": cell, "num_layers": num_layers, "context_as": "both"}
    model = quick(RecurrentRegressor, carry_state=True, **setting)
    model.fit(
        [x[:n] for x, n in zip(both, lengths, strict=True)],
        [v[:n] for v, n in zip(values, lengths, strict=True)],
        context=context,
    )
    rest = [x[n:] for x, n in zip(both, lengths, strict=True)]
    found = model.predict(rest, context=context)
    whole = model.set_params(carry_state=False).predict(both, context=context)
    for part, tail, n in zip(found, whole, lengths, strict=True):
        np.testing.assert_allclose(part, tail[n:], rtol=1e-6, atol=1e-9)


@each
def test_several_series_go_on_in_their_order(cls):
    X, y = series(90)
    y = targets(cls, y)
    starts, sizes = (0, 20, 50), (15, 10, 30)
    first = [X[a : a + n] for a, n in zip(starts, sizes, strict=True)]
    labels = [y[a : a + n] for a, n in zip(starts, sizes, strict=True)]
    rest = [X[a + n : a + n + k] for a, n, k in zip(starts, sizes, (5, 1, 9), strict=True)]
    model = quick(cls, carry_state=True).fit(first, labels)
    found = model.predict(rest)
    cold = clone(model).set_params(carry_state=False).fit(first, labels)
    whole = cold.predict([np.vstack(pair) for pair in zip(first, rest, strict=True)])
    for part, all_of, n in zip(found, whole, sizes, strict=True):
        np.testing.assert_allclose(part, all_of[n:], rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="goes on from the 3 training series, but X holds 2"):
        model.predict(rest[:2])
    one = quick(cls, carry_state=True).fit(first[:1], labels[:1])
    company, alone = one.predict([rest[0], rest[2]]), one.predict([rest[2]])
    np.testing.assert_array_equal(company[1], alone[0])


@each
def test_time_series_are_cross_validated_and_searched(cls):
    X, y = series(60)
    y = targets(cls, y)
    splits = TimeSeriesSplit(3)
    model = quick(cls, carry_state=True)
    scores = cross_val_score(model, X, y, cv=splits)
    for (train, test), score in zip(splits.split(X), scores, strict=True):
        fitted = clone(model).fit(X[train], y[train])
        assert fitted.score(X[test], y[test]) == score
    search = GridSearchCV(
        quick(cls), {"carry_state": [False, True]}, cv=splits, error_score="raise"
    )
    assert np.isfinite(search.fit(X, y).cv_results_["mean_test_score"]).all()
    row = [p["carry_state"] for p in search.cv_results_["params"]].index(True)
    assert search.cv_results_["mean_test_score"][row] == pytest.approx(scores.mean())


@each
def test_what_has_no_end_to_go_on_from_is_refused_by_name(cls):
    X, y = series()
    y = targets(cls, y)
    sequences, labels = X.reshape(6, 10, 2), y[::10]
    refused = {
        "target='step'": (quick(cls, target="sequence"), sequences, labels),
        "bidirectional=False": (quick(cls, bidirectional=True), X, y),
    }
    for way_out, (model, data, values) in refused.items():
        with pytest.raises(ValueError, match=f"carry_state=True.*{way_out}"):
            model.set_params(carry_state=True).fit(data, values)
        assert not hasattr(model, "n_features_in_")
    model = quick(cls).fit(X, y).set_params(carry_state=True)
    with pytest.raises(ValueError, match=r"was fitted without it.*carry_state=False"):
        model.predict(X)


@each
def test_more_training_moves_the_end_and_predictions_do_not(cls):
    X, y = series()
    y = targets(cls, y)
    model = quick(cls, carry_state=True, alpha=0.1).fit(X[:30], y[:30])
    np.testing.assert_array_equal(model.predict(X[30:]), model.predict(X[30:]))
    model.partial_fit(X[30:50], y[30:50])
    whole = model.set_params(carry_state=False).predict(X[30:])
    model.set_params(carry_state=True)
    np.testing.assert_allclose(model.predict(X[50:]), whole[20:], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("cls", "setting"),
    [(RecurrentClassifier, {"cell": "clockwork", "hidden_size": 4}), (ESNRegressor, {})],
)
def test_damaged_ends_are_refused_or_work(cls, setting):
    X, y = series()
    model = quick(cls, carry_state=True, **setting).fit(X, targets(cls, y))
    state = model.__getstate__()
    ends = {"_end_states": state["_end_states"]}
    refused = 0
    for what, damaged in damaged_states(ends, 40):
        other = cls.__new__(cls)
        try:
            other.__setstate__(state | damaged)
            other.predict(X)
        except ValueError:
            refused += 1
        except Exception as error:
            raise AssertionError(what) from error
    assert refused > 10


def test_steps_after_an_end_need_no_washout():
    X, y = series()
    model = quick(ESNRegressor, washout=10, carry_state=True).fit(X[:40], y[:40])
    assert np.isfinite(model.score(X[40:45], y[40:45]))


def test_streams_and_gaps():
    X, y = series()
    model = quick(RecurrentClassifier, carry_state=True).fit(X[:30], y[:30] > 0)
    stream = model.stream()
    stream.predict(X[:30])
    np.testing.assert_allclose(
        stream.predict_proba(X[30:]), model.predict_proba(X[30:]), rtol=1e-6, atol=1e-9
    )
    for setting in ({"missing": "mask"}, {"time_feature": -1}):
        with pytest.raises(ValueError, match=re.escape("carry_state=True with missing")):
            quick(RecurrentRegressor, carry_state=True, **setting).fit(np.cumsum(X**2, axis=0), y)


def test_epochs_are_scored_from_the_start_of_the_series():
    X, y = series()
    monitor = ScoringMonitor(scoring="r2")
    quick(GRURegressor, carry_state=True).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs()[-1] if isinstance(monitor.get_logs(), list) else monitor.get_logs()
    expected = quick(GRURegressor).fit(X, y).score(X, y)
    epochs = [row for row in log.data if row["task_name"] == "epoch"]
    assert epochs[-1]["r2"] == pytest.approx(expected)
