"""Autoencoder of sequences of any length: recurrent encoder, code, recurrent decoder."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.codes.sequence_decoder import SequenceDecoder, Standardiser
from sklseq.nn.ragged.pooling import mean_pool, sequence_of_step
from sklseq.nn.recurrent.network import RecurrentNetwork

__all__ = ["SequenceAutoencoderNetwork"]


class SequenceAutoencoderNetwork(nn.Module):
    """A code of each sequence; from a code and a length the steps, from a code the length too.

    The encoder's code comes from the state that has read the whole sequence (Srivastava et al.
    2015, section 2.1); the decoder is a `SequenceDecoder`.

    Parameters
    ----------
    n_features, n_components : int
    cell, hidden_size, num_layers, bidirectional, dropout
        As in `RecurrentStack`; the decoder reads forward only.
    """

    length_scale: Tensor

    def __init__(
        self,
        *,
        n_features: int,
        n_components: int,
        cell: str = "gru",
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        shared: dict[str, Any] = {
            "cell": cell,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "dropout": dropout,
        }
        self.encoder = RecurrentNetwork(
            n_features=n_features, n_outputs=n_components, bidirectional=bidirectional, **shared
        )
        self.decoder = SequenceDecoder(n_components, n_features, **shared)
        self.length_head = nn.Linear(n_components, 1)
        self.standardised = Standardiser(n_features)
        # Mean and deviation of the logarithm of lengths; see `start_at`.
        self.register_buffer("length_scale", torch.tensor([0.0, 1.0]))

    def start_at(self, mean: Tensor, scale: Tensor, length_scale: Tensor) -> None:
        """Set what steps and lengths are standardised by."""
        self.standardised.start_at(mean, scale)
        self.length_scale.copy_(length_scale)

    def encode(self, steps: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Codes ``(n, n_components)`` of sequences."""
        return self.encoder(self.standardised(steps), lengths)

    def decode(self, code_of_step: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Steps ``(sum of lengths, n_features)``, from the code of its sequence at each step."""
        return self.standardised.undo(self.decoder(code_of_step, lengths))

    def forward(self, steps: Tensor, lengths: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Standardised reconstructions of steps, and codes."""
        code = self.encode(steps, lengths)
        owner = sequence_of_step(lengths, code.device)
        return self.decoder(code.index_select(0, owner), lengths), code

    def reconstruct(self, steps: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Steps of sequences that went through the code."""
        return self.standardised.undo(self(steps, lengths)[0])

    def errors(self, steps: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Mean squared error of each sequence's standardised steps, ``(n,)``."""
        raw, _ = self(steps, lengths)
        return mean_pool((raw - self.standardised(steps)).square(), lengths).mean(dim=1)

    def length_errors(self, code: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Squared error of each length, of its standardised logarithm, ``(n,)``."""
        logs = torch.from_numpy(np.log(lengths)).to(code.device, code.dtype)
        true = (logs - self.length_scale[0]) / self.length_scale[1]
        return (self.length_head(code)[:, 0] - true).square()

    def lengths(self, code: Tensor) -> Tensor:
        """The length that each code speaks of, a real number."""
        return (self.length_head(code)[:, 0] * self.length_scale[1] + self.length_scale[0]).exp()
