"""Statistics: in blocks, merged, taken apart or at once, always the same fit."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import LinAlgWarning
from scipy.stats import entropy

from sklseq.ridge import LeaveOneOut, RecursiveLeastSquares, RidgeStatistics, merged

ALPHAS = [1e-6, 0.1, 10.0]


def table(n=80, d=6, k=2, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + offset
    return x, x @ rng.normal(size=(d, k)) + rng.normal(size=(n, k)) + 3, rng.uniform(0.1, 2, n)


def statistics(x, y, w=None):
    return RidgeStatistics(x.shape[1], y.shape[1]).update(x, y, w)


def normal_equations(x, y, alpha, w=None, intercept=True):
    """The definition: coefficients with the intercept, if any, in row 0."""
    w = np.ones(len(x)) if w is None else w
    design = np.c_[np.ones(len(x)), x] if intercept else x
    penalty = alpha * np.eye(design.shape[1])
    if intercept:
        penalty[0, 0] = 0
    return np.linalg.solve(design.T @ (design * w[:, None]) + penalty, design.T @ (y * w[:, None]))


def assert_same(a, b, rtol=1e-12):
    assert a.n_rows == b.n_rows
    for name in ("weight", "feature_mean", "target_mean", "products", "cross", "squares"):
        one, two = getattr(a, name), getattr(b, name)
        np.testing.assert_allclose(one, two, rtol=0, atol=rtol * np.abs(two).max())


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_solves_the_normal_equations(alpha, weighted, intercept):
    x, y, w = table(offset=5)
    w = w if weighted else None
    path = statistics(x, y, w).path(intercept)
    want = normal_equations(x, y, alpha, w, intercept)
    if intercept:
        np.testing.assert_allclose(path.intercept(alpha), want[0], rtol=1e-8)
        want = want[1:]
    np.testing.assert_allclose(path.coef(alpha), want, rtol=1e-8, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 80), max_size=6), st.booleans())
def test_blocks_merging_and_at_once_agree(cuts, weighted):
    x, y, w = table(offset=100)
    if not weighted:
        w = np.ones(80)
    whole = statistics(x, y, w)
    parts = list(zip(*(np.split(a, sorted(cuts)) for a in (x, y, w)), strict=True))
    in_blocks = RidgeStatistics(6, 2)
    for part in parts:
        in_blocks.update(*part)
    assert_same(in_blocks, whole)
    assert_same(merged(statistics(*part) for part in parts), whole)


def test_large_means_cost_no_digits():
    x, y, _ = table()
    near, far = statistics(x, y), RidgeStatistics(6, 2)
    for part in np.array_split(np.arange(80), 9):
        far.update(x[part] + 1e6, y[part] - 1e6)
    np.testing.assert_allclose(far.products, near.products, atol=1e-7)
    np.testing.assert_allclose(far.path().coef(1.0), near.path().coef(1.0), rtol=1e-7)


def test_weights_are_repetitions_and_zero_is_absence():
    x, y, _ = table()
    repeats = np.arange(80) % 4
    twice = statistics(np.repeat(x, repeats, axis=0), np.repeat(y, repeats, axis=0))
    weighted = statistics(x, y, repeats)
    np.testing.assert_allclose(weighted.path().coef(1.0), twice.path().coef(1.0), rtol=1e-10)
    assert weighted.n_rows == 60
    assert_same(weighted, statistics(x[repeats > 0], y[repeats > 0], repeats[repeats > 0]))


def test_a_copy_grows_on_its_own():
    x, y, _ = table()
    stats = statistics(x, y)
    stats.copy().update(x, y)
    assert_same(stats, statistics(x, y))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_leave_one_out_equals_leaving_one_out(weighted, intercept):
    x, y, w = table(n=30, d=4)
    w = w if weighted else np.ones(30)
    path = statistics(x, y, w).path(intercept)
    loo = merged(
        LeaveOneOut(path, ALPHAS).update(x[s], y[s], w[s]) for s in (slice(9), slice(9, 30))
    )
    design = np.c_[np.ones(30), x] if intercept else x
    for k, alpha in enumerate(ALPHAS):
        error = 0
        for i in range(30):
            rest = np.arange(30) != i
            coef = normal_equations(x[rest], y[rest], alpha, w[rest], intercept)
            error = error + w[i] * (y[i] - design[i] @ coef) ** 2
        np.testing.assert_allclose(loo.errors[k], error, rtol=1e-10)


def test_leave_one_out_of_a_row_that_stands_alone_is_infinite():
    x, y = np.eye(3)[:, :1], np.ones((3, 1))
    path = statistics(x, y).path()
    assert LeaveOneOut(path, [0.0]).update(x, y).errors[0, 0] == np.inf


@pytest.mark.parametrize("intercept", [False, True])
def test_gcv_and_errors_equal_their_definition(intercept):
    x, y, w = table()
    path = statistics(x, y, w).path(intercept)
    design = np.c_[np.ones(80), x] if intercept else x
    rows = np.exp(entropy(w))  # of equal weight
    for alpha, gcv in zip(ALPHAS, path.generalized_cross_validation(ALPHAS), strict=True):
        fitted = design @ normal_equations(x, y, alpha, w, intercept)
        error = w @ (y - fitted) ** 2
        trace = np.trace(design @ normal_equations(x, np.eye(80), alpha, w, intercept))
        np.testing.assert_allclose(path.degrees_of_freedom(alpha), trace, rtol=1e-9)
        np.testing.assert_allclose(path.squared_error(alpha), error, rtol=1e-9)
        want = error / w.sum() / (1 - trace / rows) ** 2
        np.testing.assert_allclose(gcv, want, rtol=1e-8)


def test_gcv_without_freedom_is_infinite():
    x, y, _ = table(n=4, d=6)
    with pytest.warns(LinAlgWarning):
        assert np.isinf(statistics(x, y).path().generalized_cross_validation([0.0])).all()


def test_singular_without_penalty_warns_and_takes_the_least_norm():
    x, y, _ = table()
    x = np.c_[x, x[:, 0]]
    path = statistics(x, y).path()
    with pytest.warns(LinAlgWarning, match="condition number"):
        coef = path.coef(0.0)
    want = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0))[0]
    np.testing.assert_allclose(coef, want, rtol=1e-7, atol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statistics(*table()[:2]).path().coef(0.0)


def test_errors():
    x, y, _ = table()
    stats = statistics(x, y)
    with pytest.raises(ValueError, match="alpha=-1"):
        stats.path().coef(-1)
    with pytest.raises(ValueError, match=r"Expected \(n, 6\) features"):
        stats.update(x[:, :2], y)
    with pytest.raises(ValueError, match="weights"):
        stats.update(x, y, -np.ones(80))
    with pytest.raises(ValueError, match="no rows"):
        RidgeStatistics(2, 1).path()
    with pytest.raises(ValueError, match="Statistics of"):
        stats.merge(RidgeStatistics(2, 1))
    with pytest.raises(ValueError, match="alpha=0"):
        RecursiveLeastSquares(2, 1, alpha=0)
    with pytest.raises(ValueError, match="forgetting=2"):
        RecursiveLeastSquares(2, 1, forgetting=2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 80), max_size=6), st.booleans())
def test_recursive_least_squares_is_ridge(cuts, weighted):
    x, y, w = table()
    w = w if weighted else np.ones(80)
    rls = RecursiveLeastSquares(6, 2, alpha=0.3)
    for part in zip(*(np.split(a, sorted(cuts)) for a in (x, y, w)), strict=True):
        before = rls.predict(part[0])
        np.testing.assert_array_equal(rls.update(*part), part[1] - before)
    want = statistics(x, y, w).path(fit_intercept=False).coef(0.3)
    np.testing.assert_allclose(rls.coef, want, rtol=1e-9, atol=1e-11)


def test_recursive_least_squares_row_by_row_is_ridge():
    x, y, _ = table(n=2000)
    rls = RecursiveLeastSquares(6, 2, alpha=0.01)
    for i in range(2000):
        rls.update(x[i : i + 1], y[i : i + 1])
    want = statistics(x, y).path(fit_intercept=False).coef(0.01)
    np.testing.assert_allclose(rls.coef, want, rtol=1e-9)


def test_forgetting_weighs_by_age():
    x, y, _ = table(n=40)
    rls = RecursiveLeastSquares(6, 2, alpha=0.5, forgetting=0.9)
    for i in range(40):
        rls.update(x[i : i + 1], y[i : i + 1])
    want = normal_equations(x, y, 0.5 * 0.9**40, 0.9 ** np.arange(39, -1, -1), intercept=False)
    np.testing.assert_allclose(rls.coef, want, rtol=1e-8)
