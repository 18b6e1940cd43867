"""ListOps: nested operations on digits, whose value needs the right tree."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklseq.datasets._common import check_at_least, object_array

_OPERATIONS: dict[str, Callable[[list[int]], int]] = {
    "MAX": max,
    "MIN": min,
    "MED": lambda values: int(np.median(values)),
    "SM": lambda values: sum(values) % 10,
}
_SHARE_OF_OPERATIONS = 0.25


def make_listops(
    n_samples: int = 100,
    *,
    max_depth: int = 20,
    max_arguments: int = 5,
    binary: bool = False,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Generate ListOps, a classification of trees.

    A tree is an operation on 2 to `max_arguments` trees or digits: "MAX", "MIN", "MED" (median,
    rounded down) or "SM" (sum modulo 10). Its class is its value, 0 to 9. A quarter of the
    arguments are operations themselves. All trees differ. A model that does not follow the tree,
    such as a network over the tokens or over a balanced tree of them, does far worse than one
    that does.

    Parameters
    ----------
    n_samples : int, default=100
        Number of trees, at least 1.
    max_depth : int, default=20
        Levels of a tree, at least 2; what stands on the last one is a digit.
    max_arguments : int, default=5
        Most arguments of an operation, at least 2.
    binary : bool, default=False
        Whether to give the trees of the paper, with two children at each inner node: an operation
        takes its arguments one after the other, and ends with "]".
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples,) and dtype object
        Nested tuples: ``("MAX", ("3",), ("MIN", ("1",), ("2",)))``, or with ``binary=True``
        ``(None, (None, (None, ("[MAX",), ("3",)), ...), ("]",))``.
    y : ndarray of shape (n_samples,)
        The value of each.

    Raises
    ------
    ValueError
        If a parameter is not as above; the message names which.

    See Also
    --------
    make_propositional_logic : Pairs of trees.

    References
    ----------
    N. Nangia and S. Bowman (2018). ListOps: a diagnostic dataset for latent tree learning. NAACL
    Student Research Workshop.

    Examples
    --------
    >>> from sklseq.datasets import make_listops
    >>> X, y = make_listops(n_samples=3, max_depth=3, random_state=0)
    >>> X[1], int(y[1])
    (('SM', ('2',), ('6',), ('SM', ('1',), ('6',))), 5)
    """
    n_samples = check_at_least("n_samples", n_samples, 1)
    max_depth = check_at_least("max_depth", max_depth, 2)
    max_arguments = check_at_least("max_arguments", max_arguments, 2)
    rng = check_random_state(random_state)
    found: dict[tuple[Any, ...], int] = {}
    while len(found) < n_samples:
        tree, value = _draw_tree(rng, 1, max_depth, max_arguments, operation=True)
        found[tree] = value
    trees = [_binary(tree) for tree in found] if binary else list(found)
    return object_array(trees), np.array(list(found.values()))


def _draw_tree(
    rng: RandomState, depth: int, max_depth: int, max_arguments: int, operation: bool = False
) -> tuple[tuple[Any, ...], int]:
    """A tree and its value."""
    if not operation and (depth >= max_depth or rng.random_sample() > _SHARE_OF_OPERATIONS):
        digit = int(rng.randint(10))
        return (str(digit),), digit
    n = rng.randint(2, max_arguments + 1)
    arguments = [_draw_tree(rng, depth + 1, max_depth, max_arguments) for _ in range(n)]
    name = list(_OPERATIONS)[rng.randint(len(_OPERATIONS))]
    value = _OPERATIONS[name]([v for _, v in arguments])
    return (name, *(tree for tree, _ in arguments)), value


def _binary(tree: tuple[Any, ...]) -> tuple[Any, ...]:
    name, *arguments = tree
    if not arguments:
        return tree
    node: tuple[Any, ...] = (f"[{name}",)
    for argument in arguments:
        node = (None, node, _binary(argument))
    return (None, node, ("]",))
