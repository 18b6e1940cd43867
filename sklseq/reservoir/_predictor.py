"""An echo state network with a trained readout: a ridge, or any estimator of scikit-learn."""

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import HasMethods, fit_context
from sklseq.base import attribute, choice, estimator, other_default, param, real, same
from sklseq.base.index import check_index
from sklseq.base.target_rows import TargetRows, read_weights
from sklseq.data import Sequences
from sklseq.nn.reservoir import final_states
from sklseq.parts.carry_state import CarryParameters, check_carried, series_gone_on_from
from sklseq.reservoir._base import PoolingESN
from sklseq.reservoir._features import PooledFeatures
from sklseq.reservoir._layers import same_weights
from sklseq.reservoir._readouts import GivenReadout, RidgeReadout
from sklseq.reservoir._shared_work import is_sharing, shared_slot
from sklseq.reservoir._threads import one_blas_thread

__all__ = ["ESNPredictor"]

Array = NDArray[Any]


@estimator
class ESNPredictor(PoolingESN):
    """Echo state network with a trained readout."""

    # What a sequence was about is forgotten by its last state, if it was not just before.
    pooling: str = other_default(PoolingESN, "pooling", "mean")
    alpha: Any = param(
        "gcv",
        "Ridge penalty: the squared error, summed over rows, plus `alpha` times the squared "
        "coefficients is minimized. An array chooses the best of several by exact leave-one-out, "
        "which runs the reservoir twice with target='step'; 'gcv' chooses among 33 from 1e-12 "
        "(49 from 1e-20 with ``solver='qr'``) to 1e4 by generalized cross-validation, which costs "
        "nothing, and by exact leave-one-out where there are at most 4 rows for each feature.",
        real(0),
        "array-like",
        choice("gcv"),
    )
    solver: str = param(
        "eigen",
        "Solver of the ridge: 'eigen' adds up products of the features, which is fast but "
        "squares their condition number, so that penalties below about 1e-14 of their sum of "
        "squares have no effect; 'qr' updates a triangle instead, for three to four times the work "
        "and twice the digits: for targets that can be predicted to more than six digits.",
        choice("eigen", "qr"),
    )
    readout: Any = param(
        None,
        "A scikit-learn estimator fitted on the features instead of the ridge. It is cloned, not "
        "changed; `fit` gives it the features of all rows in one array.",
        HasMethods(["fit", "predict"]),
        None,
    )
    carry_state: bool = same(CarryParameters, "carry_state")

    _attributes = {
        "alpha_": attribute("float", "The ridge penalty used."),
        "readout_": attribute("estimator", "The fitted `readout`, where one was given."),
    }

    _stored = {
        "alpha_": "absent or float",
        "readout_": "absent or estimator",
        "coef_": "absent or ndarray of shape (n_outputs, n_columns) or (n_columns,)",
        "intercept_": "absent or ndarray of shape (n_outputs,) or float",
        "target_mean_": "absent or ndarray of shape (n_outputs,)",
        "target_scale_": "absent or ndarray of shape (n_outputs,)",
        "_learned": (RidgeReadout, GivenReadout),
        "_end_states": "absent or ndarray of shape (n_ends, n_units)",
    }

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        coef_: Any
        intercept_: Any
        readout_: Any
        _score: Callable[[Any, Array, TargetRows, Array], float]

        def predict(self, X: Any) -> Array: ...

        _learned: Any  # RidgeReadout or GivenReadout
        _end_states: Array

    def _check_learned(self) -> None:
        super()._check_learned()
        given = isinstance(self._learned, GivenReadout)
        for name in ("coef_", "intercept_", "alpha_", "readout_"):
            if hasattr(self, name) == (given != (name == "readout_")):
                raise ValueError(f"its {name} is not that of the readout that was learned.")
        if not given and np.size(self.intercept_) != len(self._learned.coef):
            raise ValueError(f"its readout has {len(self._learned.coef)} outputs.")
        same = all(getattr(self, k, None) == v for k, v in self._fitted_settings.items())
        if not given and same and self._learned.coef.shape[1] != self._n_columns:
            raise ValueError(
                f"its readout takes {self._learned.coef.shape[1]} features, but the reservoir has "
                f"{self._n_columns}."
            )
        n_units = self._state_features().n_units
        if hasattr(self, "_end_states") and self._end_states.shape[1] != n_units:
            raise ValueError(f"its reservoir has {n_units} units, and its last states others.")

    # -- fitting ---------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Draw the reservoir and fit the readout.

        Parameters
        ----------
        X : sequences
            {{X: sequences}} {{X: one series}}
        y : array-like
            A target for each sequence, ``(n_sequences,)``, or several, ``(n_sequences,
            n_outputs)``: of a regressor values, of a classifier labels as columns of 0 and 1. With
            ``target="step"`` one (or several) for each step, in a container of the shape of X. NaN
            or None is a step without a target.
        sample_weight : array-like or None, default=None
            Weight of each sequence, or of each step.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, y or a parameter is not valid, or a sequence is not longer than the washout;
            the estimator is then as it was before.

        Warns
        -----
        scipy.linalg.LinAlgWarning
            If ``alpha=0`` and the features are linearly dependent; the condition number is
            named and the solution of least norm taken.
        """
        return self._fit(X, y, sample_weight, "fit")

    def _fit(self, X: Any, y: Any, sample_weight: Any, method: str, classes: Any = None) -> Self:
        """Draw the reservoir, unless more is to be learned with it, and fit the readout."""
        fresh = method == "fit" or not self._goes_on()
        sample_weight = self._requested(method, sample_weight)
        with self._fitting(X, y, sample_weight=sample_weight), one_blas_thread():
            sequences = self._read_training(X, fresh)
            self._remember_end(sequences)
            weights = read_weights(sample_weight, self._target_rows(sequences))
            values, weights = self._read_targets(y, sequences, weights, fresh, classes)
            source = self._source(sequences, training=True)
            weights = self._without_washout(weights, sequences)
            if self.readout is None:
                before = None if fresh else self._learned.sums
                data = (
                    sequences.steps,
                    sequences.lengths,
                    values,
                    weights,
                    isinstance(self.alpha, str),
                )
                known = shared_slot(self, "sums", data) if fresh else None
                ridge = RidgeReadout(self.alpha, self.solver, before)
                self._keep_ridge(ridge.fit(source, values, weights, known))
            else:
                self._keep_given(self._new_readout(method).fit(source, values, weights))
        return self

    def _remember_end(self, series: Sequences) -> None:
        """Keep the states after the last steps of the training series."""
        self.__dict__.pop("_end_states", None)
        if self.carry_state:
            check_carried(self)
            layers = self._state_features().forward
            self._end_states = final_states(
                layers, series.steps, series.lengths, n_jobs=self.n_jobs
            )

    def get_metadata_routing(self) -> Any:
        """Weights are for this estimator, and for a given readout if it has requested them.

        Returns
        -------
        MetadataRequest or MetadataRouter
        """
        if self.readout is None:
            return super().get_metadata_routing()
        mapping = MethodMapping().add(caller="fit", callee="fit")
        mapping.add(caller="partial_fit", callee="partial_fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(readout=self.readout, method_mapping=mapping)

    def _requested(self, method: str, sample_weight: Any) -> Any:
        """The weights, unless metadata routing keeps them from a given readout."""
        routed = get_config()["enable_metadata_routing"] and self.readout is not None
        if sample_weight is None or not routed:
            return sample_weight
        of_readout = process_routing(self, method, sample_weight=sample_weight).readout[method]
        return of_readout.get("sample_weight")

    def _read_targets(
        self, y: Any, X: Sequences, weights: Array, fresh: bool, classes: Any
    ) -> tuple[Array, Array]:
        """Targets of rows as the readout wants them, and weights, 0 where there is none.

        The ridge wants values (n_rows, n_outputs).
        """
        raise NotImplementedError

    def _without_washout(self, weights: NDArray[Any], X: Sequences) -> NDArray[Any]:
        """Weights of rows, 0 in the washout of steps."""
        if not self._per_step or self.washout == 0:
            return weights
        position = np.arange(len(X.steps)) - np.repeat(X.starts, X.lengths)
        kept = position >= self.washout
        if self.bidirectional:
            kept &= position < np.repeat(X.lengths, X.lengths) - self.washout
        return weights * (kept if weights.ndim == 1 else kept[:, None])

    def _new_readout(self, method: str, **more: Any) -> GivenReadout:
        """The given readout; to learn more, a copy of what it has learned."""
        if method == "partial_fit" and hasattr(self, "readout_"):
            return GivenReadout(deepcopy(self.readout_), method, **more)
        return GivenReadout(clone(self.readout), method, **more)

    def _keep_ridge(self, ridge: RidgeReadout) -> None:
        self._learned, self.alpha_ = ridge, ridge.alpha_
        self.coef_, self.intercept_ = ridge.coef, ridge.intercept
        self.__dict__.pop("readout_", None)

    def _keep_given(self, given: GivenReadout) -> None:
        self._learned, self.readout_ = given, given.estimator
        for name in ("coef_", "intercept_", "alpha_", "target_mean_", "target_scale_"):
            self.__dict__.pop(name, None)

    def _can_partial_fit(self) -> bool:
        return self.readout is None or hasattr(self.readout, "partial_fit")

    def _goes_on(self) -> bool:
        """Whether there is a fitted readout of the kind asked for that can learn more."""
        return hasattr(self, "coef_" if self.readout is None else "readout_")

    # -- merging ---------------------------------------------------------------------------

    def merge(self, other: Any) -> Self:
        """Learn what another model has learned, as if this one had been fitted to both's rows.

        Parameters
        ----------
        other : estimator
            Of the same class, fitted with the same reservoir: give both the same integer as
            `random_state`. It is not changed.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the two do not share reservoir, features and targets, or the readout cannot be
            merged: only a ridge with one `alpha` or 'gcv' can.
        """
        check_is_fitted(self)
        check_is_fitted(other)
        self._check_mergeable(other)
        with self._all_or_nothing():
            ridge = RidgeReadout(self.alpha, self.solver, self._learned.sums)
            self._keep_ridge(ridge.merge(other._learned))
        return self

    def _check_mergeable(self, other: Any) -> None:
        name = type(self).__name__
        if type(other) is not type(self):
            raise ValueError(f"A {type(other).__name__} cannot be merged into a {name}.")
        if not hasattr(self, "coef_") or not hasattr(other, "coef_"):
            raise ValueError("Only models with a ridge readout can be merged.")
        mine = [*self.layers_, *(self.backward_layers_ or [])]
        theirs = [*other.layers_, *(other.backward_layers_ or [])]
        if len(mine) != len(theirs) or not all(map(same_weights, mine, theirs)):
            raise ValueError(
                f"The two {name} have different reservoirs: give both the same parameters and the "
                "same integer as random_state."
            )
        for what in ("solver", "target", "features", "pooling", "n_slices", "washout"):
            if getattr(self, what) != getattr(other, what):
                raise ValueError(f"The two {name} differ in {what}.")
        n_mine, n_theirs = np.size(self.intercept_), np.size(other.intercept_)
        if n_mine != n_theirs:
            raise ValueError(f"The two {name} have {n_mine} and {n_theirs} outputs.")

    # -- predicting ------------------------------------------------------------------------

    def _outputs(self, X: Any, method: str = "predict") -> tuple[Sequences, Array]:
        """X as read, and what a method of the readout gives for its rows.

        That of the ridge has shape (n_rows, n_outputs).
        """
        check_is_fitted(self)
        if not hasattr(self, "readout_"):
            return self._map_rows(X, self._learned.predict, np.size(self.intercept_), np.float64)
        # The result for any row has the right shape.
        example = self._learned.predict(np.zeros((1, self._n_columns), dtype=self.dtype), method)

        def function(features: Array) -> Array:
            return np.reshape(self._learned.predict(features, method), (len(features), -1))

        sequences, values = self._map_rows(X, function, example[0].size, example.dtype)
        return sequences, values[:, 0] if example.ndim == 1 else values

    def _map_rows(
        self, X: Any, function: Callable[[Array], Array], width: int, dtype: Any
    ) -> tuple[Sequences, Array]:
        """X as read, and a function (n_rows, width) of the features (n_rows, n_features)."""
        sequences = self._read_steps(X, reset=False)
        begin = self._begin_of(sequences)
        with one_blas_thread():
            source = self._source(sequences, begin=begin)
            if (
                begin is None
                and self._per_step
                and is_sharing(self, (source.n_rows, source.n_features))
            ):
                known = shared_slot(self, "features", (sequences.steps, sequences.lengths))
                if known.value is None:
                    known.value = source.table()
                source = PooledFeatures(known.value, self.dtype)
            return sequences, source.table(function, width, dtype)

    def _begin_of(self, series: Sequences) -> Array | None:
        """States before the first steps of these series; None for zero."""
        if not self.carry_state:
            return None
        check_carried(self)
        ends = getattr(self, "_end_states", None)
        known = series_gone_on_from(self, None if ends is None else len(ends), len(series))
        return self._end_states[known]

    # -- scoring ---------------------------------------------------------------------------

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of a classifier, coefficient of determination of a regressor.

        With ``target="step"`` it is that of all steps that have a target.

        Parameters
        ----------
        X : sequences
            As in `fit`.
        y : array-like
            True labels, or values, one (or k) for each sequence or step.
        sample_weight : array-like or None, default=None

        Returns
        -------
        float
            Steps in the washout, to which nothing was fitted, do not count, unless states are
            carried.
        """
        check_index(X, self._per_step, y=y, sample_weight=sample_weight)
        predicted, sequences = self.predict(X), self._read_steps(X, reset=False)
        rows = self._target_rows(sequences)
        weights = read_weights(sample_weight, rows)
        if not self.carry_state:
            weights = self._without_washout(weights, sequences)
        if not weights.any() and self.washout:
            raise ValueError(f"X has no step to score after the washout of {self.washout}.")
        return self._score(y, rows.stacked(predicted), rows, weights)
