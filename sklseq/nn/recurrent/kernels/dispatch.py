"""Which kernel runs a layer: by cell, number type, device and packing.

A kernel takes ``(rnn, x, packing, state, need_last)``, torch's layer with the parameters and then
what `Layer.forward` takes, and gives what that gives.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.recurrent.kernels import cpu, lanes, lstm
from sklseq.nn.recurrent.kernels.cuda import MOST_STEPS, packed, padded
from sklseq.nn.recurrent.kernels.parallel_time import TimeParallel, in_chunks
from sklseq.nn.recurrent.layer import Layer
from sklseq.nn.recurrent.noise import StateNoise

__all__ = ["kernel_for", "lanes_for", "widest"]

LayerKernel = Callable[..., tuple[Tensor, Any]]

CPU: dict[str, LayerKernel] = {"rnn": cpu.rnn, "gru": cpu.gru, "lstm": lstm.rectangles}
ONE_DNN: dict[str, LayerKernel] = {"lstm": lstm.folded}
LANES: dict[str, LayerKernel] = {
    "rnn": lanes.rnn_in_lanes,
    "gru": lanes.gru_in_lanes,
    "lstm": lstm.lanes,
}


IN_CHUNKS = {"rnn": cpu.RNNForward, "gru": cpu.GRUForward}
# Units up to which cuDNN takes padded steps by its persistent kernels. From 256 on it is no faster
# than of packed steps, and computes the padding (measured with GRU and LSTM in float32).
PADDED = {"rnn": 192, "gru": 192, "lstm": 192}


def kernel_for(
    cell: str, units: int, x: Tensor, packing: Packing, time: TimeParallel
) -> LayerKernel:
    """The kernel for packed steps of one of torch's cells, of so many units."""
    if packing.lanes is not None:
        return LANES[cell]
    if x.is_cuda:
        return on_cuda(cell, units, packing)
    kernel = ONE_DNN.get(cell, CPU[cell]) if _has_one_dnn(x.dtype) else CPU[cell]
    # To see whether states meet, chunks wait for them, which other devices would pay for.
    can_be_cut = x.is_cpu and cell in IN_CHUNKS
    length = chunk_length(packing, units, time.mode) if can_be_cut else 0
    if length and time.due():
        return partial(in_chunks, IN_CHUNKS[cell], kernel, length, time)
    return kernel


# Chunks of a sequence that lose less than a tenth of the plain loop's time where sweeps over them
# are given up, and the units of all sequences up to which they gain twice (measured, see
# benchmarks/parallel_time.py).
_LEAST_CHUNKS, _MOST_UNITS = 32, 512
# Steps side by side beyond which a call takes in proportion to them.
_MOST_CHUNKS = 128


def chunk_length(packing: Packing, units: int, mode: bool | str) -> int:
    """Steps of the chunks in which sequences run in parallel over time; 0 for the plain loop."""
    if mode is False:
        return 0
    longest, n_steps = len(packing.batch_sizes), int(packing.lengths.sum())
    # The square root balances the steps of a sweep, and what each takes, against its chunks.
    length = max(round(2 * n_steps**0.5), n_steps // _MOST_CHUNKS)
    n_chunks = longest / length
    if mode is True:
        return length if n_chunks > 1 else 0
    few = len(packing.lengths) * units <= _MOST_UNITS
    return length if few and n_chunks >= _LEAST_CHUNKS else 0


def on_cuda(cell: str, units: int, packing: Packing) -> LayerKernel:
    """The kernel of cuDNN, which takes packed steps only up to some length."""
    sizes = packing.batch_sizes
    ragged, too_long = sizes[0] != sizes[-1], len(sizes) > MOST_STEPS
    return packed if ragged and units > PADDED[cell] and not too_long else padded


def _has_one_dnn(dtype: torch.dtype) -> bool:
    return dtype == torch.float32 and torch.backends.mkldnn.is_available()


# Numbers that a sequence may take in one activation: 128 MB in float32, of which inference in
# lanes keeps only a few.
_MAX_NUMBERS = 1 << 25
# Products have whole dozens of rows, or one: MKL's kernels for AVX2 take six rows at a time, those
# for SSE twelve, and round the rows that are left over in their own way.
# Layers that are parallel over time make no calls for steps side by side.
_IN_A_ROW = Lanes(1, 1)


def lanes_for(
    module: nn.Module, lengths: NDArray[np.int64], begun: bool = False
) -> list[Lanes | None]:
    """Shape of the kernel calls by which a module runs a sequence of each length in inference.

    It depends on nothing else but whether they have `begun` and are given states, so that results
    do not depend on other sequences. Few rows make one sequence alone fast, many rows make many
    fast (measured); None is for accelerators, which take all at once. Very long sequences have
    fewer rows, as memory allows.
    """
    parameters = list(module.parameters())
    if parameters[0].device.type != "cpu":
        return [None] * len(lengths)
    layers = [m for m in module.modules() if isinstance(m, Layer)]
    stepwise = any(isinstance(m, StateNoise) and m.acts for m in module.modules())
    if layers and not stepwise and all(layer.parallel for layer in layers):
        return [_IN_A_ROW] * len(lengths)
    rnns = [m for m in module.modules() if isinstance(m, nn.RNNBase)]
    units = max((m.hidden_size for m in rnns), default=0)
    one_dnn = _has_one_dnn(parameters[0].dtype) and any(isinstance(m, nn.LSTM) for m in rnns)
    if stepwise:
        one_dnn, rnns = False, []
    if one_dnn:
        # It takes long to begin and likes calls of about 1000 cells.
        small, medium, large = Lanes(16, 32, gap=1), Lanes(16, 64, gap=1), Lanes(8, 128, gap=1)
        shapes = [small if n <= 32 else medium if n <= 64 else large for n in lengths.tolist()]
    elif any(isinstance(m, nn.LSTM) for m in rnns):
        shapes = [Lanes(48, 48, gap=1)] * len(lengths)
    elif any(isinstance(m, nn.GRU) for m in rnns):
        shapes = [Lanes(48 if units <= 64 else 24, 24, grid=4)] * len(lengths)
    else:
        shapes = [Lanes(96 if units <= 32 else 48, 24, grid=4)] * len(lengths)
    if begun or getattr(module, "first_states", None) is not None:
        # Of long short-term memory a given state comes in at the beginning of a call alone.
        shapes = [s._replace(grid=s.block, gap=0) if s.gap else s for s in shapes]
    fitting = _MAX_NUMBERS // widest(module) // np.maximum(lengths, 1)
    fewer = (8, 4, 2, 1) if one_dnn else (48, 24, 12, 1)
    return [
        lanes if lanes.rows <= n else lanes._replace(rows=next((r for r in fewer if r <= n), 1))
        for lanes, n in zip(shapes, fitting.tolist(), strict=True)
    ]


def widest(module: nn.Module) -> int:
    """Numbers of a step in the widest activation, about."""
    return max(max(p.shape, default=1) for p in module.parameters())
