"""
Oversampling a rare class with a generator
==========================================

Where one class is rare, a classifier may do best by hardly ever naming it. A generator that has
learned how rows of each class are spread can draw more of the rare ones, for training alone. This
moves the boundary towards the frequent class. It adds no knowledge: what the generator draws, it
has learned from the few rare rows that there are.
"""

# %%
# Breast cancer in two principal components. Of the 159 malignant rows to train on only 15 are
# kept, so that one row in nineteen is rare; the rows to test on are as they were.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.generative import GenerativeOverSampler, RealNVP

X, y = load_breast_cancer(return_X_y=True)
malignant = (y == 0).astype(int)


def split(seed):
    """Training rows with few malignant ones, and test rows, in two components."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, malignant, test_size=0.25, stratify=malignant, random_state=seed
    )
    rng = np.random.default_rng(seed)
    rare = rng.choice(np.flatnonzero(y_train), 15, replace=False)
    kept = np.r_[np.flatnonzero(y_train == 0), rare]
    project = make_pipeline(StandardScaler(), PCA(2)).fit(X_train[kept])
    return project.transform(X_train[kept]), y_train[kept], project.transform(X_test), y_test


# %%
# k-nearest neighbors takes no class weights. To repeat the rare rows is the plain way
# to fill the class up, and what the generator has to be measured by. Beside them stands a linear
# classifier that does know class weights. Means over five splits.

flow = RealNVP(n_layers=4, hidden_layer_sizes=(32, 32), max_epochs=60, learning_rate=3e-3)
scores = {}
for seed in range(5):
    X_train, y_train, X_test, y_test = split(seed)
    sampler = GenerativeOverSampler(generator=flow, random_state=seed)
    rare = np.flatnonzero(y_train)
    again = np.r_[
        np.arange(len(y_train)),
        np.random.default_rng(seed).choice(rare, len(y_train) - 2 * len(rare)),
    ]
    training = {
        "as they are": (X_train, y_train),
        "rare rows repeated": (X_train[again], y_train[again]),
        "rare rows generated": sampler.fit_resample(X_train, y_train),
    }
    models = {name: KNeighborsClassifier(15).fit(*rows) for name, rows in training.items()}
    models["linear, class weights"] = LogisticRegression(class_weight="balanced").fit(
        X_train, y_train
    )
    for name, model in models.items():
        scores.setdefault(name, []).append(
            (
                balanced_accuracy_score(y_test, model.predict(X_test)),
                average_precision_score(y_test, model.predict_proba(X_test)[:, 1]),
            )
        )
for name, values in scores.items():
    (accuracy, precision), (spread, _) = np.mean(values, axis=0), np.std(values, axis=0)
    print(f"{name}: balanced accuracy {accuracy:.3f} +- {spread:.3f}, ", end="")
    print(f"average precision {precision:.3f}")

# %%
# The boundaries of the last split; light points are the rows drawn. Both ways to fill up name the
# rare class more often. Rows drawn around the rare ones also rank the test rows better, which
# repeated rows do not. But the linear classifier with class weights does better than any of the
# three: a generator is for classifiers that take no weights, and worth no more than it proves.

figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained", sharex=True, sharey=True)
for axis, (name, (rows, _)) in zip(axes, training.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        models[name], X_test, response_method="predict", cmap="RdBu_r", alpha=0.25, ax=axis
    )
    drawn = rows[len(y_train) :]
    axis.scatter(*drawn.T, s=8, c="tab:red", alpha=0.25, label="drawn")
    for k, (colour, label) in enumerate((("tab:blue", "benign"), ("darkred", "malignant, kept"))):
        axis.scatter(*X_train[y_train == k].T, s=14, c=colour, label=label)
    axis.set_title(f"{name}\nbalanced accuracy {scores[name][-1][0]:.3f}")
    axis.set(xlabel="first component", xlim=(-7, 19), ylim=(-11, 10))
axes[0].set_ylabel("second component")
axes[-1].legend(loc="upper right")
plt.show()
