"""Levels equal the recursion, for every cell and shape of tree."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from sklseq.data import Forest, read_forest
from sklseq.nn.trees.cells import COMPOSITIONS, TreeCell
from sklseq.nn.trees.levels import Children, RecursivePlan, TreePlan

ARITY = 4


class Mean(TreeCell):
    """A cell of somebody's own."""

    any_arity = True

    def leaf(self, x):
        return x.tanh()

    def compose(self, x, children):
        return (x + children.sum(children.states) / children.counts).tanh()


ALL = [*((name, cell, None) for name, cell in COMPOSITIONS.items()), ("own", Mean, None)]
ALL += [("rntn-2", COMPOSITIONS["rntn"], 2), ("mv-2", COMPOSITIONS["mv"], 2)]
each_cell = pytest.mark.parametrize(("cell", "rank"), [c[1:] for c in ALL], ids=[c[0] for c in ALL])


def parents_of_random_tree(rng, n):
    counts, parents = np.zeros(n, dtype=int), [-1]
    for i in range(1, n):
        parent = rng.choice(np.flatnonzero(counts[:i] < ARITY))
        counts[parent] += 1
        parents.append(int(parent))
    return parents


def forest(seed=0, sizes=(1, 9, 30, 2, 1)):
    rng = np.random.default_rng(seed)
    trees = [{"parents": parents_of_random_tree(rng, n)} for n in sizes]
    trees.append({"parents": [-1, 0, 1, 2, 3]})  # a chain
    trees.append({"parents": [-1, 0, 0, 0, 0]})  # a star
    return read_forest(trees)


def make(cell, rank=None, dtype=torch.float64, size=4, seed=0):
    torch.manual_seed(seed)
    return cell(3, size, ARITY, rank).to(dtype)


def inputs_for(plan, dtype=torch.float64, seed=0):
    x = np.random.default_rng(seed).normal(size=(plan.levels.nodes.max() + 1, 3))
    return torch.from_numpy(x[plan.levels.nodes]).to(dtype).requires_grad_()


@each_cell
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_levels_equal_the_recursion(cell, rank, direction, dtype, tolerance):
    trees = forest()
    levels = trees.levels(np.arange(len(trees))[::-1])
    cell = make(cell, rank, dtype)
    results = []
    for engine in (TreePlan, RecursivePlan):
        plan = engine(levels)
        x = inputs_for(plan, dtype)
        states = getattr(plan, direction)(cell, x)[:, : cell.hidden_size]
        weights = torch.from_numpy(np.random.default_rng(1).normal(size=states.shape)).to(dtype)
        gradients = torch.autograd.grad(
            (states * weights).mean(), [x, *cell.parameters()], allow_unused=True
        )
        results.append([states, *gradients])
    for ours, twin in zip(*results, strict=True):
        assert (ours is None) == (twin is None)
        if ours is not None:
            assert ours.shape == twin.shape
            torch.testing.assert_close(ours, twin, atol=tolerance, rtol=tolerance)


@each_cell
def test_a_tree_alone_has_the_states_it_has_among_others(cell, rank):
    trees, cell = forest(), make(cell, rank)
    together = TreePlan(trees.levels(range(len(trees))))
    states = together.up(cell, inputs_for(together))[together.roots]
    for i in range(len(trees)):
        alone = TreePlan(trees.levels([i]))
        x = np.random.default_rng(0).normal(size=(trees.n_nodes, 3))[alone.levels.nodes]
        own = alone.up(cell, torch.from_numpy(x))[alone.roots]
        torch.testing.assert_close(own, states[i : i + 1], atol=1e-12, rtol=1e-12)


@each_cell
@pytest.mark.parametrize("engine", [TreePlan, RecursivePlan])
def test_inputs_by_kind_are_those_of_each_node(cell, rank, engine):
    trees, cell = forest(), make(cell, rank)
    plan = engine(trees.levels(range(len(trees))))
    kinds = torch.from_numpy(np.random.default_rng(0).integers(3, size=trees.n_nodes))
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 3))).requires_grad_()
    results = []
    for given in ((x, kinds), (x[kinds], None)):
        states = plan.up(cell, *given)
        results.append([states, *torch.autograd.grad(states.square().sum(), x)])
    for by_kind, by_node in zip(*results, strict=True):
        torch.testing.assert_close(by_kind, by_node, atol=1e-12, rtol=1e-10)


def test_a_step_in_all_entries_of_the_tensor_is_one_in_those_of_the_matrix():
    """So that a solver with steps of one size for each entry does not saturate the states."""
    states = []
    for name in ("tensor", "w"):
        cell = make(COMPOSITIONS["rntn"])
        with torch.no_grad():
            getattr(cell, name).add_(0.01)
        only, places = torch.zeros(ARITY, dtype=torch.int64), torch.arange(ARITY)
        children = Children(torch.ones(ARITY, 4).double(), only, places, 1)
        states.append(cell.compose(torch.zeros(1, 4).double(), children))
    torch.testing.assert_close(*states)


@each_cell
def test_the_numbering_of_nodes_does_not_matter(cell, rank):
    """Other numbers for the same nodes, children in the same order: the same states."""
    parents = np.array(parents_of_random_tree(np.random.default_rng(0), 20))
    x = np.random.default_rng(1).normal(size=(20, 3))
    # Nodes by depth, deepest first, siblings in their order: children before their parents.
    depth = np.zeros(20, dtype=int)
    for i in range(1, 20):
        depth[i] = depth[parents[i]] + 1
    order = np.argsort(-depth, kind="stable")
    place = np.argsort(order)
    renumbered = np.where(parents[order] < 0, -1, place[parents[order]])
    cell = make(cell, rank)
    states = []
    for p, values in ((parents, x), (renumbered, x[order])):
        plan = TreePlan(Forest(p, np.array([20])).levels([0]))
        states.append(plan.up(cell, torch.from_numpy(values[plan.levels.nodes]))[plan.roots])
    torch.testing.assert_close(*states, atol=1e-12, rtol=1e-12)


@each_cell
def test_order_of_children_counts_only_where_it_should(cell, rank):
    cell = make(cell, rank)
    states = []
    for order in ([0, 1, 2], [0, 2, 1]):
        plan = TreePlan(Forest(np.array([-1, 0, 0]), np.array([3])).levels([0]))
        x = np.random.default_rng(0).normal(size=(3, 3))[order]
        states.append(plan.up(cell, torch.from_numpy(x))[plan.roots, : cell.hidden_size])
    assert torch.allclose(*states, atol=1e-12) == cell.any_arity


@each_cell
def test_gradients(cell, rank):
    cell = make(cell, rank, size=2)
    plan = TreePlan(forest(sizes=(6, 1)).levels([1, 0, 2]))
    x = inputs_for(plan)
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def run(x, *values):
        states = torch.func.functional_call(
            _Run(cell, plan), {f"cell.{n}": v for n, v in zip(names, values, strict=True)}, (x,)
        )
        return states[plan.roots]

    assert gradcheck(run, (x, *parameters))


class _Run(nn.Module):
    def __init__(self, cell, plan):
        super().__init__()
        self.cell, self.plan = cell, plan

    def forward(self, x):
        return self.plan.up(self.cell, x)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_depth_of_ten_thousand(name):
    depth = 10_000 if name == "lstm" else 300  # the levels run alike for all cells
    plan = TreePlan(Forest(np.arange(depth) - 1, np.array([depth])).levels([0]))
    cell = make(COMPOSITIONS[name], dtype=torch.float32, size=2)
    x = inputs_for(plan, torch.float32)
    plan.up(cell, x)[plan.roots].sum().backward()
    assert x.grad.isfinite().all()


def test_the_recursion_says_when_a_tree_is_too_deep_for_it():
    plan = RecursivePlan(Forest(np.arange(10_000) - 1, np.array([10_000])).levels([0]))
    with pytest.raises(ValueError, match=r"10000 levels.*engine='levels'"):
        plan.up(make(Mean), inputs_for(plan))


@each_cell
@pytest.mark.parametrize("direction", ["up", "down"])
def test_on_the_meta_device(cell, rank, direction):
    plan = TreePlan(forest().levels([1, 0]), "meta")
    cell = make(cell, rank).to("meta")
    x = torch.empty(len(plan.levels.nodes), 3, dtype=torch.float64, device="meta")
    states = getattr(plan, direction)(cell, x)
    assert states.shape == (len(x), cell.state_size)
    assert states.device.type == "meta"


def test_children_by_hand():
    states = torch.tensor([[1.0], [2.0], [3.0]])
    children = Children(states, torch.tensor([0, 2, 2]), torch.tensor([0, 1, 0]), 3)
    assert children.sum(states).ravel().tolist() == [1, 0, 5]
    assert children.counts.ravel().tolist() == [1, 0, 2]
    assert children.spread(states, 2)[..., 0].tolist() == [[1, 0], [0, 0], [3, 2]]
