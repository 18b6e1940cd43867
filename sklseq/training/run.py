"""Running a trained module over rows, in batches of bounded memory."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.training.context import threads
from sklseq.training.rows.batch import as_tensor
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["run_rows", "run_sequences"]

# Numbers in the widest activation of a batch of sequences: 32 MB in float32, and a few of them.
_MAX_NUMBERS = 1 << 23
# The same for rows, which nothing carries from one to the next: what the cache holds (measured).
_CACHED_NUMBERS = 1 << 18
# Products with fewer rows are computed by other kernels, which round otherwise.
_LEAST_ROWS = 8


def run_rows(
    module: nn.Module,
    function: Callable[..., Tensor],
    inputs: tuple[NDArray, ...],
    *,
    n_threads: int | None,
) -> NDArray:
    """Outputs for each row of arrays of the same number of rows, in their order.

    Parameters
    ----------
    module : Module
        Put into evaluation mode.
    function : callable
        Takes tensors of rows, one for each array, and gives one row each; a method of the module.
    inputs : tuple of ndarray
        Moved to the device a batch at a time.
    n_threads : int or None
    """
    parameter = next(module.parameters())
    n_rows = len(inputs[0])
    widths = [*(max(p.shape, default=1) for p in module.parameters()), *(a[0].size for a in inputs)]
    chunk = max(1, _CACHED_NUMBERS // max(widths))
    result: NDArray | None = None
    module.eval()
    work = min(n_rows, chunk) * sum(p.numel() for p in module.parameters())
    with torch.inference_mode(), threads(n_threads, work):
        for start in range(0, n_rows, chunk):
            rows = [as_tensor(a[start : start + chunk], parameter) for a in inputs]
            n = len(rows[0])
            if n < _LEAST_ROWS:
                rows = [torch.cat([r, *[r[:1]] * (_LEAST_ROWS - n)]) for r in rows]
            output = function(*rows)[:n].cpu().numpy()
            if result is None:
                result = np.empty((n_rows, *output.shape[1:]), dtype=output.dtype)
            result[start : start + chunk] = output
    assert result is not None
    return result


def run_sequences(
    module: nn.Module,
    function: Callable[..., Tensor],
    steps: NDArray,
    lengths: NDArray[np.int64],
    *,
    per_step: bool,
    n_threads: int | None,
) -> NDArray:
    """Outputs for each sequence or each step, in the order of the input.

    Parameters
    ----------
    module : Module
        Put into evaluation mode.
    function : callable
        ``(steps, packing)`` to outputs, a method of the module.
    steps, lengths : ndarray
        Stacked sequences.
    per_step : bool
        Whether `function` gives one row a step, stacked, or one a sequence.
    n_threads : int or None
    """
    parameter = next(module.parameters())
    on_device = as_tensor(steps, parameter)
    unused = on_device.new_empty(0)
    rows = SequenceRows(on_device, lengths, unused, unused, per_step)
    result: NDArray | None = None
    module.eval()
    max_steps = _MAX_NUMBERS // max(max(p.shape) for p in module.parameters())
    work = min(len(lengths), max_steps) * sum(p.numel() for p in module.parameters())
    with torch.inference_mode(), threads(n_threads, work):
        for chosen in _batches(lengths, max_steps):
            output = function(*rows.inputs(chosen)).cpu().numpy()
            if result is None:
                n = len(steps) if per_step else len(lengths)
                result = np.empty((n, *output.shape[1:]), dtype=output.dtype)
            result[rows.step_index(chosen) if per_step else chosen] = output
    assert result is not None
    return result


def _batches(lengths: NDArray[np.int64], max_steps: int) -> Iterator[NDArray[np.int64]]:
    """Sequences of similar length together, at most `max_steps` in a batch (or one sequence)."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, max_steps // int(lengths[order[start]]))
        yield order[start : start + rows]
        start += rows
