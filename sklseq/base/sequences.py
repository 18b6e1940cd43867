"""What estimators of sequences share, torch or not: reading X and weights, giving results back."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from sklseq._compat.sklearn import check_feature_names, check_sample_weight, output_container
from sklseq.base import Estimator, choice, estimator, param
from sklseq.data import (
    Sequences,
    as_container,
    check_finite,
    check_symbols,
    is_nested_table,
    is_table,
    read_sequences,
    stack_steps,
)

__all__ = [
    "SequenceEstimator",
    "SequenceTransformerMixin",
    "check_lengths",
    "holds_vectors",
    "unpacked",
]


@estimator
class SequenceEstimator(Estimator):
    """An estimator whose X are sequences."""

    target: str = param(
        "sequence",
        "What gets one target, and so what a row is: each 'sequence', or each 'step'. With 'step' "
        "a 2-D X is one series of steps.",
        choice("sequence", "step"),
    )

    # What messages call a row, and its parts that may have targets.
    _row_words = ("sequence", "step")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

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

        Raises
        ------
        ValueError
            Naming the sequence, step and feature at fault.
        """
        X = as_container(X)
        if is_table(X) or (not self._per_step and not symbolic and self._spells_table(X, reset)):
            return self._read_table(X, reset, dtype, symbolic, allow_nan)
        sequences = read_sequences(X, dtype=dtype, symbolic=symbolic, allow_nan=allow_nan)
        self._check_features(X, sequences, reset)
        return sequences

    def _spells_table(self, X: Any, reset: bool) -> bool:
        """Whether a list of lists is a table: in `fit`, or with the columns of the table fitted."""
        if not is_nested_table(X):
            return False
        return reset or self.n_features_in_ == len(X[0]) > self._n_step_features

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
            check_feature_names(self, X, reset=reset)

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
        if not reset and not self._per_step and self.n_features_in_ == self._n_step_features == 1:
            table = check_array(X, input_name="X", estimator=self, **checks)
        else:
            table = validate_data(self, X, reset=reset, **checks)
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
        return check_symbols(sequences) if symbolic else check_finite(sequences, allow_nan)

    def _read_weights(self, sample_weight: Any, X: Sequences) -> NDArray[np.float64]:
        """Weight of each target row: of each sequence, or of each step.

        Per step, weights of sequences hold for all their steps.
        """
        n_rows = len(X.steps) if self._per_step else len(X)
        if sample_weight is None or np.isscalar(sample_weight):
            return check_sample_weight(sample_weight, np.empty(n_rows), dtype=np.float64)
        nested = hasattr(sample_weight, "__len__") and any(np.ndim(w) for w in sample_weight)
        if nested and not self._per_step:
            raise ValueError(
                f"sample_weight must be one number for each of the {len(X)} sequences; weights of "
                "steps go with target='step'."
            )
        if self._per_step:
            if len(X) > 1 and _one_each(sample_weight, X):
                sample_weight = np.repeat(np.asarray(sample_weight), X.lengths)
            else:
                sample_weight = stack_steps(sample_weight, X, "sample_weight")
        return check_sample_weight(
            sample_weight, np.empty(n_rows), dtype=np.float64, ensure_non_negative=True
        )

    def _score_weights(self, sample_weight: Any, X: Sequences) -> NDArray[np.float64]:
        """Weight of each target row in `score`."""
        return self._read_weights(sample_weight, X)

    def _check_index(self, X: Any, **beside: Any) -> None:
        """What stands beside a DataFrame and has an index must have that of the rows."""
        if not hasattr(X, "iloc") or (not self._per_step and X.index.nlevels != 2):
            return
        index = X.index if self._per_step else X.index.unique(level=0)
        for name, values in beside.items():
            if not hasattr(values, "iloc") or values.index.equals(index):
                continue
            # Beside sequences an index may number the rows, but not name them in another order.
            if self._per_step or set(values.index) == set(index):
                raise ValueError(
                    f"{name} and X have different indices, so their rows do not belong together: "
                    f"align them first, as by {name}.loc[X.index"
                    f"{'' if self._per_step else '.unique(level=0)'}]."
                )

    def _restore(self, X: Sequences, values: NDArray[Any]) -> NDArray[Any]:
        """Values of rows in the container of the input, where a row is a step."""
        return X.restore(values) if self._per_step else values

    def _require_y(self, y: Any) -> None:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )


class SequenceTransformerMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Features of sequences or steps; comes before `SequenceEstimator` in the bases."""

    def _as_output(self: Any, X: Any, sequences: Sequences, values: NDArray[Any]) -> Any:
        """Features in the container of X, under any `set_output`."""
        if self._per_step:
            return sequences.restore(values)
        if sequences.layout == "frame" and output_container(self) == "pandas":
            # scikit-learn would name the rows, which are sequences, by the steps of X.
            return type(X)(values, index=X.index.unique(level=0))
        return values

    # Features per step have no columns that a DataFrame could name: without names scikit-learn
    # leaves them as they are, also under `set_config(transform_output="pandas")`.
    @available_if(lambda self: not self._per_step)
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the output features; absent with ``target="step"``.

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        ndarray of str
        """
        return super().get_feature_names_out(input_features)


def _one_each(weights: Any, X: Sequences) -> bool:
    """Whether there is one weight for each sequence, rather than one for each step."""
    n_weights = len(weights) if hasattr(weights, "__len__") else 0
    return n_weights == len(X) and all(np.ndim(weight) == 0 for weight in weights)


def holds_vectors(X: Any) -> bool:
    """Whether a sequence in X is a vector of numbers rather than a table of features."""
    X = as_container(X)
    return is_table(X) or (not hasattr(X, "columns") and np.ndim(next(iter(X))) == 1)


def unpacked(X: Sequences, steps: NDArray[Any], flat: bool) -> NDArray[Any]:
    """Steps in the container of X; as vectors, if `flat`."""
    return X.restore(steps[:, 0] if flat else steps)


def check_lengths(lengths: Any, n: int) -> NDArray[np.int64]:
    """Lengths that a user asks for.

    Raises
    ------
    ValueError
        If they are not `n` whole numbers of at least 1.
    """
    counts = np.asarray(lengths)
    if counts.shape != (n,) or counts.dtype.kind not in "iu" or counts.min() < 1:
        raise ValueError(f"lengths must be {n} whole numbers of at least 1.")
    return counts.astype(np.int64)
