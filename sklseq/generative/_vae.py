"""Variational autoencoders as estimators."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sklseq.base import estimator, other_default
from sklseq.generative._density import DensityGenerator
from sklseq.generative._latent import LatentVariableGenerator
from sklseq.generative._variational import VariationalMixin
from sklseq.nn.codes.variational import VariationalAutoencoder

__all__ = ["VAE"]


@estimator
class VAE(VariationalMixin, LatentVariableGenerator, DensityGenerator):
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
    drawn has the same columns, dtypes and categories, and numbers within the range seen. An array
    of integers or booleans is read as such a DataFrame, and drawn with its dtype.
    A DataFrame of floats alone, none of them missing, is the exception: it is read as its array,
    by `likelihood`, and draws may lie outside the range seen. `score_samples` adds
    log-probabilities of booleans, categories, missing values and whole numbers to log-densities
    of real numbers, each a mean over the last decimal that was seen. A probability and a density
    do not compare: turn integers into floats where they are to be real numbers.

    Codes of all rows together are seldom as the prior wants them, so that samples come from where
    the decoder learned little. With `latent_prior` a second distribution is fitted to the codes,
    a draw of each row's posterior [5]_ [6]_, and `sample` draws from that. Scores, outliers and
    `active_units_` are those of the model with its standard normal prior, whatever `latent_prior`.

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
    .. [5] Dai and Wipf (2019). Diagnosing and enhancing VAE models. ICLR, section 4.
    .. [6] Ghosh et al. (2020). From variational to deterministic autoencoders. ICLR, section 4.

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

    learning_rate: float = other_default(LatentVariableGenerator, "learning_rate", 3e-3)

    _network: ClassVar[type[nn.Module]] = VariationalAutoencoder

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        return super()._module_settings(inputs, weights) | {"n_draws": self.n_draws}

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        super()._finish(inputs, weights)
        self._find_active_units(self._run("encode", *inputs), weights)

    def _training_codes(self, inputs: tuple[NDArray[Any], ...]) -> NDArray[Any]:
        return self._posterior_draws(self._run("posterior_parameters", *inputs))
