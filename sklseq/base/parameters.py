"""Parameters declared once: their default, what they may be and their line of documentation.

An estimator is a keyword-only dataclass. Its parameters are fields, each declared once with its
default, its constraint and its line of documentation::

    @estimator
    class Ridge(RegressorMixin, Estimator):
        '''Linear least squares with an L2 penalty.'''

        alpha: float = param(1.0, "Strength of the penalty.", real(0))

Shared parameters are fields of small mixins, which are declared in the same way.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Literal, TypeVar, dataclass_transform

import numpy as np

from sklseq._compat.sklearn import Interval, Number, StrOptions, constraints_of, set_constraints
from sklseq.base.docstrings import assemble_docstring, fill_paragraphs, fitted_attributes
from sklseq.base.known_state import runs_in_known_state

__all__ = [
    "attribute",
    "choice",
    "estimator",
    "integer",
    "layer_sizes",
    "other_default",
    "param",
    "plain_parameters",
    "real",
    "same",
    "several",
]

_T = TypeVar("_T")
# `item` of a long double is one.
_OWN_TYPES = ((np.bool_, bool), (np.integer, int), (np.floating, float), (np.str_, str))
_Closed = Literal["left", "right", "both", "neither"]


def integer(low: int | None = None, high: int | None = None) -> Interval:
    """Constraint: an integer in [low, high]; ``None`` leaves a side open."""
    closed: _Closed = "both" if high is not None else "left"
    return Number(Integral, low, high, closed=closed)


def real(low: float | None = None, high: float | None = None, closed: _Closed = "left") -> Interval:
    """Constraint: a real number between `low` and `high`; `closed` names the sides included."""
    return Number(Real, low, high, closed=closed)


several = (tuple, list, np.ndarray)
"""Constraint: several numbers, as a tuple, or as grids give them."""


def choice(*names: str) -> StrOptions:
    """Constraint: one of the names."""
    return StrOptions(set(names))


def param(default: Any, doc: str, *allowed: Any, positional: bool = False) -> Any:
    """Declare a parameter: its default, its line of documentation and what it may be.

    What is `allowed` is whatever scikit-learn's parameter validation takes, an interval, a set of
    names, a type, ``None``, "boolean", "random_state" and so on; any of them suffices. With
    `positional` it may be given without its name.
    """
    metadata = {"doc": doc, "allowed": list(allowed)}
    return field(default=default, metadata=metadata, kw_only=not positional)


def other_default(declared_by: type, name: str, default: Any) -> Any:
    """A parameter that a base, or another class, declares, with another default."""
    inherited = next(f for f in fields(declared_by) if f.name == name)
    return field(default=default, metadata=inherited.metadata, kw_only=inherited.kw_only)


def same(declared_by: type, name: str) -> Any:
    """A parameter that another class declares, word for word, without being a base."""
    declared = next(f for f in fields(declared_by) if f.name == name)
    return other_default(declared_by, name, declared.default)


def attribute(type_: str, doc: str) -> tuple[str, str]:
    """Declare a fitted attribute in `_attributes`: its type and its line of documentation."""
    return type_, doc


@dataclass_transform(kw_only_default=True, field_specifiers=(param, other_default, same))
def estimator(cls: type[_T]) -> type[_T]:
    """Make an estimator (or a mixin of parameters) of a class with declared parameters.

    Generates the keyword-only ``__init__``, the constraints that `fit` checks, and the
    "Parameters" and "Attributes" sections of the docstring.
    """
    own_doc = cls.__doc__
    # What is declared nearest to the estimator says most about it and is documented first.
    nearest_first = [name for klass in cls.__mro__ for name in inspect.get_annotations(klass)]
    _take_nearest(cls)
    cls = dataclass(kw_only=True, repr=False, eq=False)(cls)
    by_name = {f.name: f for f in fields(cls) if "doc" in f.metadata}  # type: ignore[arg-type]
    declared = [by_name[name] for name in dict.fromkeys(nearest_first) if name in by_name]
    set_constraints(cls, {f.name: f.metadata["allowed"] for f in declared})
    fill_paragraphs(cls)
    if own_doc is not None:
        cls.__doc__ = assemble_docstring(own_doc, declared, fitted_attributes(cls))
    return runs_in_known_state(cls)


@contextmanager
def plain_parameters(model: Any) -> Iterator[None]:
    """Parameters of numpy's types as Python's own while a fit runs, and then as they were set.

    Grids such as ``np.arange(1, 9)`` give them; torch refuses some, and small ones overflow.
    """
    given = {}
    for name, allowed in (constraints_of(model) or {}).items():
        value = getattr(model, name)
        if type(value) is dict and dict not in allowed:
            continue  # a mapping of many things, which are not settings
        if (plain := _plain(value, tuple in allowed)) is not value:
            given[name] = value
            setattr(model, name, plain)
    try:
        yield
    finally:
        for name, value in given.items():
            setattr(model, name, value)


def _plain(value: Any, as_tuple: bool) -> Any:
    for theirs, own in _OWN_TYPES:
        if isinstance(value, theirs):
            return own(value)
    if isinstance(value, np.ndarray) and as_tuple:
        return tuple(value.tolist())
    if type(value) in (tuple, list):
        items = [_plain(item, as_tuple) for item in value]
        changed = any(new is not old for new, old in zip(items, value, strict=True))
        return type(value)(items) if changed else value
    if type(value) is dict:
        entries = {key: _plain(item, False) for key, item in value.items()}
        return entries if any(entries[key] is not value[key] for key in value) else value
    return value


def _take_nearest(cls: type) -> None:
    """Declare again what a dataclass would take from another base than a class attribute.

    It takes a field from the first base that has it at all, even if a later one, nearer than the
    declaration of that field, gives it another default.
    """
    taken: dict[str, Any] = {}
    for klass in reversed(cls.__mro__[1:]):
        taken |= getattr(klass, "__dataclass_fields__", {})
    own = inspect.get_annotations(cls)
    for name in taken.keys() - own.keys():
        owner = next(k for k in cls.__mro__ if name in inspect.get_annotations(k))
        declared = getattr(owner, "__dataclass_fields__", taken)[name]
        if declared is not taken[name] and "doc" in declared.metadata:
            cls.__annotations__[name] = inspect.get_annotations(owner)[name]
            setattr(cls, name, same(owner, name))


def layer_sizes(name: str, sizes: Any) -> tuple[int, ...]:
    """The sizes as a tuple of integers, if all are numbers of units."""
    for size in sizes:
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name}={sizes!r} holds {size!r}, which is not a number of units.")
    return tuple(int(size) for size in sizes)
