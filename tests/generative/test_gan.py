"""Adversarial networks as estimators: they learn shapes, know their classes, and warn."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier
from skorch.callbacks import Callback
from torch import nn

from sklseq.generative import GAN
from sklseq.generative._density_ratio import DensityRatioEstimator, learn_density_ratio
from sklseq.metrics import energy_distance
from sklseq.nn.adversarial.gan import AdversarialNetwork
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.dense import DenseRows

SMALL = {"hidden_layer_sizes": (32, 32), "random_state": 0}


def moons(seed=0, n=400):
    return make_moons(n, noise=0.05, random_state=seed)


WASSERSTEIN = {"loss": "wasserstein", "gradient_penalty": 1.0, "discriminator_steps": 3}


@pytest.mark.parametrize("settings", [{"max_epochs": 150}, WASSERSTEIN | {"max_epochs": 80}])
def test_samples_come_near_the_data(settings):
    X, _ = moons()
    gan = GAN(n_fourier_frequencies=2, **settings, **SMALL).fit(X)
    fresh = moons(1)[0]
    noise = np.random.default_rng(0).normal(X.mean(0), X.std(0), size=X.shape)
    reached = energy_distance(fresh, gan.sample(400, random_state=0))
    assert reached < 0.7 * energy_distance(fresh, noise)
    assert gan.coverage_ > 0.5


def test_classes_have_their_own_shapes():
    X, y = moons()
    settings = {"max_epochs": 60, "learning_rate": 5e-3, "n_fourier_frequencies": 2}
    gan = GAN(conditional=True, **settings, **SMALL).fit(X, y)
    for c in (0, 1):
        samples = gan.sample(200, y=c, random_state=0)
        own, other = (energy_distance(X[y == k], samples) for k in (c, 1 - c))
        assert own < 0.3 * other
    asked = np.arange(400) % 2
    neighbors = KNeighborsClassifier(5).fit(X, y)
    assert neighbors.score(gan.sample(400, y=asked, random_state=1), asked) > 0.95


class Threefold(nn.Module):
    """A density ratio that is three times as high for positive values."""

    def forward(self, x):
        return (x[:, :1] > 0) * float(np.log(3))


def test_candidates_are_picked_by_the_density_ratio():
    gan = GAN(max_epochs=1, n_candidates=1, **SMALL).fit(moons()[0])
    gan.module_.mean.zero_()
    gan.module_.density_ratio, gan._density_ratio = Threefold(), DensityRatioEstimator(True)
    share = (gan.sample(20_000, random_state=0)[:, 0] > 0).mean()
    picked = gan.set_params(n_candidates=50).sample(3000, random_state=1)
    expected = 3 * share / (1 + 2 * share)
    assert 0.2 < share < 0.8
    assert (picked[:, 0] > 0).mean() == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(("shift", "fewest", "most"), [(0.0, 0, 1), (1.0, 4, 4)])
def test_the_density_ratio_is_used_if_it_does_better_than_chance(shift, fewest, most):
    used = []
    for seed in range(4):
        X = np.random.default_rng(seed).normal(size=(300, 2))
        gan = GAN(max_epochs=1, n_candidates=1, **SMALL).fit(X)
        gan.module_.mean.zero_()
        gan.module_.scale.fill_(1.0)
        gan.module_.decode = lambda z, context: z[:, :2] + shift
        gan.set_params(max_epochs=40)
        learn_density_ratio(gan, X, Targets(np.ones(len(X))))
        used.append(gan._density_ratio.is_trained)
    assert fewest <= sum(used) <= most


def test_ctrl_c_while_the_density_ratio_is_trained_keeps_the_generator(monkeypatch):
    X, _ = moons()
    alone = GAN(max_epochs=1, n_candidates=1, **SMALL).fit(X)

    def interrupted(network, x, context):
        raise KeyboardInterrupt

    monkeypatch.setattr(AdversarialNetwork, "density_ratio_losses", interrupted)
    with pytest.warns(ConvergenceWarning, match="density-ratio estimator was interrupted"):
        gan = GAN(max_epochs=1, **SMALL).fit(X)
    drawn = gan.sample(5, random_state=0)
    np.testing.assert_array_equal(drawn, alone.sample(5, random_state=0))
    assert not any(part.training for part in gan.module_.modules())


def test_few_rows_have_no_density_ratio():
    X, _ = moons(n=40)
    gan = GAN(max_epochs=2, **SMALL).fit(X)
    samples = gan.sample(5, random_state=0)
    np.testing.assert_array_equal(gan.set_params(n_candidates=1).sample(5, random_state=0), samples)


def test_little_is_drawn_between_rows_far_apart():
    X = np.repeat([[-1.0], [1.0]], 200, axis=0)
    X = X + np.random.default_rng(0).normal(scale=0.1, size=X.shape)
    gan = GAN(max_epochs=40, batch_size=64, **SMALL).fit(X)
    between, made_between = (
        (abs(gan.set_params(n_candidates=k).sample(2000, random_state=0)) < 0.5).mean()
        for k in (8, 1)
    )
    assert between < 0.5 * made_between


def test_training_that_diverges_leaves_the_last_finite_weights():
    X, _ = moons()
    gan = GAN(max_epochs=1, warm_start=True, **SMALL).fit(X)
    samples = gan.sample(5, random_state=0)
    with pytest.raises(ValueError, match="Training diverged"):
        gan.set_params(learning_rate=1e38).fit(X)
    np.testing.assert_array_equal(gan.sample(5, random_state=0), samples)


class Seen(Callback):
    """Remembers the rows of training batches."""

    def __init__(self):
        self.rows = []

    def on_batch_begin(self, net, batch, training, **kwargs):
        if training:
            self.rows += batch.inputs[0][:, 0].tolist()


@pytest.mark.parametrize("batch_size", [4, 100])
def test_rows_are_trained_on_in_proportion_to_their_weights(batch_size):
    X = np.arange(20.0)[:, None]
    weights = np.where(X[:, 0] < 18, X[:, 0] % 3, 100)
    seen = Seen()
    gan = GAN(max_epochs=1, batch_size=batch_size, callbacks=[seen], **SMALL)
    gan.fit(X, sample_weight=weights)
    times = np.array([seen.rows.count(x) for x in X[:, 0]])
    assert (abs(times - weights * len(X) / weights.sum()) < 1).all()
    assert not times[weights == 0].any()


def test_rows_of_one_weight_are_seen_as_they_are():
    rows = DenseRows((np.arange(5.0)[:, None],), torch.zeros(1), Targets(np.full(5, 2.0)))
    assert rows.resampled(0) is rows


def test_the_density_ratio_is_trained_on_rows_in_proportion_to_their_weights(monkeypatch):
    X = np.repeat([[0.0], [10.0]], [80, 8], axis=0)
    gan = GAN(max_epochs=1, batch_size=8, **SMALL)
    gan.fit(X, sample_weight=np.where(X[:, 0] == 0, 1, 1000))
    seen = []
    network = gan.module_
    rate = network.log_density_ratio
    losses = lambda x, context: seen.append(x) or rate(x)[:, 0]  # noqa: E731
    monkeypatch.setattr(network, "density_ratio_losses", losses)
    learn_density_ratio(gan, X, Targets(np.where(X[:, 0] == 0, 1.0, 1000.0)))
    assert torch.cat(seen[:10]).mean() > 9


def test_coverage_of_fresh_rows_is_what_it_should_be():
    rng = np.random.default_rng(0)
    X, fresh = rng.normal(size=(2, 4000, 2))
    gan = GAN(max_epochs=1, n_candidates=1, **SMALL).fit(X[:300])
    gan._draw = lambda n, classes, rng: fresh[:n]
    gan._finish(X, Targets(np.ones(len(X))))
    assert gan.coverage_ == pytest.approx(1 - 0.5**5, abs=0.02)
    # Rows without weight are not covered, nor do they make radii smaller.
    gan._finish(np.vstack([X, X + 100]), Targets(np.repeat([1.0, 0.0], len(X))))
    assert gan.coverage_ == pytest.approx(1 - 0.5**5, abs=0.02)


class Ruined(Callback):
    """From an epoch on, what is generated lies elsewhere."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) > self.epoch:
            for part in (net.module_.generator, net.module_.average):
                with torch.no_grad():
                    part.network.output.bias += 5


def test_early_stopping_keeps_the_weights_whose_samples_are_nearest():
    X, fresh = moons()[0], moons(1, 1000)[0]
    settings = {"n_candidates": 1, "n_fourier_frequencies": 2, "batch_size": 64} | SMALL

    def distance(**more):
        gan = GAN(early_stopping=True, **settings, **more).fit(X)
        return energy_distance(fresh, gan.sample(1000, random_state=0)), gan

    reached, gan = distance(max_epochs=60, n_iter_no_change=25, callbacks=[Ruined(25)])
    assert gan.n_iter_ < 60
    assert len(gan.validation_scores_) == gan.n_iter_
    started, _ = distance(max_epochs=1)
    constant = energy_distance(fresh, np.tile(X.mean(axis=0), (1000, 1)))
    assert reached < 0.3 * min(started, constant)


def test_collapsed_samples_are_told():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
    X = np.column_stack([np.cos(angle), np.sin(angle)])
    gan = GAN(learning_rate=1e-9, n_components=1, max_epochs=1, **SMALL)
    with pytest.warns(ConvergenceWarning, match="Mode collapse"):
        gan.fit(X)
    assert gan.coverage_ < 0.25


class Sure(nn.Module):
    """A discriminator that is a steep function of the first value."""

    def forward(self, x):
        return 100 * x[:, :1]


@pytest.mark.filterwarnings("ignore:Mode collapse")
def test_a_saturated_discriminator_raises_a_warning():
    X, _ = moons()
    gan = GAN(max_epochs=1, **SMALL).fit(X)
    gan.module_.discriminator = Sure()
    with pytest.warns(ConvergenceWarning, match="discriminator is saturated"):
        gan._measure(X + 50, Targets(np.ones(len(X))))


def test_one_loss_solvers_are_refused():
    with pytest.raises(ValueError, match="solver='lbfgs' minimizes one loss"):
        GAN(solver="lbfgs").fit(moons()[0])


def test_there_is_no_density_to_score_by():
    assert not hasattr(GAN(), "score")
    assert not hasattr(GAN(), "score_samples")


@pytest.mark.filterwarnings("ignore:Mode collapse")  # after one epoch
@pytest.mark.parametrize(("n", "n_frequencies"), [(1, 0), (3, 1), (10, 3), (400, 5)])
def test_periods_are_no_shorter_than_two_spacings(n, n_frequencies):
    """Of rows on a line; those without weight, which lie between, do not count."""
    X = np.arange(2.0 * n)[:, None] @ np.ones((1, 3))
    gan = GAN(max_epochs=1, warm_start=True, **SMALL)
    gan.fit(X, sample_weight=np.arange(2 * n) % 2)
    periods = 2 * np.pi / gan.module_.discriminator[0].frequencies.numpy()
    spacing = 1 / np.arange(n).std() if n > 1 else np.inf
    np.testing.assert_allclose(periods, [p for p in (4, 2, 1, 0.5, 0.25) if p >= 2 * spacing])
    assert len(periods) == n_frequencies
    # Training goes on with rows that lie closer.
    assert gan.fit(np.random.default_rng(0).normal(size=(500, 3))).n_iter_ == 2
