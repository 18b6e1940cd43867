"""Encoder-decoder networks: what the estimators train."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from sklseq.nn.decoding.step import END
from sklseq.nn.layers.randomness import Dropout, current_generator
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.padding import Padding
from sklseq.nn.seq2seq.memory import Decoder, Encoder, Memory
from sklseq.nn.seq2seq.recurrent import RecurrentDecoder, RecurrentEncoder
from sklseq.nn.seq2seq.vector import VectorEncoder

__all__ = ["EncoderDecoder", "SymbolNetwork"]


class EncoderDecoder(nn.Module):
    """Encoder and decoder of inputs of one kind; what the decoder reads and gives is left open.

    Parameters
    ----------
    n_features : int
        Features of a step; the number of symbols where `embedding_size` is given.
    embedding_size : int or None
        Steps are symbols, embedded with this size; index 0, the unknown symbol, is the zero
        vector and stays so.
    fed_size : int
        Size of what the decoder reads in a step.
    encoder, decoder : str
        "transformer" or the name of a cell; an encoder also "vector".
    encoder_hidden_size, encoder_num_layers, hidden_size, num_layers, bidirectional, attention, \
n_heads, context, input_feeding, positions, dropout
        As in `RecurrentEncoder`, `RecurrentDecoder` and their transformers.
    """

    def __init__(
        self,
        *,
        n_features: int,
        embedding_size: int | None,
        fed_size: int,
        encoder: str,
        decoder: str,
        encoder_hidden_size: int,
        encoder_num_layers: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        attention: str | None,
        n_heads: int,
        context: str,
        input_feeding: bool,
        positions: str,
        dropout: float,
    ):
        super().__init__()
        self.embedding = (
            None if embedding_size is None else nn.Embedding(n_features, embedding_size, 0)
        )
        self.dropout = Dropout(dropout)
        size = embedding_size or n_features
        self.encoder: Encoder
        if encoder == "vector":
            self.encoder = VectorEncoder(size, encoder_hidden_size)
        else:
            self.encoder = RecurrentEncoder(
                encoder,
                size,
                encoder_hidden_size,
                encoder_num_layers,
                bidirectional=bidirectional,
                dropout=dropout,
            )
        memory_size = self.encoder.output_size
        self.decoder: Decoder = RecurrentDecoder(
            decoder,
            fed_size,
            memory_size,
            hidden_size,
            num_layers,
            attention=attention,
            n_heads=n_heads,
            context=context,
            input_feeding=input_feeding,
            dropout=dropout,
        )

    def encode(self, steps: Tensor, packing: Packing) -> Memory:
        """The memory of inputs, ready for the decoder.

        Parameters
        ----------
        steps : Tensor of shape (sum of lengths, n_features) or, of symbols, (sum of lengths,)
        packing : Packing
        """
        x = steps if self.embedding is None else self.dropout(self.embedding(steps))
        return self.decoder.prepare(self.encoder(x, packing))


class SymbolNetwork(EncoderDecoder):
    """Puts out sequences of symbols, each from the probabilities of a softmax; a `StepModel`.

    A symbol is a number from 1; `END` ends each sequence and stands for what is before its first
    step. Outputs are stacked with their END, so ``lengths`` count it.

    Parameters
    ----------
    n_outputs : int
        Number of symbols, END among them.
    target_embedding_size : int
        Size of the vector learned for each symbol that was put out.
    **kwargs
        As in `EncoderDecoder`.
    """

    rows_seen: Tensor

    def __init__(self, *, n_outputs: int, target_embedding_size: int, **kwargs: Any):
        super().__init__(fed_size=target_embedding_size, **kwargs)
        self.fed = nn.Embedding(n_outputs, target_embedding_size)
        self.head = nn.Linear(self.decoder.output_size, n_outputs)
        # Progress of training, for scheduled sampling.
        self.register_buffer("rows_seen", torch.zeros((), dtype=torch.int64))

    def forward(
        self,
        steps: Tensor,
        packing: Packing,
        symbols: Tensor,
        out_packing: Packing,
        teacher_forcing: float = 1.0,
    ) -> Tensor:
        """Logits ``(sum of output lengths, n_outputs)`` of each symbol, given those before it.

        Parameters
        ----------
        steps, packing
            Inputs, as in `encode`.
        symbols : Tensor of int of shape (sum of output lengths,)
        out_packing : Packing
            Of the outputs.
        teacher_forcing : float, default=1.0
            Probability by which each symbol that the decoder reads is the true one, and not drawn
            from what it gave (scheduled sampling, Bengio et al. 2015).
        """
        memory = self.encode(steps, packing)
        # What ends one sequence stands before the first step of the next.
        before = torch.cat([symbols.new_full((1,), END), symbols[:-1]])
        if teacher_forcing < 1:
            features = self._drawn(memory, before, out_packing, teacher_forcing)
        else:
            features, _ = self.decoder(self._fed(before), out_packing, memory)
        return out_packing.map(self.head, features)

    def log_probs(
        self, steps: Tensor, packing: Packing, symbols: Tensor, out_packing: Packing
    ) -> Tensor:
        """Log-probability ``(n,)`` of each output with its END, given its input."""
        logits = self(steps, packing, symbols, out_packing)
        of_steps = -out_packing.map(_surprise, logits, symbols)
        return of_steps.new_zeros(len(out_packing)).index_add(
            0, out_packing.sequence_of_step, of_steps
        )

    def attention_weights(
        self, steps: Tensor, packing: Packing, symbols: Tensor, out_packing: Packing
    ) -> Tensor:
        """Weights ``(n, n_target_steps, n_source_steps)``, padded."""
        memory = self.encode(steps, packing)
        before = torch.cat([symbols.new_full((1,), END), symbols[:-1]])
        _, weights = self.decoder(self._fed(before), out_packing, memory)
        assert weights is not None
        return weights

    def _fed(self, symbols: Tensor) -> Tensor:
        return self.dropout(self.fed(symbols))

    def _drawn(
        self, memory: Memory, before: Tensor, packing: Packing, teacher_forcing: float
    ) -> Tensor:
        """Features of all steps, where some of the symbols read are the network's own."""
        padding, generator = Padding(packing), current_generator()
        true = padding.pad(before[:, None])[:, :, 0]
        noise = torch.rand(true.shape, generator=generator, device=true.device)
        keep = noise < teacher_forcing

        def x_at(t: int, features: Tensor) -> Tensor:
            symbols = true[:, t]
            if t > 0:
                with torch.no_grad():
                    shares = self.head(features).softmax(dim=1)
                    drawn = torch.multinomial(shares, 1, generator=generator)[:, 0]
                symbols = torch.where(keep[:, t], symbols, drawn)
            return self._fed(symbols)

        return padding.stack(self.decoder.unroll(memory, padding.n_steps, x_at)[0])

    # -- one step after the other ----------------------------------------------------------

    def start(self, memory: Memory, width: int) -> Any:
        return self.decoder.start(memory, width)

    def step(self, symbols: Tensor, state: Any, memory: Memory) -> tuple[Tensor, Any]:
        features, state = self.decoder.step(self._fed(symbols), state, memory)
        return log_softmax(self.head(features), dim=1), state

    def reorder(self, state: Any, index: Tensor) -> Any:
        return self.decoder.reorder(state, index)


def _surprise(logits: Tensor, symbols: Tensor) -> Tensor:
    return cross_entropy(logits, symbols, reduction="none")
