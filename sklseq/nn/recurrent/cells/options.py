"""Checks of the options of cells."""

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["one_of", "positive_integers"]


def one_of(name: str, value: Any, choices: Sequence[Any]) -> None:
    """ValueError unless an option has one of these values."""
    if value not in choices:
        allowed = " or ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}={value!r} of a recurrent cell must be {allowed}.")


def positive_integers(name: str, values: Iterable[int]) -> tuple[int, ...]:
    """An option that is one or more positive integers; ValueError for others."""
    numbers = tuple(values)
    if not numbers or any(isinstance(n, bool) or n != int(n) or n < 1 for n in numbers):
        raise ValueError(
            f"{name}={values!r} of a recurrent cell must be one or more positive integers."
        )
    return tuple(int(n) for n in numbers)
