"""The energy distance of generated rows from real ones."""

import math

import torch
from torch import Tensor

__all__ = ["energy_distances"]


def energy_distances(real: Tensor, fake: Tensor, weight: Tensor | None = None) -> Tensor:
    """Contribution of each real row to the energy distance of both sets, ``(n,)``.

    Divided by the square root of the number of columns (Szekely and Rizzo 2013, equation 5).

    Parameters
    ----------
    real, fake : Tensor of shape (n, n_columns)
    weight : Tensor of shape (n,) or None, default=None
        Weight of each pair of a real and a generated row.
    """
    share = torch.ones_like(real[:, 0]) if weight is None else weight / weight.mean()
    pairs = share.unsqueeze(1) * share
    across = (share * _distances(real, fake)).mean(dim=1)
    within = 0.5 * sum((pairs * _distances(rows, rows)).mean() for rows in (real, fake))
    return 2 * (across - within) / math.sqrt(real.shape[1])


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
