"""Trees from whatever holds them: tuples, dicts, brackets, syntax trees, JSON, parent arrays."""

import ast
import json
import re
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data._balanced_trees import balanced_tree
from sklseq.data._trees import Forest

__all__ = ["READERS", "read_forest", "walk_tuples"]


class _Nodes(NamedTuple):
    """One tree: parents (the root's is -1) and values of its nodes."""

    parents: Any
    values: list[Any]
    nested: bool = True
    is_result: NDArray[np.bool_] | None = None


Visit = Callable[[Any], tuple[Any, Iterable[Any]]]
"""Value and children of a node."""


def _walk(root: Any, visit: Visit, place: str) -> _Nodes:
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
        try:
            value, children = visit(node)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{place}, node {len(values)}: {error}") from error
        number = len(values)
        parents.append(parent)
        values.append(value)
        below = [(child, number, depth + 1) for child in children]
        if below:
            above.add(key)
            ancestors.append(key)
            stack.extend(reversed(below))
    return _Nodes(np.array(parents, dtype=np.int64), values)


def _visit_tuple(node: Any) -> tuple[Any, Iterable[Any]]:
    if not isinstance(node, tuple):
        return node, ()
    if not node:
        raise ValueError("is an empty tuple; a node is (value, child, ...).")
    return node[0], node[1:]


def walk_tuples(tree: Any, place: str) -> _Nodes:
    """Nodes of nested tuples in preorder."""
    return _walk(tree, _visit_tuple, place)


def _visit_dict(node: Any) -> tuple[Any, Iterable[Any]]:
    if not isinstance(node, dict):
        return node, ()
    unknown = node.keys() - {"value", "children"}
    if unknown:
        raise ValueError(
            f"has the key {min(map(repr, unknown))}; a node is {{'value': ..., 'children': [...]}}."
        )
    return node.get("value"), node.get("children") or ()


def _visit_labelled(node: Any) -> tuple[Any, Iterable[Any]]:
    if not _is_labelled(node):
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


def _read_brackets(text: Any, place: str) -> _Nodes:
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
    return _Nodes(np.array(parents, dtype=np.int64), values)


def _read_ast(tree: Any, place: str) -> _Nodes:
    if isinstance(tree, str):
        try:
            tree = ast.parse(tree)
        except SyntaxError as error:
            raise ValueError(f"{place} is not Python: {error}.") from error
    if not isinstance(tree, ast.AST):
        raise TypeError(f"{place} is a {type(tree).__name__}, not Python source or an ast.AST.")
    # ast shares the nodes of contexts and operators: they are leaves, so there is no cycle.
    return _walk(tree, _visit_ast, place)


def _read_json(tree: Any, place: str) -> _Nodes:
    if isinstance(tree, (str, bytes)):
        try:
            tree = json.loads(tree)
        except ValueError as error:
            raise ValueError(f"{place} is not JSON: {error}.") from error
    return _walk(tree, _visit_json, place)


def _read_parents(tree: Any, place: str) -> _Nodes:
    """``{"parents": ..., "symbols": ..., "features": ...}``, one entry for each node."""
    if not isinstance(tree, dict) or "parents" not in tree:
        raise TypeError(f"{place} is not a dict with 'parents'.")
    parents = np.array([-1 if p is None else p for p in tree["parents"]], dtype=np.int64)
    if parents.ndim != 1 or not len(parents):
        raise ValueError(f"{place} has no nodes: 'parents' needs one entry for each.")
    wrong = np.flatnonzero((parents < -1) | (parents >= len(parents)))
    if len(wrong):
        raise ValueError(
            f"{place}, node {wrong[0]} has the parent {parents[wrong[0]]}, but the nodes are 0 to "
            f"{len(parents) - 1} (and -1 is the parent of the root)."
        )
    columns = []
    for name in ("symbols", "features"):
        column = tree.get(name)
        if column is not None and len(column) != len(parents):
            raise ValueError(
                f"{place} has {len(parents)} nodes, but {len(column)} entries in {name!r}."
            )
        columns.append([None] * len(parents) if column is None else list(column))
    symbols, features = columns
    vectors = [None if f is None else np.atleast_1d(np.asarray(f, dtype=float)) for f in features]
    return _Nodes(parents, list(zip(symbols, vectors, strict=True)), nested=False)


def _read_sequence(steps: Any, place: str) -> _Nodes:
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
    return _Nodes(parents, values, nested=False, is_result=is_leaf)


def _walker(visit: Visit) -> Callable[[Any, str], _Nodes]:
    return lambda tree, place: _walk(tree, visit, place)


READERS: dict[str, Callable[[Any, str], _Nodes]] = {
    "tuples": walk_tuples,
    "dicts": _walker(_visit_dict),
    "nltk": _walker(_visit_labelled),
    "brackets": _read_brackets,
    "ast": _read_ast,
    "json": _read_json,
    "parents": _read_parents,
    "sequence": _read_sequence,
}
"""Readers by name: a tree, and how messages call it, to nodes."""


def _is_labelled(tree: Any) -> bool:
    return callable(getattr(tree, "label", None)) and hasattr(tree, "__iter__")


def _recognise(tree: Any, place: str) -> str:
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
    if _is_labelled(tree):
        return "nltk"
    if isinstance(tree, (list, np.ndarray)):
        return "sequence"
    named = ", ".join(map(repr, READERS))
    raise TypeError(
        f"{place} is a {type(tree).__name__}, which could be read in several ways: name the "
        f"reader, one of {named}, or give the pair (value function, children function)."
    )


def _tree(i: int) -> str:
    return f"Tree {i}"


def read_forest(
    X: Iterable[Any],
    *,
    reader: Any = "auto",
    dtype: DTypeLike = np.float64,
    name_of: Callable[[int], str] = _tree,
) -> Forest:
    """Read trees.

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
        What messages call each tree.

    Returns
    -------
    Forest

    Raises
    ------
    ValueError, TypeError
        Naming the tree and the node at fault.

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
            chosen = _recognise(tree, place) if reader == "auto" else reader
            trees.append(READERS[chosen](tree, place))
        else:
            trees.append(_walk(tree, _user_visit(*reader), place))
    if not trees:
        raise ValueError("Found array with 0 sample(s): X holds no tree; 1 is required.")
    return _stack(trees, dtype, name_of)


def _user_visit(value_of: Callable[[Any], Any], children_of: Callable[[Any], Any]) -> Visit:
    return lambda node: (value_of(node), children_of(node))


def _stack(trees: list[_Nodes], dtype: DTypeLike, name_of: Callable[[int], str]) -> Forest:
    sizes = np.array([len(t.values) for t in trees])
    starts = np.cumsum(sizes) - sizes
    parents = np.concatenate(
        [np.where(t.parents < 0, -1, t.parents + s) for t, s in zip(trees, starts, strict=True)]
    )
    symbols = np.full(len(parents), None, dtype=object)
    vectors: list[tuple[int, NDArray[Any]]] = []
    kind: type | None = None
    node = 0
    for i, tree in enumerate(trees):
        for j, value in enumerate(tree.values):
            try:
                symbol, vector = _split_value(value)
                if symbol is not None:
                    kind = _same_kind(symbol, kind)
                    symbols[node] = symbol
                if vector is not None:
                    if vectors and len(vector) != len(vectors[0][1]):
                        raise ValueError(
                            f"has {len(vector)} features, but others have {len(vectors[0][1])}."
                        )
                    vectors.append((node, vector))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name_of(i)}, node {j} {error}") from error
            node += 1
    features = None
    has_features = np.zeros(node, dtype=bool)
    has_features[[at for at, _ in vectors]] = True
    if vectors:
        features = np.zeros((node, len(vectors[0][1])), dtype=dtype)
        with np.errstate(over="ignore"):
            features[[at for at, _ in vectors]] = np.array([v for _, v in vectors])
        _check_finite(features, starts, name_of)
    masks = [np.ones(len(t.values), bool) if t.is_result is None else t.is_result for t in trees]
    return Forest(
        parents,
        sizes,
        symbols if kind is not None or features is None else None,
        features,
        np.array([t.nested for t in trees]),
        np.concatenate(masks),
        has_features,
    )


def _split_value(value: Any) -> tuple[Any, NDArray[Any] | None]:
    """Symbol and feature vector of a node, None for what it does not have."""
    if value is None or isinstance(value, str):
        return (None if value is None else str(value)), None
    if isinstance(value, (Integral, np.bool_)):
        return int(value), None
    if isinstance(value, tuple) and len(value) == 2:
        symbol, vector = _split_value(value[0])[0], value[1]
        return symbol, None if vector is None else _split_value(np.asarray(vector))[1]
    if isinstance(value, (Real, list, np.ndarray)):
        vector = np.atleast_1d(np.asarray(value))
        if vector.ndim == 1 and vector.dtype.kind in "biuf" and len(vector):
            return None, vector.astype(np.float64)
    raise TypeError(
        f"has the value {value!r}: a value is a symbol (str or int), a vector of numbers, the pair "
        "(symbol, vector), or None."
    )


def _same_kind(symbol: Any, kind: type | None) -> type:
    if kind is not None and not isinstance(symbol, kind):
        raise ValueError(
            f"has the symbol {symbol!r}, but symbols before are of type {kind.__name__}: use one "
            "type for all."
        )
    return type(symbol)


def _check_finite(
    features: NDArray[Any], starts: NDArray[np.int64], name_of: Callable[[int], str]
) -> None:
    if np.isfinite(features).all():
        return
    node, feature = np.argwhere(~np.isfinite(features))[0]
    tree = int(np.searchsorted(starts, node, side="right")) - 1
    what = "NaN" if np.isnan(features[node, feature]) else "infinity"
    raise ValueError(
        f"Input X contains {what}: {name_of(tree).lower()}, node {node - starts[tree]}, feature "
        f"{feature} (or a value too large for {features.dtype})."
    )
