"""A network whose outputs, and not its states, feed back."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import one_hot

from sklseq.nn.layers.randomness import Dropout
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.carried import Carried
from sklseq.nn.recurrent.first_states import FirstStates

__all__ = ["JordanNetwork"]


class JordanNetwork(nn.Module):
    """A layer of tanh units that read the step and the output before it.

    ``h_t = tanh(W x_t + V y_{t-1} + b)``, ``y_t = g(U h_t + c)``, and zero before the first step
    (Jordan 1986, Attractor dynamics and parallelism in a connectionist sequential machine; without
    the links from its state units to themselves). No state is handed on but the output. Where that
    is known, as in training, no step has to wait for another.

    Parameters
    ----------
    n_features : int
        Features of a step; the number of symbols where `embedding_size` is given.
    n_outputs : int
    output : {"values", "classes", "labels"}
        What is fed back of outputs: as they are; the one-hot class of the largest logit; or of
        several labels those with a logit above 0.
    embedding_size : int or None, default=None
        As in `RecurrentNetwork`.
    hidden_size : int, default=64
    dropout : float, default=0
        On the units' activations.
    n_context, context_as
        As in `RecurrentNetwork`; "state" makes what is fed to the first step of the context.
    """

    pooling = None
    feeds_back = reads_on = True
    rows_seen: Tensor
    all_rows: Tensor

    def __init__(
        self,
        *,
        n_features: int,
        n_outputs: int,
        output: str,
        embedding_size: int | None = None,
        hidden_size: int = 64,
        dropout: float = 0.0,
        n_context: int = 0,
        context_as: str = "steps",
    ):
        super().__init__()
        self.embedding = (
            None if embedding_size is None else nn.Embedding(n_features, embedding_size, 0)
        )
        self.context_at_steps = n_context > 0 and context_as in ("steps", "both")
        size = (embedding_size or n_features) + n_context * self.context_at_steps
        self.input = nn.Linear(size, hidden_size)
        self.feedback = nn.Linear(n_outputs, hidden_size, bias=False)
        self.head = nn.Linear(hidden_size, n_outputs)
        self.output, self.dropout = output, Dropout(dropout)
        self.first_states = None
        if n_context > 0 and context_as in ("state", "both"):
            self.first_states = FirstStates(n_context, [torch.zeros(1, n_outputs)])
        # Progress of training, for scheduled sampling.
        self.register_buffer("rows_seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("all_rows", torch.ones((), dtype=torch.int64))

    def forward(
        self,
        steps: Tensor,
        packing: Packing,
        context: Tensor | None = None,
        carried: Carried | None = None,
        true: Tensor | None = None,
        known: Tensor | None = None,
    ) -> Tensor:
        """Outputs, logits of classes, ``(sum of lengths, n_outputs)`` of each step.

        Parameters
        ----------
        steps, packing, context, carried
            As in `RecurrentNetwork.forward`; what is carried is what is fed to the next step.
        true : Tensor of shape (sum of lengths, n_outputs) or None, default=None
            Outputs that are fed instead of the network's own; None feeds its own alone.
        known : Tensor of bool of the shape of `true` or None, default=None
            Which of them are fed.
        """
        x = steps if self.embedding is None else self.embedding(steps)
        if context is not None and self.context_at_steps:
            x = torch.cat([x, context.index_select(0, packing.sequence_of_step)], dim=1)
        drive, first = packing.map(self.input, x), None
        if context is not None and self.first_states is not None:
            (first,) = self.first_states(context)
        if true is None or known is None:
            if carried is not None and carried.state is not None:
                (first,) = carried.state
            outputs = self._free_running(drive, packing, first)
            if carried is not None and not carried.ends:
                ends = torch.from_numpy(np.cumsum(packing.lengths) - 1).to(outputs.device)
                carried.keep([self.fed_back(outputs.index_select(0, ends))])
            return outputs
        before = true.roll(1, dims=0).masked_fill(packing.is_first[:, None], 0)
        if first is not None:
            own_first = first.index_select(0, packing.sequence_of_step)
            before = torch.where(packing.is_first[:, None], own_first, before)
        known = known.roll(1, dims=0) | packing.is_first[:, None]
        return self._forced(drive, before, known)

    def _next(self, drive: Tensor, before: Tensor) -> Tensor:
        """Outputs of steps that read this, and the outputs before them."""
        sums = torch.addmm(drive, before, self.feedback.weight.t())
        return self.head(self.dropout(torch.tanh(sums)))

    def _free_running(self, drive: Tensor, packing: Packing, first: Tensor | None) -> Tensor:
        before = drive.new_zeros(packing.batch_sizes[0], self.head.out_features)
        outputs = []
        packed = drive.index_select(0, packing.to_packed)
        for t, drive_t in enumerate(packed.split(packing.batch_sizes)):
            outputs.append(self._next(drive_t, packing.carried(t, before, first)))
            before = self.fed_back(outputs[-1])
        return torch.cat(outputs).index_select(0, packing.to_stacked)

    def _forced(self, drive: Tensor, before: Tensor, known: Tensor) -> Tensor:
        """Outputs of stacked steps, given those before them, where these are known.

        Steps that are fed known outputs are computed at once; then, at once, those that wait for
        their own outputs alone; and so on.
        """
        waits = ~known.all(dim=1).cpu().numpy()
        if not waits.any():
            return self._next(drive, before)
        rounds = _rounds(waits)
        order, sizes = np.concatenate(rounds), [len(rows) for rows in rounds]
        # Taken once, not round by round: each gradient would be as large as all steps.
        index = self._index(order, drive)
        parts = [x.index_select(0, index).split(sizes) for x in (drive, before, known)]
        outputs: list[Tensor] = []
        for i, (drive_of, fed, known_of) in enumerate(zip(*parts, strict=True)):
            if i:
                places = self._index(np.searchsorted(rounds[i - 1], rounds[i] - 1), drive)
                own = self.fed_back(outputs[-1]).index_select(0, places)
                fed = torch.where(known_of, fed, own)
            outputs.append(self._next(drive_of, fed))
        return torch.cat(outputs).index_select(0, self._index(np.argsort(order), drive))

    @staticmethod
    def _index(index: NDArray[Any], like: Tensor) -> Tensor:
        return torch.from_numpy(index).to(like.device, non_blocking=True)

    def fed_back(self, outputs: Tensor) -> Tensor:
        """What the next step reads of outputs that the network has given."""
        if self.output == "values":
            return outputs
        if self.output == "labels":
            return (outputs > 0).to(outputs)
        return self.as_fed(outputs.argmax(dim=1))

    def as_fed(self, target: Tensor) -> Tensor:
        """Targets of training as they are fed: classes are one-hot."""
        if self.output != "classes":
            return target
        return one_hot(target, self.head.out_features).to(self.head.weight.dtype)


def _rounds(waits: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Numbers of the steps that can be computed at once, round by round, each in order.

    A step that `waits` does so for the step before.
    """
    places = np.arange(len(waits))
    since = places - np.maximum.accumulate(np.where(waits, 0, places))
    order = np.argsort(since, kind="stable")
    return np.split(order, np.cumsum(np.bincount(since))[:-1])
