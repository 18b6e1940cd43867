"""What classifiers and regressors of trees share."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sklseq.base import choice, estimator, param
from sklseq.data import Forest, without_subtrees
from sklseq.nn.trees.network import RecursiveNetwork
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
        if network.per_node != self._per_node:
            fitted = "node" if network.per_node else "tree"
            raise ValueError(
                f"target={self.target!r}, but {type(self).__name__} was fitted with "
                f"target={fitted!r}: set it back, or fit again."
            )
        if (pairs := self._module_kwargs["pairs"]) != self.pairs:
            raise ValueError(
                f"pairs={self.pairs}, but {type(self).__name__} was fitted with "
                f"pairs={pairs}: set it back, or fit again."
            )
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

        Parameters
        ----------
        whole : ndarray of shape (1, n_outputs)
            Output for the whole tree.
        outputs : ndarray of shape (n, n_outputs)
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
            decrease of the predicted class's probability; for a regressor that of the
            prediction.
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
