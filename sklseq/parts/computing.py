"""Where and how networks are computed: the parameters of it."""

from typing import Any

from sklseq.base import choice, estimator, integer, param
from sklseq.training.context import MOST_THREADS

__all__ = ["DeviceParameters"]


@estimator
class DeviceParameters:
    """Declarations of estimators that train a network."""

    dtype: str = param(
        "float32", "Type of the weights and of the computation.", choice("float32", "float64")
    )
    device: str = param(
        "cpu",
        "Device that computes: 'cpu', 'cuda', 'cuda:1', 'mps', or 'auto' for the best there.",
        str,
    )
    graph: Any = param(
        "auto",
        "Whether steps of training are captured as CUDA graphs, which spares small networks most "
        "of their time on a GPU. 'auto' does where it can: on CUDA, for tables, images and "
        "sequences of one length, without callbacks that look at batches or gradients. True is an "
        "error where there can be none.",
        choice("auto"),
        "boolean",
    )
    n_threads: int | None = param(
        None,
        "Threads of torch. None takes one where a training step is small, for more would only "
        "wait for each other.",
        integer(1, MOST_THREADS),
        None,
    )
