"""A sequence is predicted the same alone and in any company, to the bit."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklseq.reservoir import ESNClassifier, ESNForecaster, ESNRegressor, ESNTransformer

KINDS = {
    "sparse": {"reservoir_size": 33},
    "large": {"reservoir_size": 400},
    "time scales": {"leak_rate": (0.1, 0.4, 1.0), "activation": "relu"},
    "dense": {"density": 0.9},
    "large, dense": {"density": 0.9, "reservoir_size": 257},
    "deep": {"num_layers": 2, "leak_rate": 0.5},
    "deep, dense": {"num_layers": 2, "topology": "orthogonal"},
    "bidirectional": {"bidirectional": True},
    "all features": {"bidirectional": True, "num_layers": 2, "features": "state+input+squares"},
    "edge of stability": {"rotation": "orthogonal", "leak_rate": 0.2},
    "structured rotation": {"rotation": "cosine", "leak_rate": (0.2, 0.3)},
    **{t: {"topology": t} for t in ("ring", "delay_line", "jumps", "small_world", "blocks")},
    "cosine": {"topology": "cosine"},
    "hadamard": {"topology": "hadamard", "reservoir_size": 64},
}
HOW = [
    ("step", "last", 1),
    ("sequence", "last", 1),
    ("sequence", "mean", 3),
    ("sequence", "max", 2),
]


def panel(lengths, n_features, seed):
    rng = np.random.default_rng(seed)
    X = np.empty(len(lengths), dtype=object)
    X[:] = [rng.uniform(-1, 1, (n, n_features)) for n in lengths]
    return X


def assert_company_does_not_matter(predict, X, rng):
    together = predict(X)
    order = rng.permutation(len(X))
    for i, other in zip(order, predict(X[order]), strict=True):
        assert_array_equal(other, together[i])
    for i in order[:6]:
        assert_array_equal(predict(X[i : i + 1])[0], together[i])
    some = np.sort(order[: len(order) // 2 + 1])
    for i, other in zip(some, predict(X[some]), strict=True):
        assert_array_equal(other, together[i])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lengths=st.lists(st.integers(3, 40), min_size=2, max_size=90),
    n_features=st.sampled_from([1, 3]),
    how=st.sampled_from(HOW),
    seed=st.integers(0, 2**32 - 1),
)
def test_regression(kind, dtype, lengths, n_features, how, seed):
    target, pooling, n_slices = how
    X = panel(lengths, n_features, seed)
    y = [x[:, :2] for x in X] if target == "step" else np.array([x[-1] for x in X])
    model = ESNRegressor(
        **{"reservoir_size": 40, "random_state": 0} | KINDS[kind],
        target=target, pooling=pooling, n_slices=n_slices, dtype=dtype,
    ).fit(X, y)  # fmt: skip
    assert_company_does_not_matter(model.predict, X, np.random.default_rng(seed))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_estimators(dtype):
    rng = np.random.default_rng(0)
    X = panel(rng.integers(4, 60, 150), 2, 0)
    settings = {"reservoir_size": 101, "dtype": dtype, "random_state": 0}
    labels = np.arange(150) % 3
    classifier = ESNClassifier(pooling="mean", **settings).fit(X, labels)
    assert_company_does_not_matter(classifier.decision_function, X, rng)
    transformer = ESNTransformer(target="step", **settings).fit(X)
    assert_company_does_not_matter(transformer.transform, X, rng)
    forecaster = ESNForecaster(reservoir_size=101, random_state=0).fit(X)
    assert_company_does_not_matter(forecaster.predict, X, rng)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("leak_rate", [1.0, 0.0001])
def test_long_series_beside_short_ones(bidirectional, leak_rate):
    # The second reservoir does not forget within the steps that are tried.
    lengths = [17_000, 5, 16_384, 300]
    X = panel(lengths, 1, 0)
    y = [x[:, 0] for x in X]
    model = ESNRegressor(
        target="step", reservoir_size=20, leak_rate=leak_rate, bidirectional=bidirectional,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    assert_company_does_not_matter(model.predict, X, np.random.default_rng(0))


@pytest.mark.parametrize("setting", ["ATEN_CPU_CAPABILITY=default", "MKL_CBWR=COMPATIBLE"])
def test_with_other_instructions(setting):
    name, value = setting.split("=")
    program = f"""
import os, sys
os.environ[{name!r}] = {value!r}
import numpy as np
sys.path.insert(0, {__file__.rsplit("/", 1)[0]!r})
from test_company import KINDS, assert_company_does_not_matter, panel
from sklseq.reservoir import ESNRegressor
rng = np.random.default_rng(0)
X = panel(rng.integers(3, 25, 40), 3, 0)
for kind, params in KINDS.items():
    for dtype in ("float64", "float32"):
        settings = {{"reservoir_size": 40, "random_state": 0, "dtype": dtype}} | params
        model = ESNRegressor(target="step", **settings).fit(X, [x[:, :2] for x in X])
        assert_company_does_not_matter(model.predict, X, rng)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
