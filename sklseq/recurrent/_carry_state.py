"""States of a recurrent network at the end of the training series, from which it predicts on."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklseq.data import Sequences
from sklseq.nn.recurrent.carried import Carried
from sklseq.parts.carry_state import check_carried, series_gone_on_from
from sklseq.parts.missing_steps import has_gaps
from sklseq.parts.streaming import carried_example
from sklseq.training.context import threads
from sklseq.training.placement import parameter_of
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.sequences import SequenceRows, steps_at_once
from sklseq.training.run import work_of
from sklseq.training.run_on import run_on

__all__ = ["END_STORED", "begin_with", "check_carrying", "check_end_states", "remember_end"]

END_STORED = {"_end_states": "absent or data"}


def check_carrying(model: Any) -> None:
    """Refuse `carry_state` where states alone are not all that is to be known of the past."""
    if not getattr(model, "carry_state", False):
        return
    check_carried(model)
    if has_gaps(model):
        raise ValueError(
            f"carry_state=True with missing={model.missing!r} and time_feature="
            f"{model.time_feature!r}: when a value was last observed is not known of the training "
            "series. Impute values and set missing='error' and time_feature=None, or set "
            "carry_state=False."
        )


def remember_end(model: Any, data: Sequences, targets: Targets) -> None:
    """Keep the states after the last steps of the training series, in plain arrays."""
    model.__dict__.pop("_end_states", None)
    if not getattr(model, "carry_state", False):
        return
    module = model.module_
    rows: SequenceRows = model._rows(data, parameter_of(module), targets)
    with torch.inference_mode(), threads(model.n_threads, work_of(module)):
        _, carried = run_on(
            module,
            rows,
            None,
            np.zeros(len(rows), dtype=bool),
            per_part=True,
            at_once=steps_at_once(module),
        )
    model._end_states = [tensor.cpu().numpy().copy() for tensor in carried.tensors()]


def begin_with(model: Any, data: Sequences, like: Tensor) -> Carried | None:
    """What predictions of these series begin with; None for nothing.

    Raises ValueError if it is not known, or not clear of which series.
    """
    if not getattr(model, "carry_state", False):
        return None
    check_carrying(model)
    ends = getattr(model, "_end_states", None)
    from_series = series_gone_on_from(model, None if ends is None else len(ends[0]), len(data))
    arrays = iter(ends or [])
    carried = carried_example(model).mapped(lambda part: torch.tensor(next(arrays)).to(part))
    return carried.take(torch.from_numpy(from_series).to(like.device))


def check_end_states(model: Any) -> None:
    """Refuse stored states that are not those of the network."""
    if (ends := getattr(model, "_end_states", None)) is None:
        return
    parts = carried_example(model).tensors()
    shapes = [getattr(end, "shape", ()) for end in ends] if isinstance(ends, list) else []
    n = shapes[0][0] if shapes and shapes[0] else 0
    if not n or shapes != [(n, *part.shape[1:]) for part in parts]:
        raise ValueError("the states at the end of its training series are not its network's.")
    for end, part in zip(ends, parts, strict=True):
        if end.dtype.kind not in ("f" if part.is_floating_point() else "iu"):
            raise ValueError("the states at the end of its training series have another type.")
