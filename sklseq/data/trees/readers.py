"""Trees from whatever holds them: tuples, dicts, brackets, syntax trees, JSON, parent arrays."""

import ast
import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.trees.balanced import balanced_tree
from sklseq.data.trees.forest import Forest
from sklseq.data.trees.values import Nodes, stack_nodes

__all__ = ["READERS", "read_forest", "walk_tuples"]


Visit = Callable[[Any], tuple[Any, Iterable[Any]]]
"""Value and children of a node."""


def _walk(root: Any, place: str, visit: Visit) -> Nodes:
    """Nodes in preorder, without recursion."""
    parents: list[int] = []
    values: list[Any] = []
    ancestors: list[Any] = []
    above: set[Any] = set()
    stack: list[tuple[Any, int, int]] = [(root, -1, 0)]
    while stack:
        node, parent, depth = stack.pop()
        above.difference_update(ancestors[depth:])
        del ancestors[depth:]
        # Numbers and strings may stand for nodes in a reader of the user's.
        key = node if isinstance(node, (int, str)) else id(node)
        if key in above:
            raise ValueError(f"{place} has a cycle: node {len(values)} is its own ancestor.")
        number = len(values)
        try:
            value, children = visit(node)
            if isinstance(children, (str, bytes)):
                raise TypeError(f"has the {type(children).__name__} {children!r} for children.")
            below = [(child, number, depth + 1) for child in children]
        except (ValueError, TypeError) as error:
            raise type(error)(f"{place}, node {number}: {error}") from error
        except Exception as error:  # of a reader of the user's
            error.add_note(f"while reading {place.lower()}, node {number}")
            raise
        parents.append(parent)
        values.append(value)
        if below:
            above.add(key)
            ancestors.append(key)
            stack.extend(reversed(below))
    return Nodes(np.array(parents, dtype=np.int64), values)


def _visit_tuple(node: Any) -> tuple[Any, Iterable[Any]]:
    if not isinstance(node, tuple):
        return node, ()
    if not node:
        raise ValueError("is an empty tuple; a node is (value, child, ...).")
    return node[0], node[1:]


def walk_tuples(tree: Any, place: str) -> Nodes:
    """Nodes of nested tuples in preorder."""
    return _walk(tree, place, _visit_tuple)


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


class _Member(NamedTuple):
    key: str
    value: Any


def _visit_json(node: Any) -> tuple[Any, Iterable[Any]]:
    if isinstance(node, _Member):
        return node.key, (node.value,)
    if isinstance(node, dict):
        return "object", [_Member(*item) for item in node.items()]
    if isinstance(node, list):
        return "array", node
    if node is None or isinstance(node, bool):
        return {None: "null", True: "true", False: "false"}[node], ()
    return (float(node) if isinstance(node, Real) else node), ()


_TOKENS = re.compile(r"\(|\)|[^\s()]+")


def _read_brackets(text: Any, place: str) -> Nodes:
    """``(label child ...)``: a word is a leaf; a bracket without a label has no value."""
    if not isinstance(text, str):
        raise TypeError(f"{place} is a {type(text).__name__}, not a string of brackets.")
    parents: list[int] = []
    values: list[Any] = []
    path: list[int] = []
    opened = False
    for match in _TOKENS.finditer(text):
        token = match.group()
        ended = values and not path and not (opened and len(values) == 1)
        if ended:
            raise ValueError(f"{place} goes on after its end: {token!r} at {match.start()}.")
        if token == ")":
            if not path:
                raise ValueError(f"{place} has a ')' without a '(' at {match.start()}.")
            path.pop()
        elif opened and token != "(":
            values[-1] = token
        else:
            parents.append(path[-1] if path else -1)
            values.append(None if token == "(" else token)
            if token == "(":
                path.append(len(values) - 1)
        opened = token == "("
    if path or not values:
        raise ValueError(
            f"{place} ends within {len(path)} open brackets." if path else f"{place} is empty."
        )
    return Nodes(np.array(parents, dtype=np.int64), values)


def _read_ast(tree: Any, place: str) -> Nodes:
    if isinstance(tree, str):
        try:
            tree = ast.parse(tree)
        except SyntaxError as error:
            raise ValueError(f"{place} is not Python: {error}.") from error
        except (RecursionError, MemoryError) as error:
            raise ValueError(f"{place} is nested too deep for Python's parser.") from error
    if not isinstance(tree, ast.AST):
        raise TypeError(f"{place} is a {type(tree).__name__}, not Python source or an ast.AST.")
    # ast shares the nodes of contexts and operators: they are leaves, so there is no cycle.
    return _walk(tree, place, _visit_ast)


def _read_json(tree: Any, place: str) -> Nodes:
    if isinstance(tree, (str, bytes)):
        try:
            tree = json.loads(tree)
        except ValueError as error:
            raise ValueError(f"{place} is not JSON: {error}.") from error
        except RecursionError as error:
            raise ValueError(
                f"{place} is nested too deep for json: parse it yourself and give its dicts and "
                "lists."
            ) from error
    return _walk(tree, place, _visit_json)._replace(may_mix=True)


def _read_parents(tree: Any, place: str) -> Nodes:
    """``{"parents": ..., "symbols": ..., "features": ...}``, one entry for each node."""
    if not isinstance(tree, dict) or "parents" not in tree:
        raise TypeError(f"{place} is not a dict with 'parents'.")
    if unknown := tree.keys() - {"parents", "symbols", "features"}:
        raise ValueError(
            f"{place} has the key {min(map(repr, unknown))}: 'parents' may come with "
            "'symbols' and 'features'."
        )
    parents = _parent_numbers(tree["parents"], place)
    symbols, features = (
        [None] * len(parents) if tree.get(name) is None else list(tree[name])
        for name in ("symbols", "features")
    )
    for name, column in (("symbols", symbols), ("features", features)):
        if len(column) != len(parents):
            raise ValueError(
                f"{place} has {len(parents)} nodes, but {len(column)} entries in {name!r}."
            )
    return Nodes(parents, list(zip(symbols, features, strict=True)), nested=False)


def _parent_numbers(parents: Any, place: str) -> NDArray[np.int64]:
    numbers = np.array([-1 if p is None else p for p in parents])
    if numbers.ndim != 1 or not len(numbers):
        raise ValueError(f"{place} has no nodes: 'parents' needs one entry for each.")
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"{place} has parents of type {numbers.dtype}: they are numbers of nodes.")
    wrong = np.flatnonzero((numbers < -1) | (numbers >= len(numbers)))
    if len(wrong):
        raise ValueError(
            f"{place}, node {wrong[0]} has the parent {numbers[wrong[0]]}, but the nodes are 0 to "
            f"{len(numbers) - 1} (and -1 is the parent of the root)."
        )
    return numbers.astype(np.int64)


def _read_sequence(steps: Any, place: str) -> Nodes:
    """A balanced binary tree over the steps, which are its leaves."""
    if isinstance(steps, str) or not hasattr(steps, "__len__"):
        raise TypeError(f"{place} is a {type(steps).__name__}, not a sequence of steps.")
    if not len(steps):
        raise ValueError(f"{place} is empty: every sequence needs at least one step.")
    parents, leaves = balanced_tree(len(steps))
    values: list[Any] = [None] * len(parents)
    for t, (leaf, step) in enumerate(zip(leaves, steps, strict=True)):
        try:
            # Beside vectors of numbers, an integer is a number too.
            values[leaf] = step if isinstance(step, str) else np.atleast_1d(np.asarray(step, float))
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"{place}, step {t} is {step!r}: argument must be a string or a number, or a "
                "vector of numbers."
            ) from error
    is_leaf = np.zeros(len(parents), dtype=bool)
    is_leaf[leaves] = True
    return Nodes(parents, values, nested=False, is_result=is_leaf)


READERS: dict[str, Callable[[Any, str], Nodes]] = {
    "tuples": walk_tuples,
    "dicts": partial(_walk, visit=_visit_dict),
    "nltk": partial(_walk, visit=_visit_labeled),
    "brackets": _read_brackets,
    "ast": _read_ast,
    "json": _read_json,
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
    if isinstance(tree, (list, np.ndarray)):
        return "sequence"
    named = ", ".join(map(repr, READERS))
    raise TypeError(
        f"{place} is a {type(tree).__name__}, which could be read in several ways: name the "
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
            trees.append(_walk(tree, place, _visit_by(*reader)))
    if not trees:
        raise ValueError("Found array with 0 sample(s): X holds no tree; 1 is required.")
    return stack_nodes(trees, dtype, name_of)


def _visit_by(value_of: Callable[[Any], Any], children_of: Callable[[Any], Any]) -> Visit:
    return lambda node: (value_of(node), children_of(node))
