"""The warning at `max_epochs` comes where a loss was clearly falling, and only there."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklseq.autoencoder import Autoencoder
from sklseq.generative import AAE
from sklseq.parts.epochs import warn_if_unfinished
from sklseq.recurrent import GRUClassifier
from sklseq.training.convergence import still_falling
from sklseq.training.engine import Result

quick = settings(max_examples=60, deadline=None)
lengths = st.integers(10, 200)


@quick
@given(n=lengths, rate=st.floats(12, 100), scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
def test_a_loss_that_has_reached_its_end_is_silent(n, rate, scale, shift):
    decay = np.exp(-rate * np.arange(n) / n)
    for losses in (scale * (decay + shift), scale * (shift - decay), np.full(n, shift)):
        assert still_falling(losses, np.ones(n)) == 0


@quick
@given(n=lengths, scale=st.floats(1e-3, 1e3), schedule=st.sampled_from(["none", "cosine"]))
def test_a_loss_that_falls_with_the_learning_rate_is_not(n, scale, schedule):
    """Whatever the schedule: with a cosine the last epochs are flat."""
    rates = np.ones(n)
    if schedule == "cosine":
        rates += np.cos(np.pi * np.arange(n) / n)
    line = scale * (1 - 0.5 * np.cumsum(rates) / rates.sum())
    assert still_falling(line, rates) > 1 / 3
    assert still_falling(line[:9], rates[:9]) == 0


def test_noise_is_seldom_taken_for_a_fall():
    rng = np.random.default_rng(0)
    told = [still_falling(rng.normal(size=n), np.ones(n)) > 0 for n in range(10, 110)]
    assert np.mean(told) < 0.05


def fit(cls, **params):
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return cls(random_state=0, **params).fit(X, y)


def test_short_training_is_told():
    slow = {"max_epochs": 12, "learning_rate": 1e-4}
    for more in ({}, {"early_stopping": True}):
        kind = "validation" if more else "training"
        with pytest.raises(ConvergenceWarning, match=f"max_epochs=12 .* the {kind} loss"):
            fit(Autoencoder, **slow, **more)
        with pytest.raises(ConvergenceWarning, match="reached max_epochs"):
            fit(GRUClassifier, **slow | {"learning_rate": 1e-3}, **more)


@pytest.mark.parametrize(("solver", "advice"), [("adam", "learning_rate, or"), ("lbfgs", "")])
def test_the_advice_holds_for_the_solver(solver, advice):
    trainer = SimpleNamespace(max_epochs=20, solver=solver, phases=(), epochs_done=0)
    result = Result(20, [*np.linspace(2, 1, 20)], [], [1.0] * 20, {})
    with pytest.warns(ConvergenceWarning) as told:
        warn_if_unfinished(trainer, result)
    end = str(told[0].message).partition("Raise max_epochs")[2]
    assert (advice in end) if advice else end == "."


@pytest.mark.parametrize(
    ("cls", "params"),
    [
        (GRUClassifier, {}),
        (Autoencoder, {}),
        (GRUClassifier, {"max_epochs": 2}),
        (Autoencoder, {"max_epochs": 2}),
        (AAE, {"max_epochs": 12, "learning_rate": 1e-4}),  # adversaries have no such criterion
    ],
)
def test_what_was_trained_long_enough_or_cannot_be_judged_is_silent(cls, params):
    assert fit(cls, **params).n_iter_ >= 2


def test_training_further_is_for_the_user_to_judge():
    model = fit(Autoencoder, max_epochs=2, learning_rate=1e-4, warm_start=True)
    model.set_params(max_epochs=12)
    X = StandardScaler().fit_transform(load_wine().data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.fit(X).n_iter_ == 14
