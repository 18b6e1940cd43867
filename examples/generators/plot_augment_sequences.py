"""
More sequences of a rare class
==============================

Of three strokes of a pen one is rare: twelve drawings, where the others have a hundred. Can a
generator draw more of them, so that a classifier finds the rare one more often, and is that better
than to repeat the twelve or to weigh them?
"""

# %%
# Strokes are arrays ``(n_steps, 2)`` of places, of 15 to 30 steps. The rare one, a spiral,
# resembles the circle.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from imblearn.over_sampling import RandomOverSampler
from sklearn.metrics import f1_score, recall_score

from sklseq.generative import GenerativeOverSampler, SequenceVAE
from sklseq.reservoir import ESNClassifier

warnings.filterwarnings("ignore", category=UserWarning)


def stroke(kind, rng):
    t = np.linspace(0, 1, rng.integers(15, 31))
    turn, start = rng.choice([-1, 1]), rng.uniform(0, 2 * np.pi)
    radius = {"circle": np.ones_like(t), "spiral": 1 - 0.5 * t, "line": 2 * t - 1}[kind]
    angle = start + turn * (0 if kind == "line" else 2 * np.pi) * t
    path = rng.uniform(0.7, 1.3) * radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return path + 0.12 * rng.normal(size=path.shape)


def strokes(counts, seed):
    rng = np.random.default_rng(seed)
    y = np.repeat(list(counts), list(counts.values()))
    X = np.empty(len(y), dtype=object)
    X[:] = [stroke(kind, rng) for kind in y]
    return X, y


X_test, y_test = strokes({"circle": 300, "line": 300, "spiral": 300}, seed=100)

# %%
# Three training sets, each with three remedies and without one.

results = {"as it is": [], "rare class repeated": [], "weights": [], "SequenceVAE": []}
for seed in range(3):
    X, y = strokes({"circle": 100, "line": 100, "spiral": 12}, seed)
    numbers = np.arange(len(X))[:, None]
    repeated, _ = RandomOverSampler(random_state=seed).fit_resample(numbers, y)
    vae = SequenceVAE(n_components=4, max_epochs=60, random_state=seed)
    more = GenerativeOverSampler(vae, random_state=seed).fit_resample(X, y)
    data = {
        "as it is": (X, y),
        "rare class repeated": (X[repeated[:, 0]], y[repeated[:, 0]]),
        "weights": (X, y),
        "SequenceVAE": more,
    }
    for name, (X_fit, y_fit) in data.items():
        weight = "balanced" if name == "weights" else None
        model = ESNClassifier(reservoir_size=100, class_weight=weight, random_state=0)
        predicted = model.fit(X_fit, y_fit).predict(X_test)
        rare = recall_score(y_test == "spiral", predicted == "spiral")
        results[name].append((rare, f1_score(y_test, predicted, average="macro")))
for name, values in results.items():
    print(
        f"{name:20} rare ones found {np.mean(values, axis=0)[0]:.3f}, "
        f"macro F1 {np.mean(values, axis=0)[1]:.3f}"
    )

# %%
# Rare strokes that there were, strokes that were drawn, and how many of the rare ones are found.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained")
drawn = more[0][len(X) :][more[1][len(X) :] == "spiral"]
for ax, title, lines in [
    (axes[0], "12 that there were", X[y == "spiral"]),
    (axes[1], "12 that were drawn", drawn[:12]),
]:
    for line in lines:
        ax.plot(*line.T, linewidth=0.8)
    ax.set(title=title, aspect="equal", xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
means = [np.mean(values, axis=0)[1] for values in results.values()]
axes[2].bar_label(axes[2].barh(list(results), means), fmt="%.2f", padding=3)
axes[2].set(xlabel="macro F1", xlim=(0, 1.2))
plt.show()

# %%
# Every remedy finds nearly twice as many of the rare strokes, and the generator is no better than
# to repeat them or to weigh them, which cost nothing: from twelve drawings it cannot learn more
# than they say. Try it where a class has some dozens of rows, and compare as here.
