"""Streams: what is read chunk by chunk is predicted as the whole is."""

import copy
import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import sklseq.parts.streaming as streaming
from sklseq.nn.ragged.pooling import POOLINGS
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.recurrent import (
    GRUClassifier,
    GRURegressor,
    LSTMClassifier,
    RecurrentClassifier,
    RecurrentTransformer,
)

SMALL = {"hidden_size": 3, "max_epochs": 1, "random_state": 0}
RNG = np.random.default_rng(0)
X = [RNG.normal(size=(n, 2)) for n in (9, 4, 12)]
Y = [(x[:, 0] > 0).astype(int) for x in X]
some = settings(max_examples=8, deadline=None)


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-6)


@st.composite
def cut(draw, n):
    """Slices that cut n steps into chunks."""
    places = [0, *sorted(draw(st.sets(st.integers(1, n - 1), max_size=4))), n]
    return [slice(a, b) for a, b in itertools.pairwise(places)]


def again(stream):
    """The same stream, from a file or a copy."""
    stored = pickle.loads(pickle.dumps(stream))
    model_of = stored._model.stream(None if stored._one else stored.n_sequences)
    return model_of.set_state(stream.copy().get_state())


@pytest.fixture(scope="module", params=[*CELLS, nn.LSTMCell], ids=str)
def of_cell(request):
    model = RecurrentClassifier(cell=request.param, num_layers=2, target="step", **SMALL)
    return model.fit(X, Y)


@some
@given(slices=cut(12), data=st.data())
def test_chunks_are_the_whole(of_cell, slices, data):
    stream, found = of_cell.stream(), []
    for part in slices:
        if data.draw(st.booleans()):
            stream = again(stream)
        found.append(stream.predict_proba(X[2][part]))
        assert stream.n_steps == part.stop
    close(np.concatenate(found), of_cell.predict_proba([X[2]])[0])


@some
@given(n_chunks=st.integers(1, 6), seed=st.integers(0, 99), at_once=st.sampled_from([1, 4, 99]))
def test_many_sequences_advance_side_by_side(of_cell, n_chunks, seed, at_once):
    rng = np.random.default_rng(seed)
    stream, found = of_cell.stream(n_sequences=3), [[], [], []]
    ends = np.sort(rng.integers(0, [len(x) + 1 for x in X], size=(n_chunks, 3)), axis=0)
    ends = np.vstack([np.zeros(3, int), ends, [len(x) for x in X]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "steps_at_once", lambda module: at_once)
        stream = of_cell.stream(n_sequences=3)
    for before, after in itertools.pairwise(ends):
        if (before == after).all():
            continue
        chunks = [x[a:b] for x, a, b in zip(X, before, after, strict=True)]
        results = stream.predict_proba(chunks)
        for i, result in enumerate(results):
            assert len(result) == len(chunks[i])
            found[i].append(result)
        if rng.random() < 0.3:
            stream = again(stream)
    np.testing.assert_array_equal(stream.n_steps, [len(x) for x in X])
    for results, expected in zip(found, of_cell.predict_proba(X), strict=True):
        close(np.concatenate(results), expected)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_target_of_a_sequence_is_predicted_from_what_was_read(pooling):
    model = GRUClassifier(pooling=pooling, **SMALL).fit(X, [0, 1, 0])
    many, one = model.stream(3), model.stream()
    for k in (1, 3, 4, 8, 12):
        # Some have ended: nothing new comes of them.
        chunks = [x[many_read:k] for x, many_read in zip(X, many.n_steps, strict=True)]
        close(many.predict_proba(chunks), model.predict_proba([x[:k] for x in X]))
        many = again(many)
        close(one.predict_proba(X[2][one.n_steps : k]), model.predict_proba([X[2][:k]])[0])
    assert one.predict(X[2][:1]) in (0, 1)
    new = model.stream(3)
    with pytest.raises(ValueError, match="sequence 1 has no step yet"):
        new.predict([X[0], X[1][:0], X[2]])
    assert not new.n_steps.any()


@pytest.mark.parametrize("target", ["step", "sequence"])
def test_a_transformer_streams_its_states(target):
    model = RecurrentTransformer(target=target, **SMALL).fit(X)
    stream = model.stream()
    first, second = stream.transform(X[0][:4]), stream.transform(X[0][4:])
    found = np.concatenate([first, second]) if target == "step" else second
    close(found, model.transform([X[0]])[0])
    assert not hasattr(stream, "predict")


@some
@given(slices=cut(7))
def test_symbols_are_streamed(slices):
    model = _of_symbols()
    stream, many = model.stream(), model.stream(2)
    parts = [stream.predict("abracag"[s]) for s in slices]
    np.testing.assert_array_equal(np.concatenate(parts), model.predict(["abracag"])[0])
    words = [list("abracag"), list("cabbage")]
    parts = [many.predict([w[s] for w in words]) for s in slices]
    for i, expected in enumerate(model.predict(words)):
        np.testing.assert_array_equal(np.concatenate([p[i] for p in parts]), expected)


def _of_symbols(fitted=[]):  # noqa: B006
    words = ["abracadabra", "cabbage"]
    if not fitted:
        model = LSTMClassifier(target="step", hidden_size=4, max_epochs=5, random_state=0)
        fitted.append(model.fit(words, [list(w) for w in words]))
    return fitted[0]


@pytest.fixture(scope="module")
def regressor():
    model = GRURegressor(target="step", **SMALL)
    return model.fit(X[2], X[2].sum(axis=1))


def test_results_are_in_the_units_and_containers_of_the_estimator(regressor):
    expected = regressor.predict(X[2])
    stream = regressor.stream()
    assert stream.predict(X[2][:5].tolist()).shape == (5,)
    close(stream.predict(X[2][5:]), expected[5:])
    dense = regressor.stream(2)
    assert dense.predict(np.stack([X[2], X[2]])).shape == (2, 12)
    named = GRURegressor(target="step", **SMALL)
    frame = pd.DataFrame(X[2], columns=["u", "v"])
    stream = named.fit(frame, X[2].sum(axis=1)).stream()
    close(np.r_[stream.predict(frame[:3]), stream.predict(frame[3:])], expected)
    with pytest.raises(ValueError, match="feature names"):
        stream.predict(frame[["v", "u"]])
    univariate = GRURegressor(target="step", **SMALL).fit(X[2][:, :1], X[2][:, 0])
    stream, many = univariate.stream(), univariate.stream(2)
    expected = univariate.predict(X[2][:, :1])
    close(np.r_[stream.predict(X[2][:1, 0]), stream.predict(X[2][1:, 0].tolist())], expected)
    for i in range(12):
        one_step = many.predict([[X[2][i, 0]], [X[2][0, 0]]])
        close(one_step[0], expected[i : i + 1])


def test_a_stream_stands_alone(regressor):
    model = copy.copy(regressor)
    stream, expected = model.stream(), regressor.predict(X[2])
    stream.predict(X[2][:5])
    fork = stream.copy()
    model.partial_fit(X[0], X[0].sum(axis=1))
    with pytest.raises(AssertionError):
        close(model.predict(X[2]), expected)
    close(stream.predict(X[2][5:]), expected[5:])
    close(fork.predict(X[2][5:]), expected[5:])
    close(stream.reset().predict(X[2]), expected)
    many = regressor.stream(3)
    many.predict([X[2][:4]] * 3)
    found = many.reset([1]).predict([X[2][4:], X[2], X[2][4:]])
    close(found[0], expected[4:])
    close(found[1], expected)


def test_a_call_that_fails_changes_nothing(regressor):
    stream, expected = regressor.stream(2), regressor.predict(X[2])
    stream.predict([X[2][:5]] * 2)
    holed = X[2][5:].copy()
    holed[3, 1] = np.nan
    wrong = {
        "sequence 1, step 3, feature 1": [X[2][:0], holed],
        "3 chunks, expected one for each of the 2": [X[2]] * 3,
        "expecting 2 features": [X[2][:, :1]] * 2,
        "no step": [X[2][:0]] * 2,
    }
    for message, chunks in wrong.items():
        with pytest.raises(ValueError, match=message):
            stream.predict(chunks)
    close(stream.predict([X[2][5:]] * 2)[1], expected[5:])
    one = regressor.stream()
    for message, chunk in (("step 3, feature 1", holed), ("empty", X[2][:0])):
        with pytest.raises(ValueError, match=message):
            one.predict(chunk)
    assert one.n_steps == 0


def test_states_of_other_streams_are_refused(regressor):
    stream = regressor.stream(2)
    stream.predict(X[:2])
    state = stream.get_state()
    assert len(pickle.dumps(state)) < 1000
    with pytest.raises(ValueError, match="2 sequences, and this stream has 3"):
        regressor.stream(3).set_state(state)
    other = GRURegressor(target="step", hidden_size=4, max_epochs=1).fit(X[2], X[2][:, 0])
    with pytest.raises(ValueError, match="shapes"):
        other.stream(2).set_state(state)
    with pytest.raises(ValueError, match="get_state"):
        regressor.stream(2).set_state({})


def test_where_there_is_no_stream_it_says_why(regressor):
    both = GRURegressor(target="step", bidirectional=True, **SMALL).fit(X[2], X[2][:, 0])
    with pytest.raises(ValueError, match="bidirectional=False"):
        both.stream()
    gaps = GRURegressor(target="step", missing="mask", **SMALL).fit(X[2], X[2][:, 0])
    with pytest.raises(ValueError, match="a stream does not keep"):
        gaps.stream()
    for model, change in (
        (gaps, {"missing": "error"}),
        (regressor, {"missing": "mask"}),
        (regressor, {"target": "sequence"}),
    ):
        changed = copy.copy(model).set_params(**change)
        with pytest.raises(ValueError, match=f"was fitted with {next(iter(change))}="):
            changed.stream()
    for n_sequences in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="n_sequences"):
            regressor.stream(n_sequences)
    with pytest.raises(ValueError, match="not fitted"):
        GRURegressor().stream()


def test_threads_and_gradients_are_left_as_they_were(regressor):
    threads = torch.get_num_threads()
    regressor.stream().predict(X[2])
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
