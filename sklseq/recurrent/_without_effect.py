"""Parameters that do nothing beside others: whoever sets them is told.

They are warned of and not refused, so that a search may go over all combinations.
"""

import warnings
from dataclasses import fields
from typing import Any

from sklseq.parts.storage import differ
from sklseq.recurrent._feedback import FEEDBACK_CELL

__all__ = ["warn_of_no_effect"]


def warn_of_no_effect(model: Any) -> None:
    """Warn of each parameter that was set, though others leave it without effect."""
    plain = model.cell in ("rnn", "gru") and not (
        model.recurrent_dropout or model.zoneout or model.flow_regularizer
    )
    fed_back = model.cell == FEEDBACK_CELL, f"cell={FEEDBACK_CELL!r}, whose outputs are fed back"
    needs = {
        "spectral_radius": (model.init == "esn", "init='esn'"),
        "dropout_mask": (model.dropout > 0, "a dropout above 0"),
        "skip_connections": (model.num_layers > 1, "num_layers of at least 2"),
        "time_parallel": (
            plain or model.time_parallel is not True,
            "cell='gru' or 'rnn', and recurrent_dropout, zoneout and flow_regularizer at 0",
        ),
        "teacher_forcing": fed_back,
        "teacher_forcing_schedule": fed_back,
    }
    for field in fields(model):
        acts, what = needs.get(field.name, (True, ""))
        value = getattr(model, field.name)
        if not acts and differ(value, field.default):
            warnings.warn(
                f"{field.name}={value!r} has no effect without {what}: set that, or leave "
                f"{field.name} at {field.default!r}.",
                UserWarning,
                stacklevel=2,
            )
