import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.forecasting import ThetaForecaster
from sklseq.forecasting._seasonal_indices import SeasonalIndices, estimation_points
from sklseq.forecasting._theta_model import N_FREE, SMOOTHING


def walk(n, seed=0, d=1):
    rng = np.random.default_rng(seed)
    return 50 + np.cumsum(rng.normal(0.2, 1.0, size=(n, d)), axis=0)


def seasonal(n, m, seed=0):
    rng = np.random.default_rng(seed)
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(n) / m)
    return (walk(n, seed)[:, 0] * season * np.exp(rng.normal(0, 0.02, n)))[:, None]


def recursion(y, level, smoothing, w, n_ahead=0):
    """The dynamic theta model by its equations: errors of single steps, and forecasts."""
    y, errors = list(y), []
    n = len(y)
    for t in range(n + n_ahead):
        if t < 2:
            intercept, slope = (y[0] if t else 0.0), 0.0
        else:
            slope, intercept = np.polyfit(np.arange(1, t + 1), y[:t], 1)
        kept = (1 - smoothing) ** t
        mean = level + w * (kept * intercept + (1 - kept * (1 - smoothing)) / smoothing * slope)
        if t == n:
            y.append(mean)
            n += 1
        else:
            errors.append(y[t] - mean)
        level = smoothing * y[t] + (1 - smoothing) * level
    return np.array(errors), np.array(y[len(errors) :])


def test_it_is_the_model_of_least_squared_errors():
    y = walk(25)[:, 0]
    model = ThetaForecaster(season_length=1).fit(y[:, None])
    best = np.inf
    for smoothing in SMOOTHING:
        # Errors are linear in the first level and w.
        none, level, trend = (
            recursion(y, *of)[0][N_FREE:]
            for of in ((0.0, smoothing, 0.0), (1.0, smoothing, 0.0), (0.0, smoothing, 1.0))
        )
        A = np.stack([none - level, none - trend], axis=1)
        x = np.linalg.lstsq(A, none, rcond=None)[0]
        if not 0 <= x[1] <= 1:
            w = float(np.clip(x[1], 0, 1))
            x = np.array([A[:, 0] @ (none - w * A[:, 1]) / (A[:, 0] @ A[:, 0]), w])
        squares = ((none - A @ x) ** 2).sum()
        if squares < best:
            best, chosen = squares, (x[0], smoothing, x[1])
    errors, ahead = recursion(y, *chosen, n_ahead=5)
    np.testing.assert_allclose((errors[N_FREE:] ** 2).sum(), best)
    np.testing.assert_allclose(model.forecast(5)[:, 0], ahead, rtol=1e-8)


def test_theta_one_is_exponential_smoothing():
    forecast = ThetaForecaster(theta=1.0).fit(walk(30)).forecast(4)
    np.testing.assert_allclose(forecast, np.full((4, 1), forecast[0, 0]))


def test_a_line_goes_on():
    X = 3 + 2.0 * np.arange(20)[:, None]
    forecast = ThetaForecaster().fit(X).forecast(3)
    np.testing.assert_allclose(forecast[:, 0], [43, 45, 47], rtol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_indices_of_a_pure_season_are_it(shift):
    m, shape = 5, np.array([1.4, 0.7, 1.1, 0.9, 0.9])
    y = np.tile(shape, 4)[None] if shift else np.tile(shape - 1, 4)[None] - 5
    found = SeasonalIndices.of(y, np.array([0]), np.array([18]), m, False)
    expected = (shape, np.zeros(m)) if shift else (np.ones(m), shape - 1)
    np.testing.assert_allclose(found.factors[0], expected[0])
    np.testing.assert_allclose(found.terms[0], expected[1], atol=1e-12)


def test_noise_alone_has_nearly_no_season():
    rng = np.random.default_rng(0)
    y = 100 + rng.normal(size=(300, 36))
    n = np.full(300, 36)
    found = SeasonalIndices.of(y, np.arange(300), n, 4, False).factors
    plain = y[:, 2:34].reshape(300, 8, 4).mean(axis=1)
    plain /= plain.mean(axis=1, keepdims=True)
    assert np.abs(found - 1).mean() < 0.6 * np.abs(plain - 1).mean()


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(1, 13))
@settings(max_examples=30, deadline=None)
def test_points_of_estimation_do_not_depend_on_parts(a, b, c, m):
    a, b, c = sorted((a, b, c))
    joined = np.concatenate([estimation_points(a, b, m), estimation_points(b, c, m)])
    np.testing.assert_array_equal(joined, estimation_points(a, c, m))


@pytest.mark.parametrize("m", [1, 4])
def test_a_prediction_is_the_forecast_of_the_steps_before_it(m):
    X = seasonal(30, m)
    model = ThetaForecaster(season_length=m).fit(X[:20])
    predicted = model.predict(X)
    for t in (1, 2, 8, 9, 15, 29, 30):
        np.testing.assert_array_equal(model.forecast(1, X[:t])[0], predicted[t - 1])


@pytest.mark.parametrize("m", [1, 4])
def test_updates_are_forecasts_of_all_steps(m):
    X = seasonal(40, m)
    model = ThetaForecaster(season_length=m).fit(X[:7])
    for start, stop in ((7, 8), (8, 21), (21, 40)):
        model.update(X[start:stop])
        np.testing.assert_array_equal(model.forecast(6), model.forecast(6, X[:stop]))


def test_series_have_no_company():
    X = [seasonal(n, 4, seed=n) for n in (9, 30, 17, 3, 1, 26)]
    model = ThetaForecaster(season_length=4).fit(X)
    together = model.forecast(5)
    for i in (0, 3, 4, 5):
        np.testing.assert_array_equal(model.forecast(5, [X[i]])[0], together[i])
    two = np.stack([X[1], seasonal(30, 4, seed=7)], axis=-1)[:, 0]
    both = model.__class__(season_length=4).fit(two).forecast(5)
    np.testing.assert_array_equal(both[:, :1], together[1])


def test_units_do_not_matter():
    X = seasonal(40, 4)
    model = ThetaForecaster(season_length=4)
    forecast = model.fit(X).forecast(6)
    np.testing.assert_allclose(model.fit(1e3 * X).forecast(6), 1e3 * forecast)
    below = model.fit(X - 200).forecast(6)  # an additive season
    np.testing.assert_allclose(
        model.set_params(seasonal="additive").fit(X).forecast(6), below + 200
    )
    np.testing.assert_allclose(model.fit(X - 1e6).forecast(6), below + 200 - 1e6, rtol=1e-9)


def test_calibration_and_paths():
    X = [seasonal(n, 4, seed=n) for n in (40, 30, 37)]
    model = ThetaForecaster(season_length=4, calibration_steps=12).fit(X)
    lower, upper = model.forecast_interval(3)
    forecast = model.forecast(3)
    assert (lower < forecast).all()
    assert (forecast < upper).all()
    paths = model.sample_paths(3, 200, random_state=0)
    assert paths.shape == (200, 3, 3, 1)
    assert (np.abs(np.median(paths, axis=0) - forecast) < 0.1 * forecast).all()
