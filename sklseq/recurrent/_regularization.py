"""Regularizers of recurrent networks: their parameters, and the penalties beside the loss."""

from functools import partial
from typing import Any

from torch import Tensor, nn

from sklseq.base import choice, estimator, param, real
from sklseq.nn.recurrent.penalties import (
    activation_penalty,
    flow_penalty,
    recording,
    temporal_penalty,
)
from sklseq.training.net import Objective
from sklseq.training.rows.batch import Batch

__all__ = ["RegularizationParameters", "with_penalties"]


@estimator
class RegularizationParameters:
    """Declarations of estimators with a recurrent network."""

    dropout_mask: str = param(
        "step",
        "Whether `dropout` drops units anew at each 'step', or the same ones at all steps of a "
        "'sequence' (variational dropout, Gal and Ghahramani 2016). Feed-forward layers drop anew "
        "at each step.",
        choice("step", "sequence"),
    )
    recurrent_dropout: float = param(
        0.0,
        "Share of each layer's units dropped, in training, from what its recurrent weights read, "
        "the same ones at all steps of a sequence (Gal and Ghahramani 2016). For the cells 'rnn', "
        "'lstm', 'gru' and 'leaky'.",
        real(0, 1),
    )
    zoneout: float = param(
        0.0,
        "Share of units that keep their value of the step before, drawn at each step of training; "
        "in prediction the expectation is taken (Krueger et al. 2017).",
        real(0, 1),
    )
    activation_penalty: float = param(
        0.0,
        "Weight of the mean squared output of the last layer in the training loss (AR, Merity et "
        "al. 2017).",
        real(0),
    )
    temporal_activation_penalty: float = param(
        0.0,
        "Weight of the mean squared difference of the last layer's states at consecutive steps in "
        "the training loss (TAR, Merity et al. 2017).",
        real(0),
    )
    flow_regularizer: float = param(
        0.0,
        "Weight in the training loss of how much each step back changes the norm of the gradient, "
        "``sum_k (|v_k+1 dx_k+1/dx_k| / |v_k+1| - 1) ** 2`` with the gradient v of the loss: it "
        "keeps gradients from vanishing (Pascanu, Mikolov and Bengio 2013, eq. 9). Not for "
        "'lbfgs'. Training takes longer: layers are run step by step.",
        real(0),
    )


def with_penalties(model: Any, objective: Objective) -> Objective:
    """An objective to which the penalties of a model are added in training."""
    flow, activation, temporal = (
        model.flow_regularizer,
        model.activation_penalty,
        model.temporal_activation_penalty,
    )
    if flow and model.solver == "lbfgs":
        raise ValueError(
            f"flow_regularizer={flow} does not go with solver='lbfgs', whose line search compares "
            "losses: its gradient takes states as constants, and is not that of its value. Take "
            "'adam' or 'sgd'."
        )
    if not (flow or activation or temporal):
        return objective

    return partial(_penalized, objective, flow, activation, temporal)


def _penalized(
    objective: Objective,
    flow: float,
    activation: float,
    temporal: float,
    module: nn.Module,
    batch: Batch,
) -> Tensor:
    """Loss of a batch and, in training, its penalties, times these weights."""
    if not module.training:
        return objective(module, batch)
    with recording(module.stack, with_transitions=flow > 0) as record:
        loss = objective(module, batch)
    weight = _of_sequences(batch) / batch.n_rows
    total = loss
    if activation:
        total = total + activation * activation_penalty(record, weight)
    if temporal:
        total = total + temporal * temporal_penalty(record, weight)
    if flow:
        total = total + flow * flow_penalty(loss, record, weight)
    return total


def _of_sequences(batch: Batch) -> Tensor:
    """Weights of the sequences, with mean 1 over all data: those of their targets, summed."""
    weight = batch.weight.reshape(len(batch.weight), -1).sum(dim=1)
    packing = batch.inputs[1]
    if len(weight) == len(packing):
        return weight
    total = weight.new_zeros(len(packing))
    return total.index_add_(0, packing.sequence_of_step, weight)
