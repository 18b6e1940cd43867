"""The loss of outputs that are there already, to be differentiated by what they came from."""

from copy import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from sklseq.base.target_rows import read_weights
from sklseq.data import Sequences
from sklseq.inspection.networks.recording import Pass
from sklseq.training.placement import parameter_of

__all__ = ["last_loss", "loss_of"]


def loss_of(
    model: Any, data: Any, outputs: Tensor, y: Any, network: Any, kept: Tensor | None = None
) -> Tensor:
    """Loss of training, summed over all outputs that have a target.

    Without y it is the cross-entropy of the classes predicted, or the prediction of a regressor
    itself, summed.

    Parameters
    ----------
    model : NeuralEstimator
        A fitted classifier or regressor, which is left as it is.
    data : Sequences or Forest
        What it has read.
    outputs : Tensor of shape (n_outputs_given, n_outputs)
        Of the network for each row, or each part of a row.
    y : array-like or None
    network : Module
        The copy of the network that gave the outputs.
    kept : Tensor of bool of shape (n_outputs_given,) or None, default=None
        Outputs that count; None is all.
    """
    if y is None:
        return _own_loss(model, outputs if kept is None else outputs[kept])
    rows = model._rows(data, parameter_of(network), read_targets(model, data, y))
    batch = rows.take(np.arange(len(rows)))
    weight = (batch.weight != 0).to(batch.weight)
    if kept is not None:
        weight[~kept] = 0
    # The objective calls the network anew; what it is to give was computed already.
    return model._objective(lambda *inputs: outputs, batch._replace(weight=weight, n_rows=1.0))


def last_loss(model: Any, data: Sequences, run: Pass, y: Any) -> tuple[Tensor, NDArray[np.int64]]:
    """Loss of each sequence at its last step with a target, summed, and the number of that step."""
    if not isinstance(run.outputs, Tensor):
        raise TypeError(
            f"{type(model).__name__} has no loss at a single step: give a classifier or regressor."
        )
    if not model._per_step:
        return loss_of(model, data, run.outputs, y, run.network), data.lengths - 1
    ends = np.cumsum(data.lengths)
    places = ends - 1
    if y is not None:
        counted = np.flatnonzero(read_targets(model, data, y).counted())
        at = np.searchsorted(counted, ends) - 1
        known = (at >= 0) & (np.append(counted, -1)[at] >= ends - data.lengths)
        if not known.all():
            raise ValueError(f"y, sequence {int(np.argmin(known))} has no target at any step.")
        places = counted[at]
    kept = torch.zeros(len(run.outputs), dtype=torch.bool)
    kept[places] = True
    loss = loss_of(model, data, run.outputs, y, run.network, kept)
    return loss, places - (ends - data.lengths)


def read_targets(model: Any, data: Any, y: Any) -> Any:
    """Targets as `fit` reads them, of a model that is left as it is."""
    return copy(model)._read_targets(y, data, read_weights(None, model._target_rows(data)), False)


def _own_loss(model: Any, outputs: Tensor) -> Tensor:
    if not hasattr(model, "classes_"):
        return outputs.sum()
    if model._multilabel:
        own = (outputs > 0).to(outputs)
        return binary_cross_entropy_with_logits(outputs, own, reduction="sum")
    return cross_entropy(outputs, outputs.argmax(dim=1), reduction="sum")
