"""Warnings where features lie far from the scale that a model was made for."""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["warn_of_offsets", "warn_of_scales"]

# A feature of zero mean and unit variance is far from all of these.
_OFFSET, _LARGE, _SMALL, _UNEQUAL = 10.0, 1e2, 1e-3, 1e3


def warn_of_offsets(steps: NDArray[np.floating], input_scaling: ArrayLike, estimator: str) -> None:
    """Warn where inputs saturate the tanh units of a reservoir, or vanish beside its states.

    `steps` are ``(n_rows, n_features)``, `input_scaling` one factor or one for each feature.
    """
    (mean, deviation), factor = _moments(steps), np.asarray(input_scaling, dtype=np.float64)
    offset, size = np.abs(mean) * factor, np.hypot(mean, deviation) * factor
    far = (offset > _OFFSET) & (np.abs(mean) > 5 * deviation)
    wrong = np.flatnonzero(far | (size > _LARGE))
    if len(wrong):
        what = "which saturates the units of the reservoir"
    elif 0 < size.max(initial=0) < _SMALL:
        wrong, what = np.flatnonzero(size), "which hardly moves the units of the reservoir"
    else:
        return
    _warn(
        wrong[0],
        mean,
        deviation,
        f"{what}: standardize it first, for example by PerStep(StandardScaler()) in front of "
        f"{estimator} in a Pipeline, or set input_scaling",
    )


def warn_of_scales(rows: NDArray[np.floating], estimator: str) -> None:
    """Warn where features of a table ``(n_rows, n_features)`` have offsets or unequal scales."""
    mean, deviation = _moments(rows)
    varying = deviation > 1e-12 * np.abs(mean)
    if not varying.any():
        return
    typical = np.median(deviation[varying])
    wrong = varying & (np.abs(mean) > _LARGE * deviation)
    wrong |= varying & (deviation > _UNEQUAL * typical)
    if not wrong.any() and 1 / _UNEQUAL < typical < _UNEQUAL:
        return
    worst = np.flatnonzero(wrong if wrong.any() else varying)[0]
    _warn(
        worst,
        mean,
        deviation,
        f"far from those of other features or from 0 and 1, so that {estimator} learns it alone, "
        "or hardly at all: standardize first, for example by StandardScaler() in a Pipeline",
    )


def _moments(rows: NDArray[np.floating]) -> tuple[NDArray, NDArray]:
    mean = rows.mean(axis=0, dtype=np.float64)
    return mean, np.sqrt(np.mean((rows - mean) ** 2, axis=0, dtype=np.float64))


def _warn(feature: int, mean: NDArray, deviation: NDArray, advice: str) -> None:
    warnings.warn(
        f"X, feature {feature} has mean {mean[feature]:.3g} and standard deviation "
        f"{deviation[feature]:.3g}, {advice}.",
        stacklevel=2,
    )
