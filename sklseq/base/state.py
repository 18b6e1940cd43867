"""What a stored state may hold: declared beside the attributes, checked before it is taken.

A file may be damaged, or made to do harm. What an estimator, or an object that it holds, has
learned is declared by one line for each attribute: the type line of its documentation in
`_attributes`, and in `_stored` for what is private or needs to be said more exactly. Lines are
made of these kinds, joined by "or":

- ``int`` (at least 0), ``float`` (finite), ``bool``, ``str``, ``None``;
- ``ndarray [of int | bool | labels] of shape (n_outputs, 2)``, of floats by default, finite;
- ``list of``, ``tuple of`` and a kind;
- ``data``: numbers, text, None, and arrays and containers of them;
- ``label``: any hashable value that cannot be called;
- ``estimator``; ``restored``, which the owner has made and checked itself; ``absent``, where the
  attribute may be missing.

A name in a shape stands for one length in all of a state: that of the integer of this name, if
there is one. Instead of a line there may be a class, whose own `_stored` says what it holds, a
tuple of several, also with None, or a list of them where the value is a list or tuple. A method
`check_stored` of such a class compares its attributes with each other.
"""

import math
import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "check_attributes",
    "check_data",
    "damaged",
    "declared_classes",
    "declared_kinds",
    "is_optional",
]

_DTYPES = {"float": "f", "int": "iu", "bool": "b", "labels": "biufUSOTMm"}
_ARRAY = re.compile(r"ndarray(?: of (float|int|bool|labels))?(?: of shape (\(.*\)))?")
_SEPARATOR = re.compile(r" or (?![^(]*\))")
# Deeper than any state of ours, and far from the depth at which recursion ends.
_DEEPEST = 16
_LARGEST = 2**63


@contextmanager
def damaged(name: str) -> Iterator[None]:
    """Whatever is wrong with a stored state ends in one ValueError.

    Parameters
    ----------
    name : str
        What the message calls the owner of the state.
    """
    try:
        yield
    except Exception as error:
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        raise ValueError(
            f"The stored state of this {name} is damaged, or was not made by it: {reason}"
        ) from error


def declared_kinds(cls: type) -> dict[str, Any]:
    """What the attributes of a class may be, by name: all `_attributes` and `_stored`."""
    kinds: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        public = vars(base).get("_attributes", {})
        kinds |= {name: kind for name, (kind, _) in public.items()}
    for base in reversed(cls.__mro__):
        kinds |= vars(base).get("_stored", {})
    return kinds


def declared_classes(cls: type) -> set[type]:
    """The classes of objects that a stored one of this class may hold, and itself."""
    found, left = set(), [cls]
    while left:
        one = left.pop()
        found.add(one)
        for kind in declared_kinds(one).values():
            kinds = (kind,) if isinstance(kind, type) else kind
            if not isinstance(kinds, str):
                left += [k for k in kinds if isinstance(k, type) and k not in found]
    return found


def is_optional(kind: Any) -> bool:
    """Whether an attribute of this kind may be missing."""
    return isinstance(kind, str) and kind.startswith("absent")


def check_attributes(
    stored: Mapping[str, Any],
    kinds: Mapping[str, Any],
    sizes: dict[str, int] | None = None,
    place: str = "",
) -> None:
    """Check attributes by their declared kinds.

    Parameters
    ----------
    stored : mapping
        Attributes by name.
    kinds : mapping
        Declared kinds by name.
    sizes : dict or None, default=None
        Lengths of axes that are known by name.
    place : str, default=""
        What messages put before the name of an attribute.

    Raises
    ------
    ValueError
        If an attribute is missing, or is not what it was declared to be.
    """
    known = {
        name.strip("_"): value
        for name, value in stored.items()
        if name in kinds and type(value) is int
    }
    sizes = known | (sizes or {})
    if "n_features_in_" in stored:
        sizes["n_features_in_"] = stored["n_features_in_"]
    for name, kind in kinds.items():
        if name in stored:
            _check(stored[name], kind, sizes, f"{place}{name}")
        elif not is_optional(kind):
            raise ValueError(f"{place}{name} is missing.")


def check_data(value: Any, place: str, largest: int = _LARGEST, depth: int = 0) -> None:
    """Refuse all but finite numbers, text, None, and arrays and containers of them.

    Parameters
    ----------
    value : object
    place : str
        What messages call it.
    largest : int, default=2**63
        The largest integer.
    depth : int, default=0
        How deep in containers it lies.

    Raises
    ------
    ValueError
        Naming the place.
    """
    if depth > _DEEPEST:
        raise ValueError(f"{place} is nested more than {_DEEPEST} levels deep.")
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str) and not _is_number(key) and not isinstance(key, bool):
                raise ValueError(f"{place} has the key {_shown(key)}.")
            check_data(part, f"{place}[{_shown(key)}]", largest, depth + 1)
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            check_data(part, f"{place}[{i}]", largest, depth + 1)
    elif isinstance(value, np.ndarray):
        _check_array(value, "biufUSO", place)
    elif isinstance(value, Integral):
        if abs(int(value)) > largest:
            raise ValueError(f"{place} is {int(value)}, more than what is stored is made of.")
    elif value is None or isinstance(value, (str, np.bool_)) or _is_number(value):
        pass
    else:
        raise ValueError(f"{place} is {_shown(value)}, which is not data.")


def _check(value: Any, kind: Any, sizes: dict[str, int], place: str) -> None:
    """Check a value; the lengths of its axes are noted in `sizes`."""
    if isinstance(kind, list):
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{place} is {_shown(value)}, expected a list.")
        for i, part in enumerate(value):
            _check_object(part, tuple(kind), f"{place}[{i}]")
        return
    if isinstance(kind, type):
        kind = (kind,)
    if isinstance(kind, tuple):
        _check_object(value, kind, place)
        return
    shape_of = ""
    for one in _SEPARATOR.split(kind):
        # "ndarray of shape (n_outputs, n) or (n,)"
        one = shape_of + one if one.startswith("(") else one
        shape_of = one.partition("(")[0] or shape_of
        found = dict(sizes)
        if _fits(value, one, found, place):
            sizes.update(found)
            return
    known = {name: sizes[name] for name in re.findall(r"[A-Za-z_]\w*", kind) if name in sizes}
    raise ValueError(
        f"{place} is {_shown(value)}, expected {kind}" + (f" with {known}." if known else ".")
    )


def _fits(value: Any, kind: str, sizes: dict[str, int], place: str) -> bool:
    """Whether a value is of one kind."""
    container, _, inner = kind.partition(" of ")
    if container in ("list", "tuple"):
        if type(value).__name__ != container:
            return False
        return all(_fits(part, inner, sizes, place) for part in value)
    if kind == "data":
        check_data(value, place)
        return True
    if array := _ARRAY.fullmatch(kind):
        if not isinstance(value, np.ndarray):
            return False
        _check_array(value, _DTYPES[array[1] or "float"], place)
        return array[2] is None or _has_shape(value.shape, array[2], sizes)
    return _SCALARS[kind](value)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, Real)
        and not isinstance(value, (bool, np.bool_))
        and math.isfinite(value)  # OverflowError beyond a float, which is as wrong
    )


_SCALARS = {
    "absent": lambda v: False,
    "None": lambda v: v is None,
    "bool": lambda v: isinstance(v, (bool, np.bool_)),
    "str": lambda v: isinstance(v, str),
    "int": lambda v: isinstance(v, Integral) and not isinstance(v, bool) and 0 <= int(v) < _LARGEST,
    "float": _is_number,
    "label": lambda v: isinstance(v, Hashable) and not callable(v),
    "restored": lambda v: True,
    "estimator": lambda v: not isinstance(v, type) and callable(getattr(type(v), "fit", None)),
}


def _check_array(value: NDArray[Any], dtype_kinds: str, place: str) -> None:
    """Refuse an array of another type, and numbers that are not finite."""
    if value.dtype.kind not in dtype_kinds or not value.dtype.isnative:
        raise ValueError(f"{place} is an array of {value.dtype}.")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"{place} holds NaN or infinity.")
    if value.dtype.kind == "O":
        for part in value.ravel():
            if not (isinstance(part, (str, bytes, bool)) or _is_number(part)):
                raise ValueError(f"{place} holds {_shown(part)}, which is no label.")


def _has_shape(shape: tuple[int, ...], axes: str, sizes: dict[str, int]) -> bool:
    """Whether a shape is ``(n_outputs, 2)``; names that have no length yet get it."""
    names = [name.strip(" `") for name in axes.strip("()").split(",") if name.strip()]
    if len(names) != len(shape):
        return False
    return all(
        length == (int(name) if name.isdigit() else sizes.setdefault(name, length))
        for name, length in zip(names, shape, strict=True)
    )


def _check_object(value: Any, classes: tuple[Any, ...], place: str) -> None:
    """Check an object of exactly one of these classes, by what that class declares."""
    if value is None and None in classes:
        return
    if type(value) not in classes:
        names = " or ".join(c.__name__ if isinstance(c, type) else "None" for c in classes)
        raise ValueError(f"{place} is {_shown(value)}, expected {names}.")
    if hasattr(type(value), "__sklearn_is_fitted__"):
        return  # an estimator of ours, which has checked its state itself
    kinds = declared_kinds(type(value))
    check_attributes(vars(value), kinds, place=f"{place}.")
    if unknown := [name for name in vars(value) if name not in kinds]:
        raise ValueError(f"{place} has the unknown attribute {unknown[0]!r}.")
    check = getattr(type(value), "check_stored", None)
    if check is not None:
        check(value)


def _shown(value: Any) -> str:
    """A value in a message: short, whatever it is."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    if value is None or isinstance(value, (bool, int, float, str)):
        text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
        return text if len(text) < 60 else f"{text[:60]}..."
    return f"a {type(value).__name__}"
