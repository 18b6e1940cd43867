"""Outputs in all the layouts that y may have, and mistakes in it."""

import importlib.util
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from tests.seq2seq.cases import as_objects, assert_same_sequences, classifier, regressor

X = ["abc", "ab", "ba", "c"] * 3
Y = ["ab", "b", "aba", "a"] * 3
TOKENS = [["one", "two"], ["two"], ["three", "one", "one"], ["one"]] * 3
NUMBERS = [[3, 1], [1], [3, 1, 700], [1]] * 3
has_polars = importlib.util.find_spec("polars") is not None


def as_arrays(sequences):
    return list(map(np.array, sequences))


STRINGS = {
    "list": Y,
    "array": np.array(Y),
    "object array": np.array(Y, dtype=object),
    "Series": pd.Series(Y),
    "string Series": pd.Series(Y, dtype="string"),
    "tuple": tuple(Y),
}
if has_polars:
    import polars

    STRINGS["polars"] = polars.Series(Y)


@pytest.mark.parametrize("y", STRINGS.values(), ids=STRINGS)
def test_strings_come_back_as_strings(y):
    model, expected = (classifier(max_epochs=5).fit(X, given) for given in (y, Y))
    predicted = model.predict(X)
    assert predicted.dtype == object
    assert all(type(output) is str for output in predicted)
    assert_array_equal(predicted, expected.predict(X))
    assert model.score(X, y) == expected.score(X, Y)
    assert_array_equal(model.score_sequences(X, y), expected.score_sequences(X, Y))
    assert all(type(output) is str for output, _ in model.predict_nbest(X)[0])


@pytest.mark.parametrize("tokens", [TOKENS, NUMBERS])
@pytest.mark.parametrize("container", [list, as_objects, pd.Series, as_arrays])
def test_lists_of_symbols_come_back_as_arrays_of_them(tokens, container):
    model = classifier(max_epochs=10).fit(X, container(tokens))
    known = {symbol for sequence in tokens for symbol in sequence}
    assert set(model.target_vocabulary_.tolist()) == known
    predicted = model.predict(X)
    assert predicted.dtype == object
    assert all(isinstance(output, np.ndarray) and output.ndim == 1 for output in predicted)
    assert {symbol for output in predicted for symbol in output.tolist()} <= known
    right = [output.tolist() == list(own) for output, own in zip(predicted, tokens, strict=True)]
    assert model.score(X, container(tokens)) == np.mean(right)


ARRAYS = {
    "integers": np.arange(24).reshape(12, 2) % 3,
    "whole floats": np.arange(24).reshape(12, 2) % 3 * 1.0,
    "letters": np.array(list("abc") * 8).reshape(12, 2),
    "objects": np.array(list("abc") * 8, dtype=object).reshape(12, 2),
    "3-D": np.arange(24).reshape(12, 2, 1) % 3,
    "single": np.arange(12) % 3,
    "booleans": np.arange(24).reshape(12, 2) % 3 > 1,
}


@pytest.mark.parametrize("y", ARRAYS.values(), ids=ARRAYS)
def test_arrays_of_symbols_come_back_as_arrays(y):
    model = classifier(max_epochs=2).fit(X, y)
    for found in (model.predict(X), model.sample(X, random_state=0)):
        assert found.shape == y.shape
        assert set(found.ravel().tolist()) <= set(y.ravel().tolist())
    assert model.predict_nbest(X)[0][0][0].shape == y.shape[1:]
    assert 0 <= model.score(X, y) <= 1
    flat = y.reshape(12, -1).astype(object if y.dtype.kind in "UO" else int).tolist()
    assert_array_equal(model.score_sequences(X, y), model.score_sequences(X, flat))
    with pytest.raises(ValueError, match="fitted on outputs in an array, each of shape"):
        model.partial_fit(X, [[*row, row[0]] for row in flat])


@pytest.mark.parametrize("shape", [(12,), (12, 3), (12, 3, 1), (12, 3, 2)])
def test_arrays_of_values_come_back_as_arrays(shape):
    y = np.random.default_rng(0).normal(size=shape)
    model = regressor(max_epochs=2).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == shape
    assert model.score(X, y) <= 1
    steps = shape[1] if len(shape) > 1 else 1
    given = model.predict(X, lengths=np.full(12, steps))
    assert given[0].shape == (steps, *shape[2:]) or shape[2:] == (1,)
    assert_array_equal(np.stack(given).reshape(shape), predicted)


def test_ragged_values_come_back_as_they_were_given():
    flat = [[1.0, 2.0], [3.0], [1, 2, 3], [4.0]] * 3
    assert all(p.ndim == 1 for p in regressor().fit(X, flat).predict(X))
    assert all(p.ndim == 1 for p in regressor().fit(X, pd.Series(flat)).predict(X))
    for size in (1, 2):
        y = [np.tile(np.reshape(part, (-1, 1)), (1, size)) for part in flat]
        assert all(p.shape[1:] == (size,) for p in regressor().fit(X, y).predict(X))


def test_symbols_of_any_value_are_kept():
    y = [["", "a\0"], ["a"], ["ä", " "], ["a\0"]] * 3
    model = classifier(max_epochs=2).fit(X, y)
    assert set(model.target_vocabulary_.tolist()) == {"", "a\0", "a", "ä", " "}
    assert {s for part in model.predict(X) for s in part.tolist()} <= {"", "a\0", "a", "ä", " "}
    one = classifier(max_epochs=60, hidden_size=8).fit(X, ["a", "aa", "aaa", "a"] * 3)
    assert one.target_vocabulary_.tolist() == ["a"]
    assert one.score(X, ["a", "aa", "aaa", "a"] * 3) > 0.5


# -- mistakes ------------------------------------------------------------------------------

MISTAKES = {
    "None": (None, ValueError, "y.* None"),
    "DataFrame": (pd.DataFrame({"out": Y}), TypeError, "y is a DataFrame.*give a list"),
    "sparse": (sparse.csr_array(np.eye(12)), TypeError, r"y is sparse.*y\.toarray\(\)"),
    "sparse matrix": (sparse.csr_matrix(np.eye(12)), TypeError, "y is sparse"),
    "too few": (Y[:-2], ValueError, "X holds 12 sequences, but y 10.*input 10 has no partner"),
    "too many": ([*Y, "a"], ValueError, "X holds 12 sequences, but y 13.*output 12 has no"),
    "a missing output": ([*Y[:-1], None], ValueError, "y, sequence 11 is None"),
}
OF_SYMBOLS = {
    "empty": ([*Y[:-1], ""], ValueError, "y, sequence 11 is empty"),
    "empty list": ([*TOKENS[:-1], []], ValueError, "y, sequence 11 is empty"),
    "None": ([*TOKENS[:-1], ["one", None]], ValueError, "y, sequence 11, step 1 is None"),
    "NaN": ([*TOKENS[:-1], ["one", np.nan]], ValueError, "y, sequence 11, step 1 is nan"),
    "NA": (pd.Series([*Y[:-1], None], dtype="string"), ValueError, "y, sequence 11 is <NA>"),
    "fractions": (np.full((12, 2), 0.5), ValueError, "y, sequence 0, step 0 is 0.5"),
    "infinite": (np.full((12, 2), np.inf), ValueError, "y, sequence 0, step 0 is inf"),
    "vectors": (np.zeros((12, 2, 2), dtype=int), ValueError, "y, sequence 0, step 0 is"),
    "mixed": ([*TOKENS[:-1], [1]], ValueError, "y, sequence 11, step 0 is 1 "),
}
OF_VALUES = {
    "empty": ([[1.0]] * 11 + [[]], ValueError, "y, sequence 11 is empty"),
    "NaN": ([[1.0]] * 11 + [[2.0, np.nan, 1.0]], ValueError, "sequence 11, step 1, feature 0"),
    "strings": (Y, ValueError, "y, sequence 0, step 0 is 'a'.*by Seq2SeqClassifier"),
    "tokens": (TOKENS, ValueError, "y, sequence 0, step 0 is 'one'.*by Seq2SeqClassifier"),
    "digits": ([["1.5"]] * 12, ValueError, "numbers written as strings: convert them"),
    "other features": ([[[1.0, 2.0]]] * 11 + [[[1.0]]], ValueError, "sequence 11 has 1 feat"),
}


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize(("y", "error", "match"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(make, y, error, match):
    if make is regressor and isinstance(y, list):
        y = [value if value is None else [float(len(value))] for value in y]
        match = match.replace("is None", "has 0 dimensions")
    with pytest.raises(error, match=match):
        make().fit(X, y)
    if y is not None:
        good = Y if make is classifier else [[1.0, 2.0]] * 12
        fitted = make().fit(X, good)
        before = fitted.predict(X)
        for call in (fitted.partial_fit, fitted.score, fitted.attention_weights):
            with pytest.raises(error, match=match):
                call(X, y)
        assert_same_sequences(fitted.predict(X), before)


@pytest.mark.parametrize(("y", "error", "match"), OF_SYMBOLS.values(), ids=OF_SYMBOLS)
def test_mistakes_in_symbols_are_named(y, error, match):
    with pytest.raises(error, match=match):
        classifier().fit(X, y)


@pytest.mark.parametrize(("y", "error", "match"), OF_VALUES.values(), ids=OF_VALUES)
def test_mistakes_in_values_are_named(y, error, match):
    with pytest.raises(error, match=match):
        regressor().fit(X, y)


def test_symbols_that_fit_has_not_seen_are_named():
    model = classifier().fit(X, Y)
    before = model.predict_nbest(X)
    unseen = ["b", "axa"]
    for call in (model.score_sequences, model.partial_fit, model.attention_weights):
        with pytest.raises(
            ValueError, match=r"y, sequence 1, step 1 is the symbol 'x'.*\('a', 'b'\)"
        ):
            call(X[:2], unseen)
    assert model.score(X[:2], unseen) == 0
    assert model.predict_nbest(X) == before
    many = classifier().fit(X, ["abcdefgh"] * 12)
    with pytest.raises(ValueError, match=r"'a', 'b', 'c', 'd', 'e', \.\.\.\)"):
        many.score_sequences(["a"], ["z"])
    with pytest.raises(ValueError, match="y is None"):
        model.score_sequences(X, None)


def test_outputs_longer_than_the_longest_allowed_are_named():
    for make, y in ((classifier, Y), (regressor, [[1.0] * len(out) for out in Y])):
        with pytest.raises(ValueError, match="y, sequence 2 has 3 steps, more than max_length=2"):
            make(max_length=2).fit(X, y)
        assert make(max_length=3).fit(X, y).max_length_ == 3


def test_unknown_symbols_of_the_input_have_a_vector_of_their_own():
    model = classifier(max_epochs=3).fit(X, Y)
    with pytest.warns(UserWarning, match="symbols"):
        first, second = model.score_sequences(["xyz", "pqr"], ["ab", "ab"])
    assert first == second
    with pytest.warns(UserWarning, match="symbols"):
        assert len(model.predict(["xyz"])) == 1
    model.predict(["abcabcabx"])  # one of many needs no warning
    with pytest.raises(ValueError, match="symbols are all strings"):
        model.predict([[1.0, 2.0]])


@pytest.mark.parametrize("make", [classifier, regressor])
def test_outputs_in_another_order_than_the_inputs_are_refused(make):
    index = [f"r{i}" for i in range(12)]
    y = pd.Series(Y if make is classifier else [[1.0]] * 12, index=index)
    inputs = pd.Series(X, index=index)
    model = make().fit(inputs, y)
    calls = [model.fit, model.partial_fit, model.score, model.attention_weights]
    if make is classifier:
        calls.append(model.score_sequences)
    for call in calls:
        with pytest.raises(ValueError, match="y and X have different indices"):
            call(inputs, y[::-1])


def test_outputs_of_another_number_of_features_are_refused():
    model = regressor().fit(X, [[1.0, 2.0]] * 12)
    for call in (model.partial_fit, model.score, model.attention_weights):
        with pytest.raises(ValueError, match=r"steps of y have 2 features, but .* fitted on 1"):
            call(X, [[[1.0, 2.0]]] * 12)


@pytest.mark.parametrize("lengths", [[1], [0] * 12, [1.5] * 12, [[1]] * 12, ["a"] * 12])
def test_wrong_lengths_are_refused(lengths):
    model = regressor().fit(X, [[1.0, 2.0]] * 12)
    with pytest.raises(ValueError, match="lengths must be 12 whole numbers of at least 1"):
        model.predict(X, lengths)


def test_attention_that_is_not_there_is_named():
    model = classifier(attention=None).fit(X, Y)
    with pytest.raises(ValueError, match="no attention: the decoder was fitted"):
        model.attention_weights(X)


@pytest.mark.parametrize("params", [{"encoder": "vector", "decoder": "gru"}, {}])
def test_attention_rows_have_exact_lengths_and_sum_to_one(params):
    inputs = np.eye(12) if params else X
    for make, y in ((classifier, Y), (regressor, [[1.0] * len(out) for out in Y])):
        model = make(**params).fit(inputs, y)
        for given in (y, None):
            outputs = model.predict(inputs) if given is None else given
            weights = model.attention_weights(inputs, given)
            assert len(weights) == 12
            for rows, x, output in zip(weights, inputs, outputs, strict=True):
                assert rows.shape == (len(output), 1 if params else len(x))
                assert (rows >= 0).all()
                np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("y", "how"),
    [
        ([0, 1] * 20, "an output of one symbol"),
        (["low", "high"] * 20, "2 strings for 40 inputs, which are learned by letters"),
    ],
)
def test_labels_in_the_place_of_sequences_are_told(y, how):
    X = [f"{i:02d}" for i in range(40)]
    message = f"y has one label for each input, .*{how}: RecurrentClassifier"
    with pytest.warns(UserWarning, match=message):
        model = classifier(max_epochs=1).fit(X, y)
    assert len(model.predict(X)) == 40


@pytest.mark.parametrize("y", [["ab", "ba"] * 20, [["yes"], ["no"]] * 20])
def test_outputs_that_are_repeated_with_their_inputs_are_no_labels(y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier(max_epochs=1).fit(["ba", "ab"] * 20, y)
