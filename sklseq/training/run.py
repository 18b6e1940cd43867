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
from sklseq.training.placement import enough_memory
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
    MemoryError
        If the device has too little memory.
    """
    results = _Results(rows, per_part)
    module.eval()
    # The number of threads changes how products are cut, so it does not hang on that of rows.
    with torch.inference_mode(), threads(n_threads, work_of(module)), _tile_fits(rows):
        for inputs, places, n in rows.tiles(module, per_part):
            results.add(places, function(*inputs)[:n])
        found = results.all()
    check_outputs(found, rows, per_part)
    return found


def run_tiles(
    function: Callable[..., Any], module: nn.Module, rows: Rows, *, n_threads: int | None = None
) -> list[tuple[NDArray[np.int64], Any]]:
    """Whatever a function gives for each tile, with the places of its rows; see `run`.

    It is called with the places and the inputs. What it gives for rows beyond those that have a
    place only fills the tile up.
    """
    module.eval()
    every = np.arange(len(rows))
    with torch.inference_mode(), threads(n_threads, work_of(module)), _tile_fits(rows):
        tiles = ((every[t.places], t.inputs) for t in rows.tiles(module, per_part=False))
        return [(places, function(places, *inputs)) for places, inputs in tiles]


def _tile_fits(rows: Rows) -> Any:
    return enough_memory(rows.like, "rows that are computed at once", "fewer or smaller rows")


class _Results:
    """Outputs of tiles on the CPU; a GPU is given the next tile before those of one are awaited."""

    def __init__(self, rows: Rows, per_part: bool):
        self.n_results = rows.n_results(per_part)
        self.values: NDArray[Any] | None = None
        self.under_way: list[tuple[Any, Tensor, torch.cuda.Event]] = []

    def add(self, places: Any, output: Tensor) -> None:
        if not output.is_cuda:
            self._keep(places, output)
            return
        host = output.to("cpu", non_blocking=True)  # in pinned memory
        copied = torch.cuda.Event()
        # Of the device that computed it, which may be another than the current one.
        copied.record(torch.cuda.current_stream(output.device))
        self.under_way.append((places, host, copied))
        self._await(1)

    def all(self) -> NDArray[Any]:
        self._await(0)
        assert self.values is not None
        return self.values

    def _await(self, n_left: int) -> None:
        while len(self.under_way) > n_left:
            places, host, copied = self.under_way.pop(0)
            copied.synchronize()
            self._keep(places, host)

    def _keep(self, places: Any, output: Tensor) -> None:
        values = output.cpu().numpy()
        if self.values is None:
            self.values = np.empty((self.n_results, *values.shape[1:]), values.dtype)
        self.values[places] = values


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
