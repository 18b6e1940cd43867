"""What an estimator puts out is what search over its network finds."""

from copy import deepcopy
from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklseq.nn.ragged.packing import Packing
from tests.seq2seq.cases import classifier, reversed_words, words

DECODERS = [{}, {"input_feeding": True}, {"encoder": "gru", "decoder": "transformer"}]
X, Y = reversed_words(12, (1, 2, 3, 5, 9))


@pytest.fixture(scope="module", params=DECODERS, ids=["lstm", "fed", "transformer"])
def model(request):
    return classifier(beam_size=4, max_epochs=3, **request.param).fit(X, Y)


def changed(model, **params):
    return deepcopy(model).set_params(**params)


def by_hand(model, x):
    """The most probable symbol at each step, by the network's forward on all symbols so far."""
    network = model.module_
    codes = [1 + model.vocabulary_.tolist().index(s) for s in x]
    found = []
    with torch.no_grad():
        for _ in range(model.max_length_ + 1):
            outputs = torch.tensor([*found, 0])
            inputs = torch.tensor(codes), Packing(np.array([len(codes)]))
            logits = network(*inputs, outputs, Packing(np.array([len(outputs)])))[-1]
            if not found:  # min_length is 1
                logits[0] = -torch.inf
            if len(found) == model.max_length_ or not (best := int(logits.argmax())):
                break
            found.append(best)
    return "".join(model.target_vocabulary_[code - 1] for code in found)


def test_one_beam_takes_the_best_symbol_at_every_step(model):
    predicted = changed(model, beam_size=1).predict(X[:5])
    assert predicted.tolist() == [by_hand(model, x) for x in X[:5]]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_best_outputs_have_their_log_probabilities(model, length_penalty):
    model = changed(model, length_penalty=length_penalty)
    best, predicted = model.predict_nbest(X), model.predict(X)
    for i, found in enumerate(best):
        outputs, values = zip(*found, strict=True)
        assert outputs[0] == predicted[i]
        assert len(set(outputs)) == len(outputs)
        assert all(1 <= len(output) <= model.max_length_ for output in outputs)
        assert_allclose(
            values, model.score_sequences([X[i]] * len(outputs), outputs), rtol=1e-5, atol=1e-5
        )
        ranked = [v / (len(o) + 1) ** length_penalty for o, v in found]
        assert ranked == pytest.approx(sorted(ranked, reverse=True))
    for n_best in (1, 3):
        assert model.predict_nbest(X, n_best) == [found[:n_best] for found in best]


@pytest.mark.parametrize("min_length", [1, 2])
def test_a_wide_beam_finds_the_best_of_all(min_length):
    X, y = words(8, (1, 2, 3)), words(8, (1, 2, 3), letters="ab", seed=1)
    model = classifier(beam_size=32, max_length=3, min_length=min_length).fit(X, y)
    every = ["".join(s) for n in range(min_length, 4) for s in product("ab", repeat=n)]
    for i, found in enumerate(model.predict_nbest(X)):
        scores = model.score_sequences([X[i]] * len(every), every)
        expected = sorted(zip(scores, every, strict=True), reverse=True)
        assert [output for output, _ in found] == [output for _, output in expected]
        assert_allclose([v for _, v in found], [v for v, _ in expected], rtol=1e-5)
    if min_length == 1:  # the rest of all probability is in longer outputs, and the empty one
        assert 0 < np.exp(scores).sum() < 1


def test_lengths_are_within_their_limits():
    model = classifier(min_length=3, max_length=8).fit(X, Y)
    for outputs in (model.predict(X), model.sample(X, random_state=0, temperature=2.0)):
        assert all(3 <= len(output) <= 8 for output in outputs)
    model.set_params(min_length=9)
    with pytest.raises(ValueError, match="min_length=9 is more than the 8 steps"):
        model.predict(X)
    with pytest.raises(ValueError, match="min_length=9 is more than the 8 steps"):
        model.fit(X, Y)


# -- constraints ---------------------------------------------------------------------------

TREE = {(): ["a", "b"], ("a",): ["b"], ("a", "b"): [None, "a"], ("b",): [None]}


@pytest.mark.parametrize("beam_size", [1, 5])
def test_constraints_are_obeyed_and_asked_of_what_they_allow_alone(model, beam_size):
    asked = []

    def constraint(i, symbols):
        asked.append((i, *symbols))
        tree = TREE | {("a", "b", "a"): [None, "a"][: 1 + i % 2]}
        return iter(tree.get(tuple(symbols), [None]))

    found = changed(model, beam_size=beam_size).predict_nbest(X, constraint=constraint)
    for i, outputs in enumerate(found):
        allowed = {"ab", "aba", "b"} | ({"abaa"} if i % 2 else set())
        assert {output for output, _ in outputs} <= allowed
        assert beam_size == 1 or len(outputs) == len(allowed)
        for output, value in outputs:
            assert_allclose(value, model.score_sequences([X[i]], [output])[0], rtol=1e-5)
    assert {i for i, *_ in asked} == set(range(len(X)))
    starts = {()} | {tuple("abaa"[:n]) for n in range(1, 5)} | {("b",)}
    assert {tuple(symbols) for _, *symbols in asked} <= starts


def test_mistakes_of_constraints_are_named(model):
    def dead_end(i, symbols):
        return ["a"] if len(symbols) < 2 else [None][: i != 7]

    def wrong(answer):
        return lambda i, symbols: answer if i == 2 and len(symbols) == 1 else ["a", None]

    with pytest.raises(ValueError, match="first 2 symbols of the output for sequence 7 of X"):
        model.predict_nbest(X, constraint=dead_end)
    with pytest.raises(ValueError, match="'q' at step 1 of the output for sequence 2 of X"):
        model.predict_nbest(X, constraint=wrong(["a", "q"]))
    with pytest.raises(TypeError, match="returned None at step 1 of the output for sequence 2"):
        model.predict_nbest(X, constraint=wrong(None))


@pytest.mark.parametrize("n_best", [0, 5, 2.0])
def test_more_than_the_beam_holds_is_refused(model, n_best):
    with pytest.raises(ValueError, match=f"n_best={n_best} must be .* from 1 to beam_size=4"):
        model.predict_nbest(X, n_best)


# -- sampling ------------------------------------------------------------------------------


def test_draws_are_those_of_the_network():
    """Frequencies of short outputs, by the probabilities that the network gives them."""
    model = classifier(max_length=2).fit(["a", "b"] * 4, ["x", "yx"] * 4)
    every = ["x", "y", "xx", "xy", "yx", "yy"]
    n = 4000
    drawn = model.sample(["a"] * n, random_state=0)
    scores = np.exp(model.score_sequences(["a"] * 6, every))
    assert set(drawn) <= set(every)
    # No empty output is drawn, which favors all others alike; nor is END after the longest.
    share = (drawn == "x").sum() / np.isin(drawn, ["x", "y"]).sum()
    assert share == pytest.approx(scores[0] / scores[:2].sum(), abs=0.05)


def test_cold_draws_and_narrow_ones_are_greedy(model):
    greedy = changed(model, beam_size=1).predict(X)
    for narrow in ({"temperature": 1e-6}, {"top_k": 1}, {"top_p": 1e-9}):
        assert_array_equal(model.sample(X, random_state=0, **narrow), greedy)
    wide = model.sample(X, random_state=0, top_k=1000)
    assert_array_equal(model.sample(X, random_state=0, top_p=1.0), wide)


def test_draws_are_reproducible(model):
    first = model.sample(X * 3, random_state=np.random.RandomState(4))
    assert_array_equal(model.sample(X * 3, random_state=4), first)
    assert (model.sample(X * 3, random_state=5) != first).any()


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 0},
        {"temperature": np.nan},
        {"temperature": np.inf},
        {"top_k": 0},
        {"top_k": 1.5},
        {"top_p": 0},
        {"top_p": 1.1},
    ],
)
def test_settings_that_leave_nothing_to_draw_are_refused(model, params):
    with pytest.raises(ValueError, match=f"{next(iter(params))}=.* must be"):
        model.sample(X, **params)
