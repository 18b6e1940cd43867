"""How the defaults of recurrent networks and echo state networks were chosen, in one command.

    python benchmarks/defaults.py [recurrent] [cells] [series] [reservoir] [narma] [vowels]
                                  [--data PATH] [--quick]

* recurrent: candidates for all recurrent estimators, measured with the GRU on all sets;
* cells: what was chosen and what came near it with LSTM and RNN, on each third set;
* series: how many training steps one series needs, which is a single one an epoch;
* reservoir: candidates for echo state networks, classifiers and regressors each on their sets;
* narma: NARMA10 by `ESNRegressor` with old and new defaults;
* vowels: the test part of Japanese Vowels, old defaults against new in turns; nothing is chosen.

The protocol, fixed before the first run: a score is the accuracy or the R2, at least 0, on a
validation part that no training sees, rounded to .01, which is what such a part can tell;
candidates are ranked on each set, equal scores share a rank; the lowest mean rank is best, and of
those within half a rank of it the quickest in total is taken. Seconds are of the processor.

``--data`` is a folder with ``g2p/cmudict.train.txt`` for one set more; ``--quick`` takes four
sets and says nothing.
"""

import argparse
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from _defaults_sets import DataSet, data_sets
from _table import one_thread
from scipy.stats import rankdata

from sklseq.datasets import load_japanese_vowels, make_narma
from sklseq.recurrent import (
    GRUClassifier,
    LSTMClassifier,
    RecurrentClassifier,
    RecurrentRegressor,
    RNNClassifier,
)
from sklseq.reservoir import ESNClassifier, ESNRegressor

Settings = dict[str, Any]
Sets = dict[str, Callable[[int], DataSet]]

OLD: Settings = {
    "learning_rate": 1e-3, "max_epochs": 100, "lr_schedule": None, "batch_size": 32
}  # fmt: skip


def _training(
    rate: float, epochs: int | str, schedule: str | None = None, batch: int = 32
) -> Settings:
    values = (rate, epochs, schedule, batch)
    return dict(zip(OLD, values, strict=True))


RECURRENT = [
    OLD,
    _training(3e-3, 100, "cosine"),
    _training(5e-3, 50),
    _training(5e-3, 50, "cosine"),
    _training(1e-2, 50),
    _training(1e-2, 50, "cosine"),
    _training(1e-2, 30, "cosine", 16),
    _training(5e-3, "auto", "cosine"),
    _training(1e-2, "auto", "cosine"),
    _training(1e-2, "auto"),
]

CELLS = [
    OLD,
    _training(1e-2, 50, "cosine"),
    _training(5e-3, "auto", "cosine"),
    _training(1e-2, "auto", "cosine"),
]
NEW: Settings = _training(1e-2, "auto", "cosine")
EPOCHS = (100, 200, 300)

RESERVOIR = [
    {"alpha": alpha, "pooling": pooling, "features": features}
    for features in ("state", "state+squares")
    for pooling in ("last", "mean")
    for alpha in (0.1, "gcv")
]


# -- scores and ranks ----------------------------------------------------------------------


def compare(candidates: dict[str, Callable[[DataSet], Any]], sets: Sets, seeds: list[int]) -> None:
    """Print the score of each candidate on each set, mean scores, mean ranks and seconds."""
    scores = np.zeros((len(candidates), len(sets)))
    seconds = np.zeros(len(candidates))
    names = "".join(f" {i + 1} |" for i in range(len(candidates)))
    for i, name in enumerate(candidates):
        print(f"{i + 1}. {name}")
    print(f"\n| validation score |{names}\n|---|{'---|' * len(candidates)}", flush=True)
    for k, (title, draw) in enumerate(sets.items()):
        for seed in seeds:
            data = draw(seed)
            for i, make in enumerate(candidates.values()):
                start = time.process_time()
                model = make(data).set_params(random_state=seed, **data.given).fit(data.X, data.y)
                seconds[i] += (time.process_time() - start) / len(seeds)
                score = max(0.0, model.score(data.X_validation, data.y_validation))
                scores[i, k] += score / len(seeds)
        print(_line(title, scores[:, k], "{:.3f}"), flush=True)
    ranks = np.array([rankdata(-s.round(2)) for s in scores.T])
    print(_line("**mean score**", scores.mean(axis=1), "{:.3f}"))
    print(_line("**mean rank**", ranks.mean(axis=0), "{:.2f}"))
    print(_line("seconds, all fits", seconds, "{:.1f}"), flush=True)


def _line(title: str, values: Any, show: str) -> str:
    return f"| {title} | " + " | ".join(show.format(v) for v in values) + " |"


def _named(settings: Settings) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())


def _recurrent(cell: str, settings: Settings) -> Callable[[DataSet], Any]:
    def make(data: DataSet) -> Any:
        family = RecurrentClassifier if data.labels else RecurrentRegressor
        return family(cell=cell, **settings)

    return make


# -- the tasks -----------------------------------------------------------------------------


def recurrent(sets: Sets, seeds: list[int]) -> None:
    compare({_named(s): _recurrent("gru", s) for s in RECURRENT}, sets, seeds)


def cells(sets: Sets, seeds: list[int]) -> None:
    some = {name: sets[name] for name in list(sets)[::3]}
    for cell in ("lstm", "rnn"):
        print(f"\n### {cell}\n")
        compare({_named(s): _recurrent(cell, s) for s in CELLS}, some, seeds)


def series(sets: Sets, seeds: list[int]) -> None:
    """An epoch of one series is one training step."""
    one = {name: draw for name, draw in sets.items() if name.endswith("one series")}
    candidates = [OLD, *(NEW | {"max_epochs": n} for n in EPOCHS)]
    compare({_named(s): _recurrent("gru", s) for s in candidates}, one, seeds)


def reservoir(sets: Sets, seeds: list[int]) -> None:
    """Sets of symbols are left out: echo state networks take numbers."""
    numbers = {name: draw for name, draw in sets.items() if not draw(0).symbols}
    seeds = seeds if len(seeds) > 1 else [0, 1, 2]  # fits are quick
    for family in (ESNClassifier, ESNRegressor):
        print(f"\n### {family.__name__}\n")
        labels = family is ESNClassifier
        chosen = {name: draw for name, draw in numbers.items() if draw(0).labels == labels}
        candidates = {_named(s): lambda data, s=s, f=family: f(**s) for s in RESERVOIR}
        compare(candidates, chosen, seeds)


def narma(sets: Sets, seeds: list[int]) -> None:
    """RMSE over the deviation of y, on 2,000 steps after the 4,000 of training."""
    print("| alpha | seeds 0 to 4 | mean |\n|---|---|---|")
    for alpha in (0.1, "gcv"):
        errors = []
        for seed in range(5):
            X, y = make_narma(6000, random_state=seed)
            model = ESNRegressor(target="step", alpha=alpha, random_state=seed)
            off = model.fit(X[:4000], y[:4000]).predict(X)[4000:] - y[4000:]
            errors.append(np.sqrt(np.mean(off**2)) / y[4000:].std())
        each = " ".join(f"{e:.3f}" for e in errors)
        print(f"| {alpha} | {each} | {np.mean(errors):.3f} |", flush=True)


def vowels(sets: Sets, seeds: list[int]) -> None:
    """Accuracy on the 370 test utterances, and seconds of old and new defaults in turns."""
    X, y = load_japanese_vowels(return_X_y=True)
    X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    print("| estimator | seeds 0 to 4 | mean | old defaults | s a fit | of the old |")
    print("|---|---|---|---|---|---|")
    for family, old in (
        (GRUClassifier, OLD),
        (LSTMClassifier, OLD),
        (RNNClassifier, OLD),
        (ESNClassifier, RESERVOIR[0]),
    ):
        took: dict[str, list[float]] = {"old": [], "new": []}
        scores: dict[str, list[float]] = {"old": [], "new": []}
        for seed in range(5):
            for side, settings in (("old", old), ("new", {})):
                start = time.process_time()
                model = family(random_state=seed, **settings).fit(X, y)
                took[side].append(time.process_time() - start)
                scores[side].append(model.score(X_test, y_test))
        each = " ".join(f"{s:.4f}" for s in scores["new"])
        seconds = np.median(took["new"])
        ratio = np.median(np.divide(took["new"], took["old"]))
        print(
            f"| {family.__name__} | {each} | {np.mean(scores['new']):.4f} "
            f"| {np.mean(scores['old']):.4f} | {seconds:.2f} | {ratio:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tasks", nargs="*", metavar="task", help=", ".join(TASKS))
    parser.add_argument("--data", type=Path, help="folder with g2p/cmudict.train.txt")
    parser.add_argument("--quick", action="store_true", help="four sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    chosen = parser.parse_args()
    tasks = chosen.tasks or list(TASKS)
    if unknown := set(tasks) - set(TASKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    one_thread()
    warnings.simplefilter("ignore")
    sets = data_sets(chosen.data)
    if chosen.quick:
        sets = {name: sets[name] for name in list(sets)[:10:3]}
    print(
        f"{platform.machine()}, torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}, one thread, "
        f"seeds {chosen.seeds}"
    )
    for task in tasks:
        print(f"\n## {task}\n", flush=True)
        TASKS[task](sets, chosen.seeds)


TASKS: dict[str, Callable[[Sets, list[int]], None]] = {
    "recurrent": recurrent,
    "cells": cells,
    "series": series,
    "reservoir": reservoir,
    "narma": narma,
    "vowels": vowels,
}

if __name__ == "__main__":
    main()
