"""Autoencoder of sequences of any length: recurrent encoder and decoder."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.codes.sequence_decoder import SequenceDecoder
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.pooling import mean_pool
from sklseq.nn.recurrent.network import RecurrentNetwork

__all__ = ["SequenceAutoencoderNetwork"]


class SequenceAutoencoderNetwork(nn.Module):
    """A latent representation of each sequence, from which its steps and length are decoded.

    Steps should be centered and of unit variance.

    The encoder's last state has read the whole sequence (Srivastava et al. 2015, section 2.1); the
    decoder is a `SequenceDecoder`.

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
        # Mean and deviation of the logarithm of lengths.
        self.register_buffer("length_scale", torch.tensor([0.0, 1.0]))

    def encode(self, steps: Tensor, packing: Packing) -> Tensor:
        """Latent representations ``(n, n_components)`` of sequences."""
        return self.encoder(steps, packing)

    def decode(self, latent_of_step: Tensor, packing: Packing) -> Tensor:
        """Steps ``(sum of lengths, n_features)``, from the latent representation at each step."""
        return self.decoder(latent_of_step, packing)

    def forward(self, steps: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
        """Reconstructions of steps, and latent representations."""
        latent = self.encode(steps, packing)
        return self.decoder(latent.index_select(0, packing.sequence_of_step), packing), latent

    def reconstruct(self, steps: Tensor, packing: Packing) -> Tensor:
        """Reconstructed steps."""
        return self(steps, packing)[0]

    def errors(self, steps: Tensor, packing: Packing) -> Tensor:
        """Mean squared error of each sequence's steps, ``(n,)``."""
        return mean_pool(self.value_errors(steps, packing), packing).mean(dim=1)

    def value_errors(self, steps: Tensor, packing: Packing) -> Tensor:
        """Squared error of each feature of each step, ``(sum of lengths, n_features)``."""
        return (self(steps, packing)[0] - steps).square()

    def length_errors(self, latent: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Squared error of each length, of its standardized logarithm, ``(n,)``."""
        logs = torch.from_numpy(np.log(lengths)).to(latent.device, latent.dtype)
        true = (logs - self.length_scale[0]) / self.length_scale[1]
        return (self.length_head(latent)[:, 0] - true).square()

    def lengths(self, latent: Tensor) -> Tensor:
        """Predicted lengths, real numbers."""
        return (self.length_head(latent)[:, 0] * self.length_scale[1] + self.length_scale[0]).exp()
