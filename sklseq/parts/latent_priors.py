"""Distributions of codes, learnt once an autoencoder is trained, for its samples to start from."""

import warnings
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, param
from sklseq.parts.flow_density import FlowMixin
from sklseq.parts.table_estimator import TableEstimator
from sklseq.training.rows.batch import as_often_as_they_weigh

__all__ = ["LatentPriorMixin"]

# Tried in turn, until the criterion has risen twice.
_N_COMPONENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
# Of noise on the codes that a flow learns, in their standard deviations: where many codes are
# equal there is no density.
_JITTER = 1e-3
# Codes are few: without decay a flow learns them by heart (measured on codes of digits).
_FLOW_TRAINING: dict[str, Any] = {
    "solver": "adamw",
    "weight_decay": 1.0,
    "learning_rate": 2e-3,
    "batch_size": 128,
    "max_epochs": 200,
    "n_iter_no_change": 20,
}
# With fewer rows a held-out part says nothing of when to stop.
_FEWEST_TO_HOLD_OUT = 50


class _CodeDistribution(Protocol):
    """What codes are drawn from."""

    def draw(
        self, n: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        """Codes ``(n, n_components)``; the condition is () or one-hot rows ``(n, n_classes)``."""
        ...


@estimator
class LatentPriorMixin:
    """The parameter `latent_prior`, and the distribution that it asks for."""

    latent_prior: str | None = param(
        None,
        "What is fitted to the codes of the training rows after training, class by class, for "
        "`sample` to draw codes from: a 'normal' distribution of full covariance, a Gaussian "
        "mixture ('gmm') with as many parts as the Bayesian information criterion wants, or a "
        "'flow' of affine couplings. None fits nothing.",
        choice("normal", "gmm", "flow"),
        None,
    )

    def _refit_prior(
        self: Any,
        codes: NDArray[Any],
        weights: NDArray[np.float64],
        condition: tuple[NDArray[Any], ...] = (),
    ) -> None:
        """Learn how the codes of the training rows are distributed, if that is asked for."""
        self._code_distribution: _CodeDistribution | None = None
        if self.latent_prior is None:
            return
        if np.ptp(weights):
            chosen = as_often_as_they_weigh(weights, self._seed)
            codes, condition = codes[chosen], tuple(values[chosen] for values in condition)
        if self.latent_prior == "flow":
            shared = {p: getattr(self, p) for p in ("dtype", "device", "n_threads")}
            flow = _CodeFlow(random_state=self._seed, **_FLOW_TRAINING, **shared)
            self._code_distribution = flow.fit(codes, *condition)
        else:
            self._code_distribution = _Mixtures.fit(
                codes, condition[0] if condition else None, self.latent_prior, self._seed
            )

    def _draw_codes(self, n: int, rng: np.random.Generator) -> NDArray[Any]:
        """Codes of the prior that training has kept to."""
        raise NotImplementedError

    def _sampled_codes(
        self, n: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        """Codes for these conditions: of what was fitted to them, else of the prior."""
        if self._code_distribution is None:
            return self._draw_codes(n, rng)
        return self._code_distribution.draw(n, condition, rng)


class _Mixtures:
    """A mixture of normal distributions for all codes, or one for those of each class.

    Parameters
    ----------
    mixtures : list of (weights, means, factors)
        Of shapes (k,), (k, d) and (k, d, d); a covariance is its factor times its transpose.
    """

    def __init__(self, mixtures: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]):
        self.mixtures = mixtures

    @classmethod
    def fit(cls, codes: NDArray[Any], classes: NDArray[Any] | None, kind: str, seed: int) -> Self:
        """Fit to codes ``(n, d)``, with one-hot rows for classes."""
        groups = [codes] if classes is None else [codes[of == 1] for of in classes.T]
        # A class without rows takes the codes of all.
        return cls([_fit_mixture(g if len(g) else codes, kind, seed) for g in groups])

    def draw(
        self, n: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        """Codes for these conditions."""
        classes = condition[0].argmax(axis=1) if condition else np.zeros(n, dtype=int)
        uniform, codes = rng.random(n), rng.standard_normal((n, self.mixtures[0][1].shape[1]))
        for c, (weights, means, factors) in enumerate(self.mixtures):
            rows = np.flatnonzero(classes == c)
            part = np.searchsorted(np.cumsum(weights)[:-1], uniform[rows])
            codes[rows] = means[part] + np.einsum("nij,nj->ni", factors[part], codes[rows])
        return codes


def _fit_mixture(
    codes: NDArray[Any], kind: str, seed: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    codes = codes.astype(np.float64)
    mean, scale = codes.mean(axis=0), codes.std(axis=0)
    scale[scale == 0] = 1
    standard = (codes - mean) / scale
    if len(standard) == 1:  # scikit-learn wants two
        standard = np.repeat(standard, 2, axis=0)
    best, rises = None, 0
    lowest = np.inf
    for k in _N_COMPONENTS if kind == "gmm" else (1,):
        if k > len(standard) or rises == 2:
            break
        mixture = GaussianMixture(k, random_state=seed)
        with warnings.catch_warnings():
            # Whether it has converged, the criterion says whether it is better.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(standard)
        criterion = mixture.bic(standard)
        if criterion < lowest:
            best, lowest, rises = mixture, criterion, 0
        else:
            rises += 1
    assert best is not None
    factors = scale[:, None] * np.linalg.cholesky(best.covariances_)
    return best.weights_, mean + scale * best.means_, factors


@estimator
class _CodeFlow(FlowMixin, TableEstimator):
    """A flow of codes, conditional on classes if there are any."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, codes: NDArray[Any], classes: NDArray[Any] | None = None) -> Self:
        """Fit to codes ``(n, d)``, with one-hot rows for classes."""
        self.early_stopping = len(codes) >= _FEWEST_TO_HOLD_OUT
        return self._fit(codes, classes, None)

    def _read_training(self, X: Any, y: Any, fresh: bool) -> tuple[NDArray[Any], ...]:
        self.n_features_in_ = X.shape[1]
        noise = np.random.default_rng(0).standard_normal(X.shape)
        scale = X.std(axis=0)
        X = X + _JITTER * np.where(scale > 0, scale, 1) * noise
        return (X,) if y is None else (X, y)

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        n_context = inputs[1].shape[1] if len(inputs) > 1 else 0
        return {"n_features": inputs[0].shape[1], "n_context": n_context, "n_layers": 4}

    def draw(
        self, n: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        """Codes for these conditions."""
        return self._decoded_noise(n, condition, rng)
