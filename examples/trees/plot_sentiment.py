"""
Sentiment over parse trees
==========================

"Not good" is bad, and "not that bad" is nearly good: what a phrase says depends on its parts and on
how they are joined. Each node of a parse tree has a label of its own here, as in the Stanford
Sentiment Treebank. Does a network that composes along the tree learn what a negation does, and does
it still work on sentences longer than any it was trained on?
"""

# %%
# A grammar of opinions makes the trees, with known labels: ``load_sentiment_treebank`` reads the
# real treebank from its files. A tree is a nested tuple ``(value, child, ...)``.

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklseq.metrics import flatten_nodes
from sklseq.recurrent import LSTMClassifier
from sklseq.recursive import RecursiveClassifier

WORDS = {"good": 1, "funny": 1, "moving": 1, "bad": -1, "dull": -1, "slow": -1, "long": 0}


def phrase(depth, rng):
    """A tree, and its sentiment at every node, in the shape of the tree."""
    if depth == 0:
        word = str(rng.choice(list(WORDS)))
        return (word,), (WORDS[word],)
    kind = rng.choice(["not", "very", "but", "and"])
    tree, label = phrase(depth - 1, rng)
    if kind == "not":  # turns around what it stands before
        return ("", ("not",), tree), (-label[0], (0,), label)
    if kind == "very":
        return ("", ("very",), tree), (label[0], (0,), label)
    other, other_label = phrase(rng.integers(depth), rng)
    # What comes after "but" counts; "and" adds both up.
    value = other_label[0] if kind == "but" else int(np.sign(label[0] + other_label[0]))
    joined = ("", (str(kind),), other)
    return ("", tree, joined), (value, label, (other_label[0], (0,), other_label))


def treebank(n, depths, seed):
    rng = np.random.default_rng(seed)
    pairs = [phrase(rng.integers(*depths), rng) for _ in range(n)]
    return [tree for tree, _ in pairs], [label for _, label in pairs]


def words(tree):
    return [tree[0]] if len(tree) == 1 else [w for child in tree[1:] for w in words(child)]


X, y = treebank(600, (1, 5), seed=0)
print(" ".join(words(X[0])), "->", y[0][0])

# %%
# The tree network learns from the labels of all nodes; the network on words in their order, and the
# bag of words and pairs of words, from the label of the sentence.

tree_model = RecursiveClassifier(target="node", composition="lstm", max_epochs=15, random_state=0)
tree_model.fit(X, y)
sentences, roots = [words(tree) for tree in X], [label[0] for label in y]
chain = LSTMClassifier(
    embedding_size=16, bidirectional=True, pooling="max", max_epochs=15, random_state=0
)
chain.fit(sentences, roots)
bag = make_pipeline(
    CountVectorizer(analyzer=lambda s: s + [" ".join(p) for p in pairwise(s)]),
    LogisticRegression(max_iter=2000),
).fit(sentences, roots)

depths = range(1, 8)
scores = {"tree LSTM": [], "LSTM on words": [], "words and pairs": [], "most common label": []}
for depth in depths:
    trees, labels = treebank(150, (depth, depth + 1), seed=1)
    true = np.array([label[0] for label in labels])
    flat = [words(tree) for tree in trees]
    predicted = [label[0] for label in tree_model.predict(trees)]
    scores["tree LSTM"].append(np.mean(true == predicted))
    scores["LSTM on words"].append(chain.score(flat, true))
    scores["words and pairs"].append(bag.score(flat, true))
    scores["most common label"].append(np.unique(true, return_counts=True)[1].max() / len(true))

# %%
# By the depth of trees; at the right of the line they are deeper than those of training.

figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
for name, values in scores.items():
    style = {"color": "0.6", "linestyle": ":"} if name == "most common label" else {"marker": "o"}
    axes.plot(depths, values, label=name, **style)
    print(f"{name:18}", *(f"{value:.2f}" for value in values))
axes.axvline(4.5, color="0.8")
axes.set(xlabel="depth of the tree", ylabel="sentences with the right sentiment", ylim=(0.2, 1.02))
axes.legend(loc="lower left", fontsize="small")
plt.show()

true, predicted = flatten_nodes(labels, tree_model.predict(trees))
print(f"nodes of the deepest trees: {np.mean(true == predicted):.3f}")

# %%
# The composition of two parts is one function for all depths: of trees deeper than those of
# training the tree network has three in four right, and the network on words every second one. It
# was given the right tree, and labels of the parts: of words alone, without a parser, one has
# neither. On the real treebank, where words are many and labels are opinions, the distance between
# the three is much smaller: :doc:`/benchmarks/recursive`.
