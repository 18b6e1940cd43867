"""Nodes made when asked for, that stand at many places, or that lead back to themselves."""

import warnings
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest

from sklseq.data import read_forest
from sklseq.data.trees import walk
from sklseq.recursive import RecursiveTransformer


class Span:
    """A part of a text, whose halves are made anew whenever they are asked for."""

    def __init__(self, text):
        self.text = text

    @property
    def halves(self):
        middle = len(self.text) // 2
        return [Span(self.text[:middle]), Span(self.text[middle:])] if middle else []


def parts(path):
    """Each folder with the rest of the path below it, as new objects."""
    return [PurePosixPath(*path.parts[1:])] if len(path.parts) > 1 else []


MADE_ANEW = {
    "spans": (Span("abcdefgh" * 8), (lambda s: s.text, lambda s: s.halves), 127),
    "paths": (PurePosixPath("a/" * 60), (lambda p: p.parts[0], parts), 60),
    "copied lists": (["a", ["b", ["c"]], ["b"]], (lambda n: n[0], lambda n: map(list, n[1:])), 4),
    "generators": (50, (str, lambda n: (m for m in [n - 1] if m)), 50),
}


@pytest.mark.parametrize("name", MADE_ANEW)
def test_nodes_made_when_asked_for(name):
    root, reader, n_nodes = MADE_ANEW[name]
    assert read_forest([root] * 3, reader=reader).sizes.tolist() == [n_nodes] * 3


def test_a_cycle_is_an_error():
    loop = SimpleNamespace(name="a", children=[])
    loop.children.append(SimpleNamespace(name="b", children=[loop]))
    endless = {"value": "a", "children": []}
    endless["children"].append(endless)
    array = []
    array.append(array)
    for X, reader in (
        ([loop], (lambda n: n.name, lambda n: list(n.children))),
        ([endless], "dicts"),
        ([array], "json"),
        ([0], (str, lambda n: [(n + 1) % 5])),
    ):
        with pytest.raises(ValueError, match="Tree 0 has a cycle"):
            read_forest(X, reader=reader)


def test_an_endless_tree_is_an_error(monkeypatch):
    monkeypatch.setattr(walk, "_MAX_DEPTH", 1000)
    with pytest.raises(ValueError, match="Tree 0, node 1001 is more than 1,000 levels deep"):
        read_forest([Span("")], reader=(lambda s: s.text, lambda s: [Span("")]))


def shared(depth, leaf=("a",)):
    """A tree of 2**depth leaves, of which each level is one node."""
    tree = leaf
    for _ in range(depth):
        tree = ("b", tree, tree)
    return tree


def test_subtrees_at_too_many_places_are_refused_before_they_take_memory():
    for depth in (18, 24, 60):
        with pytest.raises(ValueError, match=f"Tree 1 shares subtrees: {depth} nodes"):
            RecursiveTransformer().fit([("a",), shared(depth)])
    with pytest.raises(ValueError, match="Tree 0 shares subtrees: 30 nodes"):
        read_forest([30], reader=(str, lambda n: [n - 1] * 2 if n else []))


def test_subtrees_at_many_places_warn_once():
    with pytest.warns(UserWarning, match="Tree 0 shares subtrees: 13 nodes.*8,191 places") as found:
        assert read_forest([shared(13)]).n_nodes == 2**14 - 1
    assert len(found) == 1


def test_large_trees_of_nodes_of_their_own_do_not_warn():
    def own(depth):
        return ("b", own(depth - 1), own(depth - 1)) if depth else ("a",)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_forest([own(13), shared(8)])
        read_forest([Span("a" * 8192)], reader=(lambda s: None, lambda s: s.halves))


def test_errors_of_a_reader_keep_their_place_whatever_their_class():
    with pytest.raises(ValueError, match="Tree 0, node 0: 'utf-8' codec"):
        read_forest([b"\xff"], reader=(bytes.decode, lambda n: ()))
