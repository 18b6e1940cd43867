"""The largest Lyapunov exponent of trained recurrent networks."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.inspection import jacobian_eigenvalues, largest_lyapunov_exponent
from sklseq.nn.recurrent.layer import by_part
from sklseq.recurrent import GRUClassifier, RecurrentRegressor, RecurrentTransformer
from sklseq.reservoir import ESNRegressor

SMALL = {"hidden_size": 5, "random_state": 0, "dtype": "float64", "target": "step"}


def series(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2))


def fitted(**params):
    X = series(80)
    return RecurrentRegressor(**SMALL | {"max_epochs": 3} | params).fit(X, X.sum(axis=1))


@pytest.mark.parametrize(
    "params",
    [
        {"cell": "gru", "num_layers": 2, "input_layer_sizes": (3,)},
        {"cell": "lstm", "normalization": "layer"},
        {"cell": "leaky"},
        {"cell": torch.nn.GRUCell},
    ],
    ids=lambda params: str(params["cell"]),
)
def test_it_is_the_growth_of_a_small_difference(params):
    model, X = fitted(**params), series(60, seed=1)
    exponent = largest_lyapunov_exponent(model, X, washout=30, random_state=0)
    network, stack = model.module_, model.module_.stack
    steps = torch.from_numpy((X - model.feature_mean_) / model.feature_scale_)
    with torch.no_grad():
        x = steps if network.input_layers is None else network.input_layers(steps)
        state = stack.step(x[:1])
        parts = []
        for layer in state:
            by_part(lambda part: parts.append(part) or part, layer)
        rng, logs = np.random.RandomState(0), []
        difference = [torch.from_numpy(rng.standard_normal(tuple(p.shape))) for p in parts]
        for x_t in x[1:].split(1):
            length = torch.cat([d.ravel() for d in difference]).norm()
            ends = []
            for step in (1e-6 / length, -1e-6 / length):
                moved = iter(difference)

                def shifted(part, step=step, moved=moved):
                    return part + step * next(moved)

                there = [by_part(shifted, layer) for layer in state]
                found = []
                for layer in stack.step(x_t, there):
                    by_part(lambda p, f=found: f.append(p) or p, layer)
                ends.append(found)
            difference = [(a - b) / 2e-6 for a, b in zip(*ends, strict=True)]
            logs.append(torch.cat([d.ravel() for d in difference]).norm().log().item())
            state = stack.step(x_t, state)
    assert exponent == pytest.approx(np.mean(logs[30:]), abs=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        RecurrentRegressor(**SMALL, max_epochs=2),
        ESNRegressor(target="step", reservoir_size=5, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_in_pipelines_and_searches_are_found(model):
    X = series(150)
    scaler = StandardScaler().fit(X)
    pipeline = make_pipeline(scaler, clone(model)).fit(X, X[:, 0])
    alone = clone(model).fit(scaler.transform(X), X[:, 0])
    search = GridSearchCV(pipeline, {"standardscaler__with_mean": [True]}, cv=TimeSeriesSplit(2))
    for other in (pipeline, search.fit(X, X[:, 0])):
        assert largest_lyapunov_exponent(other, X, random_state=0) == pytest.approx(
            largest_lyapunov_exponent(alone, scaler.transform(X), random_state=0)
        )
        np.testing.assert_allclose(
            jacobian_eigenvalues(other, X[:5]),
            jacobian_eigenvalues(alone, scaler.transform(X[:5])),
        )


def test_a_network_is_looked_at_on_the_cpu(monkeypatch):
    """Wherever it lies: the differences are drawn there, and mps has no float64."""
    model, X, moves = fitted(), series(130), []
    monkeypatch.setattr(torch.nn.Module, "cpu", lambda module: moves.append("cpu") or module)
    monkeypatch.setattr(
        torch.nn.Module, "double", lambda module: moves.append("double") or module.to(torch.float64)
    )
    largest_lyapunov_exponent(model, X, random_state=0)
    assert moves == ["cpu", "double"]


def test_it_tells_chaos_from_order():
    model, X = fitted(cell="rnn", hidden_size=30), series(400)
    with torch.no_grad():
        weights = model.module_.stack.forward_layers[0].rnn.weight_hh_l0
        weights.copy_(torch.randn(30, 30, generator=torch.Generator().manual_seed(0)) / 30**0.5)
        weights *= 0.5
        assert largest_lyapunov_exponent(model, X, random_state=0) < -0.5
        weights *= 20
        assert largest_lyapunov_exponent(model, X, random_state=0) > 0.1
        weights *= 0
        assert largest_lyapunov_exponent(model, X, random_state=0) == -np.inf


def test_sequences_are_read_as_the_estimator_reads_them():
    X = ["abcabc" * 30, "cab"]
    model = GRUClassifier(hidden_size=4, max_epochs=2, random_state=0).fit(X, [0, 1])
    assert largest_lyapunov_exponent(model, X[:1], random_state=0) < 0
    with pytest.raises(ValueError, match="X has 2 sequences: give a list of one"):
        largest_lyapunov_exponent(model, X)
    with pytest.raises(ValueError, match="washout=5 leaves none of the 2 steps"):
        largest_lyapunov_exponent(model, X[1:], washout=5)
    transformer = RecurrentTransformer(hidden_size=4, max_epochs=2, random_state=0)
    assert largest_lyapunov_exponent(transformer.fit(X), X[:1], random_state=0) < 0


def test_what_has_no_single_state_is_refused():
    X = series(80)
    with pytest.raises(NotFittedError):
        largest_lyapunov_exponent(RecurrentRegressor(), X)
    with pytest.raises(ValueError, match="bidirectional=False"):
        largest_lyapunov_exponent(fitted(bidirectional=True), X)
    with pytest.raises(TypeError, match="neither"):
        largest_lyapunov_exponent(fitted(cell="jordan"), X)
    told = RecurrentRegressor(**SMALL | {"max_epochs": 1})
    told.fit([X, X], [X[:, 0], X[:, 0]], context=[[0.0], [1.0]])
    with pytest.raises(ValueError, match="fitted with context"):
        largest_lyapunov_exponent(told, [X])
