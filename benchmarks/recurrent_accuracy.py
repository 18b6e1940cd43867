"""How well recurrent estimators do on known tasks, in one command.

    python benchmarks/recurrent_accuracy.py [vowels] [select] [digits] [renet] [adding] [copying]
        [temporal_order]
        [--steps N ...] [--models NAME ...]

* vowels (the default): Japanese Vowels, official split, 5 seeds, and the vote of the 5;
* select: how the setting for it was chosen, by cross-validation on the training utterances;
* digits: scikit-learn's digits read pixel by pixel in a fixed random order, 5-fold;
* renet: scikit-learn's digits as images, 5-fold;
* adding: the adding problem with 200 steps, or as many as --steps say;
* copying: the copying memory task with a pause of 100 steps, or as many as --steps say;
* temporal_order: an Elman network and the order of two symbols far apart, with and without the
  flow regularizer and clipped gradients, over --updates; of 50 to 200 steps, or --steps LOW HIGH.

--models takes some of the rows of a task.
"""

import argparse
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklseq.datasets import (
    load_japanese_vowels,
    make_adding_problem,
    make_copying_memory,
    make_temporal_order,
)
from sklseq.metrics import flatten_steps
from sklseq.preprocessing import PerStep
from sklseq.recurrent import RecurrentClassifier, RecurrentRegressor, ReNetClassifier

CELLS = ("rnn", "gru", "lstm")
SEEDS = range(5)
# Where the search began. Each row of VARIATIONS changes it; the last ones combine what helped.
START: dict[str, Any] = {"learning_rate": 0.005, "max_epochs": 50, "lr_schedule": "cosine"}
VARIATIONS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.001, "lr_schedule": None, "max_epochs": 100},
    {"lr_schedule": None},
    {"learning_rate": 0.01},
    {"pooling": "mean"},
    {"bidirectional": True},
    {"bidirectional": True, "pooling": "mean"},
    {"dropout": 0.3},
    {"bidirectional": True, "pooling": "mean", "dropout": 0.3},
    {"pooling": "attention"},
    {"pooling": "max"},
    {"hidden_size": 128},
    {"solver": "adamw", "weight_decay": 0.1},
    {"bidirectional": True, "learning_rate": 0.01},
    {"bidirectional": True, "hidden_size": 128},
    {"bidirectional": True, "pooling": "max"},
    {"bidirectional": True, "dropout": 0.3},
    {"bidirectional": True, "max_epochs": 30},
    {"bidirectional": True, "learning_rate": 0.01, "dropout": 0.5},
    {"bidirectional": True, "learning_rate": 0.01, "hidden_size": 128, "dropout": 0.3},
    {"bidirectional": True, "pooling": "max", "hidden_size": 128},
    {"bidirectional": True, "pooling": "max", "learning_rate": 0.01},
    {"bidirectional": True, "pooling": "max", "learning_rate": 0.01, "dropout": 0.5},
    {"bidirectional": True, "hidden_size": 128, "dropout": 0.5},
]
# The row of `select` with the lowest log loss, mean over the cells.
VOWELS = START | {"bidirectional": True, "hidden_size": 128}


def on_vowels(cell: str, **setting: Any) -> Pipeline:
    model = RecurrentClassifier(cell=cell, **setting)
    return Pipeline([("scale", PerStep(StandardScaler())), ("classify", model)])


def vowels() -> None:
    """Accuracy on the 370 test utterances; nothing is chosen by it."""
    X, y = load_japanese_vowels(return_X_y=True)
    X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    print(f"\nJapanese Vowels, {VOWELS}\n")
    print("| cell | seeds 0 to 4 | mean | soft vote of the 5 | s a fit |\n|---|---|---|---|---|")
    for cell in CELLS:
        members = [(f"seed {s}", on_vowels(cell, random_state=s, **VOWELS)) for s in SEEDS]
        start = time.process_time()
        vote = VotingClassifier(members, voting="soft").fit(X, y)
        seconds = (time.process_time() - start) / len(members)
        codes = vote.le_.transform(y_test)
        scores = [member.score(X_test, codes) for member in vote.estimators_]
        each = " ".join(f"{s:.4f}" for s in scores)
        print(
            f"| {cell} | {each} | {np.mean(scores):.4f} | {vote.score(X_test, y_test):.4f} "
            f"| {seconds:.1f} |",
            flush=True,
        )


def select() -> None:
    """5-fold cross-validation on the 270 training utterances."""
    X, y = load_japanese_vowels(return_X_y=True)
    print(f"\nAgainst {START}\n")
    print("| what differs | " + " | ".join(f"{c}: accuracy, loss" for c in CELLS) + " | mean |")
    print("|---" * (len(CELLS) + 2) + "|")
    for variation in VARIATIONS:
        results = np.array([_cross_validate(cell, START | variation, X, y) for cell in CELLS])
        right, loss = results.mean(axis=0)
        each = " | ".join(f"{a:.4f}, {b:.3f}" for a, b in results)
        print(f"| {variation or 'nothing'} | {each} | {right:.4f}, {loss:.3f} |", flush=True)


def _cross_validate(
    cell: str, setting: dict[str, Any], X: np.ndarray, y: np.ndarray
) -> tuple[float, float]:
    """Mean accuracy and log loss over the folds."""
    scores = []
    for train, held in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        model = on_vowels(cell, random_state=0, **setting).fit(X[train], y[train])
        p = model.predict_proba(X[held])
        right = accuracy_score(y[held], model.classes_[p.argmax(axis=1)])
        scores.append((right, log_loss(y[held], p, labels=model.classes_)))
    right, loss = np.mean(scores, axis=0)
    return float(right), float(loss)


def digits(chosen: list[str]) -> None:
    """64 steps of one pixel in an order drawn once; 5-fold accuracy."""
    flat, y = load_digits(return_X_y=True)
    flat = flat[:, np.random.default_rng(0).permutation(64)] / 16
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    print("\nDigits as 64 permuted steps\n\n| model | folds | mean | s a fit |\n|---|---|---|---|")
    setting = {"hidden_size": 128, "learning_rate": 0.01, "lr_schedule": "cosine"}
    models: dict[str, tuple[Any, np.ndarray]] = {
        "SVC, flat": (SVC(), flat),
        "LogisticRegression, flat": (LogisticRegression(max_iter=1000), flat),
    }
    for name in ("gru", "lstm", "rnn, orthogonal", "rnn, orthogonal, layer norm", "irnn"):
        # Without gates a rate of 0.01 is too large.
        own = {"learning_rate": 1e-3} if "rnn" in name else {}
        model = RecurrentClassifier(max_epochs=30, random_state=0, **setting | MODELS[name] | own)
        models[name] = (model, flat[:, :, None])
    for name in chosen or models:
        model, X = models[name]
        start = time.process_time()
        scores = cross_val_score(model, X, y, cv=folds)
        seconds = (time.process_time() - start) / 5
        each = " ".join(f"{s:.4f}" for s in scores)
        print(f"| {name} | {each} | {scores.mean():.4f} | {seconds:.1f} |", flush=True)


def renet() -> None:
    """Digits as images of 8x8 pixels; 5-fold accuracy of the defaults."""
    X, y = load_digits(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    print("\nDigits as images\n\n| model | folds | mean | s a fit |\n|---|---|---|---|")
    models = {"SVC, flat": SVC(), "ReNet": ReNetClassifier(image_shape=(8, 8), random_state=0)}
    for name, model in models.items():
        start = time.process_time()
        scores = cross_val_score(model, X / 16, y, cv=folds)
        seconds = (time.process_time() - start) / 5
        each = " ".join(f"{s:.4f}" for s in scores)
        print(f"| {name} | {each} | {scores.mean():.4f} | {seconds:.1f} |", flush=True)


# What differs from the defaults of `RecurrentRegressor` and `RecurrentClassifier`.
MODELS: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn"},
    "rnn, orthogonal": {"cell": "rnn", "init": "orthogonal"},
    "rnn, orthogonal, layer norm": {
        "cell": "rnn",
        "init": "orthogonal",
        "normalization": "layer",
    },
    "irnn": {"cell": "rnn", "cell_options": {"activation": "relu"}, "init": "identity"},
    "gru": {"cell": "gru"},
    "gru, chrono": {"cell": "gru", "forget_bias": "chrono"},
    "lstm": {"cell": "lstm"},
    "lstm, chrono": {"cell": "lstm", "forget_bias": "chrono"},
}


def adding(steps: list[int], models: list[str], n_train: int = 50_000, n_epochs: int = 10) -> None:
    """Mean squared error on 1,000 test sequences; always 1 has 0.167. Nothing is chosen by it."""
    for n_steps in steps or [200]:
        X, y = make_adding_problem(n_train, n_steps, random_state=0)
        X_test, y_test = make_adding_problem(1000, n_steps, random_state=1)
        print(
            f"\nAdding problem, {n_steps} steps, Adam 4e-3, batches of 32: test error each epoch\n"
        )
        for name in models or ["gru", "gru, chrono", "lstm", "lstm, chrono"]:
            print(f"{name}:", end="", flush=True)
            start = time.process_time()
            model = RecurrentRegressor(
                learning_rate=4e-3, lr_schedule=None, random_state=0, **MODELS[name]
            )
            for _ in range(n_epochs):
                error = mean_squared_error(y_test, model.partial_fit(X, y).predict(X_test))
                print(f" {error:.2g}", end="", flush=True)
            print(f"; {time.process_time() - start:.0f} s", flush=True)


def temporal_order(steps: list[int], n_updates: int = 10_000, n_test: int = 1000) -> None:
    """Updates until all new sequences are right, as Pascanu et al. (2013), section 4.1.1, count.

    50 tanh units, SGD at 0.01 on 20 sequences drawn anew at each update, gradients of at most norm
    1, regularizer 2. Theirs is plain SGD; ours has Nesterov's momentum of 0.9.
    """
    low, high = n_steps = tuple(steps) or (50, 200)
    X_test, y_test = make_temporal_order(n_test, n_steps, random_state=1)
    print(
        f"\nTemporal order, {low} to {high} steps, at most {n_updates} updates: share "
        f"of {n_test} test sequences that is right\n"
    )
    print("| clip | flow regularizer | updates | right | s |\n|---|---|---|---|---|")
    for clip, flow in ((1.0, 2.0), (1.0, 0.0), (None, 0.0)):
        model = RecurrentClassifier(
            cell="rnn",
            hidden_size=50,
            embedding_size=6,
            solver="sgd",
            learning_rate=0.01,
            batch_size=20,
            gradient_clip=clip,
            flow_regularizer=flow,
            random_state=0,
        )
        start, done, right = time.process_time(), 0, 0.0
        while done < n_updates and right < 1:
            X, y = make_temporal_order(2000, n_steps, random_state=2 + done)
            model.partial_fit(X, y, classes=["AA", "AB", "BA", "BB"])
            done, right = done + 100, model.score(X_test, y_test)
        seconds = time.process_time() - start
        print(f"| {clip} | {flow:g} | {done} | {right:.4f} | {seconds:.0f} |", flush=True)


def copying(steps: list[int], models: list[str], n_train: int = 8000, n_epochs: int = 6) -> None:
    """Log loss on 1,000 test sequences; without memory it is 10 ln(8) / (T + 20).

    Symbols are one-hot vectors of length 0.5 and blanks are zero, so that tanh is nearly linear.
    """
    vectors = {k: 0.5 * np.eye(9)[min(k, 8)] * (k != 8) for k in range(10)}
    for n_blanks in steps or [100]:
        X, y = make_copying_memory(n_train, n_blanks, random_state=0)
        X_test, y_test = make_copying_memory(1000, n_blanks, random_state=1)
        baseline = 10 * np.log(8) / (n_blanks + 20)
        print(
            f"\nCopying memory, {n_blanks} blanks, RMSprop from 5e-4 along a cosine, gradients "
            f"clipped at 1, batches of 32: training loss each epoch; baseline {baseline:.4f}\n"
        )
        for name in models or ["rnn", "rnn, orthogonal", "rnn, orthogonal, layer norm"]:
            start = time.process_time()
            model = RecurrentClassifier(
                target="step",
                hidden_size=128,
                embedding=vectors,
                solver="rmsprop",
                learning_rate=5e-4,
                max_epochs=n_epochs,
                random_state=0,
                **MODELS[name],
            ).fit(X, y)
            true, p = flatten_steps(y_test, model.predict_proba(X_test))
            each = " ".join(f"{loss:.4f}" for loss in model.loss_curve_)
            print(
                f"{name}: {each}; test {log_loss(true, p, labels=model.classes_):.4f}, "
                f"{time.process_time() - start:.0f} s",
                flush=True,
            )


TASKS: dict[str, Callable[[list[int], list[str]], None]] = {
    "vowels": lambda steps, models: vowels(),
    "select": lambda steps, models: select(),
    "digits": lambda steps, models: digits(models),
    "renet": lambda steps, models: renet(),
    "adding": adding,
    "copying": copying,
    "temporal_order": lambda steps, models: temporal_order(steps),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tasks", nargs="*", metavar="task", help=", ".join(TASKS))
    parser.add_argument("--steps", nargs="+", type=int, default=[], help="lengths of sequences")
    parser.add_argument("--models", nargs="+", default=[], help="some of the rows of a task")
    parser.add_argument("--updates", type=int, default=10_000, help="of temporal_order")
    arguments = parser.parse_args()
    tasks = arguments.tasks or ["vowels"]
    if unknown := set(tasks) - set(TASKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}, one thread"
    )
    for task in tasks:
        if task == "temporal_order":
            temporal_order(arguments.steps, arguments.updates)
        else:
            TASKS[task](arguments.steps, arguments.models)


if __name__ == "__main__":
    main()
