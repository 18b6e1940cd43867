"""One thread of torch's while states are computed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch's: a step is too little work to share."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    try:  # twice, for an interrupt in the first
        try:
            torch.set_num_threads(1)
            yield
        finally:
            torch.set_num_threads(before)
    finally:
        torch.set_num_threads(before)
