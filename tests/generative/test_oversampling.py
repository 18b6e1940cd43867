"""Oversampling: classes of one size, rows as given kept, and rare rows that look like rare rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn.base import BaseEstimator, clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from sklseq.generative import VAE, GenerativeOverSampler, RealNVP

QUICK = RealNVP(n_layers=2, hidden_layer_sizes=(8,), max_epochs=5)


def rows():
    rng = np.random.default_rng(0)
    y = np.array(["usual"] * 60 + ["rare"] * 15 + ["rarer"] * 10)
    centres = {"usual": 0.0, "rare": 20.0, "rarer": -20.0}
    return rng.normal(size=(85, 2)) + np.array([centres[c] for c in y])[:, None], y


@pytest.mark.parametrize("generator", [QUICK, VAE(max_epochs=5)], ids=["RealNVP", "VAE"])
def test_all_classes_become_as_frequent_where_they_lie(generator):
    X, y = rows()
    sampler = GenerativeOverSampler(generator=generator, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    np.testing.assert_array_equal(X_new[:85], X)
    np.testing.assert_array_equal(y_new[:85], y)
    assert np.unique(y_new, return_counts=True)[1].tolist() == [60, 60, 60]
    for c, centre in (("rare", 20), ("rarer", -20)):
        np.testing.assert_allclose(X_new[85:][y_new[85:] == c].mean(0), centre, atol=2.5)
    assert not hasattr(generator, "module_")
    again = GenerativeOverSampler(generator=generator, random_state=0).fit_resample(X, y)
    np.testing.assert_array_equal(again[0], X_new)


# Given the class, there is little left for a code to tell.
@pytest.mark.filterwarnings("ignore:Posterior collapse")
@pytest.mark.parametrize("generator", [QUICK, VAE(max_epochs=5)], ids=["RealNVP", "VAE"])
def test_integers_stay_integers(generator):
    X, y = rows()
    X_new, _ = GenerativeOverSampler(generator=generator).fit_resample(X.astype(np.int16), y)
    assert X_new.dtype == np.int16
    assert len(np.unique(X_new[85:], axis=0)) > 9


def test_balanced_rows_stay_as_they_are():
    X, _ = rows()
    X, y = X[:80], np.arange(80) % 2
    X_new, y_new = GenerativeOverSampler(generator=QUICK, random_state=0).fit_resample(X, y)
    np.testing.assert_array_equal(X_new, X)
    np.testing.assert_array_equal(y_new, y)


def test_frames_stay_frames():
    X, y = rows()
    frame = pd.DataFrame(X, columns=["width", "height"], index=np.arange(85) + 500)
    labels = pd.Series(y, name="kind", dtype="category", index=frame.index)
    sampler = GenerativeOverSampler(generator=QUICK, random_state=0)
    X_new, y_new = sampler.fit_resample(frame, labels)
    X_array, y_array = sampler.fit_resample(X, y)
    assert_frame_equal(X_new, pd.DataFrame(X_array, columns=["width", "height"]))
    assert_series_equal(y_new, pd.Series(y_array, name="kind", dtype="category"))
    assert_frame_equal(sampler.fit_resample(frame, labels.to_frame())[1], y_new.to_frame())


# Given the class, there is little left for a code to tell.
@pytest.mark.filterwarnings("ignore:Posterior collapse")
def test_columns_of_any_kind():
    X, y = rows()
    frame = pd.DataFrame({"size": X[:, 0], "sort": pd.Categorical(y), "heavy": X[:, 1] > 0})
    sampler = GenerativeOverSampler(generator=VAE(max_epochs=5), random_state=0)
    X_new, y_new = sampler.fit_resample(frame, y)
    assert_frame_equal(X_new[:85], frame)
    assert (X_new.dtypes == frame.dtypes).all()
    assert isinstance(y_new, np.ndarray)
    with pytest.raises(TypeError, match="'sort' has dtype category"):
        GenerativeOverSampler(QUICK).fit_resample(frame, y)


@pytest.mark.parametrize(
    ("strategy", "sizes"),
    [
        ("not majority", [60, 60, 60]),
        ("minority", [15, 60, 60]),
        ({"rare": 20}, [20, 10, 60]),
        ({"rare": 15, "usual": 62}, [15, 10, 62]),
    ],
)
def test_sizes_are_those_asked_for(strategy, sizes):
    sampler = GenerativeOverSampler(QUICK, sampling_strategy=strategy, random_state=0)
    X_new, y_new = sampler.fit_resample(*rows())
    assert np.unique(y_new, return_counts=True)[1].tolist() == sizes
    assert len(X_new) == len(y_new)


def test_a_number_is_the_share_of_the_other_class():
    X, y = rows()
    X, y = X[:75], y[:75]
    half = GenerativeOverSampler(QUICK, sampling_strategy=0.5, random_state=0)
    assert np.unique(half.fit_resample(X, y)[1], return_counts=True)[1].tolist() == [30, 60]
    with pytest.raises(ValueError, match="12 rows of class 'rare', which has 15"):
        half.set_params(sampling_strategy=0.2).fit_resample(X, y)
    with pytest.raises(ValueError, match="for two classes, but y has 3"):
        half.fit_resample(*rows())


def test_classes_of_few_rows_are_told():
    X, y = rows()
    sampler = GenerativeOverSampler(QUICK, random_state=0)
    with pytest.warns(UserWarning, match="Class 'rarer' has 9 rows"):
        sampler.fit_resample(X[:84], y[:84])
    with pytest.raises(ValueError, match="Class 'rarer' has one row"):
        sampler.fit_resample(X[:76], y[:76])
    sampler.set_params(sampling_strategy={"rare": 60}).fit_resample(X[:76], y[:76])


class Centres(BaseEstimator):
    """Draws the mean of a class, again and again."""

    def fit(self, X, y):
        self.centres_ = {c: X[y == c].mean(axis=0) for c in np.unique(y)}
        return self

    def sample(self, n_samples, y, random_state):
        return np.stack([self.centres_[c] for c in y])


def test_any_estimator_that_draws_rows_of_a_class_will_do():
    X, y = rows()
    X_new, y_new = GenerativeOverSampler(Centres()).fit_resample(X, y)
    np.testing.assert_allclose(X_new[85:][y_new[85:] == "rare"], [X[y == "rare"].mean(0)] * 45)


def test_pipelines_and_searches():
    pipelines = pytest.importorskip("imblearn.pipeline")
    X, y = (np.concatenate([part, part]) for part in rows())  # enough of each class in each half
    sampler = GenerativeOverSampler(QUICK, random_state=0)
    pipeline = pipelines.make_pipeline(StandardScaler(), sampler, GaussianNB())
    grid = {
        "generativeoversampler__generator__max_epochs": [1, 2],
        "generativeoversampler__sampling_strategy": ["not majority"],
    }
    search = GridSearchCV(clone(pipeline), grid, cv=2, error_score="raise")
    search.fit(X, y)
    fitted = search.best_estimator_
    assert fitted.predict(X).shape == y.shape
    np.testing.assert_allclose(fitted[-1].class_prior_, 1 / 3)
    assert search.score(X, y) > 0.9


def test_what_cannot_be_is_refused():
    X, y = rows()
    with pytest.raises(ValueError, match="at least two classes are needed"):
        GenerativeOverSampler().fit_resample(X, np.zeros(85))
    with pytest.raises(ValueError, match="object implementing 'fit' and 'sample'"):
        GenerativeOverSampler("smote").fit_resample(X, y)
    with pytest.raises(TypeError, match=r"rows of a class.*which GaussianMixture does not"):
        GenerativeOverSampler(GaussianMixture()).fit_resample(X, y)
    with pytest.raises(ValueError, match="names 'gone', which is none of the classes"):
        GenerativeOverSampler(sampling_strategy={"gone": 80}).fit_resample(X, y)


def test_imbalanced_learn_checks():
    checks = pytest.importorskip("imblearn.utils.estimator_checks")
    sampler = GenerativeOverSampler(RealNVP(n_layers=2, max_epochs=1), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for estimator, check in checks.estimator_checks_generator(sampler):
            check(estimator)


@pytest.mark.parametrize(
    ("strategy", "drawn"),
    [
        ("auto", {"rare": 45, "rarer": 50}),
        ("all", {"rare": 45, "rarer": 50, "usual": 0}),
        ("not minority", {"rare": 45, "usual": 0}),
        ("minority", {"rarer": 50}),
        (lambda y: {"rare": (y == "rare").sum() + 3}, {"rare": 3}),
    ],
    ids=str,
)
def test_fit_tells_what_will_be_drawn(strategy, drawn):
    X, y = rows()
    sampler = GenerativeOverSampler(QUICK, sampling_strategy=strategy, random_state=0)
    assert sampler.fit(X, y).sampling_strategy_ == drawn
    assert sampler.n_features_in_ == 2
    assert not hasattr(sampler, "generator_")
    assert len(sampler.fit_resample(X, y)[0]) == 85 + sum(drawn.values())
    names = sampler.fit(pd.DataFrame(X, columns=["a", "b"]), y).feature_names_in_
    assert names.tolist() == ["a", "b"]


def test_a_pipeline_may_end_in_a_sampler():
    pipelines = pytest.importorskip("imblearn.pipeline")
    X, y = rows()
    pipeline = pipelines.make_pipeline(StandardScaler(), GenerativeOverSampler(QUICK))
    assert len(pipeline.fit_resample(X, y)[0]) == 180
