"""Classifier of trees, nodes and pairs of trees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base import estimator
from sklseq.base.leaked_labels import warn_labels_as_symbols
from sklseq.data import Forest
from sklseq.parts.supervised import NeuralClassifier
from sklseq.recursive._supervised import SupervisedRecursive
from sklseq.training.rows.batch import Targets

__all__ = ["RecursiveClassifier"]


@estimator
class RecursiveClassifier(NeuralClassifier, SupervisedRecursive):
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

    def _read_targets(
        self, y: Any, data: Forest, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        targets = super()._read_targets(y, data, weights, fresh, **known)
        if fresh and not self.pairs and not self._multilabel:
            labels = self.classes_.astype(object)[targets.values]
            labels[targets.weights == 0] = None
            warn_labels_as_symbols(data, labels, self._per_node)
        return targets

    def _explained(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        probabilities = self._probabilities(outputs)
        return probabilities if self._multilabel else probabilities[:, whole[0].argmax()]
