"""Sampling importance resampling: candidates are picked so that samples are distributed as data."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from sklseq.training.rows.batch import Batch, Targets

__all__ = [
    "DensityRatioEstimator",
    "frequency_log_weights",
    "iterative_proportional_fitting",
    "train_density_ratio",
]

_TRAINING: dict[str, Any] = {
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

    @property
    def is_useful(self) -> bool:
        """Whether it prefers some candidates to others."""
        return self.is_trained or self.log_weights is not None

    def picked(
        self,
        candidates: NDArray[Any],
        log_ratios: NDArray[Any],
        classes: OneHot,
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        """One of each row's candidates.

        Parameters
        ----------
        candidates : ndarray of shape (n, n_candidates, n_values)
        log_ratios : ndarray of shape (n, n_candidates)
        classes : ndarray of shape (n, n_classes) or None
        rng : Generator
        """
        if self.log_weights is not None:
            of_rows = self.log_weights if classes is None else classes @ self.log_weights
            log_ratios = log_ratios + (candidates * of_rows[:, None]).sum(axis=2)
        # Gumbel-max trick: a draw in proportion to the exponentials.
        chosen = (log_ratios + rng.gumbel(size=log_ratios.shape)).argmax(axis=1)
        return candidates[np.arange(len(candidates)), chosen]


def train_density_ratio(
    network: Any, rows: Any, targets: Targets, *, seed: int, **settings: Any
) -> bool:
    """Train the classifier of a network whose generator is trained; True if it is to be used.

    Parameters
    ----------
    network : AdversarialNetwork
    rows : DenseRows
        Training rows of the network.
    targets : Targets
        Their weights.
    seed : int
    **settings
        Of `Trainer`: ``learning_rate``, ``max_epochs``, ``batch_size`` and ``n_threads``.

    Warns
    -----
    ConvergenceWarning
        If it is interrupted.
    """
    if np.count_nonzero(targets.weights) < _FEWEST_ROWS:
        return False
    trainer = Trainer(solver="adam", seed=seed, **_TRAINING, **settings)

    def losses(inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return network.density_ratio_losses(*rows_and_classes(inputs))

    def objective(classifier: nn.Module, batch: Batch) -> torch.Tensor:
        return (batch.weight * losses(batch.inputs)).mean()

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
    with torch.no_grad(), fixed_noise(seed, batch.weight.device):
        of_rows = torch.stack([losses(batch.inputs) for _ in range(_COMPARISONS)]).mean(dim=0)
    mean = (batch.weight * of_rows).mean()
    error = (batch.weight * (of_rows - mean)).norm() / len(held)
    return bool(mean + error < _LOSS_OF_CHANCE)


def frequency_log_weights(
    candidates: Callable[..., tuple[NDArray[Any], NDArray[Any]]],
    x: NDArray[Any],
    targets: Targets,
    is_discrete: NDArray[np.bool_],
    seed: int,
) -> NDArray[np.float64]:
    """Log-weights ``(n_classes or 1, n_values)`` by which picks have the frequencies of the data.

    Parameters
    ----------
    candidates : callable
        ``(n, classes, rng)`` to candidates and their log-ratios.
    x : ndarray of shape (n_rows, at least n_values)
        Training rows.
    targets : Targets
        Their weights and classes.
    is_discrete : ndarray of bool of shape (n_values,)
        Values whose frequencies count: categories, booleans and indicators.
    seed : int
    """
    weights, classes = targets.weights, targets.values
    of_class = np.ones((len(x), 1)) if classes is None else classes
    log_weights = np.zeros((of_class.shape[1], len(is_discrete)))
    places, rng = np.flatnonzero(is_discrete), np.random.default_rng(seed)
    for c, in_class in enumerate((weights[:, None] * of_class).T):
        if not in_class.any():
            continue  # never drawn
        asked = None if classes is None else one_hot(np.full(_PICKS, c), len(log_weights))
        rows, log_ratios = candidates(_PICKS, asked, rng)
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
