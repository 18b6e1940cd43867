"""
Outputs that feed back: teacher forcing
=======================================

Is the number of ones so far odd? The answer at a step follows from the step and the answer before
it. Jordan's network (``cell="jordan"``) is made for that: what it hands on from step to step is not
a hidden state but its own output.

In training the true outputs are known, and may be fed in the place of its own: *teacher forcing*.
The network then need not find out what to remember, and no step has to wait for another. The
same network that is fed its own outputs (*free running*), and Elman's, whose states feed back, have
to find it by gradient through all steps.
"""

# %%
# Data
# ----
# Training sequences have up to 40 steps, test sequences 200.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

from sklseq.recurrent import RecurrentClassifier

rng = np.random.default_rng(0)


def draw(n, shortest, longest):
    """Sequences of zeros and ones, and the parity at each step."""
    X = [rng.integers(0, 2, (length, 1)) * 1.0 for length in rng.integers(shortest, longest + 1, n)]
    return X, [x[:, 0].cumsum().astype(int) % 2 for x in X]


X, y = draw(160, 5, 40)
X_test, y_test = draw(50, 200, 200)

# %%
# Three ways to train
# -------------------
# Predictions are fed back in the same way whatever the training was like, so that `score` is always
# that of a network running freely.

ways = {
    "Jordan, teacher forcing": {"cell": "jordan", "teacher_forcing": 1.0},
    "Jordan, free running": {"cell": "jordan", "teacher_forcing": 0.0},
    "Elman": {"cell": "rnn"},
}
models, scores, times = {}, {}, {}
for name, params in ways.items():
    model = RecurrentClassifier(target="step", hidden_size=16, random_state=0, **params)
    scores[name], times[name] = [], 0.0
    for _ in range(40):
        start = perf_counter()
        model.partial_fit(X, y, classes=[0, 1])
        times[name] += perf_counter() - start
        scores[name].append(model.score(X_test, y_test))
    models[name] = model
    print(f"{name}: accuracy {scores[name][-1]:.2f}, {1000 * times[name] / 40:.0f} ms an epoch")

# %%
# The picture
# -----------
# On the left, accuracy on sequences five times as long as any in training. On the right, the end of
# one of them: what Jordan's network remembers, its own last answer, does not fade.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for name, curve in scores.items():
    left.plot(np.arange(1, 41), curve, label=name)
left.axhline(0.5, color="gray", lw=0.8, ls=":")
left.set(xlabel="epoch", ylabel="accuracy on long sequences", ylim=(0.4, 1.03))
left.legend(loc="center right")
for name, model in models.items():
    odd = model.predict_proba(X_test[:1])[0][-40:, 1]
    right.plot(np.arange(160, 200), odd, label=name)
right.plot(np.arange(160, 200), y_test[0][-40:], "k.")
right.set(xlabel="step", ylabel="probability of an odd number")
right.set_title("end of a sequence (dots: truth)")
plt.show()
