"""What differs between versions of pandas, imported only where a user holds its objects."""

from typing import Any

__all__ = ["inferred_frequency"]


def inferred_frequency(index: Any) -> str | None:
    """The frequency that the times of an index, at least three, have; None if they have none."""
    import pandas as pd

    try:
        # Later versions give an offset; those between warn of it unless they are asked for it.
        with pd.option_context("future.infer_freq_returns_offset", True):
            found = pd.infer_freq(index)
    except pd.errors.OptionError:
        found = pd.infer_freq(index)
    return None if found is None else str(getattr(found, "freqstr", found))
