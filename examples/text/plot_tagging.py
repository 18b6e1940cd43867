"""
Tagging the words of a sentence
===============================

"The guards *guard* the *guard*": the same word is a noun here and a verb there. Which part of
speech a word has depends on the words around it. How much of that does a bidirectional network
find, where a table of each word's most common tag must fail?
"""

# %%
# A small grammar writes the sentences, so that true tags are known and the file needs no corpus.
# Half of its words are verbs as well as nouns, and a tenth of the words in the test set are not in
# the training set at all.

from collections import Counter, defaultdict

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score

from sklseq.metrics import flatten_steps
from sklseq.recurrent import LSTMClassifier

BOTH = ["guard", "watch", "plan", "walk", "cook", "cut", "help", "visit", "answer", "order"]
NOUNS, VERBS = ["king", "child", "town", "river"], ["see", "hear", "bring", "follow"]
ADJECTIVES, ADVERBS = ["old", "small", "green", "quick"], ["often", "never", "soon"]
rng = np.random.default_rng(0)


def pick(words, tag, unknown):
    if tag in ("NOUN", "VERB") and rng.random() < unknown:
        return f"new{rng.integers(10**6)}", tag
    return str(rng.choice(words)), tag


def noun_phrase(unknown):
    words = [pick(["the", "a", "this"], "DET", 0)]
    words += [pick(ADJECTIVES, "ADJ", 0)] * (rng.random() < 0.4)
    return [*words, pick(BOTH + NOUNS, "NOUN", unknown)]


def sentence(unknown):
    words = noun_phrase(unknown)
    if rng.random() < 0.3:  # the king of the town
        words += [pick(["of", "near", "with"], "ADP", 0), *noun_phrase(unknown)]
    words += [pick(["will", "can", "must"], "AUX", 0)] * (rng.random() < 0.3)
    words += [pick(ADVERBS, "ADV", 0)] * (rng.random() < 0.3)
    words += [pick(BOTH + VERBS, "VERB", unknown)]
    return words + noun_phrase(unknown) * (rng.random() < 0.8)


def corpus(n, unknown=0.0):
    sentences = [sentence(unknown) for _ in range(n)]
    X = [[word for word, _ in s] for s in sentences]
    y = np.empty(n, dtype=object)
    y[:] = [np.array([tag for _, tag in s]) for s in sentences]
    return X, y


X, y = corpus(400)
X_test, y_test = corpus(300, unknown=0.1)
print(*(f"{word}/{tag}" for word, tag in zip(X_test[0], y_test[0], strict=True)))

# %%
# One tag for each step: ``target="step"``. y is an object array of arrays, one for each sentence.

settings = {"target": "step", "embedding_size": 16, "max_epochs": 12, "random_state": 0}
tagger = LSTMClassifier(bidirectional=True, **settings).fit(X, y)
forward = LSTMClassifier(**settings).fit(X, y)

counts = defaultdict(Counter)
for words, tags in zip(X, y, strict=True):
    for word, tag in zip(words, tags, strict=True):
        counts[word][tag] += 1
table = [
    np.array([counts[w].most_common(1)[0][0] if w in counts else "NOUN" for w in words])
    for words in X_test
]

# %%
# How often each is right: on all words, on the ambiguous ones, and on those never seen.

flat = np.concatenate([np.array(words) for words in X_test])
kinds = {
    "all words": np.full(len(flat), True),
    "noun or verb": np.isin(flat, BOTH),
    "never seen": np.char.startswith(flat.astype(str), "new"),
}
results = {}
for name, predicted in [
    ("most common tag", table),
    ("LSTM, forward", forward.predict(X_test)),
    ("LSTM, both ways", tagger.predict(X_test)),
]:
    true, guessed = flatten_steps(y_test, predicted)
    results[name] = [accuracy_score(true[mask], guessed[mask]) for mask in kinds.values()]
    print(
        f"{name:16}", *(f"{kind}: {r:.3f} " for kind, r in zip(kinds, results[name], strict=True))
    )

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for i, (name, values) in enumerate(results.items()):
    left.bar(np.arange(3) + 0.27 * (i - 1), values, 0.25, label=name)
left.set_xticks(range(3), kinds)
left.set(ylabel="share of words with the right tag", ylim=(0, 1.25))
left.legend(loc="upper center", ncols=3, fontsize="x-small")
ConfusionMatrixDisplay.from_predictions(
    *flatten_steps(y_test, tagger.predict(X_test)), ax=right, colorbar=False, xticks_rotation=45
)
plt.show()

# %%
# The order of words says all there is to know in this grammar, and what stands before a word is
# enough: reading backward, too, brings nothing. In real text it does, words are rarer and distances
# longer, and pretrained vectors (``embedding=``) help. Named entities are tagged in the same way,
# with tags such as B-PERSON.
