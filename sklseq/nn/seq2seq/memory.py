"""What a decoder knows of the inputs, and the contracts of encoders and decoders."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing

__all__ = ["Decoder", "Encoder", "Memory"]


class Memory(NamedTuple):
    """Encoded inputs, one row for each."""

    states: Tensor
    """``(n, n_source_steps, size)``, zero where there is no step."""
    mask: Tensor
    """``(n, n_source_steps)``, True at real steps."""
    summary: Tensor
    """``(n, size)``, one vector for the whole of each input."""
    keys: Any = None
    """What the decoder computes of it once and needs in every step."""

    @property
    def n_rows(self) -> int:
        """Number of inputs."""
        return len(self.states)


class Encoder(nn.Module):
    """Reads inputs of one size and gives their `Memory` of `output_size`."""

    output_size: int

    def forward(self, x: Tensor, packing: Packing) -> Memory:
        """Memory of stacked steps ``(sum of lengths, input_size)``."""
        raise NotImplementedError


class Decoder(nn.Module):
    """Reads what was put out so far, and the memory, and gives features of the next step.

    All steps at once (`forward`) and one after the other (`start`, then `step`) give the same.
    """

    output_size: int

    def prepare(self, memory: Memory) -> Memory:
        """The memory with its `keys`; before any of the other methods."""
        raise NotImplementedError

    def forward(self, x: Tensor, packing: Packing, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """Features ``(sum of lengths, output_size)``, and attention of each step.

        Parameters
        ----------
        x : Tensor of shape (sum of lengths, input_size)
            Stacked inputs of the decoder: what was put out before each step.
        packing : Packing
            Of the outputs; one row for each of the memory.
        memory : Memory

        Returns
        -------
        Tensor of shape (sum of lengths, output_size)
        Tensor of shape (n, n_target_steps, n_source_steps) or None
            Weights of attention, padded; None without attention.
        """
        raise NotImplementedError

    def start(self, memory: Memory, width: int) -> Any:
        """The state of ``n * width`` rows before the first step."""
        raise NotImplementedError

    def step(self, x_t: Tensor, state: Any, memory: Memory) -> tuple[Tensor, Any, Tensor | None]:
        """Features ``(n * width, output_size)`` of the next step, and the state after it.

        Parameters
        ----------
        x_t : Tensor of shape (n * width, input_size)
        state
        memory : Memory
            Of n rows; rows ``i * width`` to ``(i + 1) * width`` belong to its row i.

        Returns
        -------
        Tensor of shape (n * width, output_size)
        object
        Tensor of shape (n, width, n_source_steps) or None
            Weights of attention, where they come at no cost.
        """
        raise NotImplementedError

    def reorder(self, state: Any, index: Tensor) -> Any:
        """The state whose row i is row ``index[i]`` of this one."""
        raise NotImplementedError

    def unroll(
        self, memory: Memory, n_steps: int, x_at: Callable[[int, Tensor | None], Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """Features ``(n, n_steps, output_size)`` and attention, one step after the other.

        Parameters
        ----------
        memory : Memory
        n_steps : int
        x_at : callable
            Input ``(n, input_size)`` of a step, given its number and the features of the step
            before, None at the first.
        """
        state, features = self.start(memory, 1), None
        outputs, attended = [], []
        for t in range(n_steps):
            features, state, weights = self.step(x_at(t, features), state, memory)
            outputs.append(features)
            if weights is not None:
                attended.append(weights)
        return torch.stack(outputs, dim=1), torch.cat(attended, dim=1) if attended else None
