"""Reading X: trees of any form, tables and sequences among them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from sklseq.base import attribute, choice, estimator, integer, param
from sklseq.data import (
    READERS,
    Forest,
    Vocabulary,
    as_container,
    balanced_forest,
    is_nested_table,
    is_table,
    read_forest,
)
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.table_estimator import check_finite_rows

__all__ = ["TreeReader"]


@estimator
class TreeReader(NeuralEstimator):
    """An estimator whose X are trees."""

    reader: Any = param(
        "auto",
        "How to read a tree. 'auto' recognises nested tuples, dicts, objects like nltk's Tree, "
        "``ast.AST``, parent arrays and sequences; strings need a name: 'brackets', 'json', or "
        "'ast' for Python source. The pair (value function, children function) reads anything.",
        choice("auto", *READERS),
        tuple,
    )
    min_count: int = param(
        1,
        "Symbols seen less often than this in `fit` count as unknown, from which the vector of "
        "unknown symbols is learned; with 1 it stays zero.",
        integer(1),
    )

    _attributes = {
        "vocabulary_": attribute("ndarray of str or int", "The known symbols, where X has symbols.")
    }
    _pairs = False

    def _read_X(self, X: Any, *, reset: bool) -> Forest:
        """Validate X and set, or compare with, what `fit` has seen.

        Raises
        ------
        ValueError, TypeError
            Naming the tree and node at fault.
        """
        self._check_reader()
        X = as_container(X)
        if self._pairs:
            forest = self._read_pairs(X)
        elif self._is_table(X):
            table = validate_data(self, X, reset=reset, dtype=self.dtype, ensure_all_finite=False)
            forest = balanced_forest(check_finite_rows(table)[:, :, None])
            if reset:
                self._n_node_features = 1
            return self._check_values(forest)
        elif getattr(X, "ndim", 1) == 3:
            forest = self._read_panel(X)
        else:
            if isinstance(X, str) or not hasattr(X, "__iter__"):
                raise TypeError(f"X is a {type(X).__name__}, not a list of trees.")
            forest = read_forest(X, reader=self.reader, dtype=self.dtype)
        if reset:
            n = 0 if forest.features is None else forest.features.shape[1]
            self._n_node_features, self.n_features_in_ = n, max(n, 1)
            self.__dict__.pop("feature_names_in_", None)
        return self._check_values(forest)

    def _check_reader(self) -> None:
        if isinstance(self.reader, tuple) and not (
            len(self.reader) == 2 and all(map(callable, self.reader))
        ):
            raise ValueError(
                f"reader={self.reader!r} is not the pair (value function, children function)."
            )

    @staticmethod
    def _is_table(X: Any) -> bool:
        """Whether X is a 2-D table; rows that are tuples are trees."""
        if isinstance(X, np.ndarray) and X.dtype != object:
            return X.ndim < 3
        of_lists = isinstance(X, list) and all(isinstance(row, list) for row in X)
        return is_table(X) or (of_lists and len(X) > 0 and is_nested_table(X))

    def _read_panel(self, X: NDArray[Any]) -> Forest:
        if 0 in X.shape:
            raise ValueError(f"X has shape {X.shape}: sequences, steps and features are needed.")
        flat = check_finite_rows(X.reshape(len(X), -1).astype(self.dtype))
        return balanced_forest(flat.reshape(X.shape))

    def _read_pairs(self, X: Any) -> Forest:
        if self._is_table(X) or getattr(X, "ndim", 1) == 3 or not hasattr(X, "__iter__"):
            raise ValueError("pairs=True, but X holds no pairs of trees: each item needs two.")
        trees: list[Any] = []
        for i, pair in enumerate(X):
            if isinstance(pair, (str, dict)) or not hasattr(pair, "__len__") or len(pair) != 2:
                raise ValueError(f"pairs=True, but X, item {i} is not a pair of trees.")
            trees.extend(pair)
        return read_forest(trees, reader=self.reader, dtype=self.dtype, name_of=self._name_of)

    def _name_of(self, tree: int) -> str:
        return f"Pair {tree // 2}, tree {tree % 2}" if self._pairs else f"Tree {tree}"

    def _place(self, forest: Forest, node: int) -> str:
        """How messages call one of the stacked nodes."""
        tree, node = forest.locate(node)
        return f"{self._name_of(tree)}, node {node}"

    def _check_values(self, forest: Forest) -> Forest:
        """Give nodes without features zeros, and refuse features of another length."""
        wanted = self._n_node_features
        found = 0 if forest.features is None else forest.features.shape[1]
        if found == wanted:
            return forest
        if found == 0:
            return forest.with_features(np.zeros((forest.n_nodes, wanted), dtype=self.dtype))
        place = self._place(forest, int(forest.has_features.argmax()))
        raise ValueError(
            f"X has {found} features at a node, but {type(self).__name__} is expecting {wanted} "
            f"features as input ({place}, is the first that has some)."
        )

    def _encode_symbols(self, forest: Forest, fresh: bool) -> NDArray[np.int64] | None:
        """Code of each node's symbol: 0 for none, 1 for unknown; a fresh fit learns them."""
        if fresh:
            self.__dict__.pop("vocabulary_", None)
            if forest.symbols is not None:
                self.vocabulary_ = self._frequent(forest.symbols)
        vocabulary = getattr(self, "vocabulary_", None)
        if forest.symbols is not None and not fresh:
            self._check_symbols(forest, forest.symbols)
        if vocabulary is None:
            return None
        if forest.symbols is None:
            return np.zeros(forest.n_nodes, dtype=np.int64)
        codes = Vocabulary(vocabulary.tolist()).encode(forest.symbols) + 1
        codes[[symbol is None for symbol in forest.symbols]] = 0
        return codes

    def _check_symbols(self, forest: Forest, symbols: NDArray[Any]) -> None:
        """Refuse symbols where there were none, or of another type: all would be unknown."""
        node = next((i for i, symbol in enumerate(symbols) if symbol is not None), None)
        vocabulary = getattr(self, "vocabulary_", None)
        if node is None or (vocabulary is not None and not len(vocabulary)):
            return
        is_word = isinstance(symbols[node], str)
        if vocabulary is None:
            fitted = "without symbols"
        elif is_word == (vocabulary.dtype.kind == "U"):
            return
        else:
            fitted = f"on symbols of type {'int' if is_word else 'str'}"
        raise ValueError(
            f"{self._place(forest, node)} has the symbol {symbols[node]!r}, but "
            f"{type(self).__name__} was fitted {fitted}."
        )

    def _frequent(self, symbols: NDArray[Any]) -> NDArray[Any]:
        found = [s for s in symbols if s is not None]
        if not found:
            return np.array([], dtype=str)
        known, counts = np.unique(np.array(found), return_counts=True)
        return known[counts >= self.min_count]
