"""What all recursive estimators share."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.base.leaked_labels import warn_ratings_as_symbols
from sklseq.base.target_rows import TargetRows
from sklseq.base.trees import (
    check_reader,
    check_symbols,
    index_of_symbols,
    node_place,
    of_forest,
    read_trees,
    vocabulary_of,
)
from sklseq.data import READERS, Forest
from sklseq.data.limits import first_beyond, largest
from sklseq.nn.trees.cells import COMPOSITIONS
from sklseq.nn.trees.levels import ENGINES
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.scaled_steps import (
    SCALE_ATTRIBUTES,
    SCALE_STORED,
    check_scale,
    learn_scale,
    scaled,
)
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.forests import ForestRows

__all__ = ["BaseRecursive"]

# More children than this and weights for each position are too many to be learned.
_MAX_ARITY = 32


@estimator
class BaseRecursive(NeuralEstimator):
    """Recursive network over trees."""

    composition: Any = param(
        "lstm",
        "Cell that computes a node's state from its children's: plain ('rnn'), matrix-vector "
        "('mv') or tensor network ('rntn'), tree LSTM or GRU with weights for each position "
        "('lstm', 'gru') or for the sum of any number of children ('childsum-lstm', "
        "'childsum-gru'), or layers before and after that sum ('childsum-mlp'). Or a class derived "
        "from `sklseq.nn.trees.cells.TreeCell`.",
        choice(*COMPOSITIONS),
        type,
    )
    hidden_size: int = param(64, "Units of a node's state, in each direction.", integer(1))
    embedding_size: int | None = param(
        None,
        "Size of the vector learned for each symbol; None takes `hidden_size`.",
        integer(1),
        None,
    )
    rank: int | None = param(
        None,
        "Rank of the tensor of 'rntn' and of the leaves' matrices of 'mv'; None is full.",
        integer(1),
        None,
    )
    dropout: float = param(0.0, "Share of inputs and of states dropped in training.", real(0, 1))
    engine: str = param(
        "levels",
        "Order of computation: 'levels' computes many nodes of a batch at once; 'recursive' one "
        "node after the other, with the same results to rounding: slow, for reading and testing.",
        choice(*ENGINES),
    )
    reader: Any = param(
        "auto",
        "Format of trees. 'auto' recognizes nested tuples, dicts, objects like nltk's Tree, "
        "``ast.AST``, parent arrays and sequences; strings need a name: 'brackets', 'json', or "
        "'ast' for Python source. The pair (value function, children function) reads anything.",
        choice("auto", *READERS),
        tuple,
    )
    min_count: int = param(
        1,
        "Number of occurrences in `fit` below which a symbol counts as unknown. The vector of "
        "unknown symbols is learned from these; with 1 it stays zero.",
        integer(1),
    )

    _attributes = SCALE_ATTRIBUTES | {
        "vocabulary_": attribute(
            "ndarray of shape (n_symbols,)", "The known symbols, where X has symbols."
        )
    }
    _network: ClassVar[type[nn.Module]]
    _stored = SCALE_STORED | {"_n_node_features": "int", "_arity": "int"}

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        vocabulary_: NDArray[Any]
        _n_node_features: int

    @property
    def _per_node(self) -> bool:
        """Whether each node has a target, and not each tree."""
        return False

    @property
    def _trees_per_row(self) -> int:
        """Trees that have one target together."""
        return 1

    # -- reading ---------------------------------------------------------------------------

    def _read(self, X: Any, fresh: bool) -> Forest:
        """X as trees; a fresh fit learns the symbols and the largest number of children."""
        check_reader(self.reader)
        pairs = self._trees_per_row == 2
        forest = read_trees(self, X, reset=fresh, reader=self.reader, pairs=pairs)
        if fresh:
            warn_ratings_as_symbols(forest)
            self._arity = forest.arity
            self.__dict__.pop("vocabulary_", None)
            if (vocabulary := vocabulary_of(forest, self.min_count)) is not None:
                self.vocabulary_ = vocabulary
        else:
            check_symbols(forest, self._vocabulary, type(self).__name__, pairs)
        self._check_arity(forest, fresh)
        return forest

    def _check_learned(self) -> None:
        super()._check_learned()
        n_symbols = 0 if self._vocabulary is None else len(self._vocabulary) + 2
        wanted = {
            "n_features": self._n_node_features,
            "n_symbols": n_symbols,
            "arity": self._arity,
        }
        given = {name: self._module_kwargs[name] for name in wanted}
        if given != wanted:
            raise ValueError(f"its network is made for {given}, expected {wanted}.")
        if self._n_node_features:
            check_scale(self, self._n_node_features)

    @property
    def _vocabulary(self) -> NDArray[Any] | None:
        return getattr(self, "vocabulary_", None)

    def _check_arity(self, forest: Forest, fresh: bool) -> None:
        composition = self.composition if fresh else self._module_kwargs["composition"]
        cell = COMPOSITIONS[composition] if isinstance(composition, str) else composition
        if getattr(cell, "any_arity", False):
            return
        place = f"{node_place(forest, forest.widest(), self._trees_per_row == 2)} has "
        place += f"{forest.arity} children"
        if forest.arity > self._arity:
            raise ValueError(
                f"{place}, but {type(self).__name__} was fitted on trees with at most "
                f"{self._arity}: composition={composition!r} has weights for each position. "
                "Those named 'childsum-...' take any number."
            )
        if forest.arity > _MAX_ARITY:
            raise ValueError(
                f"{place}, too many for composition={composition!r}, which has weights for "
                f"each position and takes up to {_MAX_ARITY}. Those named 'childsum-...' take any "
                "number."
            )

    def _target_rows(self, data: Forest) -> TargetRows:
        return of_forest(data, self._per_node, self._trees_per_row)

    # -- training --------------------------------------------------------------------------

    def _learn_scale(self, data: Forest, weights: NDArray[np.float64]) -> None:
        for name in SCALE_ATTRIBUTES:
            self.__dict__.pop(name, None)
        if data.features is None:
            return
        if self._per_node:
            weights = np.add.reduceat(weights, np.cumsum(data.n_results) - data.n_results)
        numeric = np.add.reduceat(data.has_features.astype(np.int64), data.starts)
        weights, some = np.repeat(weights, self._trees_per_row), numeric > 0
        learn_scale(self, data.features[data.has_features], numeric[some], weights[some], "tree")

    def _settings(self, data: Forest, targets: Targets) -> dict[str, Any]:
        return {
            "n_symbols": 0 if self._vocabulary is None else len(self._vocabulary) + 2,
            "embedding_size": self.embedding_size or self.hidden_size,
            "n_features": self._n_node_features,
            "composition": self.composition,
            "hidden_size": self.hidden_size,
            "arity": self._arity,
            "rank": self.rank,
            "dropout": self.dropout,
        }

    def _rows(self, data: Forest, like: Tensor, targets: Targets | None = None) -> ForestRows:
        return ForestRows(
            self._scaled(data, like),
            index_of_symbols(data, self._vocabulary),
            like,
            targets,
            per_node=self._per_node,
            trees_per_row=self._trees_per_row,
            engine=self.engine,
        )

    def _scaled(self, data: Forest, like: Tensor) -> Forest:
        """Trees whose numbers are as the network reads them."""
        if data.features is None:
            return data
        values = scaled(self, data.features, like)
        if (beyond := first_beyond(values, largest(values.dtype), values.dtype)) is not None:
            (node, feature), what, why = beyond
            ends = np.cumsum(data.sizes)
            tree = int(np.searchsorted(ends, node, side="right"))
            raise ValueError(
                f"Input X, standardized, contains {what}: tree {tree}, node "
                f"{node - ends[tree] + data.sizes[tree]}, feature {feature}{why}."
            )
        return data.with_features(np.where(data.has_features[:, None], values, 0))
