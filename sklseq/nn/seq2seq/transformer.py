"""The transformer as encoder and as decoder (Vaswani et al. 2017)."""

from torch import Tensor

from sklseq.nn.layers.attention import with_first
from sklseq.nn.layers.transformer import Past, Source, TransformerStack
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.padding import Padding
from sklseq.nn.seq2seq.memory import Decoder, Encoder, Memory

__all__ = ["TransformerDecoder", "TransformerEncoder"]


class TransformerEncoder(Encoder):
    """Blocks of self-attention, in which all steps see each other.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
    n_heads, dropout, positions
        As in `TransformerStack`.

    Attributes
    ----------
    output_size : int
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        n_heads: int = 4,
        dropout: float = 0.0,
        positions: str = "absolute",
    ):
        super().__init__()
        self.output_size = hidden_size
        self.stack = TransformerStack(
            input_size,
            hidden_size,
            num_layers,
            n_heads=n_heads,
            dropout=dropout,
            positions=positions,
        )

    def forward(self, x: Tensor, packing: Packing) -> Memory:
        """Memory of stacked steps ``(sum of lengths, input_size)``; its summary is their mean."""
        padding = Padding(packing)
        mask = padding.mask
        states = self.stack(padding.pad(x), with_first(mask)).masked_fill(~mask[..., None], 0)
        n_steps = mask.sum(dim=1, keepdim=True).clamp(min=1)
        return Memory(states, mask, states.sum(dim=1) / n_steps)


class TransformerDecoder(Decoder):
    """Blocks of self-attention on what was put out so far, and of attention on the memory.

    The state is a list of `Past`, one for each layer, whose tensors grow with the steps; empty
    before the first.

    Parameters
    ----------
    input_size, memory_size, hidden_size, num_layers : int
    n_heads, dropout, positions
        As in `TransformerStack`. Attention on the memory sees no positions.

    Attributes
    ----------
    output_size : int
    """

    def __init__(
        self,
        input_size: int,
        memory_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        n_heads: int = 4,
        dropout: float = 0.0,
        positions: str = "absolute",
    ):
        super().__init__()
        self.output_size = hidden_size
        self.stack = TransformerStack(
            input_size,
            hidden_size,
            num_layers,
            n_heads=n_heads,
            dropout=dropout,
            positions=positions,
            source_size=memory_size,
        )

    def prepare(self, memory: Memory) -> Memory:
        """The memory with keys and values of all layers: a list of `Source`."""
        visible = with_first(memory.mask)
        keys = [
            Source(block.source_attention.keys(memory.states), visible)
            for block in self.stack.blocks
        ]
        return Memory(memory.states, memory.mask, memory.summary, keys)

    def forward(self, x: Tensor, packing: Packing, memory: Memory) -> tuple[Tensor, Tensor]:
        """Features of all steps, and the last layer's weights of the memory, their mean over heads.

        No padding is masked: what is behind the last step of a sequence no step of it sees.
        """
        padding = Padding(packing)
        states, _, weights = self.stack.causal(padding.pad(x), memory.keys)
        return padding.stack(states), weights

    def start(self, memory: Memory, width: int) -> list[Past]:
        """The state of ``n * width`` rows before the first step."""
        return []

    def step(
        self, x_t: Tensor, state: list[Past], memory: Memory
    ) -> tuple[Tensor, list[Past], Tensor]:
        """Features ``(n * width, hidden_size)`` of the next step, the state after it, and weights.

        The state before is left as it was, so that several steps may begin from it.
        """
        states, after, weights = self.stack.causal(x_t[:, None], memory.keys, state)
        return states[:, 0], after, weights

    def reorder(self, state: list[Past], index: Tensor) -> list[Past]:
        """The state whose row i is row ``index[i]`` of this one."""
        return [
            past._replace(keys_values=past.keys_values.index_select(1, index)) for past in state
        ]
