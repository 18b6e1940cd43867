"""Adversarial autoencoders: codes have the prior's distribution, and rows come back from them."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import shuffle

from sklseq.autoencoder import Autoencoder
from sklseq.generative import AAE
from sklseq.metrics import energy_distance

DIGITS, LABELS = shuffle(*load_digits(return_X_y=True), random_state=0)
DIGITS, LABELS = DIGITS[:600] / 16, LABELS[:600]
SMALL = {"hidden_layer_sizes": (64,), "random_state": 0}


def blobs(n=300, centers=4):
    X, y = make_blobs(n, centers=centers, cluster_std=0.4, n_features=5, random_state=3)
    return (X - X.mean(0)) / X.std(0), y


def p_value(codes, draws, n_permutations=100):
    """Of a permutation test by the energy distance."""
    rng = np.random.default_rng(0)
    both, n = np.concatenate([codes, draws]), len(codes)
    observed = energy_distance(codes, draws)
    orders = (rng.permutation(len(both)) for _ in range(n_permutations))
    chance = [energy_distance(both[order[:n]], both[order[n:]]) for order in orders]
    return (1 + np.sum(np.array(chance) >= observed)) / (1 + n_permutations)


@pytest.fixture(scope="module")
def digits():
    return AAE(n_components=4, max_epochs=100, **SMALL).fit(DIGITS)


def test_codes_are_distributed_as_the_prior(digits):
    codes = digits.transform(DIGITS)[:200]
    draws = np.random.default_rng(0).normal(size=codes.shape)
    assert p_value(codes, draws) > 0.05
    # What the test is worth: it finds the codes of an autoencoder without a discriminator.
    plain = AAE(n_components=4, max_epochs=20, adversarial_weight=0, **SMALL).fit(DIGITS)
    assert p_value(plain.transform(DIGITS)[:200], draws) < 0.02


def test_rows_come_back_as_from_an_autoencoder(digits):
    settings = {"n_components": 4, "max_epochs": 100, "batch_size": 128, **SMALL}
    plain = Autoencoder(**settings).fit(DIGITS).reconstruct(DIGITS)
    back = digits.inverse_transform(digits.transform(DIGITS))
    assert ((back - DIGITS) ** 2).mean() < 1.25 * ((plain - DIGITS) ** 2).mean()


def test_interpolation_ends_in_the_reconstructions(digits):
    path = digits.interpolate(DIGITS[0], DIGITS[1], 5)
    back = digits.inverse_transform(digits.transform(DIGITS[:2]))
    np.testing.assert_allclose(path[[0, -1]], back, atol=1e-5)


def test_digits_asked_for_are_digits_given():
    model = AAE(n_components=4, conditional=True, max_epochs=80, **SMALL).fit(DIGITS, LABELS)
    asked = np.repeat(np.arange(10), 30)
    rows = model.sample(300, y=asked, random_state=0)
    classifier = KNeighborsClassifier(5).fit(DIGITS, LABELS)
    assert classifier.score(rows, asked) >= 0.9
    # Rows are given back as their own class where it is not told.
    back = model.inverse_transform(model.transform(DIGITS), LABELS)
    assert ((back - DIGITS) ** 2).mean() < 0.6 * DIGITS.var(axis=0).mean()


def test_a_mixture_lies_on_a_ring_with_a_cluster_in_each_part():
    X, y = blobs()
    # What the third value can tell; codes of tight clusters alone have nothing to fill it with.
    X = np.column_stack([X, np.random.default_rng(0).normal(size=len(X))])
    settings = {"prior": "mixture", "n_prior_components": 4, "n_components": 3, "batch_size": 32}
    model = AAE(max_epochs=60, **settings, **SMALL).fit(X)
    codes = model.transform(X)
    draws = model._prior_codes(1000, np.random.default_rng(0))
    for values in (codes, draws):
        quarter = np.round(np.arctan2(values[:, 1], values[:, 0]) / (np.pi / 2)) % 4
        assert (np.bincount(quarter.astype(int)) > 0.2 * len(values)).all()
        assert np.hypot(values[:, 0], values[:, 1]).mean() == pytest.approx(3.1, abs=0.4)
        # Of a standard normal value 0.80.
        assert np.abs(values[:, 2]).mean() == pytest.approx(0.8, abs=0.15)
    quarter = np.round(np.arctan2(codes[:, 1], codes[:, 0]) / (np.pi / 2)) % 4
    assert adjusted_rand_score(y, quarter) > 0.8


@pytest.mark.parametrize("seed", [0, 1])
def test_categories_are_clusters(seed):
    X, y = blobs()
    settings = {"prior": "categorical", "n_prior_components": 4, "batch_size": 32}
    model = AAE(max_epochs=30, **settings, **SMALL | {"random_state": seed}).fit(X)
    codes = model.transform(X)
    assert codes.shape == (300, 4 + 2)
    assert len(model.get_feature_names_out()) == 6
    np.testing.assert_allclose(codes[:, :4].sum(axis=1), 1, atol=1e-5)
    clusters = model.set_output(transform="pandas").predict_clusters(X)
    np.testing.assert_array_equal(clusters, codes[:, :4].argmax(axis=1))
    assert adjusted_rand_score(y, clusters) > 0.8
    assert model.inverse_transform(codes).shape == X.shape


def test_there_is_no_density_to_score_by():
    assert not hasattr(AAE(), "score")
    assert not hasattr(AAE(), "score_samples")
    assert not hasattr(AAE(), "predict_clusters")
    with pytest.raises(AttributeError) as raised:
        AAE().predict_clusters([[0.0]])
    assert "needs prior='categorical'" in str(raised.value.__cause__)


def test_early_stopping_weighs_both_parts():
    X, _ = blobs()
    model = AAE(early_stopping=True, max_epochs=10, **SMALL).fit(X)
    assert len(model.validation_scores_) == model.n_iter_


def test_rows_without_weight_are_not_learned():
    X, _ = blobs()
    weights = np.repeat([1.0, 0.0], 150)
    X = np.concatenate([X[:150], X[:150] + 30])
    model = AAE(max_epochs=40, **SMALL).fit(X, sample_weight=weights)
    assert np.abs(model.sample(200, random_state=0)).max() < 15


def test_what_cannot_be_is_refused():
    X, _ = blobs()
    for settings, words in (
        ({"solver": "lbfgs"}, "solver='lbfgs' minimizes one loss"),
        ({"prior": "mixture", "n_components": 1}, "n_components=1"),
        ({"prior": "categorical", "latent_prior": "gmm"}, "draws no categories"),
        ({"n_prior_components": 1}, "n_prior_components"),
    ):
        with pytest.raises(ValueError, match=words):
            AAE(**settings).fit(X)
