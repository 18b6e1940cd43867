"""Any scikit-learn transformer, applied to the steps of sequences."""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin, clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags, check_consistent_length, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sklseq._compat.sklearn import HasMethods, fit_context
from sklseq.base import attribute, estimator, param
from sklseq.base.sequences import SequenceEstimator
from sklseq.base.target_rows import read_weights
from sklseq.data import Sequences, as_container, stack_steps, unlabeled

__all__ = ["PerStep"]


# Sequences have no columns that set_output could name: it would break every pipeline.
@estimator
class PerStep(TransformerMixin, SequenceEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Apply a transformer to the steps of sequences, as to the rows of one table.

    The steps of all sequences are stacked, the transformer is fitted on and applied to that
    table, and the result is given back in the container of X. A table ``(n_sequences, n_steps)``
    holds univariate sequences: all its columns are one feature. For one series ``(n_steps,
    n_features)`` set ``target="step"``, as for the estimator that follows. A DataFrame of steps
    is given to the transformer as it is, with its columns of any type.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklseq.preprocessing import PerStep
    >>> X = [np.array([[1.0], [3.0]]), np.array([[5.0]])]
    >>> PerStep(StandardScaler()).fit_transform(X)[0].ravel().round(3)
    array([-1.225,  0.   ])
    """

    transformer: Any = param(
        None,
        "A transformer of tables; None is `StandardScaler()`. It is cloned, not changed.",
        HasMethods(["fit", "transform"]),
        None,
        positional=True,
    )

    _attributes = {
        "transformer_": attribute("estimator", "The transformer fitted on all steps."),
        "n_features_in_": attribute("int", "Number of features seen in `fit`."),
    }

    _stored = {"_n_step_features": "int"}

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the transformer on the steps of all sequences.

        Parameters
        ----------
        X : sequences
            {{X: sequences}} {{X: one series}}
            NaN where the transformer takes it.
        y : array-like or None, default=None
            Used by transformers that need it: a target for each sequence, which holds for all
            of its steps, or for each step. Steps without a target are left out: None, NaN, and -1
            among labels.
        sample_weight : array-like or None, default=None
            Weight of each sequence, which holds for all of its steps, or of each step with
            ``target="step"``; for transformers whose `fit` takes weights.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X is not valid, naming the sequence, step and feature; if y or weights have an index
            in another order than X; if there are weights that the transformer cannot take.
        """
        with self._fitting(X, y, sample_weight=sample_weight):
            sequences = self._read(X, reset=True)
            transformer = self._new_transformer()
            table = self._table(X, sequences)
            rows = self._step_targets(y, sequences, transformer)
            rows |= self._step_weights(sample_weight, sequences, transformer)
            if self._per_step and "y" in rows and not (known := _labeled(rows["y"])).all():
                table, rows = _at(table, known), {k: _at(v, known) for k, v in rows.items()}
            transformer.fit(table, **rows)
            self.transformer_ = transformer
        return self

    def transform(self, X: Any) -> Any:
        """Transform every step.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        array or DataFrame
            In the container of X: ``(n_sequences, n_steps, n_features_out)`` for dense X
            (``(n_sequences, n_steps)`` if X was 2-D and one feature comes out), a 1-D object
            array of ``(n_steps, n_features_out)`` arrays for ragged X, a DataFrame for one of
            steps.
        """
        return self._apply("transform", X)

    @available_if(lambda self: hasattr(self._current_transformer(), "inverse_transform"))
    def inverse_transform(self, X: Any) -> Any:
        """Undo `transform` for every step.

        Parameters
        ----------
        X : sequences
            Transformed steps, in any of the containers of `fit`.

        Returns
        -------
        array or DataFrame
            In the container of X.
        """
        return self._apply("inverse_transform", X)

    def _apply(self, method: str, X: Any) -> Any:
        check_is_fitted(self)
        X = as_container(X)
        if method == "transform":
            sequences = self._read(X, reset=False)
        else:
            sequences = SequenceEstimator(target=self.target)._read_X(X, reset=True)
        table = self._table(X, sequences)
        values = getattr(self.transformer_, method)(table)
        values = np.asarray(values.toarray() if hasattr(values, "toarray") else values)
        if len(values) != len(sequences.steps):
            raise ValueError(
                f"{type(self.transformer_).__name__}.{method} gave {len(values)} rows for "
                f"{len(sequences.steps)} steps: PerStep needs a transformer that keeps every row."
            )
        if table is X and hasattr(X, "iloc"):
            return self._frame(X, values, method)
        restored = sequences.restore(values)
        if getattr(X, "ndim", 3) == 2 and not self._per_step and restored.shape[-1] == 1:
            return restored[..., 0]
        return restored

    def _table(self, X: Any, sequences: Sequences) -> Any:
        """The steps as the transformer gets them: a DataFrame of steps as it is."""
        of_steps = sequences.layout == "frame" or (self._per_step and hasattr(X, "columns"))
        return X if of_steps else sequences.steps

    def _frame(self, X: Any, values: NDArray[Any], method: str) -> Any:
        names = getattr(self, "feature_names_in_", None)
        if method == "transform" and hasattr(self.transformer_, "get_feature_names_out"):
            names = self.transformer_.get_feature_names_out(names)
        return type(X)(values, index=X.index, columns=names)

    def _read(self, X: Any, reset: bool) -> Sequences:
        if hasattr(X, "iloc"):
            if not self._per_step and X.index.nlevels == 1 and reset and X.shape[1] > 1:
                warnings.warn(
                    "Each row of a DataFrame is read as one univariate sequence, and all columns "
                    "are transformed alike. If its rows are steps and its columns features, set "
                    "target='step'.",
                    UserWarning,
                    stacklevel=4,
                )
            elif not all(getattr(dtype, "kind", "O") in "fiub" for dtype in X.dtypes):
                # The transformer sees the DataFrame itself and knows what its columns may hold.
                X = type(X)(np.zeros(X.shape), index=X.index, columns=X.columns)
        return self._read_X(X, reset=reset, allow_nan=self._allow_nan)

    def _step_targets(self, y: Any, X: Sequences, transformer: Any) -> dict[str, NDArray[Any]]:
        """Targets of the rows; none where the transformer does not need them and none fit.

        In a pipeline y may be meant for what comes after: targets of steps, when this has targets
        of sequences.
        """
        if not get_tags(transformer).target_tags.required and (
            y is None
            or not has_fit_parameter(transformer, "y")
            or (not self._per_step and not _one_each(y))
        ):
            return {}
        if self._per_step:
            return {"y": stack_steps(y, X)}
        check_consistent_length(X, y)
        return {"y": np.repeat(np.asarray(y), X.lengths, axis=0)}

    def _step_weights(
        self, sample_weight: Any, X: Sequences, transformer: Any
    ) -> dict[str, NDArray[np.float64]]:
        if sample_weight is None:
            return {}
        if not has_fit_parameter(transformer, "sample_weight"):
            raise ValueError(
                f"{type(transformer).__name__}.fit takes no sample_weight: leave it out, or choose "
                "a transformer with sample weights, such as StandardScaler."
            )
        weights = read_weights(sample_weight, self._target_rows(X))
        return {"sample_weight": weights if self._per_step else np.repeat(weights, X.lengths)}

    def _new_transformer(self) -> Any:
        return StandardScaler() if self.transformer is None else clone(self.transformer)

    def _current_transformer(self) -> Any:
        fitted = getattr(self, "transformer_", None)
        return self._new_transformer() if fitted is None else fitted

    @property
    def _allow_nan(self) -> bool:
        return get_tags(self._current_transformer()).input_tags.allow_nan

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allow_nan
        tags.target_tags.required = get_tags(self._current_transformer()).target_tags.required
        return tags


def _labeled(y: NDArray[Any]) -> NDArray[np.bool_]:
    """Which steps have a target; -1.0 may be one, the label -1 is none."""
    if y.dtype.kind == "f":
        return ~np.isnan(y.reshape(len(y), -1)).any(axis=1)
    return ~unlabeled(y) if y.ndim == 1 else np.ones(len(y), dtype=bool)


def _at(values: Any, rows: NDArray[np.bool_]) -> Any:
    return values.loc[rows] if hasattr(values, "iloc") else values[rows]


def _one_each(y: Any) -> bool:
    """Whether y has a number, or a row of them, for each sequence and not an array of steps."""
    try:
        y = np.asarray(y)
    except ValueError:  # arrays of several lengths
        return False
    return y.ndim <= 2 and not (y.dtype == object and any(np.ndim(value) for value in y.flat))
