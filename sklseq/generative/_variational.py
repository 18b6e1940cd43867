"""Training by the evidence lower bound, and what it may come to: posterior collapse."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.training.rows.batch import Batch

__all__ = ["VariationalMixin"]

# Burda et al. 2016, section 5.2: a latent variable is active if its posterior mean varies by more.
_ACTIVE_VARIANCE = 0.01


@estimator
class VariationalMixin:
    """The objective of a module with `VariationalBounds`; comes first in the bases."""

    beta: float = param(
        1.0,
        "Weight of the divergence from the prior in training [3]_; scores always have weight 1.",
        real(0),
    )
    kl_warm_up: int | None = param(
        None,
        "Epochs over which the weight of the divergence rises from 0 to `beta`, lest codes come to "
        "tell nothing before the decoder listens. Held-out rows meet all of it. None takes a fifth "
        "of `max_epochs`, and 0 with 'lbfgs', which compares losses.",
        integer(0),
        None,
    )
    free_bits: float = param(
        0.0,
        "Nats of divergence that each latent variable may have at no cost, as a mean over a batch "
        "[4]_.",
        real(0),
    )
    bound: str = param(
        "elbo",
        "What `score_samples` gives: the evidence lower bound, or with 'iwae' the importance "
        "weighted one, which lies between it and the log-density. `offset_` is in its terms, so "
        "that another one needs another fit.",
        choice("elbo", "iwae"),
    )
    n_draws: int = param(32, "Latent draws from which a score is computed.", integer(1))
    fixed_draws: bool = param(
        False,
        "Whether training maximises the bound over the draws of the scores, too, the same for each "
        "row. It then has no noise, which suits 'lbfgs' and small data, at `n_draws` times the "
        "work of the decoder.",
        "boolean",
    )
    _attributes = {
        "active_units_": attribute(
            "ndarray of bool of shape (n_components,)",
            "Which latent variables tell something of a row: those whose posterior mean has a "
            "variance above 0.01 over the training rows.",
        )
    }

    def _start_module(self: Any, fresh: bool, **kwargs: Any) -> nn.Module:
        self._density_function = self.bound  # as it was in fit: `offset_` goes by it
        return super()._start_module(fresh, **kwargs)  # type: ignore[misc]

    def _row_weights(self, batch: Batch) -> Tensor:
        """Weight of each row of a batch."""
        return batch.weight

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        network: Any = module
        terms = network.expected_terms if self.fixed_draws else network
        fit, divergence = terms(*batch.inputs)
        share = self._row_weights(batch) / batch.n_rows
        by_unit = share @ divergence
        if self.free_bits:
            by_unit = by_unit.clamp(min=self.free_bits)
        return self._beta_now(network, batch) * by_unit.sum() - share @ fit

    def _beta_now(self: Any, network: Any, batch: Batch) -> Any:
        """Weight of the divergence; it rises with the rows seen, in this fit and earlier ones."""
        # Held-out losses are compared between epochs, so they must mean the same in each.
        if not (warm_up := self._warm_up_epochs()) or not network.training:
            return self.beta
        if self.solver == "lbfgs":
            raise ValueError(
                f"kl_warm_up={warm_up} changes the loss from step to step, and 'lbfgs' "
                "compares losses: set it to 0, or take another solver."
            )
        progress = network.rows_seen / (warm_up * network.n_rows)
        network.rows_seen += batch.n_rows
        return self.beta * progress.clamp(max=1.0)

    def _warm_up_epochs(self: Any) -> int:
        if self.kl_warm_up is None:
            return 0 if self.solver == "lbfgs" else self.max_epochs // 5
        return self.kl_warm_up

    def _draw_codes(self: Any, n: int, rng: np.random.Generator) -> NDArray[Any]:
        return rng.standard_normal((n, self._n_features_out))

    def _posterior_draws(self: Any, parameters: NDArray[Any]) -> NDArray[Any]:
        """A draw of each row's posterior: the decoder was trained on these, not on their means."""
        means, deviations = np.split(parameters, 2, axis=1)
        noise = np.random.default_rng(self._seed).standard_normal(means.shape)
        return means + deviations * noise

    def _find_active_units(self, codes: NDArray[Any], weights: NDArray[np.float64]) -> None:
        """Set `active_units_` from the posterior means of the training rows."""
        mean = np.average(codes, axis=0, weights=weights)
        variance = np.average((codes - mean) ** 2, axis=0, weights=weights)
        self.active_units_ = variance > _ACTIVE_VARIANCE
        if not self.active_units_.any():
            warnings.warn(
                "Posterior collapse: no latent variable tells anything of a row, and samples come "
                "from noise alone. Raise kl_warm_up to half of max_epochs, lower beta, raise "
                "free_bits, bring the features to like scales, or train longer.",
                ConvergenceWarning,
                stacklevel=2,
            )
