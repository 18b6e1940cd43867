"""Small pairs of sequences, and estimators that are quick to fit on them."""

import numpy as np
from numpy.testing import assert_array_equal

from sklseq.seq2seq import Seq2SeqClassifier, Seq2SeqRegressor

# Lengths that inference pads to several different ones.
LENGTHS = (1, 2, 3, 5, 8, 9, 12, 13, 16, 17, 25, 33)
QUICK = {"hidden_size": 4, "n_heads": 2, "max_epochs": 1, "random_state": 0}


def classifier(**params):
    return Seq2SeqClassifier(**QUICK | params)


def regressor(**params):
    return Seq2SeqRegressor(**QUICK | params)


def words(n=12, lengths=LENGTHS, letters="abcd", seed=0):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(letters), lengths[i % len(lengths)])) for i in range(n)]


def series(n=12, lengths=LENGTHS, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(lengths[i % len(lengths)], n_features)) for i in range(n)]


def table(n=12, n_features=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_features))


def reversed_words(n=12, lengths=LENGTHS, seed=0):
    X = words(n, lengths, seed=seed)
    return X, [x[::-1][: 1 + len(x) // 2] for x in X]


def halves(n=12, lengths=LENGTHS, seed=0):
    X = series(n, lengths, seed=seed)
    return X, [x[::2, :1] for x in X]


def as_objects(sequences):
    array = np.empty(len(sequences), dtype=object)
    array[:] = sequences
    return array


def assert_same_sequences(a, b):
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        assert_array_equal(one, other)
