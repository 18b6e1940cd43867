"""What is put out for an input does not depend on the other inputs, to the last bit."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.seq2seq.cases import (
    assert_same_sequences,
    classifier,
    halves,
    regressor,
    reversed_words,
    series,
    table,
    words,
)

NETWORKS = {
    "lstm": {},
    "odd sizes": {"hidden_size": 5, "encoder_hidden_size": 7, "attention": "additive"},
    "multihead": {"attention": "multihead", "context": "both", "input_feeding": True},
    "leaky": {"encoder": "rnn", "decoder": "leaky", "attention": "dot", "hidden_size": 19},
    "transformer": {"encoder": "transformer", "decoder": "transformer", "hidden_size": 6},
    "relative": {"encoder": "gru", "decoder": "transformer", "positions": "relative"},
    "vector": {"encoder": "vector", "decoder": "gru", "hidden_size": 7},
}
networks = pytest.mark.parametrize("params", NETWORKS.values(), ids=NETWORKS)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
N = 30


def companies(n, seed=0):
    """Rows alone, in another order, and twice."""
    rng = np.random.default_rng(seed)
    yield from ([i] for i in rng.choice(n, 3, replace=False))
    order = rng.permutation(n)
    yield order
    yield order[: n // 3]
    yield np.repeat(order[:5], 7)


def take(X, rows):
    return X[rows] if isinstance(X, np.ndarray) else [X[i] for i in rows]


@networks
@dtypes
def test_outputs_of_symbols(params, dtype):
    X, y = reversed_words(N)
    if params.get("encoder") == "vector":
        X = table(N)
    model = classifier(dtype=dtype, beam_size=3, max_length=17, **params).fit(X, y)
    model.set_params(length_penalty=0.7)
    scores, best = model.score_sequences(X, y), model.predict_nbest(X)
    weights = model.attention_weights(X, y)
    for rows in companies(N):
        part, own = take(X, rows), take(y, rows)
        assert_array_equal(model.score_sequences(part, own), scores[rows])
        assert model.predict_nbest(part) == take(best, rows)
        assert_same_sequences(model.attention_weights(part, own), weights[rows])
    greedy = model.set_params(beam_size=1).predict(X)
    for rows in companies(N, seed=1):
        assert_array_equal(model.predict(take(X, rows)), greedy[rows])


@networks
@dtypes
def test_outputs_of_values(params, dtype):
    X, y = halves(N)
    if params.get("encoder") == "vector":
        X = table(N)
    model = regressor(dtype=dtype, max_length=17, **params).fit(X, y)
    predicted, lengths = model.predict(X), np.arange(N) % 19 + 1
    of_lengths = model.predict(X, lengths)
    for rows in companies(N):
        part = take(X, rows)
        assert_same_sequences(model.predict(part), predicted[rows])
        assert_same_sequences(model.predict(part, lengths[rows]), of_lengths[rows])


@dtypes
@pytest.mark.parametrize("hidden_size", [3, 13])
def test_every_place_of_a_tile_is_the_same(dtype, hidden_size):
    """One input many times, among others of its length."""
    X, y = reversed_words(N, (6,))
    settings = {"hidden_size": hidden_size, "attention": "additive", "dtype": dtype}
    model = classifier(**settings).fit(X, y)
    scores = model.score_sequences([X[0]] * 50, [y[0]] * 50)
    assert len(set(scores)) == 1
    for i in range(0, 24, 5):
        others, theirs = words(24, (6,), seed=i), y[:24]
        others[i], theirs[i] = X[0], y[0]
        assert model.score_sequences(others, theirs)[i] == scores[0]


def test_samples_are_those_of_a_row():
    X, y = reversed_words(N)
    model = classifier().fit(X, y)
    drawn = model.sample(X, random_state=3)
    assert_array_equal(model.sample(X[:10], random_state=3), drawn[:10])
    assert len(set(drawn)) > 5


def test_long_sequences():
    X, y = series(3, (1100, 5, 1600), 1), [[1.0], [2.0, 3.0], [4.0]]
    model = regressor(encoder="gru", decoder="gru", hidden_size=2).fit(X, y)
    together = model.predict(X)
    for i in range(3):
        assert_same_sequences(model.predict(X[i : i + 1]), together[i : i + 1])
