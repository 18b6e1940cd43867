"""Normalizing flows: fitted by maximum likelihood, and sampled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.flows.density import StandardStudent
from sklseq.training.rows.batch import Batch, mean_loss

__all__ = ["base_noise", "negative_log_likelihood"]


def negative_log_likelihood(module: Any, batch: Batch, *, is_best: bool = False) -> Tensor:
    """Loss of a flow: the mean negative log-density of a batch.

    A flow that `is_best` from the start stays as it is: steps by batches would only add noise.
    """
    loss = mean_loss(-module(*batch.inputs), batch)
    return loss.detach() + 0 * sum(p.sum() for p in module.parameters()) if is_best else loss


def base_noise(module: Any, n: int, n_features: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draws ``(n, n_features)`` of a flow's base distribution."""
    noise = rng.standard_normal((n, n_features))
    if isinstance(base := module.base, StandardStudent):
        df = base.degrees_of_freedom.item()
        noise *= np.sqrt(df / rng.chisquare(df, size=(n, 1)))
    return noise
