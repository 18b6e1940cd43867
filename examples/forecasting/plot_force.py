"""
FORCE: taming a chaotic network
===============================

A reservoir with a spectral radius above 1 is chaotic on its own. Recursive least squares teaches
its readout, step by step and while the output is fed back, to produce a pattern; the feedback of
its own good output calms the network, and it goes on by itself (Sussillo and Abbott 2009,
Generating coherent patterns of activity from chaotic neural networks, figure 2).
"""

# %%
# The network: 500 leaky units without input, whose output is fed back.

import matplotlib.pyplot as plt
import numpy as np

from sklseq.nn.reservoir import Reservoir, free_run, input_weights, recurrent_weights
from sklseq.ridge import RecursiveLeastSquares

units = 500
reservoir = Reservoir(
    recurrent_weights(units, "random", spectral_radius=1.5, density=0.1, seed=0),
    np.empty((units, 0)),
    feedback_weights=input_weights(units, 1, scaling=1.0, seed=1),
    leak_rate=0.3,
)

# %%
# The pattern: four sines.

t = np.arange(6000)
pattern = sum(
    a * np.sin(2 * np.pi * k * t / 240) for k, a in ((1, 0.65), (2, 0.33), (3, 0.22), (4, 0.33))
)[:, None]
state = np.random.default_rng(2).normal(scale=0.5, size=(1, units))

# %%
# Before, during and after learning. `free_run` asks for the output once a step; the readout that
# `force` gives also learns from it.

n_before, n_learn, n_after = 1200, 4800, 1200
learner = RecursiveLeastSquares(units, 1, alpha=1.0)
learner.coef[:] = np.random.default_rng(3).normal(scale=units**-0.5, size=(units, 1))
before, state = free_run(reservoir, learner.predict, state, [[0.0]], n_before)
target = pattern[:n_learn]
during, state = free_run(reservoir, learner.force(target), state, before[:, -1], n_learn)
after, state = free_run(reservoir, learner.predict, state, during[:, -1], n_after)

expected = pattern[n_learn : n_learn + n_after, 0]
error = np.sqrt(np.mean((after[0, :, 0] - expected) ** 2)) / expected.std()
print(f"error of the free run, in standard deviations of the pattern: {error:.3f}")

# %%
# The output follows within a few steps of learning, and stays on the pattern when learning ends.

output = np.concatenate([before, during, after], axis=1)[0, :, 0]
figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
axes.plot(output, lw=1)
axes.plot(n_before + np.arange(n_learn + n_after), pattern[: n_learn + n_after], "k:", lw=1)
for stop, name in ((0, "before"), (n_before, "learning"), (n_before + n_learn, "running free")):
    axes.axvline(stop, color="gray", lw=0.5)
    axes.text(stop + 30, 1.6, name)
axes.set(xlabel="step", ylabel="output", ylim=(-2, 2))
plt.show()
