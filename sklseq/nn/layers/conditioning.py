"""Networks that are conditioned on classes."""

import torch
from torch import Tensor

__all__ = ["concat_condition"]


def concat_condition(x: Tensor, context: Tensor | None) -> Tensor:
    """Columns of both, or of x alone.

    Parameters
    ----------
    x : Tensor of shape (n, n_columns)
    context : Tensor of shape (n, n_context) or None
        One-hot classes.
    """
    return x if context is None else torch.cat([x, context], dim=1)
