"""Training by truncated backpropagation through time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.recurrent import (
    GRUClassifier,
    GRURegressor,
    LSTMClassifier,
    RecurrentRegressor,
    RecurrentTransformer,
    RNNRegressor,
)
from sklseq.training.rows.sequences import SequenceRows

SMALL = {"hidden_size": 3, "random_state": 0, "dtype": "float64"}
# So small a rate that the weights stay what they are, and losses are those of the first network.
STILL = SMALL | {"learning_rate": 1e-15, "max_epochs": 1}


def labeled_steps(n=5, longest=9, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(k, 2)) for k in rng.integers(1, longest + 1, n - 1)]
    X.append(rng.normal(size=(longest, 2)))
    return X, [(x[:, 0] > 0).astype(int) for x in X]


@pytest.mark.parametrize("cell", CELLS)
def test_segments_as_long_as_the_sequences_change_nothing(cell):
    X, _y = labeled_steps()
    values = [x.sum(axis=1) for x in X]
    settings = SMALL | {"cell": cell, "target": "step", "batch_size": 2, "dropout": 0.3}
    whole = RecurrentRegressor(**settings, max_epochs=2).fit(X, values)
    cut = RecurrentRegressor(**settings, max_epochs=2, tbptt_steps=9).fit(X, values)
    np.testing.assert_allclose(cut.loss_curve_, whole.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(
        np.concatenate(cut.predict(X)), np.concatenate(whole.predict(X)), atol=1e-12
    )


@pytest.mark.parametrize("target", ["step", "sequence"])
def test_so_it_is_for_the_transformer(target):
    X, _ = labeled_steps()
    whole, cut = (
        RecurrentTransformer(target=target, tbptt_steps=k, batch_size=2, max_epochs=3, **SMALL)
        for k in (None, 10)
    )
    np.testing.assert_allclose(cut.fit(X).loss_curve_, whole.fit(X).loss_curve_, rtol=1e-10)


@settings(max_examples=6, deadline=None)
@given(k=st.integers(1, 12), batch_size=st.integers(1, 5), seed=st.integers(0, 9))
def test_losses_are_the_means_over_targets_however_series_are_cut(k, batch_size, seed):
    X, y = labeled_steps(seed=seed)
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(0.5, 2, len(v)) for v in y]
    holed = [np.where(rng.random(len(v)) < 0.3, np.nan, v) for v in y]
    holed[-1][:2] = 0, 1
    whole, cut = (
        LSTMClassifier(
            target="step", class_weight="balanced", batch_size=batch_size, tbptt_steps=steps,
            early_stopping=True, **STILL,
        )
        for steps in (None, k)
    )  # fmt: skip
    validation = {"X_val": X[::-1], "y_val": holed[::-1]}
    for model in (whole, cut):
        model.fit(X, holed, weights, **validation)
    np.testing.assert_allclose(cut.loss_curve_, whole.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(cut.validation_scores_, whole.validation_scores_, rtol=1e-9)
    following = [
        RecurrentTransformer(tbptt_steps=steps, batch_size=batch_size, **STILL).fit(X)
        for steps in (None, k)
    ]
    np.testing.assert_allclose(*(model.loss_curve_ for model in following), rtol=1e-9)


def test_training_is_gradient_descent_over_segments():
    """The estimator beside a loop by hand: state handed on, its gradient not."""
    x = np.random.default_rng(0).normal(size=(23, 1))
    y = np.roll(x[:, 0], 1)
    settings = SMALL | {"target": "step", "solver": "sgd", "lr_schedule": None}
    settings |= {"gradient_clip": None, "learning_rate": 0.05}
    model = RNNRegressor(**settings, tbptt_steps=5, max_epochs=2)
    fitted = model.fit(x, y).module_.state_dict()
    network = RNNRegressor(**STILL, target="step").fit(x, y).module_.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    steps = torch.from_numpy((x - x.mean()) / x.std())
    targets = torch.from_numpy((y - y.mean()) / y.std())[:, None]
    for _ in range(2):
        state = None
        for part, target in zip(steps.split(5), targets.split(5), strict=True):
            states, state = network.states(part, Packing(np.array([len(part)])), state)
            optimizer.zero_grad()
            # Batches weigh as their steps: all of 5, and one of 3.
            (network.head(states) - target).square().mean().backward()
            optimizer.step()
            state = [s.detach() for s in state]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(fitted[name], value, rtol=1e-9, atol=1e-9)


def test_segments_count_as_training_steps():
    x = np.random.default_rng(0).normal(size=(100, 1))
    y = x[:, 0]

    def n_epochs(k):
        rows = SequenceRows(x, np.array([100]), torch.zeros(1), segment_steps=k)
        return GRURegressor(tbptt_steps=k)._n_epochs(rows)

    assert [n_epochs(k) for k in (None, 100, 50, 30, 1)] == [200, 200, 100, 50, 30]
    for schedule in ("onecycle", "cyclic"):
        model = GRURegressor(target="step", tbptt_steps=7, lr_schedule=schedule, max_epochs=2)
        model.set_params(hidden_size=2, random_state=0)
        assert model.fit([x[:31], x[31:35], x[35:]], [y[:31], y[31:35], y[35:]]).n_iter_ == 2


def test_it_can_be_interrupted_stopped_and_gone_on_with():
    X, y = labeled_steps()
    model = GRUClassifier(
        target="step", tbptt_steps=2, early_stopping=True, max_epochs=3, warm_start=True, **SMALL
    )
    model.fit(X, y).fit(X, y)
    assert model.n_iter_ == 6
    series = np.concatenate(X)
    labels = (series[:, 0] > 0).astype(int)
    model.set_params(warm_start=False).fit(series, labels)
    assert len(model.validation_scores_) == model.n_iter_
    model = GRUClassifier(target="step", tbptt_steps=4, **SMALL)
    model.partial_fit(series, labels, classes=[0, 1]).partial_fit(series, labels)
    again = GRUClassifier(target="step", tbptt_steps=4, lr_schedule=None, max_epochs=2, **SMALL)
    again.fit(series, labels)
    np.testing.assert_array_equal(model.predict_proba(series), again.predict_proba(series))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bidirectional": True}, "bidirectional=False"),
        ({"solver": "lbfgs"}, "solver"),
        ({"target": "sequence"}, "target='step'"),
        ({"tbptt_steps": 0}, "tbptt_steps"),
    ],
)
def test_where_it_makes_no_sense_it_is_refused(wrong, message):
    X, y = labeled_steps()
    parameters = {"target": "step", "tbptt_steps": 3} | wrong
    if parameters["target"] == "sequence":
        y = [0, 1, 0, 1, 0]
    model = GRUClassifier(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "module_")
