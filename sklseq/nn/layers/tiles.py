"""Row-wise functions in calls of one shape.

How a kernel rounds depends on the shape of its call. In calls of one shape a row has the same
result to the bit, alone and in any company.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["in_tiles"]


def in_tiles(function: Callable[..., Tensor], *tensors: Tensor | None, size: int) -> Tensor:
    """Results of a function of rows, computed `size` rows at a time.

    Parameters
    ----------
    function : callable
        Gives one row for each row of its arguments.
    *tensors : Tensor of shape (n, ...) or None
        Arguments; the last row fills the last tile up.
    size : int
        Rows of a call.

    Returns
    -------
    Tensor of shape (n, ...)
    """
    n = next(len(t) for t in tensors if t is not None)
    if not n:
        return function(*tensors)
    result: Tensor | None = None
    for start in range(0, n, size):
        tile = [None if t is None else t[start : start + size].contiguous() for t in tensors]
        missing = start + size - n
        if missing > 0:
            tile = [None if t is None else torch.cat([t, _last(t, missing)]) for t in tile]
        output = function(*tile)
        if result is None:
            if n <= size:
                return output[:n]
            result = output.new_empty(n, *output.shape[1:])
        result[start : start + size] = output[: n - start]
    assert result is not None
    return result


def _last(tensor: Tensor, n: int) -> Tensor:
    return tensor[-1:].expand(n, *tensor.shape[1:])
