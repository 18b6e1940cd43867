"""Oversampling: classes of one size, rows as given kept, and rare rows that look like rare rows."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from sklseq.generative import VAE, GenerativeOverSampler, RealNVP

QUICK = RealNVP(n_layers=2, hidden_layer_sizes=(8,), max_epochs=5)


def rows():
    rng = np.random.default_rng(0)
    y = np.array(["usual"] * 60 + ["rare"] * 15 + ["rarer"] * 6)
    centres = {"usual": 0.0, "rare": 20.0, "rarer": -20.0}
    return rng.normal(size=(81, 2)) + np.array([centres[c] for c in y])[:, None], y


@pytest.mark.parametrize("generator", [QUICK, VAE(max_epochs=5)], ids=["RealNVP", "VAE"])
def test_all_classes_become_as_frequent_where_they_lie(generator):
    X, y = rows()
    sampler = GenerativeOverSampler(generator=generator, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    np.testing.assert_array_equal(X_new[:81], X)
    np.testing.assert_array_equal(y_new[:81], y)
    assert np.unique(y_new, return_counts=True)[1].tolist() == [60, 60, 60]
    for c, centre in (("rare", 20), ("rarer", -20)):
        np.testing.assert_allclose(X_new[81:][y_new[81:] == c].mean(0), centre, atol=2.5)
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
    assert len(np.unique(X_new[81:], axis=0)) > 9


def test_balanced_rows_stay_as_they_are():
    X, _ = rows()
    X, y = X[:80], np.arange(80) % 2
    X_new, y_new = GenerativeOverSampler(generator=QUICK, random_state=0).fit_resample(X, y)
    np.testing.assert_array_equal(X_new, X)
    np.testing.assert_array_equal(y_new, y)


def test_frames_stay_frames():
    X, y = rows()
    frame = pd.DataFrame(X, columns=["width", "height"], index=np.arange(81) + 500)
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
    assert_frame_equal(X_new[:81], frame)
    assert (X_new.dtypes == frame.dtypes).all()
    assert isinstance(y_new, np.ndarray)
    with pytest.raises(TypeError, match="'sort' has dtype category"):
        GenerativeOverSampler(generator=QUICK).fit_resample(frame, y)


def test_what_cannot_be_is_refused():
    X, y = rows()
    with pytest.raises(ValueError, match="nothing is rare"):
        GenerativeOverSampler().fit_resample(X, np.zeros(81))
    with pytest.raises(ValueError, match="generator"):
        GenerativeOverSampler(generator="smote").fit_resample(X, y)
