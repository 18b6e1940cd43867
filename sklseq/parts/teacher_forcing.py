"""Training of networks that are fed outputs: true ones, or their own (scheduled sampling)."""

import math
from typing import Any

import torch

from sklseq.base import choice, estimator, param, real
from sklseq.nn.layers.randomness import uniform_noise
from sklseq.training.rows.batch import Batch, Rows

__all__ = [
    "TeacherForcingParameters",
    "forced_probability",
    "set_length_of_training",
    "training_inputs",
]


@estimator
class TeacherForcingParameters:
    """Declarations of estimators whose networks are fed outputs."""

    teacher_forcing: float = param(
        1.0,
        "Probability by which, in training, a step is fed the true output of the step before and "
        "not the network's own: 1 always, 0 never (free running), between them scheduled sampling "
        "(Bengio et al. 2015, section 2.4). Used where outputs are fed: by decoders, and by the "
        "cell 'jordan'.",
        real(0, 1, "both"),
    )
    teacher_forcing_schedule: str = param(
        "constant",
        "How the probability comes to `teacher_forcing`: 'constant' from the start, from 1 "
        "'linear' over the epochs of training, or as an 'inverse_sigmoid'. Each `fit` goes through "
        "the schedule; calls of `partial_fit` do over `max_epochs` of them.",
        choice("constant", "linear", "inverse_sigmoid"),
    )


def forced_probability(model: Any, module: Any, batch: Batch) -> float:
    """Probability of the true output in this step of training.

    Parameters
    ----------
    model : estimator
        With `TeacherForcingParameters`.
    module : Module
        With buffers ``rows_seen``, which are counted here, and ``all_rows``.
    batch : Batch

    Raises
    ------
    ValueError
        If the schedule changes the loss from step to step for a solver that compares losses.
    """
    schedule, final = model.teacher_forcing_schedule, model.teacher_forcing
    if not module.training or final == 1:
        return 1.0  # losses on held-out rows are to be comparable
    if schedule == "constant":
        return final
    if model.solver == "lbfgs":
        raise ValueError(
            "teacher_forcing_schedule changes the loss from step to step, and 'lbfgs' compares "
            "losses: set it to 'constant', or take another solver."
        )
    progress = float(module.rows_seen) / float(module.all_rows)
    module.rows_seen += batch.n_rows
    return final + (1 - final) * _SCHEDULES[schedule](min(progress, 1.0))


def set_length_of_training(model: Any, module: Any, rows: Rows) -> None:
    """Let the schedule begin, and tell the module for how many rows it runs."""
    module.rows_seen.zero_()
    module.all_rows.fill_(len(rows) * model._n_epochs(rows))


def training_inputs(model: Any, module: Any, batch: Batch) -> tuple[Any, ...]:
    """What a module takes in training: the batch's inputs, and where it feeds outputs back targets.

    Of these go the true ones as they are fed, and which: those that have weight, by the probability
    of `forced_probability`.
    """
    if not getattr(module, "feeds_back", False):
        return batch.inputs
    inputs = (*batch.inputs, None, None)[:4]
    known = (batch.weight != 0).reshape(len(batch.weight), -1)
    # Held-out rows are judged as predictions are made.
    probability = forced_probability(model, module, batch) if module.training else 0.0
    if probability < 1:
        draws = uniform_noise(known, len(known), 1, dtype=torch.float32)
        known = known & (draws < probability)
    true = module.as_fed(batch.target)
    return *inputs, true, known.expand_as(true)


def _inverse_sigmoid(progress: float) -> float:
    """From nearly 1 to nearly 0, steep in the middle (Bengio et al. 2015, section 2.4)."""
    return 1 / (1 + math.exp(12 * (progress - 0.5)))


_SCHEDULES = {"linear": lambda progress: 1 - progress, "inverse_sigmoid": _inverse_sigmoid}
