"""Recurrent estimators whose outputs feed back: the cell of Jordan (1986)."""

from dataclasses import fields
from typing import Any

from torch import nn

from sklseq.nn.recurrent.jordan import JordanNetwork
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.parts.context import ContextParameters
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.storage import differ
from sklseq.parts.supervised import NeuralClassifier, NeuralRegressor

__all__ = ["FEEDBACK_CELL", "feedback_settings", "recurrent_network"]

FEEDBACK_CELL = "jordan"
# Parameters that such a network takes, or that are not for it whatever the cell: those of training,
# of reading X and y, and of a layer.
_TAKEN = {f.name for cls in (NeuralEstimator, ContextParameters) for f in fields(cls)} | {
    *("target", "class_weight", "teacher_forcing", "teacher_forcing_schedule"),
    *("embedding_size", "embedding", "embedding_trainable", "tokenizer", "lowercase"),
    *("cell", "hidden_size", "dropout", "pooling", "missing", "time_feature", "carry_state"),
}


def recurrent_network(*, cell: Any, **settings: Any) -> nn.Module:
    """The network of a cell."""
    if cell == FEEDBACK_CELL:
        return JordanNetwork(**settings)
    return RecurrentNetwork(cell=cell, **settings)


def feedback_settings(model: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a network whose outputs feed back, from those of a recurrent network.

    Raises
    ------
    ValueError
        Naming what it cannot have, and the way out.
    """
    name = f"cell={FEEDBACK_CELL!r}"
    if not isinstance(model, (NeuralClassifier, NeuralRegressor)):
        raise ValueError(
            f"{name} feeds back what is predicted of y, and {type(model).__name__} has no y: take "
            "another cell, such as 'rnn'."
        )
    if not model._per_step:
        raise ValueError(
            f"{name} feeds the output of each step back to the next, but with target='sequence' "
            "steps have none: set target='step', or take another cell."
        )
    if model.bidirectional:
        raise ValueError(
            f"{name} feeds back the output of the step before, which a layer that reads backward "
            "comes to later: set bidirectional=False, or take another cell."
        )
    if model.num_layers > 1:
        raise ValueError(
            f"{name} has one layer, which is fed the outputs, but num_layers={model.num_layers}: "
            "set num_layers=1, or take another cell."
        )
    for field in fields(model):
        value = getattr(model, field.name)
        no_options = field.name == "cell_options" and not value
        if field.name not in _TAKEN and not no_options and differ(value, field.default):
            raise ValueError(
                f"{name} has none of what {field.name}={value!r} asks for: leave it at "
                f"{field.default!r}, or take another cell."
            )
    output = "values"
    if isinstance(model, NeuralClassifier):
        output = "labels" if model._multilabel else "classes"
    known = ("n_features", "n_outputs", "embedding_size", "cell", "hidden_size", "dropout")
    return {key: settings[key] for key in known} | {"output": output}
