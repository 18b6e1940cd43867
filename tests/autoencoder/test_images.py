"""Autoencoders of images: in the shape of the input, compressed, and refused with the reason."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from sklseq.autoencoder import ConvolutionalAutoencoder


@pytest.fixture(scope="module")
def digits():
    return load_digits().images[:300] / 16


def quick(**kwargs):
    settings = {"n_components": 4, "channels": (4, 8), "max_epochs": 3, "random_state": 0}
    return ConvolutionalAutoencoder(**(settings | kwargs))


def test_images_keep_their_shape(digits):
    colour = np.stack([digits, 1 - digits], axis=-1)[:, :7]
    for X in (digits, colour):
        model = quick().fit(X)
        assert model.image_shape_ == X.shape[1:]
        assert model.reconstruct(X).shape == X.shape
        assert model.inverse_transform(model.transform(X[:3])).shape == X[:3].shape
        assert model.score_samples(X).shape == (300,)


def test_a_last_axis_of_one_channel_changes_nothing(digits):
    flat, deep = quick().fit(digits), quick().fit(digits[..., None])
    assert_allclose(flat.transform(digits), deep.transform(digits[..., None]), atol=1e-5)


def test_a_few_bits_an_image(digits):
    settings = {"channels": (16, 32), "max_epochs": 30, "learning_rate": 0.003, "loss": "bce"}
    model = quick(n_components=8, **settings).fit(digits[:250])
    report = model.compression_report(digits[250:], n_bits=4, bits_per_value=4)
    assert (report["bits"], report["bits_before"], report["ratio"]) == (32, 256, 8)
    assert report["mse"] < 0.6 * digits[:250].var(axis=0).mean()
    codes = model.compress(digits[250:], n_bits=4)
    assert codes.max() <= 15
    error = (model.decompress(codes, n_bits=4) - digits[250:]) ** 2
    assert_allclose(error.mean(), report["mse"])


def test_other_images_than_in_fit(digits):
    model = quick().fit(digits)
    with pytest.raises(ValueError, match=r"shape \(7, 8\), but .* shape \(8, 8\)"):
        model.transform(digits[:, :7])
    with pytest.raises(ValueError, match=r"shape \(1, 64\)"):
        model.transform(digits.reshape(300, -1))


def test_bad_images(digits):
    broken = digits.copy()
    broken[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN at image 3, row 2, column 1"):
        quick().fit(broken)
    with pytest.raises(ValueError, match="dim 5"):
        quick().fit(np.zeros((2, 2, 2, 2, 2)))
    with pytest.raises(ValueError, match=r"feature 0, 1 of X goes from .*MinMaxScaler"):
        quick(loss="bce").fit(digits * 16)
    with pytest.raises(ValueError, match="kernel_size=2 is even"):
        quick(kernel_size=2).fit(digits)
    with pytest.raises(ValueError, match=r"channels=.*holds 0"):
        quick(channels=(4, 0)).fit(digits)
    with pytest.warns(UserWarning, match="64 features.*identity"):
        quick(n_components=65).fit(digits)
