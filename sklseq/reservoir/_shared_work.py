"""Work that fits with the same reservoir and data share while a search goes over penalties."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

__all__ = ["PENALTIES", "Slot", "is_sharing", "shared_rows", "shared_slot", "sharing_work"]

# The parameters of an estimator that change neither its states nor sums of them.
PENALTIES = frozenset({"alpha", "readout", "class_weight", "n_jobs"})
# Features of steps are kept up to this size; larger ones are computed anew.
_MAX_BYTES = 256 * 2**20


@dataclass
class Slot:
    """A result shared by fits: None until it is computed, and never changed."""

    value: Any = None


@dataclass
class _Work:
    """What was computed with one reservoir; forgotten when another comes."""

    reservoir: str | None = None
    slots: dict[tuple[str, Any], Slot] = field(default_factory=dict)


_current: ContextVar[_Work | None] = ContextVar("_current", default=None)


@contextmanager
def sharing_work() -> Iterator[None]:
    """While this lasts, estimators of this thread share their work."""
    token = _current.set(_Work())
    try:
        yield
    finally:
        _current.reset(token)


def _slots(model: Any) -> dict[tuple[str, Any], Slot] | None:
    """What is kept for the reservoir of a model; None where nothing is shared."""
    work = _current.get()
    if work is None or not isinstance(model.random_state, Integral):
        return None  # without a seed the reservoir is drawn anew each time
    params = {k: v for k, v in model.get_params(deep=False).items() if k not in PENALTIES}
    reservoir = joblib.hash((type(model), params))
    if reservoir != work.reservoir:
        work.reservoir, work.slots = reservoir, {}
    return work.slots


def is_sharing(model: Any, shape: tuple[int, ...]) -> bool:
    """Whether features of this shape would be kept for later."""
    return bool(np.prod(shape, dtype=float) * 8 <= _MAX_BYTES) and _slots(model) is not None


def shared_slot(model: Any, what: str, data: Any) -> Slot:
    """A place for the result `what`, which may be there, from the same reservoir and data."""
    slots = _slots(model)
    return Slot() if slots is None else slots.setdefault((what, joblib.hash(data)), Slot())


def shared_rows(model: Any, what: str, sequences: list[NDArray[Any]]) -> list[Slot]:
    """A place for the row of each sequence; equal sequences have one place."""
    slots = _slots(model)
    if slots is None:
        return [Slot() for _ in sequences]
    return [slots.setdefault((what, sequence.tobytes()), Slot()) for sequence in sequences]
