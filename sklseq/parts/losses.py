"""What regressors by a network minimize, and what their outputs then are in the units of y."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base import choice, estimator, param, real
from sklseq.base.target_rows import TargetRows
from sklseq.base.targets import weighted_scale
from sklseq.nn.layers.losses import REGRESSION_LOSSES, Loss, QuantileLoss, make_loss

__all__ = [
    "LOSS_STORED",
    "LossParameters",
    "check_counts",
    "check_loss",
    "check_loss_learned",
    "fitted_loss",
    "learn_loss",
    "nearest_to_median",
    "refuse_std",
    "target_unit",
]

Array = NDArray[Any]

# Standard deviations between the first and the last tenth of a normal distribution.
_TENTHS_APART = 2.5631


@estimator
class LossParameters:
    """Declarations of estimators that predict real values."""

    loss: str = param(
        "squared_error",
        "What is minimized, in units of the scale of y: 'squared_error'; 'absolute_error', of "
        "which predictions are medians; 'huber', which is squared up to one such unit and "
        "absolute beyond; 'poisson' for counts, whose mean is the exponential of the output; "
        "'quantile', at the levels of `quantile`; or the negative log-likelihood of a 'gaussian' "
        "or a 'student_t' distribution, of which the network puts out all parameters, so that "
        "``predict(X, return_std=True)`` tells the noise of each prediction.",
        choice(*REGRESSION_LOSSES, "quantile"),
    )
    quantile: Any = param(
        None,
        "Level of ``loss='quantile'``, between 0 and 1; or several as a tuple, for which "
        "predictions have a last axis, and `score` takes the level nearest to 0.5. None is 0.5.",
        real(0, 1, "neither"),
        tuple,
        list,
        None,
    )


LOSS_STORED = {
    "_fitted_loss": "absent or str",
    "_fitted_quantile": "absent or None or float or tuple of float",
}


def check_loss(model: Any) -> None:
    """Refuse levels that are none, or that the loss does not use."""
    name, levels = model.loss, model.quantile
    if levels is None:
        return
    if name != "quantile":
        raise ValueError(
            f"quantile={levels!r} is for loss='quantile', but loss={name!r}: leave it at None, or "
            "set the loss."
        )
    several = list(levels) if isinstance(levels, (tuple, list)) else [levels]
    wrong = [v for v in several if isinstance(v, (str, bool)) or not 0 < v < 1]
    if wrong or not several or len(set(several)) < len(several):
        raise ValueError(
            f"quantile={levels!r} must be a level between 0 and 1, or several different ones."
        )


def learn_loss(model: Any) -> None:
    """Note, in a fresh fit, what the network's outputs are for."""
    check_loss(model)
    levels = model.quantile
    model._fitted_loss = model.loss
    model._fitted_quantile = tuple(map(float, levels)) if np.iterable(levels) else levels


def fitted_loss(model: Any) -> Loss:
    """The loss by which the network was trained, whatever the parameters say since."""
    found = vars(model)
    return make_loss(found.get("_fitted_loss", "squared_error"), found.get("_fitted_quantile"))


def check_loss_learned(model: Any) -> None:
    """Refuse a stored loss that is none."""
    name, levels = vars(model).get("_fitted_loss"), vars(model).get("_fitted_quantile")
    if name is not None and name != "quantile" and name not in REGRESSION_LOSSES:
        raise ValueError(f"its loss is {name!r}.")
    if levels is not None and not all(0 < v < 1 for v in np.atleast_1d(levels)):
        raise ValueError(f"its quantile is {levels!r}.")


def target_unit(
    loss: Loss, values: Array, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Center and scale of each column ``(n_rows, n_columns)``, in which the loss counts."""
    if loss.unit == "spread":
        return _median_and_spread(values, weights)
    if loss.unit == "deviation":
        return weighted_scale(values, weights)
    total = np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    mean = (weights * values).sum(axis=0) / total
    return np.zeros_like(mean), np.where(mean > 0, mean, 1.0)


def _median_and_spread(
    values: Array, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median, and the distance of the first tenth from the last; of a normal one its deviation.

    It is the deviation itself where four fifths of the values are one.
    """
    _, deviation = weighted_scale(values, weights)
    levels = np.array([0.1, 0.5, 0.9])
    found = np.zeros((3, values.shape[1]))
    for column in range(values.shape[1]):
        order = np.argsort(values[:, column], kind="stable")
        order = order[weights[order, column] > 0]
        if not len(order):
            continue
        below = np.cumsum(weights[order, column])
        at = np.searchsorted(below, levels * below[-1])
        found[:, column] = values[order[np.minimum(at, len(order) - 1)], column]
    spread = (found[2] - found[0]) / _TENTHS_APART
    return found[1], np.where(spread > 0, spread, deviation)


def check_counts(loss: Loss, values: Array, weights: Array, rows: TargetRows) -> None:
    """Refuse what no rate gives, naming the place."""
    if loss.unit == "mean" and len(below := np.argwhere((values < 0) & (weights != 0))):
        row, output = below[0]
        raise ValueError(
            f"y is {values[row, output]:.6g} at {rows.place(int(row))}, but loss='poisson' is of "
            "counts, which are not negative: take another loss, or leave it out."
        )


def refuse_std(loss: Loss, fitted: str) -> None:
    """Refuse to tell the noise where the network does not know it."""
    if not loss.has_std:
        raise ValueError(
            f"return_std=True needs a distribution, but the network was fitted with loss="
            f"{fitted!r}: set loss='gaussian' or 'student_t', and fit again."
        )


def nearest_to_median(loss: Loss, predicted: Array) -> Array:
    """Of predictions of several levels those that are scored."""
    if not (isinstance(loss, QuantileLoss) and loss.several):
        return predicted
    return predicted[..., int(np.argmin(np.abs(np.array(loss.levels) - 0.5)))]
