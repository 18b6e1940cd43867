"""Whether training ended too early, as far as its losses tell."""

from collections.abc import Sequence

import numpy as np

__all__ = ["late_share", "still_falling"]

# Of fewer epochs nobody can tell; what the others tell is measured in benchmarks/convergence.py.
_FEWEST, _SHARE, _NOISE = 10, 1 / 3, 3.0


def late_share(losses: Sequence[float], learning_rates: Sequence[float]) -> float:
    """Share of the decrease of a loss that came in the second half of training.

    Halves have equal sums of learning rates: where the rate falls to zero, the last epochs are
    flat, however far training has come. A decrease of no more than three times what the loss
    changes from epoch to epoch counts as none.

    Parameters
    ----------
    losses, learning_rates : sequence of float
        Of each epoch.

    Returns
    -------
    float
        At least 0; one that falls evenly in proportion to the rate has 0.5.
    """
    curve, way = np.asarray(losses), np.cumsum(learning_rates)
    width, half = max(len(curve) // 10, 1), 1 + int(np.searchsorted(way, way[-1] / 2))
    middle, end = curve[max(half - width, 0) : half].mean(), curve[-width:].mean()
    fall = middle - end
    noise = np.median(np.abs(np.diff(curve))) if len(curve) > 1 else 0.0
    return float(fall / np.ptp(curve)) if fall > _NOISE * noise else 0.0


def still_falling(losses: Sequence[float], learning_rates: Sequence[float]) -> float:
    """As `late_share`; 0 where it is not large, or epochs are too few to tell."""
    if len(losses) < _FEWEST:
        return 0.0
    share = late_share(losses, learning_rates)
    return share if share > _SHARE else 0.0
