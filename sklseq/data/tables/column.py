"""A column of a table: what it holds, how a network sees it, and how it is written again."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sklseq.data.tables.column_values import (
    as_booleans,
    as_codes,
    as_numbers,
    check_integers,
    declared_categories,
    holds,
    kind_of,
    seen_categories,
)
from sklseq.data.tables.normal_scale import NormalScale
from sklseq.data.tables.times import UNITS, in_unit, ticks, unit_of
from sklseq.data.tables.times import written as written_times

__all__ = ["Column"]

# How a missing value is written, by the name of its type.
_MARKERS = {"NoneType": "None", "NAType": "NA", "NaTType": "NaT"}


@dataclass(frozen=True)
class Column:
    """What is known of one column: plain data, which is stored safely.

    Parameters
    ----------
    name : hashable
    kind : {"number", "boolean", "time", "category"}
    dtype : str
        pandas' name of it.
    missing : {"None", "nan", "NA", "NaT"} or None
        How a missing value is written; None if none was seen.
    scale : NormalScale or None
        Of numbers and times, if any was seen.
    categories : tuple
        Those seen.
    declared : tuple or None
        All categories of a categorical dtype, in its order.
    declared_dtype : str
        Their type.
    ordered : bool
        Whether the categorical dtype is.
    holds : str
        Name of the type of the values, in a column of objects of one type.
    unit : str
        Of times, as numpy names it: they are whole numbers of it.
    by_rank : bool
        Whether a network sees a category as a number, its rank among them: see `ranked`.
    """

    name: Hashable
    kind: str
    dtype: str
    missing: str | None = None
    scale: NormalScale | None = None
    categories: tuple = ()
    declared: tuple | None = None
    declared_dtype: str = ""
    ordered: bool = False
    holds: str = ""
    unit: str = ""
    by_rank: bool = False

    _stored: ClassVar[dict[str, Any]] = {
        "name": "label",
        "kind": "str",
        "dtype": "str",
        "missing": "str or None",
        "scale": (NormalScale, None),
        "categories": "tuple of label",
        "declared": "tuple of label or None",
        "declared_dtype": "str",
        "ordered": "bool",
        "holds": "str",
        "unit": "str",
        "by_rank": "bool",
    }

    def check_stored(self) -> None:
        """Refuse kinds that no column has."""
        if self.kind not in ("number", "boolean", "time", "category"):
            raise ValueError(f"a column is of the kind {self.kind!r}.")
        for name in (self.dtype, self.declared_dtype if self.declared is not None else "O"):
            _check_dtype(name)
        if self.missing not in (None, "nan", *_MARKERS.values()):
            raise ValueError(f"missing values of a column are {self.missing!r}.")
        if self.unit not in ("", *UNITS):
            raise ValueError(f"times of a column are in {self.unit!r}.")
        if self.by_rank and (self.kind != "category" or self.scale is None):
            raise ValueError("a column without categories has no ranks.")

    @classmethod
    def of(cls, series: Any) -> Self:
        """Describe a column of a DataFrame.

        Raises TypeError if it holds neither numbers nor booleans nor times nor categories,
        ValueError if a number is infinite, or an integer too large to be distinguished from its
        neighbors.
        """
        kind, missing = kind_of(series), series.isna().to_numpy()
        known: dict[str, Any] = {"name": series.name, "kind": kind, "dtype": str(series.dtype)}
        if missing.any():
            marker = type(series[missing].iloc[0]).__name__
            known["missing"] = _MARKERS.get(marker, "nan")
        known["holds"] = holds(series, missing)
        if kind == "time" and not missing.all():
            known["unit"] = unit_of(times := ticks(series, missing))
            known["scale"] = NormalScale.of(in_unit(times, known["unit"]), 0)
        if kind == "number" and not missing.all():
            x = as_numbers(series, missing)
            if series.dtype.kind == "f" and series.dtype.itemsize < 8:
                # 0.1 has one decimal in its own precision, and many in another.
                x = x.astype(f"f{series.dtype.itemsize}")
            is_whole = series.dtype.kind in "iu" or known["holds"] == "int"
            known["scale"] = NormalScale.of(x, 0 if is_whole else None)
        if kind == "category":
            known["categories"] = seen_categories(series, missing)
        if hasattr(series.dtype, "categories"):
            known["declared"] = declared_categories(series.dtype)
            known["declared_dtype"] = str(series.dtype.categories.dtype)
            known["ordered"] = bool(series.dtype.ordered)
        return cls(**known)

    @classmethod
    def of_numbers(cls, name: Hashable, x: NDArray[np.float64], dtype: np.dtype[Any]) -> Self:
        """Describe a column of an array of integers or booleans as that of a DataFrame."""
        if dtype.kind == "b":
            return cls(name, "boolean", dtype.name)
        check_integers(x, name)
        return cls(name, "number", dtype.name, scale=NormalScale.of(x, 0))

    @property
    def width(self) -> int:
        """Numbers that encode the value, without the indicator of missing ones."""
        return len(self.categories) if self.seen_as == "category" else 1

    @property
    def is_integer(self) -> bool:
        """Whether it holds whole numbers, by its dtype."""
        names = self.dtype.lower(), self.holds
        return self.kind == "number" and any(n.startswith(("int", "uint")) for n in names)

    @property
    def seen_as(self) -> str:
        """What a network takes it for: a "number", a "boolean" or a "category"."""
        return "number" if self.kind == "time" or self.by_rank else self.kind

    def ranked(self, series: Any) -> Self:
        """The column, seen by the ranks of its categories: one number instead of one for each.

        For identifiers, of which there is nothing to learn but that they occur.
        """
        ranks = as_codes(series, series.isna().to_numpy(), self.categories).astype(np.float64)
        return replace(self, by_rank=True, scale=NormalScale.of(ranks, 0))

    def encode(self, series: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a network sees: values ``(n, width)``, and half widths ``(n,)`` of the intervals.

        Where some values were missing in `fit`, the indicator comes first. Zeros stand for what is
        missing.
        """
        missing = series.isna().to_numpy()
        if missing.any() and self.missing is None:
            raise ValueError(
                f"Column {self.name!r} is missing at row {missing.argmax()}, but no missing value "
                "was seen in fit: fill it in, or fit with rows where it is missing."
            )
        there = np.flatnonzero(~missing)
        values, half_widths = np.zeros((len(series), self.width)), np.zeros(len(series))
        if self.seen_as == "category":
            values[there, as_codes(series, missing, self.categories)] = 1
        elif self.kind == "boolean":
            values[there, 0] = as_booleans(series, missing)
        elif self.scale is not None:
            values[there, 0], half_widths[there] = self.scale.intervals(self._x(series, missing))
        if self.missing is not None:
            values = np.column_stack([missing, values])
        return values, half_widths

    def _x(self, series: Any, missing: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Numbers or times that are there, as numbers."""
        if self.by_rank:
            return as_codes(series, missing, self.categories).astype(np.float64)
        if self.kind == "time":
            return in_unit(ticks(series, missing), self.unit)
        return as_numbers(series, missing)

    def encode_numbers(
        self, x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`encode` for numbers of an array, all of which are there."""
        if self.scale is not None:
            return self.scale.intervals(x)
        if len(wrong := np.flatnonzero((x != 0) & (x != 1))):
            raise ValueError(
                f"Column {self.name!r} is {x[wrong[0]]:g} at row {wrong[0]}, which is not a "
                "boolean."
            )
        return x, np.zeros(len(x))

    def decode(self, values: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """What stands for values of the column, for `written`, and which of them are missing.

        They are as `encode` gives them; of categories, booleans and indicators probabilities will
        do.
        """
        missing = np.zeros(len(values), dtype=bool)
        if self.missing is not None:
            missing, values = values[:, 0] > 0.5, values[:, 1:]
        if self.kind == "boolean":
            return values[:, 0], missing
        if self.kind != "category" and self.scale is not None:
            return self.scale.numbers(values[:, 0]), missing
        if not self.categories:  # nothing was ever there
            return np.zeros(len(values)), np.ones(len(values), dtype=bool)
        known = np.empty(len(self.categories), dtype=object)
        known[:] = self.categories
        if self.by_rank and self.scale is not None:
            return known[self.scale.numbers(values[:, 0]).astype(np.int64)], missing
        return known[values.argmax(axis=1)], missing

    def rounded(self, values: NDArray[Any]) -> NDArray[Any]:
        """Integers within the range seen, and booleans, of numbers near them."""
        if self.is_integer and self.scale is not None:
            return self.scale.limit(np.rint(values)).astype(np.int64)
        is_drawn = self.kind == "boolean" and values.dtype != bool
        return values > 0.5 if is_drawn else values

    def written(self, values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> Any:
        """Values as a Series of the column's dtype; integers and booleans are rounded."""
        import pandas as pd

        dtype: Any = pd.api.types.pandas_dtype(self.dtype)
        if self.declared is not None:
            every = pd.Index(list(self.declared), dtype=self.declared_dtype)
            dtype = pd.CategoricalDtype(every, self.ordered)
        if self.unit:
            values = written_times(values, self.unit, self.holds, self.dtype)
        elif self.kind == "number" and self.dtype == "object":
            values = self._objects(self.rounded(values))
        else:
            values = self.rounded(values)
        if missing is not None and missing.any():
            values = values.astype(object)
            marks = {"None": None, "NA": pd.NA, "NaT": pd.NaT}
            values[missing] = marks.get(self.missing or "", np.nan)
        return pd.Series(values, dtype=dtype)

    def _objects(self, values: NDArray[Any]) -> NDArray[Any]:
        """Numbers as objects of the type that they had, or else as Python's."""
        numbers = values.tolist()
        decimals = None if self.scale is None else self.scale.decimals
        if self.holds == "Decimal":
            numbers = [
                Decimal(repr(x) if decimals is None else f"{x:.{decimals}f}") for x in numbers
            ]
        objects = np.empty(len(numbers), dtype=object)
        objects[:] = numbers
        return objects


def _check_dtype(name: str) -> None:
    """Raise a TypeError if no dtype of numpy or pandas has this name."""
    try:
        np.dtype(name)
    except TypeError:
        import pandas as pd

        pd.api.types.pandas_dtype(name)
