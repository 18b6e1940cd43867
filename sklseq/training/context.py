"""Settings that hold during a computation and are restored after it: threads, seeds."""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["epoch_generators", "seeded_construction", "threads"]

# More multiply-adds than this in one step's product keep a second thread busy.
_LARGE_STEP = 50_000_000

_lock = threading.RLock()
_active = 0
_threads_before = 1


@contextmanager
def threads(n_threads: int | None, work: int) -> Iterator[None]:
    """Limit torch's intra-op threads, and restore them.

    None means one where a step's `work`, in multiply-adds, is small, else as many as torch has.
    """
    global _active, _threads_before
    with _lock:
        # Several fits may run in the threads of one process: the first that comes notes what
        # to restore, and each restores that, not what another one has set.
        if _active == 0:
            _threads_before = torch.get_num_threads()
        _active += 1
        before = _threads_before
    wanted = n_threads or (1 if work < _LARGE_STEP else before)
    if n_threads is None or _in_worker():
        wanted = min(wanted, before)  # a worker of joblib is given its share; never more
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        with _lock:
            _active -= 1
            torch.set_num_threads(before)


@contextmanager
def seeded_construction(seed: int) -> Iterator[None]:
    """Initialize modules from `seed`; torch's global generator is as before afterwards.

    Torch initializes from its global generator only, so constructions take turns.
    """
    with _lock, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _in_worker() -> bool:
    """Whether this is a thread or process that another one started."""
    in_thread = threading.current_thread() is not threading.main_thread()
    return in_thread or multiprocessing.parent_process() is not None


def epoch_generators(
    seed: int, epoch: int, device: torch.device
) -> tuple[np.random.Generator, torch.Generator]:
    """Sources of randomness of one epoch, for the order of rows and for random layers.

    They depend on the seed and the epoch alone, so that training in two calls is training in one.
    """
    shuffling, layers = np.random.SeedSequence([seed, epoch]).spawn(2)
    generator = torch.Generator(device=device)
    generator.manual_seed(int(layers.generate_state(1, np.uint64)[0] >> 1))
    return np.random.default_rng(shuffling), generator
