"""
A long series, learned in segments and followed live
====================================================

A machine is on or off, and changes now and then; a sensor tells which, through noise as large as
what it measures. From one long record a network learns the state of the machine at each step. Then
it follows the machine live, from readings that come a few at a time. How close does it come to the
best possible probabilities?

These are known here: they are those of the filter of the true process, a hidden Markov model.
"""

# %%
# The record: 20,000 steps, in which the machine changes its state every hundred steps on average.

import matplotlib.pyplot as plt
import numpy as np

from sklseq.recurrent import GRUClassifier

change, noise = 0.01, 1.0
rng = np.random.default_rng(0)
n_train, n_live = 20_000, 500
changes = rng.random(n_train + n_live) < change
state = np.cumsum(changes) % 2
X = (state + noise * rng.normal(size=len(state)))[:, None]

# %%
# Training. Gone through at once the series would be one training step an epoch, over 20,000 steps
# of backpropagation. ``tbptt_steps`` cuts it into segments of 100: 200 training steps an epoch,
# each of which begins with the state after the one before. The memory that this takes does not
# grow with the length of the series.

model = GRUClassifier(target="step", hidden_size=16, tbptt_steps=100, max_epochs=3, random_state=0)
model.fit(X[:n_train], state[:n_train])

# %%
# Live. A stream remembers the state of the network between two calls: it is given what is new, and
# gives the probabilities for it. They are those of ``predict_proba`` for the whole series.

stream = model.stream()
stream.predict_proba(X[:n_train])
live, arrivals, probability = X[n_train:], [0], []
while arrivals[-1] < n_live:
    n_new = min(int(rng.integers(1, 20)), n_live - arrivals[-1])
    chunk = live[arrivals[-1] : arrivals[-1] + n_new]
    probability.append(stream.predict_proba(chunk)[:, 1])
    arrivals.append(arrivals[-1] + n_new)
probability = np.concatenate(probability)
whole = model.predict_proba(X)[n_train:, 1]
print(f"{len(arrivals) - 1} chunks; largest difference from the whole: ", end="")
print(f"{np.abs(probability - whole).max():.0e}")

# %%
# The best filter: what was known before, moved on by the chance of a change, times the likelihood
# of the reading.


def best_filter(readings):
    """Probability that the machine is on, after each reading."""
    on, found = 0.5, []
    for x in readings:
        on = on * (1 - change) + (1 - on) * change
        odds = on / (1 - on) * np.exp((x - 0.5) / noise**2)
        on = odds / (1 + odds)
        found.append(on)
    return np.array(found)


best, true = best_filter(X[:, 0])[n_train:], state[n_train:]
readings = {"a reading alone": live[:, 0], "network": probability, "best filter": best}
for name, value in readings.items():
    print(f"{name}: right in {np.mean((value > 0.5) == true):.0%} of the steps")

# %%
# The picture: readings above; below what the stream makes of them, beside the best filter. Marks at
# the bottom show where chunks came.

figure, (above, below) = plt.subplots(2, sharex=True, figsize=(9, 5), layout="constrained")
steps = np.arange(n_live)
for axes in (above, below):
    axes.fill_between(
        steps, 0, 1, where=true == 1, transform=axes.get_xaxis_transform(), color="0.88", step="mid"
    )
above.plot(steps, live[:, 0], ".", ms=3, color="0.35")
above.set_ylabel("reading")
above.set_title("Gray: the machine is on")
below.plot(steps, probability, label="network, streamed")
below.plot(steps, best, "--", lw=1.2, label="best filter")
below.plot(arrivals, np.full(len(arrivals), -0.06), "|", color="0.3", ms=6)
below.set_xlabel("live step")
below.set_ylabel("probability of on")
below.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
