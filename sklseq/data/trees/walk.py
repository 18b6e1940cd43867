"""From a root and its children's children to nodes, without recursion."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sklseq.data.trees.values import Nodes

__all__ = ["Visit", "walk"]


Visit = Callable[[Any], tuple[Any, Iterable[Any]]]
"""Value and children of a node."""

# Deeper trees are taken for cycles of nodes that are made anew at each visit.
_MAX_DEPTH = 10**6
# Nodes read before a tree is first searched for subtrees that stand at many places, and the most
# such places: training on them takes a gigabyte.
_MANY, _MAX_SHARED = 10_000, 1 << 17
# Places of a shared node that are worth a word.
_OFTEN = 10


def walk(root: Any, place: str, visit: Visit) -> Nodes:
    """Nodes in preorder, without recursion.

    Raises
    ------
    ValueError, TypeError
        Naming the node at fault: one that is its own ancestor, or has no children to go through;
        or the tree, if its shared subtrees stand at too many places.
    """
    parents: list[int] = []
    values: list[Any] = []
    # Ancestors are held, or a node that is made when asked for could get the id of one.
    ancestors: list[Any] = []
    above: set[Any] = set()
    stack: list[tuple[Any, int, int]] = [(root, -1, 0)]
    next_search = _MANY
    while stack:
        node, parent, depth = stack.pop()
        above.difference_update(map(_key, ancestors[depth:]))
        del ancestors[depth:]
        number = len(values)
        if (key := _key(node)) in above:
            raise ValueError(f"{place} has a cycle: node {number} is its own ancestor.")
        if depth > _MAX_DEPTH:
            raise ValueError(
                f"{place}, node {number} is more than {_MAX_DEPTH:,} levels deep: it seems that "
                "children lead back to their ancestors."
            )
        try:
            value, below = _visit(node, visit)
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{place}, node {number}: {error}") from error
        except Exception as error:  # of a reader of the user's
            error.add_note(f"while reading {place.lower()}, node {number}")
            raise
        parents.append(parent)
        values.append(value)
        if below:
            above.add(key)
            ancestors.append(node)
            stack.extend((child, number, depth + 1) for child in reversed(below))
        if number == next_search:
            # A search that ended has the last word.
            ended = _check_shared(root, visit, place, number // _OFTEN)
            next_search = 0 if ended else 4 * next_search
    return Nodes(np.array(parents, dtype=np.int64), values)


def _key(node: Any) -> Any:
    """What tells a node from others: numbers and strings stand for nodes in a user's reader."""
    return node if isinstance(node, (int, str)) else (id(node),)


def _visit(node: Any, visit: Visit) -> tuple[Any, list[Any]]:
    value, children = visit(node)
    if isinstance(children, (str, bytes)):
        raise TypeError(f"has the {type(children).__name__} {children!r} for children.")
    return value, list(children)


def _check_shared(root: Any, visit: Visit, place: str, budget: int) -> bool:
    """Warn where a few nodes stand at many places each; refuse them where memory would not do.

    Returns
    -------
    bool
        Whether the search ended before it had seen as many nodes as it may.
    """
    n_places, n_distinct = _count_inner(root, visit, budget)
    if n_places <= _OFTEN * n_distinct:
        return n_distinct > 0
    message = (
        f"{place} shares subtrees: {n_distinct:,} nodes with children stand at {n_places:,} "
        "places, and each place is read and computed. Give shared subtrees as leaves that name "
        "them, or cut the tree at some depth."
    )
    if n_places > _MAX_SHARED:
        raise ValueError(message)
    warnings.warn(message, UserWarning, stacklevel=2)
    return True


def _count_inner(root: Any, visit: Visit, budget: int) -> tuple[int, int]:
    """Places of nodes with children, and how many such nodes there are; 0 of more than `budget`."""
    places: dict[Any, int] = {}
    held: list[Any] = []  # so that ids stay theirs
    stack: list[tuple[Any, list[Any] | None]] = [(root, None)]
    while stack:
        node, children = stack.pop()
        key = _key(node)
        if children is not None:  # all of them are counted, but those of a cycle
            places[key] = 1 + sum(places.get(_key(child), 0) for child in children)
        elif key not in places:
            held.append(node)
            places[key] = 0
            if below := _visit(node, visit)[1]:
                held.append(below)
                stack.append((node, below))
                stack.extend((child, None) for child in below)
        if len(held) > 2 * budget:
            return 0, 0
    return places[_key(root)], sum(map(bool, places.values()))
