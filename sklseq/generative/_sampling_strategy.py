"""How many rows of each class an oversampler is to draw."""

import warnings
from typing import Any

__all__ = ["STRATEGIES", "rows_to_draw"]

STRATEGIES = ("auto", "all", "not majority", "not minority", "minority")

# Of fewer rows, samples add little information.
_FEW = 10


def rows_to_draw(strategy: Any, counts: dict[Any, int]) -> dict[Any, int]:
    """Rows to draw of each class that is resampled, as imbalanced-learn's ``sampling_strategy_``.

    Parameters
    ----------
    strategy : str, float, dict or callable
        See `GenerativeOverSampler`; a callable was called.
    counts : dict
        Rows that each class has.

    Raises
    ------
    ValueError
        If it suits these classes not, asks for fewer rows than there are, or for more of one row.

    Warns
    -----
    UserWarning
        If rows are to be drawn of a class of fewer than ten.
    """
    drawn = {c: n - counts[c] for c, n in _sizes(strategy, counts).items()}
    for c, n in drawn.items():
        if n < 0:
            raise ValueError(
                f"sampling_strategy={strategy!r} asks for {counts[c] + n} rows of class {c!r}, "
                f"which has {counts[c]}: undersampling is not supported."
            )
        if n and counts[c] == 1:
            raise ValueError(
                f"Class {c!r} has one row, of which no distribution can be learned: leave the "
                "class out of sampling_strategy, a dict."
            )
        if n and counts[c] < _FEW:
            warnings.warn(
                f"Class {c!r} has {counts[c]} rows: samples add little information to so few.",
                UserWarning,
                stacklevel=4,
            )
    return drawn


def _sizes(strategy: Any, counts: dict[Any, int]) -> dict[Any, int]:
    """How many rows the classes that are resampled are to have."""
    most = max(counts.values())
    if isinstance(strategy, dict):
        if unknown := [c for c in strategy if c not in counts]:
            raise ValueError(
                f"sampling_strategy names {unknown[0]!r}, which is none of the classes of y: "
                f"{list(counts)}."
            )
        return strategy
    rarest = min(counts, key=lambda c: counts[c])
    if isinstance(strategy, str):
        usual = max(counts, key=lambda c: counts[c])
        left_out = {"all": (), "not minority": (rarest,), "minority": set(counts) - {rarest}}
        return {c: most for c in counts if c not in left_out.get(strategy, (usual,))}
    if len(counts) > 2:
        raise ValueError(
            f"sampling_strategy={strategy!r} is for two classes, but y has {len(counts)}: name "
            "the rows that each is to have in a dict."
        )
    return {rarest: int(strategy * most)}
