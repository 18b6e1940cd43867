"""Checks of the options of cells."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

__all__ = ["check_options", "increasing_times", "one_of", "positive_integers"]

# What an option with such an annotation takes.
_KINDS: dict[Any, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, (bool, Integral)) and value in (0, 1), "True or False"),
    int: (lambda value: isinstance(value, Integral) and not isinstance(value, bool), "an integer"),
    float: (lambda value: isinstance(value, Real) and not isinstance(value, bool), "a number"),
    str: (lambda value: isinstance(value, str), "a string"),
}


def check_options(cell: str, make: Callable[..., Any], options: Mapping[Any, Any]) -> None:
    """Refuse options that the constructor of a cell does not have, or not of this type.

    Parameters
    ----------
    cell : str
        The name of the cell, for the error.
    make : callable
        Its constructor, ``make(input_size, hidden_size, **options)``.
    options : dict

    Raises
    ------
    ValueError
        Naming the option, and those that there are.
    """
    if not options:
        return
    try:
        parameters = [*inspect.signature(make).parameters.values()][2:]
    except ValueError:  # of a class that is not written in Python
        return
    own = {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for name, value in options.items():
        if name in own:
            fits, what = _KINDS.get(own[name].annotation, (_anything, ""))
            if not fits(value):
                raise ValueError(
                    f"{name}={value!r} of cell_options must be {what} for cell={cell}."
                )
        elif not takes_all or name in ("input_size", "hidden_size"):
            have = f"its options are {', '.join(own)}" if own else "it has no options"
            raise ValueError(f"cell_options={options!r}: cell={cell} has no {name!r}; {have}.")


def _anything(value: Any) -> bool:
    return True


def one_of(name: str, value: Any, choices: Sequence[Any]) -> None:
    """ValueError unless an option has one of these values."""
    if value not in choices:
        allowed = " or ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}={value!r} of a recurrent cell must be {allowed}.")


def positive_integers(name: str, values: Iterable[int]) -> tuple[int, ...]:
    """An option that is one or more positive integers; ValueError for others."""
    several = isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping))
    numbers = tuple(values) if several else ()
    if not numbers or not all(
        isinstance(n, Real) and not isinstance(n, bool) and n >= 1 and n % 1 == 0 for n in numbers
    ):
        raise ValueError(
            f"{name}={values!r} of a recurrent cell must be one or more positive integers, such as "
            "(1, 2)."
        )
    return tuple(int(n) for n in numbers)


def increasing_times(name: str, values: Any) -> tuple[float, float]:
    """An option that is the shortest and the longest time, in steps; ValueError for others."""
    pair = tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else ()
    numbers = all(isinstance(t, Real) and not isinstance(t, bool) for t in pair)
    if len(pair) != 2 or not numbers or not 1 <= pair[0] <= pair[1] < math.inf:
        raise ValueError(
            f"{name}={values!r} of a recurrent cell must be the shortest and the longest time "
            "constant, in steps and at least 1: (1, 100), say."
        )
    return float(pair[0]), float(pair[1])
