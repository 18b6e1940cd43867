"""What classifiers and regressors of trees share."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, param
from sklseq.data import Forest, without_subtrees
from sklseq.nn.trees.network import RecursiveNetwork
from sklseq.parts.validation import Validation
from sklseq.recursive._base import BaseRecursive
from sklseq.training.rows.batch import Targets

__all__ = ["SupervisedRecursive"]


@estimator
class SupervisedRecursive(BaseRecursive):
    """A linear output over a recursive network."""

    target: str = param(
        "tree",
        "What a row is, which gets one target: each 'tree', or each 'node'.",
        choice("tree", "node"),
    )
    direction: str = param(
        "up",
        "Direction in which states are computed: from subtrees ('up'), from ancestors ('down') "
        "or in 'both'. A tree's vector is the state of its root, the mean over its leaves, or both "
        "concatenated.",
        choice("up", "down", "both"),
    )
    pairs: bool = param(
        False,
        "Whether each item of X is a pair of trees with one target, as for similarity and "
        "entailment; not with target='node'.",
        "boolean",
    )

    _network: ClassVar[type[nn.Module]] = RecursiveNetwork

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : trees
            A list, array, Series or column of trees in any form that `reader` knows; with
            ``pairs=True`` of pairs of trees; a table ``(n_rows, n_steps)`` or an array
            ``(n_sequences, n_steps, n_features)``, composed as balanced binary trees.
        y : array-like
            Of a classifier a label for each tree or pair, ``(n_trees,)``, or several, each a
            column of 0 and 1, ``(n_trees, n_classes)``; of a regressor a value, or ``(n_trees,
            n_outputs)``. With ``target="node"``, for each tree nested tuples of
            labels or values in its shape, or a list with one (or n_outputs) for each node, parents
            before their children and subtree after subtree; for sequences one for each step.
            None and NaN are nodes without a target.
        sample_weight : array-like or None, default=None
            Weight of each tree or pair, or as y of each node.
        X_val, y_val, sample_weight_val : as X, y and sample_weight, or None, default=None
            {{validation}}
        groups : array-like of shape (n_trees,) or None, default=None
            {{groups}}

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            {{unchanged}}
        """
        validation = Validation(X_val, y_val, sample_weight_val, groups)
        return self._fit(X, y, sample_weight, validation=validation)

    @property
    def _per_node(self) -> bool:
        return self.target == "node"

    @property
    def _trees_per_row(self) -> int:
        return 2 if self.pairs else 1

    def _read(self, X: Any, fresh: bool) -> Forest:
        if self.pairs and self._per_node:
            raise ValueError("pairs=True has one target for each pair: set target='tree'.")
        return super()._read(X, fresh)

    def _read_fitted(self, X: Any) -> Forest:
        forest = super()._read_fitted(X)
        network: Any = self.module_
        self._check_as_fitted("target", "node" if network.per_node else "tree")
        self._check_as_fitted("pairs", self._module_kwargs["pairs"])
        return forest

    def _settings(self, data: Forest, targets: Targets) -> dict[str, Any]:
        return super()._settings(data, targets) | {
            "n_outputs": targets.n_outputs,
            "per_node": self._per_node,
            "pairs": self.pairs,
            "direction": self.direction,
        }

    def _restore(self, forest: Forest, values: NDArray[Any]) -> NDArray[Any]:
        """Values of rows, in the shape of the trees where a row is a node."""
        return forest.restore(values) if self._per_node else values

    @abstractmethod
    def _explained(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        """What importances explain: a number (or several) for each row of `outputs`.

        `whole` ``(1, n_outputs)`` is the output for the whole tree.
        """

    def subtree_importances(self, X: Any) -> NDArray[np.object_]:
        """Change of each tree's prediction when a subtree is left out (occlusion).

        One subtree after the other is replaced by a leaf without a value. This takes one
        prediction for each node, so time grows as the square of a tree's size.

        Parameters
        ----------
        X : trees
            As in `fit`; with ``target="tree"`` and without `pairs` only.

        Returns
        -------
        ndarray of object of shape (n_trees,)
            Nested tuples ``(importance, child, ...)`` in the shape of each tree; for parent
            arrays an array, for sequences one with a value for each step. For a classifier the
            decrease of the predicted class's probability, or of that of each of several labels;
            for a regressor that of the prediction.
        """
        if self._per_node or self.pairs:
            raise ValueError("subtree_importances needs target='tree' and pairs=False.")
        forest = self._read_fitted(X)
        outputs = self._run("forward", forest)
        lost = []
        for tree in range(len(forest)):
            whole = outputs[tree : tree + 1]
            parts = [self._run("forward", part) for part in without_subtrees(forest, tree)]
            without = np.concatenate(parts)
            lost.append(self._explained(whole, whole) - self._explained(whole, without))
        return forest.restore(np.concatenate(lost)[forest.results])
