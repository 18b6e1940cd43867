"""Settings that hold during a computation and are restored after it: threads, seeds."""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
import torch

__all__ = ["MOST_THREADS", "epoch_generators", "seeded_construction", "threads"]

# More multiply-adds than this in one step's product keep a second thread busy.
_LARGE_STEP = 50_000_000

# OpenMP ends the process where it cannot start as many threads as it is asked for.
MOST_THREADS = 1024

_lock = threading.RLock()
# Computations under way, in all threads of the process, and torch's threads before the first.
_active: set[object] = set()
_threads_before = 1


@contextmanager
def threads(n_threads: int | None, work: int) -> Iterator[None]:
    """Limit torch's intra-op threads, and restore them.

    None means one where a step's `work`, in multiply-adds, is small, else as many as torch has.

    Raises
    ------
    ValueError
        If there cannot be so many, before anything is set.
    """
    global _threads_before
    wanted = _checked(n_threads)
    token = object()
    # What restores stands twice, and does no harm twice: an interrupt may come within the first.
    try:
        try:
            with _lock:
                # Several fits may run in the threads of one process: the first that comes notes
                # what to restore, and each restores that, not what another one has set.
                if not _active:
                    _threads_before = torch.get_num_threads()
                _active.add(token)
            wanted = wanted or (1 if work < _LARGE_STEP else _threads_before)
            if n_threads is None or _in_worker():
                # A worker of joblib is given its share; never more.
                wanted = min(wanted, _threads_before)
            torch.set_num_threads(wanted)
            yield
        finally:
            _restore_threads(token)
    finally:
        _restore_threads(token)


def _restore_threads(token: object) -> None:
    with _lock:
        if token in _active:
            torch.set_num_threads(_threads_before)
            _active.discard(token)


def _checked(n_threads: Any) -> int | None:
    if n_threads is None:
        return None
    whole = isinstance(n_threads, Integral) and not isinstance(n_threads, bool)
    if not whole or not 1 <= n_threads <= MOST_THREADS:
        raise ValueError(
            f"n_threads={n_threads!r} is not None or a whole number from 1 to {MOST_THREADS}."
        )
    return int(n_threads)


@contextmanager
def seeded_construction(seed: int) -> Iterator[None]:
    """Initialize modules from `seed`; torch's global generator is as before afterwards.

    Torch initializes from its global generator only, so constructions take turns.
    """
    with _lock:
        before = torch.default_generator.get_state()
        try:  # twice, for an interrupt in the first
            try:
                torch.default_generator.manual_seed(seed)
                yield
            finally:
                torch.default_generator.set_state(before)
        finally:
            torch.default_generator.set_state(before)


def _in_worker() -> bool:
    """Whether this is a thread or process that another one started."""
    in_thread = threading.current_thread() is not threading.main_thread()
    return in_thread or multiprocessing.parent_process() is not None


def epoch_generators(seed: int, epoch: int) -> tuple[np.random.Generator, torch.Generator]:
    """Sources of randomness of one epoch, for the order of rows and for random layers.

    They depend on the seed and the epoch alone, so that training in two calls is training in one,
    and not on the device: see `nn/layers/randomness.py`.
    """
    shuffling, layers = np.random.SeedSequence([seed, epoch]).spawn(2)
    generator = torch.Generator()
    generator.manual_seed(int(layers.generate_state(1, np.uint64)[0] >> 1))
    return np.random.default_rng(shuffling), generator
