"""What early stopping goes by: data that the user gives, or whole groups of the training data."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base.index import check_index
from sklseq.base.target_rows import TargetRows, read_weights
from sklseq.data import as_labels, missing
from sklseq.training.hold_out import hold_out
from sklseq.training.rows.batch import Rows, Targets

__all__ = ["Validation"]

# A name of what is read, but not within quotes or scikit-learn's lists, where it is in the data.
_NAME = re.compile(r"(?<![\w'\"])(?<!\n- )(X|y|sample_weight|context)(?![\w'\"])")


@dataclass(frozen=True)
class Validation:
    """What a user says in `fit` of the rows that early stopping goes by.

    Parameters
    ----------
    X, y, sample_weight : object, default=None
        Validation data, as the user gave them.
    groups : array-like or None, default=None
        Group of each row of the training data.
    context : object, default=None
        What is known of each row of the validation data as a whole, as the user gave it.
    """

    X: Any = None
    y: Any = None
    sample_weight: Any = None
    groups: Any = None
    context: Any = None

    def check(self, model: Any) -> None:
        """Refuse what does not go together, before anything is read."""
        given = {
            "X_val": self.X,
            "y_val": self.y,
            "sample_weight_val": self.sample_weight,
            "context_val": self.context,
            "groups": self.groups,
        }
        names = [name for name, value in given.items() if value is not None]
        if not names:
            return
        if not model.early_stopping:
            raise ValueError(
                f"{names[0]} is given, but early_stopping=False does not use it: set "
                f"early_stopping=True, or leave {names[0]} out."
            )
        if "X_val" in names and "groups" in names:
            raise ValueError(
                "X_val and groups are given, but with X_val no group is held out: leave one out."
            )
        if "X_val" not in names and names[0] != "groups":
            raise ValueError(f"{names[0]} is given without X_val, to which it belongs.")
        if "X_val" in names and self.y is None and model.__sklearn_tags__().target_tags.required:
            raise ValueError("X_val is given without y_val, its targets.")

    def separate(
        self, model: Any, X: Any, rows: Rows, targets: Targets, target_rows: TargetRows
    ) -> tuple[Rows, Rows]:
        """Rows to train on, and rows to stop training by.

        Parameters
        ----------
        model : NeuralEstimator
            Under training: it has learned what X looks like, and has the settings of its network.
        X : object
            The training data as the user gave them.
        rows : Rows
            Those that were made of them.
        targets : Targets
        target_rows : TargetRows
        """
        if self.X is not None:
            return rows, self._read(model, rows, targets)
        groups = None
        if self.groups is not None:
            check_index(X, model._per_step, groups=self.groups)
            groups = _read_groups(self.groups, target_rows)
        return hold_out(
            rows,
            targets,
            model.validation_fraction,
            model._seed,
            groups=groups,
            estimator=type(model).__name__,
            unit=target_rows.whole,
        )

    def _read(self, model: Any, training: Rows, targets: Targets) -> Rows:
        """The rows given, read as they would be to predict."""
        with _named("X_val"):
            check_index(self.X, model._per_step, y=self.y, sample_weight=self.sample_weight)
            data = model._with_context(
                model._read(self.X, fresh=False), self.context, self.X, False
            )
            target_rows = model._target_rows(data)
        with _named("sample_weight_val"):
            weights = read_weights(self.sample_weight, target_rows)
        with _named("X_val" if self.y is None else "y_val"):
            own = model._read_targets(self.y, data, weights, False, training=targets)
        with _named("X_val"):
            rows = model._rows(data, training.like, own)
        if not len(counted := np.flatnonzero(rows.has_target(own))):
            raise ValueError(f"X_val has no {target_rows.whole} with a target and weight.")
        return rows.subset(counted)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Messages of what is read within go by the names of `fit`: X_val, y_val, sample_weight_val.

    One that has no name is put under this one.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        message, n_named = _NAME.subn(r"\1_val", str(error))
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(message if n_named else f"{name}: {message}") from error


def _read_groups(groups: Any, rows: TargetRows) -> NDArray[np.int64]:
    """Number of the group of each whole row; groups of parts must be the same throughout a row."""
    in_wholes = rows.per_part and np.iterable(groups) and all(map(_holds_parts, groups))
    labels = rows.stacked(groups, "groups") if in_wholes else as_labels(groups)
    per_part = rows.per_part and len(labels) == len(rows) != len(rows.sizes)
    if labels.ndim != 1 or not (per_part or len(labels) == len(rows.sizes)):
        raise ValueError(
            f"groups has shape {labels.shape}, but there are {len(rows.sizes)} {rows.whole}s: give "
            "the group of each."
        )
    if missing(labels).any():
        raise ValueError(
            f"groups is missing at {int(np.argmax(missing(labels)))}: give each "
            f"{rows.whole} a group."
        )
    numbers: dict[Any, int] = {}
    codes = np.array([numbers.setdefault(label, len(numbers)) for label in labels.tolist()])
    if not per_part:
        return codes
    starts = np.cumsum(rows.sizes) - rows.sizes
    if len(wrong := np.flatnonzero(codes != np.repeat(codes[starts], rows.sizes))):
        raise ValueError(
            f"groups changes at {rows.place(int(wrong[0]))}, but a {rows.whole} is held out as a "
            "whole: give it one group."
        )
    return codes[starts]


def _holds_parts(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))
