"""What classifiers and regressors of trees share."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sklseq.base import estimator, param
from sklseq.data import Forest, Sequences, flatten_labels, without_subtrees
from sklseq.nn.trees.network import RecursiveNetwork
from sklseq.recursive._base import AnyDirection, BaseRecursive

__all__ = ["SupervisedRecursive"]


@estimator
class SupervisedRecursive(AnyDirection, BaseRecursive):
    """A linear output over a recursive network."""

    pairs: bool = param(
        False,
        "Whether each item of X is a pair of trees with one target, as for similarity and "
        "entailment; not with target='node'.",
        "boolean",
    )

    _network: ClassVar[type[nn.Module]] = RecursiveNetwork

    @property
    def _pairs(self) -> bool:  # type: ignore[override]
        return self.pairs

    def _settings(self, n_outputs: int) -> dict[str, Any]:
        return {"n_outputs": n_outputs, "per_node": self._per_step, "pairs": self.pairs}

    def _rows_of(self, y: Any, forest: Forest) -> tuple[Any, Sequences]:
        """Targets one after the other, and which rows they belong to."""
        self._require_y(y)
        if self.pairs and self._per_step:
            raise ValueError("pairs=True has one target for each pair: set target='tree'.")
        if not self._per_step:
            n = self._n_rows(forest)
            return y, Sequences(np.arange(n), np.ones(n, dtype=np.int64), "series")
        n_nodes = int(forest.n_results.sum())
        rows = Sequences(np.arange(n_nodes), forest.n_results, "series")
        return flatten_labels(y, forest), rows

    def _told(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        """What an importance compares: a number (or several) for each row of `outputs`."""
        raise NotImplementedError

    def subtree_importances(self, X: Any) -> NDArray[np.object_]:
        """How much of each tree's prediction is lost without each of its subtrees.

        One subtree after the other is replaced by a leaf without a value (occlusion). Takes one
        prediction a node, so time and memory grow as the square of a tree's size.

        Parameters
        ----------
        X : trees
            As in `fit`; with ``target="tree"`` and without `pairs` only.

        Returns
        -------
        ndarray of object of shape (n_trees,)
            Nested tuples ``(importance, child, ...)`` in the shape of each tree; for parent
            arrays an array, for sequences one with a value for each step. For a classifier the
            fall of the predicted class's probability; for a regressor the fall of the prediction.
        """
        if self._per_step or self.pairs:
            raise ValueError("subtree_importances needs target='tree' and pairs=False.")
        forest, outputs = self._run(X)
        lost = []
        for tree in range(len(forest)):
            whole = outputs[tree : tree + 1]
            without = self._run_on(without_subtrees(forest, tree))
            lost.append(self._told(whole, whole) - self._told(whole, without))
        return forest.restore(np.concatenate(lost)[forest.results])
