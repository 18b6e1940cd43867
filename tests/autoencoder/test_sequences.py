"""Autoencoders of sequences: in the container of the input, with lengths, and as detectors."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklseq.autoencoder import SequenceAutoencoder


def waves(n=60, seed=0, low=8, high=20):
    rng = np.random.default_rng(seed)
    X = np.empty(n, dtype=object)
    X[:] = [
        np.stack([np.sin(w * np.arange(length)), 5 + np.cos(w * np.arange(length))], axis=1)
        for w, length in zip(rng.uniform(0.1, 0.6, n), rng.integers(low, high, n), strict=True)
    ]
    return X


def quick(**kwargs):
    settings = {"n_components": 3, "hidden_size": 24, "max_epochs": 2, "random_state": 0}
    return SequenceAutoencoder(**(settings | kwargs))


@pytest.fixture(scope="module")
def trained():
    return quick(max_epochs=120, learning_rate=0.01, lr_schedule="cosine").fit(waves())


def test_codes_tell_steps_and_lengths(trained):
    X = waves(seed=1)
    assert trained.score(X) > -0.2  # the mean of the training steps has -1
    codes = trained.transform(X)
    back = trained.inverse_transform(codes)
    errors = [len(a) - len(b) for a, b in zip(X, back, strict=True)]
    assert np.mean(np.abs(errors)) < 1.5  # the mean length is 3 steps off
    same = trained.inverse_transform(codes, lengths=[len(x) for x in X])
    for a, b in zip(same, trained.reconstruct(X), strict=True):
        assert_allclose(a, b, atol=1e-5)


def test_what_is_no_wave_is_an_outlier(trained):
    rng = np.random.default_rng(0)
    noise = [x + rng.normal(size=x.shape) for x in waves(20, seed=2)]
    assert (trained.predict(noise) == -1).all()
    assert np.mean(trained.predict(waves())) == pytest.approx(0.8, abs=0.04)


def test_errors_by_value_name_the_step_and_feature_that_make_an_outlier(trained):
    X = waves(5, seed=3)
    X[2] = X[2].copy()
    X[2][4, 1] += 9
    errors = trained.reconstruction_errors(X)
    assert [e.shape for e in errors] == [x.shape for x in X]
    assert_allclose([-e.mean() for e in errors], trained.score_samples(X), rtol=1e-5)
    assert np.unravel_index(errors[2].argmax(), errors[2].shape) == (4, 1)
    flat = [x[:8, 0] for x in X]
    assert quick().fit(flat).reconstruction_errors(np.stack(flat)).shape == (5, 8)


def test_sequences_come_back_in_their_container():
    ragged = waves(6)
    dense = np.stack([x[:8] for x in ragged])
    flat = [x[:, 0] for x in ragged]
    frame = pd.concat({f"s{i}": pd.DataFrame(x, columns=["a", "b"]) for i, x in enumerate(ragged)})
    for X, shapes in ((ragged, [x.shape for x in ragged]), (flat, [x.shape for x in flat])):
        model = quick().fit(X)
        for back in (model.reconstruct(X), model.inverse_transform(model.transform(X))):
            assert back.dtype == object
        assert [x.shape for x in model.reconstruct(X)] == shapes
        assert {x.ndim for x in back} == {len(shapes[0])}
    for X in (dense, dense[:, :, 0]):
        model = quick().fit(X)
        assert model.reconstruct(X).shape == X.shape
        assert model.inverse_transform(model.transform(X)).shape == X.shape
    back = quick().fit(frame).reconstruct(frame)
    assert len(back) == len(frame)


def test_a_sequence_without_weight_is_not_there():
    X = waves(12)
    settings = {"dtype": "float64", "batch_size": 100, "max_epochs": 5}
    weights = np.r_[np.ones(10), 0, 0]
    longer = np.append(X[:10], waves(2, seed=3, low=40, high=50))
    weighted = quick(**settings).fit(longer, sample_weight=weights)
    plain = quick(**settings).fit(X[:10])
    assert_allclose(weighted.transform(X), plain.transform(X), atol=1e-8)
    assert weighted.length_range_ == plain.length_range_
    assert weighted.offset_ == pytest.approx(plain.offset_)


def test_each_sequence_counts_alike_whatever_its_length():
    X = [np.zeros(1), np.ones(99)]
    model = quick(max_epochs=1, dtype="float64").fit(X)
    assert model.feature_mean_.item() == pytest.approx(0.5)


def test_lengths_need_not_be_learned():
    X = waves(10)
    model = quick(length_weight=0).fit(X)
    other = quick(length_weight=5).fit(X)
    assert np.abs(model.transform(X) - other.transform(X)).max() > 1e-4


def test_training_goes_on():
    X = waves(10)
    model = quick().fit(X)
    model.partial_fit(X[:5])
    assert model.n_iter_ == 3
    early = quick(early_stopping=True, max_epochs=4).fit(X)
    assert len(early.validation_scores_) == early.n_iter_


def test_bad_sequences(trained):
    broken = waves(4)
    broken[2][3, 1] = np.nan
    with pytest.raises(ValueError, match=r"sequence 2.*step 3.*feature 1"):
        quick().fit(broken)
    with pytest.raises(ValueError, match="symbols"):
        quick().fit([["a", "b"], ["c"]])
    with pytest.raises(ValueError, match="non-zero"):
        quick().fit(waves(3), sample_weight=np.zeros(3))
    with pytest.raises(ValueError, match=r"1 features, but .* expecting 2"):
        trained.transform([np.zeros((3, 1))])


def test_bad_codes_and_lengths(trained):
    with pytest.raises(ValueError, match=r"2 columns, but the latent space .* has 3"):
        trained.inverse_transform(np.zeros((1, 2)))
    for lengths in ([1], [1, 0], [1.5, 2], np.ones((2, 1), dtype=int)):
        with pytest.raises(ValueError, match="2 whole numbers of at least 1"):
            trained.inverse_transform(np.zeros((2, 3)), lengths=lengths)


def test_a_constant_feature_stays_what_it_is():
    X = [np.column_stack([x[:, 0], np.full(len(x), 1e6)]) for x in waves(10)]
    model = quick(max_epochs=5).fit(X)
    assert_array_equal(np.round(model.reconstruct(X)[0][:, 1] / 1e6, 4), 1)
