"""Fitting and running a network over whole sequences that are their own targets."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq.base import choice, estimator, param
from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Sequences
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.table_estimator import hold_out
from sklseq.training.rows.batch import Batch, as_tensor
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run_sequences

__all__ = ["RaggedEstimator", "length_weights", "scales_of", "sequence_weights"]


@estimator
class RaggedEstimator(NeuralEstimator, SequenceEstimator):
    """What `TableEstimator` is to rows of a table, for sequences of any length.

    A batch has the inputs ``(steps, packing)`` and one weight for each step: its sequence's,
    over the number of steps, so that sequences count alike whatever their length.
    """

    target: str = param("sequence", "A row is a whole sequence.", choice("sequence"))

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        """Mean weighted loss of a batch."""
        raise NotImplementedError

    def _module_settings(self, X: Sequences) -> dict[str, Any]:
        """What `_network` is made with, for these training data."""
        raise NotImplementedError

    def _initialise(self, module: nn.Module, rows: SequenceRows) -> None:
        """Set what a new module takes from its training data, before it is trained."""

    def _finish(self, X: Sequences, weights: NDArray[np.float64]) -> None:
        """What is left to learn once the network is trained."""

    def _read_training(self, X: Any, y: Any, fresh: bool) -> Sequences:
        """Validated training data; what else the network is to see is in the steps."""
        return self._read_numbers(X, reset=fresh)

    def _read_numbers(self, X: Any, *, reset: bool, dtype: str | None = None) -> Sequences:
        sequences = self._read_X(X, reset=reset, dtype=dtype or self.dtype)
        if sequences.symbolic:
            raise ValueError(
                f"X holds symbols, but {type(self).__name__} takes numbers: encode them first, for "
                "example one-hot."
            )
        return sequences

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, partial: bool = False) -> Self:
        fresh = not (self.__sklearn_is_fitted__() and (partial or self.warm_start))
        with self._all_or_nothing():
            sequences = self._read_training(X, y, fresh)
            weights = self._read_weights(sample_weight, sequences)
            module = self._start_module(fresh, **self._module_settings(sequences))
            like, lengths = next(module.parameters()), sequences.lengths
            weight = as_tensor(np.repeat(weights / lengths, lengths), like)
            rows = SequenceRows(as_tensor(sequences.steps, like), lengths, weight, weight, True)
            train, validation = rows, None
            if self.early_stopping and not partial:
                train, validation = hold_out(rows, weights, self.validation_fraction, self._seed)
            if fresh:
                with torch.no_grad():
                    self._initialise(module, train)
            data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
            self._train(module, self._objective, train, validation, partial=partial, data=data)
            self._finish_training(sequences, weights)
        return self

    def _run(self, function: str, X: Sequences, *, per_step: bool) -> NDArray[Any]:
        """Outputs of a method of the trained module, for all sequences or all of their steps."""
        steps = as_tensor(X.steps, next(self.module_.parameters()))
        return run_sequences(
            self.module_,
            getattr(self.module_, function),
            SequenceRows(steps, X.lengths),
            per_step=per_step,
            n_threads=self.n_threads,
        )

    def _read_fitted(self, X: Any) -> Sequences:
        check_is_fitted(self)
        # The type of the weights, whatever `dtype` says since.
        dtype = str(next(self.module_.parameters()).dtype).removeprefix("torch.")
        return self._read_numbers(X, reset=False, dtype=dtype)


def scales_of(rows: SequenceRows, n_features: int) -> tuple[Tensor, Tensor]:
    """Weighted mean and deviation of the first `n_features` columns of the steps.

    The deviation of a constant feature is 1: only rounding is left of it, and dividing by that
    would blow it up.
    """
    weight, steps = rows.weight[:, None], rows.steps[:, :n_features]
    mean = (weight * steps).sum(dim=0) / weight.sum()
    variance = (weight * (steps - mean).square()).sum(dim=0) / weight.sum()
    constant = variance.sqrt() <= 10 * torch.finfo(mean.dtype).eps * mean.abs()
    return mean, torch.where(constant, torch.ones_like(mean), variance.sqrt())


def length_weights(rows: SequenceRows) -> NDArray[np.float64]:
    """Weight of each sequence, as the user gave it."""
    starts = np.cumsum(rows.lengths) - rows.lengths
    summed = np.add.reduceat(rows.weight.cpu().numpy().astype(np.float64), starts)
    return summed * (rows.total_weight / len(rows))


def sequence_weights(batch: Batch) -> Tensor:
    """Weight of each sequence of a batch whose weights are those of steps."""
    packing = batch.inputs[1]
    starts = torch.from_numpy(packing.starts).to(batch.weight.device)
    counts = torch.from_numpy(packing.lengths).to(batch.weight.device, batch.weight.dtype)
    return batch.weight.index_select(0, starts) * counts
