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
        tile: list[Tensor | None] = []
        for tensor in tensors:
            part = None if tensor is None else tensor[start : start + size].contiguous()
            if part is not None and (missing := size - len(part)):
                part = torch.cat([part, part[-1:].expand(missing, *part.shape[1:])])
            tile.append(part)
        output = function(*tile)
        if n <= size:
            return output[:n]
        if result is None:
            result = output.new_empty(n, *output.shape[1:])
        result[start : start + size] = output[: n - start]
    assert result is not None
    return result
