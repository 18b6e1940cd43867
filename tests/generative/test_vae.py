"""Variational autoencoders: PCA where they are linear, and their terms do what they say."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklseq.generative import VAE

IRIS = StandardScaler().fit_transform(load_iris().data)
SMALL = {"hidden_layer_sizes": (16,), "learning_rate": 0.01, "random_state": 0}
LINEAR = {"hidden_layer_sizes": (), "lr_schedule": "cosine", "dtype": "float64", "random_state": 0}


def collapsed(X):
    """Score of independent normal features of one variance."""
    return -0.5 * X.shape[1] * (np.log(2 * np.pi * X.var(axis=0).mean()) + 1)


def divergence(model, X):
    """Nats that the code of a row tells, on average."""
    with torch.no_grad():
        return model.module_(torch.from_numpy(X).float())[1].sum(dim=1).mean().item()


def test_linear_vae_with_learned_noise_is_pca():
    X = StandardScaler().fit_transform(load_wine().data)
    model = VAE(learning_rate=0.02, max_epochs=300, batch_size=10_000, **LINEAR).fit(X)
    pca = PCA(2).fit(X).score(X)
    assert model.score(X) == pytest.approx(pca, abs=0.015 * (pca - collapsed(X)))
    assert model.score(X) <= pca + 1e-6
    assert model.set_params(bound="iwae").fit(X).score(X) == pytest.approx(pca, abs=0.02)


def test_common_random_numbers_make_a_linear_vae_pca_to_the_digit():
    pca = PCA(2).fit(IRIS).score(IRIS)
    model = VAE(solver="lbfgs", common_random_numbers=True, max_epochs=30, **LINEAR).fit(IRIS)
    assert model.score(IRIS) == pytest.approx(pca, abs=2e-3)


def test_linear_vae_with_diagonal_noise_is_factor_analysis():
    X = StandardScaler().fit_transform(load_wine().data)
    model = VAE(noise="diagonal", learning_rate=0.02, max_epochs=200, **LINEAR).fit(X)
    assert model.score(X) == pytest.approx(FactorAnalysis(2).fit(X).score(X), abs=0.1)


def test_collapsed_vae_scores_as_one_normal_and_says_so():
    model = VAE(beta=1e4, max_epochs=60, **SMALL)
    with pytest.warns(ConvergenceWarning, match="Posterior collapse"):
        model.fit(IRIS)
    assert not model.active_units_.any()
    assert model.score(IRIS) == pytest.approx(collapsed(IRIS), abs=0.1)


def test_beta_and_free_bits_set_how_much_the_code_tells():
    settings = {"max_epochs": 60, **SMALL}
    plain, strong, free = (
        divergence(VAE(**settings, **changed).fit(IRIS), IRIS)
        for changed in ({}, {"beta": 4.0}, {"beta": 4.0, "free_bits": 1.5})
    )
    assert strong < plain - 0.3
    assert free > strong + 0.3


def test_warm_up_starts_without_divergence():
    # With one epoch of a long warm-up the divergence has hardly any weight, as with beta near 0.
    settings = {"max_epochs": 20, **SMALL}
    warm = VAE(kl_warm_up=10_000, **settings).fit(IRIS)
    none = VAE(beta=1e-3, **settings).fit(IRIS)
    full = VAE(**settings).fit(IRIS)
    tells = [divergence(m, IRIS) for m in (warm, none, full)]
    assert tells[0] == pytest.approx(tells[1], rel=0.05)
    assert tells[0] > tells[2] + 0.2


def test_held_out_rows_meet_the_whole_divergence():
    # Else the held-out loss would rise with the warm-up, and its first epochs be kept.
    settings = SMALL | {"early_stopping": True, "max_epochs": 1, "learning_rate": 1e-12}
    losses = [VAE(kl_warm_up=k, **settings).fit(IRIS).validation_scores_[0] for k in (0, 10_000)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    with pytest.raises(ValueError, match="kl_warm_up=3"):
        VAE(kl_warm_up=3, solver="lbfgs").fit(IRIS)


def test_importance_weighted_bound_is_tighter():
    model = VAE(max_epochs=30, **SMALL).fit(IRIS)
    elbo = model.score_samples(IRIS)
    iwae = model.set_params(bound="iwae").fit(IRIS).score_samples(IRIS)
    assert iwae.mean() > elbo.mean()


def test_bernoulli_draws_zeros_and_ones():
    X = load_digits().data[:400] / 16
    model = VAE(likelihood="bernoulli", max_epochs=30, **SMALL).fit(X)
    assert set(np.unique(model.sample(50, random_state=0))) == {0.0, 1.0}
    np.testing.assert_allclose(model.sample(5000, random_state=0).mean(0), X.mean(0), atol=0.1)
    with pytest.raises(ValueError, match=r"values in \[0, 1\], but X is .* feature 0"):
        VAE(likelihood="bernoulli").fit(IRIS)


def test_samples_have_the_moments_of_the_data():
    model = VAE(max_epochs=100, **SMALL).fit(IRIS)
    rows = model.sample(5000, random_state=0)
    np.testing.assert_allclose(rows.mean(0), 0, atol=0.25)
    np.testing.assert_allclose(np.cov(rows.T), np.cov(IRIS.T), atol=0.35)


def test_codes_lead_back_to_rows():
    model = VAE(max_epochs=100, **SMALL).fit(IRIS)
    back = model.inverse_transform(model.transform(IRIS))
    assert ((back - IRIS) ** 2).mean() < 0.3
    path = model.interpolate(IRIS[0], IRIS[-1], 5)
    np.testing.assert_allclose(path[[0, -1]], back[[0, -1]], atol=1e-5)
    halfway = model.inverse_transform(model.transform(IRIS[[0, -1]]).mean(0, keepdims=True))
    np.testing.assert_allclose(path[2], halfway[0], atol=1e-5)


def test_a_fixed_noise_is_kept():
    model = VAE(noise=0.5, max_epochs=2, **SMALL).fit(IRIS)
    assert model.module_.likelihood.log_scale().exp().item() == pytest.approx(0.5)


@pytest.mark.parametrize("settings", [{"conditional": True}, {"likelihood": "bernoulli"}, {}])
def test_codes_of_digits_tell_something_by_default(settings):
    X, y = load_digits(return_X_y=True)
    model = VAE(n_components=8, random_state=0, **settings).fit(X[::2] / 16, y[::2])
    assert model.active_units_.sum() >= 4


@pytest.mark.parametrize(("scale", "shift"), [(0.01, 0.0), (1.0, 100.0), (1000.0, -3000.0)])
def test_units_and_origins_of_features_do_not_matter(scale, shift):
    X = load_digits().data[:300, 20:28]
    settings = {"n_components": 2, "max_epochs": 20, "dtype": "float64", "random_state": 0}
    model = VAE(**settings).fit(X)
    other = VAE(**settings).fit(scale * X + shift)
    np.testing.assert_allclose(
        other.score(scale * X + shift) + X.shape[1] * np.log(scale), model.score(X), atol=0.2
    )
    assert (other.active_units_ == model.active_units_).all()
