"""Weights: exact radii, the promised structure, the same draw from the same seed."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from sklseq.nn.reservoir import (
    TOPOLOGIES,
    StructuredMatrix,
    input_weights,
    orthogonal,
    recurrent_weights,
    rescaled,
    spectral_radius,
)


def dense(matrix):
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def radius_by_eigenvalues(matrix):
    return np.abs(np.linalg.eigvals(dense(matrix))).max()


@pytest.mark.parametrize("topology", sorted(set(TOPOLOGIES) - {"delay_line"}))
@pytest.mark.parametrize("seed", [0, 1])
def test_the_radius_is_the_one_asked_for(topology, seed):
    weights = recurrent_weights(64, topology, spectral_radius=0.83, seed=seed)
    assert radius_by_eigenvalues(weights) == pytest.approx(0.83, rel=1e-10)


@pytest.mark.parametrize("distribution", ["normal", "uniform", "bernoulli"])
def test_random_weights_have_exactly_their_density(distribution):
    weights = recurrent_weights(50, density=0.2, distribution=distribution, seed=0)
    assert weights.nnz == 500
    if distribution == "bernoulli":
        assert len(np.unique(np.abs(weights.data))) == 1


@pytest.mark.parametrize("topology", sorted(TOPOLOGIES))
def test_the_same_seed_draws_the_same(topology):
    one, two, other = (dense(recurrent_weights(32, topology, seed=s)) for s in (3, 3, 4))
    assert (one == two).all()
    if topology not in ("ring", "delay_line", "jumps"):
        assert (one != other).any()


def test_a_seed_may_be_a_generator():
    rng = np.random.default_rng(3)
    assert (recurrent_weights(9, seed=rng) != recurrent_weights(9, seed=3)).nnz == 0
    assert (recurrent_weights(9, seed=rng) != recurrent_weights(9, seed=3)).nnz > 0


@pytest.mark.parametrize(
    ("matrix", "radius"),
    [
        (np.zeros((4, 4)), 0.0),
        (np.triu(np.ones((5, 5)), 1), 0.0),
        (np.diag([0.2, -0.7]), 0.7),
        (np.roll(np.diag([4.0, 1.0, 2.0]), 1, axis=0), 2.0),
        (np.array([[0.0, -1.0], [1.0, 0.0]]) * 0.4, 0.4),
        (np.array([[3.0]]), 3.0),
    ],
)
def test_radii_in_closed_form(matrix, radius):
    assert spectral_radius(matrix) == pytest.approx(radius, rel=1e-14, abs=0)
    assert spectral_radius(sp.csr_array(matrix)) == pytest.approx(radius, rel=1e-14, abs=0)


@pytest.mark.parametrize("seed", range(5))
def test_radius_of_matrices_in_many_parts(seed):
    # A sparse random graph falls into strongly connected parts of all sizes.
    matrix = sp.random_array((60, 60), density=0.025, rng=seed)
    assert spectral_radius(matrix) == pytest.approx(radius_by_eigenvalues(matrix), rel=1e-9)


def test_orthogonal_and_almost_orthogonal_are_told_apart():
    q = orthogonal(np.random.default_rng(0), 40)
    assert spectral_radius(0.9 * q) == pytest.approx(0.9, rel=1e-12)
    q[0, 0] += 1e-3
    assert spectral_radius(q) == pytest.approx(radius_by_eigenvalues(q), rel=1e-12)


@pytest.mark.parametrize("converges", [True, False])
def test_large_sparse_radius_equals_dense(monkeypatch, converges):
    from sklseq.nn.reservoir.weights import spectrum

    monkeypatch.setattr(spectrum, "_DENSE_UNITS", 200)
    if not converges:

        def fails(*args, **kwargs):
            raise spectrum.ArpackError(-9999)

        monkeypatch.setattr(spectrum, "eigs", fails)
    matrix = sp.random_array((260, 260), density=0.05, rng=0)
    assert spectral_radius(matrix) == pytest.approx(radius_by_eigenvalues(matrix), rel=1e-9)


def test_structure():
    assert (
        dense(recurrent_weights(5, "delay_line", spectral_radius=0.5)) == 0.5 * np.eye(5, k=-1)
    ).all()
    jumps = dense(recurrent_weights(9, "jumps", jump=3, spectral_radius=1.0))
    assert jumps[3, 0] == jumps[0, 3] == jumps[0, 6] == 0.5 * jumps[1, 0]
    small_world = recurrent_weights(30, "small_world", density=0.2, rewiring=0.5, seed=0)
    assert (np.diff(small_world.indptr) == 6).all()
    assert not small_world.diagonal().any()
    blocks = dense(recurrent_weights(200, "blocks", n_blocks=4, coupling=0.1, seed=0)) != 0
    within = np.kron(np.eye(4), np.ones((50, 50))) == 1
    assert blocks[~within].mean() / blocks[within].mean() == pytest.approx(0.1, abs=0.03)
    assert blocks.mean() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("transform", "units"), [("cosine", 1), ("cosine", 12), ("cosine", 13), ("hadamard", 16)]
)
def test_structured_matrices_are_orthogonal(transform, units):
    matrix = StructuredMatrix(transform, np.ones((1, units)), scale=0.5)
    written = matrix.toarray()
    np.testing.assert_allclose(written @ written.T, 0.25 * np.eye(units), atol=1e-14)
    x = torch.randn(units, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(matrix.dot(x), written @ x.numpy(), atol=1e-14)


def test_the_cosine_transform_is_the_discrete_cosine_transform():
    from scipy.fft import dct

    matrix = StructuredMatrix("cosine", np.ones((1, 11)))
    np.testing.assert_allclose(matrix.toarray(), dct(np.eye(11), axis=0, norm="ortho"), atol=1e-14)


def test_input_scaling_is_per_input():
    weights = input_weights(1000, 3, scaling=[1, 0.1, 0], seed=0)
    np.testing.assert_allclose(np.abs(weights).max(axis=0), [1, 0.1, 0], rtol=0.01)
    sparse = input_weights(1000, 2, density=0.3, seed=0)
    assert np.mean(sparse != 0) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"topology": "star"}, "topology='star'"),
        ({"spectral_radius": -1}, "spectral_radius=-1"),
        ({"spectral_radius": np.nan}, "spectral_radius=nan"),
        ({"density": 0}, "density=0"),
        ({"distribution": "cauchy"}, "distribution='cauchy'"),
        ({"topology": "jumps", "jump": 10}, "10 apart"),
        ({"topology": "hadamard"}, "power of two, got 10"),
        ({"topology": "blocks", "density": 0.9}, "density=0.9"),
        ({"density": 0.01}, "spectral radius 0"),
    ],
)
def test_errors_name_the_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        recurrent_weights(10, **{"seed": 0} | arguments)


def test_more_errors():
    with pytest.raises(ValueError, match="square"):
        spectral_radius(np.ones((2, 3)))
    with pytest.raises(ValueError, match="not finite"):
        spectral_radius(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="input scaling"):
        input_weights(3, 2, scaling=[1, 2, 3])
    with pytest.raises(ValueError, match="cannot be scaled"):
        rescaled(np.zeros((2, 2)), 0.5)
