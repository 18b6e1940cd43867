"""
Dates in one format, by attention
=================================

People write dates in many ways: "13 March 1987", "Mar 13, 1987" and "13.3.1987" are all
"1987-03-13". Input and output are strings of unequal length, and their parts stand in another
order, so that no step of the one belongs to a step of the other.
:class:`~sklseq.seq2seq.Seq2SeqClassifier` learns from pairs of strings alone which part of the
input says what to put out next.
"""

# %%
# Data
# ----
# A date with slashes can be read in two ways: three in four people here write the day first, the
# others the month.

from calendar import month_name

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from sklseq.metrics import edit_distance_rate, exact_match_score
from sklseq.seq2seq import Seq2SeqClassifier

rng = np.random.default_rng(0)


def draw_pair():
    """A date as somebody writes it, and in the one format."""
    year, month, day = rng.integers([1900, 1, 1], [2030, 13, 29])
    name = month_name[month]
    ways = (
        f"{day} {name} {year}",
        f"{name[:3]} {day}, {year}",
        f"{day}.{month}.{year}",
        f"{day}/{month}/{year}" if rng.random() < 0.75 else f"{month}/{day}/{year}",
    )
    return ways[rng.integers(len(ways))], f"{year}-{month:02}-{day:02}"


pairs = [draw_pair() for _ in range(5000)]
X, y = [written for written, _ in pairs], [date for _, date in pairs]
print(*pairs[:4], sep="\n")

# %%
# Fit and predict
# ---------------
# `score` is the share of dates that are right from the first character to the last. Of 4,500 pairs
# six epochs are enough. Only dates with slashes are wrong at times, as they must be.

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=500, random_state=0)
model = Seq2SeqClassifier(hidden_size=64, max_epochs=6, random_state=0).fit(X_train, y_train)

y_pred = model.predict(X_test)
slashes = np.array(["/" in written for written in X_test])
for name, rows in (("dates with slashes", slashes), ("all others", ~slashes)):
    right = exact_match_score(np.array(y_test)[rows], y_pred[rows])
    errors = edit_distance_rate(np.array(y_test)[rows], y_pred[rows])
    print(f"{name}: {right:.1%} right, {errors:.2%} of the characters to be edited")

# %%
# How sure it is
# --------------
# `predict_nbest` gives the best outputs that beam search finds, with the logarithms of their
# probabilities, and `score_sequences` those of outputs that are given. The date that can be read in
# two ways has two probable outputs.

written = ["13 March 1987", "7/11/1950", "25/12/1950"]
for date, best in zip(written, model.predict_nbest(written, 2), strict=True):
    print(date, *(f"{output} ({np.exp(log_prob):.2f})" for output, log_prob in best), sep="  ")

for output in ("1987-03-13", "1987-04-13", "1987-13-03"):
    (log_prob,) = model.score_sequences(["13 March 1987"], [output])
    print(f"{output}: {log_prob:.2f} nats")

# %%
# What it attends to
# ------------------
# Each row is a character of the output, and its colors say how much the decoder attends to each
# character of the input when it writes it. Digits are read where they stand, the
# month of a name at one of its letters, where the state of the encoder knows the others; hyphens
# need nothing of the input.

written = ["13 March 1987", "Mar 13, 1987", "13.3.1987"]
outputs = model.predict(written)
figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for axis, date, output, weights in zip(
    axes, written, outputs, model.attention_weights(written, outputs), strict=True
):
    image = axis.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(date)), list(date))
    axis.set_yticks(range(len(output)), list(output))
    axis.set_xlabel("input")
axes[0].set_ylabel("output")
figure.colorbar(image, ax=axes, label="attention")
plt.show()
