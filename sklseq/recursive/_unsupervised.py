"""Embeddings of trees, and autoencoder with an error for each node, learned without labels."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, param
from sklseq.base.outliers import OutlierScoreMixin
from sklseq.base.targets import weighted_scale
from sklseq.data import Forest
from sklseq.nn.trees.autoencoders import FoldingAutoencoder, UnfoldingAutoencoder
from sklseq.recursive._base import AnyDirection, BaseRecursive, Targets
from sklseq.training.rows.batch import Batch, mean_loss

__all__ = ["RecursiveAutoencoder", "RecursiveTransformer"]


class TreeFeaturesMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Vectors of trees in the estimator's `dtype`."""

    def __sklearn_tags__(self: Any) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags


@estimator
class UnsupervisedRecursive(BaseRecursive):
    """A network over trees that needs no labels; features are scaled to unit variance for it."""

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        return mean_loss(module(*batch.inputs), batch)

    def _read_targets(
        self, y: Any, X: Forest, weights: NDArray[np.float64], fresh: bool
    ) -> Targets:
        return Targets(np.zeros(len(X)), weights, 0)

    def _read_X(self, X: Any, *, reset: bool) -> Forest:
        forest = super()._read_X(X, reset=reset)
        if not reset:
            forest = self._scaled(forest)
        return forest

    def _prepare(self, forest: Forest, weights: NDArray[np.float64], fresh: bool) -> Forest:
        if not fresh or forest.features is None:
            return forest
        # Nodes without features have zeros, which are no sample of them.
        has_values = forest.has_features
        per_node = np.repeat(weights, forest.sizes) * has_values
        self._feature_mean, self._feature_scale = weighted_scale(
            forest.features.astype(np.float64), per_node[:, None]
        )
        return self._scaled(forest)

    def _scaled(self, forest: Forest) -> Forest:
        if forest.features is None:
            return forest
        scaled = (forest.features - self._feature_mean) / self._feature_scale
        scaled = np.where(forest.has_features[:, None], scaled, 0.0)
        return forest.with_features(scaled.astype(self.dtype))

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : trees
            A list, or 1-D object array, of trees in any form that `reader` knows; a table
            ``(n_rows, n_steps)`` or an array ``(n_sequences, n_steps, n_features)``, composed as
            balanced binary trees.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_trees,) or None, default=None
            Weight of each tree.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If X or a parameter is not valid, or training diverges; the estimator is then as it
            was before.
        """
        return self._fit(X, None, sample_weight)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch on X.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self
        """
        return self._fit(X, None, sample_weight, partial=True)

    @property
    def _n_features_out(self) -> int:
        network: Any = self.module_
        return network.encoder.output_size


@estimator
class RecursiveTransformer(TreeFeaturesMixin, AnyDirection, UnsupervisedRecursive):
    """Turn trees into vectors from which they can be unfolded again.

    The network is trained without labels: from a tree's vector and shape, a decoder tells the
    value of each of its nodes.

    References
    ----------
    .. [1] Socher et al. (2011). "Dynamic pooling and unfolding recursive autoencoders for
       paraphrase detection". NIPS.

    Examples
    --------
    >>> from sklseq.recursive import RecursiveTransformer
    >>> X = [("and", ("a",), ("b",)), ("or", ("a",), ("not", ("b",))), ("not", ("a",))]
    >>> RecursiveTransformer(hidden_size=4, max_epochs=5, random_state=0).fit_transform(X).shape
    (3, 4)
    """

    target: str = param(
        "tree",
        "What `transform` gives a vector: each 'tree', or each 'node'. Training is the same.",
        choice("tree", "node"),
    )

    _network: ClassVar[type[nn.Module]] = UnfoldingAutoencoder

    @property
    def _per_step(self) -> bool:
        """A row in training is a tree, whatever gets a vector."""
        return False

    def transform(self, X: Any) -> NDArray[Any]:
        """Vectors of trees or nodes.

        Parameters
        ----------
        X : trees
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_trees, n_features_out)
            ``n_features_out`` is `hidden_size`, twice that in both directions. With
            ``target="node"`` an object array: for each tree the vectors of its nodes, nested as
            the tree is.
        """
        forest = self._read_fitted(X)
        per_node = self.target == "node"
        function = "node_features" if per_node else "features"
        vectors = self._run_on(forest, function, per_node=per_node)
        return forest.restore(vectors) if per_node else vectors

    # Vectors of nodes have no columns that a DataFrame could name.
    @available_if(lambda self: self.target == "tree")
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the output features; absent with ``target="node"``.

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        ndarray of str
        """
        return super().get_feature_names_out(input_features)


@estimator
class RecursiveAutoencoder(OutlierScoreMixin, TreeFeaturesMixin, UnsupervisedRecursive):
    """Autoencoder that folds trees node by node, with an error for each node and tree.

    Each node's state has to tell its value and the states of its children. The error of a node is
    the cross-entropy of its symbol and the mean squared error of its features, scaled to unit
    variance, plus the mean squared distance of its children's states, on the unit sphere, from
    what it tells; the error of a tree is the mean over its nodes.

    References
    ----------
    .. [1] Socher et al. (2011). "Semi-supervised recursive autoencoders for predicting sentiment
       distributions". EMNLP.

    Examples
    --------
    >>> from sklseq.recursive import RecursiveAutoencoder
    >>> X = [("f", ("x",), ("y",)), ("f", ("y",), ("x",)), ("f", ("x",), ("x",))] * 10
    >>> model = RecursiveAutoencoder(hidden_size=8, learning_rate=0.02, random_state=0).fit(X)
    >>> usual, odd = model.score_samples([("f", ("x",), ("y",)), ("x", ("f",), ("f",))])
    >>> bool(usual > odd)
    True
    """

    # States from ancestors cannot be told from below, and the row is always the tree.
    direction = "up"
    target = "tree"

    _network: ClassVar[type[nn.Module]] = FoldingAutoencoder

    def _fit(self, X: Any, y: Any, sample_weight: Any, **options: Any) -> Self:
        with self._all_or_nothing():
            super()._fit(X, y, sample_weight, **options)
            scores = self.score_samples(X)
            weights = np.ones(len(scores)) if sample_weight is None else np.asarray(sample_weight)
            self._set_offset(scores, weights.astype(np.float64))
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """States of the roots.

        Parameters
        ----------
        X : trees
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_trees, hidden_size)
        """
        return self._run_on(self._read_fitted(X), "features")

    def node_errors(self, X: Any) -> NDArray[np.object_]:
        """Error of each node, in the shape of its tree.

        Parameters
        ----------
        X : trees
            As in `fit`.

        Returns
        -------
        ndarray of object of shape (n_trees,)
            Nested tuples ``(error, child, ...)``; for parent arrays and sequences an array.
        """
        forest = self._read_fitted(X)
        return forest.restore(self._run_on(forest, "node_errors", per_node=True))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Negative error of each tree: larger is more normal.

        Parameters
        ----------
        X : trees
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_trees,)
        """
        return -self._run_on(self._read_fitted(X)).astype(np.float64)
