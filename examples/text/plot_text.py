"""
Several labels of a text
========================

A review says of the food and of the service whether they were good: two labels, independent of each
other, each a column of 0 and 1. Which word belongs to which noun, and whether it is negated, is a
matter of order: a bag of words cannot tell, and :class:`~sklseq.recurrent.GRUClassifier` can. Its
`tokenizer` makes words of the strings, `lowercase` makes one word of "The" and "the".
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

from sklseq.recurrent import GRUClassifier

rng = np.random.default_rng(0)
GOOD, BAD = ["good", "great", "a pleasure"], ["bad", "slow", "a disappointment"]


def clause(noun, is_good):
    negated = rng.random() < 0.5
    words = rng.choice(GOOD if is_good != negated else BAD)
    return f"the {noun} was {'not ' if negated else ''}{words}"


def review(labels):
    clauses = [clause(noun, label) for noun, label in zip(["food", "service"], labels, strict=True)]
    rng.shuffle(clauses)
    text = rng.choice([" and ", ", but ", "; "]).join(clauses)
    return text.capitalize() + "."


y = rng.integers(0, 2, size=(1000, 2))
X = [review(labels) for labels in y]
print(*X[:3], sep="\n")

# %%
# `score` is the share of reviews of which both labels are right.
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
words = make_pipeline(CountVectorizer(), MultiOutputClassifier(LogisticRegression()))
model = GRUClassifier(tokenizer="word", lowercase=True, random_state=0)
for name, classifier in (("bag of words", words), ("GRU", model)):
    print(f"{name}: {classifier.fit(X_train, y_train).score(X_test, y_test):.2f}")

# %%
# What the model thinks after each word:
text = "The food was not bad , but the service was not good ."
tokens = text.split()
prefixes = [tokens[: n + 1] for n in range(len(tokens))]
figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
axis.plot(model.predict_proba(prefixes), marker="o", label=["food", "service"])
axis.set_xticks(range(len(tokens)), tokens, rotation=45)
axis.set(ylabel="probability of good", ylim=(0, 1))
axis.legend()
plt.show()
