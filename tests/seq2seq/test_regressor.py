"""Sequences of values, and where they end."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

from tests.seq2seq.cases import assert_same_sequences, halves, regressor


def waves(n=60, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 9, n)
    X = [np.sin(0.8 * np.arange(k) + rng.uniform(0, 6)) for k in lengths]
    return X, [x[: (len(x) + 1) // 2] for x in X]


@pytest.fixture(scope="module")
def learned():
    X, y = waves()
    return regressor(hidden_size=16, max_epochs=80, learning_rate=0.01).fit(X, y)


def test_outputs_end_about_where_true_ones_do(learned):
    X, y = waves(30, seed=1)
    lengths = [len(output) for output in learned.predict(X)]
    assert np.abs(np.subtract(lengths, [len(output) for output in y])).mean() < 0.5
    assert len(set(lengths)) > 1
    assert learned.score(X, y) > 0.5


def test_lengths_that_are_given_are_obeyed(learned):
    X, _ = waves(20, seed=2)
    lengths = np.arange(20) % 19 + 1
    predicted = learned.predict(X, lengths)
    assert [len(output) for output in predicted] == lengths.tolist()
    own = learned.predict(X)
    for a, b in zip(predicted, own, strict=True):  # longer outputs begin as shorter ones
        n = min(len(a), len(b))
        assert_allclose(a[:n], b[:n])


def test_lengths_are_within_their_limits():
    X, y = halves(12, (3, 6))
    never = regressor(max_length=7).fit(X, y)
    never.module_.last_head.bias.data.fill_(-100)
    assert {len(output) for output in never.predict(X)} == {7}
    at_once = regressor(min_length=3, max_length=7).fit(X, y)
    at_once.module_.last_head.bias.data.fill_(100)
    assert {len(output) for output in at_once.predict(X)} == {3}
    with pytest.raises(ValueError, match="min_length=8 is more than the 7 steps"):
        at_once.set_params(min_length=8).predict(X)


def test_the_score_is_r2_over_steps_of_true_lengths():
    X, y = halves(10, (1, 2, 5, 9))
    model = regressor(max_epochs=3).fit(X, y)
    lengths = [len(part) for part in y]
    weights = np.arange(1.0, 11.0)
    expected = r2_score(
        np.concatenate(y),
        np.concatenate(model.predict(X, lengths)),
        sample_weight=np.repeat(weights, lengths),
    )
    assert model.score(X, y, sample_weight=weights) == pytest.approx(expected)
    assert model.score(X, y) != pytest.approx(expected)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_y_is_undone(scale):
    X, y = halves(10, (1, 2, 5, 9))
    settings = {"dtype": "float64", "max_epochs": 5}
    plain = regressor(**settings).fit(X, y)
    moved = regressor(**settings).fit(X, [scale * part + 1e6 * scale for part in y])
    assert_same_sequences([len(p) for p in plain.predict(X)], [len(p) for p in moved.predict(X)])
    for a, b in zip(plain.predict(X), moved.predict(X), strict=True):
        assert_allclose((b / scale) - 1e6, a, atol=1e-4)
    assert_allclose(plain.loss_curve_, moved.loss_curve_, rtol=1e-5)


def test_an_output_that_never_changes_is_put_out():
    X, y = halves(8, (2, 3))
    constant = [np.column_stack([part, np.full(len(part), 5.0)]) for part in y]
    model = regressor(max_epochs=100, learning_rate=0.05).fit(X, constant)
    assert_allclose([p[0, 1] for p in model.predict(X)], 5, atol=0.5)


def test_without_a_weight_stops_are_not_learned():
    X, y = halves(8, (2, 3))
    start = regressor(stop_weight=0.0, learning_rate=1e-30).fit(X, y).module_.last_head
    model = regressor(stop_weight=0.0).fit(X, y)
    assert (model.module_.last_head.weight == start.weight).all()
