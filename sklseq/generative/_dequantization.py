"""Uniform dequantization: densities of whole numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import qmc

from sklseq.nn.layers.randomness import uniform_noise

__all__ = ["UniformDequantization"]

_N_DRAWS = 16


@dataclass(frozen=True, eq=False)
class UniformDequantization:
    """Uniform noise of width one on whole numbers.

    The expected log-density of a whole number with noise is a lower bound of its log-probability
    (Theis, van den Oord and Bethge 2016, A note on the evaluation of generative models, section
    3.1).

    Parameters
    ----------
    whole : ndarray of bool of shape (n_features,)
        Which features are whole numbers.
    """

    whole: NDArray[np.bool_]

    _stored: ClassVar[dict[str, Any]] = {"whole": "ndarray of bool of shape (n,)"}

    @property
    def widths(self) -> NDArray[np.float64]:
        """Width of the noise on each feature: 1, or 0 on real numbers."""
        return self.whole.astype(np.float64)

    def with_noise(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Rows with new noise, and their classes if there are any."""
        if not self.whole.any():
            return inputs
        x, *classes = inputs
        noise = uniform_noise(x, low=-0.5, high=0.5)
        return (torch.addcmul(x, noise, x.new_tensor(self.widths)), *classes)

    def expected(
        self,
        log_density: Callable[[NDArray[np.floating]], NDArray[np.float64]],
        x: NDArray[np.floating],
        seed: int,
    ) -> NDArray[np.float64]:
        """Expected log-densities of rows with noise, by draws that are the same for each row."""
        if not self.whole.any():
            return log_density(x)
        draws = qmc.LatinHypercube(len(self.whole), rng=np.random.default_rng(seed))
        # Summed in turn: numpy's mean would round a single row otherwise than many.
        total = np.zeros(len(x))
        for draw in draws.random(_N_DRAWS):
            total += log_density(x + self.widths * (draw - 0.5))
        return total / _N_DRAWS
