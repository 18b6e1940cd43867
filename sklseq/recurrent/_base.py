"""What all recurrent estimators share."""

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklseq.base import attribute, choice, estimator, integer, param, real
from sklseq.data import Sequences, Vocabulary
from sklseq.nn.networks import RecurrentNetwork
from sklseq.nn.pooling import POOLINGS
from sklseq.nn.recurrent import CELLS
from sklseq.sequence_base import SequenceEstimator
from sklseq.training import NeuralEstimator, SequenceRows, run_sequences
from sklseq.training.data import as_tensor
from sklseq.training.engine import Objective

__all__ = ["AnyCell", "BaseRecurrent"]


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
                self.vocabulary_ = np.array(Vocabulary.of(sequences.steps).symbols)
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
        symbolic = X.symbolic
        return self._start_module(
            fresh,
            n_features=len(self.vocabulary_) + 1 if symbolic else X.steps.shape[1],
            n_outputs=n_outputs,
            embedding_size=(self.embedding_size or self.hidden_size) if symbolic else None,
            cell=self.cell,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            pooling=None if self._per_step else self.pooling,
        )

    def _fit_network(
        self,
        module: nn.Module,
        objective: Objective,
        X: Sequences,
        target: NDArray[Any],
        weight: NDArray[np.float64],
        *,
        per_step: bool,
        epochs: int,
        hold_out: bool,
        data: dict[str, Any],
        stratify: NDArray[Any] | None = None,
    ) -> None:
        if hold_out:
            X, chosen = self._hold_out(X, stratify)
        parameter = next(module.parameters())
        rows = SequenceRows(
            as_tensor(X.steps, parameter),
            X.lengths,
            as_tensor(target, parameter),
            as_tensor(weight, parameter),
            per_step=per_step,
        )
        train = rows.subset(chosen[0]) if hold_out else rows
        validation = rows.subset(chosen[1]) if hold_out else None
        self._train(module, objective, train, validation, epochs=epochs, data=data)

    def _hold_out(
        self, X: Sequences, stratify: NDArray[Any] | None
    ) -> tuple[Sequences, list[NDArray[np.int64]]]:
        """Numbers of the sequences to train on and of those held out.

        The end of a single series is held out, cut off as a sequence of its own.
        """
        if len(X) == 1 and self._per_step:
            n_steps = int(X.lengths[0])
            held = max(1, round(self.validation_fraction * n_steps))
            if held >= n_steps:
                raise ValueError("early_stopping needs at least two steps; set it to False.")
            return Sequences(X.steps, np.array([n_steps - held, held])), [
                np.array([0]),
                np.array([1]),
            ]
        if len(X) < 2:
            raise ValueError(
                "early_stopping holds out a part of the sequences, but X has one; set it to False."
            )
        if stratify is not None:
            counts = np.unique(stratify, return_counts=True)[1]
            held = max(1, round(self.validation_fraction * len(X)))
            if counts.min() < 2 or held < len(counts):
                stratify = None  # a class of one, or more classes than held-out sequences
        split = train_test_split(
            np.arange(len(X)),
            test_size=self.validation_fraction,
            random_state=self._seed,
            stratify=stratify,
        )
        return X, [np.sort(part) for part in split]

    def _run(self, X: Any, function: str = "forward") -> tuple[Sequences, NDArray[Any]]:
        """X as read, and the network's outputs for its sequences or its stacked steps."""
        check_is_fitted(self)
        sequences = self._coded(self._read_X(X, reset=False, **self._reading))
        outputs = run_sequences(
            self.module_,
            getattr(self.module_, function),
            sequences.steps,
            sequences.lengths,
            per_step=self.module_.pooling is None,
            n_threads=self.n_threads,
        )
        return sequences, outputs

    def _restore(self, X: Sequences, values: NDArray[Any]) -> NDArray[Any]:
        return X.restore(values) if self._per_step else values


def weighted_mean(losses: Tensor, weight: Tensor) -> Tensor:
    """Mean of the losses by weight; 0 where a batch has no weight at all."""
    total = weight.sum()
    return (losses * weight).sum() / total.clamp_min(torch.finfo(total.dtype).tiny)
