"""Encoder-decoder networks: what the estimators train."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from sklseq.nn.decoding.step import END
from sklseq.nn.layers.randomness import Dropout, exponential_noise, uniform_noise
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.padding import Padding
from sklseq.nn.seq2seq.memory import Decoder, Encoder, Memory
from sklseq.nn.seq2seq.recurrent import RecurrentDecoder, RecurrentEncoder
from sklseq.nn.seq2seq.transformer import TransformerDecoder, TransformerEncoder
from sklseq.nn.seq2seq.vector import VectorEncoder

__all__ = ["SymbolNetwork", "TransductionNetwork", "ValueNetwork"]


class TransductionNetwork(nn.Module):
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

    rows_seen: Tensor
    all_rows: Tensor

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
        transformer: dict[str, Any] = {
            "n_heads": n_heads,
            "dropout": dropout,
            "positions": positions,
        }
        self.encoder = _encoder(
            encoder,
            (embedding_size or n_features, encoder_hidden_size, encoder_num_layers),
            bidirectional,
            transformer,
        )
        sizes = (fed_size, self.encoder.output_size, hidden_size, num_layers)
        self.decoder: Decoder
        if decoder == "transformer":
            self.decoder = TransformerDecoder(*sizes, **transformer)
        else:
            self.decoder = RecurrentDecoder(
                decoder,
                *sizes,
                attention=attention,
                n_heads=n_heads,
                context=context,
                input_feeding=input_feeding,
                dropout=dropout,
            )
        # Progress of training, for scheduled sampling.
        self.register_buffer("rows_seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("all_rows", torch.ones((), dtype=torch.int64))

    def encode(self, steps: Tensor, packing: Packing) -> Memory:
        """The memory of inputs, ready for the decoder.

        Parameters
        ----------
        steps : Tensor of shape (sum of lengths, n_features) or, of symbols, (sum of lengths,)
        packing : Packing
        """
        x = steps if self.embedding is None else self.dropout(self.embedding(steps))
        return self.decoder.prepare(self.encoder(x, packing))

    def forward(
        self,
        steps: Tensor,
        packing: Packing,
        outputs: Tensor,
        out_packing: Packing,
        teacher_forcing: float = 1.0,
    ) -> Tensor:
        """What the head gives ``(sum of output lengths, ...)`` for each step of true outputs.

        Parameters
        ----------
        steps, packing
            Inputs, as in `encode`.
        outputs : Tensor of shape (sum of output lengths, ...)
        out_packing : Packing
            Of the outputs.
        teacher_forcing : float, default=1.0
            Probability by which the decoder reads the true output of the step before, and not its
            own (scheduled sampling, Bengio et al. 2015, section 2.4).
        """
        memory, before = self.encode(steps, packing), self.before(outputs, out_packing)
        if teacher_forcing == 1:
            features, _ = self.decoder(self.fed(before), out_packing, memory)
        else:
            features = self._with_own_outputs(memory, before, out_packing, teacher_forcing)
        return out_packing.map(self.head_of, features)

    def attention_weights(
        self, steps: Tensor, packing: Packing, outputs: Tensor, out_packing: Packing
    ) -> Tensor:
        """Weights ``(n, n_target_steps, n_source_steps)`` of each step of outputs, padded."""
        memory, before = self.encode(steps, packing), self.before(outputs, out_packing)
        _, weights = self.decoder(self.fed(before), out_packing, memory)
        assert weights is not None
        return weights

    def _with_own_outputs(
        self, memory: Memory, before: Tensor, packing: Packing, teacher_forcing: float
    ) -> Tensor:
        padding = Padding(packing)
        true = padding.pad(before)
        noise = uniform_noise(true, *true.shape[:2], dtype=torch.float32)
        keep = (noise < teacher_forcing).view(*true.shape[:2], *(1,) * (true.ndim - 2))

        def x_at(t: int, features: Tensor | None) -> Tensor:
            if features is None:
                return self.fed(true[:, 0])
            return self.fed(torch.where(keep[:, t], true[:, t], self.own_output(features)))

        return padding.stack(self.decoder.unroll(memory, padding.n_steps, x_at)[0])

    def before(self, outputs: Tensor, packing: Packing) -> Tensor:
        """The output before each step of stacked outputs."""
        raise NotImplementedError

    def fed(self, outputs: Tensor) -> Tensor:
        """What the decoder reads of outputs ``(n, ...)``."""
        raise NotImplementedError

    def head_of(self, features: Tensor) -> Tensor:
        """What is learned to be given for features ``(n, size)``."""
        raise NotImplementedError

    def own_output(self, features: Tensor) -> Tensor:
        """An output ``(n, ...)`` for features."""
        raise NotImplementedError


def _encoder(
    name: str, sizes: tuple[int, int, int], bidirectional: bool, transformer: dict[str, Any]
) -> Encoder:
    """The encoder of a name, of these sizes of inputs and layers and number of layers."""
    if name == "vector":
        return VectorEncoder(*sizes[:2])
    if name == "transformer":
        return TransformerEncoder(*sizes, **transformer)
    return RecurrentEncoder(
        name, *sizes, bidirectional=bidirectional, dropout=transformer["dropout"]
    )


class SymbolNetwork(TransductionNetwork):
    """Puts out sequences of symbols, each from the probabilities of a softmax; a `StepModel`.

    For each step it gives the logits of all symbols.

    A symbol is a number from 1; `END` ends each sequence and stands for what is before its first
    step. Outputs are stacked with their END, so ``lengths`` count it.

    Parameters
    ----------
    n_outputs : int
        Number of symbols, END among them.
    target_embedding_size : int
        Size of the vector learned for each symbol that was put out.
    **kwargs
        As in `TransductionNetwork`.
    """

    def __init__(self, *, n_outputs: int, target_embedding_size: int, **kwargs: Any):
        super().__init__(fed_size=target_embedding_size, **kwargs)
        self.output_embedding = nn.Embedding(n_outputs, target_embedding_size)
        self.head = nn.Linear(self.decoder.output_size, n_outputs)

    def log_probs(
        self, steps: Tensor, packing: Packing, symbols: Tensor, out_packing: Packing
    ) -> Tensor:
        """Log-probability ``(n,)`` of each output with its END, given its input."""
        logits = self(steps, packing, symbols, out_packing)
        of_steps = out_packing.map(_log_prob, logits, symbols)
        sums = of_steps.new_zeros(len(out_packing))
        return sums.index_add(0, out_packing.sequence_of_step, of_steps)

    def before(self, outputs: Tensor, packing: Packing) -> Tensor:
        # What ends one sequence stands before the first step of the next.
        return torch.cat([outputs.new_full((1,), END), outputs[:-1]])

    def fed(self, outputs: Tensor) -> Tensor:
        return self.dropout(self.output_embedding(outputs))

    def head_of(self, features: Tensor) -> Tensor:
        return self.head(features)

    @torch.no_grad()
    def own_output(self, features: Tensor) -> Tensor:
        # The first of exponential clocks with these rates; unlike torch.multinomial it takes NaN,
        # with which training may end, and leaves it to the loss.
        rates = self.head(features).softmax(dim=1)
        return (rates / exponential_noise(rates)).argmax(dim=1)

    # -- one step after the other ----------------------------------------------------------

    def start(self, memory: Memory, width: int) -> Any:
        return self.decoder.start(memory, width)

    def step(self, symbols: Tensor, state: Any, memory: Memory) -> tuple[Tensor, Any]:
        features, state, _ = self.decoder.step(self.fed(symbols), state, memory)
        return log_softmax(self.head(features), dim=1), state

    def reorder(self, state: Any, index: Tensor) -> Any:
        return self.decoder.reorder(state, index)


class ValueNetwork(TransductionNetwork):
    """Puts out sequences of real values, and tells at each step whether it is the last.

    For each step it gives ``n_outputs + 1`` numbers, the logit of its being the last after its
    values.

    Parameters
    ----------
    n_outputs : int
        Features of a step put out.
    **kwargs
        As in `TransductionNetwork`.
    """

    def __init__(self, *, n_outputs: int, **kwargs: Any):
        super().__init__(fed_size=n_outputs, **kwargs)
        self.head = nn.Linear(self.decoder.output_size, n_outputs)
        self.last_head = nn.Linear(self.decoder.output_size, 1)

    def generate(
        self, steps: Tensor, packing: Packing, n_steps: int, min_steps: int
    ) -> tuple[Tensor, Tensor]:
        """Values ``(n, n_steps, n_outputs)`` put out for inputs, and the lengths ``(n,)``.

        Parameters
        ----------
        steps, packing
            As in `encode`.
        n_steps : int
            The most steps. It ends before where all have come to a step that seems the last.
        min_steps : int
            Steps before which none is the last; `n_steps` for outputs that all have so many.
        """
        memory = self.encode(steps, packing)
        state = self.decoder.start(memory, 1)
        value = memory.summary.new_zeros(memory.n_rows, self.head.out_features)
        lengths = torch.full((memory.n_rows,), n_steps, device=value.device)
        values = []
        for t in range(n_steps):
            features, state, _ = self.decoder.step(value, state, memory)
            value = self.head(features)
            values.append(value)
            if t + 1 >= min_steps:
                ends = (self.last_head(features)[:, 0] > 0) & (lengths == n_steps)
                lengths = lengths.masked_fill(ends, t + 1)
                if (lengths < n_steps).all():
                    break
        return torch.stack(values, dim=1), lengths

    def before(self, outputs: Tensor, packing: Packing) -> Tensor:
        return outputs.roll(1, dims=0).masked_fill(packing.is_first[:, None], 0)

    def fed(self, outputs: Tensor) -> Tensor:
        return outputs

    def head_of(self, features: Tensor) -> Tensor:
        return torch.cat([self.head(features), self.last_head(features)], dim=1)

    def own_output(self, features: Tensor) -> Tensor:
        return self.head(features)


def _log_prob(logits: Tensor, symbols: Tensor) -> Tensor:
    return -cross_entropy(logits, symbols, reduction="none")
