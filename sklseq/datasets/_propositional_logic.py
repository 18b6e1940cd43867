"""Propositional logic: how two formulas are related."""

from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklseq.datasets._common import check_at_least, check_range, object_array

_VARIABLES = "abcdef"
_PER_PAIR = 4
_ROWS = 2**_PER_PAIR
_ALL = (1 << _ROWS) - 1
# Truth of each variable over all assignments, a bit for each.
_TABLES = [sum(1 << row for row in range(_ROWS) if row >> i & 1) for i in range(_PER_PAIR)]


def make_propositional_logic(
    n_samples: int = 100,
    n_operators: int | tuple[int, int] = (0, 6),
    *,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.str_]]:
    """Generate pairs of logical formulas and their relation, a classification of pairs of trees.

    Formulas have "and", "or", "not" and variables "a" to "f", at most four of them in a pair. The
    class of a pair is one of seven relations: "=" equivalence, "<" and ">" entailment in either
    direction, "^" negation, "|" exclusion (not both true), "v" cover (not both false), "#" none
    of these. Formulas that are always true or never are left out. All pairs differ.

    Parameters
    ----------
    n_samples : int, default=100
        Number of pairs, at least 1.
    n_operators : int or (int, int), default=(0, 6)
        Operators of the longer formula of each pair; or the smallest and the largest number, both
        included, from which it is drawn uniformly. The shorter one has any number up to it.
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples,) and dtype object
        Pairs of nested tuples such as ``("and", ("a",), ("not", ("b",)))``.
    y : ndarray of shape (n_samples,) and dtype str
        The relation of each.

    Raises
    ------
    ValueError
        If `n_samples` or `n_operators` is not as above; the message names which.

    References
    ----------
    S. Bowman, C. Manning and C. Potts (2015). Tree-structured composition in neural networks
    without tree-structured architectures. NIPS workshop on cognitive computation, section 3.

    Examples
    --------
    >>> from sklseq.datasets import make_propositional_logic
    >>> X, y = make_propositional_logic(n_samples=5, n_operators=2, random_state=0)
    >>> X[0], str(y[0])
    ((('not', ('or', ('f',), ('f',))), ('not', ('b',))), '#')
    """
    n_samples = check_at_least("n_samples", n_samples, 1)
    low, high = check_range("n_operators", n_operators, 0)
    rng = check_random_state(random_state)
    found: dict[tuple[Any, Any], str] = {}
    failures = 0
    while len(found) < n_samples:
        chosen = rng.permutation(len(_VARIABLES))[:_PER_PAIR]
        variables = {_VARIABLES[v]: table for v, table in zip(chosen, _TABLES, strict=True)}
        longer = int(rng.randint(low, high + 1))
        sizes = [longer, int(rng.randint(longer + 1))]
        if rng.randint(2):
            sizes.reverse()
        (left, x), (right, y) = (_draw_formula(rng, size, variables) for size in sizes)
        if x in (0, _ALL) or y in (0, _ALL) or (left, right) in found:
            failures += 1
            if failures > 1000 * n_samples:
                raise ValueError(
                    f"n_samples={n_samples} is more than there are pairs with n_operators="
                    f"{n_operators}."
                )
            continue
        found[left, right] = _relation(x, y)
    return object_array(list(found)), np.array(list(found.values()))


def _draw_formula(
    rng: RandomState, n_operators: int, variables: dict[str, int]
) -> tuple[tuple[Any, ...], int]:
    """A formula and its truth over all assignments."""
    if n_operators == 0:
        name = list(variables)[rng.randint(len(variables))]
        return (name,), variables[name]
    operator = ("not", "and", "or")[rng.randint(3)]
    if operator == "not":
        inner, truth = _draw_formula(rng, n_operators - 1, variables)
        return ("not", inner), _ALL ^ truth
    n_left = int(rng.randint(n_operators))
    left, x = _draw_formula(rng, n_left, variables)
    right, y = _draw_formula(rng, n_operators - 1 - n_left, variables)
    return (operator, left, right), (x & y if operator == "and" else x | y)


def _relation(x: int, y: int) -> str:
    if x == y:
        return "="
    if x & y == x:
        return "<"
    if x & y == y:
        return ">"
    if x & y == 0:
        return "^" if x | y == _ALL else "|"
    return "v" if x | y == _ALL else "#"
