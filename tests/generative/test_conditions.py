"""Classes of rows: what is refused says what to do, and columns are labels as well."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.utils import get_tags

from sklseq.generative import GAN, VAE, RealNVP

X = np.random.default_rng(0).normal(size=(20, 3))
Y = np.array(["a", "b"] * 10, dtype=object)


def vae(**settings):
    return VAE(conditional=True, max_epochs=1, random_state=0, **settings)


@pytest.mark.parametrize(
    ("missing", "others"),
    [
        (None, "ab"),
        (np.nan, "ab"),
        (pd.NA, "ab"),
        (np.nan, [0.0, 1.0]),
        (None, [None]),
        (np.datetime64("NaT"), [np.datetime64("2020-01-01")]),
    ],
)
def test_missing_classes_are_named_by_row(missing, others):
    labels = [*others] * 20
    labels[7] = missing
    row = 0 if others == [None] else 7
    y = pd.Series(labels[:20]).to_numpy()
    with pytest.raises(ValueError, match=f"y is missing at row {row}"):
        vae().fit(X, y)
    with pytest.raises(ValueError, match=f"y is missing at row {row}"):
        vae().fit(X, Y).sample(20, y=y)


def test_numbers_that_are_no_classes_are_to_be_binned():
    with pytest.raises(ValueError, match="bin y"):
        vae().fit(X, X[:, 0])


def test_labels_that_do_not_compare_are_refused():
    with pytest.raises(ValueError, match="several types"):
        vae().fit(X, np.array([*Y[:-1], 1], dtype=object))


@pytest.mark.parametrize("column", [Y[:, None], pd.DataFrame({"y": Y})])
def test_a_column_of_classes_is_read_as_labels(column):
    model = vae().fit(X, Y)
    for call in (
        lambda y: model.sample(20, y=y, random_state=0),
        lambda y: model.score_samples(X, y),
        lambda y: model.transform(X, y),
        lambda y: model.inverse_transform(X[:, :2], y),
    ):
        assert_array_equal(call(column), call(Y))
    with pytest.raises(ValueError, match="shape"):
        model.sample(20, y=np.stack([Y, Y], axis=1))


def test_a_class_that_comes_later_needs_a_new_fit():
    model = RealNVP(conditional=True, warm_start=True, max_epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"'c' at row 19.*warm_start=False"):
        model.fit(X, [*Y[:-1], "c"])
    model.fit(X[:10], np.full(10, "a"))
    assert_array_equal(model.classes_, ["a", "b"])


@pytest.mark.filterwarnings("ignore:Posterior collapse")
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("cls", [VAE, GAN, RealNVP])
def test_conditional_is_named_where_it_changes(cls, first):
    model = cls(conditional=first, warm_start=True, max_epochs=1, random_state=0).fit(X, Y)
    model.set_params(conditional=not first)
    with pytest.raises(ValueError, match=f"conditional={first} .*conditional={not first}"):
        model.fit(X, Y)
    assert hasattr(model, "classes_") == first


def test_a_class_without_weight_is_not_drawn():
    model = vae().fit(X, Y, sample_weight=(Y == "a").astype(float))
    with pytest.raises(ValueError, match=r"'b'.*no weight"):
        model.sample(3, y=["a", "b", "a"])
    assert model.sample(3, y="a").shape == model.sample(3).shape


@pytest.mark.parametrize("cls", [VAE, RealNVP])
def test_outliers_among_the_rows_that_were_fitted(cls):
    y = np.arange(20) % 2
    found = cls(conditional=True, max_epochs=1, random_state=0).fit_predict(X, y)
    model = cls(conditional=True, max_epochs=1, random_state=0).fit(X, y)
    assert_array_equal(found, model.predict(X))
    assert get_tags(model).target_tags.required
    assert not get_tags(cls()).target_tags.required


@pytest.mark.parametrize("cls", [VAE, RealNVP])
def test_thresholds_of_many_classes_cost_rows(cls, monkeypatch):
    rng, scored = np.random.default_rng(0), []
    rows, y = rng.normal(size=(600, 2)), np.arange(600) % 150
    density = cls._density

    def counted(self, data, classes):
        scored.append(len(data))
        return density(self, data, classes)

    monkeypatch.setattr(cls, "_density", counted)
    model = cls(conditional=True, max_epochs=1, random_state=0).fit(rows, y)
    assert sum(scored) <= 16_000
    share = np.mean(model.predict(rows) == -1)
    assert 0.02 < share < 0.25
