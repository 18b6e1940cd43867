"""An echo state network with a trained readout: a ridge, or any estimator of scikit-learn."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sklseq._compat.sklearn import HasMethods
from sklseq.base import attribute, estimator, param
from sklseq.data import Sequences
from sklseq.reservoir._base import BaseESN
from sklseq.reservoir._layers import same_weights
from sklseq.reservoir._pooling import Block
from sklseq.reservoir._ridge import RidgeReadout
from sklseq.reservoir._sums import Targets

__all__ = ["ESNWithReadout"]


@estimator
class ESNWithReadout(RidgeReadout, BaseESN):
    """Echo state network with a trained readout."""

    readout: Any = param(
        None,
        "A scikit-learn estimator fitted on the features instead of the ridge. It is cloned, not "
        "changed; `fit` gives it the features of all rows in one array.",
        HasMethods(["fit", "predict"]),
        None,
    )

    _attributes = {
        "readout_": attribute("estimator", "The fitted `readout`, where one was given."),
    }

    if TYPE_CHECKING:  # not an annotation at run time: it would become a parameter
        readout_: Any

    # -- fitting ---------------------------------------------------------------------------

    def _learn(
        self, X: Sequences, values: NDArray[Any], weights: NDArray[np.float64], fresh: bool
    ) -> None:
        """Fit the ridge to the rows of X, together with all earlier ones unless `fresh`.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_outputs)
        weights : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        """
        targets = Targets(values, self._without_washout(weights, X))
        data = X.steps, X.lengths, values, weights
        self._learn_ridge(self._source(X), targets, self._n_columns, data, fresh)
        self.__dict__.pop("readout_", None)

    def _learn_readout(
        self,
        X: Sequences,
        values: NDArray[Any],
        weights: NDArray[np.float64],
        method: str,
        **more: Any,
    ) -> None:
        """Fit the given readout to the rows of X that have all their targets.

        Parameters
        ----------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        method : str
            "fit" or "partial_fit".
        **more
            For that method.
        """
        weights = self._without_washout(weights, X)
        weights = weights.min(axis=1) if weights.ndim == 2 else weights
        kept = weights > 0
        if not kept.any():
            raise ValueError("y has no row with a target and a positive weight after the washout.")
        features = np.empty((int(kept.sum()), self._n_columns), dtype=self.dtype)
        place = np.cumsum(kept) - 1

        def write(blocks: Iterable[Block]) -> list[Block]:
            return [(place[rows[kept[rows]]], x[kept[rows]]) for rows, x in blocks]

        for part in self._source(X)(write):
            for places, x in part:
                features[places] = x
        readout = clone(self.readout)
        if method == "partial_fit":
            readout = deepcopy(self.readout_) if hasattr(self, "readout_") else readout
        weights = weights[kept]
        if (weights != 1).any():
            if not has_fit_parameter(readout, "sample_weight"):
                raise ValueError(
                    f"The rows have unequal weights, but {type(readout).__name__} takes none."
                )
            more["sample_weight"] = weights
        getattr(readout, method)(features, values[kept], **more)
        self.readout_ = readout
        for name in ("coef_", "intercept_", "alpha_", "target_mean_", "target_scale_", "_sums"):
            self.__dict__.pop(name, None)

    def _can_partial_fit(self) -> bool:
        return self.readout is None or hasattr(self.readout, "partial_fit")

    def _goes_on(self) -> bool:
        """Whether there is a fitted readout of the kind asked for that can learn more."""
        return hasattr(self, "_sums" if self.readout is None else "readout_")

    # -- merging ---------------------------------------------------------------------------

    def merge(self, other: Any) -> Self:
        """Learn what another model has learnt: as if this one had been fitted to the rows of both.

        Parameters
        ----------
        other : estimator
            Of the same class, fitted with the same reservoir: give both the same integer as
            `random_state`. It is not changed.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the two do not share reservoir, features and targets, or the readout cannot be
            merged: only a ridge with one `alpha` or 'gcv' can.
        """
        check_is_fitted(self)
        check_is_fitted(other)
        self._check_mergeable(other)
        self._refuse_grid("merge")
        with self._all_or_nothing():
            self._sums = self._sums.merged(other._sums)
            self._solve(self._sums.paths(), self._alphas())
        return self

    def _check_mergeable(self, other: Any) -> None:
        name = type(self).__name__
        if type(other) is not type(self):
            raise ValueError(f"A {type(other).__name__} cannot be merged into a {name}.")
        if not hasattr(self, "_sums") or not hasattr(other, "_sums"):
            raise ValueError("Only models with a ridge readout can be merged.")
        mine = [*self.layers_, *(self.backward_layers_ or [])]
        theirs = [*other.layers_, *(other.backward_layers_ or [])]
        if len(mine) != len(theirs) or not all(map(same_weights, mine, theirs)):
            raise ValueError(
                f"The two {name} have different reservoirs: give both the same parameters and the "
                "same integer as random_state."
            )
        for what in ("solver", "target", "features", "pooling", "n_slices", "washout"):
            if getattr(self, what) != getattr(other, what):
                raise ValueError(f"The two {name} differ in {what}.")
        if self._sums.n_outputs != other._sums.n_outputs:
            raise ValueError(
                f"The two {name} have {self._sums.n_outputs} and {other._sums.n_outputs} outputs."
            )

    # -- scoring ---------------------------------------------------------------------------

    def _score_weights(self, X: Any, sample_weight: Any) -> Any:
        """Weights for `score`: 0 in the washout of steps, where nothing was fitted."""
        if not self._per_step or self.washout == 0:
            return sample_weight
        sequences = self._read_steps(X, reset=False)
        weights = self._read_weights(sample_weight, sequences)
        weights = self._without_washout(weights, sequences)
        if not weights.any():
            raise ValueError(f"X has no step to score after the washout of {self.washout}.")
        return sequences.restore(weights)

    # -- predicting ------------------------------------------------------------------------

    def _outputs(self, X: Any) -> tuple[Sequences, NDArray[np.float64]]:
        """X as read, and what the ridge says of its rows: (n_rows, n_outputs)."""
        check_is_fitted(self)
        coef, intercept = np.atleast_2d(self.coef_).T, np.ravel(self.intercept_)
        return self._map_rows(X, lambda features: features @ coef + intercept, len(intercept))

    def _from_readout(self, X: Any, method: str) -> tuple[Sequences, NDArray[Any]]:
        """X as read, and what a method of the given readout says: (n_rows, n_outputs)."""
        say: Callable[[NDArray[Any]], NDArray[Any]] = getattr(self.readout_, method)
        # What it says of any row tells the shape.
        example = np.asarray(say(np.zeros((1, self._n_columns), dtype=self.dtype)))

        def function(features: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(say(features)).reshape(len(features), -1)

        sequences, values = self._map_rows(X, function, example[0].size, example.dtype)
        return sequences, values[:, 0] if example.ndim == 1 else values
