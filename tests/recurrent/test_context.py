"""Context: what is known of each sequence as a whole, beside its steps."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.first_states import CONTEXTS
from sklseq.preprocessing import PerStep
from sklseq.recurrent import (
    GRUClassifier,
    GRURegressor,
    LSTMClassifier,
    RecurrentClassifier,
    RecurrentTransformer,
    RNNRegressor,
)

each_way = pytest.mark.parametrize("context_as", CONTEXTS)
quick = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def data(n=24, k=2, seed=0):
    """Noise, and labels that the context alone tells."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(length, 2)) for length in rng.integers(2, 9, size=n)]
    context = rng.normal(5, 3, size=(n, k))
    return X, (context[:, 0] > 5).astype(int), context


# -- what is learned -----------------------------------------------------------------------


@each_way
def test_what_the_context_tells_is_learned(context_as):
    X, y, context = data(60)
    model = GRUClassifier(hidden_size=4, context_as=context_as, random_state=0)
    assert model.fit(X, y, context=context).score(X, y, context=context) > 0.9
    assert clone(model).fit(X, y).score(X, y) < 0.9
    swapped = model.predict(X, context=context[::-1])
    assert (swapped == y[::-1]).mean() > 0.9


@pytest.mark.parametrize("bidirectional", [False, True])
def test_context_at_steps_is_more_features_of_all_steps(bidirectional):
    X, y, context = data()
    wide = [np.hstack([x, np.tile(c, (len(x), 1))]) for x, c in zip(X, context, strict=True)]
    params = quick | {"bidirectional": bidirectional, "dtype": "float64"}
    model = GRUClassifier(**params).fit(X, y, context=context)
    other = GRUClassifier(**params).fit(wide, y)
    assert_allclose(model.predict_proba(X, context=context), other.predict_proba(wide), rtol=1e-9)


@pytest.mark.parametrize("place", ["first", "last"])
def test_layers_of_both_directions_begin_with_it(place):
    # The state at the first step of a forward layer, at the last of a backward one.
    X, y = np.zeros((60, 12, 1)), np.random.default_rng(0).normal(size=60)
    targets = np.full((60, 12), np.nan)
    targets[:, 0 if place == "first" else -1] = y
    model = RNNRegressor(
        target="step", hidden_size=6, context_as="state", bidirectional=True, random_state=0
    )
    module = model.fit(X, targets, context=y[:, None]).module_
    assert model.score(X, targets, context=y[:, None]) > 0.8
    assert len(module.first_states._like) == 2


def test_context_is_scaled_as_features_are():
    X, y, context = data()
    weights = np.random.default_rng(1).uniform(0.5, 2, size=len(X))
    constant = np.hstack([context, np.full((len(X), 1), 7.0)])
    model = GRUClassifier(**quick).fit(X, y, weights, context=constant)
    mean = np.average(constant, axis=0, weights=weights)
    assert_allclose(model.context_mean_, mean)
    deviations = np.sqrt(np.average((constant - mean) ** 2, axis=0, weights=weights))
    assert_allclose(model.context_scale_, np.append(deviations[:2], 1.0))
    units = constant * [1e-3, 1e6, 1] + [1, -1e6, 0]
    other = GRUClassifier(**quick).fit(X, y, weights, context=units)
    assert_allclose(
        other.predict_proba(X, context=units), model.predict_proba(X, context=constant), atol=1e-4
    )


# -- company -------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=3, deadline=None)
@given(
    context_as=st.sampled_from(CONTEXTS),
    bidirectional=st.booleans(),
    num_layers=st.integers(1, 2),
    target=st.sampled_from(["sequence", "step"]),
    longest=st.sampled_from([3, 40]),
)
def test_predictions_are_the_same_alone_and_in_company(
    cell, context_as, bidirectional, num_layers, target, longest
):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(1, longest + 1, size=12)]
    y = [np.arange(len(x)) % 2 for x in X] if target == "step" else np.arange(12) % 2
    context = rng.normal(size=(12, 3))
    model = RecurrentClassifier(
        cell=cell,
        context_as=context_as,
        bidirectional=bidirectional,
        num_layers=num_layers,
        target=target,
        hidden_size=5,
        max_epochs=1,
        random_state=0,
    ).fit(X, y, context=context)
    together = model.predict_proba(X, context=context)
    order = rng.permutation(12)
    turned = model.predict_proba([X[i] for i in order], context=context[order])
    for place, i in enumerate(order):
        assert_array_equal(turned[place], together[i])
    for i in order[:4]:
        alone = model.predict_proba([X[i]], context=context[[i]])
        assert_array_equal(alone[0], together[i])


@pytest.mark.parametrize("bidirectional", [False, True])
@each_way
def test_context_combines_with_depth(context_as, bidirectional):
    X, y, context = data()
    model = LSTMClassifier(
        context_as=context_as,
        bidirectional=bidirectional,
        num_layers=2,
        skip_connections="dense",
        normalization="batch",
        input_layer_sizes=(3,),
        output_layer_sizes=(3,),
        dropout=0.2,
        **quick,
    ).fit(X, y, context=context)
    together = model.predict_proba(X, context=context)
    for i in range(3):
        assert_array_equal(model.predict_proba([X[i]], context=context[[i]])[0], together[i])
    if not bidirectional:
        chunks = model.stream(context=context[0])
        found = [chunks.predict_proba(x[None]) for x in X[0]][-1]
        assert_allclose(found, together[0], rtol=1e-4)


def test_one_series_has_one_row_of_context():
    rng = np.random.default_rng(0)
    X, context = rng.normal(size=(30, 2)), np.array([3.0, 4.0])
    model = RNNRegressor(target="step", context_as="both", **quick)
    model.fit(X, X[:, 0], context=context)
    other = clone(model).fit(X, X[:, 0], context=context[None])
    assert_array_equal(model.predict(X, context=context), other.predict(X, context=context[None]))
    held = clone(model).set_params(early_stopping=True).fit(X, X[:, 0], context=context)
    assert len(held.validation_scores_) == 2


# -- going on, storing, stopping -----------------------------------------------------------


@each_way
def test_partial_fit_pickle_and_clone(context_as):
    X, y, context = data()
    model = LSTMClassifier(context_as=context_as, **quick)
    model.partial_fit(X, y, classes=[0, 1], context=context)
    model.partial_fit(X, y, context=context)
    copy = pickle.loads(pickle.dumps(model))
    expected = model.predict_log_proba(X, context=context)
    assert_array_equal(copy.predict_log_proba(X, context=context), expected)
    assert clone(model).context_as == context_as
    with pytest.raises(ValueError, match="context is missing"):
        model.partial_fit(X, y)
    other = {"steps": "state", "state": "both", "both": "steps"}[context_as]
    with pytest.raises(ValueError, match="context_as was"):
        model.set_params(context_as=other).partial_fit(X, y, context=context)
    model.fit(X, y)
    assert not hasattr(model, "context_mean_")


def test_held_out_rows_carry_their_context():
    X, y, context = data(120)
    model = GRUClassifier(hidden_size=8, early_stopping=True, random_state=0)
    model.fit(X, y, context=context)
    assert model.validation_scores_[-1] > -0.3
    given = clone(model).fit(
        X[:80], y[:80], context=context[:80], X_val=X[80:], y_val=y[80:], context_val=context[80:]
    )
    assert given.validation_scores_[-1] > -0.3
    with pytest.raises(ValueError, match="context_val is missing"):
        model.fit(X, y, context=context, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="context_val is given without X_val"):
        model.fit(X, y, context=context, context_val=context)
    with pytest.raises(ValueError, match=r"context_val has 3 rows for 120 sequences"):
        model.fit(X, y, context=context, X_val=X, y_val=y, context_val=context[:3])


def test_a_transformer_takes_context():
    X, _, context = data()
    model = RecurrentTransformer(context_as="both", bidirectional=True, **quick)
    states = model.fit_transform(X, context=context)
    assert states.shape == (len(X), 8)
    assert_array_equal(states, model.transform(X, context=context))
    assert (states != model.transform(X, context=context[::-1])).any()


@each_way
def test_streams_and_segments_begin_with_their_context(context_as):
    rng = np.random.default_rng(0)
    X, context = rng.normal(size=(5, 12, 2)), rng.normal(size=(5, 3))
    y = X[:, :, 0].cumsum(axis=1)
    params = quick | {"dtype": "float64", "target": "step", "context_as": context_as}
    model = GRURegressor(**params, tbptt_steps=5).fit(X, y, context=context)
    whole = model.predict(X, context=context)
    stream = model.stream(5, context=context)
    parts = [stream.predict(X[:, :7]), stream.copy().predict(X[:, 7:])]
    assert_allclose(np.hstack(parts), whole, rtol=1e-9)
    anew = stream.reset([2]).predict(X[:, :7])
    assert_allclose(anew[2], whole[2, :7], rtol=1e-9)
    one = pickle.loads(pickle.dumps(model.stream(context=context[1])))
    assert_allclose(np.concatenate([one.predict(x[None]) for x in X[1]]), whole[1], rtol=1e-9)
    with pytest.raises(ValueError, match="context is missing"):
        model.stream(5)
    with pytest.raises(ValueError, match="context has 4 rows for 5 sequences"):
        model.stream(5, context=context[:4])


# -- scikit-learn's tools ------------------------------------------------------------------


def requesting(model):
    model.set_fit_request(context=True).set_score_request(context=True)
    return model.set_predict_request(context=True)


@sklearn.config_context(enable_metadata_routing=True)
def test_it_is_routed_as_metadata():
    X, y, context = data(40)
    context = pd.DataFrame(context, columns=["age", "height"])
    model = requesting(GRUClassifier(**quick))
    pipe = make_pipeline(PerStep(StandardScaler()), model).fit(X, y, context=context)
    assert pipe.predict(X, context=context).shape == (40,)
    found = cross_validate(pipe, X, y, cv=2, params={"context": context}, error_score="raise")
    assert np.isfinite(found["test_score"]).all()
    grid = {"gruclassifier__context_as": list(CONTEXTS)}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y, context=context)
    assert np.isfinite(search.score(X, y, context=context))
    features = RecurrentTransformer(**quick)
    features.set_fit_request(context=True).set_transform_request(context=True)
    chain = make_pipeline(features, sklearn.linear_model.LogisticRegression())
    assert chain.fit(X, y, context=context).predict(X, context=context).shape == (40,)


# -- mistakes ------------------------------------------------------------------------------


def changed(values, place, value):
    values = values.astype(object)
    values[place] = value
    return values


MISTAKES = {
    "rows": (lambda c: c[:5], r"context has 5 rows for 24 sequences: one row for each"),
    "one column": (lambda c: c[:, 0], r"context.reshape\(-1, 1\)"),
    "three axes": (lambda c: c[:, None], r"context has shape \(24, 1, 2\)"),
    "no column": (lambda c: c[:, :0], "no columns"),
    "ragged": (lambda c: [[1.0], *c[1:].tolist()], "context is no table"),
    "NaN": (lambda c: changed(c, (3, 1), np.nan), r"context contains NaN at row 3, feature 1"),
    "None": (lambda c: changed(c, (3, 1), None), r"context contains NaN at row 3, feature 1"),
    "infinity": (lambda c: changed(c, (2, 0), np.inf), "context contains infinity at row 2"),
    "text": (lambda c: changed(c, (4, 1), "north"), r"row 4, feature 1 is 'north'.*OneHotEncoder"),
    "date": (lambda c: np.full(c.shape, np.datetime64("2020-01-01")), "dates or durations"),
    "twice": (lambda c: pd.DataFrame(c, columns=["a", "a"]), "'a' occurs twice"),
    "gap": (
        lambda c: pd.DataFrame(changed(c, (3, 1), None), columns=["age", "height"]),
        r"row 3, feature 1 \('height'\)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_no_context_is_named(mistake):
    X, y, context = data()
    change, message = MISTAKES[mistake]
    with pytest.raises((ValueError, TypeError), match=message):
        GRUClassifier(**quick).fit(X, y, context=change(context))


def test_context_is_what_it_was_in_fit():
    X, y, context = data()
    model = GRURegressor(**quick).fit(X, y)
    with pytest.raises(ValueError, match="context is given, but GRURegressor was fitted without"):
        model.predict(X, context=context)
    frame = pd.DataFrame(context, columns=["age", "height"])
    model.fit(X, y, context=frame)
    assert model.context_names_in_.tolist() == ["age", "height"]
    for call in (model.predict, lambda X, **c: model.score(X, y, **c)):
        with pytest.raises(ValueError, match=r"context is missing.*2 features"):
            call(X)
        with pytest.raises(ValueError, match=r"context has 1 features, but .* expecting 2"):
            call(X, context=context[:, :1])
        with pytest.raises(ValueError, match="feature names of context should match"):
            call(X, context=frame[["height", "age"]])
    panel = {f"s{i}": x for i, x in enumerate(X)}
    named = frame.set_axis(list(panel))
    assert_array_equal(model.predict(panel, context=named), model.predict(X, context=context))
    with pytest.raises(ValueError, match="context and X have different indices"):
        model.predict(panel, context=named[::-1])
