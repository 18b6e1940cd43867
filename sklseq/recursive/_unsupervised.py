"""Embeddings and reconstruction errors of trees, learned without labels."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sklseq._compat.sklearn import fit_context
from sklseq.base import choice, estimator, param, same
from sklseq.base.outliers import OutlierDetector
from sklseq.data import Forest
from sklseq.nn.trees.autoencoders import RecursiveAutoencoderNetwork, UnfoldingAutoencoder
from sklseq.parts.validation import Validation
from sklseq.recursive._base import BaseRecursive
from sklseq.recursive._supervised import SupervisedRecursive
from sklseq.training.rows.batch import Batch, Targets, mean_loss

__all__ = ["RecursiveAutoencoder", "RecursiveTransformer"]


@estimator
class UnsupervisedRecursive(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseRecursive):
    """A network over trees that needs no labels."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        return mean_loss(module(*batch.inputs), batch)

    def _read_targets(
        self, y: Any, data: Forest, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        return Targets(weights, np.zeros(len(data)))

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : trees
            {{X: trees}}
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_trees,) or None, default=None
            Weight of each tree.
        X_val, sample_weight_val : as X and sample_weight, or None, default=None
            {{validation}}
        groups : array-like of shape (n_trees,) or None, default=None
            {{groups}}

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If X or a parameter is not valid, or training diverges; the estimator is then as it
            was before.
        """
        validation = Validation(X_val, None, sample_weight_val, groups)
        return self._fit(X, None, sample_weight, validation=validation)

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
class RecursiveTransformer(UnsupervisedRecursive):
    """Turn trees into vectors from which they can be unfolded again.

    The network is an unfolding autoencoder, trained without labels: from a tree's vector and
    shape, a decoder predicts the value of each of its nodes.

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
        "What gets a vector in `transform`: each 'tree', or each 'node'. Training is the same.",
        choice("tree", "node"),
    )

    direction: str = same(SupervisedRecursive, "direction")

    _network: ClassVar[type[nn.Module]] = UnfoldingAutoencoder

    def _settings(self, data: Forest, targets: Targets) -> dict[str, Any]:
        return super()._settings(data, targets) | {"direction": self.direction}

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
        if self.target == "tree":
            return self._run("features", forest)
        return forest.restore(self._run("node_features", forest, per_part=True))

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
class RecursiveAutoencoder(OutlierDetector, UnsupervisedRecursive):
    """Recursive autoencoder with a reconstruction error for each node and tree.

    Each node's value and the states of its children are decoded from its state. The error of a
    node is the cross-entropy of its symbol and the mean squared error of its features, scaled to
    unit variance, plus the mean squared distance of its children's states from the decoded ones,
    on the unit sphere. The error of a tree is the mean over its nodes.

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

    _network: ClassVar[type[nn.Module]] = RecursiveAutoencoderNetwork

    def _finish(self, data: Forest, targets: Targets) -> None:
        self._set_offset(self._score(data), targets.weights)

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
        return self._run("features", self._read_fitted(X))

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
        return forest.restore(self._run("node_errors", forest, per_part=True))

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
        return self._score(self._read_fitted(X))

    def _score(self, data: Forest) -> NDArray[np.float64]:
        return -self._run("forward", data).astype(np.float64)
