"""What search and sampling need of a model."""

from typing import Any, Protocol

from torch import Tensor

__all__ = ["END", "StepModel"]

# The symbol that ends a sequence; before the first step it stands for the start.
END = 0


class StepModel(Protocol):
    """A model that gives the next symbol's probabilities, one step of a batch at a time.

    Of each of n inputs `width` hypotheses are decoded side by side: rows ``i * width`` to
    ``(i + 1) * width`` are those of input i. The memory of the inputs has n rows always and is
    never reordered. Rows that have ended are stepped on with the others, to no effect.
    """

    def start(self, memory: Any, width: int) -> Any:
        """The state of ``n * width`` rows before the first step."""

    def step(self, symbols: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any]:
        """Log-probabilities ``(n * width, n_symbols)`` of what follows, and the state after.

        Parameters
        ----------
        symbols : Tensor of int of shape (n * width,)
            The last symbol of each row; `END` at the start.
        state
            Before that symbol was read.
        memory
            Of the n inputs.
        """

    def reorder(self, state: Any, index: Tensor) -> Any:
        """The state whose row i is row ``index[i]`` of this one."""
