"""
A search with Optuna
====================

A grid tries every combination; Optuna proposes the next candidate from the results so far. Is it
worth it for a recurrent network, on the same number of fits?

The objective is five lines: an estimator made of a trial's proposals, and ``cross_val_score``.
Nothing here knows of the library but the names of its parameters.
"""

import matplotlib.pyplot as plt
import numpy as np
import optuna
from sklearn.model_selection import ParameterSampler, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.datasets import load_japanese_vowels
from sklseq.preprocessing import PerStep
from sklseq.recurrent import RecurrentClassifier

X, y = load_japanese_vowels(subset="train", return_X_y=True)
X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
X_small, y_small = X[::2], y[::2]  # half of the utterances, for an example that runs in a minute
folds = StratifiedKFold(2, shuffle=True, random_state=0)


def model(**params):
    network = RecurrentClassifier(max_epochs=8, random_state=0, **params)
    return make_pipeline(PerStep(StandardScaler()), network)


def score(params):
    """Mean log-likelihood of the true speaker: finer than the accuracy of some utterances."""
    return cross_val_score(
        model(**params), X_small, y_small, cv=folds, scoring="neg_log_loss"
    ).mean()


# %%
# Ten trials of Optuna
# --------------------


def objective(trial):
    return score(
        {
            "cell": trial.suggest_categorical("cell", ["rnn", "gru", "lstm"]),
            "hidden_size": trial.suggest_int("hidden_size", 8, 64, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1e-1, log=True),
            "pooling": trial.suggest_categorical("pooling", ["last", "mean"]),
        }
    )


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    direction="maximize", sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=4)
)
study.optimize(objective, n_trials=10)
print(study.best_params)

# %%
# Ten candidates at random, from the same ranges
# ----------------------------------------------

space = {
    "cell": ["rnn", "gru", "lstm"],
    "hidden_size": np.unique(np.geomspace(8, 64, 20).astype(int)),
    "learning_rate": np.geomspace(1e-3, 1e-1, 50),
    "pooling": ["last", "mean"],
}
random = [score(params) for params in ParameterSampler(space, 10, random_state=0)]

# %%
# The best so far, trial by trial; and the model that Optuna found, on the test utterances.

found = [trial.value for trial in study.trials]
figure, axes = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
for name, values, color in [("Optuna", found, "C0"), ("at random", random, "0.5")]:
    axes.plot(range(1, 11), values, "o", color=color, alpha=0.5)
    axes.plot(range(1, 11), np.maximum.accumulate(values), color=color, label=name)
axes.set(xlabel="trial", ylabel="log-likelihood\nby cross-validation", ylim=(-2.4, 0))
axes.legend(title="best so far", loc="lower right")
plt.show()

best = model(**study.best_params).fit(X, y)
print(f"Optuna's best on the test utterances: {best.score(X_test, y_test):.3f}")

# %%
# Ten trials are few: the two curves end close to each other, and which of them is ahead depends on
# the seed. What Optuna brings is conditional spaces, pruning and studies that go on tomorrow. For
# penalties of reservoirs neither is needed: ``alpha="gcv"`` chooses among them within a single fit,
# and :class:`~sklseq.reservoir.ESNSearchCV` shares what candidates have in common.
