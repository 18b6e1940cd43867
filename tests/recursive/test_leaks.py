"""Trees that hold what is to be predicted are reported; trees without are not."""

import warnings

import numpy as np
import pytest

from sklseq.datasets import make_listops, read_treebank
from sklseq.recursive import RecursiveClassifier, RecursiveTransformer

QUICK = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}


def treebank(names, n=40):
    rng = np.random.default_rng(0)

    def leaf():
        return f"({rng.choice(names)} {rng.choice(['aa', 'bb', '7'])})"

    return [f"({rng.choice(names)} {leaf()} {leaf()})" for _ in range(n)]


@pytest.mark.parametrize("reader", ["brackets", "tuples"])
@pytest.mark.parametrize("model", [RecursiveClassifier(**QUICK), RecursiveTransformer(**QUICK)])
def test_numbers_above_words(model, reader):
    lines = treebank(list("01234"))
    _, nodes = read_treebank(lines)
    y = [node[0] for node in nodes]
    X = lines
    if reader == "tuples":
        X = [(str(v), (str(a), "aa"), (str(b), "bb")) for v, (a,), (b,) in nodes]
    with pytest.warns(UserWarning, match="numbers for symbols .*'0', '1'.*read_treebank"):
        model.set_params(reader=reader).fit(X, y)


@pytest.mark.parametrize("target", ["tree", "node"])
def test_labels_for_symbols(target):
    lines = treebank(["neg", "pos"])
    _, nodes = read_treebank(lines)
    # With the word of a leaf as a node of its own, as brackets are read.
    y = [v if target == "tree" else [v, a, None, b, None] for v, (a,), (b,) in nodes]
    with pytest.warns(UserWarning, match="has its label for a symbol.*read_treebank"):
        RecursiveClassifier(reader="brackets", target=target, **QUICK).fit(lines, y)


def test_no_word_where_nothing_leaks():
    words, nodes = read_treebank(treebank(list("012")))
    operations, values = make_listops(20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RecursiveClassifier(**QUICK).fit(words, [node[0] for node in nodes])
        RecursiveClassifier(target="node", **QUICK).fit(words, nodes)
        RecursiveClassifier(**QUICK).fit(operations, values)
        RecursiveTransformer(reader="brackets", **QUICK).fit(["(3 1 (2 4))", "(1 2)"])


def test_words_alone_say_nothing_of_random_labels():
    lines = treebank(list("01234"), 200)
    words, nodes = read_treebank(lines)
    y = np.array([node[0] for node in nodes])
    model = RecursiveClassifier(hidden_size=8, max_epochs=5, random_state=0)
    assert model.fit(words[:100], y[:100]).score(words[100:], y[100:]) < 0.5
