"""Fitting a flow of couplings by maximum likelihood, and drawing from it."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.flows.coupling_flow import CouplingFlow
from sklseq.nn.flows.density import StandardStudent
from sklseq.training.rows.batch import Batch, mean_loss

__all__ = ["FlowMixin"]


class FlowMixin:
    """A `TableEstimator` of rows, and perhaps one-hot classes; comes first in the bases."""

    _network: ClassVar[type[nn.Module]] = CouplingFlow

    def _initialise(self, module: nn.Module, inputs: tuple[Tensor, ...], weight: Tensor) -> None:
        network: Any = module
        network.transform.initialise(inputs[0], inputs[1] if len(inputs) > 1 else None, weight)

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        return mean_loss(-module(*batch.inputs), batch)

    def _decoded_noise(
        self: Any, n: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        """Rows ``(n, n_features)`` for these conditions."""
        noise = rng.standard_normal((n, self.n_features_in_))
        if isinstance(base := self.module_.base, StandardStudent):
            df = base.degrees_of_freedom.item()
            noise *= np.sqrt(df / rng.chisquare(df, size=(n, 1)))
        return self._run("decode", noise, *condition)
