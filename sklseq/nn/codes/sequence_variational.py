"""Variational autoencoder of sequences of any length."""

from typing import Any

import torch
from torch import Tensor

from sklseq.nn.codes.bounds import VariationalBounds, bounded_log_variance
from sklseq.nn.codes.sequence_decoder import SequenceDecoder, position_features
from sklseq.nn.layers.autoregressive_noise import AutoregressiveNoise
from sklseq.nn.layers.length_model import LengthModel
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.network import RecurrentNetwork

__all__ = ["SequenceVariationalNetwork"]


class SequenceVariationalNetwork(VariationalBounds):
    """Latent variables give a sequence's length and expected steps; its noise is autoregressive.

    Steps should be centered and of unit variance.

    Sequences are ``(steps, packing)``; the columns of steps are features, and then, the same at
    all steps of a sequence, its class as a one-hot row.

    Parameters
    ----------
    n_features, n_components : int
    n_context : int, default=0
        Classes.
    cell, hidden_size, num_layers, bidirectional, dropout
        As in `RecurrentStack`; the decoder reads forward only.
    noise, noise_order
        See `AutoregressiveNoise`.
    max_length : int, default=1
        Length of the longest training sequence.
    n_importance_samples, seed : int
        See `VariationalBounds`.
    """

    log_volume: Tensor

    def __init__(
        self,
        *,
        n_features: int,
        n_components: int,
        n_context: int = 0,
        cell: str = "gru",
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        noise: str | float = "diagonal",
        noise_order: int = 1,
        max_length: int = 1,
        n_importance_samples: int = 8,
        seed: int = 0,
    ):
        super().__init__()
        shared: dict[str, Any] = {
            "cell": cell,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "dropout": dropout,
        }
        self.n_features, self.n_code = n_features, n_components + n_context
        self.encoder = RecurrentNetwork(
            n_features=n_features + 2 + n_context,
            n_outputs=2 * n_components,
            bidirectional=bidirectional,
            **shared,
        )
        # Codes of different sequences start apart (a variance of about 0.1): while they hold
        # little information, the decoder learns to ignore them.
        with torch.no_grad():
            self.encoder.head.weight[:n_components] *= 4
        self.decoder = SequenceDecoder(self.n_code, n_features, **shared)
        self.noise = AutoregressiveNoise(n_features, noise, noise_order)
        self.length_model = LengthModel(n_components, n_context, max_length)
        # Logarithm of the volume, in the units of the data, of a unit of the steps.
        self.register_buffer("log_volume", torch.zeros(()))
        self.make_draws(n_importance_samples, n_components, seed)

    def posterior(self, steps: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latent variables, ``(n, n_components)`` each."""
        x, context = steps.tensor_split([self.n_features], dim=1)
        inputs = torch.cat([x, position_features(packing, x), context], dim=1)
        mean, raw = self.encoder(inputs, packing).chunk(2, dim=1)
        return mean, bounded_log_variance(raw)

    def log_likelihood(self, z: Tensor, steps: Tensor, packing: Packing) -> Tensor:
        """Log-density ``(n,)`` of steps in the units of the data, and of their number."""
        x, context = steps.tensor_split([self.n_features], dim=1)
        owner = packing.sequence_of_step
        codes = torch.cat([z.index_select(0, owner), context], dim=1)
        noise = x - self.decoder(codes, packing)
        by_step = self.noise.log_prob(noise, packing) - self.log_volume
        log_likelihood = by_step.new_zeros(len(packing)).index_add(0, owner, by_step)
        code = codes.index_select(0, torch.from_numpy(packing.starts).to(codes.device))
        return log_likelihood + self.length_model.log_prob(code, packing.lengths)

    def decode(self, code_of_step: Tensor, packing: Packing) -> Tensor:
        """Expected steps, from code and class of its sequence at each step."""
        return self.decoder(code_of_step, packing)

    def draw(self, columns: Tensor, packing: Packing) -> Tensor:
        """Random steps, of code, class and then standard normal numbers at each step."""
        codes, normal = columns.tensor_split([self.n_code], dim=1)
        return self.decoder(codes, packing) + self.noise.draw(normal, packing)

    def quantile_of_length(self, code: Tensor, uniform: Tensor) -> Tensor:
        """See `LengthModel`."""
        return self.length_model.quantile(code, uniform)
