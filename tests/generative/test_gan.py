"""Adversarial networks as estimators: they learn shapes, know their classes, and warn."""

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning

from sklseq.generative import GAN
from sklseq.metrics import energy_distance
from sklseq.nn.adversarial import CRITIC_LOSSES

SMALL = {"hidden_layer_sizes": (32, 32), "random_state": 0, "lr_schedule": "cosine"}


def moons(seed=0, n=400):
    return make_moons(n, noise=0.05, random_state=seed)


@pytest.mark.parametrize("loss", CRITIC_LOSSES)
def test_samples_come_near_the_data(loss):
    X, _ = moons()
    gan = GAN(loss=loss, max_epochs=60, batch_size=64, learning_rate=2e-3, **SMALL).fit(X)
    fresh, noise = moons(1)[0], np.random.default_rng(0).normal(size=X.shape) * X.std(0) + X.mean(0)
    reached = energy_distance(fresh, gan.sample(400, random_state=0))
    assert reached < 0.7 * energy_distance(fresh, noise)
    assert gan.coverage_ > 0.5


def test_classes_have_their_own_shapes():
    X, y = moons()
    settings = {"max_epochs": 60, "batch_size": 64, "learning_rate": 2e-3}
    gan = GAN(conditional=True, **settings, **SMALL).fit(X, y)
    for c in (0, 1):
        samples = gan.sample(200, y=c, random_state=0)
        own, other = (energy_distance(X[y == k], samples) for k in (c, 1 - c))
        assert own < 0.3 * other


def test_rows_are_seen_as_often_as_they_weigh():
    X = np.concatenate([np.zeros((100, 1)), np.ones((100, 1))])
    X = X + 0.1 * np.random.default_rng(0).normal(size=X.shape)
    weights = np.repeat([9.0, 1.0], 100)
    gan = GAN(max_epochs=60, **SMALL).fit(X, sample_weight=weights)
    assert np.mean(gan.sample(1000, random_state=0) > 0.5) == pytest.approx(0.1, abs=0.1)


def test_early_stopping_goes_by_the_distance_of_samples():
    X, _ = moons()
    gan = GAN(early_stopping=True, max_epochs=15, **SMALL).fit(X)
    assert len(gan.validation_scores_) == gan.n_iter_
    assert max(gan.validation_scores_) < 0.5


def test_collapsed_samples_are_told():
    X = np.random.default_rng(0).normal(size=(200, 2))
    gan = GAN(learning_rate=1e-9, n_components=1, max_epochs=1, **SMALL)
    with pytest.warns(ConvergenceWarning, match="Mode collapse"):
        gan.fit(X)
    assert gan.coverage_ < 0.48


def test_a_saturated_critic_is_told():
    X, _ = moons()
    gan = GAN(
        loss="minmax",
        learning_rate=1e-9,
        critic_learning_rate=0.01,
        gradient_penalty=0.0,
        n_components=1,
        max_epochs=100,
        **SMALL,
    )
    with pytest.warns(ConvergenceWarning, match="critic is saturated"):
        gan.fit(X)


def test_one_loss_solvers_are_refused():
    with pytest.raises(ValueError, match="solver='lbfgs' minimises one loss"):
        GAN(solver="lbfgs").fit(moons()[0])


def test_there_is_no_density_to_score_by():
    assert not hasattr(GAN(), "score")
    assert not hasattr(GAN(), "score_samples")
