"""Ex-post density estimation: distributions of latent representations, fitted after training."""

import warnings
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, param
from sklseq.base.tables import of_table
from sklseq.base.targets import TargetRows
from sklseq.nn.flows.coupling_flow import CouplingFlow
from sklseq.parts.fit import NeuralEstimator
from sklseq.training.rows.batch import Batch, Targets, mean_loss, systematic_resampling
from sklseq.training.rows.dense import DenseRows

__all__ = ["LatentDistribution", "LatentPriorParameters", "fit_latent_prior"]

Arrays = tuple[NDArray[Any], ...]

# Tried in turn, until the criterion has risen twice.
_N_COMPONENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
# Deviation of noise on what a flow learns, in units of its scale: where many latent
# representations are equal there is no density.
_JITTER = 1e-3
# Rows are few: without decay a flow overfits (measured on latent representations of digits).
_FLOW_TRAINING: dict[str, Any] = {
    "solver": "adamw",
    "weight_decay": 1.0,
    "learning_rate": 2e-3,
    "batch_size": 128,
    "max_epochs": 200,
    "n_iter_no_change": 20,
}
# Fewer rows are too few for a held-out part to stop training by.
_FEWEST_TO_HOLD_OUT = 50


@estimator
class LatentPriorParameters:
    """The parameter `latent_prior`, declared for all that have it; not a base."""

    latent_prior: str | None = param(
        None,
        "Distribution fitted to the latent representations of the training rows after training, "
        "class by class, from which `sample` draws: 'normal', of full covariance; 'gmm', a "
        "Gaussian mixture whose number of components minimizes the Bayesian information "
        "criterion; or 'flow', affine couplings. None fits nothing.",
        choice("normal", "gmm", "flow"),
        None,
    )


class LatentDistribution(Protocol):
    """A fitted distribution of latent representations."""

    def draw(self, n: int, condition: Arrays, rng: np.random.Generator) -> NDArray[Any]:
        """Draws ``(n, n_components)``; the condition is () or one-hot rows ``(n, n_classes)``."""
        ...


def fit_latent_prior(
    kind: str,
    codes: NDArray[Any],
    weights: NDArray[np.float64],
    condition: Arrays = (),
    *,
    seed: int,
    dtype: str = "float32",
    device: str = "cpu",
    n_threads: int | None = None,
) -> LatentDistribution:
    """Fit a distribution to the latent representations of training rows.

    Parameters
    ----------
    kind : {"normal", "gmm", "flow"}
    codes : ndarray of shape (n, n_components)
    weights : ndarray of shape (n,)
    condition : tuple, default=()
        One-hot classes ``(n, n_classes)`` in it make a distribution of each class.
    seed : int
    dtype, device, n_threads
        As in `NeuralEstimator`, for a flow.
    """
    if np.ptp(weights):
        chosen = systematic_resampling(weights, seed)
        codes, condition = codes[chosen], tuple(values[chosen] for values in condition)
    if kind == "flow":
        shared: dict[str, Any] = {"dtype": dtype, "device": device, "n_threads": n_threads}
        return _LatentFlow(random_state=seed, **_FLOW_TRAINING, **shared).fit(codes, *condition)
    return _Mixtures.fit(codes, condition[0] if condition else None, kind, seed)


class _Mixtures:
    """A mixture of normal distributions for all rows, or one for those of each class.

    Parameters
    ----------
    mixtures : list of (weights, means, factors)
        Of shapes (k,), (k, d) and (k, d, d); a covariance is its factor times its transpose.
    """

    def __init__(self, mixtures: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]):
        self.mixtures = mixtures

    @classmethod
    def fit(cls, codes: NDArray[Any], classes: NDArray[Any] | None, kind: str, seed: int) -> Self:
        """Fit to latent representations ``(n, d)``, with one-hot rows for classes."""
        groups = [codes] if classes is None else [codes[of == 1] for of in classes.T]
        # A class without rows takes those of all.
        return cls([_fit_mixture(g if len(g) else codes, kind, seed) for g in groups])

    def draw(self, n: int, condition: Arrays, rng: np.random.Generator) -> NDArray[Any]:
        """Draws for these conditions."""
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
class _LatentFlow(NeuralEstimator):
    """A flow of latent representations, conditional on classes if there are any."""

    _network: ClassVar[type[nn.Module]] = CouplingFlow

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, codes: NDArray[Any], classes: NDArray[Any] | None = None) -> Self:
        """Fit to latent representations ``(n, d)``, with one-hot rows for classes."""
        self.early_stopping = len(codes) >= _FEWEST_TO_HOLD_OUT
        return self._fit((codes,) if classes is None else (codes, classes))

    def _read(self, X: Arrays, fresh: bool) -> Arrays:
        codes, *condition = X
        self.n_features_in_ = codes.shape[1]
        noise = np.random.default_rng(0).standard_normal(codes.shape)
        scale = codes.std(axis=0)
        return codes + _JITTER * np.where(scale > 0, scale, 1) * noise, *condition

    def _target_rows(self, data: Arrays) -> TargetRows:
        return of_table(len(data[0]))

    def _settings(self, data: Arrays, targets: Targets) -> dict[str, Any]:
        n_context = data[1].shape[1] if len(data) > 1 else 0
        return {"n_features": data[0].shape[1], "n_context": n_context, "n_layers": 4}

    def _rows(self, data: Arrays, like: Tensor, targets: Targets | None = None) -> DenseRows:
        return DenseRows(data, like, targets)

    def _initialize(self, module: Any, rows: DenseRows) -> None:
        codes, *condition = rows.arrays
        module.transform.initialise(codes, condition[0] if condition else None, rows.weight)

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        return mean_loss(-module(*batch.inputs), batch)

    def draw(self, n: int, condition: Arrays, rng: np.random.Generator) -> NDArray[Any]:
        """Draws for these conditions."""
        noise = rng.standard_normal((n, self.n_features_in_))
        return self._run("decode", (noise, *condition))
