"""
Gestures in small films
=======================

A hand is a blob that moves over twelve by twelve pixels: it waves, circles, swipes or zooms. No
single frame says which, and films are 8 to 24 frames long. Is it better to read each film frame by
frame, or to average its frames and to classify one picture?
"""

# %%
# A frame is one step: its 144 pixels are the features, so that a film is an array
# ``(n_frames, 144)``. The films are made up: hands differ in place, size, speed and direction.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.pipeline import make_pipeline

from sklseq.preprocessing import PerStep
from sklseq.recurrent import GRUClassifier
from sklseq.reservoir import ESNClassifier

rng = np.random.default_rng(0)
GESTURES = ["wave", "circle", "swipe", "zoom"]
grid = np.stack(np.mgrid[:12, :12], axis=-1)


def film(gesture):
    n = rng.integers(8, 25)
    t = np.linspace(0, 1, n) * rng.uniform(0.8, 1.3)
    turn, size = rng.choice([-1, 1]), np.full(n, rng.uniform(1.2, 1.8))
    path = np.zeros((n, 2))
    if gesture == "wave":
        path[:, 1] = 3 * np.sin(4 * np.pi * t * turn)
    elif gesture == "circle":
        path = 3 * np.column_stack([np.sin(2 * np.pi * t), turn * np.cos(2 * np.pi * t)])
    elif gesture == "swipe":
        path[:, 1] = turn * 8 * (t - 0.5)
    else:
        size = size + 1.5 * np.abs(np.sin(np.pi * t))
    place = (5.5 + rng.normal(size=2)) + path
    distance = ((grid[None] - place[:, None, None]) ** 2).sum(axis=-1)
    frames = np.exp(-distance / size[:, None, None] ** 2) + 0.3 * rng.normal(size=(n, 12, 12))
    return frames.reshape(n, 144)


y = rng.choice(GESTURES, 360)
X = [film(gesture) for gesture in y]
X_train, X_test, y_train, y_test = X[:200], X[200:], y[:200], y[200:]

# %%
# Twenty principal components of frames take most of the noise away before a network reads them:
# ``PerStep`` applies any transformer of scikit-learn to the steps of all sequences.

models = {
    "GRU on frames": make_pipeline(
        PerStep(PCA(20, random_state=0)),
        GRUClassifier(pooling="mean", max_epochs=40, random_state=0),
    ),
    "reservoir on frames": make_pipeline(
        PerStep(PCA(20, random_state=0)),
        ESNClassifier(reservoir_size=300, input_scaling=0.3, leak_rate=0.3, random_state=0),
    ),
}
for name, model in models.items():
    model.fit(X_train, y_train)
    print(f"{name:22} {model.score(X_test, y_test):.3f}")
mean = LogisticRegression(max_iter=2000).fit([x.mean(axis=0) for x in X_train], y_train)
print(f"{'mean of the frames':22} {mean.score([x.mean(axis=0) for x in X_test], y_test):.3f}")

# %%
# Some frames of a film of each gesture, and what is taken for what.

figure = plt.figure(figsize=(10, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
axes = left.subplots(4, 6)
for row, gesture in zip(axes, GESTURES, strict=True):
    frames = X[int(np.flatnonzero(y == gesture)[0])]
    for ax, i in zip(row, np.linspace(0, len(frames) - 1, 6).astype(int), strict=True):
        ax.imshow(frames[i].reshape(12, 12), cmap="gray_r", vmin=-0.3, vmax=1.2)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(gesture)
ConfusionMatrixDisplay.from_estimator(
    models["reservoir on frames"], X_test, y_test, ax=right.subplots(), colorbar=False
)
plt.show()

# %%
# The order of frames helps: the mean picture knows where a hand has been and not when. What the
# reservoir confuses are waves and swipes. Two hundred films are few for a network that has all its
# weights to learn; a reservoir, whose readout alone is trained, makes more of them. Films of real
# size need features of their frames first: give the output of a pretrained image network in the
# place of the components.
