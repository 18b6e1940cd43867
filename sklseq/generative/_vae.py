"""Variational autoencoders as estimators."""

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.generative._density import DensityGenerator
from sklseq.generative._latent import LatentVariableGenerator
from sklseq.nn.variational import VariationalAutoencoder
from sklseq.training.data import Batch

__all__ = ["VAE"]

# Burda et al. 2016, section 5.2: a latent variable is active if its posterior mean varies by more.
_ACTIVE_VARIANCE = 0.01


@estimator
class VAE(LatentVariableGenerator, DensityGenerator):
    """Variational autoencoder: a latent variable model of rows, with an approximate posterior.

    Rows are drawn by a decoder network from a few standard normal latent variables; an encoder
    learns their posterior, and both maximise the evidence lower bound [1]_. `score_samples` gives
    that bound, or the tighter importance weighted one [2]_, in nats per row, with draws that are
    the same for each row and with each call. With ``hidden_layer_sizes=()`` and learned noise the
    model is probabilistic PCA.

    `transform` gives posterior means, `inverse_transform` expected rows, and `sample` rows with
    the noise that the model believes in. Features should have like scales, as `StandardScaler`
    gives them.

    X may be a DataFrame with columns of any kind: numbers, booleans, categories (categorical,
    string and object dtypes), and missing values among them. Each column then has a likelihood of
    its kind: numbers become normal scores by their quantiles, and each whole number, or number
    of so many decimals, is an interval of them; a missing value is told by an indicator. What is
    drawn has the same columns, dtypes and categories, and numbers within the range seen.
    `score_samples` adds log-probabilities of booleans, categories, missing values and whole
    numbers to log-densities of real numbers, each a mean over the last decimal that was seen.

    See Also
    --------
    RealNVP : Exact densities, without a code of fewer numbers.

    References
    ----------
    .. [1] Kingma and Welling (2014). Auto-encoding variational Bayes. ICLR.
    .. [2] Burda, Grosse and Salakhutdinov (2016). Importance weighted autoencoders. ICLR.
    .. [3] Higgins et al. (2017). beta-VAE. ICLR.
    .. [4] Kingma et al. (2016). Improved variational inference with inverse autoregressive flow.
       NeurIPS, section C.8.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklseq.generative import VAE
    >>> X, y = load_digits(return_X_y=True)
    >>> model = VAE(n_components=8, conditional=True, max_epochs=2, random_state=0)
    >>> model.fit(X / 16, y).sample(5, y=[1, 2, 3, 4, 5], random_state=0).shape
    (5, 64)

    >>> import pandas as pd
    >>> table = pd.DataFrame({"town": ["Oslo", "Rome", None] * 20, "rooms": [1, 2, 3] * 20})
    >>> model = VAE(max_epochs=50, learning_rate=0.02, random_state=0).fit(table)
    >>> model.sample(3, random_state=0).dtypes.to_dict() == table.dtypes.to_dict()
    True
    """

    beta: float = param(
        1.0,
        "Weight of the divergence from the prior in training [3]_; scores always have weight 1.",
        real(0),
    )
    kl_warm_up: int = param(
        0, "Epochs over which the weight of the divergence rises from 0 to `beta`.", integer(0)
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
        "weighted one, which lies between it and the log-density.",
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

    _network: ClassVar[type[nn.Module]] = VariationalAutoencoder

    @property
    def _density_function(self) -> str:  # type: ignore[override]
        return self.bound

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        return super()._module_settings(inputs, weights) | {"n_draws": self.n_draws}

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        network: Any = module
        terms = network.expected_terms if self.fixed_draws else network
        fit, divergence = terms(*batch.inputs)
        share = batch.weight / batch.n_rows
        by_unit = share @ divergence
        if self.free_bits:
            by_unit = by_unit.clamp(min=self.free_bits)
        return self._beta_now(network, batch) * by_unit.sum() - share @ fit

    def _beta_now(self, network: Any, batch: Batch) -> Any:
        """Weight of the divergence; it rises with the rows seen, in this fit and earlier ones."""
        if not self.kl_warm_up:
            return self.beta
        progress = network.rows_seen / (self.kl_warm_up * network.n_rows)
        if network.training:
            network.rows_seen += batch.n_rows
        return self.beta * progress.clamp(max=1.0)

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        super()._finish(inputs, weights)
        codes = self._run("encode", *inputs)
        mean = np.average(codes, axis=0, weights=weights)
        variance = np.average((codes - mean) ** 2, axis=0, weights=weights)
        self.active_units_ = variance > _ACTIVE_VARIANCE
        if not self.active_units_.any():
            warnings.warn(
                "Posterior collapse: no latent variable tells anything of a row, and samples come "
                "from noise alone. Lower beta, raise kl_warm_up or free_bits, scale the features, "
                "or train longer.",
                ConvergenceWarning,
                stacklevel=2,
            )
