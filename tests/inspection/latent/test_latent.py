"""Latent spaces, reconstructions, modes and densities: against closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.autoencoder import Autoencoder, ConvolutionalAutoencoder, SequenceAutoencoder
from sklseq.generative import GAN, VAE, RealNVP, SequenceVAE
from sklseq.inspection import (
    density_grid,
    kl_per_unit,
    latent_projection,
    latent_traversal,
    mode_coverage,
    reconstructions,
)

pytestmark = pytest.mark.filterwarnings("ignore:Posterior collapse", "ignore:No mode")
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(80, 4))
SEQUENCES = [RNG.normal(size=(n, 2)) for n in RNG.integers(3, 7, size=30)]
SHORT = {"max_epochs": 2, "random_state": 0}


@pytest.mark.parametrize(
    ("model", "X"),
    [(VAE(n_components=3, dtype="float64", **SHORT), TABLE), (SequenceVAE(**SHORT), SEQUENCES)],
    ids=["VAE", "SequenceVAE"],
)
def test_divergences_are_expected_ratios_of_the_densities(model, X):
    model.fit(X)
    found = kl_per_unit(model, X)
    data = model._with_classes(model._read_fitted(X), None)
    mean, deviation = np.split(model._run("posterior_parameters", data).astype(float), 2, axis=1)
    # E_q[log q - log p], by Gauss-Hermite quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    z = mean[..., None] + deviation[..., None] * nodes
    gap = norm.logpdf(z, mean[..., None], deviation[..., None]) - norm.logpdf(z)
    assert_allclose(found.kl_rows, gap @ weights / weights.sum(), atol=1e-6)
    assert_allclose(found.kl, found.kl_rows.mean(axis=0))
    assert_allclose(found.active, model.active_units_)


def test_divergences_of_a_conditional_model_take_the_classes():
    y = np.arange(80) % 2
    model = VAE(conditional=True, **SHORT).fit(TABLE, y)
    assert not np.allclose(kl_per_unit(model, TABLE, y).kl, kl_per_unit(model, TABLE, 1 - y).kl)
    assert kl_per_unit(model, TABLE).kl.shape == (2,)


def test_many_dimensions_are_projected_as_by_pca():
    model = make_pipeline(StandardScaler(), Autoencoder(n_components=3, **SHORT)).fit(TABLE)
    found = latent_projection(model, TABLE)
    pca = PCA(2).fit(model.transform(TABLE))
    assert_allclose(found.coordinates, pca.transform(model.transform(TABLE)), atol=1e-6)
    assert_allclose(found.explained_variance_ratio, pca.explained_variance_ratio_)
    plane = Autoencoder(n_components=2, **SHORT).fit(TABLE)
    assert_allclose(latent_projection(plane, TABLE).coordinates, plane.transform(TABLE))


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (VAE(n_components=3, **SHORT), TABLE),
        (RealNVP(**SHORT), TABLE),
        (SequenceAutoencoder(n_components=3, **SHORT), SEQUENCES),
        (ConvolutionalAutoencoder(n_components=3, **SHORT), RNG.uniform(size=(12, 8, 8))),
    ],
    ids=lambda given: type(given).__name__,
)
def test_one_coordinate_moves_and_the_others_stay(model, X):
    model.fit(X)
    found = latent_traversal(model, X, components=[2, 0], n_points=3, coverage=1.0)
    codes = np.asarray(model.transform(X))
    assert_allclose(
        found.code_values[:, [0, -1]].T, [codes.min(axis=0)[[2, 0]], codes.max(axis=0)[[2, 0]]]
    )
    middle = codes.mean(axis=0)
    middle[2] = found.code_values[0, 1]
    expected = np.asarray(model.inverse_transform(middle[None])[0])
    assert_allclose(found.rows[0][1], expected, atol=1e-5)
    with pytest.raises(ValueError, match="components="):
        latent_traversal(model, X, components=[99])


def test_without_components_those_that_vary_most_are_taken():
    X = TABLE * [1, 10, 1, 5]
    found = latent_traversal(PCA(4).fit(X), X, n_points=2)
    assert list(found.components) == [0, 1, 2, 3]
    wide = RNG.normal(size=(50, 10)) * np.arange(1, 11)
    assert len(latent_traversal(PCA(10).fit(wide), wide).components) == 6


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (PCA(2), TABLE),
        (Autoencoder(**SHORT), TABLE),
        (VAE(**SHORT), TABLE),
        (SequenceAutoencoder(n_components=2, **SHORT), SEQUENCES),
        (SequenceVAE(**SHORT), SEQUENCES),
    ],
    ids=lambda given: type(given).__name__,
)
def test_errors_are_those_of_the_rows(model, X):
    model.fit(X)
    found = reconstructions(model, X)
    expected = [np.mean((a - b) ** 2) for a, b in zip(found.rows, found.reconstructed, strict=True)]
    assert_allclose(found.errors, expected)
    assert [row.shape for row in found.rows] == [np.shape(x) for x in X]


def test_modes_that_samples_miss_are_not_covered():
    y = np.arange(300) % 3
    X = 8 * np.eye(3)[y] + RNG.normal(size=(300, 3))
    found = mode_coverage(X, np.array(["a", "b", "c"])[y], X[y != 1])
    assert list(found.modes) == ["a", "b", "c"]
    assert_allclose(found.sample_share, [0.5, 0, 0.5])
    assert_allclose(found.data_share, 1 / 3)
    assert (found.n_covered, found.off_share) == (2, 0.0)
    far = mode_coverage(X, y, X + 100)
    assert (far.n_covered, far.off_share) == (0, 1.0)
    fresh = 8 * np.eye(3)[y] + RNG.normal(size=(300, 3))
    assert mode_coverage(X, y, fresh).off_share < 0.1
    with pytest.raises(ValueError, match="samples have 2 features"):
        mode_coverage(X, y, X[:, :2])


def test_densities_are_those_of_scores():
    rows = TABLE[:, :2]
    model = RealNVP(**SHORT).fit(rows)
    grid = density_grid(model, rows, n_points=5)
    expected = np.exp(model.score_samples([[grid.x[1], grid.y[3]]]))
    assert_allclose(grid.density[3, 1], expected[0], rtol=1e-5)
    assert grid.samples is None


def test_a_kernel_density_of_samples_has_the_mass_one():
    rows = TABLE[:, :2]
    model = GAN(**SHORT).fit(rows)
    grid = density_grid(model, model.sample(2000, random_state=0), margin=0.5, random_state=0)
    area = (grid.x[1] - grid.x[0]) * (grid.y[1] - grid.y[0])
    assert grid.density.sum() * area == pytest.approx(1, abs=0.05)
    assert grid.samples.shape == (2000, 2)


def test_what_has_no_latent_space_or_samples_is_refused():
    foreign = LogisticRegression().fit(TABLE, np.arange(80) % 2)
    for function in (
        latent_projection,
        latent_traversal,
        reconstructions,
        kl_per_unit,
        density_grid,
    ):
        with pytest.raises(TypeError, match="LogisticRegression"):
            function(foreign, TABLE)
    with pytest.raises(ValueError, match="4 features"):
        density_grid(RealNVP(**SHORT).fit(TABLE), TABLE)
