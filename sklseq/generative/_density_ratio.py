"""Sampling importance resampling: candidates are picked so that samples are distributed as data."""

import math
import warnings
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from sklseq.generative._base import fixed_noise
from sklseq.parts.conditions import OneHot, one_hot, rows_and_classes
from sklseq.training.engine import Trainer
from sklseq.training.hold_out import hold_out
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Batch, Targets

__all__ = ["DensityRatioEstimator", "iterative_proportional_fitting", "learn_density_ratio"]

_TRAINING: dict[str, Any] = {
    "solver": "adam",
    "lr_schedule": "cosine",
    "weight_decay": 0.0,
    "gradient_clip": None,
    "gradient_clip_by": "norm",
    "n_iter_no_change": 20,
    "tol": 0.0,
    "verbose": 0,
}
# Share of the rows that are held out to stop training, and the loss of an estimator by chance.
_HELD_OUT, _LOSS_OF_CHANCE = 0.1, 2 * math.log(2)
# Generated rows that each held-out row is compared with once training has ended.
_COMPARISONS = 16
# Rows whose candidates are in memory at once.
_CHUNK = 1024
# With fewer rows one or two are held out, too few to decide by.
_FEWEST_ROWS = 50
# Picks of each class by which frequencies are estimated.
_PICKS = 4096
# Penalty that keeps log-weights of values finite that the network never generates.
_RIDGE = 1e-4


@dataclass(frozen=True, eq=False)
class DensityRatioEstimator:
    """Picks one of several candidates, in proportion to the density ratio of data and candidates.

    The ratio is estimated by a classifier of real and generated rows, the network's
    ``density_ratio`` (Grover et al. 2019, section 3 and algorithm 1).

    Parameters
    ----------
    is_trained : bool, default=False
        Whether the classifier was trained, and is better than chance on held-out rows.
    log_weights : ndarray of shape (n_classes or 1, n_values) or None, default=None
        Added to the log-ratio of a candidate for each of its values, so that picks have the
        frequencies of the data; see `iterative_proportional_fitting`.
    """

    is_trained: bool = False
    log_weights: NDArray[np.float64] | None = None

    _stored: ClassVar[dict[str, Any]] = {
        "is_trained": "bool",
        "log_weights": "ndarray of shape (n_classes, n_values) or None",
    }

    @property
    def is_useful(self) -> bool:
        """Whether it prefers some candidates to others."""
        return self.is_trained or self.log_weights is not None

    def sample(self, gan: Any, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        """Rows ``(n, n_values)`` of these classes, picked from the candidates of `gan`."""
        # Noise is drawn before what picks, so that rows do not depend on the size of chunks. It is
        # drawn twice, as all of it may not fit into memory.
        noise, starts = deepcopy(rng), range(0, n, _CHUNK)
        for start in starts:
            gan._noise(min(_CHUNK, n - start) * gan.n_candidates, rng)
        rows = []
        for start in starts:
            of_chunk = None if classes is None else classes[start : start + _CHUNK]
            candidates, log_ratios = gan._candidates(min(_CHUNK, n - start), of_chunk, noise)
            rows.append(self.picked(candidates, log_ratios, of_chunk, rng))
        return np.concatenate(rows)

    def picked(
        self,
        candidates: NDArray[Any],
        log_ratios: NDArray[Any],
        classes: OneHot,
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        """One of each row's candidates ``(n, n_candidates, n_values)``, of these log-ratios."""
        if self.log_weights is not None:
            of_rows = self.log_weights if classes is None else classes @ self.log_weights
            log_ratios = log_ratios + (candidates * of_rows[:, None]).sum(axis=2)
        # Gumbel-max trick: a draw in proportion to the exponentials.
        chosen = (log_ratios + rng.gumbel(size=log_ratios.shape)).argmax(axis=1)
        return candidates[np.arange(len(candidates)), chosen]


def learn_density_ratio(gan: Any, data: NDArray[Any], targets: Targets) -> None:
    """Set the ``_density_ratio`` of a GAN whose generator is trained.

    In mixed tables picks have the frequencies of the data in discrete values.
    """
    gan._density_ratio = DensityRatioEstimator(_train(gan, data, targets))
    if (encoder := gan._format.encoder) is None:
        return
    n_values = gan._module_kwargs["n_features"]
    places = np.setdiff1d(np.arange(n_values), encoder.number_places)
    if len(places):
        log_weights = _frequency_log_weights(gan, data, targets, places, n_values)
        gan._density_ratio = replace(gan._density_ratio, log_weights=log_weights)


def _train(gan: Any, data: NDArray[Any], targets: Targets) -> bool:
    """Train the classifier; whether it is better than chance on held-out rows.

    Warns
    -----
    ConvergenceWarning
        If it is interrupted.
    """
    if np.count_nonzero(targets.weights) < _FEWEST_ROWS:
        return False
    network, seed = gan.module_, gan._seed

    def losses(inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return network.density_ratio_losses(*rows_and_classes(inputs))

    def objective(classifier: nn.Module, batch: Batch) -> torch.Tensor:
        return (batch.weight * losses(batch.inputs)).mean()

    trainer = Trainer(
        learning_rate=gan._discriminator_rate,
        max_epochs=-(-gan.max_epochs // 4),
        batch_size=gan.batch_size,
        n_threads=gan.n_threads,
        seed=seed,
        **_TRAINING,
    )
    rows = gan._rows(data, parameter_of(network), targets)
    train, held = hold_out(rows, targets, _HELD_OUT, seed)
    try:
        trainer.run(network.density_ratio, objective, train.resampled(seed), held)  # type: ignore[attr-defined]
    except KeyboardInterrupt:
        warnings.warn(
            "The training of the density-ratio estimator was interrupted: `sample` does not use "
            "it.",
            ConvergenceWarning,
            stacklevel=2,
        )
        return False
    finally:
        network.eval()
    # Each held-out row is compared with several new samples: those of training have chosen the
    # epoch. The loss must be below that of chance by more than a standard error.
    batch = held.take(np.arange(len(held)))
    with torch.no_grad(), fixed_noise(seed):
        of_rows = torch.stack([losses(batch.inputs) for _ in range(_COMPARISONS)]).mean(dim=0)
    mean = (batch.weight * of_rows).mean()
    error = (batch.weight * (of_rows - mean)).norm() / len(held)
    return bool(mean + error < _LOSS_OF_CHANCE)


def _frequency_log_weights(
    gan: Any, x: NDArray[Any], targets: Targets, places: NDArray[np.int64], n_values: int
) -> NDArray[np.float64]:
    """Log-weights ``(n_classes or 1, n_values)`` by which picks have the frequencies of the data.

    Those of numbers are 0; `places` are the other values: categories, booleans and indicators.
    """
    of_class = np.ones((len(x), 1)) if targets.values is None else targets.values
    log_weights = np.zeros((of_class.shape[1], n_values))
    rng = np.random.default_rng(gan._seed)
    for c, in_class in enumerate((targets.weights[:, None] * of_class).T):
        if not in_class.any():
            continue  # never drawn
        asked = None if targets.values is None else one_hot(np.full(_PICKS, c), len(log_weights))
        rows, log_ratios = gan._candidates(_PICKS, asked, rng)
        frequencies = np.average(x[:, places], axis=0, weights=in_class)
        log_weights[c, places] = iterative_proportional_fitting(
            log_ratios, rows[:, :, places], frequencies
        )
    return log_weights


def iterative_proportional_fitting(
    log_ratios: NDArray[Any], values: NDArray[Any], frequencies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log-weights of values, so that picked rows have them in these frequencies.

    One of each group's rows is picked, in proportion to the exponential of its log-ratio. The
    reweighting is the one of minimal relative entropy, the limit of iterative proportional fitting
    (Ireland and Kullback 1968, Contingency tables with given marginals): dependence between values
    is kept. It is found by minimizing the convex dual.

    Parameters
    ----------
    log_ratios : ndarray of shape (n_groups, n_candidates)
    values : ndarray of shape (n_groups, n_candidates, n_values)
    frequencies : ndarray of shape (n_values,)
        Means over the picked rows to obtain.

    Returns
    -------
    ndarray of shape (n_values,)
    """
    flat = values.reshape(-1, values.shape[2]).astype(np.float64)

    def dual(log_weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = log_ratios + (flat @ log_weights).reshape(log_ratios.shape)
        total = logsumexp(logits, axis=1)
        shares = np.exp(logits - total[:, None]).ravel() / len(log_ratios)
        slope = shares @ flat - frequencies + _RIDGE * log_weights
        penalty = 0.5 * _RIDGE * log_weights @ log_weights
        return total.mean() - frequencies @ log_weights + penalty, slope

    return minimize(dual, np.zeros(flat.shape[1]), jac=True, method="L-BFGS-B", tol=1e-10).x
