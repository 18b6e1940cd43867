"""Predictions that go on where the training series ended: the parameter, and what it asks for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base import estimator, param

__all__ = ["CarryParameters", "check_carried", "series_gone_on_from"]


@estimator
class CarryParameters:
    """Declarations of estimators whose predictions may go on from the training series."""

    carry_state: bool = param(
        False,
        "With target='step', whether predictions go on from the states at the end of the series of "
        "the last `fit` or `partial_fit`, for a slice that follows them in time, as "
        "`TimeSeriesSplit` gives: of one training series, or of as many as are predicted, in their "
        "order. False begins each series without a past.",
        "boolean",
    )


def check_carried(model: Any) -> None:
    """Refuse `carry_state` where there is no end to go on from.

    Raises ValueError, which names the way out.
    """
    if not model._per_step:
        raise ValueError(
            "carry_state=True goes on with the steps of a series, but with target='sequence' each "
            "sequence is read as a whole: set target='step', or carry_state=False."
        )
    if model.bidirectional:
        raise ValueError(
            "carry_state=True goes on from the end of a series, but bidirectional=True reads "
            "series from their end, too: set bidirectional=False, or carry_state=False."
        )


def series_gone_on_from(model: Any, n_known: int | None, n_series: int) -> NDArray[np.int64]:
    """Numbers of the training series that these series go on from.

    Parameters
    ----------
    model : estimator
    n_known : int or None
        Training series whose end is known; None if there is none.
    n_series : int
        Series to predict.

    Raises
    ------
    ValueError
        If it is not clear from which.
    """
    if n_known is None:
        raise ValueError(
            f"carry_state=True, but this {type(model).__name__} was fitted without it, so that the "
            "states at the end of the training series are not known: fit again, or set "
            "carry_state=False."
        )
    if n_known not in (1, n_series):
        raise ValueError(
            f"carry_state=True goes on from the {n_known} training series, but X holds {n_series}: "
            "give as many, in the same order, or set carry_state=False."
        )
    return np.zeros(n_series, dtype=np.int64) if n_known == 1 else np.arange(n_series)
