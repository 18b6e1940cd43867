"""Diagnostics of reservoirs against plain loops, finite differences and closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from sklseq.inspection import (
    echo_state_index,
    jacobian_eigenvalues,
    largest_lyapunov_exponent,
    linear_memory_capacity,
    memory_capacity,
)
from sklseq.nn.reservoir import Reservoir, all_states, input_weights, orthogonal, recurrent_weights


def make(units=12, n_inputs=1, topology="random", radius=0.9, seed=0, **params):
    rng = np.random.default_rng(seed)
    return Reservoir(
        recurrent_weights(units, topology, spectral_radius=radius, density=0.5, seed=rng),
        input_weights(units, n_inputs, seed=rng),
        rng.uniform(-0.5, 0.5, units),
        **params,
    )


KINDS = {
    "tanh": make(),
    "leaky": make(leak_rate=np.linspace(0.2, 1, 12)),
    "relu": make(activation="relu"),
    "rotated": make(rotation=orthogonal(np.random.default_rng(1), 12), leak_rate=0.3),
    "structured": make(topology="cosine"),
    "stacked": (make(), make(8, 12, leak_rate=0.5, seed=1)),
}
each = pytest.mark.parametrize("reservoir", KINDS.values(), ids=KINDS)


def series(n_steps, seed=0):
    return np.random.default_rng(seed).normal(size=(n_steps, 1))


def numeric_jacobian(reservoir, x, u):
    def step(state):
        return all_states(reservoir, u[None], initial_state=state)[0]

    h = 1e-6
    columns = [(step(x + h * e) - step(x - h * e)) / (2 * h) for e in np.eye(len(x))]
    return np.stack(columns, axis=1)


@each
def test_eigenvalues_are_those_of_the_numeric_jacobian(reservoir):
    X = series(6)
    states = all_states(reservoir, X)
    found = jacobian_eigenvalues(reservoir, X)
    assert found.shape == states.shape
    for t in (0, 1, 5):
        before = states[t - 1] if t else np.zeros(states.shape[1])
        wanted = np.linalg.eigvals(numeric_jacobian(reservoir, before, X[t]))
        # Sorting would tear equal moduli apart: compare the characteristic polynomials.
        assert_allclose(np.poly(found[t]), np.poly(wanted), atol=1e-6)
        assert (np.diff(np.abs(found[t])) <= 1e-12).all()


def test_feedback_moves_the_working_point():
    reservoir = make(feedback_weights=np.ones((12, 1)))
    X = series(5)
    silent = jacobian_eigenvalues(reservoir, X, feedback=np.zeros((5, 1)))
    assert_allclose(silent, jacobian_eigenvalues(make(), X))
    loud = jacobian_eigenvalues(reservoir, X, feedback=np.full((5, 1), 5.0))
    assert np.abs(loud).max() < 0.1 * np.abs(silent).max()


@each
def test_lyapunov_exponent_is_the_growth_of_a_small_difference(reservoir):
    X = series(120)
    exponent = largest_lyapunov_exponent(reservoir, X, washout=60, random_state=0)
    states = all_states(reservoir, X)
    states = np.vstack([np.zeros_like(states[0]), states])
    difference = np.random.RandomState(0).standard_normal(states.shape[1])
    logs = []
    for t in range(120):
        difference *= 1e-7 / np.linalg.norm(difference)
        two = [
            all_states(reservoir, X[t : t + 1], initial_state=states[t] + d)[0]
            for d in (difference, -difference)
        ]
        difference = (two[0] - two[1]) / 2
        logs.append(np.log(np.linalg.norm(difference) / 1e-7))
    assert exponent == pytest.approx(np.mean(logs[60:]), abs=1e-5)


def test_lyapunov_exponent_of_linear_layers_is_the_log_of_the_radius():
    for radius in (0.5, 1.2):
        ring = make(20, topology="ring", radius=radius, activation="identity")
        exponent = largest_lyapunov_exponent(ring, series(300), random_state=0)
        assert exponent == pytest.approx(np.log(radius), abs=1e-10)
    line = make(20, topology="delay_line", activation="identity")
    assert largest_lyapunov_exponent(line, series(300), random_state=0) == -np.inf


def test_echo_state_index_and_exponent_tell_chaos_from_order():
    X = np.zeros((400, 1))
    for radius, ordered in ((0.8, True), (3.0, False)):
        reservoir = make(50, radius=radius)
        assert (echo_state_index(reservoir, X, random_state=0) < 1e-9) == ordered
        assert (largest_lyapunov_exponent(reservoir, X, random_state=0) < 0) == ordered


@each
def test_echo_state_index_is_the_plain_loop(reservoir):
    X = series(20)
    index = echo_state_index(reservoir, X, n_starts=3, washout=5, random_state=0)
    units = all_states(reservoir, X).shape[1]
    starts = np.random.RandomState(0).uniform(-1, 1, (4, units))[1:]
    zero = all_states(reservoir, X)
    distances = [
        np.linalg.norm(all_states(reservoir, X, initial_state=s) - zero, axis=1)[5:] for s in starts
    ]
    assert index == pytest.approx(np.mean(distances), rel=1e-9)


@pytest.mark.parametrize(("units", "radius"), [(10, 0.9), (30, 0.95), (60, 0.99)])
def test_memory_capacity_of_a_linear_ring_is_known_exactly(units, radius):
    ring = make(units, topology="ring", radius=radius, activation="identity")
    capacities = linear_memory_capacity(ring, n_delays=int(20 * units / (1 - radius) ** 0.5))
    assert capacities.sum() == pytest.approx(units - 1 + radius ** (2 * units), abs=1e-6)
    assert ((capacities >= 0) & (capacities <= 1 + 1e-9)).all()


def test_measured_capacity_comes_to_the_exact_one():
    ring = make(15, topology="ring", radius=0.9, activation="identity")
    exact = linear_memory_capacity(ring, n_delays=25)
    measured = memory_capacity(
        ring, n_delays=25, n_train=20_000, n_test=5000, alpha=0, random_state=0
    )
    # About 1 / sqrt(n_test), squared where the capacity is 0.
    assert_allclose(measured, exact, atol=0.02)


def test_leak_and_rotation_enter_the_closed_form():
    for params in ({"leak_rate": 0.5}, {"rotation": np.eye(8)[::-1], "leak_rate": 0.6}):
        reservoir = make(8, radius=0.5, activation="identity", **params)
        measured = memory_capacity(reservoir, n_train=20_000, n_test=5000, alpha=0, random_state=0)
        assert_allclose(measured, linear_memory_capacity(reservoir), atol=0.03)


def test_same_seed_same_number():
    for function in (echo_state_index, largest_lyapunov_exponent):
        a, b, c = (function(make(radius=3), series(150), random_state=s) for s in (0, 0, 1))
        assert a == b
        assert a != c


class Fitted:
    def __init__(self, reservoirs):
        self.layers_ = reservoirs


def test_a_fitted_estimator_is_known_by_its_reservoirs():
    layers = KINDS["stacked"]
    X = series(5)
    assert_allclose(jacobian_eigenvalues(Fitted(layers), X), jacobian_eigenvalues(layers, X))
    with pytest.raises(TypeError, match="layers_"):
        jacobian_eigenvalues("reservoir", X)

    from sklearn.linear_model import Ridge

    with pytest.raises(NotFittedError):
        jacobian_eigenvalues(Ridge(), X)


def test_bad_input_is_named():
    X = series(50)
    with pytest.raises(ValueError, match="takes 1 inputs, got 2"):
        jacobian_eigenvalues(make(), np.ones((3, 2)))
    for function in (echo_state_index, largest_lyapunov_exponent):
        with pytest.raises(ValueError, match=r"washout=50 leaves none of the 50 steps"):
            function(make(), X, washout=50)
    with pytest.raises(ValueError, match="n_starts=0"):
        echo_state_index(make(), X, n_starts=0, washout=0)
    with pytest.raises(ValueError, match="has 2"):
        memory_capacity(make(n_inputs=2))
    with pytest.raises(ValueError, match="n_delays=0"):
        memory_capacity(make(), n_delays=0)
    with pytest.raises(ValueError, match="activation='identity'"):
        linear_memory_capacity(make())
    with pytest.raises(ValueError, match="radius of the update is 1"):
        linear_memory_capacity(make(topology="ring", radius=1.0, activation="identity"))
