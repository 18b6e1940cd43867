"""The triangle gives the fit of the sums, and keeps digits where the sums have none left."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import LinAlgWarning

from sklseq.ridge import LeaveOneOut, RidgeStatistics, RidgeTriangle, merged

ALPHAS = [1e-6, 0.1, 10.0]


def table(n=80, d=6, k=2, offset=5.0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + offset
    return x, x @ rng.normal(size=(d, k)) + rng.normal(size=(n, k)) + 3, rng.uniform(0, 2, n)


def triangle(x, y, w=None):
    return RidgeTriangle(x.shape[1], y.shape[1]).update(x, y, w)


def assert_same_path(path, want, rtol=1e-8):
    for alpha in ALPHAS:
        np.testing.assert_allclose(path.coef(alpha), want.coef(alpha), rtol=rtol)
        np.testing.assert_allclose(path.intercept(alpha), want.intercept(alpha), rtol=rtol)
        np.testing.assert_allclose(path.squared_error(alpha), want.squared_error(alpha), rtol=rtol)
    scores = [p.generalized_cross_validation(ALPHAS) for p in (path, want)]
    np.testing.assert_allclose(*scores, rtol=rtol)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 80), max_size=6), weighted=st.booleans())
def test_in_blocks_or_merged_it_is_the_fit_of_the_sums(cuts, weighted):
    x, y, w = table()
    w = w if weighted else np.ones(80)
    want = RidgeStatistics(6, 2).update(x, y, w).path()
    parts = list(zip(*(np.split(a, sorted(cuts)) for a in (x, y, w)), strict=True))
    in_blocks = RidgeTriangle(6, 2)
    for part in parts:
        in_blocks.update(*part)
    for each in (in_blocks, merged(triangle(*part) for part in parts)):
        assert each.n_rows == want.statistics.n_rows
        np.testing.assert_allclose(each.weight, want.statistics.weight)
        np.testing.assert_allclose(each.feature_mean, want.statistics.feature_mean)
        np.testing.assert_allclose(each.target_mean, want.statistics.target_mean)
        assert_same_path(each.path(), want)


def test_leave_one_out_is_that_of_the_sums():
    x, y, w = table()
    errors = [
        LeaveOneOut(kind(6, 2).update(x, y, w).path(), ALPHAS).update(x, y, w).errors
        for kind in (RidgeTriangle, RidgeStatistics)
    ]
    np.testing.assert_allclose(*errors, rtol=1e-9)


def test_digits_are_kept_where_features_nearly_depend_on_each_other():
    x = np.vander(np.linspace(0, 1, 200), 12)[:, :-1]  # condition number about 1e8
    true = np.arange(1.0, 12.0)[:, None]
    y = x @ true + 1
    off = {}
    for kind in (RidgeTriangle, RidgeStatistics):
        coef = kind(11, 1).update(x, y).path().coef(1e-20)
        off[kind] = np.abs(coef - true).max()
    assert off[RidgeTriangle] < 1e-6
    assert off[RidgeTriangle] < 1e-3 * off[RidgeStatistics]


@pytest.mark.parametrize("noise", [1e-3, 1e-8, 1e-11])
def test_the_error_of_a_fit_is_right_however_small(noise):
    x, y, _ = table()
    rng = np.random.default_rng(1)
    y = x @ rng.normal(size=(6, 2)) + noise * rng.normal(size=(80, 2))
    path = triangle(x, y).path()
    residual = y - x @ path.coef(0.0) - path.intercept(0.0)
    np.testing.assert_allclose(path.squared_error(0.0), (residual**2).sum(axis=0), rtol=1e-3)


def test_fewer_rows_than_features():
    x, y, _ = table(n=4)
    path = triangle(x, y).path()
    want = RidgeStatistics(6, 2).update(x, y).path()
    np.testing.assert_allclose(path.coef(0.1), want.coef(0.1), rtol=1e-9)
    with pytest.warns(LinAlgWarning, match="least norm"):
        coef = path.coef(0.0)
    centred = x - x.mean(axis=0), y - y.mean(axis=0)
    np.testing.assert_allclose(coef, np.linalg.lstsq(*centred)[0], atol=1e-9)


def test_some_targets_of_it():
    x, y, _ = table(k=4)
    some = np.array([2, 0])
    assert_same_path(triangle(x, y).select(some).path(), triangle(x, y[:, some]).path())


def test_a_merge_and_a_pickle_leave_the_original_alone():
    x, y, _ = table()
    one, other = triangle(x, y), triangle(x[:7], y[:7])
    copy = pickle.loads(pickle.dumps(other))
    one.merge(other)
    assert_same_path(other.path(), copy.path())
    with pytest.raises(ValueError, match=r"Triangles of \(6, 2\) and \(6, 1\)"):
        one.merge(RidgeTriangle(6, 1))
    with pytest.raises(ValueError, match="no rows"):
        RidgeTriangle(6, 1).path()
