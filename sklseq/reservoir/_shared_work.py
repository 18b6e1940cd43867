"""Work that fits with the same reservoir and data share while a search goes over penalties."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral
from typing import Any, TypeVar

import joblib
import numpy as np
from numpy.typing import NDArray

__all__ = ["PENALTIES", "is_sharing", "shared", "shared_rows", "sharing_work"]

_T = TypeVar("_T")
# The parameters of an estimator that change neither its states nor sums of them.
PENALTIES = frozenset({"alpha", "readout", "class_weight", "n_jobs"})
# Features of steps are kept up to this size; larger ones are computed anew.
_MAX_BYTES = 256 * 2**20


class _Work:
    """What was computed with one reservoir; forgotten when another comes."""

    def __init__(self) -> None:
        self._reservoir: str | None = None
        self._kept: dict[tuple[str, Any], Any] = {}

    def of(self, model: Any) -> dict[tuple[str, Any], Any] | None:
        """What is kept for the reservoir of a model; None where it is drawn anew each time."""
        if not isinstance(model.random_state, Integral):
            return None
        params = model.get_params(deep=False)
        reservoir = joblib.hash(
            (type(model), {k: v for k, v in params.items() if k not in PENALTIES})
        )
        if reservoir != self._reservoir:
            self._reservoir, self._kept = reservoir, {}
        return self._kept


_current: ContextVar[_Work | None] = ContextVar("_current", default=None)


@contextmanager
def sharing_work() -> Iterator[None]:
    """While this lasts, estimators of this thread share their work."""
    token = _current.set(_Work())
    try:
        yield
    finally:
        _current.reset(token)


def is_sharing(model: Any, shape: tuple[int, ...]) -> bool:
    """Whether features of this shape would be kept for later."""
    work = _current.get()
    small = bool(np.prod(shape, dtype=float) * 8 <= _MAX_BYTES)
    return small and work is not None and work.of(model) is not None


def shared(model: Any, what: str, data: Any, make: Callable[[], _T]) -> _T:
    """What `make` makes, or made before for the same reservoir and data.

    Parameters
    ----------
    model : estimator
        With a reservoir.
    what : str
        Names it.
    data : object
        What it was made from, beside the reservoir: arrays, numbers, strings.
    make : callable
        Its result must not be changed by anybody.
    """
    work = _current.get()
    kept = None if work is None else work.of(model)
    if kept is None:
        return make()
    key = what, joblib.hash(data)
    if key not in kept:
        kept[key] = make()
    return kept[key]


def shared_rows(
    model: Any,
    what: str,
    sequences: list[NDArray[Any]],
    make: Callable[[NDArray[np.int64]], NDArray[Any]],
) -> NDArray[Any]:
    """A row for each sequence, made only for sequences that have none yet.

    Parameters
    ----------
    make : callable
        Takes the numbers of sequences and gives their rows.
    """
    work = _current.get()
    kept = None if work is None else work.of(model)
    if kept is None:
        return make(np.arange(len(sequences)))
    keys = [(what, sequence.tobytes()) for sequence in sequences]
    new = np.array([i for i, key in enumerate(keys) if key not in kept], dtype=np.int64)
    if len(new):
        kept.update(zip((keys[i] for i in new), make(new), strict=True))
    return np.stack([kept[key] for key in keys])
