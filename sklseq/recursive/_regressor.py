"""Regressor of trees, nodes and pairs of trees."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from sklseq._compat.sklearn import fit_context
from sklseq.base import estimator
from sklseq.data import Forest, flatten_labels
from sklseq.parts.supervised import SquaredErrorMixin
from sklseq.recursive._base import Targets
from sklseq.recursive._supervised import SupervisedRecursive

__all__ = ["RecursiveRegressor"]


@estimator
class RecursiveRegressor(SquaredErrorMixin, SupervisedRecursive):
    """Predict real values of trees, of their nodes, or of pairs of trees by a recursive network.

    Trees are read as by `RecursiveClassifier`. The network is trained to minimise the squared
    error of y scaled to unit variance.

    References
    ----------
    .. [1] Tai, Socher and Manning (2015). "Improved semantic representations from tree-structured
       long short-term memory networks". ACL.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recursive import RecursiveRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [("+", a, ("-", b)) for a, b in rng.uniform(size=(200, 2))]
    >>> y = [a - b for _, a, (_, b) in X]
    >>> model = RecursiveRegressor(hidden_size=8, learning_rate=0.02, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : trees
            A list, or 1-D object array, of trees in any form that `reader` knows; with
            ``pairs=True`` of pairs of trees; a table ``(n_rows, n_steps)`` or an array
            ``(n_sequences, n_steps, n_features)``, composed as balanced binary trees.
        y : array-like
            ``(n_trees,)`` or ``(n_trees, n_outputs)``. With ``target="node"``, for each tree
            nested tuples of values in its shape, or a list with a value (or n_outputs) for each
            node, parents before their children and subtree after subtree; for sequences one for
            each step. NaN is a node without a target.
        sample_weight : array-like or None, default=None
            Weight of each tree or pair, or as y of each node.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If X, y or a parameter is not valid, or training diverges; the estimator is then as
            it was before.
        """
        return self._fit(X, y, sample_weight)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X and y.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. The first call settles the scale of y, the symbols of X and the largest
            number of children.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, partial=True)

    def _read_targets(
        self, y: Any, X: Forest, weights: NDArray[np.float64], fresh: bool
    ) -> Targets:
        y, rows = self._rows_of(y, X)
        values, weights = self._read_values(y, rows, weights)
        scaled = self._scale_targets(values, weights, fresh)
        return Targets(scaled, weights, scaled.shape[1])

    def _told(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        values = outputs * self.target_scale_
        return values[:, 0] if self._n_target_dims == 1 else values

    def _values(self, X: Any) -> tuple[Forest, NDArray[Any]]:
        forest, outputs = self._run(X)
        return forest, self._unscale(outputs)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predicted values.

        Parameters
        ----------
        X : trees
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_trees,) or (n_trees, n_outputs)
            With ``target="node"`` an object array: for each tree nested tuples ``(value,
            child, ...)`` in its shape; for parent arrays and sequences an array of values.
        """
        return self._restore(*self._values(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination of ``predict(X)``; over all nodes that have a target.

        Parameters
        ----------
        X : trees
        y : array-like
            True values, as in `fit`.
        sample_weight : array-like or None, default=None

        Returns
        -------
        float
        """
        forest, predicted = self._values(X)
        if not self._per_step:
            return r2_score(y, predicted, sample_weight=sample_weight)
        predicted = predicted.reshape(len(predicted), -1)
        true = flatten_labels(y, forest).astype(np.float64).reshape(predicted.shape)
        weights = self._read_weights(sample_weight, forest)
        # Each output has its own missing targets.
        scores = [
            r2_score(t[known], p[known], sample_weight=weights[known])
            for t, p, known in zip(true.T, predicted.T, ~np.isnan(true.T), strict=True)
        ]
        return float(np.mean(scores))
