"""Data sets of trees: what the generators promise of every tree."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklseq.data import flatten_labels, read_forest
from sklseq.datasets import (
    load_python_functions,
    load_sentiment_treebank,
    make_listops,
    make_propositional_logic,
    read_treebank,
)


def value(tree):
    name, *children = tree
    if not children:
        return int(name)
    values = sorted(value(child) for child in children)
    if name == "MED":
        middle = len(values) // 2
        both = values[middle] + values[middle - 1]
        return values[middle] if len(values) % 2 else both // 2
    return {"MAX": values[-1], "MIN": values[0], "SM": sum(values) % 10}[name]


def tokens(tree):
    name, *children = tree
    below = [token for child in children for token in tokens(child)]
    return below if name is None else [name, *below]


def test_listops():
    X, y = make_listops(500, random_state=0)
    assert_array_equal([value(tree) for tree in X], y)
    assert len(set(X)) == 500
    forest = read_forest(X)
    assert forest.arity == 5
    assert forest.sizes.min() > 1
    assert read_forest(make_listops(200, max_depth=3, random_state=0)[0]).depth == 2


def test_listops_as_binary_trees_has_the_same_tokens():
    X, y = make_listops(100, random_state=0)
    binary, same = make_listops(100, binary=True, random_state=0)
    assert_array_equal(y, same)
    assert read_forest(binary).arity == 2
    for tree, twin in zip(X, binary, strict=True):
        plain = [t.strip("[") for t in tokens(twin) if t != "]"]
        assert plain == tokens(tree)


def holds(formula, world):
    name, *parts = formula
    values = [holds(part, world) for part in parts]
    if name == "not":
        return not values[0]
    return {"and": all, "or": any}[name](values) if parts else world[name]


def relation(a, b):
    worlds = [dict(zip("abcdef", w, strict=True)) for w in itertools.product([0, 1], repeat=6)]
    pairs = {(bool(holds(a, w)), bool(holds(b, w))) for w in worlds}
    never = {(True, True), (True, False), (False, True), (False, False)} - pairs
    return {
        frozenset({(True, False), (False, True)}): "=",
        frozenset({(True, False)}): "<",
        frozenset({(False, True)}): ">",
        frozenset({(True, True), (False, False)}): "^",
        frozenset({(True, True)}): "|",
        frozenset({(False, False)}): "v",
        frozenset(): "#",
    }[frozenset(never)]


def operators(formula):
    return bool(formula[1:]) + sum(map(operators, formula[1:]))


def test_propositional_logic():
    X, y = make_propositional_logic(300, (2, 6), random_state=0)
    assert_array_equal([relation(*pair) for pair in X], y)
    longer = [max(map(operators, pair)) for pair in X]
    assert min(longer) == 2
    assert max(longer) == 6
    variables = [{t for f in pair for t in tokens(f) if len(t) == 1} for pair in X]
    assert max(map(len, variables)) <= 4
    with pytest.raises(ValueError, match="more than there are pairs"):
        make_propositional_logic(100, 0, random_state=0)


@pytest.mark.parametrize(
    ("function", "params", "message"),
    [
        (make_listops, {"n_samples": 0}, "n_samples"),
        (make_listops, {"max_depth": 1}, "max_depth"),
        (make_propositional_logic, {"n_operators": (3, 1)}, "n_operators"),
        (load_python_functions, {"modules": ["nothing.py"]}, "'nothing.py'"),
        (load_sentiment_treebank, {"path": ".", "subset": "all"}, "subset"),
    ],
)
def test_wrong_parameters_are_named(function, params, message):
    with pytest.raises(ValueError, match=message):
        function(**params)


def test_python_functions_hide_their_names():
    functions = load_python_functions(["json"])
    assert len(functions.data) == len(functions.target) == len(functions.files)
    for tree, name in zip(functions.data, functions.target, strict=True):
        assert tree[0] in ("FunctionDef", "AsyncFunctionDef")
        assert name not in tokens(tree) or name in {"name", "value"}
    types, _ = load_python_functions(["json"], identifiers=False, return_X_y=True)
    assert {t for tree in types for t in tokens(tree)} < set(dir(__import__("ast")))


def test_sentiment_treebank(tmp_path):
    (tmp_path / "dev.txt").write_text("(3 (2 It) (4 (2 works) (1 -LRB-)))\n(1 Bad)\n")
    X, y = load_sentiment_treebank(tmp_path, subset="dev", return_X_y=True)
    assert X[0] == (None, ("It",), (None, ("works",), ("-LRB-",)))
    assert y[0] == (3, (2,), (4, (2,), (1,)))
    assert (X[1], y[1]) == (("Bad",), (1,))
    assert X.shape == y.shape == (2,)
    assert np.array_equal(load_sentiment_treebank(tmp_path, subset="dev").target, y)


def test_treebank_brackets_are_trees_and_labels():
    X, y = read_treebank(["(3 (2 It) (4 (2 works) (1 -LRB-)))", "", "(-1 Bad)\n"])
    assert X[0] == (None, ("It",), (None, ("works",), ("-LRB-",)))
    assert y[0] == (3, (2,), (4, (2,), (1,)))
    assert (X[1], y[1]) == (("Bad",), (-1,))
    X, y = read_treebank(["( (S (NP the (NN cat)) (VP)))"])
    assert X[0] == (None, (None, (None, ("the",), ("cat",)), (None,)))
    assert y[0] == (None, ("S", ("NP", (None,), ("NN",)), ("VP",)))


def test_treebank_trees_and_labels_have_one_shape_at_any_depth():
    n = 10_000
    X, y = read_treebank(["(1 " * n + "word" + ")" * n])
    forest = read_forest(X)
    assert forest.n_nodes == n
    assert forest.symbols[-1] == "word"
    assert_array_equal(flatten_labels(y, forest), np.ones(n))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["(1 a)", "(1 a"], "Tree 1 ends within 1 open"),
        (["(1 a)", None], "Tree 1 is missing"),
        ([b"(1 a)"], "Tree 0 is bytes"),
        ("(1 a)", "lines is a str"),
        (np.ones(3), "lines holds numbers"),
    ],
)
def test_what_is_no_treebank_is_named(lines, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_treebank(lines)
