"""Generated sequences beside real ones: two groups of unequal length, and Japanese Vowels."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from sklseq.datasets import load_japanese_vowels
from sklseq.generative import SequenceVAE
from sklseq.reservoir import ESNClassifier

# What codes are drawn from: a mixture fitted to those of the training rows, or the prior.
FITS = (("gmm", 0), ("gmm", 1), ("gmm", 2), (None, 0))


def two_groups(n: int, seed: int) -> list[NDArray[Any]]:
    """Half long with mean 0, half short with mean 100, deviation 1; the group is not told."""
    rng = np.random.default_rng(seed)
    is_long = rng.random(n) < 0.5
    lengths = np.where(is_long, rng.normal(50, 5, n), rng.normal(15, 2, n)).round().clip(5)
    levels = np.where(is_long, 0.0, 100.0)
    return [rng.normal(m, 1, size=int(T)) for m, T in zip(levels, lengths, strict=True)]


def sequences() -> None:
    """Both parts."""
    _two_groups()
    _japanese_vowels()


def _two_groups() -> None:
    print(
        "\n| sequences | short | mean long | mean short | noise | length long | length short | "
        "KS of lengths, p | mixed | nats held out | s a fit |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    train, held = two_groups(200, 0), two_groups(200, 1)
    _groups_row("training", train, train, "", 0)
    _groups_row("held out", held, train, "", 0)
    for latent_prior, seed in FITS:
        model = SequenceVAE(
            n_components=2,
            latent_prior=latent_prior,
            hidden_size=32,
            max_epochs=300,
            learning_rate=0.01,
            lr_schedule="cosine",
            random_state=seed,
        )
        start = time.process_time()
        model.fit(train)
        seconds = time.process_time() - start
        samples = model.sample(1000, random_state=seed)
        label = f"{latent_prior or 'prior'}, seed {seed}"
        _groups_row(label, samples, train, f"{model.score(held):.1f}", seconds)


def _groups_row(label: str, X: Any, train: list[NDArray[Any]], score: str, seconds: float) -> None:
    """Groups are told by length; mixed is a level that neither group has, or that of the other."""
    lengths, means = (np.array([f(x) for x in X]) for f in (len, np.mean))
    is_long = lengths > 30
    mixed = np.where(is_long, np.abs(means) > 5, np.abs(means - 100) > 5)
    spread = [f"{lengths[g].mean():.1f} ± {lengths[g].std():.1f}" for g in (is_long, ~is_long)]
    noise = np.mean([x.std(ddof=1) for x in X])
    p = ks_2samp(lengths, [len(x) for x in train]).pvalue
    print(
        f"| {label} | {1 - is_long.mean():.2f} | {means[is_long].mean():.2f} | "
        f"{means[~is_long].mean():.2f} | {noise:.2f} | {spread[0]} | {spread[1]} | {p:.2f} | "
        f"{mixed.mean():.1%} | {score} | {seconds:.0f} |",
        flush=True,
    )


def _japanese_vowels() -> None:
    """As many utterances of each speaker as there are; a reservoir is trained on them."""
    X, y = load_japanese_vowels(return_X_y=True)
    test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    print(
        "\n| trained on | accuracy on real test utterances | steps, mean and deviation | lag-1 "
        "autocorrelation | s a fit |\n|---|---|---|---|---|"
    )
    _vowels_row("real", X, y, test, y_test, 0)
    for latent_prior, seed in FITS:
        model = SequenceVAE(
            conditional=True,
            latent_prior=latent_prior,
            n_components=8,
            hidden_size=32,
            max_epochs=150,
            learning_rate=0.01,
            lr_schedule="cosine",
            random_state=seed,
        )
        start = time.process_time()
        model.fit(X, y)
        seconds = time.process_time() - start
        samples = model.sample(len(X), y=y, random_state=seed)
        label = f"sampled, {latent_prior or 'prior'}, seed {seed}"
        _vowels_row(label, samples, y, test, y_test, seconds)


def _vowels_row(label: str, X: Any, y: Any, test: Any, y_test: Any, seconds: float) -> None:
    judge = ESNClassifier(alpha=0.1, pooling="last", features="state", random_state=0)
    accuracy = judge.fit(X, y).score(test, y_test)
    lengths = [len(x) for x in X]
    mean = np.mean(np.concatenate(list(X)), axis=0)
    products = np.concatenate([(x[1:] - mean) * (x[:-1] - mean) for x in X]).sum(axis=0)
    squares = np.concatenate([(x[:-1] - mean) ** 2 for x in X]).sum(axis=0)
    print(
        f"| {label} | {accuracy:.3f} | {np.mean(lengths):.1f} ± {np.std(lengths):.1f} | "
        f"{np.mean(products / squares):.3f} | {seconds:.0f} |",
        flush=True,
    )
