"""What all recursive estimators share."""

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq._compat.sklearn import check_sample_weight
from sklseq.base import choice, estimator, integer, param, real
from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Forest, flatten_labels
from sklseq.nn.trees.cells import CELLS
from sklseq.nn.trees.levels import ENGINES
from sklseq.recursive._reading import TreeReader
from sklseq.training.rows.batch import Batch, as_tensor
from sklseq.training.rows.forests import ForestRows, run_forest

__all__ = ["AnyDirection", "BaseRecursive", "Targets"]

# More children than this and weights for each position are too many to be learned.
_MAX_ARITY = 32


class Targets(NamedTuple):
    """Targets as the network is trained on them."""

    values: NDArray[Any]
    weights: NDArray[np.float64]
    n_outputs: int
    stratify: NDArray[Any] | None = None


@estimator
class AnyDirection:
    """The choice of rows and of the way that states go."""

    target: str = param(
        "tree",
        "What gets one target, and so what a row is: each 'tree', or each 'node'.",
        choice("tree", "node"),
    )
    direction: str = param(
        "up",
        "Whether states come from subtrees ('up'), from ancestors ('down') or from 'both'. A "
        "tree's vector is the state of its root, the mean over its leaves, or the two together.",
        choice("up", "down", "both"),
    )

    @property
    def _per_step(self) -> bool:
        return self.target == "node"


@estimator
class BaseRecursive(TreeReader):
    """Recursive network over trees."""

    composition: Any = param(
        "lstm",
        "How a node's state comes from its children's: plain ('rnn'), matrix-vector ('mv') or "
        "tensor network ('rntn'), tree LSTM or GRU with weights for each position ('lstm', 'gru') "
        "or for the sum of any number of children ('childsum-lstm', 'childsum-gru'), or layers "
        "before and after that sum ('childsum-mlp'). Or a class derived from "
        "`sklseq.nn.trees.cells.TreeCell`.",
        choice(*CELLS),
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
        "'levels' computes whole levels of a batch at once; 'recursive' node after node, to the "
        "same numbers: slow, for reading and testing.",
        choice(*ENGINES),
    )

    _network: ClassVar[type[nn.Module]]
    _row_words = ("tree", "node")

    if TYPE_CHECKING:
        target: str
        direction: str

    @property
    def _per_step(self) -> bool:
        """Whether rows are nodes."""
        return False

    _require_y = SequenceEstimator._require_y

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        raise NotImplementedError

    def _read_targets(
        self, y: Any, X: Forest, weights: NDArray[np.float64], fresh: bool
    ) -> Targets:
        raise NotImplementedError

    def _prepare(self, forest: Forest, weights: NDArray[np.float64], fresh: bool) -> Forest:
        """Trees as the network takes them."""
        return forest

    def _settings(self, n_outputs: int) -> dict[str, Any]:
        """What is special about this estimator's network."""
        return {}

    def _encoder_settings(self, X: Forest, fresh: bool) -> dict[str, Any]:
        if fresh:
            self._arity = X.arity
        self._check_arity(X)
        vocabulary = getattr(self, "vocabulary_", None)
        return {
            "n_symbols": 0 if vocabulary is None else len(vocabulary) + 2,
            "embedding_size": self.embedding_size or self.hidden_size,
            "n_features": self._n_node_features,
            "composition": self.composition,
            "hidden_size": self.hidden_size,
            "arity": self._arity,
            "rank": self.rank,
            "direction": self.direction,
            "dropout": self.dropout,
        }

    def _check_arity(self, X: Forest) -> None:
        cell = CELLS[self.composition] if isinstance(self.composition, str) else self.composition
        if getattr(cell, "any_arity", False):
            return
        place = f"{self._place(X, X.widest())} has {X.arity} children"
        if X.arity > self._arity:
            raise ValueError(
                f"{place}, but {type(self).__name__} was fitted on trees with at most "
                f"{self._arity}: composition={self.composition!r} has weights for each position. "
                "Those named 'childsum-...' take any number."
            )
        if X.arity > _MAX_ARITY:
            raise ValueError(
                f"{place}, too many for composition={self.composition!r}, which has weights for "
                f"each position and takes up to {_MAX_ARITY}. Those named 'childsum-...' take any "
                "number."
            )

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, *, partial: bool = False, **known: Any
    ) -> Self:
        """Fit, or train for one epoch more; what differs between kinds is in `_read_targets`."""
        fresh = not (self.__sklearn_is_fitted__() and (partial or self.warm_start))
        with self._all_or_nothing():
            forest = self._read_X(X, reset=fresh)
            symbols = self._encode_symbols(forest, fresh)
            weights = self._read_weights(sample_weight, forest)
            forest = self._prepare(forest, weights, fresh)
            targets = self._read_targets(y, forest, weights, fresh, **known)
            module = self._start_module(
                fresh,
                **self._settings(targets.n_outputs),
                **self._encoder_settings(forest, fresh),
            )
            like = next(module.parameters())
            target, weight = (as_tensor(v, like) for v in (targets.values, targets.weights))
            rows = self._rows(forest, symbols, target, weight)
            train, validation = rows, None
            # A single epoch of partial_fit has nothing to stop.
            if self.early_stopping and not partial:
                chosen = self._hold_out(forest, targets)
                train, validation = (rows.subset(part) for part in chosen)
            data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
            self._train(module, self._objective, train, validation, partial=partial, data=data)
        return self

    def _rows(
        self,
        forest: Forest,
        symbols: NDArray[np.int64] | None,
        target: Tensor,
        weight: Tensor,
        per_node: bool | None = None,
    ) -> ForestRows:
        codes, features = (
            None if values is None else as_tensor(values, weight)
            for values in (symbols, forest.features)
        )
        return ForestRows(
            forest,
            codes,
            features,
            target,
            weight,
            per_node=self._per_step if per_node is None else per_node,
            trees_per_row=2 if self._pairs else 1,
            engine=self.engine,
        )

    def _n_rows(self, forest: Forest) -> int:
        return len(forest) // (2 if self._pairs else 1)

    def _read_weights(self, sample_weight: Any, forest: Forest) -> NDArray[np.float64]:
        """Weight of each target; per node, weights of trees hold for all their nodes."""
        n_rows = self._n_rows(forest)
        if self._per_step:
            n_rows = int(forest.n_results.sum())
        if sample_weight is None:
            return np.ones(n_rows)
        if self._per_step:
            flat = len(sample_weight) == len(forest) and all(map(np.isscalar, sample_weight))
            sample_weight = (
                np.repeat(np.asarray(sample_weight), forest.n_results)
                if flat
                else flatten_labels(sample_weight, forest, "sample_weight")
            )
        return check_sample_weight(
            sample_weight, np.empty(n_rows), dtype=np.float64, ensure_non_negative=True
        )

    def _hold_out(self, forest: Forest, targets: Targets) -> list[NDArray[np.int64]]:
        """Rows to train on and rows held out; only those with a target."""
        counts = targets.weights.reshape(len(targets.weights), -1).any(axis=1)
        if self._per_step:
            starts = np.cumsum(forest.n_results) - forest.n_results
            counts = np.logical_or.reduceat(counts, starts)
        candidates = np.flatnonzero(counts)
        if len(candidates) < 2:
            raise ValueError(
                "early_stopping holds out a part of the trees that have a target, but X has "
                f"{len(candidates)}; set it to False."
            )
        stratify = targets.stratify
        if stratify is not None:
            stratify = stratify[candidates]
            sizes = np.unique(stratify, return_counts=True)[1]
            if sizes.min() < 2 or round(self.validation_fraction * len(candidates)) < len(sizes):
                stratify = None  # a class of one, or more classes than held-out trees
        split = train_test_split(
            candidates,
            test_size=self.validation_fraction,
            random_state=self._seed,
            stratify=stratify,
        )
        return [np.sort(part) for part in split]

    def _read_fitted(self, X: Any) -> Forest:
        """X of a fitted estimator."""
        check_is_fitted(self)
        forest = self._read_X(X, reset=False)
        self._check_arity(forest)
        return forest

    def _run_on(
        self, forest: Forest, function: str = "forward", per_node: bool | None = None
    ) -> NDArray[Any]:
        """Outputs for the rows of a forest, or for its nodes with results."""
        module: Any = self.module_
        symbols = self._encode_symbols(forest, fresh=False)
        unused = next(module.parameters()).new_ones(max(len(forest), forest.n_nodes))
        return run_forest(
            module,
            getattr(module, function),
            self._rows(forest, symbols, unused, unused, per_node),
            widest=module.encoder.widest,
            n_threads=self.n_threads,
        )

    def _run(self, X: Any, function: str = "forward") -> tuple[Forest, NDArray[Any]]:
        """X as read, and the network's outputs for its rows or nodes."""
        check_is_fitted(self)
        if getattr(self.module_, "per_node", self._per_step) != self._per_step:
            raise ValueError(
                f"target={self.target!r}, but {type(self).__name__} was fitted with the other one: "
                "fit it again."
            )
        forest = self._read_fitted(X)
        return forest, self._run_on(forest, function)

    def _restore(self, forest: Forest, values: NDArray[Any]) -> NDArray[Any]:
        return forest.restore(values) if self._per_step else values
