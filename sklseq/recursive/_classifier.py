"""Classifier of trees, nodes and pairs of trees."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import accuracy_score

from sklseq._compat.sklearn import fit_context
from sklseq.base import estimator
from sklseq.data import Forest, flatten_labels, unlabelled
from sklseq.parts.supervised import CrossEntropyMixin
from sklseq.recursive._base import Targets
from sklseq.recursive._supervised import SupervisedRecursive

__all__ = ["RecursiveClassifier"]


@estimator
class RecursiveClassifier(CrossEntropyMixin, SupervisedRecursive):
    """Classify trees, their nodes, or pairs of trees by a recursive network.

    Trees are nested tuples, dicts, parse trees, JSON, parent arrays or sequences; a sequence, and
    so a row of a table, is composed as a balanced binary tree. The network is trained to minimise
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
            None, NaN and -1 are nodes without a label.
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
        self._check_partial(classes)
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def _read_targets(
        self,
        y: Any,
        X: Forest,
        weights: NDArray[np.float64],
        fresh: bool,
        classes: Any = None,
    ) -> Targets:
        y, rows = self._rows_of(y, X)
        codes, weights = self._read_labels(y, rows, weights, classes, known=not fresh)
        return Targets(codes, weights, len(self.classes_), None if self._per_step else codes)

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
        forest, logits = self._run(X)
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
        forest, logits = self._run(X)
        return self._restore(forest, self.classes_[logits.argmax(axis=1)])

    def _told(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        return softmax(outputs, axis=1)[:, whole[0].argmax()]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Mean accuracy of ``predict(X)``; over all labelled nodes with ``target="node"``.

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
        forest, logits = self._run(X)
        predicted = self.classes_[logits.argmax(axis=1)]
        if not self._per_step:
            return accuracy_score(y, predicted, sample_weight=sample_weight)
        true = flatten_labels(y, forest)
        known = ~unlabelled(true)
        weights = self._read_weights(sample_weight, forest)[known]
        labels = np.array(true[known].tolist())
        return accuracy_score(labels, predicted[known], sample_weight=weights)
