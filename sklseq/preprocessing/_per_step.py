"""Any scikit-learn transformer, applied to the steps of sequences."""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags, check_consistent_length, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sklseq._compat.sklearn import HasMethods, fit_context
from sklseq.base import attribute, estimator, param
from sklseq.base.sequences import SequenceEstimator
from sklseq.base.target_rows import read_weights
from sklseq.data import (
    Sequences,
    as_array,
    as_sequences,
    is_nested,
    is_table,
    missing,
    padded_sequences,
    stack_steps,
)
from sklseq.preprocessing._frames import (
    all_numbers,
    filled_with_zeros,
    frames_of_steps,
    like,
    restored_frames,
    rows_of_frames,
)

__all__ = ["PerStep"]


# Sequences have no columns that set_output could name: it would break every pipeline.
@estimator
class PerStep(TransformerMixin, SequenceEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Apply a transformer to the steps of sequences, as to the rows of one table.

    The steps of all sequences are stacked, the transformer is fitted on and applied to that
    table, and the result is given back in the container of X. A table ``(n_sequences, n_steps)``
    holds univariate sequences: all its columns are one feature. For one series ``(n_steps,
    n_features)`` set ``target="step"``, as for the estimator that follows. A DataFrame of steps,
    or a list of such, is given to the transformer as it is, with its columns of any type, and
    DataFrames come out.

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
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **params: Any) -> Self:
        """Fit the transformer on the steps of all sequences.

        Parameters
        ----------
        X : sequences
            {{X: sequences}} {{X: one series}}
            NaN where the transformer takes it.
        y : array-like or None, default=None
            Used by transformers that need it: a target for each sequence, which holds for all
            of its steps, or for each step. Steps without a target are left out: None and NaN.
        sample_weight : array-like or None, default=None
            Weight of each sequence, which holds for all of its steps, or of each step with
            ``target="step"``; for transformers whose `fit` takes weights and, with metadata
            routing, has requested them.
        **params : dict
            Other metadata that the transformer has requested; handed to its `fit` as they are.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X is not valid, naming the sequence, step and feature; if y or weights have an index
            in another order than X; if there are weights that the transformer cannot take.

        Warns
        -----
        UserWarning
            If sequences of a dense array end in steps of NaN alone, padding, that the transformer
            makes data of.
        """
        with self._fitting(X, y, sample_weight=sample_weight):
            more = self._requested("fit", {"sample_weight": sample_weight} | params)
            X = as_sequences(X)
            sequences = self._read(X, reset=True)
            transformer = self._new_transformer()
            table = self._table(X, sequences)
            rows = self._step_targets(y, sequences, transformer)
            rows |= self._step_weights(more.pop("sample_weight", None), sequences, transformer)
            known = _labeled(rows["y"]) if self._per_step and "y" in rows else None
            if known is not None and not known.all():
                rows = {name: _at(values, known) for name, values in rows.items()}
                transformer.fit(_at(table, known), **rows, **more)
            else:
                transformer.fit(table, **rows, **more)
            self.transformer_ = transformer
            padding = _padding(sequences)
            if len(padding):
                _warn_of_padding(_dense(transformer.transform(_at(table, padding[:1]))))
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
            steps, a 1-D object array of DataFrames for a list of them; their index is kept.
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

    @available_if(lambda self: hasattr(self._current_transformer(), "get_feature_names_out"))
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the features of a step; of the columns of a table of univariate sequences.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features; None takes those of `fit`.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", input_features)
        if self.n_features_in_ != self._n_step_features:
            if names is None:
                names = [f"x{i}" for i in range(self.n_features_in_)]
            if len(names) != self.n_features_in_:
                raise ValueError(
                    "input_features should have length equal to number of features "
                    f"({self.n_features_in_}), got {len(names)}"
                )
            if len(self.transformer_.get_feature_names_out()) == 1:
                return np.asarray(names, dtype=object)
            names = None
        elif names is not None and len(names) != self._n_step_features:
            names = None  # of a column of sequences
        return self.transformer_.get_feature_names_out(names)

    def get_metadata_routing(self) -> MetadataRouter:
        """Metadata go to the transformer, if it has requested them.

        Returns
        -------
        MetadataRouter
        """
        mapping = MethodMapping()
        for caller, callee in (
            ("fit", "fit"),
            ("fit_transform", "fit"),
            ("fit_transform", "transform"),
            ("transform", "transform"),
            ("inverse_transform", "inverse_transform"),
        ):
            mapping.add(caller=caller, callee=callee)
        router = MetadataRouter(owner=self)
        return router.add(transformer=self._new_transformer(), method_mapping=mapping)

    def _requested(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What of the metadata goes to a method of the transformer."""
        params = {name: value for name, value in params.items() if value is not None}
        if get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, method, **params).transformer[method])
        if unknown := params.keys() - {"sample_weight"}:
            raise ValueError(
                f"{sorted(unknown)} of PerStep.{method} are for metadata routing, which is off: "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        return params

    # -- steps as a table ------------------------------------------------------------------

    def _apply(self, method: str, X: Any) -> Any:
        check_is_fitted(self)
        X = as_sequences(X)
        if method == "transform":
            sequences = self._read(X, reset=False)
        else:
            sequences = SequenceEstimator(target=self.target)._read_data(X, reset=True)
        table = self._table(X, sequences)
        values = _dense(getattr(self.transformer_, method)(table))
        if len(values) != len(sequences.steps):
            raise ValueError(
                f"{type(self.transformer_).__name__}.{method} gave {len(values)} rows for "
                f"{len(sequences.steps)} steps: PerStep needs a transformer that keeps every row."
            )
        if method == "transform":
            _warn_of_padding(_at(values, _padding(sequences)))
        if frames := self._frames(X):
            names = self._names_of(values, method)
            restored = restored_frames(frames, values, names)
            return restored[0] if frames[0] is X else restored
        restored = sequences.restore(np.asarray(values))
        if getattr(X, "ndim", 3) == 2 and not self._per_step and restored.shape[-1] == 1:
            return restored[..., 0]
        return restored

    def _frames(self, X: Any) -> list[Any]:
        return frames_of_steps(X, not self._per_step and is_table(X)) if not is_nested(X) else []

    def _table(self, X: Any, sequences: Sequences) -> Any:
        """The steps as the transformer gets them: DataFrames of steps as they are."""
        frames = self._frames(X)
        if not frames:
            names = sequences.feature_names
            if names is None or not hasattr(X, "iloc"):
                return sequences.steps
            return type(X)(sequences.steps, columns=list(names))
        table = rows_of_frames(frames)
        if all_numbers(table) or self._picks_columns:
            return table
        return like(table, sequences.steps, list(table.columns))

    def _names_of(self, values: Any, method: str) -> list[Any] | None:
        """Names of the columns that a method gives."""
        names = getattr(self, "feature_names_in_", None)
        if hasattr(values, "columns"):
            return list(values.columns)
        if method == "transform" and hasattr(self.transformer_, "get_feature_names_out"):
            return list(self.transformer_.get_feature_names_out(names))
        return None if names is None or len(names) != values.shape[1] else list(names)

    def _read(self, X: Any, reset: bool) -> Sequences:
        frames = self._frames(X)
        if frames and self._picks_columns and not all(map(all_numbers, frames)):
            # The transformer sees the DataFrame itself and knows what its columns may hold.
            zeros = [filled_with_zeros(frame) for frame in frames]
            X = zeros[0] if frames[0] is X else zeros
        return self._read_X(X, reset=reset, allow_nan=self._allow_nan)

    @property
    def _picks_columns(self) -> bool:
        """Whether the transformer may take columns of any type."""
        first = self._current_transformer()
        while isinstance(first, Pipeline):
            first = first.steps[0][1]
        if isinstance(first, (str, ColumnTransformer, FeatureUnion)):
            return True
        tags = get_tags(first)
        return tags.no_validation or tags.input_tags.categorical or tags.input_tags.string

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
        return {"y": np.repeat(as_array(y), X.lengths, axis=0)}

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
        if self.transformer is not None:
            return clone(self.transformer)
        scaler = StandardScaler()
        if get_config()["enable_metadata_routing"]:
            scaler.set_fit_request(sample_weight=True)
        return scaler

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
    """Which steps have a target, or all of several."""
    return np.all(~missing(y.reshape(len(y), -1)), axis=1)


def _at(values: Any, rows: NDArray[Any]) -> Any:
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]


def _dense(values: Any) -> Any:
    values = values.toarray() if hasattr(values, "toarray") else values
    return values if hasattr(values, "columns") else np.asarray(values)


def _padding(sequences: Sequences) -> NDArray[np.int64]:
    """Stacked index of the last step of the sequences of a dense array that end in NaN."""
    if sequences.layout != "dense":
        return np.empty(0, dtype=np.int64)
    ends = sequences.starts + sequences.lengths - 1
    return ends[padded_sequences(sequences)]


def _warn_of_padding(values: Any) -> None:
    """Warn if steps of NaN alone, at the end of their sequences, have become numbers."""
    if not len(values) or missing(np.asarray(values)).any():
        return
    warnings.warn(
        "Sequences end in steps of NaN alone, and the transformer makes data of them. Padding is "
        "not needed: give [x[~np.isnan(x).all(axis=1)] for x in X], for univariate sequences "
        "[x[~np.isnan(x)] for x in X].",
        UserWarning,
        stacklevel=3,
    )


def _one_each(y: Any) -> bool:
    """Whether y has a number, or a row of them, for each sequence and not an array of steps."""
    try:
        y = as_array(y)
    except ValueError:  # arrays of several lengths
        return False
    return y.ndim <= 2 and not (y.dtype == object and any(np.ndim(value) for value in y.flat))
