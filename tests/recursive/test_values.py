"""What cannot be the value of a node is named with its place and the way out."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from sklseq.data import read_forest
from sklseq.recursive import RecursiveClassifier, RecursiveTransformer

QUICK = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
GRADIENT = torch.tensor([1.0, 2.0], requires_grad=True)


def trees(value):
    """A value at the third node of the second tree, in each form."""
    yield "Tree 1, node 2", [("a",), ("a", "b", (value,))]
    yield "Tree 1, node 2", [{"value": "a"}, {"value": "a", "children": ["b", {"value": value}]}]
    yield "Tree 1, step 2", [["a"], ["a", "b", value]]
    features = {"parents": [-1, 0, 1], "features": [None, None, value]}
    yield "Tree 1, node 2", [{"parents": [-1]}, features]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1 + 2j, r"\[z.real, z.imag\]"),
        ([1.0, 2j], r"\[z.real, z.imag\]"),
        (np.array([1j]), r"\[z.real, z.imag\]"),
        (torch.tensor([1j]), r"\[z.real, z.imag\]"),
        (date(2024, 1, 1), "Give a time as a number"),
        (timedelta(1), "Give a time as a number"),
        (np.timedelta64(1, "s"), "Give a time as a number"),
        (np.datetime64("2024"), "Give a time as a number"),
        (pd.Timestamp("2024"), "Give a time as a number"),
        ([10**400], "too large"),
        (b"a", "Decode bytes"),
        (pd.NA, "A node without a value has None"),
        ([1.0, None], "a vector of numbers"),
        ([[1.0], [1.0, 2.0]], "a vector of numbers"),
        (["1"], "a vector of numbers"),
        ([], "a vector of numbers"),
    ],
)
def test_no_value(value, message):
    for place, X in trees(value):
        with pytest.raises(TypeError, match=rf"{place}.*{message}"):
            RecursiveTransformer(**QUICK).fit(X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_finite_value(value):
    X = [("a", [0.5]), ("a", ("b", [value]))]
    with pytest.raises(ValueError, match=r"tree 1, node 2, feature 0.*has None"):
        RecursiveTransformer(**QUICK).fit(X)


@pytest.mark.parametrize("symbol", [10**400, -(2**63) - 1, 2**63, 10**5000], ids=range(4))
def test_integers_of_many_digits_are_no_symbols(symbol):
    with pytest.raises(ValueError, match=r"Tree 0, node 1 has an integer of .* give it as str"):
        RecursiveTransformer(**QUICK).fit([(1, symbol)])


@pytest.mark.parametrize("symbol", [1.5, np.nan, b"a", date(2024, 1, 1), 1j])
def test_symbols_of_pairs_are_not_lost(symbol):
    with pytest.raises(TypeError, match="Tree 0, node 0 has the value"):
        read_forest([{"parents": [-1], "symbols": [symbol], "features": [[1.0]]}])
    with pytest.raises(TypeError, match="Tree 0, node 1 has the value"):
        read_forest([("a", ((symbol, [1.0]),))])


@pytest.mark.parametrize(
    "vector",
    [
        GRADIENT,
        torch.tensor([1.0, 2.0]),
        np.array([1, 2]),
        [Decimal(1), Fraction(2)],
        pd.Series([1.0, 2.0]),
    ],
)
def test_whatever_holds_numbers_is_a_vector(vector):
    expected = RecursiveTransformer(**QUICK).fit_transform([("a", ([1.0, 2.0],))] * 2)
    assert_array_equal(
        RecursiveTransformer(**QUICK).fit_transform([("a", (vector,))] * 2), expected
    )


def test_tables_of_nodes_are_read_by_rows():
    parents, features = [-1, 0], np.array([[1.0, 2.0], [3.0, 4.0]])
    expected = read_forest([{"parents": parents, "features": features}]).features
    for form in (pd.DataFrame(features, columns=["a", "b"]), torch.from_numpy(features)):
        found = read_forest([{"parents": pd.Series([np.nan, 0.0]), "features": form}])
        assert_array_equal(found.features, expected)
        assert found.parents.tolist() == parents


@pytest.mark.parametrize("words", [["a\ud800", "b"], ["a\0", "a"], ["", "a"]])
def test_any_word_is_a_symbol(words):
    X, y = [(word,) for word in words] * 10, [0, 1] * 10
    model = RecursiveClassifier(hidden_size=4, learning_rate=0.1, max_epochs=30, random_state=0)
    assert model.fit(X, y).score(X, y) == 1.0
    assert sorted(model.vocabulary_.tolist()) == sorted(words)


def test_labels_of_dtype_object_are_scored_as_they_were_fitted():
    X, y = [("a",), ("b",)] * 4, np.array([0, 1] * 4, dtype=object)
    model = RecursiveClassifier(hidden_size=4, learning_rate=0.1, random_state=0).fit(X, y)
    assert model.classes_.dtype.kind == "i"
    assert model.score(X, y) == model.score(X, y.astype(int)) == model.score(X, list(y)) == 1.0
    nodes = [[label] for label in y]
    model.set_params(target="node").fit(X, nodes)
    assert model.score(X, nodes) == 1.0


def test_log_probabilities():
    X, y = [("a", ("b",)), ("b",)] * 4, [0, 1] * 4
    model = RecursiveClassifier(**QUICK).fit(X, y)
    assert_array_equal(np.exp(model.predict_log_proba(X)).round(6), model.predict_proba(X).round(6))
    model.set_params(target="node").fit(X, [(0, 1), 1] * 4)
    log, plain = model.predict_log_proba(X)[0], model.predict_proba(X)[0]
    assert len(log) == len(plain) == 2
    np.testing.assert_allclose(np.exp(log[0]), plain[0], rtol=1e-6)


def test_most_symbols_unknown():
    model = RecursiveClassifier(**QUICK).fit([("a", ("b",)), ("b",)], [0, 1])
    assert len(model.predict([("a", ("c",))])) == 1
    for call in (model.predict, model.predict_proba, model.subtree_importances):
        with pytest.warns(UserWarning, match="2 of 3 symbols, such as 'x', are unknown"):
            call([("x", ("a",)), ("y",)])
    with pytest.warns(UserWarning, match="1 of 1 symbols"):
        model.partial_fit([("z",)], [0])
