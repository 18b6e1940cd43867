"""Regressor of trees, nodes and pairs of trees."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from sklseq._compat.sklearn import fit_context
from sklseq.base import estimator
from sklseq.base.index import check_index
from sklseq.base.targets import read_values, read_weights, score_values, weighted_scale
from sklseq.data import Forest
from sklseq.parts.supervised import SCALE_ATTRIBUTES, scaled, squared_error_loss, unscaled
from sklseq.recursive._supervised import SupervisedRecursive
from sklseq.training.rows.batch import Targets

__all__ = ["RecursiveRegressor"]


@estimator
class RecursiveRegressor(RegressorMixin, SupervisedRecursive):
    """Predict real values of trees, of their nodes, or of pairs of trees by a recursive network.

    Trees are read as by `RecursiveClassifier`. The network is trained to minimize the squared
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

    _attributes = SCALE_ATTRIBUTES
    _stored = {"_n_target_dims": "int"}
    _objective = staticmethod(squared_error_loss)

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        target_mean_: NDArray[np.float64]
        target_scale_: NDArray[np.float64]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

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
            {{unchanged}}
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
        self, y: Any, data: Forest, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        values = read_values(y, self._target_rows(data), weights)
        if fresh:
            self.target_mean_, self.target_scale_ = weighted_scale(values.values, values.weights)
            self._n_target_dims = values.n_dims
        network_values = scaled(values.values, self.target_mean_, self.target_scale_)
        return Targets(values.weights, network_values, network_values.shape[1])

    def _explained(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        return unscaled(outputs, np.zeros(1), self.target_scale_, self._n_target_dims)

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
        forest = self._read_fitted(X)
        outputs = self._run("forward", forest, per_part=self._per_node)
        return self._restore(forest, self._unscaled(outputs))

    def _unscaled(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return unscaled(outputs, self.target_mean_, self.target_scale_, self._n_target_dims)

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
        check_index(X, y=y, sample_weight=sample_weight)
        forest = self._read_fitted(X)
        outputs = self._run("forward", forest, per_part=self._per_node)
        rows = self._target_rows(forest)
        weights = read_weights(sample_weight, rows)
        return score_values(y, self._unscaled(outputs), rows, weights, stacked=True)
