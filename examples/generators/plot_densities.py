"""
Densities in two dimensions
===========================

A flow learns the density of rows, so that it gives the density at each point, and draws new rows.
Above what was learned from, in the middle the logarithm of the learned density, below rows drawn
from it. A few seconds of training; longer training makes the edges sharper.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_circles, make_moons, make_s_curve

from sklseq.generative import RealNVP

rng = np.random.default_rng(0)
squares = rng.uniform(-2, 2, size=(6000, 2))
squares = squares[np.floor(squares).sum(axis=1) % 2 == 0]
tables = {
    "moons": make_moons(3000, noise=0.06, random_state=0)[0],
    "circles": make_circles(3000, noise=0.06, factor=0.4, random_state=0)[0],
    "curve": make_s_curve(3000, noise=0.06, random_state=0)[0][:, [0, 2]],
    "checkerboard": squares,
}

# %%
# Splines transform each of the two features, given the other; four such layers are enough here.
figure, axes = plt.subplots(3, 4, figsize=(10, 7.5), sharex="col", sharey="col")
for (name, X), (data, density, samples) in zip(tables.items(), axes.T, strict=True):
    flow = RealNVP(
        coupling="spline",
        bound=3.0,
        n_layers=4,
        learning_rate=0.01,
        lr_schedule="onecycle",
        batch_size=256,
        max_epochs=15,
        random_state=0,
    ).fit(X)
    low, high = X.min(axis=0) - 0.3, X.max(axis=0) + 0.3
    x, y = np.meshgrid(*np.linspace(low, high, 100).T)
    log_density = flow.score_samples(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    data.scatter(*X[:1500].T, s=1)
    data.set_title(name)
    density.pcolormesh(x, y, np.maximum(log_density, log_density.max() - 8), rasterized=True)
    samples.scatter(*flow.sample(1500, random_state=0).T, s=1, color="C1")
    samples.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    print(f"{name}: mean log-density {flow.score(X):.2f} nats")
for axis, label in zip(axes[:, 0], ("data", "log-density", "samples"), strict=True):
    axis.set_ylabel(label)
figure.tight_layout()
plt.show()
