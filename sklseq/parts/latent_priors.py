"""Ex-post density estimation: distributions fitted to latent codes after training, for samples."""

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, param
from sklseq.nn.flows.coupling_flow import CouplingFlow
from sklseq.parts.conditions import OneHot, rows_and_classes, with_classes
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.flow_density import base_noise, negative_log_likelihood
from sklseq.training.rows.batch import Targets, systematic_resampling
from sklseq.training.rows.dense import DenseRows

__all__ = [
    "LATENT_DISTRIBUTIONS",
    "LatentDistribution",
    "LatentPriorParameters",
    "check_latent_prior",
    "fit_latent_prior",
    "latent_prior_of",
]

# Numbers of mixture components, tried in turn until the criterion has risen twice.
_N_COMPONENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
# Noise on the codes that a flow learns, in their standard deviations: where many codes are equal
# there is no density.
_JITTER = 1e-3
# Codes are few: without weight decay a flow overfits them (measured on codes of digits).
_FLOW_TRAINING: dict[str, Any] = {
    "solver": "adamw",
    "weight_decay": 1.0,
    "learning_rate": 2e-3,
    "batch_size": 128,
    "max_epochs": 200,
    "n_iter_no_change": 20,
}
# With fewer rows a held-out part does not show when to stop.
_FEWEST_TO_HOLD_OUT = 50


@estimator
class LatentPriorParameters:
    """The parameter of estimators with a fitted latent prior."""

    latent_prior: str | None = param(
        None,
        "Distribution fitted to the latent codes of the training rows after training, class by "
        "class, from which `sample` draws codes: a 'normal' distribution of full covariance, a "
        "Gaussian mixture ('gmm') with the number of components chosen by BIC, or a 'flow' of "
        "affine couplings. This is ex-post density estimation (Ghosh et al. 2020). None fits "
        "nothing.",
        choice("normal", "gmm", "flow"),
        None,
    )


class LatentDistribution(Protocol):
    """A fitted distribution of latent codes."""

    def draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        """Codes ``(n, n_components)``, given the classes of the rows if there are any."""
        ...


def fit_latent_prior(
    kind: str | None,
    codes: NDArray[Any],
    weights: NDArray[np.float64],
    classes: OneHot = None,
    *,
    seed: int,
    dtype: str = "float32",
    device: str = "cpu",
    n_threads: int | None = None,
) -> LatentDistribution | None:
    """Fit a distribution to latent codes ``(n, n_components)``; `kind` None fits nothing.

    Each of the one-hot `classes` ``(n, n_classes)`` gets a distribution of its own. `dtype`,
    `device` and `n_threads` are those of a flow.
    """
    if kind is None:
        return None
    if np.ptp(weights):
        chosen = systematic_resampling(weights, seed)
        codes, classes = codes[chosen], None if classes is None else classes[chosen]
    if kind == "flow":
        computation: dict[str, Any] = {"dtype": dtype, "device": device, "n_threads": n_threads}
        flow = _FlowPrior(random_state=seed, **_FLOW_TRAINING, **computation)
        return flow.fit(codes, classes)
    return _MixturePrior.fit(codes, classes, kind, seed)


def latent_prior_of(model: Any, codes: NDArray[Any], targets: Targets) -> LatentDistribution | None:
    """The distribution that an estimator's `latent_prior` fits to the codes of training rows."""
    return fit_latent_prior(
        model.latent_prior,
        codes,
        targets.weights,
        targets.values,
        seed=model._seed,
        dtype=model.dtype,
        device=model.device,
        n_threads=model.n_threads,
    )


class _MixturePrior:
    """A mixture of normal distributions of all codes, or one for each class.

    Parameters
    ----------
    mixtures : list of (weights, means, factors)
        Of shapes (k,), (k, d) and (k, d, d); a covariance is its factor times its transpose.
    """

    _stored: ClassVar[dict[str, Any]] = {"mixtures": "data"}

    def check_stored(self) -> None:
        """Refuse mixtures that are none."""
        for mixture in self.mixtures:
            weights, means, factors = map(np.asarray, mixture)
            k, d = means.shape
            if weights.shape != (k,) or factors.shape != (k, d, d) or k == 0:
                raise ValueError("the latent prior's mixtures do not fit together.")

    def __init__(self, mixtures: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]):
        self.mixtures = mixtures

    @classmethod
    def fit(cls, codes: NDArray[Any], classes: OneHot, kind: str, seed: int) -> Self:
        """Fit to codes ``(n, d)``, with one-hot rows for classes."""
        groups = [codes] if classes is None else [codes[of == 1] for of in classes.T]
        # A class without rows takes the codes of all.
        return cls([_fit_mixture(g if len(g) else codes, kind, seed) for g in groups])

    def draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        """Codes of these classes."""
        index = np.zeros(n, dtype=int) if classes is None else classes.argmax(axis=1)
        uniform, codes = rng.random(n), rng.standard_normal((n, self.mixtures[0][1].shape[1]))
        for c, (weights, means, factors) in enumerate(self.mixtures):
            rows = np.flatnonzero(index == c)
            part = np.searchsorted(np.cumsum(weights)[:-1], uniform[rows])
            codes[rows] = means[part] + np.einsum("nij,nj->ni", factors[part], codes[rows])
        return codes


class _Mixture(GaussianMixture):
    """One that does not warn: the criterion decides, whether or not it has converged."""

    # Filters of warnings belong to all threads, so no fit may set one.
    converged_ = property(lambda self: True, lambda self, value: None)


def _fit_mixture(
    codes: NDArray[Any], kind: str, seed: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    codes = codes.astype(np.float64)
    mean, scale = codes.mean(axis=0), codes.std(axis=0)
    scale[scale == 0] = 1
    standard = (codes - mean) / scale
    if len(standard) == 1:  # scikit-learn needs two
        standard = np.repeat(standard, 2, axis=0)
    n_different = len(np.unique(standard, axis=0))
    tried: list[tuple[float, GaussianMixture]] = []
    for k in _N_COMPONENTS if kind == "gmm" else (1,):
        if k > n_different:
            break
        mixture = _Mixture(k, random_state=seed)
        # Its k-means is not written for other arrays than numpy's.
        with config_context(array_api_dispatch=False):
            mixture.fit(standard)
        tried.append((mixture.bic(standard), mixture))
        lowest = min(tried, key=lambda pair: pair[0])
        if lowest not in tried[-2:]:  # it has risen twice
            break
    best = lowest[1]
    factors = scale[:, None] * np.linalg.cholesky(best.covariances_)
    return best.weights_, mean + scale * best.means_, factors


@estimator
class _FlowPrior(NeuralEstimator):
    """A flow of codes, conditional on classes if there are any."""

    _network: ClassVar[type[nn.Module]] = CouplingFlow
    _tells_of_training = False

    if TYPE_CHECKING:
        n_features_in_: int

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: NDArray[Any], y: OneHot = None) -> Self:
        """Fit to codes X ``(n, d)``, with one-hot rows y for classes."""
        self.early_stopping = len(X) >= _FEWEST_TO_HOLD_OUT
        return self._fit(X, y)

    def _read(self, X: NDArray[Any], fresh: bool) -> NDArray[Any]:
        self.n_features_in_ = X.shape[1]
        noise = np.random.default_rng(0).standard_normal(X.shape)
        scale = X.std(axis=0)
        return X + _JITTER * np.where(scale > 0, scale, 1) * noise

    def _read_targets(
        self, y: OneHot, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        return Targets(weights, y)

    def _settings(self, data: NDArray[Any], targets: Targets) -> dict[str, Any]:
        n_context = 0 if targets.values is None else targets.values.shape[1]
        return {"n_features": data.shape[1], "n_context": n_context, "n_layers": 4}

    def _rows(self, data: Any, like: Tensor, targets: Targets | None = None) -> DenseRows:
        if targets is None:
            return DenseRows(data, like)
        return DenseRows(with_classes((data,), targets.values), like, Targets(targets.weights))

    def _initialize(self, module: Any, rows: DenseRows) -> None:
        module.transform.initialize(*rows_and_classes(rows.arrays), rows.weight)

    _objective = staticmethod(negative_log_likelihood)

    def draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        """Codes of these classes."""
        noise = base_noise(self.module_, n, self.n_features_in_, rng)
        return self._run("decode", with_classes((noise,), classes))


LATENT_DISTRIBUTIONS = (_MixturePrior, _FlowPrior, None)
"""What `fit_latent_prior` gives."""


def check_latent_prior(
    distribution: LatentDistribution | None, n_components: int, n_classes: int = 0
) -> None:
    """Refuse a distribution of other codes, or for other classes.

    Parameters
    ----------
    distribution : LatentDistribution or None
    n_components : int
        Of the codes.
    n_classes : int, default=0
        0 where codes have no class.

    Raises
    ------
    ValueError
        If it is one.
    """
    if isinstance(distribution, _MixturePrior):
        found = {means.shape[1] for _, means, _ in distribution.mixtures}
        for_classes = len(distribution.mixtures) == max(1, n_classes)
    elif isinstance(distribution, _FlowPrior):
        made = distribution._module_kwargs
        found, for_classes = {made["n_features"]}, made["n_context"] == n_classes
    else:
        return
    if found != {n_components} or not for_classes:
        raise ValueError(f"its latent prior is not one of {n_components} components.")
