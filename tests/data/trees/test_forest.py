"""Forests: levels by depth, whatever the shape of the trees and the order of the nodes."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklseq.data import Forest, balanced_forest, read_forest, without_subtrees
from sklseq.data.trees import occlusion

CHAIN = 10_000


def random_parents(rng, n):
    return np.array([-1, *(rng.integers(0, i) for i in range(1, n))])


def random_forest(seed=0, sizes=(1, 7, 30, 2)):
    rng = np.random.default_rng(seed)
    return read_forest([{"parents": random_parents(rng, n)} for n in sizes])


def levels_to_parents(forest, levels):
    """Parent of each node in the forest's numbers, from the levels alone."""
    bounds = np.cumsum(levels.sizes) - levels.sizes
    parents = np.full(forest.n_nodes, -1)
    for k in range(1, len(levels.sizes)):
        above = levels.nodes[bounds[k - 1] : bounds[k - 1] + levels.sizes[k - 1]]
        here = slice(bounds[k], bounds[k] + levels.sizes[k])
        parents[levels.nodes[here]] = above[levels.parents[here]]
    return parents


@pytest.mark.parametrize("trees", [[0, 1, 2, 3], [2], [3, 0], [0]])
def test_levels_tell_the_parents(trees):
    forest = random_forest()
    levels = forest.levels(trees)
    chosen = np.isin(np.repeat(np.arange(4), forest.sizes), trees)
    assert_array_equal(np.sort(levels.nodes), np.flatnonzero(chosen))
    assert_array_equal(levels_to_parents(forest, levels)[chosen], forest.parents[chosen])
    assert_array_equal(forest.parents[levels.nodes[levels.roots]], -np.ones(len(trees)))
    assert_array_equal(levels.nodes[levels.roots], forest.starts[trees])


def test_inner_nodes_come_first_and_siblings_are_counted():
    forest = random_forest()
    levels = forest.levels(range(4))
    has_children = np.isin(np.arange(forest.n_nodes), forest.parents)
    start = 0
    for size, n_inner in zip(levels.sizes, levels.n_inner, strict=True):
        here = levels.nodes[start : start + size]
        assert_array_equal(has_children[here], np.arange(size) < n_inner)
        start += size
    for node, position in zip(levels.nodes, levels.positions, strict=True):
        parent = forest.parents[node]
        siblings = np.flatnonzero((forest.parents == parent) & (parent >= 0))
        assert parent < 0 or siblings[position] == node


def test_results_are_in_the_order_of_the_input():
    forest = random_forest()
    levels = forest.levels([2, 0])
    start = forest.starts[2]
    assert_array_equal(levels.nodes[levels.results], [*range(start, start + 30), 0])


def test_nodes_may_come_before_their_parents():
    forest = read_forest([{"parents": [2, 2, -1, 0]}])
    assert_array_equal(forest.levels([0]).nodes, [2, 0, 1, 3])


@pytest.mark.parametrize("n", [CHAIN, 100_000])
def test_deep_and_large_trees(n):
    deep = Forest(np.arange(CHAIN) - 1, np.array([CHAIN]))
    assert deep.depth == CHAIN - 1
    large = Forest(random_parents(np.random.default_rng(0), n), np.array([n]))
    assert len(large.levels([0]).nodes) == n


@pytest.mark.parametrize(
    ("parents", "sizes", "message"),
    [
        ([-1, -1, 2, 1], [1, 3], r"Tree 1 has a cycle: from node 1"),
        ([-1, -1, 1, -1], [1, 3], r"Tree 1 has two roots: nodes 0 and 2"),
        ([-1, 2, 1], [1, 2], r"Tree 1 has no root"),
    ],
)
def test_what_is_no_tree_is_named(parents, sizes, message):
    with pytest.raises(ValueError, match=message):
        Forest(np.array(parents), np.array(sizes))


@pytest.mark.parametrize("n_steps", [1, 2, 3, 7, 64])
def test_sequences_are_balanced_binary_trees(n_steps):
    steps = np.random.default_rng(0).normal(size=(3, n_steps, 2))
    forest = balanced_forest(steps)
    assert forest.depth == np.ceil(np.log2(n_steps))
    assert forest.arity == (2 if n_steps > 1 else 0)
    assert_array_equal(forest.features[forest.results], steps.reshape(-1, 2))
    same = read_forest(list(steps))
    for name in ("parents", "sizes", "features", "results"):
        assert_array_equal(getattr(same, name), getattr(forest, name))


def test_restored_in_the_shape_of_the_tree():
    forest = read_forest([("a", ("b", "c", "d"), "e"), ("f",), {"parents": [1, -1]}])
    out = forest.restore(np.arange(8))
    assert out[0] == (0, (1, (2,), (3,)), (4,))
    assert out[1] == (5,)
    assert_array_equal(out[2], [6, 7])


def test_copies_without_a_subtree_come_in_parts(monkeypatch):
    tree = {"parents": [2, 2, -1, 0, 0, 3], "symbols": list("abcdef")}  # not in preorder
    forest = read_forest([("x",), tree])
    copies = [forest.symbols[1:].tolist() for _ in range(6)]
    below = {0: [3, 4, 5], 2: [0, 1, 3, 4, 5], 3: [5]}
    for node, copy in enumerate(copies):
        copy[node] = None
        copies[node] = [s for i, s in enumerate(copy) if i not in below.get(node, [])]
    for most in (1, 13, 1000):
        monkeypatch.setattr(occlusion, "_MAX_NODES", most)
        found = list(without_subtrees(forest, 1))
        assert len(found) == min(6, -(-36 // most))
        trees = [t for part in found for t in np.split(part.symbols, part.starts[1:])]
        assert [t.tolist() for t in trees] == copies
