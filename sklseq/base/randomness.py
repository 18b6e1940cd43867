"""Seeds of estimators."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

__all__ = ["draw_seed"]


def draw_seed(random_state: Any) -> int:
    """A seed; None takes fresh entropy and leaves numpy's global generator alone."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(2**31 - 1))
