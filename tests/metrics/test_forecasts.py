import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from sklseq.metrics import (
    crps_samples,
    interval_coverage,
    mean_absolute_scaled_error,
    normalized_root_mean_squared_error,
    symmetric_mean_absolute_percentage_error,
    valid_prediction_time,
)

RNG = np.random.default_rng(0)
TRUE, PRED, TRAIN = (RNG.normal(size=(n, 2)) for n in (7, 7, 30))


@pytest.mark.parametrize("m", [1, 4])
def test_scaled_error_by_a_loop(m):
    ratios = []
    for k in range(2):
        naive = [abs(TRAIN[t, k] - TRAIN[t - m, k]) for t in range(m, 30)]
        ratios.append(np.mean([abs(a - b) for a, b in zip(TRUE[:, k], PRED[:, k], strict=True)]))
        ratios[-1] /= np.mean(naive)
    assert_allclose(mean_absolute_scaled_error(TRUE, PRED, TRAIN, m), np.mean(ratios))


def test_the_naive_forecast_in_training_has_one():
    y = RNG.normal(size=40)
    assert_allclose(mean_absolute_scaled_error(y[3:], y[:-3], y, 3), 1)


def test_percentage_error_by_a_loop():
    terms = [
        200 * abs(a - b) / (abs(a) + abs(b)) for a, b in zip(TRUE.flat, PRED.flat, strict=True)
    ]
    assert_allclose(symmetric_mean_absolute_percentage_error(TRUE, PRED), np.mean(terms))
    assert symmetric_mean_absolute_percentage_error([1.0], [-1.0]) == 200


def test_normalized_error_of_the_mean_is_one():
    mean = np.broadcast_to(TRUE.mean(axis=0), TRUE.shape)
    assert_allclose(normalized_root_mean_squared_error(TRUE, mean), 1)


def test_crps_by_all_pairs():
    samples = RNG.normal(size=(9, 7, 2))
    pairs = np.abs(samples[:, None] - samples[None]).mean(axis=(0, 1))
    expected = (np.abs(samples - TRUE).mean(axis=0) - pairs / 2).mean()
    assert_allclose(crps_samples(TRUE, samples), expected)
    assert_allclose(crps_samples(TRUE, PRED[None]), np.abs(TRUE - PRED).mean())


def test_crps_of_a_normal_distribution():
    z = np.array([-0.7, 0.0, 1.3])
    samples = norm.ppf((np.arange(20000) + 0.5) / 20000)[:, None].repeat(3, axis=1)
    closed = z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)
    assert_allclose(crps_samples(z, samples), closed.mean(), atol=1e-3)


def test_coverage():
    width = RNG.uniform(0, 2, size=TRUE.shape)
    inside = [abs(a - b) <= w for a, b, w in zip(TRUE.flat, PRED.flat, width.flat, strict=True)]
    assert interval_coverage(TRUE, PRED - width, PRED + width) == np.mean(inside)
    assert interval_coverage(TRUE, np.full_like(TRUE, -np.inf), np.full_like(TRUE, np.inf)) == 1


def test_valid_time_by_a_loop():
    path = np.cumsum(RNG.normal(size=(50, 3)), axis=0)
    pred = path + 0.02 * np.arange(50)[:, None] ** 1.5
    sd = path.std(axis=0)
    steps = 0
    while np.sqrt(np.mean(((path[steps] - pred[steps]) / sd) ** 2)) <= 0.4:
        steps += 1
    assert 0 < steps < 50
    assert valid_prediction_time(path, pred, time_step=0.1) == pytest.approx(0.1 * steps)
    assert valid_prediction_time(path, path) == 50
    assert valid_prediction_time(path, pred, y_train=100 * path) == 50


@pytest.mark.parametrize(
    ("metric", "arguments", "message"),
    [
        (mean_absolute_scaled_error, ([1.0], [1.0], [2.0, 2.0]), "feature 0 is the same"),
        (mean_absolute_scaled_error, ([1.0], [1.0], [2.0, 3.0], 2), "y_train has 2 steps"),
        (mean_absolute_scaled_error, ([1.0], [1.0], [2.0, 3.0], 0), "season_length=0"),
        (symmetric_mean_absolute_percentage_error, ([1.0], [1.0, 2.0]), r"shape \(1, 1\)"),
        (symmetric_mean_absolute_percentage_error, ([np.nan], [1.0]), r"y_true is nan at \(0,\)"),
        (symmetric_mean_absolute_percentage_error, (np.ones((2, 3, 1)),) * 2, "one series"),
        (normalized_root_mean_squared_error, ([2.0, 2.0], [1.0, 2.0]), "constant"),
        (crps_samples, ([1.0, 2.0], [[1.0]]), "samples has shape"),
        (interval_coverage, ([1.0], [2.0], [1.0]), "lower bound is above"),
        (valid_prediction_time, ([1.0, 1.0], [1.0, 1.0]), "constant"),
    ],
)
def test_mistakes_are_named(metric, arguments, message):
    with pytest.raises(ValueError, match=message):
        metric(*arguments)
