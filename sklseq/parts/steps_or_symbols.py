"""X whose steps are features or symbols, as a network takes them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklseq.base.hints import hint_at_numeric_symbols, hint_at_prose
from sklseq.base.symbols import warn_unknown_symbols
from sklseq.data import Sequences, Vocabulary, check_finite, lowered, number_hint, tokenized
from sklseq.parts.missing_steps import (
    check_intervals,
    has_gaps,
    inputs_with_gaps,
    learn_intervals,
    n_inputs,
    n_values,
)
from sklseq.parts.scaled_steps import (
    SCALE_ATTRIBUTES,
    check_scale,
    learn_scale,
    scaled_steps,
)

__all__ = [
    "as_array_of_symbols",
    "check_steps_learned",
    "learn_scale_of_steps",
    "n_inputs_of",
    "read_steps_or_symbols",
    "scaled_values",
    "steps_as_read_by",
]


def read_steps_or_symbols(
    model: Any,
    X: Any,
    fresh: bool,
    symbolic: bool,
    tokenizer: Any = None,
    lowercase: bool = False,
    allow_nan: bool = False,
) -> Sequences:
    """X with symbols as their codes; a fresh fit learns them as ``vocabulary_``.

    Parameters
    ----------
    model : SequenceEstimator
    X : sequences
    fresh : bool
        Whether what is known of X is learned from this one.
    symbolic : bool
        Whether in a fresh fit integers are symbols too.
    tokenizer : str, callable or None, default=None
        Of strings; see `tokenized`.
    lowercase : bool, default=False
        Whether symbols are converted to lowercase.
    allow_nan : bool, default=False
        Whether features may be NaN.
    """
    known = None if fresh else getattr(model, "vocabulary_", None)
    if tokenizer is not None:
        X = tokenized(X, tokenizer, lowercase)
    elif fresh and "tokenizer" in model.get_params(deep=False):
        hint_at_prose(X)
    symbolic = symbolic if fresh else known is not None
    sequences = model._read_X(X, reset=fresh, symbolic=symbolic, allow_nan=allow_nan)
    if sequences.symbolic and lowercase:
        sequences = sequences.with_steps(lowered(sequences.steps))
    if fresh:
        model.__dict__.pop("vocabulary_", None)
        if sequences.symbolic:
            symbols = Vocabulary.of(sequences.steps).symbols
            hint_at_numeric_symbols(symbols)
            known = model.vocabulary_ = as_array_of_symbols(symbols)
    if (known is not None) != sequences.symbolic:
        was, now = ("numbers", "symbols") if sequences.symbolic else ("symbols", "numbers")
        raise ValueError(
            f"X holds {now}, but {type(model).__name__} was fitted on {was}. Integers are "
            "symbols only where embedding_size is given."
            + (number_hint(sequences.steps) if sequences.symbolic else "")
        )
    if known is None:
        return sequences
    codes = Vocabulary(known.tolist()).encode(sequences.steps)
    if not fresh:
        warn_unknown_symbols(sequences.steps, codes > 0, known, type(model).__name__)
    return sequences.with_steps(codes)


def as_array_of_symbols(symbols: list[Any]) -> NDArray[Any]:
    """Symbols in an array that gives them back as they are."""
    array = np.array(symbols)
    # A fixed width would lose what ends in zeros.
    return array if array.tolist() == symbols else np.array(symbols, dtype=object)


def learn_scale_of_steps(model: Any, data: Sequences, weights: NDArray[np.float64]) -> None:
    """Set the scale of features, and of the times between them; symbols have none."""
    for name in SCALE_ATTRIBUTES:
        model.__dict__.pop(name, None)
    if data.symbolic:
        return
    if not has_gaps(model):
        learn_scale(model, data.steps, data.lengths, weights)
        return
    values = data.steps[:, : n_values(model, data.steps)]
    learn_scale(model, values, data.lengths, weights, allow_nan=True)
    learn_intervals(model, data, weights)


def steps_as_read_by(model: Any, data: Sequences, like: Tensor) -> Sequences:
    """Symbols as they are; features centered and scaled, without gaps."""
    if data.symbolic:
        return data
    if not has_gaps(model):
        return scaled_steps(model, data, like)
    inputs = inputs_with_gaps(model, data, scaled_values(model, data))
    with np.errstate(over="ignore"):
        steps = np.asarray(inputs, dtype=str(like.dtype).removeprefix("torch."))
    return check_finite(data.with_steps(steps))


def n_inputs_of(model: Any, data: Sequences) -> int:
    """Symbols of X with the unknown one, or inputs of the network for its features."""
    return len(model.vocabulary_) + 1 if data.symbolic else n_inputs(model, data.steps.shape[1])


def scaled_values(model: Any, data: Sequences) -> NDArray[np.float64]:
    """Features centered and scaled, without times; NaN where one is missing."""
    values = data.steps[:, : n_values(model, data.steps)]
    return (values - model.feature_mean_) / model.feature_scale_


def check_steps_learned(model: Any) -> None:
    """Refuse a stored network that does not take what the model has learned of X."""
    symbolic = hasattr(model, "vocabulary_")
    n_scaled = n_columns = model._n_step_features
    if has_gaps(model):
        check_intervals(model, n_columns)
        n_scaled -= model._gaps["column"] is not None
        n_columns = n_scaled + (model._gaps["time_feature"] is not None)
    wanted = len(model.vocabulary_) + 1 if symbolic else n_inputs(model, n_columns)
    given = model._module_kwargs["n_features"]
    if given != wanted or symbolic != (model._module_kwargs["embedding_size"] is not None):
        raise ValueError(f"its network takes {given} features or symbols, expected {wanted}.")
    if not symbolic:
        check_scale(model, n_scaled)
