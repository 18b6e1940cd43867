"""Images as an estimator reads them: in many forms, per image or pixel, and refused by name."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold

from sklseq.recurrent import ReNetClassifier, ReNetRegressor


def quick(cls=ReNetClassifier, **kwargs):
    return cls(**{"hidden_size": 4, "max_epochs": 2, "random_state": 0} | kwargs)


def ragged(n=16, n_channels=2, longest=6):
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, longest + 1, (n, 2))
    sizes[3] = 2, 4
    return [rng.normal(i % 2, 1, (*size, n_channels)) for i, size in enumerate(sizes)]


def labels(X):
    """Of pixels: strings, of which some are missing."""
    y = [np.where(x[..., 0] > 0.5, "high", "low").astype(object) for x in X]
    y[0][0, 0] = None
    return y


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:60].reshape(-1, 8, 8), y[:60] % 3


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert_array_equal(a, b)


# -- forms of X ----------------------------------------------------------------------------


def test_all_forms_of_images_are_the_same_data(digits):
    X, y = digits
    expected = quick().fit(X, y).predict_proba(X)
    objects = np.empty(len(X), dtype=object)
    objects[:] = list(X)
    column = pd.DataFrame({"image": list(X)})
    for other in (list(X), X[..., None], X.tolist(), objects, column, torch.from_numpy(X)):
        assert_array_equal(quick().fit(other, y).predict_proba(other), expected)
    flat = X.reshape(len(X), -1)
    frame = pd.DataFrame(flat, columns=[f"pixel {i}" for i in range(64)])
    for table in (flat, frame):
        model = quick(image_shape=(8, 8)).fit(table, y)
        assert_array_equal(model.predict_proba(table), expected)
        assert model.n_features_in_ == 64
    assert model.feature_names_in_[5] == "pixel 5"
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])


def test_attributes_say_what_images_are_like(digits):
    X, y = digits
    assert quick().fit(X, y).image_shape_ == (8, 8, 1)
    model = quick().fit(ragged(), [0, 1] * 8)
    assert model.image_shape_ is None
    assert model.n_features_in_ == len(model.feature_mean_) == 2


def test_a_table_is_images_of_one_line(digits):
    X, y = digits
    flat = X.reshape(len(X), -1)
    lines = quick(patch_size=(1, 4)).fit(flat[:, None], y)
    assert_array_equal(
        quick(patch_size=(1, 4)).fit(flat, y).predict(flat), lines.predict(flat[:, None])
    )


@settings(max_examples=8, deadline=None)
@given(patch_size=st.tuples(st.integers(1, 7), st.integers(1, 7)), n_channels=st.integers(1, 3))
def test_patches_of_any_size_fit(patch_size, n_channels):
    X = ragged(6, n_channels)
    model = quick(ReNetRegressor, target="pixel", patch_size=patch_size, max_epochs=1)
    for predicted, x in zip(model.fit(X, X).predict(X), X, strict=True):
        assert predicted.shape == x.shape


def test_what_images_are_filled_up_with_does_not_hang_on_the_unit(digits):
    X, y = digits
    settings = {"patch_size": 3, "dtype": "float64"}
    a, b = quick(**settings).fit(X, y), quick(**settings).fit(X * 1e3 - 5e5, y)
    np.testing.assert_allclose(
        a.predict_proba(X), b.predict_proba(X * 1e3 - 5e5), rtol=1e-6, atol=1e-8
    )


# -- pixels --------------------------------------------------------------------------------


@pytest.mark.parametrize("patch_size", [1, (2, 3)])
def test_labels_of_pixels_come_in_the_shapes_of_the_images(patch_size):
    X = ragged(40)
    y = labels(X)
    model = quick(target="pixel", patch_size=patch_size, hidden_size=16, max_epochs=30).fit(X, y)
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    for p, q, x in zip(predicted, probabilities, X, strict=True):
        assert (p.shape, q.shape) == (x.shape[:2], (*x.shape[:2], 2))
    flat = [np.concatenate([part.ravel() for part in parts]) for parts in (y, predicted)]
    known = flat[0] != None  # noqa: E711
    score = accuracy_score(flat[0][known].astype(str), flat[1][known])
    assert model.score(X, y) == pytest.approx(score)
    assert score > 0.9


def test_pixels_without_a_target_teach_nothing():
    X, rng = ragged(), np.random.default_rng(0)
    y = [x[..., 0] for x in X]
    hidden = [rng.uniform(size=v.shape) < 0.4 for v in y]
    missing = [np.where(h, np.nan, v) for h, v in zip(hidden, y, strict=True)]
    weights = [np.where(h, 0.0, 1.0) for h in hidden]
    model = quick(ReNetRegressor, target="pixel")
    found = clone(model).fit(X, missing, weights).predict(X)
    assert_same(found, clone(model).fit(X, y, weights).predict(X))


@pytest.mark.parametrize("shape", [(6, 5), (30,)])
def test_dense_images_and_tables_have_pixels(shape):
    X = np.random.default_rng(0).normal(size=(12, 6, 5))
    y = X > 0
    model = quick(target="pixel", image_shape=(6, 5) if len(shape) == 1 else None)
    X_given = X.reshape(12, *shape)
    for y_given in (y, y.reshape(12, *shape)):
        fitted = clone(model).fit(X_given, y_given)
        assert fitted.predict(X_given).shape == (12, *shape)
        assert fitted.predict_proba(X_given).shape == (12, *shape, 2)


def test_several_labels_or_values_of_each_pixel():
    X = ragged()
    y = [(np.stack([x[..., 0], x[..., 1], -x[..., 0]], axis=-1) > 0).astype(int) for x in X]
    model = quick(target="pixel").fit(X, y)
    assert all(p.shape == v.shape for p, v in zip(model.predict(X), y, strict=True))
    assert 0 <= model.score(X, y) <= 1
    model = quick(ReNetRegressor, target="pixel").fit(X, X)
    assert all(p.shape == x.shape for p, x in zip(model.predict(X), X, strict=True))


def test_several_labels_or_values_of_each_image():
    X, y = ragged(), np.arange(32).reshape(16, 2) // 3 % 2
    assert quick().fit(X, y).predict_proba(X).shape == (16, 2)
    assert quick(ReNetRegressor).fit(X, y * 1.5).predict(X).shape == (16, 2)


# -- alone and in company ------------------------------------------------------------------


@pytest.mark.parametrize("target", ["image", "pixel"])
def test_results_of_an_image_are_its_own_bits(target):
    X = ragged(30, longest=20)
    y = labels(X) if target == "pixel" else np.arange(30) % 3
    model = quick(target=target, hidden_size=17, num_layers=2).fit(X, y)
    together = model.predict_proba(X)
    assert_same(model.predict_proba(X[::-1])[::-1], together)
    for i in range(0, 30, 5):
        assert_same(model.predict_proba(X[i : i + 1]), together[i : i + 1])


def test_the_tools_take_images_of_many_sizes():
    X, weights = ragged(), np.linspace(0.5, 2, 16)
    objects = np.empty(16, dtype=object)
    objects[:] = X
    search = GridSearchCV(quick(), {"patch_size": [1, (2, 1)], "pooling": ["mean", "max"]}, cv=2)
    assert 0 <= search.fit(objects, [0, 1] * 8).best_score_ <= 1
    y = np.empty(16, dtype=object)
    y[:] = [x[..., 0] for x in X]
    pixels = quick(ReNetRegressor, target="pixel")
    search = GridSearchCV(pixels, {"cell": ["gru", "lstm"]}, cv=KFold(2)).fit(objects, y)
    assert np.isfinite(search.best_score_)
    model = quick(early_stopping=True, warm_start=True, class_weight="balanced", dropout=0.2)
    given = {"X_val": X[:5], "y_val": [0, 1] * 2 + [0], "sample_weight_val": weights[:5]}
    model.fit(X, [0, 1] * 8, weights, **given).fit(X, [0, 1] * 8, weights, **given)
    assert model.n_iter_ == len(model.validation_scores_) == 4
    copy = pickle.loads(pickle.dumps(model))
    assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    model = quick(target="pixel").partial_fit(X, labels(X), classes=["high", "low"])
    assert model.partial_fit(X, labels(X)).n_iter_ == 2
    by_image = quick(target="pixel", early_stopping=True).fit(
        X, labels(X), groups=np.arange(16) % 4
    )
    assert len(by_image.validation_scores_) == 2


def test_a_weight_of_an_image_holds_for_its_pixels():
    X, weights = ragged(), np.arange(16.0)
    y = [x[..., 0] for x in X]
    of_pixels = [np.full(v.shape, w) for v, w in zip(y, weights, strict=True)]
    model = quick(ReNetRegressor, target="pixel")
    expected = clone(model).fit(X, y, of_pixels).predict(X)
    assert_same(clone(model).fit(X, y, weights).predict(X), expected)


# -- what goes wrong -----------------------------------------------------------------------


def without_value(X):
    X = [x.copy() for x in X]
    X[4][-1, 0, 1] = np.nan
    return X


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: [*X[:-1], np.zeros(4)], r"X, image 15 has shape \(4,\), expected \(height, wi"),
        (lambda X: [*X[:-1], np.zeros((4, 4))], "X, image 15 has 1 channels, but image 0 has 2"),
        (lambda X: [*X[:-1], [[1, 2], [3]]], "X, image 15 .*rows differ in length"),
        (lambda X: [*X[:-1], np.full((1, 2, 2), "a")], "X, image 15, row 0, column 0, channel 0"),
        (without_value, r"NaN at image 4, row \d, column 0, channel 1: fill it in"),
        (lambda X: [*X[:-1], np.zeros((0, 4, 2))], r"X, image 15 has shape \(0, 4, 2\)"),
        (lambda X: np.zeros((16, 2, 0)), r"without pixels: X has shape \(16, 2, 0\)"),
        (lambda X: np.zeros((16, 2, 2, 2, 2)), "dim 5"),
    ],
)
def test_images_that_are_none_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(change(ragged()), [0, 1] * 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda y: [*y[:3], y[3].T, *y[4:]],
            r"y, image 3 has shape .*, but the image in X is \d p",
        ),
        (lambda y: y[:-1], "y has 15 values, but X has 16 images"),
        (lambda y: [*y[:3], np.stack([y[3]] * 2, -1), *y[4:]], "y, image 3 has values of shape"),
        (lambda y: [*y[:3], np.full(y[3].shape, 1), *y[4:]], "y mixes labels"),
        (lambda y: [0, 1] * 8, r"y, image 0 has shape \(\)"),
        (lambda y: [np.full(v.shape, None) for v in y], "y has no labeled pixel"),
    ],
)
def test_labels_of_pixels_that_do_not_fit_are_named(change, message):
    X = ragged()
    with pytest.raises(ValueError, match=message):
        quick(target="pixel").fit(X, change(labels(X)))


def test_parameters_that_do_not_fit_the_images(digits):
    X, y = digits
    for patch_size, message in (((2,), "neither a number nor"), ((2, 0), "holds 0")):
        with pytest.raises(ValueError, match=message):
            quick(patch_size=patch_size).fit(X, y)
    with pytest.raises(ValueError, match=r"image_shape=.* has 35 values, .* have 64"):
        quick(image_shape=(5, 7)).fit(X.reshape(len(X), -1), y)
    with pytest.raises(ValueError, match=r"X, image 1 has shape .* pooling='flatten' needs images"):
        quick(pooling="flatten").fit(ragged(), [0, 1] * 8)
    with pytest.warns(UserWarning, match=r"If channels come first, give X.transpose\(0, 2, 3, 1\)"):
        quick().fit(np.zeros((4, 3, 8, 8)), [0, 1] * 2)
    with pytest.raises(ValueError, match="set target='pixel'"):
        quick().fit(ragged(), labels(ragged()))


def test_states_are_flattened_where_images_have_one_size(digits):
    X, y = digits
    for images, labels_of, pooling in ((X, y, "flatten"), (ragged(), [0, 1] * 8, "mean")):
        expected = quick(pooling=pooling).fit(images, labels_of).predict_proba(images)
        assert_array_equal(quick().fit(images, labels_of).predict_proba(images), expected)


def test_other_images_than_in_fit(digits):
    X, y = digits
    model = quick(pooling="mean").fit(X, y)
    assert model.predict(X[:, :5]).shape == y.shape  # another size
    with pytest.raises(ValueError, match=r"images of 2 channels, but .* fitted on images of 1"):
        model.predict(ragged())
    with pytest.raises(ValueError, match=r"X is a table, but .* fitted on images"):
        model.predict(X.reshape(len(X), -1))
    with pytest.raises(ValueError, match="target='pixel', but ReNetClassifier was fitted with"):
        model.set_params(target="pixel").predict(X)
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match=r"X, image 0 has shape \(5, 8\), but images of fit"):
        model.predict(X[:, :5])
    with pytest.raises(ValueError, match="patch_size was"):
        model.set_params(warm_start=True, patch_size=4).fit(X, y)
