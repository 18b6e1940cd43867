"""A search that shares work finds what one that does not finds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklseq.reservoir._base as base
import sklseq.reservoir._features as features
from sklseq.preprocessing import PerStep
from sklseq.reservoir import ESNClassifier, ESNForecaster, ESNRegressor, ESNSearchCV

GRID = {"alpha": [1e-6, 1e-2, 10.0], "leak_rate": [0.3, 1.0], "spectral_radius": [0.5, 0.9]}
SMALL = {"reservoir_size": 12, "random_state": 0}


def panel(n=24):
    rng = np.random.default_rng(0)
    return [rng.normal(i % 2, 1, size=(rng.integers(4, 12), 2)) for i in range(n)]


def series(n=200):
    X = np.random.default_rng(0).normal(size=(n, 2))
    return X, np.roll(X[:, 0], 2)


def cases():
    X, labels = panel(), np.arange(24) % 2
    table, steps = series()
    per_step = [x[:, 0].cumsum() for x in X]
    return {
        "classes": (ESNClassifier(pooling="mean", **SMALL), X, labels, KFold(3)),
        "values": (ESNRegressor(**SMALL), X, labels * 1.0, ShuffleSplit(4, random_state=0)),
        "steps": (ESNRegressor(target="step", washout=2, **SMALL), X, per_step, KFold(3)),
        "series": (ESNRegressor(target="step", **SMALL), table, steps, TimeSeriesSplit(3)),
        "triangle": (ESNRegressor(solver="qr", **SMALL), X, labels * 1.0, KFold(3)),
        "forecasts": (ESNForecaster(washout=1, **SMALL), X, None, KFold(3)),
        "both ways": (ESNClassifier(bidirectional=True, **SMALL), X, labels, KFold(3)),
    }


def assert_same_search(search, other):
    assert search.cv_results_["params"] == other.cv_results_["params"]
    for name, values in other.cv_results_.items():
        if "_test_score" in name and "rank" not in name:
            assert_allclose(search.cv_results_[name], values, rtol=1e-9, atol=1e-12)
    assert search.best_params_ == other.best_params_


@pytest.mark.parametrize("case", cases())
def test_results_are_those_of_grid_search(case):
    model, X, y, cv = cases()[case]
    search = ESNSearchCV(model, GRID, cv=cv, error_score="raise").fit(X, y)
    assert_same_search(search, GridSearchCV(model, GRID, cv=cv, error_score="raise").fit(X, y))
    alone = type(model)(**search.best_estimator_.get_params()).fit(X, *([] if y is None else [y]))
    assert_allclose(search.best_estimator_.coef_, alone.coef_, rtol=1e-7, atol=1e-10)


def test_in_a_pipeline_and_with_any_scorer():
    X, y = panel(), np.arange(24) % 2
    grid = {"esnclassifier__alpha": [1e-4, 1.0], "perstep__transformer": [None]}
    model = make_pipeline(PerStep(), ESNClassifier(**SMALL))
    searches = [
        kind(model, grid, cv=3, scoring=["accuracy", "roc_auc"], refit="roc_auc").fit(X, y)
        for kind in (ESNSearchCV, GridSearchCV)
    ]
    assert_same_search(*searches)
    assert_array_equal(*(s.predict(X) for s in searches))


def test_readouts_share_states_too():
    X, y = panel(), np.arange(24) * 1.0
    model = ESNRegressor(readout=Ridge(), **SMALL)
    grid = {"readout__alpha": [0.1, 1.0, 10.0]}
    assert_same_search(*(s(model, grid, cv=3).fit(X, y) for s in (ESNSearchCV, GridSearchCV)))


@pytest.mark.parametrize(
    ("case", "runs"), [("classes", 4), ("series", 4 * 3 * 2)], ids=["classes", "series"]
)
def test_states_are_computed_once_for_all_penalties(case, runs, monkeypatch):
    model, X, y, cv = cases()[case]
    calls, compute = [], features.state_parts

    def counted(*args, **kwargs):
        calls.append(1)
        return compute(*args, **kwargs)

    monkeypatch.setattr(features, "state_parts", counted)
    ESNSearchCV(model, GRID, cv=cv, refit=False).fit(X, y)
    # Four reservoirs; of one series also for each training and test part.
    assert len(calls) == runs if case == "series" else len(calls) <= 2 * runs


def test_without_a_seed_every_fit_draws_its_own(monkeypatch):
    drawn, draw = [], base.draw_layers
    monkeypatch.setattr(base, "draw_layers", lambda *a, **k: drawn.append(1) or draw(*a, **k))
    _, X, y, cv = cases()["classes"]
    search = ESNSearchCV(ESNClassifier(), {"alpha": [0.1, 1]}, cv=cv)
    search.fit(X, y)
    assert len(drawn) == 2 * 3 + 1


@pytest.mark.filterwarnings("ignore:.*saturates the units")  # of data around 100
@parametrize_with_checks(
    [ESNSearchCV(ESNRegressor(random_state=0), {"alpha": [0.1, 1.0]}, cv=3, error_score="raise")]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
