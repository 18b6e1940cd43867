"""Densities of whole numbers: spread evenly over the interval that each stands for."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import qmc
from torch import Tensor

from sklseq.base import estimator
from sklseq.generative._density import DensityGenerator
from sklseq.nn.layers.randomness import current_generator

__all__ = ["WholeNumbersDensity"]

_N_DRAWS = 16


@estimator
class WholeNumbersDensity(DensityGenerator):
    """A density of real numbers that takes arrays and columns of integers for what they are.

    Uniform noise of width one is added to them, anew in each training step; the expected
    log-density is a lower bound of the log-probability of the whole number (Theis, van den Oord
    and Bethge 2016, A note on the evaluation of generative models, section 3.1).
    """

    def _origin_of(self, rows: NDArray[Any]) -> NDArray[Any]:
        self._whole = np.zeros(rows.shape[1], dtype=bool)
        if self._columns is not None:
            self._whole[:] = [column.is_integer for column in self._columns.columns]
        # Whole numbers stay whole numbers.
        return np.where(self._whole, rows.min(axis=0), super()._origin_of(rows))

    def _widths(self) -> NDArray[np.float64] | None:
        """Of the noise: one where a column holds whole numbers, zero elsewhere."""
        return self._whole.astype(np.float64) if self._whole.any() else None

    def _spread(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The rows, and what is beside them, with noise on whole numbers."""
        if (widths := self._widths()) is None:
            return inputs
        x, *context = inputs
        noise = torch.empty_like(x).uniform_(-0.5, 0.5, generator=current_generator())
        return (torch.addcmul(x, noise, x.new_tensor(widths)), *context)

    def _density_given(
        self, X: NDArray[Any], condition: tuple[NDArray[Any], ...]
    ) -> NDArray[np.float64]:
        if (widths := self._widths()) is None:
            return super()._density_given(X, condition)
        # The same for each row, so that a score is the row's own.
        draws = qmc.LatinHypercube(len(widths), rng=np.random.default_rng(self._seed))
        scores = [
            super(WholeNumbersDensity, self)._density_given(X + widths * (u - 0.5), condition)
            for u in draws.random(_N_DRAWS)
        ]
        return np.mean(scores, axis=0)
