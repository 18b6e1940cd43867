"""What every forecaster promises, whatever its model."""

import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklseq.parts.forecasting.forecaster import Forecaster
from sklseq.utils import all_estimators

FORECASTERS = {
    name: cls for name, cls in all_estimators() if issubclass(cls, Forecaster)
}  # fmt: skip
# So small that all are trained in a moment.
SMALL = {
    "random_state": 0, "reservoir_size": 15, "hidden_size": 4, "max_epochs": 2, "alpha": 1e-3,
}  # fmt: skip
each = pytest.mark.parametrize("name", FORECASTERS)


def make(name, **params):
    model = FORECASTERS[name]()
    known = model.get_params()
    small = {key: value for key, value in SMALL.items() if key in known}
    if "forecasters" in known:
        window = FORECASTERS["WindowRegressor"](differences=1, scaling="all")
        theta = FORECASTERS["ThetaForecaster"](seasonal="additive")
        small["forecasters"] = [("theta", theta), ("window", window)]
    return model.set_params(**small | params)


def wave(n, n_features=1, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None]
    phases = rng.uniform(0, 6, n_features)
    return 10 + 0.05 * t + np.sin(t * np.pi / 3 + phases) + 0.1 * rng.normal(size=(n, n_features))


def panel(lengths, n_features=1):
    return [wave(n, n_features, seed) for seed, n in enumerate(lengths)]


def assert_same(a, b, atol=1e-6):
    assert_allclose(np.asarray(a, dtype=float), np.asarray(b, dtype=float), atol=atol, rtol=1e-6)


SETTINGS = {
    "plain": {"season_length": 6},
    "differences": {"season_length": 6, "differences": 1},
    "seasonal": {"season_length": 6, "differences": 1, "seasonal_differences": 1},
    "all": {"season_length": 6, "scaling": "all"},
}
settings = pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)


@each
@settings
def test_series_of_fit_and_the_same_given_anew(name, params):
    X = panel([40, 33, 60])
    model = make(name, **params).fit(X)
    assert model.forecast(5).shape == (3, 5, 1)
    assert_same(model.forecast(5), model.forecast(5, X))


@each
@settings
def test_one_step_is_the_last_prediction(name, params):
    X = panel([40, 33])
    model = make(name, **params).fit(X)
    predicted = model.predict(X)
    assert [p.shape for p in predicted] == [(40, 1), (33, 1)]
    assert_same(model.forecast(1)[:, 0], np.stack([p[-1] for p in predicted]))


@each
@settings
def test_updated_is_forecast_from_all(name, params):
    X = wave(60)
    model = make(name, **params | {"scaling": "all"}).fit(X[:45])
    known = model.forecast(4, X)
    for part in (X[45:46], X[46:52], X[52:]):
        model.update(part)
    assert_same(model.forecast(4), known)


@each
def test_series_of_unequal_updates(name):
    X = panel([50, 44])
    model = make(name, season_length=6, scaling="all").fit([X[0][:40], X[1][:40]])
    known = model.forecast(4, X)
    assert_same(model.update([X[0][40:], X[1][40:]]).forecast(4), known)


@each
@settings
def test_what_comes_after_the_origin_changes_nothing(name, params):
    X = wave(60)
    model = make(name, **params).fit(X[:40])
    later = X.copy()
    later[50:] += 100
    assert_array_equal(model.forecast(6, X[:50]), model.forecast(6, later[:50]))
    before, after = model.predict(X), model.predict(later)
    assert_same(before[:50], after[:50])


@each
def test_every_horizon_depends_on_the_last_steps(name):
    X = wave(48)
    model = make(name, season_length=1, scaling="all").fit(X)
    moved = X.copy()
    moved[-1] += 0.5
    change = np.abs(model.forecast(6, moved) - model.forecast(6, X))
    assert (change > 1e-9).all()


@each
def test_many_series_are_one_by_one(name):
    X = panel([40, 25, 31])
    model = make(name, season_length=6).fit(X)
    together = model.forecast(5, X)
    for i in range(3):
        assert_same(model.forecast(5, X[i : i + 1])[0], together[i])


@each
@pytest.mark.parametrize(("factor", "offset"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e5)])
def test_units_do_not_matter(name, factor, offset):
    X, params = wave(48), {"season_length": 6}
    if offset and "seasonal" in FORECASTERS[name]().get_params():
        params["seasonal"] = "additive"  # what multiplies has a zero
    plain = make(name, **params).fit(X).forecast(4)
    other = make(name, **params).fit(factor * X + offset).forecast(4)
    assert_same((other - offset) / factor, plain, atol=1e-3)


@each
def test_dates_go_on(name):
    index = pd.date_range("2020-01-31", periods=48, freq="ME")
    frame = pd.DataFrame({"value": wave(48)[:, 0]}, index=index)
    model = make(name).fit(frame)
    assert model.season_length_ == 12
    found = model.forecast(3)
    assert list(found.columns) == ["value"]
    expected = pd.date_range(index[-1], periods=4, freq="ME")[1:]
    assert list(found.index) == list(expected)
    assert_same(found, make(name, season_length=12).fit(frame.to_numpy()).forecast(3))
    found = model.forecast(2, frame[:40])
    assert list(found.index) == list(index[40:42])
    column = make(name).fit(frame["value"]).forecast(3)
    assert isinstance(column, pd.Series)
    assert column.name == "value"
    model.update(frame[:0].reindex(expected).fillna(10.0))
    assert model.forecast(1).index[0] == pd.date_range(expected[-1], periods=2, freq="ME")[1]
    with pytest.raises(ValueError, match="expected 2024-04-30"):
        model.update(frame[-2:])


@each
def test_a_panel_frame_goes_on(name):
    parts = {}
    for key, n in (("a", 30), ("b", 24)):
        index = pd.period_range("2020Q1", periods=n, freq="Q")
        parts[key] = pd.DataFrame({"v": wave(n)[:, 0]}, index=index)
    frame = pd.concat(parts, names=["series", "time"])
    found = make(name).fit(frame).forecast(2)
    assert found.index.names == ["series", "time"]
    assert list(found.loc["b"].index) == list(pd.period_range("2026Q1", periods=2, freq="Q"))


@each
def test_gaps_are_refused_by_name(name):
    index = pd.date_range("2020-01-01", periods=48, freq="D").delete(20)
    frame = pd.DataFrame({"value": wave(47)[:, 0]}, index=index)
    with pytest.raises(ValueError, match=r"after 2020-01-20 .* comes 2020-01-22"):
        make(name).fit(frame)


@each
def test_intervals_are_those_of_errors_by_hand(name):
    X = wave(90)
    n_held, n_steps, coverage = 25, 4, 0.8
    model = make(name, season_length=6, calibration_steps=n_held).fit(X)
    alone = make(name, season_length=6).fit(X[: 90 - n_held])
    errors = {h: [] for h in range(1, n_steps + 1)}
    for origin in range(90 - n_held, 90):
        ahead = alone.forecast(min(n_steps, 90 - origin))
        for h in range(1, len(ahead) + 1):
            errors[h].append(abs(X[origin + h - 1, 0] - ahead[h - 1, 0]))
        alone.update(X[origin : origin + 1])
    lower, upper = model.forecast_interval(n_steps, coverage=coverage)
    assert_same((lower + upper) / 2, model.forecast(n_steps))
    for h in range(1, n_steps + 1):
        assert len(errors[h]) == n_held - h + 1
        rank = int(np.ceil((len(errors[h]) + 1) * coverage))
        assert upper[h - 1, 0] - lower[h - 1, 0] == pytest.approx(
            2 * sorted(errors[h])[rank - 1], rel=1e-5
        )


@each
def test_updates_replace_old_errors(name):
    X = wave(90)
    whole = make(name, season_length=6, calibration_steps=12).fit(X[:60])
    by_step, in_parts = deepcopy(whole), deepcopy(whole)
    whole.update(X[60:80])
    for t in range(60, 80):
        by_step.update(X[t : t + 1])
    for part in (X[60:63], X[63:70], X[70:80]):
        in_parts.update(part)
    for model in (by_step, in_parts):
        for h in range(1, 13):
            assert_same(model._origins.errors(h), whole._origins.errors(h))
        for found, wanted in zip(
            model.forecast_interval(2, coverage=0.8),
            whole.forecast_interval(2, coverage=0.8),
            strict=True,
        ):
            assert_same(found, wanted)


@each
def test_errors_with_inputs_reach_as_far_as_these_were_known(name):
    X, u = wave(80), np.random.default_rng(1).normal(size=(80, 1))
    model = make(name, calibration_steps=6).fit(X[:60], exogenous=u[:60])
    for t in range(60, 70):
        model.update(X[t : t + 1], exogenous=u[t : t + 1])
    assert model._origins.errors(1).shape[1] == 6
    assert model._origins.errors(2).shape[1] == 0
    with pytest.raises(ValueError, match="2 steps ahead, and there are 0"):
        model.forecast_interval(2, exogenous=u[70:72], coverage=0.5)


@each
def test_too_few_errors_are_refused(name):
    X = wave(60)
    with pytest.raises(ValueError, match="calibration_steps"):
        make(name).fit(X).forecast_interval(2)
    model = make(name, calibration_steps=9).fit(X)
    model.forecast_interval(1, coverage=0.9)
    with pytest.raises(ValueError, match=r"at least 19 errors .* 1 steps ahead, and there are 9"):
        model.forecast_interval(1, coverage=0.95)
    with pytest.raises(ValueError, match=r"2 steps ahead, and there are 8"):
        model.forecast_interval(2, coverage=0.9)


@each
def test_paths_are_drawn_around_the_forecast(name):
    model = make(name, season_length=6).fit(wave(60))
    paths = model.sample_paths(5, 50, random_state=0)
    assert paths.shape == (50, 5, 1)
    assert_array_equal(paths, model.sample_paths(5, 50, random_state=0))
    assert paths.std(axis=0).min() > 0
    low, middle, high = model.forecast_quantiles(5, random_state=0)
    assert (low <= middle).all()
    assert (middle <= high).all()


@each
@pytest.mark.parametrize("scaling", [None, "series"])
def test_paths_are_as_wide_as_the_series(name, scaling):
    X = [wave(60), 100 * wave(60, seed=1)]
    paths = make(name, season_length=6, scaling=scaling).fit(X).sample_paths(1, 300, random_state=0)
    small, large = paths[:, :, 0, 0].std(axis=0)
    assert 20 < large / small < 500


@each
def test_exogenous_inputs_are_asked_for(name):
    X, u = wave(50), np.random.default_rng(1).normal(size=(56, 2))
    model = make(name, season_length=6).fit(X, exogenous=u[:50])
    assert model.n_exogenous_ == 2
    assert model.forecast(6, exogenous=u[50:]).shape == (6, 1)
    with pytest.raises(ValueError, match=r"exogenous.* 5 steps, but 6"):
        model.forecast(6, exogenous=u[50:55])
    with pytest.raises(ValueError, match="exogenous has 0 inputs"):
        model.forecast(6)
    with pytest.raises(ValueError, match="exogenous="):
        make(name).fit(X, u[:50])


@each
def test_exogenous_inputs_of_other_dates_are_refused(name):
    days = pd.date_range("2020-01-01", periods=50, freq="D")
    X = pd.DataFrame(wave(40), columns=["v"], index=days[:40])
    u = pd.DataFrame(np.random.default_rng(1).normal(size=(50, 1)), columns=["u"], index=days)
    model = make(name, season_length=6).fit(X, exogenous=u[:40])
    assert list(model.forecast(5, exogenous=u[40:45]).index) == list(days[40:45])
    model.forecast(5, X[:30], exogenous=u[:35])
    with pytest.raises(ValueError, match=r"exogenous.* of 2020-02-11 .*, expected 2020-02-10"):
        model.forecast(5, exogenous=u[41:46])
    with pytest.raises(ValueError, match=r"exogenous.*expected 2020-01-31"):
        model.forecast(5, X[:30], exogenous=u[1:36])


@each
@pytest.mark.parametrize("n_steps", [0, -1, 1.5, True])
def test_steps_are_counted(name, n_steps):
    with pytest.raises(ValueError, match="n_steps="):
        make(name).fit(wave(40)).forecast(n_steps)


@each
def test_a_failing_update_changes_nothing(name):
    model = make(name, calibration_steps=5).fit(wave(50))
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="2 features"):
        model.update(wave(5, 2))
    with pytest.raises(ValueError, match="NaN"):
        model.update(np.array([[1.0], [np.nan]]))
    assert pickle.dumps(model) == before


@each
def test_stored_forecasters_go_on(name):
    X = wave(60)
    model = make(name, calibration_steps=8, season_length=6).fit(X[:50])
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(model.update(X[50:]).forecast(4), again.update(X[50:]).forecast(4))
    assert_array_equal(
        model.forecast_interval(1, coverage=0.5), again.forecast_interval(1, coverage=0.5)
    )
    clone(model)


@each
def test_short_series_are_refused(name):
    with pytest.raises(ValueError, match="differences"):
        make(name, differences=1, seasonal_differences=1, season_length=6).fit(wave(7))
    with pytest.raises(ValueError, match="calibration_steps=10 leaves none"):
        make(name, calibration_steps=10).fit(wave(10))
