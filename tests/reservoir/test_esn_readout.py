"""Readouts equal ridge on all states at once; blocks, merging, grids and weights."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import LinAlgWarning
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneOut
from sklearn.neighbors import KNeighborsRegressor

from sklseq.datasets import make_narma
from sklseq.reservoir import ESNClassifier, ESNRegressor, ESNTransformer

WASHOUT = 20


def series(n=400, seed=0):
    X, y = make_narma(n, random_state=seed)
    return X, np.stack([y, np.roll(X[:, 0], 1)], axis=1)


def sequences(n=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    X = np.empty(n, dtype=object)
    X[:] = [np.sin((0.3 + 0.2 * k) * np.arange(rng.integers(20, 40))) for k in labels]
    return X, np.array(["low", "mid", "top"])[labels]


def esn(**params):
    """With a penalty of its own: where it is chosen, other rows or outputs choose another one."""
    settings = {"target": "step", "reservoir_size": 30, "washout": WASHOUT, "alpha": 0.1}
    return ESNRegressor(**(settings | {"random_state": 0} | params))


def states(model, X):
    return ESNTransformer(
        **{k: getattr(model, k) for k in ESNTransformer().get_params()}
    ).fit_transform(X)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_equal_ridge_on_all_states(weighted, bidirectional):
    X, y = series()
    model = esn(alpha=0.01, features="state+input+squares", bidirectional=bidirectional)
    weights = np.random.default_rng(0).uniform(0, 2, len(X)) if weighted else None
    model.fit(X, y, weights)
    fitted = slice(WASHOUT, len(X) - WASHOUT if bidirectional else None)
    ridge = Ridge(alpha=0.01, solver="cholesky")
    ridge.fit(states(model, X)[fitted], y[fitted], weights[fitted] if weighted else None)
    assert_allclose(model.coef_, ridge.coef_, atol=1e-8)
    assert_allclose(model.predict(X), ridge.predict(states(model, X)), atol=1e-9)


def test_narma_is_learned():
    X, y = make_narma(3000, random_state=0)
    model = esn(
        reservoir_size=100, spectral_radius=0.95, alpha=np.logspace(-10, 0, 11), washout=200
    )
    model.fit(X[:2000], y[:2000])
    error = np.sqrt(np.mean((model.predict(X)[2000:] - y[2000:]) ** 2)) / y[2000:].std()
    assert error < 0.4


def test_sequences_are_told_apart_at_the_defaults():
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    waves = [np.sin((0.4 + 0.15 * k) * np.arange(30) + rng.uniform(0, 6)) for k in y]
    X = (waves + rng.normal(0, 0.5, (150, 30)))[:, :, None]
    assert ESNClassifier(random_state=0).fit(X[:90], y[:90]).score(X[90:], y[90:]) > 0.7


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_sequences_equal_ridge_classifier(class_weight):
    X, y = sequences()
    model = ESNClassifier(pooling="mean", alpha=0.01, class_weight=class_weight, random_state=0)
    table = states(model, X)
    ridge = RidgeClassifier(alpha=0.01, solver="cholesky", class_weight=class_weight)
    ridge.fit(table, y)
    model.fit(X, y)
    assert_allclose(model.decision_function(X), ridge.decision_function(table), atol=1e-8)
    assert_array_equal(model.predict(X), ridge.predict(table))
    two = y != "mid"
    for rows in (np.full(len(X), True), two):
        model.fit(X[rows], y[rows])
        probabilities = model.predict_proba(X)
        assert_allclose(probabilities.sum(axis=1), 1)
        assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
        assert_allclose(model.predict_log_proba(X), np.log(probabilities))
    assert model.decision_function(X).shape == (60,)


def test_nan_is_a_step_without_a_target_of_its_own():
    X, y = series()
    y[50:90, 0] = np.nan
    y[200:, 1] = np.nan
    both = esn().fit(X, y)
    for k in (0, 1):
        assert_allclose(both.coef_[k], esn().fit(X, y[:, k]).coef_, atol=1e-9)
        known = ~np.isnan(y[:, k])
        assert_allclose(
            both.coef_[k], esn().fit(X, np.nan_to_num(y[:, k]), known * 1.0).coef_, atol=1e-9
        )


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("alpha", [0.01, "gcv"])
def test_blocks_and_merging_equal_one_fit(alpha, missing):
    parts = [series(300, seed) for seed in range(3)]
    if missing:
        parts[1][1][40:80, 0] = np.nan
    X, y = map(list, zip(*parts, strict=True))
    whole = esn(alpha=alpha).fit(X, y)
    blocks = esn(alpha=alpha).fit(X[:1], y[:1])
    for x, t in zip(X[1:], y[1:], strict=True):
        blocks.partial_fit([x], [t])
    fresh = esn(alpha=alpha).partial_fit(X[:2], y[:2]).partial_fit(X[2:], y[2:])
    merged, *others = (esn(alpha=alpha).fit([x], [t]) for x, t in zip(X, y, strict=True))
    for other in others:
        merged.merge(other)
    for model in (blocks, fresh, merged):
        assert model.alpha_ == whole.alpha_
        # At the smallest penalties of "gcv" coefficients are large, and rounding with them.
        assert_allclose(model.coef_, whole.coef_, atol=1e-5 * np.abs(whole.coef_).max())
        for got, expected in zip(model.predict(X), whole.predict(X), strict=True):
            assert_allclose(got[WASHOUT:], expected[WASHOUT:], atol=1e-6)


@pytest.mark.parametrize("weighting", ["equal", "half", "spread"])
@pytest.mark.parametrize("rows_for_each_unit", [0.5, 1.0, 1.02, 1.5, 3.0, 6.0])
def test_gcv_is_as_good_as_leave_one_out(rows_for_each_unit, weighting):
    units, n = 50, int(50 * rows_for_each_unit)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n + 300, 5))
        truth = np.sin(X[:, -1]) * X[:, -2] + X[:, -3]
        y = truth[:n] + rng.normal(size=n)
        weights = {
            "equal": np.ones(n),
            "half": np.where(np.arange(n) % 2, 0.01, 1.0),
            "spread": np.exp(1.5 * rng.normal(size=n)),
        }[weighting]
        by_gcv, by_leave_one_out = (
            ESNRegressor(reservoir_size=units, alpha=alpha, random_state=seed)
            .fit(X[:n], y, sample_weight=weights)
            .score(X[n:], truth[n:])
            for alpha in ("gcv", np.logspace(-12, 4, 33))
        )
        assert by_gcv > by_leave_one_out - 0.1


@pytest.mark.parametrize("solver", ["eigen", "qr"])
def test_gcv_of_few_rows_is_leave_one_out_in_blocks_too(solver):
    X, y = series(90)
    X, y = X[:, None, :], y + np.random.default_rng(0).normal(size=y.shape)
    model = esn(target="sequence", washout=0, solver=solver, alpha="gcv").fit(X[:40], y[:40])
    model.partial_fit(X[40:70], y[40:70])
    model.merge(esn(target="sequence", washout=0, solver=solver, alpha="gcv").fit(X[70:], y[70:]))
    alphas = np.logspace(*((-12, 4, 33) if solver == "eigen" else (-20, 4, 49)))
    want = esn(target="sequence", washout=0, solver=solver, alpha=alphas).fit(X, y)
    assert model.alpha_ == want.alpha_


def test_partial_fit_of_classes():
    X, y = sequences()
    whole = ESNClassifier(random_state=0).fit(X, y)
    blocks = ESNClassifier(random_state=0)
    with pytest.raises(ValueError, match="classes must be passed"):
        blocks.partial_fit(X, y)
    order = np.argsort(y)
    for part in np.array_split(order, 4):
        blocks.partial_fit(X[part], y[part], classes=["low", "mid", "top"])
    # Under the small penalty of data without noise, coefficients are not known as well.
    assert_allclose(blocks.decision_function(X), whole.decision_function(X), atol=1e-8)
    with pytest.raises(ValueError, match=r"unknown label '?new"):
        blocks.partial_fit(X[:2], ["low", "new"])
    other = ESNClassifier(random_state=0).fit(X[y != "mid"], y[y != "mid"])
    with pytest.raises(ValueError, match=r"different classes|outputs"):
        blocks.merge(other)


def test_what_cannot_be_merged():
    X, y = series()
    model = esn().fit(X, y)
    for other, message in (
        (esn(random_state=1).fit(X, y), "different reservoirs"),
        (esn(features="state+input").fit(X, y), "features"),
        (esn(washout=3).fit(X, y), "washout"),
        (esn().fit(X, y[:, 0]), "2 and 1 outputs"),
        (esn(readout=Ridge()).fit(X, y), "ridge readout"),
        (ESNClassifier().fit(*sequences()), "ESNClassifier cannot be merged"),
    ):
        before = model.coef_.copy()
        with pytest.raises(ValueError, match=message):
            model.merge(other)
        assert_array_equal(model.coef_, before)


@pytest.mark.parametrize("target", ["step", "sequence"])
def test_grid_is_chosen_by_leaving_out_each_row(target):
    grid = [1e-6, 1e-3, 1.0, 30.0]
    if target == "step":
        X, y = series(80)
        model = esn(alpha=grid).fit(X, y)
        table, y = states(model, X)[WASHOUT:], y[WASHOUT:]
    else:
        X = sequences(40)[0]
        y = np.array([[x.mean(), x.std()] for x in X])
        model = esn(target=target, alpha=grid, washout=0).fit(X, y)
        table = states(model, X)
    errors = [
        sum(
            ((Ridge(alpha=a).fit(table[i], y[i]).predict(table[j]) - y[j]) ** 2).sum()
            for i, j in LeaveOneOut().split(table)
        )
        for a in grid
    ]
    assert model.alpha_ == grid[int(np.argmin(errors))]
    assert_allclose(model.coef_, Ridge(alpha=model.alpha_).fit(table, y).coef_, atol=1e-6)


def test_a_grid_needs_all_rows():
    X, y = series()
    model = esn(alpha=(0.1, 1.0)).fit(X, y)
    for call in (lambda: model.partial_fit(X, y), lambda: model.merge(clone(model).fit(X, y))):
        with pytest.raises(ValueError, match="chosen by leaving out each row"):
            call()


@pytest.mark.parametrize("alpha", [-1, (1.0, -1.0), [], [[1.0]], ["a"], (1.0, np.nan), "loo"])
def test_bad_alpha(alpha):
    X, y = series()
    with pytest.raises(ValueError, match="alpha"):
        esn(alpha=alpha).fit(X, y)


def test_singular_without_penalty_warns():
    X = np.ones((100, 1))
    with pytest.warns(LinAlgWarning, match="condition number"):
        model = esn(alpha=0).fit(X, np.arange(100.0))
    assert np.isfinite(model.predict(X)).all()


def test_weights_of_sequences_hold_for_their_steps():
    parts = [series(60, seed) for seed in range(3)]
    X, y = map(list, zip(*parts, strict=True))
    weighted = esn().fit(X, y, sample_weight=[1, 2, 0])
    repeated = esn().fit([X[0], X[1], X[1]], [y[0], y[1], y[1]])
    assert_allclose(weighted.coef_, repeated.coef_, atol=1e-9)


def test_prediction_of_a_row_is_its_own():
    X, y = sequences()
    model = ESNClassifier(random_state=0).fit(X, y)
    together = model.decision_function(X)
    alone = np.concatenate([model.decision_function([x]) for x in X])
    assert_allclose(alone, together, atol=1e-12)


def test_washout_steps_do_not_count_in_the_score():
    X, y = series()
    model = esn().fit(X, y)
    assert model.score(X, y) == pytest.approx(
        r2_score(y[WASHOUT:], model.predict(X)[WASHOUT:]), abs=1e-10
    )
    broken = y.copy()
    broken[:WASHOUT] = 1e6
    assert model.score(X, broken) == model.score(X, y)
    assert_array_equal(esn().fit(X, broken).coef_, model.coef_)
    with pytest.raises(ValueError, match="no step to score"):
        model.score(X[:5], y[:5])


# -- readouts of scikit-learn --------------------------------------------------------------


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_any_regressor(n_outputs):
    X, y = series()
    y = y[:, 0] if n_outputs == 1 else y
    inside = esn(readout=Ridge(alpha=0.1)).fit(X, y)
    assert_allclose(inside.predict(X), esn(alpha=0.1).fit(X, y).predict(X), atol=1e-9)
    assert not hasattr(inside, "coef_")
    assert not hasattr(inside, "partial_fit")
    assert inside.fit(X, y).readout is not inside.readout_
    with pytest.raises(ValueError, match="KNeighborsRegressor takes none"):
        esn(readout=KNeighborsRegressor()).fit(X, y, np.linspace(1, 2, len(X)))
    assert hasattr(inside.set_params(readout=None).fit(X, y), "coef_")
    assert not hasattr(inside, "readout_")


def test_any_classifier():
    X, y = sequences()
    model = ESNClassifier(readout=LogisticRegression(), random_state=0).fit(X, y)
    table = states(model, X)
    expected = LogisticRegression().fit(table, y)
    assert_allclose(model.predict_proba(X), expected.predict_proba(table), atol=1e-9)
    assert_allclose(model.decision_function(X), expected.decision_function(table), atol=1e-9)
    assert_array_equal(model.predict(X), expected.predict(table))
    labels = np.where(np.sin(np.arange(100)) > 0, "up", "down")
    per_step = clone(model).set_params(target="step").fit(np.sin(np.arange(100))[:, None], labels)
    assert per_step.predict_proba(np.zeros((7, 1))).shape == (7, 2)


def test_readouts_that_learn_more():
    X, y = sequences()
    model = ESNClassifier(readout=SGDClassifier(random_state=0), random_state=0)
    for part in np.array_split(np.arange(60), 3):
        model.partial_fit(X[part], y[part], classes=["low", "mid", "top"])
    assert model.readout_.t_ == 61
    assert set(model.predict(X)) <= set(y)


# -- what must not change ------------------------------------------------------------------


def test_a_failed_partial_fit_changes_nothing():
    X, y = series()
    model = esn().fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="outputs"):
        model.partial_fit(X, y[:, 0])
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X * np.nan, y)
    assert_array_equal(model.predict(X), before)


def test_thread_counts_are_restored():
    from threadpoolctl import threadpool_info

    def counts():
        return [lib["num_threads"] for lib in threadpool_info()], torch.get_num_threads()

    X, y = series()
    before = counts()
    esn(n_jobs=2).fit(X, y).predict(X)
    assert counts() == before


def test_callbacks_see_a_fitted_model():
    X, y = series()
    monitor = ScoringMonitor(scoring="r2")
    esn(washout=0).set_callbacks(monitor).fit(X, y)
    assert monitor.get_logs()


def test_fit_does_not_touch_the_warnings():
    X, y = series()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        esn().fit(X, y).predict(X)
    assert not caught


@pytest.mark.parametrize("per_step", [True, False])
def test_a_triangle_learns_what_the_sums_learn(per_step):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(5, 30, size=30)]
    y = [x[:, 0].cumsum() for x in X] if per_step else np.array([x.sum() for x in X])
    settings = {"target": "step" if per_step else "sequence", "random_state": 0, "alpha": 0.01}
    flat = np.concatenate if per_step else np.asarray
    sums = ESNRegressor(**settings).fit(X, y)
    model = ESNRegressor(solver="qr", **settings)
    at_once = flat(clone(model).fit(X, y).predict(X))
    np.testing.assert_allclose(at_once, flat(sums.predict(X)), atol=1e-8)
    by_two = clone(model).set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(at_once, flat(by_two.predict(X)))
    in_parts = clone(model).fit(X[:12], y[:12]).partial_fit(X[12:], y[12:])
    np.testing.assert_allclose(flat(in_parts.predict(X)), at_once, atol=1e-10)
    halves = [clone(model).fit(X[s], y[s]) for s in (slice(12), slice(12, 30))]
    np.testing.assert_allclose(flat(halves[0].merge(halves[1]).predict(X)), at_once, atol=1e-10)
    with pytest.raises(ValueError, match="differ in solver"):
        sums.merge(halves[0])
    with pytest.raises(ValueError, match="was fitted with 'qr'"):
        in_parts.set_params(solver="eigen").partial_fit(X, y)


@pytest.mark.parametrize("target", ["step", "sequence"])
@pytest.mark.parametrize("params", [{}, {"topology": "cosine"}, {"num_layers": 2}], ids=str)
def test_the_work_is_done_at_most_twelve_calls_deep(target, params):
    X, labels = sequences()
    y = X if target == "step" else np.unique(labels, return_inverse=True)[1].astype(float)
    deepest = 0

    def look(frame, event, argument):
        nonlocal deepest
        places, parts = frame.f_code.co_filename, ("/sklseq/nn/", "/sklseq/ridge/")
        if event != "call" or not any(part in places for part in parts):
            return
        depth = 0
        while frame is not None:
            depth += "/sklseq/" in frame.f_code.co_filename
            frame = frame.f_back
        deepest = max(deepest, depth)

    model = esn(target=target, washout=2, **params)
    before = sys.getprofile()
    sys.setprofile(look)
    try:
        model.fit(X, y)
    finally:
        sys.setprofile(before)
    assert 0 < deepest <= 12


def test_targets_in_another_order_are_refused():
    X, y = series()
    frame = pd.DataFrame(X)
    targets, weights = pd.DataFrame(y), pd.Series(np.ones(len(X)))
    for model in (esn(), esn(readout=Ridge())):
        with pytest.raises(ValueError, match="y and X have different indices"):
            model.fit(frame, targets[::-1])
        with pytest.raises(ValueError, match="sample_weight and X have different indices"):
            model.fit(frame, targets, sample_weight=weights[::-1])
    with pytest.raises(ValueError, match="y and X have different indices"):
        esn().fit(frame, targets).partial_fit(frame, targets[::-1])


def test_the_equivalent_network_is_absent_without_a_fitted_ridge():
    X, y = series()
    assert not hasattr(esn(), "recurrent_equivalent")
    assert not hasattr(esn(readout=Ridge()).fit(X, y), "recurrent_equivalent")
    params, state = esn().fit(X, y).recurrent_equivalent()
    assert params == {
        "cell": "leaky", "cell_options": None, "num_layers": 1,
        "hidden_size": 30, "target": "step", "pooling": "mean",
        "bidirectional": False,
    }  # fmt: skip
    assert state["stack.forward_layers.0.weight_hh"].shape == (30, 30)
    assert state["head.bias"].shape == (2,)


@pytest.mark.parametrize("requested", [True, False, None])
def test_the_requests_of_a_readout_are_respected(requested):
    X, y = sequences()
    weights = np.linspace(0.1, 3, len(X))
    readout = LogisticRegression()
    plain = ESNClassifier(readout=readout, random_state=0).fit(X, y)
    weighted = clone(plain).fit(X, y, sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        readout = LogisticRegression().set_fit_request(sample_weight=requested)
        model = ESNClassifier(readout=readout, random_state=0)
        if requested is None:
            with pytest.raises(UnsetMetadataPassedError, match=r"LogisticRegression\.fit"):
                model.fit(X, y, sample_weight=weights)
            return
        model.fit(X, y, sample_weight=weights)
    expected = weighted if requested else plain
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert not np.array_equal(plain.predict_proba(X), weighted.predict_proba(X))
