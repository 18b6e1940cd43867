"""What estimators of sequences share, torch or not: reading X and weights, giving results back."""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from sklseq._compat.sklearn import check_feature_names, output_container
from sklseq.base.estimator import Estimator
from sklseq.base.hints import hint_at_channels_first, hint_at_steps_as_sequences, refuse_data_as_y
from sklseq.base.parameters import choice, estimator, param
from sklseq.base.target_rows import TargetRows
from sklseq.data import (
    Sequences,
    as_array,
    as_sequences,
    check_finite,
    check_index_times,
    check_numeric,
    check_one_kind,
    is_nested_table,
    is_table,
    place_in,
    read_sequences,
    stack_steps,
)

__all__ = [
    "SequenceEstimator",
    "SequenceTransformer",
    "check_lengths",
    "check_lengths_seen",
    "holds_vectors",
    "names_of_features",
    "unpacked",
]


@estimator
class SequenceEstimator(Estimator):
    """An estimator whose X are sequences."""

    target: str = param(
        "sequence",
        "Unit of a row, which gets one target: each 'sequence', or each 'step'. With 'step' "
        "a 2-D X is one series of steps.",
        choice("sequence", "step"),
    )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    _stored: ClassVar[dict[str, Any]] = {"_fitted_layout": "str"}

    @property
    def _per_step(self) -> bool:
        return self.target == "step"

    def _read_X(
        self,
        X: Any,
        *,
        reset: bool,
        dtype: DTypeLike = np.float64,
        symbolic: bool = False,
        allow_nan: bool = False,
    ) -> Sequences:
        """Validate X and set, or compare with, what `fit` has seen.

        An error names the sequence, step and feature at fault.
        """
        X = as_sequences(X)
        sequences = self._read_data(
            X, reset=reset, dtype=dtype, symbolic=symbolic, allow_nan=allow_nan
        )
        if reset:
            hint_at_channels_first(sequences)
            if not self._per_step and is_table(X):
                hint_at_steps_as_sequences(X, self._takes_steps())
        return sequences

    def _read_data(
        self,
        X: Any,
        *,
        reset: bool,
        dtype: DTypeLike = np.float64,
        symbolic: bool = False,
        allow_nan: bool = False,
    ) -> Sequences:
        """As `_read_X`, of a container of sequences, without warnings."""
        if is_table(X) or (not symbolic and self._spells_table(X, reset)):
            sequences = self._read_table(X, reset, dtype, symbolic, allow_nan)
        else:
            sequences = read_sequences(X, dtype=dtype, symbolic=symbolic, allow_nan=allow_nan)
            self._check_features(X, sequences, reset)
        if reset:
            self._fitted_layout = sequences.layout
        return sequences

    def _spells_table(self, X: Any, reset: bool) -> bool:
        """Whether a list of lists is a table: in `fit`, or with the columns of the table fitted."""
        if not is_nested_table(X):
            return False
        if reset:
            return True
        if self._per_step:
            return len(X[0]) == self._n_step_features and self._fitted_layout == "series"
        return self.n_features_in_ == len(X[0]) > self._n_step_features

    def _check_features(self, X: Any, sequences: Sequences, reset: bool) -> None:
        n_features = 1 if sequences.symbolic else sequences.steps.shape[1]
        if reset:
            self.n_features_in_ = self._n_step_features = n_features
            self.__dict__.pop("feature_names_in_", None)
        if n_features != self._n_step_features:
            raise ValueError(
                f"X has {n_features} features, but {type(self).__name__} is expecting "
                f"{self._n_step_features} features as input."
            )
        if sequences.feature_names is not None or self.n_features_in_ == n_features > 1:
            first = X if hasattr(X, "columns") else next(iter(X))
            check_feature_names(self, first, reset=reset)

    def _read_table(
        self, X: Any, reset: bool, dtype: DTypeLike, symbolic: bool, allow_nan: bool
    ) -> Sequences:
        """A table is one series of steps, or one univariate sequence a row.

        Rows fitted as a table keep their number of columns, as scikit-learn demands; after a fit
        on univariate sequences of any length a table may have any.
        """
        symbolic = symbolic or getattr(getattr(X, "dtype", None), "kind", None) in ("U", "S", "T")
        # Whether all is finite is checked below, with the place of what is not.
        checks = {"dtype": None if symbolic else dtype, "ensure_all_finite": symbolic}
        values = X if symbolic else self._as_numbers(X, dtype)
        with np.errstate(over="ignore"):  # as infinity, what is too large is found below
            table = check_array(values, input_name="X", estimator=self, **checks)
        if reset or self._per_step or not self.n_features_in_ == self._n_step_features == 1:
            validate_data(self, X, reset=reset, skip_check_array=True)
        if self._per_step and hasattr(X, "iloc"):
            check_index_times(X.index, "X, sequence 0")
        if symbolic:
            if self._per_step and table.shape[1] != 1:
                raise ValueError(
                    "A step of a symbol sequence is one symbol, but with target='step' a 2-D X is "
                    f"one series, here with {table.shape[1]} columns: give a list of sequences."
                )
            steps = table.astype(object).ravel()
        else:
            steps = table if self._per_step else table.reshape(-1, 1)
        if reset:
            self._n_step_features = 1 if symbolic else steps.shape[1]
        if self._per_step:
            sequences = Sequences(steps, np.array([len(table)]), "series")
        else:
            sequences = Sequences(steps, np.full(len(table), table.shape[1]), "dense")
        if not reset and not symbolic and steps.shape[1] != self._n_step_features:
            raise ValueError(
                f"X is a table of {table.shape[0]} univariate sequences of {table.shape[1]} steps, "
                f"but {type(self).__name__} was fitted on steps of {self._n_step_features} "
                "features. For one sequence give X[None], or a list of it."
            )
        return check_one_kind(sequences) if symbolic else check_finite(sequences, allow_nan)

    def _as_numbers(self, X: Any, dtype: DTypeLike) -> Any:
        """A table of objects as numbers, or an error that names the place; others as they are."""
        values = as_array(X) if hasattr(X, "columns") or isinstance(X, (list, tuple)) else X
        kind = getattr(getattr(values, "dtype", None), "kind", "")
        if kind not in ("O", "m", "M") or getattr(values, "ndim", 0) != 2 or not values.size:
            return X
        columns = list(X.columns) if hasattr(X, "columns") else None
        if self._per_step:
            place = place_in("X", lambda row: (0, row), columns)
        else:

            def place(row: int, step: int) -> str:
                column = "" if columns is None else f" (column {columns[step]!r})"
                return f"X, sequence {row}, step {step}{column}"

        return check_numeric(np.asarray(values), dtype, place)

    def _takes_steps(self) -> bool:
        """Whether there is target='step'."""
        target = next(field for field in fields(self) if field.name == "target")
        return any("step" in options.options for options in target.metadata["allowed"])

    def _refuse_data_as_y(self, y: Any) -> None:
        """Where y is not used: refuse a second argument that holds data."""
        name = type(self).__name__
        refuse_data_as_y(y, self._per_step, name, "give X alone, and targets to what comes after.")

    def _target_rows(self, data: Sequences) -> TargetRows:
        """What targets and weights belong to."""
        return TargetRows(
            "sequence",
            "step",
            data.lengths,
            self._per_step,
            lambda values, name: stack_steps(values, data, name),
        )

    def _restore(self, X: Sequences, values: NDArray[Any]) -> NDArray[Any]:
        """Values of rows in the container of the input, where a row is a step."""
        return X.restore(values) if self._per_step else values

    def _as_output(self, X: Any, sequences: Sequences, values: NDArray[Any]) -> Any:
        """Features in the container of X, under any `set_output`."""
        if self._per_step:
            return sequences.restore(values)
        if sequences.layout == "frame" and output_container(self) == "pandas":
            # scikit-learn would name the rows, which are sequences, by the steps of X.
            return type(X)(values, index=X.index.unique(level=0))
        return values


class SequenceTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SequenceEstimator):
    """An estimator that gives features of sequences or of their steps."""

    # Features per step have no columns that a DataFrame could name: without names scikit-learn
    # leaves them as they are, also under `set_config(transform_output="pandas")`.
    @available_if(lambda self: not self._per_step)
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the output features; absent with ``target="step"``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of a table; of other X, whose columns are not its features, they
            are not used.

        Returns
        -------
        ndarray of str
        """
        return names_of_features(self, input_features)


def names_of_features(model: Any, input_features: Any) -> NDArray[Any]:
    """Names of the features that a transformer of sequences gives.

    Names of columns belong to a table: a column of sequences has one, whatever their features are.
    """
    check_is_fitted(model)
    is_table = model.n_features_in_ != model._n_step_features
    return ClassNamePrefixFeaturesOutMixin.get_feature_names_out(
        model, input_features if is_table else None
    )


def holds_vectors(X: Any) -> bool:
    """Whether a sequence in X is a vector of numbers rather than a table of features."""
    X = as_sequences(X)
    return is_table(X) or (not hasattr(X, "columns") and np.ndim(next(iter(X))) == 1)


def unpacked(X: Sequences, steps: NDArray[Any], flat: bool) -> NDArray[Any]:
    """Steps in the container of X; as vectors, if `flat`."""
    return X.restore(steps[:, 0] if flat else steps)


def check_lengths(lengths: Any, n: int) -> NDArray[np.int64]:
    """The lengths that a user asks for, if they are `n` whole numbers of at least 1."""
    counts = np.asarray(lengths)
    if counts.shape != (n,) or counts.dtype.kind not in "iu" or counts.min() < 1:
        raise ValueError(f"lengths must be {n} whole numbers of at least 1.")
    return counts.astype(np.int64)


def check_lengths_seen(lengths: tuple[int, ...]) -> None:
    """Refuse lengths of the shortest and longest training sequence that are none.

    Raises
    ------
    ValueError
        If they are not two whole numbers from 1, in order.
    """
    if len(lengths) != 2 or not 1 <= lengths[0] <= lengths[1]:
        raise ValueError(f"its sequences have lengths {lengths}.")
