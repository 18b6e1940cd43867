"""Picking among rows that a network makes, so that those picked are distributed as the data."""

import math
import warnings
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from sklseq.base import estimator, integer, param
from sklseq.generative._base import Generator
from sklseq.parts.conditions import one_hot, rows_and_classes
from sklseq.parts.table_estimator import hold_out
from sklseq.training.engine import Trainer
from sklseq.training.rows.batch import Batch, as_tensor
from sklseq.training.rows.dense import DenseRows

__all__ = ["CandidateGenerator", "raked"]

# Share of the rows that tell when the judge has learned, and what a judge loses that guesses.
_HELD_OUT, _OF_CHANCE = 0.1, 2 * math.log(2)
# Samples that each of these rows is compared with, once it has.
_COMPARISONS = 16
# With fewer rows one or two are held out: they cannot tell.
_FEWEST_JUDGED = 50
# Picks, of each class, that frequencies are counted over.
_PICKS = 4096
# Rows that are made at once, so that memory holds the candidates of no more.
_AT_ONCE = 1024
# Keeps finite what is added for values that the network never makes.
_RIDGE = 1e-4


@estimator
class CandidateGenerator(Generator):
    """Makes several rows for each that it returns.

    The module has ``n_noise``, ``decode``, ``rate``, ``judge`` and ``judge_losses``.
    """

    n_candidates: int = param(
        8,
        "Rows drawn for each that `sample` returns; 1 returns them as the generator makes them. "
        "Counts with each call, if it was above 1 in `fit`.",
        integer(1),
    )

    @property
    def _judge_learning_rate(self) -> float:
        return self.learning_rate

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        super()._finish(inputs, weights)
        self._judged, self._tilt = False, None
        if self.n_candidates == 1:
            return
        try:
            self._judged = self._train_judge(inputs, weights)
        except KeyboardInterrupt:
            warnings.warn(
                "The judge's training was interrupted: `sample` does without it.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.module_.eval()
        if (columns := self._mixed_columns) is not None:
            n_values = self._module_kwargs["n_features"]
            counted = np.setdiff1d(np.arange(n_values), columns.number_places)
            if counted.size:
                self._tilt = np.zeros((self._n_conditions(inputs) or 1, n_values))
                self._tilt[:, counted] = self._frequency_tilt(inputs, weights, counted)

    def _train_judge(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> bool:
        """Let the judge learn to tell samples from data; whether it can, on rows held out."""
        if np.count_nonzero(weights) < _FEWEST_JUDGED:
            return False
        network: Any = self.module_
        like = next(network.parameters())
        rows = DenseRows(tuple(as_tensor(a, like) for a in inputs), as_tensor(weights, like))
        train, validation = hold_out(rows, weights, _HELD_OUT, self._seed)

        def objective(judge: nn.Module, batch: Batch) -> torch.Tensor:
            return (batch.weight * network.judge_losses(*rows_and_classes(batch))).mean()

        self._judge_trainer().run(network.judge, objective, train.resampled(self._seed), validation)
        return self._beats_chance(validation)

    def _judge_trainer(self) -> Trainer:
        return Trainer(
            solver="adam",
            learning_rate=self._judge_learning_rate,
            lr_schedule="cosine",
            max_epochs=-(-self.max_epochs // 4),
            batch_size=self.batch_size,
            weight_decay=0.0,
            gradient_clip=None,
            gradient_clip_by="norm",
            n_iter_no_change=20,
            tol=0.0,
            n_threads=self.n_threads,
            verbose=0,
            seed=self._seed,
        )

    def _beats_chance(self, rows: DenseRows) -> bool:
        """Whether the judge loses less than one that guesses, by more than a standard error.

        Each row is compared with several new samples: those of training chose the epoch.
        """
        network: Any = self.module_
        batch = rows.take(np.arange(len(rows)))
        with torch.no_grad(), self._drawing(rows.weight.device):
            losses = torch.stack(
                [network.judge_losses(*rows_and_classes(batch)) for _ in range(_COMPARISONS)]
            ).mean(dim=0)
        mean = (rows.weight * losses).mean()
        error = (rows.weight * (losses - mean)).norm() / len(rows)
        return bool(mean + error < _OF_CHANCE)

    def _frequency_tilt(
        self,
        inputs: tuple[NDArray[Any], ...],
        weights: NDArray[np.float64],
        counted: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """What ratings gain by these values, in each class, for picks as frequent as in data."""
        of_class = inputs[1] if self.conditional else np.ones((len(weights), 1))
        tilt = np.zeros((of_class.shape[1], len(counted)))
        rng = np.random.default_rng(self._seed)
        for c, in_class in enumerate((weights[:, None] * of_class).T):
            if not in_class.any():
                continue  # never drawn
            condition = (one_hot(np.full(_PICKS, c), len(tilt)),) if self.conditional else ()
            rows, rated = self._candidates(_PICKS, condition, rng)
            frequencies = np.average(inputs[0][:, counted], axis=0, weights=in_class)
            tilt[c] = raked(rated, rows[:, :, counted], frequencies)
        return tilt

    def _candidates(
        self, n: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows ``(n, n_candidates, n_values)`` and their ratings, logarithms of weights."""
        shape = n, self.n_candidates
        noise = rng.standard_normal((n * self.n_candidates, self._n_noise))
        condition = tuple(np.repeat(values, self.n_candidates, axis=0) for values in condition)
        rows = self._run("decode", noise, *condition)
        rated = self._run("rate", rows, *condition) if self._judged else np.zeros(shape)
        return rows.reshape(*shape, -1), rated.reshape(shape)

    @property
    def _n_noise(self) -> int:
        network: Any = self.module_
        return network.n_noise

    def _draw(
        self, n_samples: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        if self.n_candidates == 1 or not (self._judged or self._tilt is not None):
            return self._run("decode", rng.standard_normal((n_samples, self._n_noise)), *condition)
        # All noise is drawn before what picks, so that rows do not depend on how many are made at
        # once; drawn twice, for it may be too much to keep.
        noise, parts = deepcopy(rng), list(_parts(n_samples))
        for part in parts:
            rng.standard_normal(((part.stop - part.start) * self.n_candidates, self._n_noise))
        return np.concatenate(
            [
                self._picked(part.stop - part.start, tuple(c[part] for c in condition), noise, rng)
                for part in parts
            ]
        )

    def _picked(
        self,
        n: int,
        condition: tuple[NDArray[Any], ...],
        noise: np.random.Generator,
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        """One of each row's candidates, by their ratings."""
        rows, rated = self._candidates(n, condition, noise)
        if self._tilt is not None:
            tilt = condition[0] @ self._tilt if condition else self._tilt
            rated = rated + (rows * tilt[:, None]).sum(axis=2)
        # The largest of logarithms with Gumbel noise is a draw by the numbers themselves.
        chosen = (rated + rng.gumbel(size=rated.shape)).argmax(axis=1)
        return rows[np.arange(n), chosen]


def _parts(n: int) -> Iterator[slice]:
    """Of `n` rows, so many as are made at once."""
    for start in range(0, n, _AT_ONCE):
        yield slice(start, min(start + _AT_ONCE, n))


def raked(
    rated: NDArray[Any], values: NDArray[Any], frequencies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each value adds to ratings, so that rows picked by them have it in these frequencies.

    One of each group's rows is picked, with probabilities proportional to the exponentials of
    ratings. Of all changes that give the frequencies this is the least (Ireland and Kullback
    1968, Contingency tables with given marginals): how values hang together stays.

    Parameters
    ----------
    rated : ndarray of shape (n_groups, n_candidates)
        Logarithms of weights.
    values : ndarray of shape (n_groups, n_candidates, n_values)
    frequencies : ndarray of shape (n_values,)
        Wanted means over picked rows.

    Returns
    -------
    ndarray of shape (n_values,)
    """
    flat = values.reshape(-1, values.shape[2]).astype(np.float64)

    def loss(tilt: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = rated + (flat @ tilt).reshape(rated.shape)
        total = logsumexp(logits, axis=1)
        picked = np.exp(logits - total[:, None]).ravel() / len(rated)
        gap = picked @ flat - frequencies + _RIDGE * tilt
        return total.mean() - frequencies @ tilt + 0.5 * _RIDGE * tilt @ tilt, gap

    return minimize(loss, np.zeros(flat.shape[1]), jac=True, method="L-BFGS-B", tol=1e-10).x
