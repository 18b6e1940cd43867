"""Training on series that are long: in segments, and in parallel over time.

Truncated backpropagation through time: Williams and Peng (1990), An efficient gradient-based
algorithm for on-line training of recurrent network trajectories, Neural Computation 2; with
segments that do not overlap, Sutskever (2013), Training recurrent neural networks, section 2.8.6.
"""

from typing import Any

from torch import nn

from sklseq.base import choice, estimator, integer, param
from sklseq.nn.recurrent.cells.torch_layers import TorchLayer
from sklseq.nn.recurrent.kernels.parallel_time import TimeParallel

__all__ = ["LongSeriesParameters", "check_truncation", "set_time_parallel"]


@estimator
class LongSeriesParameters:
    """Declarations of estimators that are trained on long series."""

    tbptt_steps: int | None = param(
        None,
        "Train in segments of so many steps, one training step each, by truncated backpropagation "
        "through time: a segment begins with the state after the one before, but its gradient ends "
        "where it begins, so that memory does not grow with the length of a series. What lies "
        "further back than a segment is remembered, but not learned to be. Sequences of a batch "
        "are gone through side by side, each from its own start in each epoch and each call of "
        "`partial_fit`. None takes sequences whole.",
        integer(1),
        None,
    )
    time_parallel: Any = param(
        "auto",
        "Whether training cuts long sequences into chunks, which run side by side until their "
        "states, and then their gradients, are those of the plain loop to rounding. 'auto' does "
        "where it is measured to be faster: on the CPU, for the cells 'gru' and 'rnn', of one or "
        "few sequences of some thousand steps. True does for any that can be cut, with these cells "
        "and on the CPU. The plain loop runs instead where the network does not forget within a "
        "chunk. False never does.",
        choice("auto"),
        "boolean",
    )


def check_truncation(model: Any) -> None:
    """Refuse `tbptt_steps` where there is nothing to be learned in segments.

    Raises ValueError, which names the way out.
    """
    name = f"tbptt_steps={model.tbptt_steps}"
    if model.tbptt_steps is None:
        return
    if model.bidirectional:
        raise ValueError(
            f"{name} goes through sequences from their start on, but bidirectional=True reads them "
            "from their end, too: set bidirectional=False, or tbptt_steps=None."
        )
    if model.solver == "lbfgs":
        raise ValueError(
            f"{name} makes each segment a training step, but solver='lbfgs' takes all data for "
            "one: take another solver, or tbptt_steps=None."
        )
    if model.target == "sequence" and model.__sklearn_tags__().target_tags.required:
        raise ValueError(
            f"{name} needs a loss in each segment, but with target='sequence' there is one at the "
            "end, from which only the last segment would learn: use target='step', with the target "
            "of a sequence repeated for each of its steps, or set tbptt_steps=None."
        )


def set_time_parallel(module: nn.Module, mode: bool | str) -> None:
    """Tell the layers of a network whether they may take sequences in chunks."""
    for layer in module.modules():
        if isinstance(layer, TorchLayer):
            layer.time_parallel = TimeParallel(mode)
