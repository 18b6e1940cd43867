"""What every generator of rows of a table shares."""

from contextlib import AbstractContextManager
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from sklseq._compat.sklearn import fit_context
from sklseq.base import estimator
from sklseq.nn.layers.randomness import drawing_from
from sklseq.parts.conditions import ConditionalSampler
from sklseq.parts.frames import FrameGenerator

__all__ = ["Generator"]


@estimator
class Generator(ConditionalSampler, FrameGenerator):
    """Learns a distribution of rows and draws from it."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the distribution of the rows of X.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or None, default=None
            Class of each row; used with ``conditional=True`` alone.
        sample_weight : array-like of shape (n_samples,) or None, default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If X, y or a parameter is not valid, or training diverges; the estimator is then as
            it was before.
        """
        return self._fit(X, y if self.conditional else None, sample_weight)

    def _read_training(self, X: Any, y: Any, fresh: bool) -> tuple[NDArray[Any], ...]:
        X = self._read(X, reset=fresh)
        if fresh:
            self._sample_dtype = X.dtype.name
        return X, *self._read_conditions(y, X, fresh)

    def _n_conditions(self, inputs: tuple[NDArray[Any], ...]) -> int:
        return inputs[1].shape[1] if self.conditional else 0

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        if self.conditional:
            self._set_prior(inputs[1], weights)

    def _drawing(self, device: torch.device) -> AbstractContextManager[None]:
        """Random layers, and noise on rows, draw the same numbers each time."""
        return drawing_from(torch.Generator(device=device).manual_seed(self._seed))

    def _as_samples(self, drawn: NDArray[Any]) -> Any:
        return self._written(drawn.astype(self._sample_dtype, copy=False))
