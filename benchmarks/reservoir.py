"""Reservoir computing against what others reached: one table, figure beside bar, in one command.

    python benchmarks/reservoir.py [--quick] [--only ROW [ROW ...]]

All on one thread. Settings were chosen on other seeds than those shown. The peer of the speed rows
is ReservoirPy with the weights that it draws itself; without it they are left out. ``--quick``
takes fewer seeds and shorter series, and says nothing about the bars.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from _table import Row, Rows, at_least, at_most, listed, main, one_thread, peak, turns
from reservoir_kernels import loop, peer

from sklseq.datasets import load_japanese_vowels, make_lorenz, make_mackey_glass, make_narma
from sklseq.inspection import linear_memory_capacity, memory_capacity
from sklseq.nn.reservoir import Reservoir, all_states, input_weights, orthogonal, recurrent_weights
from sklseq.reservoir import ESNClassifier, ESNForecaster, ESNRegressor
from sklseq.ridge import LeaveOneOut, RidgeStatistics

# -- accuracy ------------------------------------------------------------------------------


def mackey_glass(quick: bool) -> Rows:
    """NRMSE84 of Jaeger (2001): his update in the form with one leak rate, without his noise."""
    for n_train, units, bar in ((3000, 400, 8e-4), (21_000, 400, 2e-4), (21_000, 1000, 6.3e-5)):
        errors = [_nrmse84(n_train, units, seed) for seed in range(2 if quick else 5)]
        name = f"Mackey-Glass 17, NRMSE84, {units} units, {n_train} steps, median"
        yield at_most(name, statistics.median(errors), bar, "{:.1e}", listed(errors))


def _nrmse84(n_train: int, units: int, seed: int) -> float:
    train = np.tanh(make_mackey_glass(n_train, random_state=seed) - 1)
    test = make_mackey_glass(50 * 1084, random_state=10_000 + seed).reshape(50, 1084, 1)
    test = np.tanh(test - 1)
    # x <- (1 - Ca) x + C tanh(W x + ...) is leak rate Ca for the state a x and weights W / a.
    model = ESNForecaster(
        target="step",
        reservoir_size=units,
        spectral_radius=0.79 / 0.9,
        leak_rate=0.44 * 0.9,
        feedback_scaling=0.56,
        scaling=None,
        bias_scaling=0.2,
        washout=1000,
        alpha=1e-16,  # of what the triangle (solver="qr") can tell apart, the default here
        features="state+squares",
        random_state=seed,
    ).fit(train)
    forecast = model.forecast(84, test[:, :1000])
    return float(np.sqrt(np.mean((forecast[:, -1] - test[:, -1]) ** 2) / train.var()))


def narma(quick: bool) -> Rows:
    bars = {"state": (0.284, 0.188, 0.142), "state+squares": (0.174, 0.130, 0.118)}
    for features, each in bars.items():
        for units, bar in zip((100, 200, 400), each, strict=True):
            errors = [_narma(units, features, seed) for seed in range(2 if quick else 5)]
            name = f"NARMA10, RMSE / sd, {units} units, {features}, mean of seeds"
            yield at_most(name, float(np.mean(errors)), bar, "{:.3f}", listed(errors, "{:.3f}"))


def _narma(units: int, features: str, seed: int) -> float:
    X, y = make_narma(6000, random_state=seed)
    model = ESNRegressor(
        target="step",
        reservoir_size=units,
        spectral_radius=0.95,
        input_scaling=0.02,
        bias_scaling=0.5,
        washout=200,
        alpha=np.logspace(-14, 0, 15),
        features=features,
        random_state=seed,
    ).fit(X[:4000], y[:4000])
    error = model.predict(X)[4000:] - y[4000:]
    return float(np.sqrt(np.mean(error**2)) / y[4000:].std())


def capacity(quick: bool) -> Rows:
    units = 100
    # Scaling of the input, and spectral radius or, for ES2N, its beta.
    for kind, scaling, size, bar in (
        ("es2n", 0.1, 0.05, 97.4),
        ("ring", 0.01, 0.97, 95.6),
        ("orthogonal", 0.01, 0.97, 89.3),
        ("random", 0.01, 0.99, 31.9),
    ):
        totals = []
        for seed in range(2 if quick else 5):
            reservoir = _network(kind, units, scaling, size, seed)
            totals.append(memory_capacity(reservoir, random_state=seed).sum())
        name = f"memory capacity, {units} units, {kind}, mean of seeds"
        yield at_least(name, float(np.mean(totals)), bar, "{:.1f}", listed(totals, "{:.1f}"))
    ring = replace(_network("ring", units, 1.0, 0.95, 0), activation="identity")
    off = linear_memory_capacity(ring, n_delays=5000).sum() - (units - 1 + 0.95 ** (2 * units))
    yield at_most("memory capacity, linear ring, off N - 1 + r^2N by", abs(off), 1e-6, "{:.0e}")


def _network(kind: str, units: int, scaling: float, size: float, seed: int) -> Reservoir:
    rng = np.random.default_rng(seed)
    inputs = input_weights(units, 1, scaling=scaling, seed=rng)
    if kind == "es2n":
        w = recurrent_weights(units, density=1.0, distribution="uniform", seed=rng)
        return Reservoir(w, inputs, rotation=orthogonal(rng, units), leak_rate=size)
    w = recurrent_weights(
        units, kind, spectral_radius=size, density=1.0, distribution="uniform", seed=rng
    )
    return Reservoir(w, inputs)


def lorenz(quick: bool) -> Rows:
    for units, bar in ((300, 6.8), (1000, 9.5)):
        times = np.concatenate([_valid_times(units, seed) for seed in range(1 if quick else 2)])
        name = f"Lorenz, valid time in Lyapunov times, {units} units, median of {len(times)} starts"
        more = f" (quartiles {np.percentile(times, 25):.1f}, {np.percentile(times, 75):.1f})"
        yield at_least(name, float(np.median(times)), bar, "{:.1f}", more)


def _valid_times(units: int, seed: int) -> np.ndarray:
    train = make_lorenz(5000, random_state=seed)
    mean, scale = train.mean(axis=0), train.std(axis=0)
    test = make_lorenz(20 * 1300, random_state=10_000 + seed).reshape(20, 1300, 3)
    train, test = (train - mean) / scale, (test - mean) / scale
    model = ESNForecaster(
        target="step",
        reservoir_size=units,
        spectral_radius=0.4,
        feedback_scaling=0.3,
        bias_scaling=0.5,
        washout=100,
        alpha=1e-10,
        random_state=seed,
    ).fit(train)
    forecast = model.forecast(1000, test[:, :300])
    # Root mean square over the three standardised coordinates.
    error = np.sqrt(np.mean((forecast - test[:, 300:]) ** 2, axis=2))
    late = error > 0.5
    steps = np.where(late.any(axis=1), late.argmax(axis=1), 1000)
    return steps * 0.02 * 0.906


def vowels(quick: bool) -> Rows:
    X, y = load_japanese_vowels(return_X_y=True)
    X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    scores, seconds = [], []
    for seed in range(3 if quick else 10):
        begin = time.perf_counter()
        model = ESNClassifier(
            reservoir_size=300,
            spectral_radius=0.9,
            input_scaling=0.5,
            leak_rate=0.3,
            pooling="last",
            features="state",
            alpha=0.1,
            random_state=seed,
        ).fit(X, y)
        scores.append(model.score(X_test, y_test))
        seconds.append(time.perf_counter() - begin)
    name = f"Japanese Vowels, last state, 300 units, accuracy, mean of {len(scores)} seeds"
    yield at_least(name, float(np.mean(scores)), 0.988, "{:.4f}", listed(scores, "{:.3f}"))
    yield at_most(
        "Japanese Vowels, fit and score, seconds, median", statistics.median(seconds), 1, "{:.2f}"
    )


# -- speed and memory ----------------------------------------------------------------------


def states(quick: bool) -> Rows:
    bars = {"float64": (6, 4, 2.5), "float32": (12, 8, 5)}
    steps = np.random.default_rng(0).uniform(0, 0.5, (10_000 if quick else 100_000, 1))
    for i, units in enumerate((100, 500, 1000)):
        name, reservoir, run = peer(units)
        for dtype, each in bars.items():
            cast = replace(reservoir, dtype=dtype)
            seconds, got = turns(
                ours=lambda r=cast: all_states(r, steps), peer=lambda run=run: run(steps)
            )
            task = f"states, one series, {len(steps)} steps, {units} units, {dtype}, times {name}"
            ratio = seconds["peer"] / seconds["ours"]
            yield _against(name, at_least(task, ratio, each[i], "{:.1f}"))
            if dtype == "float64":
                off = float(np.abs(got["ours"] - got["peer"]).max())
                task = f"states, one series, {units} units, largest difference"
                yield _against(name, at_most(task, off, 1e-10, "{:.0e}"))


def _against(name: str, row: Row) -> Row:
    """The bars are against ReservoirPy: against a plain loop a figure says nothing."""
    return row if name == "ReservoirPy" else replace(row, met=None)


def panel(quick: bool) -> Rows:
    n_sequences, length, units = 270, 29, 500
    name, reservoir, run = peer(units)
    steps = np.random.default_rng(0).uniform(0, 0.5, (n_sequences * length, 1))
    each = np.split(steps, n_sequences)
    seconds, _ = turns(
        ours=lambda: all_states(reservoir, steps, [length] * n_sequences),
        loop=lambda: [loop(reservoir, s) for s in each],
        peer=lambda: [run(s) for s in each],
    )
    task = f"states, panel, {n_sequences} x {length} steps, {units} units, times a loop a series"
    more = "" if name != "ReservoirPy" else f" ({seconds['peer'] / seconds['ours']:.1f}x {name})"
    yield at_least(task, seconds["loop"] / seconds["ours"], 3, "{:.1f}", more)


def alphas(quick: bool) -> Rows:
    units, n_rows, grid = 500, 5000, np.logspace(-8, 4, 30)
    rng = np.random.default_rng(0)
    x = np.tanh(rng.standard_normal((n_rows, units)) @ rng.standard_normal((units, units)) / 20)
    y = x @ rng.standard_normal((units, 1)) + rng.standard_normal((n_rows, 1))

    def path() -> Any:
        return RidgeStatistics(units, 1).update(x, y).path()

    seconds, got = turns(
        one=lambda: path().coef(1.0),
        many=lambda: list(map(path().coef, grid)),
        loo=lambda: LeaveOneOut(path(), grid).update(x, y).errors,
    )
    task = f"alpha path, 30 alphas, {units} units, {n_rows} steps, times one fit"
    more = f" (with leave-one-out {seconds['loo'] / seconds['one']:.2f})"
    yield at_most(task, seconds["many"] / seconds["one"], 1.3, "{:.2f}", more)
    k = 12
    design = np.c_[np.ones(n_rows), x]
    system = design.T @ design + grid[k] * np.diag(np.r_[0, np.ones(units)])
    solved = np.linalg.solve(system, design.T)
    residual = (y - design @ (solved @ y))[:, 0] / (1 - np.einsum("ij,ji->i", design, solved))
    off = abs(got["loo"][k, 0] / (residual**2).sum() - 1)
    yield at_most("alpha path, leave-one-out off by", off, 1e-10, "{:.0e}")


def penalty(quick: bool) -> Rows:
    """How much worse alpha="gcv" may predict than exact leave-one-out, on a grid of tasks."""
    lost = [
        _lost_to_leave_one_out(*settings)
        for settings in product(
            (0.5, 1, 1.02, 1.5, 3, 5, 8),
            (0.0, 0.1, 1.0),
            ("equal", "half", "spread"),
            range(1 if quick else 8),
        )
    ]
    task = f"alpha='gcv', largest R2 lost to leave-one-out, {len(lost)} tasks"
    yield at_most(task, max(lost), 0.1, "{:.3f}", f" (mean {np.mean(lost):.4f})")


def _lost_to_leave_one_out(ratio: float, noise: float, weighting: str, seed: int) -> float:
    rng = np.random.default_rng(seed)
    units, n = 60, int(60 * ratio)
    X = rng.normal(size=(n + 300, 5))
    truth = np.sin(X[:, -1]) * X[:, -2] + X[:, -3]
    y = truth[:n] + noise * rng.normal(size=n)
    spread = np.exp(1.5 * rng.normal(size=n))
    weights = {"equal": np.ones(n), "half": np.where(np.arange(n) % 2, 0.01, 1.0), "spread": spread}
    by_gcv, by_leave_one_out = (
        ESNRegressor(reservoir_size=units, alpha=alpha, random_state=seed)
        .fit(X[:n], y, sample_weight=weights[weighting])
        .score(X[n:], truth[n:])
        for alpha in ("gcv", np.logspace(-12, 4, 33))
    )
    return by_leave_one_out - by_gcv


def memory(quick: bool) -> Rows:
    units = 200 if quick else 1000
    for n_steps in (20_000, 100_000) if quick else (100_000, 1_000_000):
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe()
        process = context.Process(target=_fit_series, args=(n_steps, units, sender))
        process.start()
        grown, seconds = receiver.recv()
        process.join()
        task = f"memory, ESNRegressor.fit, {n_steps} steps, {units} units, growth of peak RSS in MB"
        more = f" ({seconds:.0f} s; all states: {n_steps * units * 8 / 2**20:.0f} MB)"
        yield at_most(task, grown, 300, "{:.0f}", more)


def _fit_series(n_steps: int, units: int, sender: Any) -> None:
    one_thread()
    X = np.random.default_rng(0).uniform(0, 0.5, (n_steps, 1))
    y = np.roll(X[:, 0], 1)
    model = ESNRegressor(target="step", reservoir_size=units, leak_rate=0.3, random_state=0)
    before, begin = peak(), time.perf_counter()
    model.fit(X, y)
    sender.send((peak() - before, time.perf_counter() - begin))


ROWS: dict[str, Callable[[bool], Rows]] = {
    "mackey_glass": mackey_glass,
    "narma": narma,
    "capacity": capacity,
    "lorenz": lorenz,
    "vowels": vowels,
    "states": states,
    "panel": panel,
    "alphas": alphas,
    "penalty": penalty,
    "memory": memory,
}


if __name__ == "__main__":
    main(__doc__.splitlines()[0], ROWS)
