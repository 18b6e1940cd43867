"""Classifier and regressor of trees, nodes and pairs of trees."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import accuracy_score, r2_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sklseq._compat import fit_context
from sklseq.base import attribute, choice, estimator, param
from sklseq.data import Forest, Sequences, flatten_labels, unlabelled, without_subtrees
from sklseq.nn.tree_networks import RecursiveNetwork
from sklseq.recursive._base import AnyDirection, BaseRecursive, Targets
from sklseq.sequence_targets import SequenceClassifierMixin, SequenceRegressorMixin, weighted_scale
from sklseq.training.data import Batch, mean_loss

__all__ = ["RecursiveClassifier", "RecursiveRegressor"]


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


@estimator
class RecursiveClassifier(SequenceClassifierMixin, SupervisedRecursive):
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

    class_weight: Any = param(
        None,
        "Weights of the classes as a dict, or 'balanced' for weights inverse to their frequency "
        "in `fit`.",
        dict,
        choice("balanced"),
        None,
    )

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        losses = cross_entropy(module(*batch.inputs), batch.target, reduction="none")
        return mean_loss(losses, batch)

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


@estimator
class RecursiveRegressor(SequenceRegressorMixin, SupervisedRecursive):
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

    _attributes = {
        "target_mean_": attribute(
            "ndarray of shape (n_outputs,)",
            "Mean of y; the network is trained on y centred and scaled to unit variance.",
        ),
        "target_scale_": attribute("ndarray of shape (n_outputs,)", "Standard deviation of y."),
    }

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        return mean_loss((module(*batch.inputs) - batch.target).square(), batch)

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
        if fresh:
            self.target_mean_, self.target_scale_ = weighted_scale(values, weights)
        elif values.shape[1] != len(self.target_mean_):
            raise ValueError(
                f"y has {values.shape[1]} outputs, but {type(self).__name__} was fitted on "
                f"{len(self.target_mean_)}."
            )
        scaled = (values - self.target_mean_) / self.target_scale_
        return Targets(scaled, weights, scaled.shape[1])

    def _told(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        values = outputs * self.target_scale_
        return values[:, 0] if self._n_target_dims == 1 else values

    def _values(self, X: Any) -> tuple[Forest, NDArray[Any]]:
        forest, outputs = self._run(X)
        values = outputs * self.target_scale_ + self.target_mean_
        return forest, values[:, 0] if self._n_target_dims == 1 else values

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
