"""The training step of models whose parts have losses of their own, against each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sklseq.training.rows.batch import Batch

__all__ = ["Phase", "adversarial_step", "phase_options"]


@dataclass
class Phase:
    """One part of a training step.

    Parameters
    ----------
    part : str
        Name of the submodule that learns.
    objective : callable
        ``(module, batch)`` to the part's loss.
    repeats : int, default=1
        Updates of this part in a step.
    options : dict
        Of the optimizer for this part, such as ``lr``.
    """

    part: str
    objective: Callable[[nn.Module, Batch], Tensor]
    repeats: int = 1
    options: dict[str, Any] = field(default_factory=dict)


def phase_options(solver: str) -> dict[str, Any]:
    """What the optimizer takes where parts learn against each other; LBFGS is refused."""
    if solver == "lbfgs":
        raise ValueError(
            "solver='lbfgs' minimizes one loss, but adversaries have one each: take 'adam'."
        )
    # Half the usual momentum: the other side moves, and old gradients mislead.
    return {"betas": (0.5, 0.99)} if "adam" in solver else {}


def adversarial_step(
    module: nn.Module,
    phases: Sequence[Phase],
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    on_gradients: Callable[[list[nn.Parameter]], None],
    waits: bool = True,
) -> Tensor:
    """Update each part in turn by its own loss; the other parts stay as they are.

    `on_gradients` is called with the parameters of a part once they have gradients, and clips them,
    for one. The step `waits` for each loss and ends at one that is not finite; or it goes on, and
    the loss is looked at later. Once all parts are updated, the method ``after_step`` of the module
    is called, if it has one.

    Returns
    -------
    Tensor
        Loss of the first part; not finite if that of any part is not.
    """
    losses = []
    for phase in phases:
        parameters = [p for p in module.get_submodule(phase.part).parameters() if p.requires_grad]
        for _ in range(phase.repeats):
            optimizer.zero_grad()
            loss = phase.objective(module, batch)
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            on_gradients(parameters)
            losses.append(loss.detach())
            if waits and not losses[-1].isfinite():
                return losses[-1]
            optimizer.step()
    if after_step := getattr(module, "after_step", None):
        after_step()
    if waits:
        return losses[0]
    return losses[0].masked_fill(~torch.stack(losses).isfinite().all(), torch.nan)
