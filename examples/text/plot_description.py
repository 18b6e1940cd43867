"""
A sentence that describes a vector
==================================

A weather station measures five numbers. Can a network write a sentence about them, in which what is
worth saying is said and what is not is left out? Trained on pairs of a vector and a sentence,
``encoder="vector"`` starts the decoder from the numbers.
"""

# %%
# Sentences are written by rules that the network does not know, with a choice of words that is left
# to chance; so several sentences are right.

import matplotlib.pyplot as plt
import numpy as np

from sklseq.seq2seq import Seq2SeqClassifier

rng = np.random.default_rng(0)
NAMES = ["temperature [C]", "wind [km/h]", "rain [mm]", "cloud [%]", "change by evening [C]"]


def measure(n):
    rain = np.where(rng.random(n) < 0.5, 0, rng.gamma(1.5, 4, n))
    columns = [rng.normal(12, 9, n), rng.gamma(2, 10, n), rng.normal(0, 5, n)]
    cloud = np.where(rain > 0, rng.uniform(50, 100, n), rng.uniform(0, 100, n))
    return np.column_stack([columns[0], columns[1], rain, cloud, columns[2]])


def facts(row):
    """What is to be said, as a set of words."""
    temperature, wind, rain, cloud, change = row
    said = {"freezing" if temperature < 0 else "cold" if temperature < 10 else "warm"}
    said |= {"stormy"} if wind > 40 else {"windy"} if wind > 20 else set()
    if rain > 0:
        said |= {"snow" if temperature < 0 else "rain"}
        said |= {"heavy"} if rain > 8 else set()
    else:
        said |= {"clouds" if cloud > 60 else "sun"}
    return said | ({"colder"} if change < -4 else {"warmer"} if change > 4 else set())


def describe(row):
    said = facts(row)
    pick = lambda *words: [str(rng.choice(words))]  # noqa: E731
    words = [*pick("today", "now"), "it", "is"]
    words += [w for w in ("freezing", "cold", "warm") if w in said]
    for w in ("windy", "stormy"):
        words += ["and", w] if w in said else []
    words += ["with"] + (["heavy"] if "heavy" in said else [])
    words += [w for w in ("rain", "snow", "clouds", "sun") if w in said]
    for w in ("colder", "warmer"):
        words += [",", w, *pick("later", "tonight")] if w in said else []
    return words


X, X_test = measure(1500), measure(300)
y = [describe(row) for row in X]
print(" ".join(y[0]))

# %%
# A fact counts as said if its word is in the sentence. Beside the network stands the sentence of
# the nearest training row, of scaled columns.

from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

model = Seq2SeqClassifier(
    encoder="vector",
    attention=None,
    context="both",
    hidden_size=64,
    embedding_size=16,
    max_epochs=40,
    random_state=0,
)
model.fit(X, y)
scaler = StandardScaler().fit(X)
nearest = NearestNeighbors(n_neighbors=1).fit(scaler.transform(X))
borrowed = [y[i] for i in nearest.kneighbors(scaler.transform(X_test))[1][:, 0]]
written = model.predict(X_test)
every = ["freezing", "cold", "warm", "windy", "stormy", "rain", "snow", "heavy", "clouds", "sun"]
every += ["colder", "warmer"]

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), layout="constrained", width_ratios=(3, 2)
)
for i, (name, sentences) in enumerate([("nearest row", borrowed), ("network", written)]):
    said = [set(sentence) & set(every) for sentence in sentences]
    right_ = np.mean([s == facts(row) for s, row in zip(said, X_test, strict=True)])
    print(f"{name:12} every fact right, and none too many: {right_:.3f}")
    wrong = [
        np.mean([(w in s) != (w in facts(r)) for s, r in zip(said, X_test, strict=True)])
        for w in every
    ]
    left.bar(np.arange(len(every)) + 0.4 * i - 0.2, wrong, 0.4, label=name)
left.set_xticks(range(len(every)), every, rotation=45, ha="right")
left.set(ylabel="share of rows where it is said wrongly")
left.legend()
right.axis("off")
for k, row in enumerate(X_test[:4]):
    numbers = ", ".join(f"{value:.0f}" for value in row)
    right.text(0, 0.9 - 0.24 * k, f"({numbers})\n  {' '.join(written[k])}", fontsize=9)
plt.show()

# %%
# What is left is near the thresholds, where a hundredth of a degree decides a word. The choice
# between "today" and "now" was left to chance and cannot be known: ``predict`` takes the more
# probable word, ``sample`` draws from its probabilities.
