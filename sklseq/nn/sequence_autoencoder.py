"""Autoencoder of sequences of any length: recurrent encoder, code, recurrent decoder."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.networks import RecurrentNetwork
from sklseq.nn.packing import Packing
from sklseq.nn.pooling import mean_pool
from sklseq.nn.recurrent import RecurrentStack

__all__ = ["SequenceAutoencoderNetwork"]


class SequenceAutoencoderNetwork(nn.Module):
    """A code of each sequence; from a code and a length the steps, from a code the length too.

    The encoder's code comes from the state that has read the whole sequence (Srivastava et al.
    2015, section 2.1). The decoder reads the code at every step, and how far the step is from
    either end, so that all steps are decoded in one pass (the unconditioned decoder there).

    Parameters
    ----------
    n_features, n_components : int
    cell, hidden_size, num_layers, bidirectional, dropout
        As in `RecurrentStack`; the decoder reads forward only.
    """

    mean: Tensor
    scale: Tensor
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
        self.decoder = RecurrentStack(input_size=n_components + 2, **shared)
        self.head = nn.Linear(hidden_size, n_features)
        self.length_head = nn.Linear(n_components, 1)
        # Mean and deviation of each feature, and of the logarithm of lengths; see `start_at`.
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.register_buffer("length_scale", torch.tensor([0.0, 1.0]))

    def start_at(self, mean: Tensor, scale: Tensor, length_scale: Tensor) -> None:
        """Set what steps and lengths are standardised by."""
        self.mean.copy_(mean)
        self.scale.copy_(scale)
        self.length_scale.copy_(length_scale)

    def standardised(self, steps: Tensor) -> Tensor:
        """Steps ``(sum of lengths, n_features)`` as encoder and decoder have them."""
        return (steps - self.mean) / self.scale

    def encode(self, steps: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Codes ``(n, n_components)`` of sequences."""
        return self.encoder(self.standardised(steps), lengths)

    def raw(self, code_of_step: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Standardised steps, from the code of its sequence at each step."""
        packing = Packing(lengths, code_of_step.device)
        inputs = torch.cat([code_of_step, _places(lengths, code_of_step)], dim=1)
        states = self.decoder(inputs.index_select(0, packing.to_packed), packing)
        return self.head(states.index_select(0, packing.to_stacked))

    def decode(self, code_of_step: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Steps ``(sum of lengths, n_features)``, from the code of its sequence at each step."""
        return self.raw(code_of_step, lengths) * self.scale + self.mean

    def forward(self, steps: Tensor, lengths: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Standardised reconstructions of steps, and codes."""
        code = self.encode(steps, lengths)
        sequence = torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths)).to(code.device)
        return self.raw(code.index_select(0, sequence), lengths), code

    def reconstruct(self, steps: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Steps of sequences that went through the code."""
        return self(steps, lengths)[0] * self.scale + self.mean

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


def _places(lengths: NDArray[np.int64], like: Tensor) -> Tensor:
    """Logarithms of each step's distance from the start and from the end, counted from one."""
    ends = np.repeat(np.cumsum(lengths), lengths)
    here = np.arange(len(ends))
    places = np.stack([here - ends + np.repeat(lengths, lengths), ends - 1 - here], axis=1)
    return torch.from_numpy(np.log1p(places)).to(like.device, like.dtype)
