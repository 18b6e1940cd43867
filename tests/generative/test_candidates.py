"""Candidates are picked with the frequencies asked for, and otherwise as they were."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sklseq.generative import GAN, _density_ratio
from sklseq.generative._density_ratio import DensityRatioEstimator, iterative_proportional_fitting


def picked(log_ratios, values, log_weights):
    """One row of each group."""
    ratio = DensityRatioEstimator(log_weights=log_weights[None])
    return ratio.picked(values, log_ratios, None, np.random.default_rng(1))


def test_picks_have_the_frequencies_asked_for():
    rng = np.random.default_rng(0)
    # A category, and a boolean that depends on it; the ratios prefer some rows.
    codes = rng.choice(3, p=[0.9, 0.09, 0.01], size=(20_000, 8))
    values = np.eye(3)[codes]
    values = np.concatenate([values, rng.random((20_000, 8, 1)) < 0.5 * values[..., :1]], axis=2)
    log_ratios = rng.normal(size=codes.shape)
    wanted = np.array([0.6, 0.37, 0.03, 0.4])
    log_weights = iterative_proportional_fitting(log_ratios, values, wanted)
    rows = picked(log_ratios, values, log_weights)
    np.testing.assert_allclose(rows.mean(axis=0), wanted, atol=0.01)
    assert rows[:, 2].mean() == pytest.approx(0.03, rel=0.15)
    # What never goes together does not go together now.
    assert not rows[rows[:, 0] == 0, 3].any()


def test_frequencies_that_are_right_change_nothing():
    rng = np.random.default_rng(0)
    values = np.eye(3)[rng.integers(3, size=(5000, 4))]
    log_weights = iterative_proportional_fitting(
        np.zeros((5000, 4)), values, values.mean(axis=(0, 1))
    )
    np.testing.assert_allclose(log_weights, 0, atol=1e-2)


def test_what_is_never_made_stays_away():
    values = np.eye(3)[np.random.default_rng(0).integers(2, size=(1000, 4))]
    log_weights = iterative_proportional_fitting(
        np.zeros((1000, 4)), values, np.array([0.5, 0.4, 0.1])
    )
    assert np.isfinite(log_weights).all()
    shares = picked(np.zeros((1000, 4)), values, log_weights).mean(axis=0)
    assert shares[2] == 0
    assert 0.4 < shares[1] < 0.6


def test_each_class_has_frequencies_of_its_own():
    """Of a generator that hardly learned anything, too; rows without weight do not count."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=600)
    frame = pd.DataFrame({"a": rng.random(600) < np.where(y, 0.3, 0.05), "x": rng.normal(size=600)})
    frame.loc[rng.random(600) < np.where(y, 0.02, 0.4), "x"] = np.nan
    weights = np.where(frame["a"] & (rng.random(600) < 0.5), 0.0, 1.0)
    gan = GAN(conditional=True, max_epochs=2, hidden_layer_sizes=(16,), random_state=0)
    gan.fit(frame, y, sample_weight=weights)
    for c in (0, 1):
        rows, of_class = gan.sample(4000, y=c, random_state=1), (y == c) & (weights > 0)
        assert rows["a"].mean() == pytest.approx(frame["a"][of_class].mean(), abs=0.02)
        missing = frame["x"][of_class].isna().mean()
        assert rows["x"].isna().mean() == pytest.approx(missing, abs=0.02)


@pytest.mark.parametrize("is_trained", [False, True])
def test_rows_do_not_depend_on_how_many_are_made_at_once(is_trained, monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.random(60) < 0.3, "x": rng.normal(size=60)})
    gan = GAN(conditional=True, max_epochs=1, hidden_layer_sizes=(8,), random_state=0)
    gan.fit(frame, np.arange(60) % 2)
    gan._density_ratio = replace(gan._density_ratio, is_trained=is_trained)
    y = np.arange(50) % 2
    together = gan.sample(50, y=y, random_state=0)
    monkeypatch.setattr(_density_ratio, "_CHUNK", 9)
    pd.testing.assert_frame_equal(gan.sample(50, y=y, random_state=0), together)
