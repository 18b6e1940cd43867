"""The number of steps of a sequence, given its latent code."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.layers.feedforward import FeedForward

__all__ = ["LengthModel", "smoothed_frequencies"]

# In place of the logarithm of zero, whose gradients are infinite.
_NEVER = -1e4


class LengthModel(nn.Module):
    """Frequencies of lengths in the training data, by class, reweighted by the latent code.

    ``p(T | z)`` is proportional to ``f(T) exp(a(z) T + b(z) T^2)``, with T standardized: an
    exponential family with the base measure f, the (smoothed) frequencies. Where a and b are
    zero, as before training, lengths are distributed as they were seen; lengths outside of the
    range seen are never drawn. A share of ``1 / (n + 1)`` of the probability, for n training
    sequences, lies on a geometric distribution over all lengths, so that every length has a score.

    Parameters
    ----------
    n_components : int
        Dimension of the latent space.
    n_context : int
        Classes, as one-hot columns behind the code.
    max_length : int
        The longest training sequence.
    hidden_size : int, default=32
    """

    log_base: Tensor
    powers: Tensor
    tail: Tensor

    def __init__(self, n_components: int, n_context: int, max_length: int, hidden_size: int = 32):
        super().__init__()
        self.n_components, self.n_context = n_components, n_context
        self.log_weights = FeedForward(
            (n_components + n_context, hidden_size, 2), activation="tanh"
        )
        nn.init.zeros_(self.log_weights.output.weight)
        nn.init.zeros_(self.log_weights.output.bias)
        self.register_buffer("log_base", torch.zeros(n_context or 1, max_length))
        self.register_buffer("powers", torch.zeros(2, max_length))
        # Share of the geometric distribution, and its parameter.
        self.register_buffer("tail", torch.tensor([0.5, 0.5]))

    def initialize(
        self,
        lengths: NDArray[np.int64],
        weights: NDArray[np.float64],
        classes: NDArray[np.float64],
    ) -> None:
        """Learn the frequencies of the lengths of training sequences.

        Parameters
        ----------
        lengths : ndarray of int of shape (n,)
        weights : ndarray of shape (n,)
        classes : ndarray of shape (n, n_context)
            One-hot rows.
        """
        max_length = self.log_base.shape[1]
        base = smoothed_frequencies(lengths, weights, max_length)
        by_class = [
            smoothed_frequencies(lengths, weights * of, max_length) if weights @ of > 0 else base
            for of in classes.T
        ]
        every = np.arange(1, max_length + 1)
        mean = base @ every
        spread = np.sqrt(base @ (every - mean) ** 2)
        standard = (every - mean) / (spread if spread > 1e-6 else 1)
        bases = np.stack(by_class or [base])
        for buffer, values in (
            (self.log_base, np.where(bases > 0, np.log(np.maximum(bases, 1e-300)), _NEVER)),
            (self.powers, np.stack([standard, standard**2])),
            (self.tail, [1 / (weights.sum() + 1), 1 / (mean + 1)]),
        ):
            buffer.copy_(torch.as_tensor(values).to(buffer))

    def log_probabilities(self, code: Tensor) -> Tensor:
        """Log-probabilities of lengths, ``(n, max_length)``, without the geometric part."""
        base = code[:, self.n_components :] @ self.log_base if self.n_context else self.log_base
        return (base + self.log_weights(code) @ self.powers).log_softmax(dim=1)

    def log_prob(self, code: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Log-probability of a length for each code, ``(n,)``."""
        counts = torch.from_numpy(lengths).to(code.device)
        share, stop = self.tail
        geometric = stop.log() + (counts - 1) * torch.log1p(-stop)
        known = self.log_probabilities(code)
        index = (counts - 1).clamp(0, known.shape[1] - 1)
        seen = known.gather(1, index.unsqueeze(1)).squeeze(1)
        seen = torch.where(counts <= known.shape[1], seen, _NEVER)
        return torch.logaddexp(torch.log1p(-share) + seen, share.log() + geometric)

    def quantile(self, code: Tensor, uniform: Tensor) -> Tensor:
        """Quantile of the length for each code, ``(n,)``; uniform numbers give random lengths."""
        below = self.log_probabilities(code).exp().cumsum(dim=1) <= uniform
        return below.sum(dim=1).clamp(max=below.shape[1] - 1) + 1


def smoothed_frequencies(
    lengths: NDArray[np.int64], weights: NDArray[np.float64], max_length: int
) -> NDArray[np.float64]:
    """Frequencies of the lengths 1, 2, ..., `max_length`.

    A length that occurs once is spread over those around it, up to half way to the nearest other
    length; the others keep their frequencies.

    Parameters
    ----------
    lengths : ndarray of int of shape (n,)
    weights : ndarray of shape (n,)
    max_length : int
    """
    counts = np.bincount(lengths - 1, weights, minlength=max_length)[:max_length]
    seen = np.flatnonzero(counts)
    gaps = np.diff(seen, prepend=-3 * max_length, append=3 * max_length)
    reach = np.minimum(gaps[:-1], gaps[1:]) // 2
    for place, width in zip(seen, reach, strict=True):
        if counts[place] <= 1 and width > 0:
            around = slice(max(seen[0], place - width), min(seen[-1], place + width) + 1)
            spread = counts[place] / (around.stop - around.start)
            counts[place] = 0
            counts[around] += spread
    return counts / counts.sum()
