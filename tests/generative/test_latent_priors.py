"""Priors fitted to codes after training: what samples come from, and that nothing else changes."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris, make_moons

from sklseq.autoencoder import Autoencoder
from sklseq.generative import AAE, VAE
from sklseq.metrics import energy_distance
from sklseq.parts import latent_priors
from sklseq.parts.latent_priors import fit_latent_prior

IRIS, SPECIES = load_iris(return_X_y=True)
SMALL = {"hidden_layer_sizes": (16,), "max_epochs": 5, "random_state": 0}
KINDS = ("normal", "gmm", "flow")


@pytest.fixture(autouse=True)
def quick_flows(monkeypatch):
    quick = {"max_epochs": 30, "learning_rate": 5e-3}
    monkeypatch.setattr(latent_priors, "_FLOW_TRAINING", latent_priors._FLOW_TRAINING | quick)


def moons(n=300):
    return make_moons(n, noise=0.05, random_state=0)


def fitted(codes, kind, weights=None, classes=None):
    """A latent prior fitted to these codes."""
    weights = np.ones(len(codes)) if weights is None else weights
    return fit_latent_prior(kind, codes, weights, classes, seed=0)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_drawn_as_they_lie(kind):
    noise = np.random.default_rng(0).normal(size=(300, 2))
    codes = noise @ [[3.0, 0.05], [0.0, 0.1]] + [50.0, 0.0]
    drawn = fitted(codes, kind).draw(2000, None, np.random.default_rng(0))
    assert_allclose(drawn.mean(0), codes.mean(0), atol=0.15 * codes.std(0).max())
    assert_allclose(np.cov(drawn.T), np.cov(codes.T), atol=0.25 * np.cov(codes.T).max())


def test_mixture_and_flow_see_what_a_normal_distribution_does_not():
    codes = moons()[0]
    far = {
        kind: energy_distance(codes, fitted(codes, kind).draw(1000, None, np.random.default_rng(0)))
        for kind in KINDS
    }
    assert far["gmm"] < 0.5 * far["normal"]
    assert far["flow"] < 0.7 * far["normal"]


def test_a_normal_distribution_has_one_part_and_noise_needs_no_more():
    codes = np.random.default_rng(0).normal(size=(300, 2))
    assert len(fitted(codes, "normal").mixtures[0][0]) == 1
    assert len(fitted(codes, "gmm").mixtures[0][0]) == 1
    assert len(fitted(moons()[0], "gmm").mixtures[0][0]) > 2


@pytest.mark.parametrize("kind", KINDS)
def test_each_class_has_its_own(kind):
    codes, y = moons()
    classes = np.eye(3)[y]  # the third has no rows
    prior = fitted(codes, kind, classes=classes)
    for c in (0, 1):
        drawn = prior.draw(500, np.eye(3)[np.full(500, c)], np.random.default_rng(0))
        own, other = (energy_distance(codes[y == k], drawn) for k in (c, 1 - c))
        assert own < 0.2 * other
    assert np.isfinite(prior.draw(5, np.eye(3)[np.full(5, 2)], np.random.default_rng(0))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_weights_count(kind):
    codes = np.concatenate([moons()[0], moons()[0] + 100])
    drawn = fitted(codes, kind, weights=np.repeat([1.0, 0.0], 300))
    assert drawn.draw(300, None, np.random.default_rng(0)).max() < 50


@pytest.mark.parametrize("kind", KINDS)
def test_codes_without_density_are_drawn_too(kind):
    alike = np.column_stack([np.zeros(60), np.repeat([1.0, 2.0], 30)])
    one = np.ones((1, 2))
    for codes in (alike, one):
        drawn = fitted(codes, kind).draw(100, None, np.random.default_rng(0))
        assert np.isfinite(drawn).all()
        assert_allclose(drawn.mean(0), codes.mean(0), atol=0.4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cls", [Autoencoder, VAE, AAE])
def test_samples_repeat_after_pickling_and_scores_stay(cls, kind):
    model = cls(latent_prior=kind, **SMALL).fit(IRIS)
    rows = model.sample(6, random_state=0)
    assert rows.shape == (6, 4)
    assert rows.dtype == IRIS.dtype
    assert_array_equal(model.sample(6, random_state=0), rows)
    assert_array_equal(pickle.loads(pickle.dumps(model)).sample(6, random_state=0), rows)
    assert (model.sample(6, random_state=1) != rows).any()
    plain = cls(**SMALL).fit(IRIS)
    assert_array_equal(plain.transform(IRIS), model.transform(IRIS))
    if hasattr(model, "score_samples"):
        assert_array_equal(plain.score_samples(IRIS), model.score_samples(IRIS))


@pytest.mark.parametrize("kind", ["gmm", "flow"])
def test_skops_trusts_nothing_but_our_own_names(kind, tmp_path):
    skops = pytest.importorskip("skops.io")
    model = VAE(latent_prior=kind, conditional=True, **SMALL).fit(IRIS, SPECIES)
    skops.dump(model, tmp_path / "model.skops")
    untrusted = skops.get_untrusted_types(file=tmp_path / "model.skops")
    assert all(name.startswith("sklseq.") for name in untrusted), untrusted
    loaded = skops.load(tmp_path / "model.skops", trusted=untrusted)
    rows = model.sample(4, y=1, random_state=0)
    assert_array_equal(loaded.sample(4, y=1, random_state=0), rows)


def test_an_autoencoder_samples_with_a_latent_prior_alone():
    model = Autoencoder(**SMALL).fit(IRIS)
    assert not hasattr(model, "sample")
    with pytest.raises(AttributeError) as error:
        model.set_params(latent_prior="gmm").sample(3)
    assert "fit again" in str(error.value.__cause__)
    rows = model.set_params(max_epochs=50).fit(IRIS).sample(500, random_state=0)
    noise = np.random.default_rng(0).normal(IRIS.mean(0), IRIS.std(0), size=(500, 4))
    assert energy_distance(IRIS, rows) < 0.5 * energy_distance(IRIS, noise)
    for n in (0, -1, 1.5):
        with pytest.raises((ValueError, TypeError), match="n_samples"):
            model.sample(n)


def test_partial_fit_refits_the_prior():
    model = Autoencoder(latent_prior="normal", **SMALL).fit(IRIS)
    before = model._latent_distribution.mixtures[0][1]
    model.partial_fit(IRIS[:50])
    codes = model.transform(IRIS[:50])
    assert_allclose(model._latent_distribution.mixtures[0][1][0], codes.mean(0), rtol=1e-5)
    assert not np.allclose(before, codes.mean(0))


def test_samples_of_a_vae_come_nearer_with_a_fitted_prior():
    # Little weight on the divergence: codes are sharp, and far from standard normal.
    far = {}
    for kind in (None, "gmm", "flow"):
        model = VAE(latent_prior=kind, beta=0.05, hidden_layer_sizes=(16,), random_state=0)
        far[kind] = energy_distance(IRIS, model.fit(IRIS).sample(1000, random_state=0))
    assert far["gmm"] < 0.7 * far[None]
    assert far["flow"] < 0.7 * far[None]


def test_class_asked_is_class_given():
    for kind in KINDS:
        model = VAE(latent_prior=kind, conditional=True, **SMALL | {"max_epochs": 50})
        model.fit(IRIS, SPECIES)
        for c in range(3):
            means = [IRIS[k == SPECIES].mean(0) for k in range(3)]
            drawn = model.sample(300, y=c, random_state=0).mean(0)
            assert np.argmin([((drawn - m) ** 2).sum() for m in means]) == c
