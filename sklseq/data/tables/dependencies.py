"""Columns that another column determines, in every row: kept so in the rows that are drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dependency", "dependencies_of"]

Decoded = tuple[NDArray[Any], NDArray[np.bool_]]
"""Values ``(n,)`` of a column as `Column.decode` gives them, and which of them are missing."""

# Probability that a column looks determined by another one though it does not depend on it.
_BY_CHANCE = 1e-6
# A column that determines another one has so many rows for each of its values, on average.
_ROWS_OF_VALUE = 5
# Rows that are looked at first: most pairs show there that they are not dependent.
_FIRST = 200


@dataclass(frozen=True)
class Dependency:
    """A column whose value another one determines.

    Parameters
    ----------
    column, on : int
        Places of both; `on` determines `column`.
    values : tuple of pairs or None
        Each value of `on`, and that of `column`, where None is missing; None if they are equal.
    """

    column: int
    on: int
    values: tuple | None

    _stored: ClassVar[dict[str, Any]] = {
        "column": "int",
        "on": "int",
        "values": "tuple of tuple of label or None",
    }

    def apply(self, parts: list[Any]) -> None:
        """Set the column's values in rows from those of the other one."""
        values, missing = parts[self.on]
        if self.values is None:
            parts[self.column] = values, missing
            return
        known = dict(self.values)
        old, old_missing = (part.copy() for part in parts[self.column])
        for row, key in enumerate(_keys(values, missing)):
            if key in known:
                old_missing[row] = known[key] is None
                old[row] = old[row] if old_missing[row] else known[key][0]
        parts[self.column] = old, old_missing


def dependencies_of(columns: Sequence[Decoded]) -> tuple[Dependency, ...]:
    """Which columns are determined by another one, in all rows and not by chance.

    Parameters
    ----------
    columns : sequence of (values, missing)
        Those of the training rows.
    """
    codes = [_codes(*column) for column in columns]
    found: list[Dependency] = []
    for b, of_b in enumerate(codes):
        if of_b.max(initial=0) == 0:
            continue  # constant
        determined = {d.column for d in found}
        for a, of_a in enumerate(codes):
            # In an order without cycles: none that is determined determines another.
            if a == b or a in determined or any(d.on == b for d in found):
                continue
            if _is_determined(of_b, of_a):
                found.append(Dependency(b, a, _pairs(columns[b], columns[a], of_a)))
                break
            if _are_equal(columns[b], columns[a]):
                found.append(Dependency(b, a, None))
                break
    return tuple(found)


def _codes(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[np.int64]:
    index: dict[Any, int] = {}
    keys = _keys(values, missing)
    return np.array([index.setdefault(key, len(index)) for key in keys], dtype=np.int64)


def _keys(values: NDArray[Any], missing: NDArray[np.bool_]) -> list[Any]:
    """Hashable values; 1 and True are equal, and yet two."""
    plain = zip(values.tolist(), missing.tolist(), strict=True)
    return [None if m else (v, isinstance(v, bool)) for v, m in plain]


def _is_determined(b: NDArray[np.int64], a: NDArray[np.int64]) -> bool:
    """Whether each value of a has one of b, in too many rows for that to be chance."""
    for n in (_FIRST, len(a)):
        n_values = len(np.unique(a[:n]))
        if len(np.unique(a[:n] * (b.max() + 1) + b[:n])) > n_values:
            return False
    if n_values * _ROWS_OF_VALUE > len(a):
        return False
    shares = np.bincount(b) / len(b)
    repeated = len(a) - n_values
    return repeated * -math.log((shares**2).sum()) > -math.log(_BY_CHANCE)


def _are_equal(b: Decoded, a: Decoded) -> bool:
    if b[0].dtype != a[0].dtype or len(b[0]) < 3 or not np.array_equal(b[1], a[1]):
        return False
    return bool(np.all((b[0] == a[0]) | b[1]))


def _pairs(b: Decoded, a: Decoded, of_a: NDArray[np.int64]) -> tuple:
    _, first = np.unique(of_a, return_index=True)
    return tuple(zip(_keys(a[0][first], a[1][first]), _keys(b[0][first], b[1][first]), strict=True))
