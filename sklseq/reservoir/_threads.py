"""One thread of BLAS during a computation, so that its bits do not depend on other threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]

_lock = threading.Lock()
_active: list[Any] = []  # one entry for each computation under way; the first holds the limit


@cache
def _controller() -> ThreadpoolController:
    # Looking for the libraries takes milliseconds: once is enough.
    return ThreadpoolController()


def _take_control() -> None:
    """Let this thread set the limit, which holds for the whole process.

    Newer threadpoolctl keeps that for the thread that has set one first, and ignores the others.
    """
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread and restore it.

    How BLAS shares a product among threads changes its rounding. Workers of joblib are given
    one thread or few, so that only a fixed number makes the same fit the same to the bit.
    """
    with _lock:
        # Several fits may run in the threads of one process: the last that ends restores what
        # the first has found.
        if not _active:
            _take_control()
            _active.append(_controller().limit(limits=1, user_api="blas"))
        _active.append(None)
    try:
        yield
    finally:
        with _lock:
            _active.pop()
            if len(_active) == 1:
                _take_control()
                _active.pop().restore_original_limits()
