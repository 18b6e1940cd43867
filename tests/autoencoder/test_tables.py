"""Autoencoders of tables equal the closed forms that there are, and refuse what cannot work."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklseq.autoencoder import (
    Autoencoder,
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
)
from sklseq.autoencoder._typical_rows import typical_rows

ALL = [Autoencoder, ContractiveAutoencoder, DenoisingAutoencoder, SparseAutoencoder]
each = pytest.mark.parametrize("cls", ALL)
LINEAR = {"hidden_layer_sizes": (), "solver": "lbfgs", "dtype": "float64", "random_state": 0}


def quick(cls, **kwargs):
    settings = {"hidden_layer_sizes": (8,), "n_components": 3, "max_epochs": 5, "random_state": 0}
    return cls(**(settings | kwargs))


@pytest.fixture(scope="module")
def wine():
    return scale(load_wine().data)


# -- closed forms --------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_iris, load_wine])
@pytest.mark.parametrize("tied", [False, True])
def test_linear_autoencoder_is_pca(load, tied):
    X = scale(load().data) + 3
    pca = PCA(2).fit(X)
    projected = pca.inverse_transform(pca.transform(X))
    model = Autoencoder(tied_weights=tied, max_epochs=90, **LINEAR).fit(X)
    assert_allclose(-model.score(X), ((X - projected) ** 2).mean(), rtol=1e-6)
    assert_allclose(model.reconstruct(X), projected, atol=1e-2)


def test_weights_are_repetitions(wine):
    weights = np.random.default_rng(0).integers(0, 3, len(wine))
    kept = np.repeat(wine, weights, axis=0)
    pca = PCA(2).fit(kept)
    expected = ((kept - pca.inverse_transform(pca.transform(kept))) ** 2).mean()
    model = Autoencoder(max_epochs=30, **LINEAR).fit(wine, sample_weight=weights)
    assert_allclose(-model.score(kept), expected, rtol=1e-5)


def test_linear_denoising_autoencoder_is_the_wiener_filter(wine):
    level, d = 0.5, wine.shape[1]
    covariance = np.cov(wine.T, bias=True)
    wiener = covariance @ np.linalg.inv(covariance + level**2 * np.eye(d))

    def risk(filter_):
        rest = np.eye(d) - filter_
        signal = np.trace(rest @ covariance @ rest.T)
        return (signal + level**2 * np.trace(filter_ @ filter_.T)) / d

    model = DenoisingAutoencoder(
        n_components=d,
        hidden_layer_sizes=(),
        noise_level=level,
        max_epochs=300,
        batch_size=64,
        learning_rate=0.01,
        lr_schedule="cosine",
        random_state=0,
    ).fit(wine)
    learned = (model.reconstruct(np.eye(d)) - model.reconstruct(np.zeros((d, d)))).T
    gap = risk(np.eye(d)) - risk(wiener)
    assert risk(learned) - risk(wiener) < 0.01 * gap


def test_contraction_shrinks_the_jacobian(wine):
    def spread(model):
        return np.linalg.norm(model.transform(wine + 0.01) - model.transform(wine))

    free, held = (
        quick(
            ContractiveAutoencoder,
            hidden_layer_sizes=(),
            contraction=c,
            max_epochs=40,
            learning_rate=0.03,
        ).fit(wine)
        for c in (0, 0.5)
    )
    assert spread(held) < 0.7 * spread(free)
    assert held.score(wine) < free.score(wine)


def test_sparse_codes_are_sparse(wine):
    def fit(**kwargs):
        model = SparseAutoencoder(max_epochs=40, learning_rate=0.01, random_state=0, **kwargs)
        return model.fit(wine).transform(wine)

    free = (fit(sparsity_weight=1e-9) > 0).mean()
    assert (fit(sparsity_weight=0.05) > 0).mean() < 0.7 * free
    assert (fit(sparsity="topk", n_active=5) != 0).sum(axis=1).max() == 5
    on = fit(sparsity="kl", target_activation=0.1, sparsity_weight=1)
    assert_allclose(on.mean(axis=0), 0.1, atol=0.05)


def test_l1_gains_nothing_by_moving_size_from_code_to_decoder(wine):
    model = quick(SparseAutoencoder, max_epochs=1).fit(wine)
    network = model.module_
    code = network.encode(next(network.parameters()).new_tensor(wine))
    before = (code * network.decoder_norms).sum().item()
    network.encoder.output.weight.data *= 0.1
    network.encoder.output.bias.data *= 0.1
    network.decoder.linears()[0].weight.data *= 10
    code = network.encode(next(network.parameters()).new_tensor(wine))
    assert_allclose((code * network.decoder_norms).sum().item(), before, rtol=1e-4)


def test_bce_finds_probabilities():
    X = (load_digits().data[:200] > 8).astype(float)
    model = Autoencoder(loss="bce", n_components=16, max_epochs=60, random_state=0).fit(X)
    reconstructed = model.reconstruct(X)
    assert (reconstructed >= 0).all()
    assert (reconstructed <= 1).all()
    assert ((reconstructed > 0.5) == X).mean() > 0.93


# -- interface -----------------------------------------------------------------------------


@each
def test_codes_decode_to_reconstructions(cls, wine):
    model = quick(cls).fit(wine)
    codes = model.transform(wine)
    if cls is Autoencoder:
        codes = codes.clip(*model.module_.bounds.numpy())
    assert_allclose(model.inverse_transform(codes), model.reconstruct(wine), 1e-5)
    error = ((model.reconstruct(wine) - wine) ** 2).mean(axis=1)
    assert_allclose(model.score_samples(wine), -error, rtol=1e-4)
    assert_allclose(model.score(wine), -error.mean(), rtol=1e-4)


@each
@pytest.mark.parametrize("normalization", ["layer", "batch", None])
@pytest.mark.parametrize("residual", [True, False])
def test_every_layer_of_every_kind(cls, normalization, residual, wine):
    if cls is ContractiveAutoencoder and normalization == "batch":
        with pytest.raises(ValueError, match="normalization"):
            quick(cls, normalization="batch").fit(wine)
        return
    for init in ("he", "orthogonal"):
        model = quick(
            cls,
            normalization=normalization,
            residual=residual,
            tied_weights=False,
            dropout=0.1,
            init=init,
            decoder_layer_sizes=(4, 4),
        )
        assert np.isfinite(model.fit(wine[:33]).score(wine))  # the last batch has one row


def test_outliers_are_found(wine):
    model = Autoencoder(contamination=0.05, random_state=0).fit(wine)
    strange = np.random.default_rng(0).normal(0, 4, size=(50, 13))
    assert (model.predict(strange) == -1).mean() > 0.9
    assert_allclose((model.predict(wine) == -1).mean(), 0.05, atol=0.01)
    assert_array_equal(model.predict(wine), np.where(model.decision_function(wine) >= 0, 1, -1))


def test_before_a_classifier_and_in_a_search(wine):
    y = load_wine().target
    pipeline = make_pipeline(StandardScaler(), quick(Autoencoder, max_epochs=30))
    search = GridSearchCV(pipeline, {"autoencoder__n_components": [1, 3]}, cv=3).fit(wine)
    assert search.best_params_ == {"autoencoder__n_components": 3}
    classifier = make_pipeline(quick(Autoencoder, max_epochs=60), LogisticRegression())
    assert classifier.fit(wine, y).score(wine, y) > 0.9


def test_partial_fit_goes_on(wine):
    model = quick(Autoencoder).partial_fit(wine)
    first = model.score(wine)
    for _ in range(10):
        model.partial_fit(wine)
    assert model.score(wine) > first
    assert model.n_iter_ == 11


def test_compression(wine):
    model = Autoencoder(n_components=4, random_state=0).fit(wine)
    codes = model.compress(wine)
    assert codes.dtype == np.uint8
    assert codes.shape == (178, 4)
    fine = model.compress(wine, n_bits=16)
    assert fine.dtype == np.uint16
    decoded = model.inverse_transform(model.transform(wine))
    assert_allclose(model.decompress(fine, n_bits=16), decoded, atol=1e-2)
    report = model.compression_report(wine, bits_per_value=32)
    assert report["bits"] == 32
    assert report["ratio"] == 13
    assert_allclose(report["mse"], ((model.decompress(codes) - wine) ** 2).mean())
    for n_bits in (17, 2.5):
        with pytest.raises(ValueError, match=f"n_bits={n_bits}"):
            model.compress(wine, n_bits=n_bits)
    for wrong in (codes[:, :1], fine, -1.0 - codes):
        with pytest.raises(ValueError, match=r"4 columns of whole numbers from 0 to 255"):
            model.decompress(wrong)


def test_noise_is_drawn_once_a_step_for_a_line_search(wine):
    model = DenoisingAutoencoder(solver="lbfgs", max_epochs=5, random_state=0).fit(wine)
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]


# -- what cannot work ----------------------------------------------------------------------


@each
def test_a_code_larger_than_a_row_warns_where_nothing_hinders_copying(cls, wine):
    loose = {
        ContractiveAutoencoder: {"contraction": 0},
        DenoisingAutoencoder: {"noise_level": 0},
        SparseAutoencoder: {"sparsity_weight": 0},
    }
    with pytest.warns(UserWarning, match="13 features.*identity"):
        quick(cls, n_components=14, **loose.get(cls, {})).fit(wine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(cls, n_components=13, **loose.get(cls, {})).fit(wine)
        if cls is not Autoencoder:
            quick(cls, n_components=20).fit(wine)


def test_bce_names_the_column_outside_its_range(wine):
    X = np.clip(np.abs(wine), 0, 1)
    X[5, 3] = 1.5
    with pytest.raises(ValueError, match=r"feature 3 of X goes from .* to 1.5.*MinMaxScaler"):
        quick(Autoencoder, loss="bce").fit(X)
    names = [f"c{i}" for i in range(13)]
    with pytest.raises(ValueError, match=r"feature 3 \('c3'\)"):
        quick(Autoencoder, loss="bce").fit(pd.DataFrame(X, columns=names))


@each
def test_bad_rows_and_constant_columns(cls, wine):
    broken = wine.copy()
    broken[7, 2] = np.nan
    with pytest.raises(ValueError, match="NaN at row 7, feature 2"):
        quick(cls).fit(broken)
    model = quick(cls).fit(wine)
    with pytest.raises(ValueError, match="NaN at row 7, feature 2"):
        model.score_samples(broken)
    constant = np.column_stack([wine, np.full(len(wine), 5.0)])
    model = quick(cls, max_epochs=30).fit(constant)
    assert_allclose(model.reconstruct(constant)[:, -1], 5, atol=1)
    assert np.isfinite(quick(cls).fit(np.ones((4, 3))).score_samples(np.ones((4, 3)))).all()


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        (Autoencoder, {"hidden_layer_sizes": (8, 0)}, r"hidden_layer_sizes=.*holds 0"),
        (Autoencoder, {"hidden_layer_sizes": ("a",)}, "hidden_layer_sizes=.*holds 'a'"),
        (Autoencoder, {"decoder_layer_sizes": (1.5,)}, "decoder_layer_sizes=.*holds 1.5"),
        (Autoencoder, {"tied_weights": True, "residual": True}, "tied_weights=True mirrors"),
        (Autoencoder, {"tied_weights": True, "decoder_layer_sizes": (3,)}, "tied_weights=True"),
        (DenoisingAutoencoder, {"noise": "masking", "noise_level": 2}, "noise_level=2 is a share"),
        (SparseAutoencoder, {"sparsity": "kl", "latent_activation": "relu"}, "between 0 and 1"),
    ],
)
def test_settings_that_do_not_go_together(cls, settings, message, wine):
    with pytest.raises(ValueError, match=message):
        quick(cls, **settings).fit(wine)


def test_codes_of_another_size(wine):
    model = quick(Autoencoder).fit(wine)
    with pytest.raises(ValueError, match=r"2 columns.*has 3 \(n_components\)"):
        model.inverse_transform(np.zeros((4, 2)))


@pytest.mark.parametrize("noise", ["gaussian", "masking", "salt_and_pepper"])
def test_levels_of_noise_may_be_a_range(wine, noise):
    settings = {"noise": noise, "max_epochs": 3, "random_state": 0}
    model = DenoisingAutoencoder(noise_level=(0.1, 0.9), **settings).fit(wine)
    again = DenoisingAutoencoder(noise_level=(0.1, 0.9), **settings).fit(wine)
    assert model.loss_curve_ == again.loss_curve_
    narrow = DenoisingAutoencoder(noise_level=(0.3, 0.3), **settings).fit(wine)
    assert (
        narrow.loss_curve_
        == DenoisingAutoencoder(noise_level=0.3, **settings).fit(wine).loss_curve_
    )


@pytest.mark.parametrize("level", [(0.5, 0.1), (0.0, 1.0), (0.1,), (0.1, np.inf), ("a", 1)])
def test_a_range_of_levels_that_is_none(wine, level):
    with pytest.raises(ValueError, match="noise_level"):
        DenoisingAutoencoder(noise_level=level).fit(wine)


@pytest.mark.parametrize("loss", ["mse", "huber", "bce"])
def test_errors_of_features_average_to_the_score(loss):
    X = np.random.default_rng(0).uniform(size=(30, 4))
    for cls in (Autoencoder, ContractiveAutoencoder, DenoisingAutoencoder, SparseAutoencoder):
        model = cls(n_components=2, loss=loss, max_epochs=2, random_state=0).fit(X)
        errors = model.reconstruction_errors(X)
        assert errors.shape == X.shape
        np.testing.assert_allclose(errors.mean(axis=1), -model.score_samples(X), rtol=1e-5)


def test_automatic_contamination_finds_few_or_many():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    X[:30] *= 8
    model = Autoencoder(n_components=1, contamination="auto", random_state=0).fit(X)
    first, third = np.quantile(model.score_samples(X), [0.25, 0.75], method="inverted_cdf")
    assert model.offset_ == pytest.approx(first - 1.5 * (third - first))
    assert np.mean(model.predict(X)[:30] == -1) > 0.5


def test_outliers_among_the_training_rows_are_not_learned_by_heart():
    X, y = load_wine(return_X_y=True)
    X, strange = scale(X), y == 0

    def area(n_mixed, **trimmed):
        areas = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            normal, others = (rng.permutation(np.flatnonzero(r)) for r in (~strange, strange))
            train, test = np.r_[normal[:60], others[:n_mixed]], np.r_[normal[60:], others[n_mixed:]]
            model = Autoencoder(random_state=0, **trimmed).fit(X[train])
            areas.append(roc_auc_score(strange[test], -model.score_samples(X[test])))
        return np.mean(areas)

    mixed, untrimmed = area(4), area(4, trim=0.0)
    assert mixed > untrimmed + 0.05
    assert mixed > area(0) - 0.05
    assert area(4, trim_by="loss") > untrimmed + 0.05


@pytest.mark.parametrize(
    ("trim", "more"), [(0.0, {}), (0.1, {}), (0.3, {}), (0.3, {"solver": "lbfgs"})]
)
def test_the_decoder_goes_no_further_than_the_training_rows(trim, more, wine):
    settings = {"n_components": 3, "max_epochs": 5, "random_state": 0}
    weight = np.r_[np.zeros(30), np.random.default_rng(0).integers(1, 3, len(wine) - 30)]
    model = Autoencoder(trim=trim, **settings, **more).fit(wine, sample_weight=weight)
    low, high = model.module_.bounds.numpy()
    codes = model.transform(wine)
    within = ((low <= codes) & (codes <= high)).all(axis=1)
    assert weight[~within].sum() <= (0 if more else trim) * weight.sum()
    assert_allclose(
        model.reconstruct(wine[within]), model.inverse_transform(codes[within]), rtol=1e-5
    )
    far = 1e9 * np.random.default_rng(1).normal(size=(50, wine.shape[1]))
    held = model.inverse_transform(model.transform(far).clip(low, high))
    assert_allclose(model.reconstruct(far), held, rtol=1e-5)
    assert abs(held).max() < 100
    for rows in (wine, far):
        error = ((model.reconstruct(rows) - rows) ** 2).mean(axis=1)
        assert_allclose(model.score_samples(rows), -error, rtol=1e-4)
        errors = model.reconstruction_errors(rows).mean(axis=1)
        assert_allclose(model.score_samples(rows), -errors, rtol=1e-4)


def test_partial_fit_takes_the_range_of_its_rows(wine):
    model = quick(Autoencoder, trim=0.0).fit(wine).partial_fit(wine[:20])
    codes = model.transform(wine[:20])
    assert_allclose(model.module_.bounds, [codes.min(axis=0), codes.max(axis=0)])


def test_bounds_that_hold_nothing_are_no_stored_state(wine):
    state = quick(Autoencoder).fit(wine).__getstate__()
    state["module_"] = state["module_"] | {"bounds": state["module_"]["bounds"][::-1].copy()}
    with pytest.raises(ValueError, match="bounds of its latent representations are empty"):
        Autoencoder().__setstate__(state)


@given(
    n=st.integers(30, 60),
    n_far=st.integers(1, 5),
    d=st.integers(1, 6),
    size=st.sampled_from([1e-300, 1.0, 1e300]),
    seed=st.integers(0, 100),
)
@examples(max_examples=25, deadline=None)
def test_rows_far_from_all_others_are_not_typical(n, n_far, d, size, seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, d))
    far = rng.choice(n, n_far, replace=False)
    X[far] += 100 * rng.uniform(1, 2, size=(n_far, 1))
    typical = typical_rows(X * size, np.ones(n), 0.3, seed)
    assert not typical[far].any()
    assert np.sum(~typical) <= 0.3 * n
    order = rng.permutation(n)
    np.testing.assert_array_equal(
        typical_rows(X[order] * size, np.ones(n), 0.3, seed + 1), typical[order]
    )


@pytest.mark.parametrize("d", [2, 30])
def test_rows_far_from_zero_are_as_typical(d):
    X = np.random.default_rng(0).standard_t(2, size=(100, d)).round(3)
    assert_array_equal(
        typical_rows(X + 1e9, np.ones(100), 0.2, 0), typical_rows(X, np.ones(100), 0.2, 0)
    )


@pytest.mark.parametrize("X", [np.ones((50, 2)), np.eye(40), np.zeros((3, 2)), np.zeros((1, 1))])
def test_where_all_rows_are_alike_all_are_typical(X):
    assert typical_rows(X, np.ones(len(X)), 0.3, 0).all()


def test_typical_rows_are_found_among_many():
    X = np.random.default_rng(0).normal(size=(5000, 4))
    X[:200] *= 20
    typical = typical_rows(X, np.ones(5000), 0.3, 0)
    assert np.mean(typical[:200]) < 0.05 < np.mean(typical[200:])


@given(n=st.integers(5, 60), d=st.integers(1, 4), seed=st.integers(0, 100))
@examples(max_examples=25, deadline=None)
def test_a_weight_counts_as_so_many_rows_alike(n, d, seed):
    rng = np.random.default_rng(seed)
    X, weights = rng.standard_t(2, size=(n, d)), rng.integers(1, 4, n)
    typical = typical_rows(X, 0.3 * weights, 0.2, 0)
    repeated = typical_rows(np.repeat(X, weights, axis=0), np.ones(weights.sum()), 0.2, 0)
    assert_array_equal(np.repeat(typical, weights), repeated)
    assert weights[~typical].sum() <= 0.2 * weights.sum()


def test_rows_without_weight_are_nobodys_neighbors():
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[:15] = 50.0
    weight = np.r_[np.zeros(15), np.ones(45)]
    settings = {"n_components": 1, "batch_size": 60, "max_epochs": 5, "random_state": 0}
    with_them = Autoencoder(**settings).fit(X, sample_weight=weight)
    moved = Autoencoder(**settings).fit(np.r_[-X[:15], X[15:]], sample_weight=weight)
    np.testing.assert_array_equal(with_them.loss_curve_, moved.loss_curve_)


def test_all_rows_count_where_none_is_trimmed():
    X = np.random.default_rng(0).normal(size=(60, 4))
    settings = {"max_epochs": 3, "solver": "lbfgs", "random_state": 0}
    first, *others = (
        Autoencoder(trim=trim, trim_by=by, **settings).fit(X).loss_curve_
        for trim, by in ((0.0, "loss"), (0.4, "loss"), (0.4, "neighbors"))
    )
    assert all(curve == first for curve in others)
