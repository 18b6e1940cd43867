"""Fitting and running a network over the rows of a table, or of any array with one row each."""

from numbers import Integral
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from sklseq._compat.sklearn import check_sample_weight
from sklseq.base import estimator
from sklseq.parts.fit import NeuralEstimator
from sklseq.training.rows.batch import Batch, as_tensor
from sklseq.training.rows.dense import DenseRows
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run_rows

__all__ = ["TableEstimator", "check_finite_rows", "hold_out", "layer_sizes"]

_Rows = TypeVar("_Rows", DenseRows, SequenceRows)


@estimator
class TableEstimator(NeuralEstimator):
    """An estimator whose rows are samples of one shape; `fit` is `_fit` with what differs below."""

    def _objective(self, module: nn.Module, batch: Batch) -> Tensor:
        """Mean weighted loss of a batch."""
        raise NotImplementedError

    def _module_settings(
        self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]
    ) -> dict[str, Any]:
        """What `_network` is made with, for these training data."""
        raise NotImplementedError

    def _initialise(self, module: nn.Module, inputs: tuple[Tensor, ...], weight: Tensor) -> None:
        """Set what a new module takes from its training data, before it is trained.

        Called once for each new module, without gradients.
        """

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        """What is left to learn once the network is trained."""

    def _read(self, X: Any, *, reset: bool) -> NDArray[Any]:
        """Validate X and set, or compare with, what `fit` has seen."""
        if len(shape := getattr(X, "shape", ())) > 2:
            raise ValueError(
                f"Found array with dim {len(shape)}, but {type(self).__name__} takes one row for "
                "each sample. Flatten images: X.reshape(len(X), -1)."
            )
        X = validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False
        )
        return check_finite_rows(X)

    def _read_training(self, X: Any, y: Any, fresh: bool) -> tuple[NDArray[Any], ...]:
        """Arrays with one row each sample: what the network is trained on."""
        return (self._read(X, reset=fresh),)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, partial: bool = False) -> Self:
        fresh = not (self.__sklearn_is_fitted__() and (partial or self.warm_start))
        with self._all_or_nothing():
            inputs = self._read_training(X, y, fresh)
            weights = check_sample_weight(
                sample_weight, inputs[0], dtype=np.float64, ensure_non_negative=True
            )
            module = self._start_module(fresh, **self._module_settings(inputs, weights))
            like = next(module.parameters())
            rows = DenseRows(tuple(as_tensor(a, like) for a in inputs), as_tensor(weights, like))
            # A single epoch of partial_fit has nothing to stop.
            train, validation = (
                hold_out(rows, weights, self.validation_fraction, self._seed)
                if self.early_stopping and not partial
                else (rows, None)
            )
            if fresh:
                with torch.no_grad():
                    self._initialise(module, train.inputs, train.weight)
            data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
            self._train(module, self._objective, train, validation, partial=partial, data=data)
            self._finish_training(inputs, weights)
        return self

    def _run(self, function: str, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Outputs of a method of the trained module, for all rows of the inputs."""
        method = getattr(self.module_, function)
        return run_rows(self.module_, method, inputs, n_threads=self.n_threads)

    def _read_fitted(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        return self._read(X, reset=False)


def hold_out(
    rows: _Rows, weights: NDArray[np.float64], share: float, seed: int
) -> tuple[_Rows, _Rows]:
    """Rows to train on, and a share of those with weight, held out."""
    candidates = np.flatnonzero(weights)
    if len(candidates) < 2:
        raise ValueError("early_stopping needs at least two rows with weight; set it to False.")
    split = train_test_split(candidates, test_size=share, random_state=seed)
    train, validation = (rows.subset(np.sort(part)) for part in split)
    return train, validation


def check_finite_rows(X: NDArray[Any], name: str = "X") -> NDArray[Any]:
    """X, which the user knows by this name, if all of it is finite.

    Raises
    ------
    ValueError
        Naming the first row and feature that is not.
    """
    if np.isfinite(X.sum(dtype=np.float64)) or (finite := np.isfinite(X)).all():
        return X
    place = np.argwhere(~finite)[0]
    what = "NaN" if np.isnan(X[tuple(place)]) else "infinity"
    where = ", ".join(f"index {i}" for i in place[1:]) if X.ndim > 2 else f"feature {place[1]}"
    raise ValueError(
        f"Input {name} contains {what} at row {place[0]}, {where}: fill it in first, for example "
        "with SimpleImputer, or leave out the row."
    )


def layer_sizes(name: str, sizes: Any) -> tuple[int, ...]:
    """The sizes as a tuple of integers.

    Raises
    ------
    ValueError
        If one is not a number of units.
    """
    for size in sizes:
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name}={sizes!r} holds {size!r}, which is not a number of units.")
    return tuple(int(size) for size in sizes)
