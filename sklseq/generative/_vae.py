"""Variational autoencoders as estimators."""

from typing import Any, ClassVar

from numpy.typing import NDArray
from torch import nn

from sklseq.base import estimator, other_default, same
from sklseq.base.outliers import OutlierDetector
from sklseq.generative._base import Generator
from sklseq.generative._latent import LatentVariableModel
from sklseq.generative._variational import (
    VARIATIONAL_ATTRIBUTES,
    VARIATIONAL_STORED,
    VariationalParameters,
    check_variational,
    evidence_bound,
    finish_variational,
    variational_loss,
)
from sklseq.nn.codes.variational import VariationalAutoencoder
from sklseq.training.rows.batch import Targets

__all__ = ["VAE"]


@estimator
class VAE(OutlierDetector, LatentVariableModel):
    """Variational autoencoder: a latent variable model of rows, with an approximate posterior.

    A decoder network generates rows from a few standard normal latent variables, and an encoder
    network approximates their posterior; both are trained to maximize the evidence lower bound
    [1]_. `score_samples` gives that bound, or the tighter importance-weighted one [2]_, in nats
    per row. Its latent draws are the same for each row and with each call. With
    ``hidden_layer_sizes=()`` and learned noise the model is probabilistic PCA.

    `transform` gives posterior means, `inverse_transform` expected rows, and `sample` rows
    including observation noise. Scale the features alike, for example with `StandardScaler`.

    X may be a DataFrame with columns of any kind: numbers, booleans, dates and durations,
    categories, and missing values. Objects are what their values are. Each column then has a
    likelihood of its kind. Numbers become normal scores by their quantiles; integers, dates and
    rounded values are treated as intervals. Missing values have an indicator. Samples have the same
    columns, dtypes and categories, and numbers within the range seen; a column that another one
    determined in all rows is determined so in samples. An array of integers or booleans is read as
    such a DataFrame, and sampled with its dtype. A DataFrame of floats without missing values is
    read as its array, by `likelihood`, and samples may lie outside the range seen.

    In mixed tables `score_samples` adds log-probabilities of discrete columns to log-densities of
    real numbers, each averaged over its last decimal. Probabilities and densities are not
    comparable: turn integers into floats where they are to be real numbers.

    The aggregate posterior seldom matches the prior, so that some samples come from codes on which
    the decoder was hardly trained. With `latent_prior` a second distribution is fitted to draws of
    the posterior of each row [3]_ [4]_, and `sample` draws codes from it. Scores, outliers and
    `active_units_` are those of the model with its standard normal prior, whatever `latent_prior`.

    See Also
    --------
    RealNVP : Exact densities, without a lower-dimensional latent space.

    References
    ----------
    .. [1] Kingma and Welling (2014). Auto-encoding variational Bayes. ICLR.
    .. [2] Burda, Grosse and Salakhutdinov (2016). Importance weighted autoencoders. ICLR.
    .. [3] Dai and Wipf (2019). Diagnosing and enhancing VAE models. ICLR, section 4.
    .. [4] Ghosh et al. (2020). From variational to deterministic autoencoders. ICLR, section 4.
    .. [5] Higgins et al. (2017). beta-VAE. ICLR.
    .. [6] Bowman et al. (2016). Generating sentences from a continuous space. CoNLL, section 3.
    .. [7] Kingma et al. (2016). Improved variational inference with inverse autoregressive flow.
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

    beta: float = same(VariationalParameters, "beta")
    kl_warm_up: int | None = same(VariationalParameters, "kl_warm_up")
    free_bits: float = same(VariationalParameters, "free_bits")
    bound: str = same(VariationalParameters, "bound")
    n_importance_samples: int = same(VariationalParameters, "n_importance_samples")
    common_random_numbers: bool = same(VariationalParameters, "common_random_numbers")
    learning_rate: float = other_default(LatentVariableModel, "learning_rate", 3e-3)

    _attributes = VARIATIONAL_ATTRIBUTES
    _stored = VARIATIONAL_STORED

    def _check_learned(self) -> None:
        super()._check_learned()
        check_variational(self)

    _network: ClassVar[type[nn.Module]] = VariationalAutoencoder
    _objective = variational_loss
    _finish = finish_variational
    _density = evidence_bound
    score_samples = Generator._score_samples

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        settings = super()._settings(data, targets)
        return settings | {"n_importance_samples": self.n_importance_samples}
