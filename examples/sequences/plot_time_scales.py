"""
Cells with several time scales
==============================

A network reads an impulse, which says which of four curves is meant, and then nothing: it has to
draw 192 steps of the curve from its memory. Each curve is a slow one with a fast one on top. The
state of a plain recurrent network has one time scale and loses count. The units of the others, as
many, have several: modules that tick at different rates (Koutnik et al. 2014, A clockwork RNN,
section 4.1, whose task this is), leaky units, and connections that skip 16 steps.
"""

# %%
# The curves: random points 64 steps apart, joined by lines, and a wave of 8 steps whose height
# comes and goes.

import matplotlib.pyplot as plt
import numpy as np

from sklseq.recurrent import RecurrentRegressor

n_curves, n_steps = 4, 192
rng = np.random.default_rng(0)
t = np.arange(n_steps)


def joined(distance):
    points = rng.normal(size=n_steps // distance + 1)
    return np.interp(t, distance * np.arange(len(points)), points)


slow = np.array([joined(64) for _ in range(n_curves)])
fast = np.array(
    [np.sin(2 * np.pi * t / 8 + rng.uniform(0, 6)) * joined(32) for _ in range(n_curves)]
)
y = slow / slow.std() + 0.5 * fast / fast.std()
X = np.zeros((n_curves, n_steps, n_curves))
X[range(n_curves), 0, range(n_curves)] = 1

# %%
# Four networks of 64 units, trained in the same way.

cells = {
    "rnn": None,
    "skip": {"lags": (1, 16)},
    "leaky": {"time_scales": (1, 100)},
    "clockwork": {"periods": (1, 2, 4, 8, 16, 32, 64, 128)},
}
drawn, scores = {}, {}
for cell, options in cells.items():
    model = RecurrentRegressor(
        cell=cell,
        cell_options=options,
        hidden_size=64,
        target="step",
        max_epochs=180,
        random_state=0,
    ).fit(X, y)
    drawn[cell] = model.predict(X)
    scores[cell] = 1 - np.mean((drawn[cell] - y) ** 2) / y.var()
    print(f"{cell:10} R2 {scores[cell]:.3f}")

# %%
# Two of the curves, dotted, and what each network draws.

figure, axes = plt.subplots(len(cells), 2, figsize=(10, 6), sharex=True, layout="constrained")
for row, (cell, curves) in zip(axes, drawn.items(), strict=True):
    for axis, target, curve in zip(row, y, curves, strict=False):
        axis.plot(target, "k:", lw=1)
        axis.plot(curve, lw=1)
        axis.set_yticks([])
    options = cells[cell] or {}
    name = " ".join([cell, *(f"{key}={value}" for key, value in options.items())])
    row[0].set_title(f"{name}: R² {scores[cell]:.2f}", loc="left", fontsize="medium")
for axis in axes[-1]:
    axis.set_xlabel("step")
plt.show()
