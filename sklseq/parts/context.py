"""Context of sequences: what is known of each as a whole, beside its steps."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklseq.base import attribute, choice, estimator, param
from sklseq.base.index import check_index
from sklseq.base.tables import check_finite_rows, dense_table, refuse_times
from sklseq.base.targets import weighted_scale
from sklseq.data import Sequences, as_array, as_container, check_numeric
from sklseq.nn.recurrent.first_states import CONTEXTS

__all__ = [
    "CONTEXT_ATTRIBUTES",
    "CONTEXT_STORED",
    "ContextParameters",
    "check_context_learned",
    "context_settings",
    "learn_context_scale",
    "read_known",
    "scaled_context",
    "with_context",
]


@estimator
class ContextParameters:
    """Declarations of estimators that take context."""

    context_as: str = param(
        "steps",
        "How the `context` that `fit` is given reaches the recurrent layers: as further inputs of "
        "all 'steps'; by a learned map as the first 'state' of each layer, and direction; or "
        "'both'.",
        choice(*CONTEXTS),
    )


CONTEXT_ATTRIBUTES = {
    "context_mean_": attribute(
        "ndarray of shape (n_context_features,)",
        "Mean of each feature of the context over the sequences of `fit`; the network reads "
        "context centered by it and scaled to unit variance. Absent without context.",
    ),
    "context_scale_": attribute(
        "ndarray of shape (n_context_features,)",
        "Standard deviation of each feature of the context; 1 where it is constant.",
    ),
    "context_names_in_": attribute(
        "ndarray of shape (n_context_features,)",
        "Column names of the context, where it was a DataFrame.",
    ),
}
CONTEXT_STORED = {
    "context_mean_": "absent or ndarray of shape (n_context,)",
    "context_scale_": "absent or ndarray of shape (n_context,)",
    "context_names_in_": "absent or ndarray of labels of shape (n_context,)",
}


def with_context(model: Any, data: Sequences, context: Any, X: Any, fresh: bool) -> Sequences:
    """Sequences with the context that a user gives beside them; a fresh fit learns its names.

    Parameters
    ----------
    model : SequenceEstimator
        After a first fit with context it has learned the scale of it.
    data : Sequences
        As read from X.
    context : array-like of shape (n_sequences, n_context_features) or None
        Of a single series also of shape (n_context_features,).
    X : sequences
        As the user gave them, whose index that of the context is compared with.
    fresh : bool

    Raises
    ------
    TypeError, ValueError
        If it is no table of numbers with a row for each sequence, naming row and column at fault,
        or not what the model was fitted with.
    """
    if fresh:
        for name in CONTEXT_ATTRIBUTES:
            model.__dict__.pop(name, None)
    mean = getattr(model, "context_mean_", None)
    name = type(model).__name__
    if context is None:
        if mean is not None:
            raise ValueError(
                f"context is missing, but {name} was fitted with {len(mean)} features of each "
                f"sequence: give context=, of shape ({len(data)}, {len(mean)})."
            )
        return data
    if mean is None and not fresh:
        raise ValueError(
            f"context is given, but {name} was fitted without: leave it out, or fit with it."
        )
    check_index(X, context=context)
    values, names = _read_table(context, data)
    if mean is not None and values.shape[1] != len(mean):
        raise ValueError(
            f"context has {values.shape[1]} features, but {name} is expecting {len(mean)}."
        )
    fitted = getattr(model, "context_names_in_", None)
    if fresh and names is not None:
        model.context_names_in_ = np.array(names, dtype=object)
    elif fitted is not None and names is not None and names != fitted.tolist():
        raise ValueError(
            "The feature names of context should match those that were passed during fit: they "
            f"are {names}, in fit they were {fitted.tolist()}. Take context[{fitted.tolist()}]."
        )
    return replace(data, context=values)


def learn_context_scale(model: Any, data: Sequences, weights: NDArray[np.float64]) -> None:
    """Set mean and deviation of the context, if there is any.

    `weights` are those of the sequences or, of their targets, those of the steps.
    """
    if data.context is None:
        return
    if len(weights) != len(data):
        weights = np.add.reduceat(weights, data.starts) / data.lengths
    scale = weighted_scale(data.context, weights[:, None])
    model.context_mean_, model.context_scale_ = scale


def read_known(model: Any, X: Any, context: Any) -> Any:
    """X of a fitted estimator, with what is known of each sequence as a whole."""
    return model._with_context(model._read_fitted(X), context, X, False)


def scaled_context(model: Any, data: Sequences, like: Tensor) -> NDArray[Any] | None:
    """Context as the network reads it, in the type of `like`; None without.

    Raises
    ------
    ValueError
        Where it is too large for that type.
    """
    if data.context is None:
        return None
    with np.errstate(over="ignore"):
        values = (data.context - model.context_mean_) / model.context_scale_
        values = values.astype(str(like.dtype).removeprefix("torch."))
    return check_finite_rows(values, "context", columns=getattr(model, "context_names_in_", None))


def context_settings(model: Any, data: Sequences) -> dict[str, Any]:
    """What a network is made with beside the rest, for data with context."""
    if data.context is None:
        return {}
    return {"n_context": data.context.shape[1], "context_as": model.context_as}


def check_context_learned(model: Any) -> None:
    """Refuse a stored network that does not take the context that the model has learned."""
    mean = getattr(model, "context_mean_", ())
    scale = getattr(model, "context_scale_", ())
    taken = model._module_kwargs.get("n_context", 0)
    if not taken == len(mean) == len(scale) or not np.all(np.asarray(scale) > 0):
        raise ValueError(f"its network takes {taken} features of context, which its scale has not.")


def _read_table(context: Any, data: Sequences) -> tuple[NDArray[np.float64], list[str] | None]:
    """A row of numbers for each sequence, and the names of the columns, where they are strings."""
    table = dense_table(as_container(context))
    refuse_times(table, "context")
    columns = list(table.columns) if hasattr(table, "columns") else None
    if columns is not None and len(set(columns)) < len(columns):
        twice = next(c for c in columns if columns.count(c) > 1)
        raise ValueError(f"context, column {twice!r} occurs twice: give each column its own name.")
    try:
        values = as_array(table)
    except ValueError as error:
        raise ValueError(f"context is no table, with as many values in each row: {error}") from None
    if values.ndim == 1 and data.layout == "series":
        values = values[None]
    if values.ndim != 2:
        column = " One feature of each is a column: context.reshape(-1, 1)."
        raise ValueError(
            f"context has shape {values.shape}, expected ({len(data)}, n_features): one row for "
            f"each sequence.{column if values.ndim == 1 else ''}"
        )
    if len(values) != len(data):
        raise ValueError(
            f"context has {len(values)} rows for {len(data)} sequences: one row for each."
        )
    if not values.shape[1]:
        raise ValueError("context has no columns: leave it out.")

    def place(row: int, column: int) -> str:
        name = "" if columns is None else f" ({columns[column]!r})"
        return f"context, row {row}, feature {column}{name}"

    if values.dtype.kind in "OUST":
        for (row, column), value in np.ndenumerate(values):
            if isinstance(value, (str, bytes)):
                raise ValueError(
                    f"{place(row, column)} is {value!r:.80}, which is no number: encode it first, "
                    "for example with OneHotEncoder."
                )
    values = check_numeric(values, np.float64, place)
    check_finite_rows(values, "context", columns=columns)
    are_names = columns is not None and all(isinstance(c, str) for c in columns)
    return values, columns if are_names else None
