"""Flows as density estimators: equal to what is known exactly, honest where it is not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, multivariate_t
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine, make_moons
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from sklseq.generative import VAE, Glow, RealNVP

FLOWS = [RealNVP, Glow]
SMALL = {"n_layers": 4, "hidden_layer_sizes": (16,), "random_state": 0}


def moons(n=300):
    return make_moons(n, noise=0.1, random_state=0)


def test_linear_glow_is_the_normal_distribution():
    X = StandardScaler().fit_transform(load_wine().data)
    flow = Glow(n_layers=0, solver="lbfgs", dtype="float64", max_epochs=60, random_state=0).fit(X)
    expected = GaussianMixture(1, reg_covar=0).fit(X).score(X)
    assert flow.score(X) == pytest.approx(expected, abs=1e-3)


def test_realnvp_of_no_layers_has_independent_features():
    X = load_wine().data
    flow = RealNVP(n_layers=0, dtype="float64", max_epochs=1, learning_rate=1e-12).fit(X)
    expected = multivariate_normal(X.mean(0), np.diag(X.var(0))).logpdf(X)
    np.testing.assert_allclose(flow.score_samples(X), expected)


@pytest.mark.parametrize("cls", FLOWS)
@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_density_sums_to_one_on_a_grid(cls, coupling):
    X, _ = moons()
    flow = cls(coupling=coupling, n_bins=4, max_epochs=20, learning_rate=0.01, **SMALL).fit(X)
    x, y = np.meshgrid(np.linspace(-6, 7, 300), np.linspace(-5, 5, 300))
    density = np.exp(flow.score_samples(np.column_stack([x.ravel(), y.ravel()])))
    assert density.sum() * (13 / 299) * (10 / 299) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("cls", FLOWS)
def test_training_raises_the_likelihood_above_a_gaussian(cls):
    X, _ = moons()
    flow = cls(max_epochs=60, learning_rate=0.01, **SMALL).fit(X)
    assert flow.score(X) > GaussianMixture(1).fit(X).score(X) + 0.4


def test_scores_are_in_the_units_of_the_data():
    X, _ = moons()
    settings = {"max_epochs": 3, "dtype": "float64", **SMALL}
    as_given, scaled = RealNVP(**settings).fit(X), RealNVP(**settings).fit(100 * X)
    # A density per hundredth of each of two units.
    np.testing.assert_allclose(
        scaled.score_samples(100 * X), as_given.score_samples(X) - 2 * np.log(100)
    )


def test_transform_makes_noise_of_data_class_by_class():
    X, y = moons()
    flow = Glow(conditional=True, max_epochs=60, learning_rate=0.01, **SMALL).fit(X, y)
    Z = flow.transform(X, y)
    for c in (0, 1):
        np.testing.assert_allclose(Z[y == c].mean(0), 0, atol=0.6)
        np.testing.assert_allclose(Z[y == c].std(0), 1, atol=0.4)
    np.testing.assert_allclose(flow.inverse_transform(Z, y), X, atol=1e-4)
    # The most probable class is nearly always the true one.
    assert np.mean(np.all(flow.transform(X) == Z, axis=1)) > 0.95


def test_heavy_tails_are_learned_scored_and_drawn():
    X = multivariate_t([0, 0, 0], np.diag([1.0, 4.0, 9.0]), df=2).rvs(1000, random_state=0)
    train, test = X[:700], X[700:]
    settings = {"n_layers": 0, "max_epochs": 100, "batch_size": 700, "learning_rate": 0.05}
    normal = Glow(random_state=0, **settings).fit(train)
    heavy = Glow(base="student", random_state=0, **settings).fit(train)
    assert heavy.score(test) > normal.score(test) + 0.3
    assert 1 < heavy.module_.base.degrees_of_freedom < 4
    # Their largest values are what tells such samples from normal ones.
    far = np.abs(heavy.sample(1000, random_state=0)).max(axis=0)
    assert (far > 2 * np.abs(normal.sample(1000, random_state=0)).max(axis=0)).any()


def test_weight_decay_leads_back_to_the_normal_distribution():
    X = load_wine().data
    settings = {"n_layers": 2, "hidden_layer_sizes": (4,), "solver": "adamw", "dtype": "float64"}
    flow = Glow(weight_decay=99.0, learning_rate=0.01, max_epochs=50, random_state=0, **settings)
    expected = multivariate_normal(X.mean(0), np.cov(X.T, bias=True)).logpdf(X)
    np.testing.assert_allclose(flow.fit(X).score_samples(X), expected, atol=0.3)


def test_model_selection_by_likelihood():
    X, _ = moons(100)
    search = GridSearchCV(RealNVP(max_epochs=2, **SMALL), {"n_layers": [1, 2]}, cv=2).fit(X)
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])


def test_flows_of_images():
    rng = np.random.default_rng(0)
    # Every image is one level and a little noise: neighbors tell each other.
    X = rng.normal(size=(300, 1)) + 0.1 * rng.normal(size=(300, 16))
    settings = {"n_layers": 2, "hidden_layer_sizes": (8,), "max_epochs": 40, "batch_size": 50}
    flow = Glow(image_shape=(4, 4), learning_rate=0.01, random_state=0, **settings).fit(X[:200])
    independent = GaussianMixture(1, covariance_type="diag").fit(X[:200])
    assert flow.score(X[200:]) > independent.score(X[200:]) + 5
    np.testing.assert_allclose(flow.inverse_transform(flow.transform(X)), X, atol=1e-5)
    images = flow.sample(100, random_state=0)
    assert images.shape == (100, 16)
    assert images.std(axis=1).mean() < images.mean(axis=1).std()


def test_pixels_may_be_integers_that_never_vary():
    digits = load_digits().data[:300].astype(int)
    settings = {"n_layers": 1, "hidden_layer_sizes": (4,), "max_epochs": 2, "random_state": 0}
    glow = Glow(image_shape=(8, 8), **settings).fit(digits)
    images = glow.sample(100, random_state=0)
    assert images.dtype == digits.dtype
    assert (images >= digits.min(axis=0)).all()
    assert (images <= digits.max(axis=0)).all()
    assert np.isfinite(glow.score_samples(digits)).all()
    with pytest.raises(ValueError, match=r"Feature 0 is constant.*Turn the pixels into integers"):
        glow.fit(digits.astype(float))
    with pytest.raises(ValueError, match=r"Flatten images: X.reshape\(len\(X\), -1\)"):
        glow.fit(digits.reshape(-1, 8, 8))


@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.parametrize("cls", FLOWS)
def test_a_constant_whole_number_costs_next_to_nothing(cls, as_frame):
    x = np.random.default_rng(0).poisson(20, size=400)
    without, beside = x[:, None], np.column_stack([x, np.full(400, 7)])
    if as_frame:
        without, beside = pd.DataFrame(without), pd.DataFrame(beside)
    flow = cls(n_layers=0, max_epochs=2, dtype="float64", random_state=0)
    # The normal distribution nearest to the interval that a number stands for: -log(12 / (2 pi e))
    # / 2 = -0.18 nats.
    difference = clone(flow).fit(beside).score(beside) - flow.fit(without).score(without)
    assert difference == pytest.approx(-0.176, abs=0.02)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 16), "even height"),
        ((16,), r"is not \(height, width\)"),
        ((2, 4), "has 8 values"),
        ((0, 2), "holds 0"),
    ],
)
def test_image_shapes_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        Glow(image_shape=shape).fit(np.random.default_rng(0).normal(size=(20, 16)))


def test_a_constant_feature_has_no_density():
    X, _ = moons()
    with pytest.raises(ValueError, match="Feature 1 is constant"):
        RealNVP(**SMALL).fit(np.column_stack([X[:, 0], np.ones(len(X))]))


def test_rows_outside_the_domain_of_splines_are_told():
    X = np.random.default_rng(0).normal(size=(300, 2))
    with pytest.warns(UserWarning, match=r"lie more than bound=1 standard deviations"):
        RealNVP(coupling="spline", bound=1.0, max_epochs=1, **SMALL).fit(X)
    X[:10], weight = 50, np.ones(300)
    flow = RealNVP(coupling="spline", max_epochs=1, **SMALL)
    with pytest.warns(UserWarning, match=r"lie more than bound=5 standard deviations"):
        flow.fit(X)
    weight[:10] = 0
    flow.fit(X, sample_weight=weight)  # and here nothing is told


def test_layer_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="not a number of units"):
        RealNVP(hidden_layer_sizes=(8, 0)).fit(moons()[0])


def test_noise_of_another_width_is_refused():
    flow = RealNVP(max_epochs=1, **SMALL).fit(moons()[0])
    with pytest.raises(ValueError, match="Z has 3 features, expected 2"):
        flow.inverse_transform(np.zeros((4, 3)))


def test_images_do_not_go_on_from_a_table():
    X, _ = moons(40)
    X = np.column_stack([X, X[::-1]])
    flow = Glow(warm_start=True, max_epochs=1, **SMALL).fit(X)
    with pytest.raises(ValueError, match="image_shape was None, now"):
        flow.set_params(image_shape=(2, 2)).fit(X)
    flow.set_params(warm_start=False).fit(X).set_params(warm_start=True, image_shape=None)
    with pytest.raises(ValueError, match=r"image_shape was \(2, 2\), now None"):
        flow.fit(X)


@pytest.mark.filterwarnings("error")
def test_a_class_without_weight_has_no_share():
    X, y = moons(60)
    flow = RealNVP(conditional=True, max_epochs=2, **SMALL).fit(X, y, sample_weight=1.0 - y)
    assert np.isfinite(flow.score_samples(X)).all()
    np.testing.assert_allclose(flow.score_samples(X), flow.score_samples(X, 0), rtol=1e-5)


@pytest.mark.parametrize("cls", [RealNVP, Glow])
def test_rows_on_a_plane_are_told(cls):
    X = np.random.default_rng(0).normal(size=(20, 3))
    for rows in (np.column_stack([X, X @ [1.0, -2.0, 0.5]]), X[:3]):
        with pytest.warns(UserWarning, match="linear function of other features.*PCA"):
            cls(max_epochs=1).fit(rows)


@pytest.mark.parametrize("cls", [RealNVP, Glow, VAE])
def test_rows_far_from_zero_are_as_good_as_any(cls):
    X = np.random.default_rng(0).normal(size=(100, 2))
    settings = {"max_epochs": 5, "random_state": 0}
    near, far = cls(**settings).fit(X), cls(**settings).fit(X + 1e8)
    np.testing.assert_allclose(far.score_samples(X + 1e8), near.score_samples(X), atol=0.1)
    drawn = far.sample(50, random_state=0) - 1e8
    np.testing.assert_allclose(drawn, near.sample(50, random_state=0), atol=0.1)


@pytest.mark.parametrize("cls", [RealNVP, Glow])
def test_one_feature_has_two_modes(cls):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(-3, 0.3, 300), rng.normal(3, 0.3, 300)])[:, None]
    flow = cls(n_layers=4, max_epochs=60, learning_rate=0.005, random_state=0).fit(X)
    assert np.mean(np.abs(flow.sample(1000, random_state=0)) < 1.5) < 0.05
    y = np.arange(600) % 2
    given = cls(n_layers=2, conditional=True, max_epochs=2, random_state=0).fit(X, y)
    assert given.sample(4, y=[0, 0, 1, 1]).shape == (4, 1)


@pytest.mark.parametrize(("dtype", "atol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_without_couplings_a_flow_is_the_normal_distribution(dtype, atol):
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal([0, 50, 0], [[1, 0.8, 0], [0.8, 1, 0.3], [0, 0.3, 4]], 200)
    weights = rng.uniform(0.5, 2, size=200)
    mean, covariance = np.average(X, axis=0, weights=weights), np.cov(X.T, aweights=weights, ddof=0)
    # Weights that do not sum to whole numbers have no part in it.
    for cls, expected in ((Glow, covariance), (RealNVP, np.diag(np.diag(covariance)))):
        flow = cls(n_layers=0, max_epochs=3, dtype=dtype, random_state=0, weight_decay=0.1)
        scores = flow.fit(X, sample_weight=weights).score_samples(X)
        normal = multivariate_normal(mean, expected).logpdf(X)
        np.testing.assert_allclose(scores, normal, atol=atol, rtol=atol)
