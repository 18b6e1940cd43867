"""Seeds of estimators, and generators that samples are drawn with."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, check_scalar

__all__ = ["draw_seed", "sampling_generator"]


def draw_seed(random_state: Any) -> int:
    """A seed; None takes fresh entropy and leaves numpy's global generator alone."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(2**31 - 1))


def sampling_generator(model: Any, n_samples: Any, random_state: Any) -> np.random.Generator:
    """What `n_samples` samples of a model are drawn with.

    Raises NotFittedError, TypeError or ValueError if the model is not fitted, or `n_samples` is not
    a whole number of at least 1.
    """
    check_is_fitted(model)
    if isinstance(n_samples, bool):  # an int, for Python
        raise TypeError(f"n_samples must be an int, got {n_samples}.")
    check_scalar(n_samples, "n_samples", (int, np.integer), min_val=1)
    return np.random.default_rng(draw_seed(random_state))
