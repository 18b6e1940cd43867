"""How fast reservoir states and ridge readouts are, and that they are right, in one command.

    python benchmarks/reservoir_kernels.py [states] [panel] [ridge] [threads] [memory]

Times are medians of rounds in which both sides take turns, on one thread, printed as ratios.
The peer is ReservoirPy, where it is installed, with the weights that it draws itself; else a
plain numpy loop.
"""

import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from _table import one_thread, peak, turns

from sklseq.nn.reservoir import (
    Reservoir,
    all_states,
    input_weights,
    recurrent_weights,
    run_parts,
    state_parts,
)
from sklseq.ridge import LeaveOneOut, RidgeStatistics, merged

LEAK, RADIUS, DENSITY = 0.3, 0.9, 0.1


def loop(reservoir: Reservoir, steps: np.ndarray) -> np.ndarray:
    """States of one series by the plain recursion: the definition."""
    x, leak = np.zeros(reservoir.units), reservoir.leak_rate
    out = np.empty((len(steps), reservoir.units))
    for t, u in enumerate(steps):
        z = reservoir.recurrent_weights @ x + reservoir.input_weights @ u + reservoir.bias
        out[t] = x = (1 - leak) * x + leak * np.tanh(z)
    return out


def peer(units: int) -> tuple[str, Reservoir, Callable[[np.ndarray], np.ndarray]]:
    """A network, and who else runs it."""
    try:
        from reservoirpy.nodes import Reservoir as Node
    except ImportError:
        w = recurrent_weights(units, spectral_radius=RADIUS, density=DENSITY, seed=0)
        own = Reservoir(w, input_weights(units, 1, seed=1), np.zeros(units), leak_rate=LEAK)
        return "numpy loop", own, lambda steps: loop(own, steps)
    node = Node(units, sr=RADIUS, lr=LEAK, rc_connectivity=DENSITY, seed=0)
    node.initialize(np.zeros((1, 1)))
    weights = [w.toarray() if sp.issparse(w) else np.asarray(w) for w in (node.Win, node.bias)]
    bias = np.broadcast_to(weights[1].ravel(), units)
    same = Reservoir(sp.csr_array(node.W), weights[0], bias, leak_rate=LEAK)

    def run(steps: np.ndarray) -> np.ndarray:
        node.reset()
        return np.asarray(node.run(steps))

    return "ReservoirPy", same, run


def exhaust(part: Any) -> None:
    """Ask for all blocks of a part, and for nothing else."""
    for blocks in part.attempts():
        deque(blocks, 0)


def one_series(n_steps: int = 100_000) -> None:
    """With all states kept, and handed over in blocks as the estimators take them."""
    steps = np.random.default_rng(0).uniform(0, 0.5, (n_steps, 1))
    for units in (100, 500, 1000):
        name, reservoir, run = peer(units)
        for dtype in ("float64", "float32"):
            cast = replace(reservoir, dtype=dtype)
            seconds, got = turns(
                kept=lambda r=cast: all_states(r, steps),
                peer=lambda run=run: run(steps),
                blocks=lambda r=cast: run_parts(exhaust, state_parts(r, steps)),
            )
            print(
                f"one series, {n_steps} steps, {units} units, {dtype}: "
                f"{seconds['peer'] / seconds['kept']:.1f}x {name} with all states kept, "
                f"{seconds['peer'] / seconds['blocks']:.1f}x in blocks "
                f"({seconds['blocks'] / n_steps * 1e6:.2f} us a step), largest difference "
                f"{np.abs(got['kept'] - got['peer']).max():.0e}",
                flush=True,
            )


def panel(n_sequences: int = 270, length: int = 29, units: int = 500) -> None:
    name, reservoir, run = peer(units)
    steps = np.random.default_rng(0).uniform(0, 0.5, (n_sequences * length, 1))
    lengths = [length] * n_sequences
    seconds, got = turns(
        ours=lambda: all_states(reservoir, steps, lengths),
        peer=lambda: np.concatenate([run(s) for s in np.split(steps, n_sequences)]),
        loop=lambda: np.concatenate([loop(reservoir, s) for s in np.split(steps, n_sequences)]),
    )
    print(
        f"panel, {n_sequences} x {length} steps, {units} units, float64: "
        f"{seconds['loop'] / seconds['ours']:.1f}x a numpy loop a series, "
        f"{seconds['peer'] / seconds['ours']:.1f}x {name}, largest difference "
        f"{np.abs(got['ours'] - got['peer']).max():.0e}"
    )


def ridge(n_rows: int = 5000, units: int = 500) -> None:
    rng = np.random.default_rng(0)
    x = np.tanh(rng.standard_normal((n_rows, units)) @ rng.standard_normal((units, units)) / 20)
    y = x @ rng.standard_normal((units, 1)) + rng.standard_normal((n_rows, 1))
    alphas = np.logspace(-8, 4, 30)

    def path() -> Any:
        return RidgeStatistics(units, 1).update(x, y).path()

    def by_cholesky() -> Any:
        stats = RidgeStatistics(units, 1).update(x, y)
        system = stats.products + np.eye(units)
        return scipy.linalg.solve(system, stats.cross, assume_a="pos")

    def gcv() -> Any:
        fitted = path()
        errors = fitted.generalized_cross_validation(alphas)
        return fitted.coef(alphas[np.argmin(errors)])

    seconds, got = turns(
        one=lambda: path().coef(1.0),
        cholesky=by_cholesky,
        many=lambda: list(map(path().coef, alphas)),
        gcv=gcv,
        loo=lambda: LeaveOneOut(path(), alphas).update(x, y).errors,
        refits=lambda: [path().coef(a) for a in alphas],
    )
    k = 12
    design = np.c_[np.ones(n_rows), x]
    system = design.T @ design + alphas[k] * np.diag(np.r_[0, np.ones(units)])
    hat = np.einsum("ij,ji->i", design, np.linalg.solve(system, design.T))
    wanted = (((y - design @ np.linalg.solve(system, design.T @ y)).T / (1 - hat)) ** 2).sum()
    off = abs(got["loo"][k, 0] / wanted - 1)
    print(
        f"alpha path, 30 alphas, {units} units, {n_rows} steps: "
        f"{seconds['many'] / seconds['one']:.2f}x one fit ({seconds['one']:.3f} s; "
        f"{seconds['many'] / seconds['cholesky']:.2f}x one Cholesky fit), with GCV "
        f"{seconds['gcv'] / seconds['one']:.2f}x, with leave-one-out "
        f"{seconds['loo'] / seconds['one']:.2f}x, 30 fits "
        f"{seconds['refits'] / seconds['one']:.1f}x; leave-one-out off by {off:.0e}"
    )


def fit(reservoir: Reservoir, steps: np.ndarray, n_jobs: int | None = None) -> RidgeStatistics:
    """Statistics of a one-step-ahead readout."""
    following = np.roll(steps, -1, axis=0)

    def collect(part: Any) -> RidgeStatistics:
        for blocks in part.attempts():
            stats = RidgeStatistics(reservoir.units, 1)
            for rows, states in blocks:
                stats.update(states, following[rows])
        return stats

    return merged(run_parts(collect, state_parts(reservoir, steps), n_jobs=n_jobs))


def threads(n_steps: int = 200_000, units: int = 500) -> None:
    _, reservoir, _ = peer(units)
    steps = np.random.default_rng(0).uniform(0, 0.5, (n_steps, 1))
    seconds, got = turns(
        one=lambda: fit(reservoir, steps), two=lambda: fit(reservoir, steps, n_jobs=2)
    )
    print(
        f"fit, {n_steps} steps, {units} units: n_jobs=2 {seconds['one'] / seconds['two']:.2f}x "
        f"n_jobs=1, equal to the bit: {(got['one'].products == got['two'].products).all()}"
    )


def _growth(n_steps: int, units: int, sender: Any) -> None:
    one_thread()
    reservoir = Reservoir(
        recurrent_weights(units, density=DENSITY, spectral_radius=RADIUS, seed=0),
        input_weights(units, 1, seed=1),
        leak_rate=LEAK,
    )
    steps = np.random.default_rng(0).uniform(0, 0.5, (n_steps, 1))
    before = peak()
    begin = time.perf_counter()
    fit(reservoir, steps)
    sender.send((peak() - before, time.perf_counter() - begin))


def memory(units: int = 1000) -> None:
    context = multiprocessing.get_context("spawn")
    for n_steps in (100_000, 1_000_000):
        receiver, sender = context.Pipe()
        process = context.Process(target=_growth, args=(n_steps, units, sender))
        process.start()
        grown, seconds = receiver.recv()
        process.join()
        print(
            f"fit, {n_steps} steps, {units} units: peak memory grows by {grown:.0f} MB "
            f"(all states: {n_steps * units * 8 / 2**20:.0f} MB), {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    one_thread()
    parts = {
        "states": one_series,
        "panel": panel,
        "ridge": ridge,
        "threads": threads,
        "memory": memory,
    }
    for chosen in sys.argv[1:] or parts:
        parts[chosen]()
