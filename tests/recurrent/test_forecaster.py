"""Forecasts by recurrent networks: units of each step, windows, both strategies, likelihoods."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklseq.nn.ragged.packing import Packing
from sklseq.parts.forecasting.series import Series
from sklseq.recurrent import RecurrentForecaster
from sklseq.recurrent._local_units import LocalUnits
from sklseq.recurrent._windows import Windows


def make(**params):
    return RecurrentForecaster(
        **{"hidden_size": 6, "max_epochs": 3, "random_state": 0, "scaling": "all"} | params
    )


def wave(n, seed=0, n_features=1):
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None]
    return (
        10
        + np.sin(t * np.pi / 3 + rng.uniform(0, 6, n_features))
        + 0.1 * rng.normal(size=(n, n_features))
    )


def stacked(values):
    lengths = np.array([len(v) for v in values])
    return Series(np.concatenate(values), lengths, np.zeros((lengths.sum(), 0)))


strategies = pytest.mark.parametrize("strategy", ["direct", "recursive"])
every_units = pytest.mark.parametrize(
    "units",
    [
        LocalUnits(1, 1, False, True, np.ones(2)),
        LocalUnits(4, 6, True, True, np.ones(2)),
        LocalUnits(4, 3, True, False, np.ones(2)),
    ],
    ids=["plain", "seasonal", "values"],
)

# -- units of each step --------------------------------------------------------------------


@every_units
@given(cut=st.integers(1, 11), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_units_read_in_parts_are_those_of_the_whole(units, cut, seed):
    values = np.random.default_rng(seed).normal(size=(3, 12, 2)).cumsum(axis=1)
    whole, found = units.read(None, values)
    first, before = units.read(None, values[:, :cut])
    state = units.after(before, np.full(3, cut))
    rest, after = units.read(state, values[:, cut:])
    for all_of, one, other in zip(whole, first, rest, strict=True):
        assert_allclose(np.concatenate([one, other], axis=1), all_of, atol=1e-12)
    ends = units.after(found, np.full(3, 12))
    for name, part in units.after(after, np.full(3, 12 - cut)).items():
        assert_allclose(part, ends[name], atol=1e-12)
        assert part.shape[1:] == units.shapes()[name]
    for now, known in zip(units.now(ends), whole.at(slice(-1, None)), strict=True):
        assert_allclose(now, known, atol=1e-12)
    assert whole.inputs.shape[2] == units.n_inputs


@every_units
def test_units_do_not_know_what_is_to_come(units):
    values = np.random.default_rng(0).normal(size=(2, 12, 2))
    later = values.copy()
    later[:, 7:] *= 100
    for before, after in zip(
        units.read(None, values)[0].at(slice(7)), units.read(None, later)[0].at(slice(7)),
        strict=True,
    ):  # fmt: skip
        assert_array_equal(before, after)


def test_units_do_not_change_with_those_of_the_series():
    values = np.random.default_rng(0).normal(size=(1, 20, 1)).cumsum(axis=1)
    found = [
        LocalUnits(4, 2, True, True, np.array([factor])).read(None, factor * values + offset)[0]
        for factor, offset in ((1.0, 0.0), (1e5, -3e6))
    ]
    assert_allclose(found[0].inputs, found[1].inputs, atol=1e-8)
    assert_allclose(found[0].seasonal, found[1].seasonal, atol=1e-8)


@every_units
@pytest.mark.parametrize("window", [None, 4, 5])
def test_windows_ask_for_the_values_that_follow(units, window):
    series = stacked([wave(n, n, 2) for n in (30, 3, 9, 12)])
    first, last = np.array([1, 1, 4, 1]), np.array([30, 3, 9, 8])
    windows = Windows(series, units, window, first, last)
    every = np.arange(len(windows))
    seen = windows.seen_in(every)
    targets, weights = windows.targets(every, seen)
    targets = targets.reshape(-1, units.horizon, 2)
    counted = np.zeros((4, 40), dtype=int)
    at = 0
    for window_, length in enumerate(windows.lengths):
        row, start = windows.rows[window_], windows.starts[window_]
        values = seen.at(slice(length)).values(targets[None, at : at + length])
        # What is counted from the last value, in units of the step, is the value that came.
        for step in range(length):
            for k in range(units.horizon):
                ahead = start + step + 1 + k
                if weights[at + step, 2 * k]:
                    true = windows.grid.values[row, ahead]
                    assert_allclose(values[window_, step, k], true)
                    counted[row, ahead] += k == 0
        at += length
    # Each value is asked for once, one step ahead: washed-in starts leave no gap.
    for row in range(4):
        assert (counted[row, first[row] : last[row]] == 1).all()
        assert counted[row].sum() == last[row] - first[row]


@pytest.mark.parametrize("window", [None, 5])
def test_windows_that_are_fed_the_truth_are_as_they_were(window):
    units = LocalUnits(4, 3, True, True, np.ones(2))
    series = stacked([wave(n, n, 2) for n in (30, 9)])
    windows = Windows(series, units, window, np.ones(2, dtype=int), series.lengths)
    every = np.arange(len(windows))
    seen = windows.seen_in(every)
    columns, targets = windows.fed(every, lambda c: np.full((len(c), 3, 2), 9.0), 1.0)
    assert_allclose(columns, windows.columns(every, seen), atol=1e-12)
    assert_allclose(targets, windows.targets(every, seen)[0], atol=1e-12)
    own, _ = windows.fed(every, lambda c: np.full((len(c), 3, 2), 9.0), 0.0)
    assert not np.allclose(own, columns)


# -- forecasts -----------------------------------------------------------------------------


def test_a_recursive_forecast_is_a_plain_loop():
    X = wave(50)
    model = make(strategy="recursive", season_length=6).fit(X)
    known = X
    for _ in range(5):
        known = np.concatenate([known, model.predict(known)[-1:]])
    assert_allclose(model.forecast(5), known[50:], rtol=1e-5)
    again = make(strategy="recursive", season_length=6).fit(X)
    steps = []
    for _ in range(5):
        steps.append(again.forecast(1))
        again.update(steps[-1])
    assert_allclose(np.concatenate(steps), model.forecast(5), rtol=1e-5)


@strategies
def test_a_shorter_forecast_is_the_start_of_a_longer_one(strategy):
    u = np.random.default_rng(0).normal(size=(80, 1))
    model = make(strategy=strategy).fit(wave(50), exogenous=u[:50])
    longest = model.forecast(30, exogenous=u[50:80])
    for n in (1, 7, 8, 9, 20):
        assert_allclose(model.forecast(n, exogenous=u[50 : 50 + n]), longest[:n], rtol=1e-6)


def test_exogenous_inputs_of_a_step_count_for_that_step():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(60, 1))
    model = make(horizon=8).fit(wave(50), exogenous=u[:50])
    plain = model.forecast(8, exogenous=u[50:58])
    for step in range(1, 8):
        moved = u[50:58].copy()
        moved[step] += 3
        changed = np.flatnonzero(model.forecast(8, exogenous=moved)[:, 0] != plain[:, 0])
        assert changed.tolist() == [step]


@strategies
def test_known_inputs_are_learned(strategy):
    rng = np.random.default_rng(0)
    u = rng.normal(size=(300, 1))
    X = np.cumsum(0.1 * rng.normal(size=(300, 1)), axis=0) * 0 + 5 + 2 * u
    model = make(strategy=strategy, hidden_size=16, max_epochs=150, residual=False, horizon=4)
    if strategy == "recursive":
        model.set_params(horizon="auto")
    model.fit(X[:280], exogenous=u[:280])
    error = np.abs(model.forecast(12, exogenous=u[280:292]) - X[280:292])
    assert error.mean() < 0.6


@pytest.mark.parametrize("cell", ["gru", "lstm", "lru", torch.nn.GRUCell], ids=str)
@strategies
def test_series_are_the_same_bits_in_any_company(cell, strategy):
    X = [wave(n, n) for n in (30, 1, 45, 8, 2)]
    model = make(cell=cell, strategy=strategy, season_length=6).fit(X)
    together = model.forecast(4)
    assert_array_equal(model.forecast(4, X), together)
    assert_array_equal(model.forecast(4, X[::-1])[::-1], together)
    for i, x in enumerate(X):
        assert_array_equal(model.forecast(4, [x])[0], together[i])
        assert_array_equal(model.predict([x])[0], model.predict(X)[i])


def test_many_short_series_are_learned():
    rng = np.random.default_rng(0)
    pattern = np.tile([0.0, 3.0, -1.0, 1.0], 12)
    X = [
        (level + size * (pattern[:n] + 0.1 * rng.normal(size=n)))[:, None]
        for level, size, n in zip(
            rng.uniform(-50, 50, 60), rng.lognormal(0, 2, 60), rng.integers(20, 40, 60), strict=True
        )
    ]
    model = make(scaling="auto", season_length=4, max_epochs=40, hidden_size=16)
    model.fit([x[:-4] for x in X])
    size = np.array([x.std() for x in X])[:, None]
    true = np.stack([x[-4:, 0] for x in X])
    naive = np.stack([x[-8:-4, 0] for x in X])
    error = np.abs(model.forecast(4)[:, :, 0] - true) / size
    assert error.mean() < (np.abs(naive - true) / size).mean()


@pytest.mark.parametrize("loss", ["gaussian", "student_t"])
def test_paths_are_as_wide_as_the_noise(loss):
    X = np.random.default_rng(0).normal(size=(400, 1)).cumsum(axis=0)
    model = make(loss=loss, max_epochs=60).fit(X)
    paths = model.sample_paths(9, 400, random_state=0)
    assert_array_equal(paths, model.sample_paths(9, 400, random_state=0))
    assert paths.shape == (400, 9, 1)
    assert 0.7 < paths[:, 0].std() < 1.5
    assert 1.7 < paths[:, 8].std() / paths[:, 0].std() < 5


def test_quantiles_of_the_network_hold_their_share():
    rng = np.random.default_rng(0)
    X = (np.sin(np.arange(600) / 4) + 0.3 * rng.standard_normal(600))[:, None]
    model = make(loss="quantile", quantile=(0.9, 0.1, 0.5), horizon=4, max_epochs="auto")
    model.fit(X[:500])
    low, middle, high = model.forecast_quantiles(4)
    assert (low < middle).all()
    assert (middle < high).all()
    assert_array_equal(middle, model.forecast(4))
    inside = []
    for start in range(500, 596):
        low, high = model.forecast_quantiles(4, (0.1, 0.9))
        inside.append((low <= X[start : start + 4]) & (X[start : start + 4] <= high))
        model.update(X[start : start + 1])
    assert 0.6 < np.mean(inside) < 0.95
    assert model.sample_paths(12, 3).shape == (3, 12, 1)


def test_one_level_is_what_is_forecast():
    X = wave(80)
    model = make(loss="quantile", quantile=0.9, horizon=4).fit(X)
    (found,) = model.forecast_quantiles(3, [0.9])
    assert_array_equal(found, model.forecast(3))
    (computed,) = model.forecast_quantiles(3, [3 * 0.3])
    assert_array_equal(computed, found)
    above = model.forecast(3) > make(loss="quantile", quantile=0.1, horizon=4).fit(X).forecast(3)
    assert above.all()


def test_quantiles_that_the_network_does_not_know_are_refused():
    model = make(loss="quantile", quantile=(0.1, 0.9), horizon=4).fit(wave(40))
    with pytest.raises(ValueError, match=r"fitted for \(0.1, 0.9\), not for 0.5"):
        model.forecast_quantiles(3)
    with pytest.raises(ValueError, match="known of the 4 steps that the network predicts at once"):
        model.forecast_quantiles(5, (0.1, 0.9))


@pytest.mark.parametrize(
    "change", [{"horizon": 3}, {"strategy": "recursive"}, {"quantile": 0.5}], ids=str
)
def test_training_does_not_go_on_with_another_network(change):
    model = make(loss="quantile", quantile=[0.1, 0.9], warm_start=True, residual=False)
    model.fit(wave(40)).fit(wave(40))
    before = model.forecast(3)
    with pytest.raises(ValueError, match="was fitted"):
        model.set_params(**change).fit(wave(40))
    assert_array_equal(model.forecast(3), before)


def test_context_tells_series_apart():
    rng = np.random.default_rng(0)
    slope = np.repeat([-1.0, 1.0], 20)
    X = [(rng.normal() + 0.05 * rng.normal(size=12) + s * np.arange(12))[:, None] for s in slope]
    start = [x[:1] for x in X]
    model = make(max_epochs=60, strategy="recursive").fit(X, context=slope[:, None])
    ahead = model.forecast(1, start, context=slope[:, None])[:, 0, 0] - np.ravel(start)
    assert (np.sign(ahead) == slope).all()
    assert_array_equal(model.forecast(2), model.forecast(2, X, context=slope[:, None]))
    with pytest.raises(ValueError, match="context is missing"):
        model.forecast(1, X)


# -- training ------------------------------------------------------------------------------


@pytest.mark.parametrize("probability", [0.0, 0.5])
def test_networks_learn_from_their_own_predictions(probability):
    X = [wave(n, n) for n in (30, 21)]
    fits = [make(teacher_forcing=p, window=10).fit(X) for p in (probability, probability, 1.0)]
    assert_array_equal(fits[0].forecast(3), fits[1].forecast(3))
    assert not np.array_equal(fits[0].forecast(3), fits[2].forecast(3))


def test_held_out_ends_are_not_trained_on():
    X = wave(60)
    moved = X.copy()
    moved[-6:] += 1
    params = {"early_stopping": True, "residual": False, "scaling": None, "max_epochs": 2}
    fits = [make(**params).fit(series) for series in (X, moved)]
    assert fits[0].loss_curve_ == fits[1].loss_curve_
    assert fits[0].validation_scores_ != fits[1].validation_scores_


def test_training_goes_on():
    X = wave(60)
    model = make().partial_fit(X).partial_fit(X)
    assert model.n_iter_ == 2
    warm = make(warm_start=True).fit(X).fit(X)
    assert warm.n_iter_ == 6
    with pytest.raises(ValueError, match="loss='gaussian', but"):
        warm.set_params(loss="gaussian").fit(X)


def test_the_network_runs_on_any_device():
    model = make(season_length=6, horizon=8).fit(wave(40), exogenous=np.zeros((40, 2)))
    module = model.module_.to("meta")
    n = module.n_inputs + 8 * (2 + 1)
    packing = Packing(np.array([5, 3]), "meta")
    outputs = module(torch.zeros(8, n, device="meta"), packing)
    assert outputs.device.type == "meta"
    assert outputs.shape == (8, 8)


# -- what is refused -----------------------------------------------------------------------


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="horizon=4 is for strategy='direct'"):
        make(strategy="recursive", horizon=4).fit(wave(30))
    with pytest.raises(ValueError, match="there is no next step to learn from"):
        make().fit([wave(1), wave(1)])
    with pytest.raises(ValueError, match="early_stopping=True holds out"):
        make(early_stopping=True).fit([wave(2)])
