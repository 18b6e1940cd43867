"""What all recurrent estimators share."""

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.base.sequences import SequenceEstimator
from sklseq.data import Sequences, Vocabulary
from sklseq.nn.ragged.pooling import POOLINGS
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.parts.fit import NeuralEstimator
from sklseq.training.rows.batch import Batch, as_tensor
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run_sequences

__all__ = ["AnyCell", "BaseRecurrent", "Targets"]


class Targets(NamedTuple):
    """Targets as the network is trained on them."""

    values: NDArray[Any]
    weights: NDArray[np.float64]
    n_outputs: int
    per_step: bool
    stratify: NDArray[Any] | None = None


@estimator
class AnyCell:
    """The choice of the cell."""

    cell: Any = param(
        "gru",
        "Name of the recurrent cell, or a class whose instances ``cell(input_size, hidden_size)`` "
        "map ``(x_t, state)`` to the next state, as `torch.nn.GRUCell` does.",
        choice(*CELLS),
        type,
    )


@estimator
class BaseRecurrent(NeuralEstimator, SequenceEstimator):
    """Recurrent network over sequences."""

    hidden_size: int = param(64, "Units of each recurrent layer and direction.", integer(1))
    num_layers: int = param(1, "Recurrent layers on top of each other.", integer(1))
    bidirectional: bool = param(
        False,
        "Whether a second network reads each sequence backward; the states of both are "
        "concatenated. Per step, the prediction then depends on later steps too.",
        "boolean",
    )
    dropout: float = param(0.0, "Share of each layer's outputs dropped in training.", real(0, 1))
    pooling: str = param(
        "last",
        "How a sequence's states become one vector: the 'last' state (of each direction), their "
        "'mean' or 'max', or 'attention' with learned weights. Not used with target='step'.",
        choice(*POOLINGS),
    )
    embedding_size: int | None = param(
        None,
        "Size of the vector learned for each symbol. Given, integers are symbols too; None reads "
        "integers as numbers and embeds strings with `hidden_size`.",
        integer(1),
        None,
    )

    _attributes = {
        "vocabulary_": attribute("ndarray of str or int", "The known symbols, where X has symbols.")
    }
    _network: ClassVar[type[nn.Module]] = RecurrentNetwork

    @staticmethod
    def _objective(module: nn.Module, batch: Batch) -> Tensor:
        raise NotImplementedError

    def _read_targets(
        self, y: Any, X: Sequences, weights: NDArray[np.float64], fresh: bool
    ) -> Targets:
        raise NotImplementedError

    @property
    def _symbolic(self) -> bool:
        fitted = getattr(self, "vocabulary_", None) is not None
        return fitted if self.__sklearn_is_fitted__() else self.embedding_size is not None

    @property
    def _reading(self) -> dict[str, Any]:
        """How `_read_X` is to read X."""
        return {"dtype": self.dtype, "symbolic": self._symbolic}

    def _read_training(self, X: Any, fresh: bool) -> Sequences:
        """X as the network takes it; a fresh fit learns the symbols."""
        symbolic = self.embedding_size is not None if fresh else self._symbolic
        sequences = self._read_X(X, reset=fresh, dtype=self.dtype, symbolic=symbolic)
        if fresh:
            self.__dict__.pop("vocabulary_", None)
            if sequences.symbolic:
                symbols = Vocabulary.of(sequences.steps).symbols
                self.vocabulary_ = np.array(symbols)
                if self.vocabulary_.tolist() != symbols:  # a fixed width would lose some
                    self.vocabulary_ = np.array(symbols, dtype=object)
        return self._coded(sequences)

    def _coded(self, sequences: Sequences) -> Sequences:
        vocabulary = getattr(self, "vocabulary_", None)
        if (vocabulary is not None) != sequences.symbolic:
            was, now = ("numbers", "symbols") if sequences.symbolic else ("symbols", "numbers")
            raise ValueError(
                f"X holds {now}, but {type(self).__name__} was fitted on {was}. Integers are "
                "symbols only where embedding_size is given."
            )
        if vocabulary is None:
            return sequences
        return sequences.with_steps(Vocabulary(vocabulary.tolist()).encode(sequences.steps))

    def _module_for(self, X: Sequences, n_outputs: int, fresh: bool) -> nn.Module:
        if X.symbolic:
            embedding_size = self.embedding_size or self.hidden_size
            return self._new_module(len(self.vocabulary_) + 1, n_outputs, embedding_size, fresh)
        return self._new_module(X.steps.shape[1], n_outputs, None, fresh)

    def _new_module(
        self, n_features: int, n_outputs: int, embedding_size: int | None = None, fresh: bool = True
    ) -> nn.Module:
        return self._start_module(
            fresh,
            n_features=n_features,
            n_outputs=n_outputs,
            embedding_size=embedding_size,
            cell=self.cell,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            pooling=None if self._per_step else self.pooling,
        )

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, *, partial: bool = False, **known: Any
    ) -> Self:
        """Fit, or train for one epoch more; what differs between kinds is in `_read_targets`."""
        fresh = not (self.__sklearn_is_fitted__() and (partial or self.warm_start))
        with self._all_or_nothing():
            self._check_index(X, y=y, sample_weight=sample_weight)
            sequences = self._read_training(X, fresh)
            weights = self._read_weights(sample_weight, sequences)
            targets = self._read_targets(y, sequences, weights, fresh, **known)
            module = self._module_for(sequences, targets.n_outputs, fresh)
            data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
            # A single epoch of partial_fit has nothing to stop.
            hold_out = self.early_stopping and not partial
            train, validation = self._rows(sequences, targets, next(module.parameters()), hold_out)
            self._train(module, self._objective, train, validation, partial=partial, data=data)
        return self

    def _rows(
        self, X: Sequences, targets: Targets, like: Tensor, hold_out: bool
    ) -> tuple[SequenceRows, SequenceRows | None]:
        """Data to train on, and data held out."""
        lengths = X.lengths
        if hold_out:
            lengths, chosen = self._hold_out(X, targets)
        rows = SequenceRows(
            as_tensor(X.steps, like),
            lengths,
            as_tensor(targets.values, like),
            as_tensor(targets.weights, like),
            targets.per_step,
        )
        if not hold_out:
            return rows, None
        return rows.subset(chosen[0]), rows.subset(chosen[1])

    def _hold_out(
        self, X: Sequences, targets: Targets
    ) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Lengths of the sequences, and numbers of those to train on and of those held out.

        Only what has a target can be held out. Of a single series it is the end, from the step
        that leaves `validation_fraction` of the targets behind it, cut off as a sequence.
        """
        counts = targets.weights.reshape(len(targets.weights), -1).any(axis=1)
        if len(X) == 1 and targets.per_step:
            known = np.flatnonzero(counts)
            if len(known) < 2:
                raise ValueError("early_stopping needs at least two targets; set it to False.")
            held = np.clip(round(self.validation_fraction * len(known)), 1, len(known) - 1)
            cut = known[-held]
            return np.array([cut, len(X.steps) - cut]), [np.array([0]), np.array([1])]
        if targets.per_step:
            counts = np.logical_or.reduceat(counts, X.starts)
        candidates = np.flatnonzero(counts)
        if len(candidates) < 2:
            raise ValueError(
                "early_stopping holds out a part of the sequences that have a target, but X has "
                f"{len(candidates)}; set it to False."
            )
        stratify = targets.stratify
        if stratify is not None:
            stratify = stratify[candidates]
            sizes = np.unique(stratify, return_counts=True)[1]
            held = round(self.validation_fraction * len(candidates))
            if sizes.min() < 2 or min(held, len(candidates) - held) < len(sizes):
                stratify = None  # a class of one, or more classes than sequences in a part
        split = train_test_split(
            candidates,
            test_size=self.validation_fraction,
            random_state=self._seed,
            stratify=stratify,
        )
        return X.lengths, [np.sort(part) for part in split]

    def _run(self, X: Any, function: str = "forward") -> tuple[Sequences, NDArray[Any]]:
        """X as read, and the network's outputs for its sequences or its stacked steps."""
        check_is_fitted(self)
        if (self.module_.pooling is None) != self._per_step:
            raise ValueError(
                f"target={self.target!r}, but {type(self).__name__} was fitted with the other one: "
                "fit it again."
            )
        sequences = self._coded(self._read_X(X, reset=False, **self._reading))
        steps = as_tensor(sequences.steps, next(self.module_.parameters()))
        outputs = run_sequences(
            self.module_,
            getattr(self.module_, function),
            SequenceRows(steps, sequences.lengths),
            per_step=self.module_.pooling is None,
            n_threads=self.n_threads,
        )
        return sequences, outputs
