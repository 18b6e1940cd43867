"""The one way that trained modules are run over rows.

How a kernel rounds depends on the shape of its call, not on what stands in the other rows. So
every call here has a shape that neither the number of rows nor their order changes: the results of
a row are the same to the bit alone and in any company.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.training.context import threads
from sklseq.training.rows.batch import Rows

__all__ = ["check_outputs", "run", "run_tiles", "work_of"]

# A usual tile.
_ROWS_AT_ONCE = 64


def run(
    function: Callable[..., Tensor],
    module: nn.Module,
    rows: Rows,
    *,
    per_part: bool = False,
    n_threads: int | None = None,
) -> NDArray:
    """Outputs for each row, or each part of a row, in their order.

    Parameters
    ----------
    function : callable
        A method of the module: takes the inputs of `rows` and gives one row for each of theirs.
    module : Module
        Put into evaluation mode.
    rows : Rows
    per_part : bool, default=False
        Whether `function` gives results of steps or nodes, one after the other.
    n_threads : int or None, default=None

    Raises
    ------
    ValueError
        If there is no number for a row.
    """
    result: NDArray | None = None
    module.eval()
    # The number of threads changes how products are cut, so it does not hang on that of rows.
    with torch.inference_mode(), threads(n_threads, work_of(module)):
        for inputs, places, n in rows.tiles(module, per_part):
            output = function(*inputs)[:n].cpu().numpy()
            if result is None:
                result = np.empty((rows.n_results(per_part), *output.shape[1:]), output.dtype)
            result[places] = output
    assert result is not None
    check_outputs(result, rows, per_part)
    return result


def run_tiles(
    function: Callable[..., Any], module: nn.Module, rows: Rows, *, n_threads: int | None = None
) -> list[tuple[NDArray[np.int64], Any]]:
    """Whatever a function gives for each tile, with the places of its rows; see `run`.

    It is called with the places and the inputs. What it gives for rows beyond those that have a
    place only fills the tile up.
    """
    module.eval()
    every = np.arange(len(rows))
    with torch.inference_mode(), threads(n_threads, work_of(module)):
        tiles = ((every[t.places], t.inputs) for t in rows.tiles(module, per_part=False))
        return [(places, function(places, *inputs)) for places, inputs in tiles]


def work_of(module: nn.Module) -> int:
    """Multiply-adds of a usual tile, about."""
    return _ROWS_AT_ONCE * sum(p.numel() for p in module.parameters())


def check_outputs(result: NDArray, rows: Rows, per_part: bool) -> None:
    """NaN would be sorted as if it were the largest number."""
    if not np.isnan(result).any():
        return
    dtype = str(rows.like.dtype).removeprefix("torch.")
    row = int(np.argwhere(np.isnan(result))[0][0])
    what = f"the part of a row at place {row}" if per_part and rows.per_part else f"row {row}"
    raise ValueError(
        f"The network gives NaN for {what}: its values, or their squares, are too large for "
        f"{dtype} (the limit is {torch.finfo(rows.like.dtype).max:.2g}). Scale the data, leave "
        "the row out, or fit with dtype='float64'."
    )
