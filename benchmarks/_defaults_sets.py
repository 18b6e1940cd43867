"""Small data sets of three kinds, each in a training and a validation part.

A fit of a recurrent network on one takes a second. None holds the test part of Japanese
Vowels. A set is drawn anew for each seed, except those of real data, which are split anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklseq.datasets import (
    load_japanese_vowels,
    make_adding_problem,
    make_narma,
    make_temporal_order,
)

__all__ = ["DataSet", "data_sets"]


@dataclass
class DataSet:
    """Training and validation part, and what an estimator has to be told of the data."""

    X: Any
    y: Any
    X_validation: Any
    y_validation: Any
    labels: bool = True
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def symbols(self) -> bool:
        return isinstance(self.X[0], str) or isinstance(self.X[0][0], str)


def data_sets(data: Path | None = None) -> dict[str, Callable[[int], DataSet]]:
    """Functions of a seed, by name; words are read from ``data/g2p``, where it is given."""
    sets = LABELS | VALUES | STEPS
    if data is not None:
        sets["values: phones of a word"] = lambda seed: _words(data, seed)
    return sets


def _split(X: Any, y: Any, seed: int, labels: bool, size: float = 0.4) -> DataSet:
    parts = train_test_split(
        X, y, test_size=size, random_state=seed, stratify=y if labels else None
    )
    X_train, X_validation, y_train, y_validation = parts
    return DataSet(X_train, y_train, X_validation, y_validation, labels)


def _cut(X: Any, y: Any, at: int, labels: bool = False, **given: Any) -> DataSet:
    return DataSet(X[:at], y[:at], X[at:], y[at:], labels, given)


# -- labels of sequences -------------------------------------------------------------------


def _vowels(seed: int) -> DataSet:
    return _split(*load_japanese_vowels(return_X_y=True), seed, True)


def _digits(seed: int) -> DataSet:
    X, y = load_digits(return_X_y=True)
    return _split(X[:600].reshape(-1, 8, 8), y[:600], seed, True)


def _sinusoids(seed: int) -> DataSet:
    """Three frequencies in noise as large as the signal, 20 to 40 steps."""
    rng = np.random.default_rng(seed)
    y = np.arange(450) % 3
    X = []
    for label in y:
        t = np.arange(rng.integers(20, 41))
        wave = np.sin((0.4 + 0.15 * label) * t + rng.uniform(0, 2 * np.pi))
        X.append((wave + rng.normal(0, 0.7, len(t)))[:, None])
    return _cut(X, y, 150, labels=True)


def _strings(seed: int) -> DataSet:
    """Strings of 8 to 16 letters: whether "ab" stands anywhere."""
    rng = np.random.default_rng(seed)
    X = ["".join(rng.choice(list("abcd"), size=rng.integers(8, 17))) for _ in range(450)]
    y = np.array(["ab" in x for x in X])
    return _cut(X, y, 150, labels=True)


def _order(seed: int) -> DataSet:
    return _cut(*make_temporal_order(450, 20, random_state=seed), 150, labels=True)


def _sign(seed: int) -> DataSet:
    """Sign of the mean of the first of four features over 40 steps."""
    X = np.random.default_rng(seed).normal(size=(450, 40, 4))
    return _cut(X, X[:, :, 0].mean(axis=1) > 0, 150, labels=True)


# -- values of sequences -------------------------------------------------------------------


def _adding(seed: int) -> DataSet:
    return _cut(*make_adding_problem(500, 30, random_state=seed), 250)


def _mean(seed: int) -> DataSet:
    """Mean of a sequence of 10 to 30 steps in noise."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=500)
    X = [v + rng.normal(0, 2, (rng.integers(10, 31), 1)) for v in y]
    return _cut(X, y, 150)


def _frequency(seed: int) -> DataSet:
    """Frequency of a sinusoid of 30 steps in noise."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0.2, 1.0, 500)
    t = np.arange(30)
    X = np.sin(y[:, None] * t + rng.uniform(0, 2 * np.pi, (500, 1)))
    return _cut((X + rng.normal(0, 0.3, X.shape))[:, :, None], y, 150)


def _words(data: Path, seed: int) -> DataSet:
    """Number of phones of an English word (CMUdict)."""
    lines = (data / "g2p" / "cmudict.train.txt").read_text().splitlines()
    chosen = np.random.default_rng(seed).choice(len(lines), 500, replace=False)
    words, phones = zip(*(lines[i].split("\t")[:2] for i in chosen), strict=True)
    return _cut(list(words), np.array([len(p.split()) for p in phones], dtype=float), 250)


# -- targets of steps ----------------------------------------------------------------------


def _echo(seed: int) -> DataSet:
    """The input two steps ago; one series."""
    X = np.random.default_rng(seed).uniform(size=(2000, 1))
    return _cut(X, np.roll(X[:, 0], 2), 1000, target="step")


def _narma(seed: int) -> DataSet:
    X, y = make_narma(2000, random_state=seed)
    return _cut(X, y, 1000, target="step")


def _lagged(seed: int) -> DataSet:
    """A sum of five features at lags 0 to 4, in noise; one series."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 5))
    y = np.sum([np.roll(X[:, i], i) for i in range(5)], axis=0)
    return _cut(X, y + rng.normal(0, 0.1, len(y)), 1000, target="step")


def _parity(seed: int) -> DataSet:
    """Whether the bits of one and two steps ago differ; 60 series of 25 steps."""
    bits = np.random.default_rng(seed).integers(0, 2, (120, 25))
    y = np.roll(bits, 1, axis=1) ^ np.roll(bits, 2, axis=1)
    return _cut(bits[:, :, None], y, 60, labels=True, target="step")


def _smoothed(seed: int) -> DataSet:
    """An exponential mean of a noisy input; 100 series of 20 to 40 steps."""
    rng = np.random.default_rng(seed)
    X, y = [], np.empty(200, dtype=object)
    for i in range(200):
        x = rng.normal(size=(rng.integers(20, 41), 1))
        X.append(x)
        state, y[i] = 0.0, np.empty(len(x))
        for t, value in enumerate(x[:, 0]):
            state = 0.9 * state + 0.1 * value
            y[i][t] = state
    return _cut(X, y, 100, target="step")


LABELS: dict[str, Callable[[int], DataSet]] = {
    "labels: Japanese Vowels": _vowels,
    "labels: digits, 8 steps": _digits,
    "labels: sinusoids": _sinusoids,
    "labels: strings": _strings,
    "labels: temporal order": _order,
    "labels: sign of a mean": _sign,
}
VALUES: dict[str, Callable[[int], DataSet]] = {
    "values: adding problem": _adding,
    "values: mean": _mean,
    "values: frequency": _frequency,
}
STEPS: dict[str, Callable[[int], DataSet]] = {
    "steps: echo, one series": _echo,
    "steps: NARMA10, one series": _narma,
    "steps: lagged, one series": _lagged,
    "steps: delayed parity": _parity,
    "steps: smoothing": _smoothed,
}
