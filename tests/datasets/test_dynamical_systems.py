"""The series follow from their equations, by a plain loop."""

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import solve_ivp

from sklseq.datasets import make_lorenz, make_mackey_glass, make_narma


@pytest.mark.parametrize("order", [1, 2, 10])
def test_narma_is_its_recursion(order):
    X, y = make_narma(300, order=order, random_state=0)
    u = X[:, 0]
    assert X.shape == (300, 1)
    assert ((u >= 0) & (u <= 0.5)).all()
    for t in range(300):
        before = [y[t - i] if t >= i else 0.0 for i in range(1, order + 1)]
        late = u[t - order + 1] if t >= order - 1 else 0.0
        wanted = 0.3 * before[0] + 0.05 * before[0] * sum(before) + 1.5 * late * u[t] + 0.1
        assert y[t] == pytest.approx(wanted, abs=1e-14)


def test_narma_never_runs_away():
    for seed in range(30):
        _, y = make_narma(5000, random_state=seed)
        assert np.abs(y).max() <= 1
    with pytest.raises(ValueError, match="order=10 with coefficients"):
        make_narma(100, coefficients=(1.0, 1.0, 1.0, 1.0), random_state=0)


@pytest.mark.parametrize(("tau", "step", "every"), [(17, 0.1, 10), (3.0, 0.5, 1), (0.1, 0.1, 3)])
def test_mackey_glass_is_eulers_method(tau, step, every):
    delay = round(tau / step)
    X = make_mackey_glass(50, tau=tau, step=step, keep_every=every, n_transient=7, random_state=0)
    y = list(1.2 + np.random.RandomState(0).uniform(-0.2, 0.2, delay))
    for _ in range(57 * every):
        late = y[-delay]
        y.append(y[-1] + step * (0.2 * late / (1 + late**10) - 0.1 * y[-1]))
    assert_allclose(X[:, 0], y[delay:][7 * every :: every], rtol=1e-10)


def test_lorenz_is_a_solution_of_the_equations():
    X = make_lorenz(200, n_transient=0, random_state=0)
    start = 1 + np.random.RandomState(0).standard_normal(3)

    def flow(t, p):
        return [10 * (p[1] - p[0]), p[0] * (28 - p[2]) - p[1], p[0] * p[1] - 8 / 3 * p[2]]

    times = 0.02 * np.arange(1, 51)
    exact = solve_ivp(flow, (0, 1), start, t_eval=times, rtol=1e-11, atol=1e-11).y.T
    assert_allclose(X[:50], exact, atol=0.05)
    fine = make_lorenz(500, dt=0.002, n_transient=0, random_state=0)[9::10]
    # Of fourth order: a tenth of the step is about 10,000 times as near.
    assert np.abs(fine - exact).max() < np.abs(X[:50] - exact).max() / 2000


def test_lorenz_drops_its_transient():
    whole = make_lorenz(80, n_transient=0, random_state=1)
    assert_array_equal(make_lorenz(30, n_transient=50, random_state=1), whole[50:])


@pytest.mark.parametrize("make", [make_narma, make_mackey_glass, make_lorenz])
def test_seeds_shapes_and_speed(make):
    before = np.random.get_state()[1].copy()
    first, again, other = (make(120, random_state=seed) for seed in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])
    assert_array_equal(np.random.get_state()[1], before)
    assert len(make(1)) in (1, 2)
    begin = time.process_time()
    make(25_000, random_state=0)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("make", "params", "name"),
    [
        (make_narma, {"n_steps": 0}, "n_steps"),
        (make_narma, {"order": 0}, "order"),
        (make_narma, {"coefficients": (1, 2)}, "coefficients"),
        (make_mackey_glass, {"tau": 17.05}, "tau must be a multiple"),
        (make_mackey_glass, {"tau": -1}, "tau"),
        (make_mackey_glass, {"step": 0}, "step"),
        (make_mackey_glass, {"keep_every": 1.5}, "keep_every"),
        (make_mackey_glass, {"n_transient": -1}, "n_transient"),
        (make_lorenz, {"dt": 1}, "dt"),
        (make_lorenz, {"sigma": np.nan}, "sigma"),
        (make_lorenz, {"rho": "28"}, "rho"),
    ],
)
def test_parameters_are_checked_by_name(make, params, name):
    with pytest.raises(ValueError, match=name):
        make(**params)
