"""Running a trained module over rows, in batches of bounded memory."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.training.context import threads
from sklseq.training.rows.batch import as_tensor
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["run_rows", "run_sequences"]

# Numbers in the widest activation of a batch of rows: what the cache holds (measured).
_CACHED_NUMBERS = 1 << 18
# Sequences that are computed side by side, about.
_LANES = 64
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
    rows: SequenceRows,
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
    rows : SequenceRows
    per_step : bool
        Whether `function` gives one row a step, stacked, or one a sequence.
    n_threads : int or None
    """
    result: NDArray | None = None
    module.eval()
    # The number of threads must not depend on that of sequences: it changes results.
    work = _LANES * sum(p.numel() for p in module.parameters())
    with torch.inference_mode(), threads(n_threads, work):
        for inputs, places in rows.tiles(module, per_step):
            output = function(*inputs)[: len(places)].cpu().numpy()
            if result is None:
                n = len(rows.steps) if per_step else len(rows)
                result = np.empty((n, *output.shape[1:]), dtype=output.dtype)
            result[places] = output
    assert result is not None
    return result
