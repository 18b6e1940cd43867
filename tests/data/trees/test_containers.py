"""Trees are the same in every container that holds them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklseq.data import as_items, check_no_times
from sklseq.recursive import RecursiveAutoencoder, RecursiveClassifier, RecursiveRegressor
from sklseq.recursive import RecursiveTransformer as Transformer
from sklseq.utils import all_estimators

RECURSIVE = {name: cls for name, cls in all_estimators() if "reader" in cls().get_params()}
QUICK = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
TEXT = {
    "brackets": ["(a b (c a))", "(b c)", "(c)", "(a (b c) b)"],
    "json": ['{"a": {"a": 1}}', "[1, 2]", "{}", "3"],
    "ast": ["x = 1", "def f(): pass", "y", "f(x)"],
}


def holders(items):
    array = np.array(items)
    yield "str array", array
    yield "StringDType", array.astype(np.dtypes.StringDType())
    yield "object array", array.astype(object)
    yield "column", array[:, None]
    yield "object column", array.astype(object)[:, None]
    yield "tuple", tuple(items)
    yield "Series", pd.Series(items, index=list("wxyz"))
    yield "string", pd.Series(items, dtype="string")
    yield "category", pd.Series(items, dtype="category")
    yield "frame", pd.DataFrame({"text": items})
    yield "object frame", pd.DataFrame({"text": pd.Series(items, dtype=object)})


def polars_holders(items):
    pl = pytest.importorskip("polars")
    yield "polars Series", pl.Series(items)
    yield "polars frame", pl.DataFrame({"text": items})


def results(model, X):
    """What all methods of a model say of X."""
    names = "predict", "predict_proba", "transform", "score_samples", "node_errors"
    names += ("subtree_importances", "decision_function")
    return [getattr(model, name)(X) for name in names if hasattr(model, name)]


@pytest.mark.parametrize("reader", TEXT)
def test_a_container_is_a_list(reader):
    for name, X in holders(TEXT[reader]):
        assert as_items(X) == TEXT[reader], name


@pytest.mark.parametrize("reader", TEXT)
def test_polars_too(reader):
    for name, X in polars_holders(TEXT[reader]):
        assert as_items(X) == TEXT[reader], name


@pytest.mark.parametrize("cls", RECURSIVE.values(), ids=RECURSIVE)
def test_every_method_of_every_estimator_takes_every_container(cls):
    items, y = TEXT["brackets"], [0, 1, 0, 1]
    model = cls(reader="brackets", **QUICK).fit(items, y)
    expected = results(model, items)
    for name, X in holders(items):
        twin = cls(reader="brackets", **QUICK).fit(X, y)
        twin_results = results(twin, X)
        for a, b in zip(expected, twin_results, strict=True):
            assert_array_equal(a, b, err_msg=name)
        if hasattr(model, "score"):
            assert twin.score(X, y) == model.score(items, y)
    first = {"classes": [0, 1]} if issubclass(cls, RecursiveClassifier) else {}
    cls(reader="brackets", **QUICK).partial_fit(X, y, **first).partial_fit(X, y)


def test_trees_of_tuples_and_dicts_in_columns():
    trees = [("a", ("b",)), {"value": "a"}, ("a",), {"parents": [-1], "symbols": ["b"]}]
    array = np.empty(4, dtype=object)
    array[:] = trees
    for X in (array, array[:, None], pd.Series(trees), pd.DataFrame({"tree": trees})):
        assert as_items(X) == trees
        RecursiveRegressor(**QUICK).fit(X, np.arange(4.0)).predict(X)


def test_pairs_have_a_column_each():
    left, right = TEXT["brackets"], TEXT["brackets"][::-1]
    pairs, y = list(zip(left, right, strict=True)), [0, 1, 0, 1]
    model = RecursiveClassifier(reader="brackets", pairs=True, **QUICK).fit(pairs, y)
    for X in (np.array(pairs), pd.DataFrame(pairs), np.array(pairs, dtype=object)):
        assert_array_equal(model.predict_proba(X), model.predict_proba(pairs))
    with pytest.raises(ValueError, match="holds no pairs"):
        model.predict(np.ones((4, 2)))


def test_numbers_are_roots_for_two_functions():
    model = RecursiveClassifier(reader=(str, range), **QUICK)
    for X in (np.arange(4), np.arange(4)[:, None], pd.Series(range(4))):
        assert_array_equal(model.fit(X, [0, 1, 0, 1]).predict(X), model.predict([0, 1, 2, 3]))


def test_panels_are_sequences_and_never_their_column_names():
    index = pd.MultiIndex.from_product([range(4), range(3)])
    panel = pd.DataFrame({"a": np.arange(12.0), "b": 1.0}, index=index)
    model = Transformer(**QUICK).fit(panel)
    assert_array_equal(
        model.transform(panel), model.transform(list(panel.to_numpy().reshape(4, 3, 2)))
    )
    frames = [frame.droplevel(0) for _, frame in panel.groupby(level=0)]
    assert_array_equal(model.transform(panel), model.transform(frames))
    for X in (panel, pd.DataFrame(np.ones((2, 2)), columns=["a", "b"]), np.ones((2, 2))):
        with pytest.raises(ValueError, match=r"is no column of trees, but reader='brackets'"):
            Transformer(reader="brackets").fit(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("(a b)", "X is a str"),
        ({"(a b)": 1}, "X is a dict"),
        ({"(a b)"}, "X is a set"),
        (5, "X is a int"),
        (["(a b)", None], "Tree 1 is missing"),
        (pd.Series(["(a b)", None], dtype="string"), "Tree 1 is missing"),
        ([b"(a b)"], "Tree 0 is bytes"),
        (pd.DataFrame({"a": ["(a b)"], "b": ["(a b)"]}), "is no column of trees"),
        (np.array([("a", ("b",))], dtype=object), "is no column of trees"),
    ],
)
def test_what_holds_no_trees_is_named(X, message):
    with pytest.raises((TypeError, ValueError), match=message):
        RecursiveAutoencoder(reader="brackets").fit(X)


def test_tables_of_trees_are_named():
    with pytest.raises(ValueError, match="give the list of them"):
        Transformer().fit(np.array([("a", ("b",))] * 3, dtype=object))


DATES = pd.date_range("2024", periods=4)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame({"a": 1.0, "when": DATES}), "column 'when'"),
        (pd.DataFrame({"when": DATES - DATES[0]}), "column 'when'"),
        (pd.DataFrame({"a": 1.0, "when": DATES.date}), "column 'when'"),
        (np.array([[1.0, d] for d in DATES], dtype=object), "feature 1"),
        (DATES.to_numpy()[:, None, None], "X holds dates"),
        ([[d, d] for d in DATES.to_numpy()], "X, feature 0"),
        ([[d] for d in DATES], "Tree 0, step 0.*Give a time as a number"),
        ([("a", d) for d in DATES], "Tree 0, node 1.*Give a time as a number"),
        ([("a", np.timedelta64(1, "s"))] * 4, "Tree 0, node 1.*Give a time as a number"),
        ([("a", ("b", d.date())) for d in DATES], "Tree 0, node 2.*Give a time as a number"),
        ([("a", ([d.to_numpy()],)) for d in DATES], "Tree 0, node 1.*Give a time as a number"),
    ],
)
@pytest.mark.parametrize("cls", [Transformer, RecursiveAutoencoder])
def test_dates_are_no_numbers(X, message, cls):
    with pytest.raises(TypeError, match=message):
        cls().fit(X)


def test_numbers_are_no_dates():
    for X in (np.ones((2, 2)), pd.DataFrame({"a": [1, None], "b": [True, False]}), np.ones(3)):
        check_no_times(X)
