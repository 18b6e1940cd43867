"""What every estimator shares: parameters declared once, docstrings made from them, safe fits.

An estimator is a keyword-only dataclass. Its parameters are fields, each declared once with its
default, its constraint and its line of documentation::

    @estimator
    class Ridge(RegressorMixin, Estimator):
        '''Linear least squares with an L2 penalty.'''

        alpha: float = param(1.0, "Strength of the penalty.", real(0))

Shared parameters are fields of small mixins, which are declared in the same way.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Literal, TypeVar, dataclass_transform

from sklearn.base import BaseEstimator

from sklseq._compat import CallbackSupportMixin, Interval, StrOptions, make_constraint

__all__ = [
    "Estimator",
    "attribute",
    "choice",
    "estimator",
    "integer",
    "other_default",
    "param",
    "real",
]

_T = TypeVar("_T")
_Closed = Literal["left", "right", "both", "neither"]


def integer(low: int | None = None, high: int | None = None) -> Interval:
    """Constraint: an integer in [low, high]; ``None`` leaves a side open."""
    closed: _Closed = "both" if high is not None else "left"
    return Interval(Integral, low, high, closed=closed)


def real(low: float | None = None, high: float | None = None, closed: _Closed = "left") -> Interval:
    """Constraint: a real number between `low` and `high`; `closed` names the sides included."""
    return Interval(Real, low, high, closed=closed)


def choice(*names: str) -> StrOptions:
    """Constraint: one of the names."""
    return StrOptions(set(names))


def param(default: Any, doc: str, *allowed: Any, positional: bool = False) -> Any:
    """Declare a parameter: its default, its line of documentation and what it may be.

    Parameters
    ----------
    default : object
        Default value; immutable.
    doc : str
        What the parameter does, for the docstring of every estimator that has it.
    *allowed : constraints
        Whatever scikit-learn's parameter validation takes: an interval, a set of names, a
        type, ``None``, "boolean", "random_state" and so on. Any of them suffices.
    positional : bool, default=False
        Whether it may be given without its name.
    """
    metadata = {"doc": doc, "allowed": list(allowed)}
    return field(default=default, metadata=metadata, kw_only=not positional)


def other_default(declared_by: type, name: str, default: Any) -> Any:
    """A parameter that a base declares, with another default.

    Parameters
    ----------
    declared_by : type
        A base of the estimator.
    name : str
        The parameter.
    default : object
        What it is instead.
    """
    inherited = next(f for f in fields(declared_by) if f.name == name)
    return field(default=default, metadata=inherited.metadata, kw_only=inherited.kw_only)


def attribute(type_: str, doc: str) -> tuple[str, str]:
    """Declare a fitted attribute in `_attributes`: its type and its line of documentation."""
    return type_, doc


@dataclass_transform(kw_only_default=True, field_specifiers=(param, other_default))
def estimator(cls: type[_T]) -> type[_T]:
    """Make an estimator (or a mixin of parameters) of a class with declared parameters.

    Generates the keyword-only ``__init__``, the constraints that `fit` checks, and the
    "Parameters" and "Attributes" sections of the docstring.
    """
    own_doc = cls.__doc__
    cls = dataclass(kw_only=True, repr=False, eq=False)(cls)
    by_name = {f.name: f for f in fields(cls) if "doc" in f.metadata}  # type: ignore[arg-type]
    # What is declared nearest to the estimator says most about it and is documented first.
    nearest_first = [name for klass in cls.__mro__ for name in inspect.get_annotations(klass)]
    declared = [by_name[name] for name in dict.fromkeys(nearest_first) if name in by_name]
    cls._parameter_constraints = {f.name: f.metadata["allowed"] for f in declared}  # type: ignore[attr-defined]
    if own_doc is not None:
        cls.__doc__ = _assemble_docstring(own_doc, declared, _fitted_attributes(cls))
    return cls


class Estimator(CallbackSupportMixin, BaseEstimator):
    """Base of all estimators. Mixins of scikit-learn come before it in the bases."""

    _attributes: dict[str, tuple[str, str]] = {}

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Run a fit: if it fails, the estimator is left exactly as it was before."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            # The callback context belongs to the running fit and is torn down by its owner.
            running = {k: v for k, v in self.__dict__.items() if "callback" in k}
            self.__dict__.clear()
            self.__dict__.update(before | running)
            raise


def _fitted_attributes(cls: type) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for klass in reversed(cls.__mro__):
        found |= klass.__dict__.get("_attributes", {})
    return found


def _describe(constraint: Any) -> str:
    if constraint is None:
        return "None"
    text = str(make_constraint(constraint))
    text = re.sub(r"^(an instance of|a|an) ", "", text)
    if text.startswith("str among "):
        names = sorted(make_constraint(constraint).options)
        return "{" + ", ".join(map(repr, names)) + "}"
    return {"'numpy.random.mtrand.RandomState'": "RandomState instance"}.get(text, text)


def _type_line(declared: Any) -> str:
    allowed = declared.metadata["allowed"]
    if "random_state" in allowed:
        kinds = ["int, RandomState instance or None"]
    else:
        kinds = [
            "bool" if c == "boolean" else c.__name__ if isinstance(c, type) else _describe(c)
            for c in allowed
        ]
    return f"{declared.name} : {' or '.join(kinds)}, default={declared.default!r}"


def _assemble_docstring(
    doc: str, declared: list[Any], attributes: dict[str, tuple[str, str]]
) -> str:
    """Put "Parameters" and "Attributes" between the description and the other sections."""
    lines = inspect.cleandoc(doc).splitlines()
    cut = next(
        (i - 1 for i in range(1, len(lines)) if re.fullmatch(r"-{3,}", lines[i].strip())),
        len(lines),
    )
    blocks = ["\n".join(lines[:cut]).rstrip()]
    if declared:
        assert all(f.default is not MISSING for f in declared)
        entries = [f"{_type_line(f)}\n{_indent(f.metadata['doc'])}" for f in declared]
        blocks.append("Parameters\n----------\n" + "\n\n".join(entries))
    if attributes:
        entries = [f"{name} : {kind}\n{_indent(text)}" for name, (kind, text) in attributes.items()]
        blocks.append("Attributes\n----------\n" + "\n\n".join(entries))
    if cut < len(lines):
        blocks.append("\n".join(lines[cut:]).rstrip())
    return "\n\n".join(blocks) + "\n"


def _indent(text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()), 92, initial_indent="    ", subsequent_indent="    "
    )
