"""
From a long CSV to a tuned classifier
=====================================

Measurements often come as a long table: one line for each time step, with a column that says which
sequence the line belongs to. How does such a file become a classifier of sequences, and how good is
it on people whom it has never met?
"""

# %%
# The file
# --------
# Two hundred walks of forty people are recorded by the two axes of a sensor, and each walk is
# either up a stair or on level ground. The data are made up, so that the file is here: stairs are
# climbed with slower and stronger steps, and everybody has a pace of their own.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
lines = []
for walk in range(200):
    person, stairs = walk % 40, rng.random() < 0.5
    pace = 1.1 + 0.35 * np.sin(person) - 0.25 * stairs
    time = np.arange(rng.integers(30, 60)) / 10
    phase = 2 * np.pi * (pace * time + rng.random())
    up = (1 + 0.25 * stairs) * np.sin(phase) + 0.5 * rng.normal(size=len(time))
    ahead = np.cos(phase) + 0.4 * stairs * np.cos(2 * phase) + 0.5 * rng.normal(size=len(time))
    activity = "stairs" if stairs else "level"
    lines.append(
        pd.DataFrame(
            {"walk": walk, "time": time, "up": up, "ahead": ahead}
            | {"person": person, "activity": activity}
        )
    )
path = Path(tempfile.mkdtemp()) / "walks.csv"
pd.concat(lines).round(3).to_csv(path, index=False)
print(*path.read_text().splitlines()[:4], sep="\n")

# %%
# X, y and groups
# ---------------
# ``groupby`` makes a list of DataFrames, one for each walk. Label and person are those of the first
# line of each walk. Times are regular here; ``time_feature="index"`` would read irregular ones.

table = pd.read_csv(path)
walks = table.groupby("walk")
X = [walk[["up", "ahead"]] for _, walk in walks]
y = walks["activity"].first().to_numpy()
person = walks["person"].first().to_numpy()
print(
    f"{len(X)} walks of {min(map(len, X))} to {max(map(len, X))} steps, {len(set(person))} people"
)

# %%
# A search that splits by people
# ------------------------------
# The walks of one person resemble each other. Were some of them trained on and others tested on,
# the score would be too good. So the folds of the search, and the test set, hold whole people.

from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.preprocessing import PerStep
from sklseq.recurrent import RecurrentClassifier

train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(X, y, person))
X_train, X_test = [X[i] for i in train], [X[i] for i in test]
settings = {"max_epochs": 40, "learning_rate": 0.02, "random_state": 0}
pipeline = make_pipeline(PerStep(StandardScaler()), RecurrentClassifier(**settings))
grid = {
    "recurrentclassifier__cell": ["rnn", "gru"],
    "recurrentclassifier__pooling": ["last", "mean"],
}
search = GridSearchCV(pipeline, grid, cv=GroupKFold(3))
search.fit(X_train, y[train], groups=person[train])
results = pd.DataFrame(search.cv_results_["params"]).rename(columns=lambda c: c.split("__")[1])
print(results.assign(accuracy=search.cv_results_["mean_test_score"].round(3)).to_string())

# %%
# What a table alone would say
# ----------------------------
# The usual way out is to describe each walk by numbers that forget the order of steps, and to give
# these to a forest. It is what a sequence model has to beat.

from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import ConfusionMatrixDisplay


def summary(walks):
    """Mean, deviation, minimum and maximum of each column."""
    return np.array([[f(w[c]) for c in w for f in (np.mean, np.std, min, max)] for w in walks])


forest = RandomForestClassifier(random_state=0).fit(summary(X_train), y[train])
scores = {
    "more frequent class": np.mean(y[test] == pd.Series(y[train]).mode()[0]),
    "forest on summaries": forest.score(summary(X_test), y[test]),
    f"{search.best_params_['recurrentclassifier__cell']} network": search.score(X_test, y[test]),
}

print(*(f"{name}: {score:.3f}" for name, score in scores.items()), sep="\n")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
bars = left.barh(list(scores), list(scores.values()), color=["0.7", "0.5", "C0"])
left.bar_label(bars, fmt="%.2f", padding=3)
left.set(xlim=(0, 1.15), xlabel="accuracy on people not seen")
ConfusionMatrixDisplay.from_estimator(search, X_test, y[test], ax=right, colorbar=False)
plt.show()

# %%
# Both are level on people whom they have not met: stairs make steps stronger, and that is seen in
# summaries, too. Then the forest is the better choice, as it is simpler. Where only the order of
# steps tells, it has nothing to go by: :ref:`sphx_glr_auto_examples_images_plot_gestures.py`. Sixty
# walks to test on leave an error of some four points on each bar. The fitted ``search`` is one
# object: see :ref:`sphx_glr_auto_examples_first_steps_plot_save_and_load.py` for how it is kept.
