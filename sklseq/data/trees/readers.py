"""Trees from whatever holds them: tuples, dicts, brackets, syntax trees, JSON, parent arrays."""

import ast
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.trees.balanced import balanced_tree
from sklseq.data.trees.brackets import parse_brackets
from sklseq.data.trees.forest import Forest
from sklseq.data.trees.json_text import read_json
from sklseq.data.trees.values import (
    Nodes,
    as_vector,
    is_missing,
    kind_of_item,
    plain_array,
    stack_nodes,
)
from sklseq.data.trees.walk import Visit, walk

__all__ = ["READERS", "read_forest", "walk_tuples"]


def _visit_tuple(node: Any) -> tuple[Any, Iterable[Any]]:
    if not isinstance(node, tuple):
        return node, ()
    if not node:
        raise ValueError("is an empty tuple; a node is (value, child, ...).")
    return node[0], node[1:]


def walk_tuples(tree: Any, place: str) -> Nodes:
    """Nodes of nested tuples in preorder."""
    return walk(tree, place, _visit_tuple)


def _visit_dict(node: Any) -> tuple[Any, Iterable[Any]]:
    if not isinstance(node, dict):
        return node, ()
    unknown = node.keys() - {"value", "children"}
    if unknown:
        raise ValueError(
            f"has the key {min(map(repr, unknown))}; a node is {{'value': ..., 'children': [...]}}."
        )
    return node.get("value"), node.get("children") or ()


def _visit_labeled(node: Any) -> tuple[Any, Iterable[Any]]:
    if not _is_labeled(node):
        return node, ()
    return node.label(), node


def _visit_ast(node: Any) -> tuple[Any, Iterable[Any]]:
    return type(node).__name__, ast.iter_child_nodes(node)


def _read_brackets(text: Any, place: str) -> Nodes:
    tree = parse_brackets(text, place)
    return Nodes(tree.parents, tree.values)


def _read_ast(tree: Any, place: str) -> Nodes:
    if isinstance(tree, (str, bytes)):
        try:
            tree = ast.parse(tree)
        except (SyntaxError, ValueError) as error:  # ValueError is of null characters
            raise ValueError(f"{place} is not Python: {error}.") from error
        except (RecursionError, MemoryError) as error:
            raise ValueError(f"{place} is nested too deep for Python's parser.") from error
    if not isinstance(tree, ast.AST):
        raise TypeError(f"{place} is {kind_of_item(tree)}, not Python source or an ast.AST.")
    # ast shares the nodes of contexts and operators: they are leaves, so there is no cycle.
    return walk(tree, place, _visit_ast)


def _read_parents(tree: Any, place: str) -> Nodes:
    """``{"parents": ..., "symbols": ..., "features": ...}``, one entry for each node."""
    if not isinstance(tree, dict) or "parents" not in tree:
        raise TypeError(f"{place} is {kind_of_item(tree)}, not a dict with 'parents'.")
    if unknown := tree.keys() - {"parents", "symbols", "features"}:
        raise ValueError(
            f"{place} has the key {min(map(repr, unknown))}: 'parents' may come with "
            "'symbols' and 'features'."
        )
    parents = _parent_numbers(tree["parents"], place)
    symbols, features = (
        [None] * len(parents) if tree.get(name) is None else list(plain_array(tree[name]))
        for name in ("symbols", "features")
    )
    for name, column in (("symbols", symbols), ("features", features)):
        if len(column) != len(parents):
            raise ValueError(
                f"{place} has {len(parents)} nodes, but {len(column)} entries in {name!r}."
            )
    return Nodes(parents, list(zip(symbols, features, strict=True)), nested=False)


def _parent_numbers(parents: Any, place: str) -> NDArray[np.int64]:
    # None may have become NaN in pandas.
    numbers = np.array([-1 if is_missing(parent) else parent for parent in plain_array(parents)])
    if numbers.ndim != 1 or not len(numbers):
        raise ValueError(f"{place} has no nodes: 'parents' needs one entry for each.")
    if numbers.dtype.kind not in "iu" and not _are_whole(numbers):
        raise TypeError(f"{place} has parents of type {numbers.dtype}: they are numbers of nodes.")
    wrong = np.flatnonzero((numbers < -1) | (numbers >= len(numbers)))
    if len(wrong):
        raise ValueError(
            f"{place}, node {wrong[0]} has the parent {numbers[wrong[0]]}, but the nodes are 0 to "
            f"{len(numbers) - 1} (and -1 is the parent of the root)."
        )
    return numbers.astype(np.int64)


def _are_whole(numbers: NDArray[Any]) -> bool:
    return numbers.dtype.kind == "f" and bool((numbers == np.trunc(numbers)).all())


def _read_sequence(steps: Any, place: str) -> Nodes:
    """A balanced binary tree over the steps, which are its leaves."""
    steps = plain_array(steps)
    if isinstance(steps, (str, bytes, dict)) or not hasattr(steps, "__len__"):
        raise TypeError(f"{place} is {kind_of_item(steps)}, not a sequence of steps.")
    if not len(steps):
        raise ValueError(f"{place} is empty: every sequence needs at least one step.")
    parents, leaves = balanced_tree(len(steps))
    values: list[Any] = [None] * len(parents)
    for t, (leaf, step) in enumerate(zip(leaves, steps, strict=True)):
        try:
            # Beside vectors of numbers, an integer is a number too.
            values[leaf] = step if isinstance(step, str) else as_vector(step)
        except TypeError as error:
            raise TypeError(
                f"{place}, step {t}: argument must be a string or a number, or a vector of "
                f"numbers, but it {error}"
            ) from error
    is_leaf = np.zeros(len(parents), dtype=bool)
    is_leaf[leaves] = True
    return Nodes(parents, values, nested=False, is_result=is_leaf)


READERS: dict[str, Callable[[Any, str], Nodes]] = {
    "tuples": walk_tuples,
    "dicts": partial(walk, visit=_visit_dict),
    "nltk": partial(walk, visit=_visit_labeled),
    "brackets": _read_brackets,
    "ast": _read_ast,
    "json": read_json,
    "parents": _read_parents,
    "sequence": _read_sequence,
}
"""Readers by name: a tree, and how messages call it, to nodes."""


def _is_labeled(tree: Any) -> bool:
    return callable(getattr(tree, "label", None)) and hasattr(tree, "__iter__")


def _recognize(tree: Any, place: str) -> str:
    """The reader of what cannot be mistaken for something else."""
    if isinstance(tree, tuple):
        return "tuples"
    if isinstance(tree, dict):
        if "parents" in tree:
            return "parents"
        if "children" in tree or "value" in tree:
            return "dicts"
    if isinstance(tree, ast.AST):
        return "ast"
    if _is_labeled(tree):
        return "nltk"
    if isinstance(tree, list) or (hasattr(tree, "__array__") and hasattr(tree, "__len__")):
        return "sequence"
    if is_missing(tree):
        raise TypeError(f"{place} is missing: leave out its row, of y too.")
    named = ", ".join(map(repr, READERS))
    raise TypeError(
        f"{place} is {kind_of_item(tree)}, which could be read in several ways: name the "
        f"reader, one of {named}, or give the pair (value function, children function)."
    )


def read_forest(
    X: Iterable[Any],
    *,
    reader: Any = "auto",
    dtype: DTypeLike = np.float64,
    name_of: Callable[[int], str] = "Tree {}".format,
) -> Forest:
    """Read trees.

    Raises ValueError or TypeError, naming the tree and the node at fault.

    Parameters
    ----------
    X : iterable of trees
        Nested tuples ``(value, child, ...)``, where a leaf may be its bare value; dicts with
        ``value`` and ``children``; objects like nltk's ``Tree``; ``ast.AST``; dicts with
        ``parents``, ``symbols``, ``features``; sequences, as balanced binary trees; and, where
        `reader` says so, bracket strings, Python source and JSON. A value is a symbol (str or
        int), a vector of numbers, the pair of both, or None.
    reader : str or (callable, callable), default="auto"
        Name of a reader, or the functions that give a node's value and its children.
    dtype : dtype, default=float64
        Of feature vectors.
    name_of : callable, default "Tree 0", "Tree 1", ...
        Name of each tree in messages.

    Returns
    -------
    Forest

    Examples
    --------
    >>> forest = read_forest([("max", "3", ("min", "1", "2")), ("7",)])
    >>> forest.sizes, forest.depth, forest.symbols[:3].tolist()
    (array([5, 1]), 2, ['max', '3', 'min'])
    """
    trees = []
    for i, tree in enumerate(X):
        place = name_of(i)
        if isinstance(reader, str):
            chosen = _recognize(tree, place) if reader == "auto" else reader
            trees.append(READERS[chosen](tree, place))
        else:
            trees.append(walk(tree, place, _visit_by(*reader)))
    if not trees:
        raise ValueError("Found array with 0 sample(s): X holds no tree; 1 is required.")
    return stack_nodes(trees, dtype, name_of)


def _visit_by(value_of: Callable[[Any], Any], children_of: Callable[[Any], Any]) -> Visit:
    return lambda node: (value_of(node), children_of(node))
