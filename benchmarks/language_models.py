"""How well language models predict texts and music, in one command.

    python benchmarks/language_models.py [characters] [chorales] [select]
        [--data PATH] [--seeds N]

* characters (the default): the topics of Python's language reference, which come with Python,
  character by character: bits per character on topics held out, beside n-grams;
* chorales: JSB Chorales as piano rolls, next-step prediction of 88 notes: negative log-likelihood
  per frame. --data is the file of the four data sets of Boulanger-Lewandowski et al. (2012) that
  Bai et al. (2018) use, JSB_Chorales.mat, with its training, validation and test chorales;
* select: how the setting for the chorales was chosen, on the validation chorales.
"""

import argparse
import platform
import time
from collections import Counter, defaultdict
from math import log2
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import sklearn
import torch
from scipy.io import loadmat

from sklseq.recurrent import RecurrentLanguageModel

# Of GRU; a temporal convolution has 8.10: Bai, Kolter and Koltun (2018), table 1.
BAR = 8.43
START: dict[str, Any] = {
    "hidden_size": 200,
    "batch_size": 8,
    "max_epochs": 25,
    "dropout": 0.5,
    "early_stopping": True,
    "n_iter_no_change": 25,
}
VARIATIONS: list[dict[str, Any]] = [
    {},
    {"cell": "lstm"},
    {"cell": "lstm", "normalization": "layer"},
    {"cell": "lstm", "normalization": "layer", "recurrent_dropout": 0.25},
    {"hidden_size": 150, "max_epochs": 60, "n_iter_no_change": 15},
    {"hidden_size": 300, "max_epochs": 20, "learning_rate": 3e-3, "dropout": 0.6},
    {
        "batch_size": 4,
        "max_epochs": 20,
        "learning_rate": 3e-3,
        "solver": "adamw",
        "weight_decay": 0.3,
    },
]
# The row with the lowest validation loss.
CHORALES = START | {"cell": "lstm", "normalization": "layer", "recurrent_dropout": 0.25}


# -- characters ----------------------------------------------------------------------------


class NGrams:
    """Characters given the n - 1 before, smoothed by shorter ones (Witten and Bell 1991).

    The unknown character and the end are among what may follow.
    """

    def __init__(self, n: int, texts: list[str]):
        self.n = n
        self.known = set("".join(texts))
        self.after: dict[str, Counter[str]] = defaultdict(Counter)
        for text in texts:
            for before, follows in self._events(text):
                for start in range(len(before) + 1):
                    self.after[before[start:]][follows] += 1

    def _events(self, text: str) -> list[tuple[str, str]]:
        # "" is the end, "\1" the start.
        text = "\1" + "".join(c if c in self.known else "\0" for c in text)
        return [
            (text[max(0, t - self.n + 1) : t], text[t : t + 1]) for t in range(1, len(text) + 1)
        ]

    def bits(self, text: str) -> float:
        """Of all characters and the end."""
        return -sum(log2(self._probability(*event)) for event in self._events(text))

    def _probability(self, before: str, follows: str) -> float:
        p = 1 / (len(self.known) + 2)
        for start in range(len(before), -1, -1):
            counts = self.after.get(before[start:])
            if counts is None:
                break
            n, kinds = counts.total(), len(counts)
            p = (counts[follows] + kinds * p) / (n + kinds)
        return p


def read_topics() -> tuple[list[str], list[str]]:
    """Topics to train on, and every fifth to test by.

    What one topic repeats of another is left out: the held-out ones are new.
    """
    seen: set[str] = set()
    texts = []
    for _, text in sorted(topics.items()):
        paragraphs = [p for p in text.split("\n\n") if p not in seen]
        seen |= set(paragraphs)
        if paragraphs:
            texts.append("\n\n".join(paragraphs))
    return [t for i, t in enumerate(texts) if i % 5], texts[::5]


def characters(n_seeds: int) -> None:
    """Nothing is chosen by the held-out topics."""
    train, test = read_topics()
    n_events = sum(map(len, test)) + len(test)
    print(
        f"\nPython's language reference: {sum(map(len, train)):,} characters of {len(train)} "
        f"topics, tested on {n_events:,} of {len(test)}\n"
    )
    print("| model | bits per character | s a fit |\n|---|---|---|")
    for n in range(1, 8):
        start = time.process_time()
        grams = NGrams(n, train)
        seconds = time.process_time() - start
        bits = sum(map(grams.bits, test)) / n_events
        print(f"| {n}-grams | {bits:.3f} | {seconds:.1f} |", flush=True)
    for seed in range(n_seeds):
        network(seed, train, test)


def network(seed: int, train: list[str], test: list[str]) -> None:
    """The defaults, and what they write."""
    start = time.process_time()
    model = RecurrentLanguageModel(random_state=seed).fit(train)
    seconds = time.process_time() - start
    bits = log2(model.perplexity(test))
    print(f"| RecurrentLanguageModel, seed {seed} | {bits:.3f} | {seconds:.0f} |")
    for sample in model.sample(2, "The ", 0, max_length=300, temperature=0.7):
        print(f"\n{sample}")


# -- chorales ------------------------------------------------------------------------------


def nll_per_frame(model: Any, rolls: list[np.ndarray]) -> float:
    """Of all frames but the first, without the end, as others count it."""
    total = n_frames = 0.0
    for roll, p in zip(rolls, model.predict_proba(rolls), strict=True):
        true, p = roll[1:], p[:-1, :-1].astype(np.float64)
        total -= np.where(true == 1, np.log(p), np.log1p(-p)).sum()
        n_frames += len(true)
    return float(total / n_frames)


def read_chorales(path: Path) -> list[list[np.ndarray]]:
    found = loadmat(path)
    return [
        [roll.astype(np.int64) for roll in found[name][0]]
        for name in ("traindata", "validdata", "testdata")
    ]


def select(path: Path) -> None:
    train, valid, _ = read_chorales(path)
    print(f"\nJSB Chorales against {START}\n")
    print("| what differs | epochs | NLL, validation | s a fit |\n|---|---|---|---|")
    for variation in VARIATIONS:
        start = time.process_time()
        model = RecurrentLanguageModel(random_state=0, **START | variation)
        model.fit(train, X_val=valid)
        seconds = time.process_time() - start
        nll = nll_per_frame(model, valid)
        print(f"| {variation or 'nothing'} | {model.n_iter_} | {nll:.3f} | {seconds:.0f} |")


def chorales(path: Path, n_seeds: int) -> None:
    """The weights of the best validation epoch, on the test chorales."""
    train, valid, test = read_chorales(path)
    print(f"\nJSB Chorales, {CHORALES}\n")
    print(f"| seed | epochs | NLL, validation | NLL, test (<= {BAR}) | s a fit |")
    print("|---|---|---|---|---|")
    for seed in range(n_seeds):
        start = time.process_time()
        model = RecurrentLanguageModel(random_state=seed, **CHORALES).fit(train, X_val=valid)
        seconds = time.process_time() - start
        figures = [nll_per_frame(model, part) for part in (valid, test)]
        each = " | ".join(f"{figure:.3f}" for figure in figures)
        print(f"| {seed} | {model.n_iter_} | {each} | {seconds:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    tasks = ("characters", "chorales", "select")
    parser.add_argument("tasks", nargs="*", metavar="task", help=", ".join(tasks))
    parser.add_argument("--data", type=Path, help="JSB_Chorales.mat")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    chosen = arguments.tasks or ["characters"]
    if unknown := set(chosen) - set(tasks):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(tasks)}")
    if arguments.data is None and set(chosen) - {"characters"}:
        parser.error("the chorales are read from --data")
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}, one thread"
    )
    for task in chosen:
        if task == "characters":
            characters(arguments.seeds)
        elif task == "chorales":
            chorales(arguments.data, arguments.seeds)
        else:
            select(arguments.data)


if __name__ == "__main__":
    main()
