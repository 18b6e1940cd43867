"""A forecaster's network over whole series, and step by step from where it is."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.carried import Carried
from sklseq.parts.forecasting.series import ModelState
from sklseq.training.rows.sequences import SequenceRows

__all__ = ["Stepping", "example_of", "hidden_shapes", "read_whole"]

Array = NDArray[Any]

# Series in a call: always as many, for how a kernel rounds depends on their number.
_AT_ONCE = 32


def example_of(module: Any, like: Tensor, settings: dict[str, Any]) -> Carried:
    """What is carried of one series, by a network with these settings."""
    carried, n_context = Carried(), settings.get("n_context", 0)
    beside = settings["n_ahead"] + settings["n_values"] * settings["seasonal"]
    n_columns = settings["n_inputs"] + settings["horizon"] * beside
    context = like.new_zeros(1, n_context) if n_context else None
    was_training = module.training
    with torch.inference_mode():
        module.eval()(like.new_zeros(1, n_columns), _single_steps(1, like), context, carried)
    module.train(was_training)
    return carried


def hidden_shapes(example: Carried) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that hold what is carried, without their first axis."""
    return {f"hidden_{i}": tuple(t.shape[1:]) for i, t in enumerate(example.tensors())}


def read_whole(module: Any, rows: SequenceRows, example: Carried) -> tuple[Array, ModelState]:
    """Outputs of all steps, stacked, and what is carried at the end of each series.

    As in `run`, no call has a shape that hangs on the other series.
    """
    outputs: Array | None = None
    hidden = [
        np.zeros((len(rows), *t.shape[1:]), str(t.dtype).removeprefix("torch."))
        for t in example.tensors()
    ]
    series_of = np.repeat(np.arange(len(rows)), rows.lengths)
    positions = np.arange(len(series_of))
    for inputs, places, n in rows.tiles(module, True):
        steps, packing, context, carried = (*inputs, None, None)[:4]
        if packing.lanes is not None:
            # States leave where calls end.
            lanes = packing.lanes._replace(grid=packing.lanes.block, gap=0)
            packing = Packing(packing.lengths, packing.device, lanes)
        carried = Carried() if carried is None else carried
        carried.ends = False
        output = module(steps, packing, context, carried)[:n].cpu().numpy()
        if outputs is None:
            outputs = np.empty((len(series_of), output.shape[1]), output.dtype)
        outputs[places] = output
        found = series_of[positions[places]]
        found = found[np.flatnonzero(np.diff(found, prepend=-1))]
        for array, tensor in zip(hidden, carried.tensors(), strict=True):
            array[found] = tensor[: len(found)].cpu().numpy()
    assert outputs is not None
    return outputs, {f"hidden_{i}": array for i, array in enumerate(hidden)}


class Stepping:
    """Series that are read on step by step, as many in each call as in any other.

    Parameters
    ----------
    module : ForecastNetwork
    like : Tensor
        A parameter of it.
    state : dict of ndarray
        With what is carried of each series, whether it has begun, and its context.
    example : Carried
    """

    def __init__(self, module: Any, like: Tensor, state: ModelState, example: Carried):
        self.module, self.like, self.n = module, like, len(state["begun"])
        self._names = list(hidden_shapes(example))
        self._packing = _single_steps(_AT_ONCE, like)
        self._tiles: list[tuple[NDArray[np.int64], int, Tensor | None, Carried]] = []
        begun = state["begun"][:, 0] > 0
        for group in (np.flatnonzero(begun), np.flatnonzero(~begun)):
            for start in range(0, len(group), _AT_ONCE):
                members = group[start : start + _AT_ONCE]
                filled = np.resize(members, _AT_ONCE)
                carried = Carried()
                if begun[members[0]]:
                    parts = iter([state[name][filled] for name in self._names])
                    carried = example.mapped(lambda t, parts=parts: torch.tensor(next(parts)).to(t))
                context = self._tensor(state["context"][filled]) if "context" in state else None
                self._tiles.append((members, len(members), context, carried))

    def step(self, columns: Array) -> Array:
        """Outputs after one more step of all series, ``(n_series, n_outputs)``."""
        outputs: Array | None = None
        for members, n, context, carried in self._tiles:
            steps = self._tensor(columns[np.resize(members, _AT_ONCE)])
            output = self.module(steps, self._packing, context, carried)[:n].cpu().numpy()
            if outputs is None:
                outputs = np.empty((self.n, output.shape[1]), output.dtype)
            outputs[members] = output
        assert outputs is not None
        return outputs

    def hidden(self) -> ModelState:
        """What is carried of each series now."""
        found: ModelState = {}
        for members, n, _, carried in self._tiles:
            for name, tensor in zip(self._names, carried.tensors(), strict=True):
                array = tensor[:n].cpu().numpy()
                if name not in found:
                    found[name] = np.empty((self.n, *array.shape[1:]), array.dtype)
                found[name][members] = array
        return found

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.like)


def _single_steps(n: int, like: Tensor) -> Packing:
    return Packing(np.ones(n, dtype=np.int64), like.device)
