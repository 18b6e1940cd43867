"""Training on devices that compute while the processor goes on.

A step of a small network is some hundred operations, and each takes the processor longer to launch
than a GPU to compute. So a step is captured once for each shape of batch, as a CUDA graph, and
replayed with one launch. Shapes and addresses are then fixed: a batch is copied into the tensors
that the step was captured with, and so is its noise, which is drawn as ever. What is not a table,
an image or a batch of sequences of one length, and what cannot be captured because it waits for the
device or needs data of the processor, runs operation by operation.

Nothing in an epoch waits for the device: its losses are looked at when it has ended.
"""

import math
import threading
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sklseq._compat.torch import set_capturable
from sklseq.nn.layers.randomness import drawing_from, noise_to_come
from sklseq.nn.ragged.packing import Packing
from sklseq.training.context import epoch_generators
from sklseq.training.net import Net, Objective, clip_norm_unseen, overrides
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Batch, Rows, batches

if TYPE_CHECKING:
    from sklseq.training.engine import Trainer

__all__ = ["CAPTURES", "DeviceNet", "Replays", "cuda_graph", "net_for"]

# Steps before a capture: what libraries set up in their first calls cannot be captured, nor can
# the first moments of an optimizer.
_WARM_UP = 3
# Shapes of batches that are captured; each graph holds memory for a step of its own.
_MOST_SHAPES = 4

Function = Callable[[], Tensor]
Capture = Callable[[Function], Function]
"""Of a function that works on tensors at fixed addresses, what does the same again."""

_one_at_a_time = threading.Lock()


def cuda_graph(function: Function) -> Function:
    """A function as a CUDA graph, in the present stream."""
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.current_stream()
    # Other threads may go on with what they do on the device.
    captured = torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local")
    with _one_at_a_time, noise_to_come(stream.device) as draws, captured:
        result = function()

    def replay() -> Tensor:
        for draw in draws:
            draw()
        graph.replay()
        return result.clone()

    return replay


CAPTURES: dict[str, Capture | None] = {"cuda": cuda_graph, "mps": None}
"""Kinds of devices that compute while the processor goes on, and how they capture."""


class Replays:
    """A function of batches that is captured for each shape of batch, once it has come often.

    Parameters
    ----------
    function : callable
        ``(batch)`` to the detached loss.
    capture : callable or None
        See `Capture`; without one nothing is captured.
    state : callable
        What else the function depends on, beside tensors: if it changes, so does the graph.
    needed : bool, default=False
        Whether a batch that cannot be captured is an error, a ValueError.
    """

    def __init__(
        self,
        function: Callable[[Batch], Tensor],
        capture: Capture | None,
        state: Callable[[], Hashable],
        needed: bool = False,
    ):
        self.function, self.capture, self.state = function, capture, state
        self.needed = needed
        self.shapes: dict[Hashable, _Shape] = {}
        self.n_captured = 0

    def __call__(self, batch: Batch) -> Tensor:
        """What the function gives for a batch."""
        key = None if self.capture is None else _key(batch)
        if key is None:
            self._refuse("of tables, images and sequences of one length alone it has one shape")
            return self.function(batch)
        key = key, self.state()
        if key not in self.shapes:
            if len(self.shapes) == _MOST_SHAPES:
                return self.function(batch)
            self.shapes[key] = _Shape(batch)
        shape = self.shapes[key]
        if not shape.can_be_captured:
            return self.function(batch)
        shape.fill(batch)
        if shape.replay is None and shape.n_seen >= _WARM_UP:
            self._capture(shape)
        if shape.replay is not None:
            return shape.replay()
        shape.n_seen += 1
        return self.function(shape.batch)

    def _capture(self, shape: "_Shape") -> None:
        assert self.capture is not None
        try:
            shape.replay = self.capture(lambda: self.function(shape.batch))
            self.n_captured += 1
        except RuntimeError as error:  # nothing was computed yet: the step runs as those before
            shape.can_be_captured = False
            self._refuse(f"CUDA refuses it ({error})", error)

    def _refuse(self, why: str, cause: Exception | None = None) -> None:
        if self.needed:
            raise ValueError(
                f"graph=True, but a step of training cannot be captured: {why}. Take graph='auto', "
                "which captures steps where it can."
            ) from cause


class _Shape:
    """A batch of some shape whose tensors stay where they are."""

    def __init__(self, batch: Batch):
        copies: dict[int, Tensor] = {}

        def fixed(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            if id(value) not in copies:
                copies[id(value)] = value.detach().clone()
            return copies[id(value)]

        inputs = tuple(fixed(value) for value in batch.inputs)
        self.batch = Batch(inputs, fixed(batch.target), fixed(batch.weight), batch.n_rows)
        self.n_seen, self.can_be_captured = 0, True
        self.replay: Function | None = None

    @torch.no_grad()
    def fill(self, batch: Batch) -> None:
        new = {id(value): value for value in _parts(batch) if isinstance(value, Tensor)}
        fixed = {id(value): value for value in _parts(self.batch) if isinstance(value, Tensor)}
        for there, value in zip(fixed.values(), new.values(), strict=True):
            there.copy_(value)


def _parts(batch: Batch) -> tuple[Any, ...]:
    return *batch.inputs, batch.target, batch.weight


def _equal(packing: Packing) -> bool:
    return packing.lanes is None and packing.batch_sizes[0] == packing.batch_sizes[-1]


def _key(batch: Batch) -> Hashable | None:
    """What batches share that one graph can serve; None if it can serve no other batch."""
    parts = _parts(batch)
    shapes: list[Hashable] = []
    for value in parts:
        if value is None:
            shapes.append(None)
        elif isinstance(value, Tensor):
            shapes.append((tuple(value.shape), value.dtype))
        elif isinstance(value, Packing) and _equal(value):
            shapes.append((len(value), len(value.batch_sizes)))
        else:
            return None
    # Targets may be the inputs themselves.
    same = tuple(next(i for i, p in enumerate(parts) if p is value) for value in parts)
    return (*shapes, same, batch.n_rows)


class DeviceNet(Net):
    """The training loop where it waits for the device once an epoch and not in each step."""

    waits = False
    clip_norm = staticmethod(clip_norm_unseen)

    def __init__(
        self,
        module: nn.Module,
        objective: Objective,
        trainer: "Trainer",
        rows: Rows,
        callbacks: list[Any],
        capture: Capture | None,
    ):
        super().__init__(module, objective, trainer, rows, callbacks)
        self.like = parameter_of(module)
        self.capture = capture
        step, judge = super().train_step, super().validation_step
        needed = trainer.graph is True
        self.train_replays = Replays(lambda b: step(b)["loss"], capture, self._rates, needed)
        self.valid_replays = Replays(lambda b: judge(b)["loss"], capture, lambda: None)

    def initialize(self) -> Any:
        """Make module, optimizer and callbacks ready."""
        super().initialize()
        if self.capture is not None:
            set_capturable(self.optimizer_, self.like.is_cuda)
            if self.like.dtype == torch.float32:
                for group in self.optimizer_.param_groups:
                    group["lr"] = torch.tensor(group["lr"], device=self.like.device)
        return self

    def _rates(self) -> Hashable:
        """Learning rates that are numbers and stand in a graph.

        Torch's optimizers read those in tensors in single precision alone.
        """
        rates = [group["lr"] for group in self.optimizer_.param_groups]
        return tuple(rate for rate in rates if not isinstance(rate, Tensor))

    def state_of_optimizer(self) -> dict[str, Any]:
        """As on the CPU."""
        set_capturable(self.optimizer_, False)
        for group in self.optimizer_.param_groups:
            for name in {"lr", "initial_lr"} & group.keys():
                group[name] = float(group[name])
        return super().state_of_optimizer()

    def fit_loop(self, *args: Any, **kwargs: Any) -> Any:
        """All epochs, in a stream of their own."""
        with _own_stream(self.like.device):
            return super().fit_loop(*args, **kwargs)

    def run_single_epoch(
        self, iterator: Rows | None, training: bool, prefix: str, step_fn: Any, **_: Any
    ) -> None:
        """Go through all rows once, and then look at the losses."""
        if iterator is None:
            return
        trainer, epoch = self.trainer, self.epoch
        order, layers = epoch_generators(trainer.seed, epoch)
        records = self.history[-1]["batches"]
        n_before, losses, sizes = len(records), [], []
        with drawing_from(layers):
            for batch in batches(iterator, trainer.batch_size, order if training else None):
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch)
                losses.append(step["loss"])
                sizes.append(batch.n_rows)
                self.notify("on_batch_end", batch=batch, training=training, **step)
        values = torch.stack(losses).tolist()
        for number, (loss, n_rows) in enumerate(zip(values, sizes, strict=True)):
            if not math.isfinite(loss):
                raise ValueError(self._divergence(loss, epoch + 1, number + 1, training))
            records[n_before + number] |= {f"{prefix}_loss": loss, f"{prefix}_batch_size": n_rows}
        total = sum(loss * n_rows for loss, n_rows in zip(values, sizes, strict=True))
        self.history.record(f"{prefix}_loss", total / sum(sizes))

    def train_step(self, batch: Batch, **_: Any) -> dict[str, Any]:
        """Train on a batch."""
        return {"loss": self.train_replays(batch), "y_pred": None}

    def validation_step(self, batch: Batch, **_: Any) -> dict[str, Any]:
        """The loss of held-out rows."""
        return {"loss": self.valid_replays(batch), "y_pred": None}

    def _largest_gradient(self) -> str:
        return ""  # of that batch there is none any more


@contextmanager
def _in_stream(device: torch.device) -> Any:
    before = torch.cuda.current_stream(device)
    own = torch.cuda.Stream(device)
    own.wait_stream(before)
    try:
        with torch.cuda.stream(own):
            yield
    finally:
        before.wait_stream(own)


def _own_stream(device: torch.device) -> AbstractContextManager[None]:
    """A stream for all of training, as graphs are not captured in the default one."""
    return _in_stream(device) if device.type == "cuda" else nullcontext()


def net_for(
    module: nn.Module, objective: Objective, trainer: "Trainer", rows: Rows, callbacks: list[Any]
) -> Net:
    """The training loop for a module: by its device, and by what has to be seen of each step.

    Raises
    ------
    ValueError
        If graphs are asked for where there can be none.
    """
    kind = parameter_of(module).device.type
    looks = ("on_batch_begin", "on_batch_end", "on_grad_computed")
    given = [c[1] if isinstance(c, tuple) else c for c in trainer.callbacks]
    seen = trainer.verbose > 1 or any(overrides(c, hook) for c in given for hook in looks)
    at_once = kind not in CAPTURES or trainer.solver == "lbfgs" or seen
    if trainer.graph is True and (at_once or CAPTURES[kind] is None):
        raise ValueError(
            f"graph=True needs device='cuda' (now {kind!r}), another solver than 'lbfgs' (now "
            f"{trainer.solver!r}), verbose of at most 1 (now {trainer.verbose}), and callbacks "
            "that look at neither batches nor gradients. Take graph='auto', which captures steps "
            "where it can."
        )
    if at_once:
        return Net(module, objective, trainer, rows, callbacks)
    capture = CAPTURES[kind] if trainer.graph else None
    return DeviceNet(module, objective, trainer, rows, callbacks, capture)
