"""Sequences of symbols put out for sequences."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sklseq.base import attribute, estimator, integer, param, real
from sklseq.nn.seq2seq.network import SymbolNetwork
from sklseq.parts.steps_or_symbols import as_array_of_symbols
from sklseq.data import Sequences, Vocabulary, read_sequences
from sklseq.seq2seq._base import BaseSeq2Seq
from sklseq.training.rows.batch import Batch, Targets

__all__ = ["Seq2SeqClassifier"]


@estimator
class Seq2SeqClassifier(BaseSeq2Seq):
    """Put out a sequence of symbols for each sequence."""

    label_smoothing: float = param(
        0.0,
        "Share of each target's probability spread evenly over all symbols in training.",
        real(0, 1, "left"),
    )

    _attributes = {
        "target_vocabulary_": attribute(
            "ndarray of shape (n_target_symbols,)", "The symbols of y, sorted."
        )
    }
    _network: ClassVar[type[nn.Module]] = SymbolNetwork

    def _settings(self, data: Sequences, targets: Targets) -> dict[str, Any]:
        size = self.embedding_size or self.hidden_size
        return super()._settings(data, targets) | {"target_embedding_size": size}

    def _read_targets(
        self, y: Any, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        sequences = read_sequences(y, symbolic=True, name="y")
        if fresh:
            self.target_vocabulary_ = as_array_of_symbols(Vocabulary.of(sequences.steps).symbols)
        codes = Vocabulary(self.target_vocabulary_.tolist()).encode(sequences.steps)
        values = np.insert(codes, np.cumsum(sequences.lengths), 0)
        return Targets(
            weights, values, len(self.target_vocabulary_) + 1, lengths=sequences.lengths + 1
        )

    def _objective(self, module: Any, batch: Batch) -> Tensor:
        logits = module(*batch.inputs, self._forced(module, batch))
        smoothing = self.label_smoothing if module.training else 0.0
        losses = cross_entropy(
            logits, batch.target, reduction="none", label_smoothing=smoothing
        )
        shares = batch.weight / batch.n_rows
        return losses @ shares.index_select(0, batch.inputs[3].sequence_of_step)
