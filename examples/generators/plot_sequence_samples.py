"""
Sequences drawn from a variational autoencoder
==============================================

Strokes of a pen, of unequal length, are learned by `SequenceVAE` without labels:
circles, eights and spirals, large and small, quick and slow. The model draws new strokes of each
kind, and its latent variables lead from one kind to another.
"""

# %%
# Data
# ----
# A stroke is a sequence of places in the plane. Its number of steps says nothing of its kind.

import matplotlib.pyplot as plt
import numpy as np

from sklseq.generative import SequenceVAE

KINDS = {
    "circle": lambda u: (np.cos(u), np.sin(u)),
    "eight": lambda u: (np.cos(u), np.sin(2 * u)),
    "spiral": lambda u: (u * np.cos(2 * u) / 6, u * np.sin(2 * u) / 6),
}


def strokes(n, seed):
    """Sequences ``(n_steps, 2)``, the kinds in turn."""
    rng = np.random.default_rng(seed)
    drawn = np.empty(n, dtype=object)
    for i in range(n):
        curve = list(KINDS.values())[i % len(KINDS)]
        steps = np.transpose(curve(np.linspace(0, 2 * np.pi, rng.integers(20, 41))))
        tilt = rng.normal(scale=0.15)
        turn = [[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]]
        drawn[i] = rng.uniform(0.6, 1.2) * steps @ turn + rng.normal(scale=0.01, size=steps.shape)
    return drawn


X, held_out = strokes(150, seed=0), strokes(150, seed=1)

# %%
# Fit and sample
# --------------
# Kinds leave gaps between the codes of the strokes: ``latent_prior="gmm"`` keeps samples out of
# them. Samples are ragged as the data are, an array of arrays.

model = SequenceVAE(
    n_components=4,
    latent_prior="gmm",
    hidden_size=32,
    max_epochs=150,
    batch_size=32,
    learning_rate=0.01,
    lr_schedule="cosine",
    random_state=0,
).fit(X)
samples = model.sample(150, random_state=0)
backward = [stroke[::-1] for stroke in held_out]
for name, drawn in {"held out": held_out, "backward": backward}.items():
    print(f"nats a stroke, {name}: {model.score(drawn):.1f}")

# %%
# Real strokes, sampled ones, and the way from a circle to a spiral
# -----------------------------------------------------------------
# Above each stroke is its number of steps.

rows = {"real": X[:9], "sampled": samples[:9], "between": model.interpolate(X[0], X[2], n_steps=9)}
figure, axes = plt.subplots(3, 9, figsize=(11, 4.2), sharex=True, sharey=True, layout="constrained")
for (label, drawn), row, color in zip(rows.items(), axes, ("C0", "C1", "C2"), strict=True):
    for axis, stroke in zip(row, drawn, strict=True):
        axis.plot(*stroke.T, ".-", color=color, markersize=3, linewidth=1)
        axis.set_title(len(stroke), fontsize="small")
        axis.set(aspect="equal", xticks=[], yticks=[])
    row[0].set_ylabel(label)
plt.show()
