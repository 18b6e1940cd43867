"""Classifier of trees, nodes and pairs of trees."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin

from sklseq._compat.sklearn import fit_context
from sklseq.base import estimator
from sklseq.base.index import check_index
from sklseq.base.targets import (
    check_partial_classes,
    class_weight_param,
    read_labels,
    read_weights,
    score_labels,
)
from sklseq.data import Forest
from sklseq.parts.supervised import CLASS_ATTRIBUTES, cross_entropy_loss
from sklseq.recursive._supervised import SupervisedRecursive
from sklseq.training.rows.batch import Targets

__all__ = ["RecursiveClassifier"]


@estimator
class RecursiveClassifier(ClassifierMixin, SupervisedRecursive):
    """Classify trees, their nodes, or pairs of trees by a recursive network.

    Trees are nested tuples, dicts, parse trees, JSON, parent arrays or sequences; a sequence, and
    so a row of a table, is composed as a balanced binary tree. The network is trained to minimize
    the cross-entropy of its softmax output.

    References
    ----------
    .. [1] Socher et al. (2013). "Recursive deep models for semantic compositionality over a
       sentiment treebank". EMNLP.
    .. [2] Tai, Socher and Manning (2015). "Improved semantic representations from tree-structured
       long short-term memory networks". ACL.

    Examples
    --------
    >>> from sklseq.recursive import RecursiveClassifier
    >>> X = [("not", "true"), ("not", "false"), ("not", ("not", "true")), ("true",), ("false",)]
    >>> y = [False, True, True, True, False]
    >>> model = RecursiveClassifier(hidden_size=8, learning_rate=0.02, random_state=0).fit(X, y)
    >>> model.predict([("not", ("not", ("not", "true")))])
    array([False])
    """

    class_weight: Any = class_weight_param()

    _attributes = CLASS_ATTRIBUTES
    _objective = staticmethod(cross_entropy_loss)

    if TYPE_CHECKING:  # not an annotation at run time: it would become a parameter
        classes_: NDArray[Any]

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
            A label for each tree or pair, ``(n_trees,)``. With ``target="node"``, for each tree
            nested tuples of labels in its shape, or a list with a label for each node, parents
            before their children and subtree after subtree; for sequences one for each step.
            None and NaN are nodes without a label.
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
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X and y.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like or None, default=None
            All labels that will come; needed in the first call. The symbols of X and the largest
            number of children are settled by the first call too.

        Returns
        -------
        self
        """
        known = getattr(self, "classes_", None)
        check_partial_classes(classes, known, self.class_weight)
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def _read_targets(
        self,
        y: Any,
        data: Forest,
        weights: NDArray[np.float64],
        fresh: bool,
        **known: Any,
    ) -> Targets:
        labels = read_labels(
            y,
            self._target_rows(data),
            weights,
            class_weight=self.class_weight,
            announced=known.get("classes"),
            known=None if fresh else self.classes_,
        )
        self.classes_ = labels.classes
        stratify = None if self._per_node else labels.codes
        return Targets(labels.weights, labels.codes, len(labels.classes), stratify)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probability of each class.

        Parameters
        ----------
        X : trees
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_trees, n_classes)
            With ``target="node"`` an object array: for each tree the probabilities of its nodes,
            nested as in `predict`.
        """
        forest = self._read_fitted(X)
        logits = self._run("forward", forest, per_part=self._per_node)
        return self._restore(forest, softmax(logits, axis=1))

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class.

        Parameters
        ----------
        X : trees
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_trees,)
            With ``target="node"`` an object array: for each tree nested tuples ``(label,
            child, ...)`` in its shape; for parent arrays and sequences an array of labels.
        """
        forest = self._read_fitted(X)
        logits = self._run("forward", forest, per_part=self._per_node)
        return self._restore(forest, self.classes_[logits.argmax(axis=1)])

    def _explained(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        return softmax(outputs, axis=1)[:, whole[0].argmax()]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Mean accuracy of ``predict(X)``; over all labeled nodes with ``target="node"``.

        Parameters
        ----------
        X : trees
        y : array-like
            True labels, as in `fit`.
        sample_weight : array-like or None, default=None

        Returns
        -------
        float
        """
        check_index(X, y=y, sample_weight=sample_weight)
        forest = self._read_fitted(X)
        logits = self._run("forward", forest, per_part=self._per_node)
        rows = self._target_rows(forest)
        weights = read_weights(sample_weight, rows)
        predicted = self.classes_[logits.argmax(axis=1)]
        return score_labels(y, predicted, rows, weights, stacked=True)
