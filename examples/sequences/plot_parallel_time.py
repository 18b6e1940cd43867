"""
One long series, trained on in parallel over time
=================================================

A recurrent network goes through a series step by step: of one long series each step is a product
of a matrix and a single vector, which no processor is good at. When may the parts of a series be
computed side by side, with the same result?

Where the network forgets. ``time_parallel="auto"`` cuts a series into chunks that run as one batch,
each from a guess of the state before it, and repeats that until the states of all chunks fit
together. If the network forgets within a chunk, guesses do not matter after it, and two sweeps are
enough. The largest Lyapunov exponent tells how fast it forgets.
"""

# %%
# A series of 5,000 steps; what is to be predicted is the product of two inputs, one and three steps
# back. Two networks learn it. One starts as they do. The units of the other start with a large
# bias of the gate that keeps their state, and remember for some 400 steps.

from time import process_time

import matplotlib.pyplot as plt
import numpy as np

from sklseq.inspection import largest_lyapunov_exponent
from sklseq.recurrent import GRURegressor

n_steps, n_epochs = 5_000, 8
X = np.random.default_rng(0).normal(size=(n_steps, 2))
y = np.roll(X[:, 0], 1) * np.roll(X[:, 1], 3)
forget_biases = {"as they start": None, "long memory": 6.0}

# %%
# Both ways take turns, an epoch each. The plain loop is ``time_parallel=False``.

seconds, exponents, losses = {}, {}, {}
for name, bias in forget_biases.items():
    models = {
        mode: GRURegressor(
            target="step", hidden_size=32, forget_bias=bias, time_parallel=mode, random_state=0
        )
        for mode in ("auto", False)
    }
    seconds[name] = {mode: [] for mode in models}
    exponents[name] = []
    for _ in range(n_epochs):
        for mode, model in models.items():
            begin = process_time()
            model.partial_fit(X, y)
            seconds[name][mode].append(process_time() - begin)
        exponent = largest_lyapunov_exponent(models["auto"], X[:200], washout=50, random_state=0)
        exponents[name].append(exponent)
    losses[name] = {mode: model.loss_curve_ for mode, model in models.items()}

for name, of_mode in seconds.items():
    medians = {mode: np.median(times) for mode, times in of_mode.items()}
    apart = np.abs(np.subtract(*losses[name].values())).max()
    print(
        f"{name}: exponent {exponents[name][-1]:.3f}, plain loop {medians[False]:.2f} s, ", end=""
    )
    print(f"auto {medians['auto']:.2f} s an epoch; losses differ by {apart:.0e} at most")

# %%
# Differences fade by a factor of e in -1 over the exponent steps. For what float32 can tell apart
# from nothing they need about 15 times that. Chunks of this series have some 140 steps, so that the
# exponent has to lie below the dashed line.

_, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
for color, name in zip(("C0", "C3"), seconds, strict=True):
    for mode, style in (("auto", "-"), (False, "--")):
        label = f"{name}, {'auto' if mode else 'plain loop'}"
        left.plot(seconds[name][mode], style, color=color, label=label)
    right.plot(exponents[name], color=color, label=name)
left.set(xlabel="epoch", ylabel="seconds of an epoch", yscale="log", title="Time")
right.axhline(-15 / 140, color="k", linestyle="--", label="forgets within a chunk")
right.set(xlabel="epoch", ylabel="largest Lyapunov exponent", title="How fast it forgets")
left.legend()
right.legend()
plt.tight_layout()
plt.show()

# %%
# So it is exact where it is used, and it is used where the network forgets: the first network
# learns many times faster, to the same losses. For the second there is nothing to be gained. The
# sweeps are given up after two, the plain loop runs, and what the attempt costs is a few percent of
# its time. A network that learns to remember longer than a chunk moves from the first case to the
# second while it is trained, and the exponent shows it on the way.
