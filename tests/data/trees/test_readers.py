"""Every way to write a tree down gives the same tree; what is wrong is named."""

import ast

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklseq.data import flatten_labels, read_forest


class Labelled(list):
    """Shaped like nltk's Tree."""

    def __init__(self, label, children):
        super().__init__(children)
        self._label = label

    def label(self):
        return self._label


TABLE = {0: ("max", [1, 2]), 1: ("3", []), 2: ("min", [3, 4]), 3: ("1", []), 4: ("2", [])}
SAME = {
    "tuples": ("max", "3", ("min", "1", "2")),
    "dicts": {
        "value": "max",
        "children": ["3", {"value": "min", "children": [{"value": "1"}, "2"]}],
    },
    "nltk": Labelled("max", ["3", Labelled("min", ["1", "2"])]),
    "brackets": "(max 3 (min 1 2))",
    "parents": {"parents": [-1, 0, 0, 2, 2], "symbols": ["max", "3", "min", "1", "2"]},
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("auto", [True, False])
def test_one_tree_in_many_forms(name, auto):
    if auto and name == "brackets":
        with pytest.raises(TypeError, match=r"Tree 0 is a str.*name the reader"):
            read_forest([SAME[name]])
        return
    forest = read_forest([SAME[name]], reader="auto" if auto else name)
    assert_array_equal(forest.parents, [-1, 0, 0, 2, 2])
    assert forest.symbols.tolist() == ["max", "3", "min", "1", "2"]
    assert forest.nested[0] == (name != "parents")


def test_a_reader_of_two_functions():
    forest = read_forest([0, 2], reader=(lambda n: TABLE[n][0], lambda n: TABLE[n][1]))
    assert_array_equal(forest.sizes, [5, 3])
    assert forest.symbols.tolist() == ["max", "3", "min", "1", "2", "min", "1", "2"]


def test_python_source_and_its_syntax_tree():
    source = "def f(x):\n    return x + 1"
    forest = read_forest([source, ast.parse(source)], reader="ast")
    assert forest.symbols[0] == "Module"
    assert len(set(forest.sizes)) == 1
    tree = ast.parse(source)
    assert_array_equal(forest.symbols[: forest.sizes[0]], read_forest([tree]).symbols)


def test_json_text_and_values():
    text = '{"name": "a", "sizes": [1, 2.5], "ok": true, "none": null}'
    forest = read_forest([text], reader="json")
    kinds = ["object", "name", "a", "sizes", "array", None, None, "ok", "true", "none", "null"]
    assert forest.symbols.tolist() == kinds
    assert_array_equal(forest.features[5:7, 0], [1, 2.5])
    with pytest.raises(ValueError, match="Tree 1 is not JSON"):
        read_forest(["1", "{"], reader="json")


def test_values_are_symbols_vectors_or_both():
    forest = read_forest([(("a", [1.0, 2.0]), (None, (("b", None),)), np.array([4.0, 5.0]))])
    assert forest.symbols.tolist() == ["a", None, "b", None]
    assert_array_equal(forest.features, [[1, 2], [0, 0], [0, 0], [4, 5]])


def test_sentiment_brackets():
    forest = read_forest(["(3 (2 It) (4 works))"], reader="brackets")
    assert forest.symbols.tolist() == ["3", "2", "It", "4", "works"]


def test_deep_nesting_needs_no_recursion():
    tree = ("leaf",)
    for _ in range(10_000):
        tree = ("node", tree)
    forest = read_forest([tree])
    assert forest.depth == 10_000
    deep = forest.restore(np.arange(10_001))[0]
    while len(deep) > 1:
        deep = deep[1]
    assert deep == (10_000,)
    text = "(a " * 10_000 + ")" * 10_000
    assert read_forest([text], reader="brackets").depth == 9_999


LOOP = {"value": "a", "children": []}
LOOP["children"].append({"value": "b", "children": [LOOP]})


@pytest.mark.parametrize(
    ("X", "reader", "message"),
    [
        ([], "auto", "holds no tree"),
        ([("a",), LOOP], "auto", "Tree 1 has a cycle: node 2"),
        ([("a", "b"), ("a", 1)], "auto", "Tree 1, node 1 has the symbol 1, but symbols before"),
        ([([1.0],), ([1.0, 2.0],)], "auto", "Tree 1, node 0 has 2 features"),
        ([("a", np.nan)], "auto", "NaN: tree 0, node 1"),
        ([("+", 1.5, 2.0), ("+", 0.5, "x")], "auto", "Tree 1, node 2 is the leaf 'x', a symbol"),
        ([(1, 2.5, 3)], "auto", "Tree 0, node 2 is the leaf 3, a symbol, but 2.5"),
        ([["a", "b"], ["a", 1.0]], "auto", "Tree 1, node 2 is the leaf"),
        ([("a", object())], "auto", "Tree 0, node 1 has the value"),
        ([{"value": 1, "children": 5}], "auto", "Tree 0, node 0: 'int' object is not iterable"),
        ([{"value": 1, "children": "ab"}], "auto", "Tree 0, node 0: has the str 'ab' for children"),
        (["[" * 100_000], "json", "Tree 0 is not JSON"),
        (["x=" + "-" * 100_000 + "1"], "ast", "Tree 0 is nested too deep for Python's parser"),
        ([("a", ())], "auto", "Tree 0, node 1: is an empty tuple"),
        ([{"value": 1, "kids": []}], "auto", "Tree 0, node 0: has the key 'kids'"),
        (["(a b"], "brackets", "Tree 0 ends within 1 open"),
        (["(a b) c"], "brackets", "Tree 0 goes on after its end: 'c' at 6"),
        (["a)"], "brackets", r"Tree 0"),
        ([{"parents": [-1, 5]}], "auto", "Tree 0, node 1 has the parent 5"),
        ([{"parents": [-1, 0.5]}], "auto", "Tree 0 has parents of type float64"),
        ([{"parents": [-1], "feature": [1.0]}], "auto", "Tree 0 has the key 'feature'"),
        ([{"parents": [-1, 0], "features": [1.0, {}]}], "auto", "Tree 0, node 1 has the value"),
        ([{"parents": [-1], "symbols": []}], "auto", "1 nodes, but 0 entries in 'symbols'"),
        ([[]], "auto", "Tree 0 is empty"),
        ([[{}]], "auto", "Tree 0, step 0"),
    ],
)
def test_what_is_wrong_is_named(X, reader, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_forest(X, reader=reader)


def test_errors_of_the_user_say_where():
    with pytest.raises(KeyError) as caught:
        read_forest([{"v": 1, "c": [{}]}], reader=(lambda n: n["v"], lambda n: n["c"]))
    assert caught.value.__notes__ == ["while reading tree 0, node 1"]


def test_json_and_pairs_may_mix_words_and_numbers():
    read_forest(['{"name": "a", "age": 3.5}'], reader="json")
    read_forest([("+", (("x", None),), ((None, [1.0]),), ("y",))])


def test_labels_nested_or_flat():
    X = read_forest([("a", ("b", "c"), "d"), ("e",)])
    for y in (
        [(1, (2, 3), 4), 5],
        [(1, (2, (3,)), (4,)), (5,)],
        [[1, 2, 3, 4], [5]],
        [np.array([1, 2, 3, 4]), (5,)],
    ):
        assert_array_equal(flatten_labels(y, X), [1, 2, 3, 4, 5])
    partial = flatten_labels([("x", (None, "y"), None), ("x",)], X)
    assert partial.tolist() == ["x", None, "y", None, "x"]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([(1, 2, (3, 4)), 5], "y, tree 0 has another shape than the tree of X, from node 2"),
        ([[1, 2, 3], 5], "y, tree 0 has 3 values, but X has 4 nodes"),
        ([1], "y has 1 trees, but X has 2"),
    ],
)
def test_labels_that_do_not_fit_are_named(y, message):
    with pytest.raises(ValueError, match=message):
        flatten_labels(y, read_forest([("a", ("b", "c"), "d"), ("e",)]))
