"""
What is this function called?
=============================

The syntax trees of functions are an X like any other. A tree LSTM learns from Python's own library
to predict a function's name from its body; then we ask which parts of a body a prediction depends
on.
"""

# %%
# The functions of some packages of the standard library, each a nested tuple ``(node type, child,
# ...)`` in which its own name is hidden. We keep the ten most common names but ``__init__``.

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sklseq.data import read_forest
from sklseq.datasets import load_python_functions
from sklseq.recursive import RecursiveClassifier

PACKAGES = (
    "asyncio concurrent email http idlelib importlib json logging multiprocessing unittest xml"
)
functions = load_python_functions(
    [*PACKAGES.split(), "argparse.py", "socketserver.py", "zipfile.py"]
)
sizes = read_forest(functions.data).sizes
chosen = (sizes >= 8) & (sizes <= 150) & (functions.target != "__init__")
names = [name for name, _ in Counter(functions.target[chosen].tolist()).most_common(10)]
chosen &= np.isin(functions.target, names)
X, y = functions.data[chosen], functions.target[chosen]
print(f"{len(X)} functions called {', '.join(names)}")

# %%
# Trees are split, fitted and scored like rows. A node may have any number of children, so the
# composition is one that sums them. The baseline counts the nodes and ignores the tree.

X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
model = RecursiveClassifier(
    composition="childsum-lstm",
    hidden_size=48,
    min_count=3,
    dropout=0.2,
    learning_rate=0.01,
    lr_schedule="cosine",
    max_epochs=20,
    random_state=0,
).fit(X_train, y_train)


def counts(trees):
    """How often each symbol stands in each tree."""
    forest = read_forest(trees)
    return [
        Counter(forest.symbols[start : start + size].tolist())
        for start, size in zip(forest.starts, forest.sizes, strict=True)
    ]


bag = make_pipeline(DictVectorizer(), LogisticRegression(max_iter=3000))
bag.fit(counts(X_train), y_train)
print(f"tree LSTM: {model.score(X_test, y_test):.3f}")
print(f"counts of nodes and logistic regression: {bag.score(counts(X_test), y_test):.3f}")

# %%
# Which subtrees did it go by? Each is taken out in turn; what the probability of the predicted
# name loses is the subtree's importance. Red is a loss.

short = [tree for tree, n in zip(X_test, read_forest(X_test).sizes, strict=True) if n <= 24]
confidence = model.predict_proba(short).max(axis=1)
tree = short[int(np.argsort(confidence)[len(short) // 2])]
importances = model.subtree_importances([tree])[0]


def layout(tree, importances, depth=0, left=0):
    """Places of the nodes: leaves side by side, parents above the middle of their children."""
    value, *children = tree
    nodes, width = [], left
    middles = []
    for child, values in zip(children, importances[1:], strict=True):
        below, middle, width = layout(child, values, depth + 1, width)
        nodes += below
        middles.append(middle)
    middle = np.mean(middles) if children else left
    edges = [(m, depth + 1) for m in middles]
    return [(value, importances[0], middle, depth, edges), *nodes], middle, max(width, left + 1)


figure, (left, right) = plt.subplots(1, 2, figsize=(14, 6), width_ratios=(1, 1.4))
ConfusionMatrixDisplay.from_estimator(
    model, X_test, y_test, ax=left, colorbar=False, xticks_rotation="vertical"
)
left.set_title(f"accuracy {model.score(X_test, y_test):.2f}")
for value, importance, x, depth, edges in layout(tree, importances)[0]:
    for to, below in edges:
        right.plot([-depth, -below], [x, to], color="0.8", zorder=0)
    color = plt.cm.coolwarm(0.5 + 0.5 * float(np.clip(importance, -1, 1)))
    box = {"boxstyle": "round", "facecolor": color, "edgecolor": "0.6"}
    right.text(-depth, x, value, ha="center", va="center", fontsize=8, bbox=box)
right.set_xlim(-max(d for *_, d, _ in layout(tree, importances)[0]) - 0.6, 0.6)
right.invert_xaxis()
right.set_axis_off()
right.set_title(f"predicted: {model.predict([tree])[0]}")
figure.tight_layout()
plt.show()
