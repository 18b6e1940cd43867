"""Readouts from features to targets: a ridge by sums that can be merged, or any estimator."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import has_fit_parameter

from sklseq.reservoir._features import FeatureSource
from sklseq.reservoir._shared_work import Slot
from sklseq.reservoir._sums import RidgeSums, RidgeTargets, leave_one_out
from sklseq.ridge import RidgePath, validation_errors

__all__ = ["GivenReadout", "RidgeReadout"]

Array = NDArray[Any]

_GCV_ALPHAS = {"eigen": np.logspace(-12, 4, 33), "qr": np.logspace(-20, 4, 49)}
# Rows of a product. How a product is rounded depends on its shape, so that all have the same one.
_TILE = 64


class RidgeReadout:
    """Ridge regression of targets on features that come in blocks.

    It goes on from the `sums` of what was learned before, if there are any. Coefficients have shape
    ``(n_outputs, n_features)``, intercepts ``(n_outputs,)``.
    """

    _stored: ClassVar[dict[str, Any]] = {
        "by_gcv": "bool",
        "alphas": "ndarray of shape (n_alphas,) or ()",
        "solver": "str",
        "sums": (RidgeSums,),
        "alpha_": "float",
        "coef": "ndarray of shape (n_outputs, n_columns)",
        "intercept": "ndarray of shape (n_outputs,)",
    }

    def check_stored(self) -> None:
        """Refuse sums of other shapes than those of the coefficients."""
        sums, (n_outputs, n_columns) = self.sums, self.coef.shape
        assert sums is not None
        if (sums.n_outputs, sums.statistics[0].n_features) != (n_outputs, n_columns):
            raise ValueError("the sums of the readout do not fit its coefficients.")
        if self.solver != sums.solver or not (self.alphas >= 0).all():
            raise ValueError(f"the readout's solver is {self.solver!r}.")

    alpha_: float
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def __init__(self, alpha: Any, solver: str, sums: RidgeSums | None = None):
        self.by_gcv = isinstance(alpha, str)
        self.alphas = _GCV_ALPHAS[solver] if self.by_gcv else _checked_alphas(alpha)
        self.solver, self.sums = solver, sums
        if sums is None:
            return
        if sums.solver != solver:
            raise ValueError(
                f"solver={solver!r}, but this model was fitted with {sums.solver!r}: set it back, "
                "or fit anew."
            )
        if not self.by_gcv and self.alphas.ndim:
            raise ValueError(
                f"alpha={alpha!r} is chosen by leaving out each row, but what was learned before "
                "is known by its sums alone: give a number or 'gcv'."
            )

    def fit(
        self, source: FeatureSource, values: Array, weights: Array, known: Slot | None = None
    ) -> "RidgeReadout":
        """Learn the rows of a source, together with what was learned before.

        Targets and weights are as of `RidgeTargets`. In `known`, sums and solutions of these rows
        may be there already.
        """
        known, targets = known or Slot(), RidgeTargets(values, weights)
        if known.value is None:
            sums = RidgeSums.of(source, targets, self.solver, self.by_gcv)
            sums = sums if self.sums is None else self.sums.merged(sums)
            known.value = sums, sums.paths()
        self.sums, paths = known.value
        errors = None
        if not self.by_gcv and self.alphas.ndim:
            errors = leave_one_out(paths, self.alphas, source, targets)
        return self._solve(paths, errors)

    def merge(self, other: "RidgeReadout") -> "RidgeReadout":
        """Learn what another readout has learned."""
        assert self.sums is not None
        assert other.sums is not None
        self.sums = self.sums.merged(other.sums)
        return self._solve(self.sums.paths(), None)

    def predict(self, features: Array) -> NDArray[np.float64]:
        """Outputs (n_rows, n_outputs) of features (n_rows, n_features), each row on its own."""
        x = np.asarray(features, dtype=np.float64)
        whole = len(x) // _TILE * _TILE
        rest = np.zeros((_TILE, x.shape[1]))
        rest[: len(x) - whole] = x[whole:]
        outputs = np.empty((len(x), len(self.coef)))
        tiles = x[:whole].reshape(whole // _TILE, _TILE, x.shape[1])
        outputs[:whole] = self.product(tiles).reshape(whole, len(self.coef))
        outputs[whole:] = self.product(rest[None])[0, : len(x) - whole]
        return outputs

    def product(self, features: Array) -> NDArray[np.float64]:
        """The same, but rounded in another way for another number of rows."""
        return np.asarray(np.matmul(features, self.coef.T) + self.intercept)

    def _solve(self, paths: list[RidgePath], errors: NDArray[np.float64] | None) -> "RidgeReadout":
        """Coefficients of the sums, for the alpha with the smallest error."""
        assert self.sums is not None
        if self.by_gcv:
            errors = np.sum([validation_errors(p, self.alphas).sum(axis=1) for p in paths], axis=0)
        if errors is None:
            self.alpha_ = float(self.alphas)
        else:
            # Where no error is finite, the strongest penalty is the safest.
            finite = np.isfinite(errors).any()
            self.alpha_ = float(self.alphas[np.argmin(errors)] if finite else self.alphas.max())
        self.coef, self.intercept = self.sums.solve(paths, self.alpha_)
        return self


class GivenReadout:
    """A scikit-learn estimator, fitted in place on the features of all rows in one array.

    It learns by its `method`, "fit" or "partial_fit", which takes the further arguments `more`.
    """

    _stored: ClassVar[dict[str, Any]] = {
        "estimator": "estimator",
        "method": "str",
        "more": "data",
    }

    def check_stored(self) -> None:
        """Refuse a way of learning that there is not."""
        if self.method not in ("fit", "partial_fit"):
            raise ValueError(f"the readout learns by {self.method!r}.")

    def __init__(self, estimator: Any, method: str = "fit", **more: Any):
        self.estimator, self.method, self.more = estimator, method, more

    def fit(self, source: FeatureSource, values: Array, weights: Array) -> "GivenReadout":
        """Learn the rows of a source that have all their targets."""
        weights = weights.min(axis=1) if weights.ndim == 2 else weights
        kept = weights > 0
        if not kept.any():
            raise ValueError("y has no row with a target and a positive weight after the washout.")
        place = np.cumsum(kept) - 1
        features = np.empty((int(kept.sum()), source.n_features), dtype=source.dtype)

        def write(_: None, rows: Array, x: Array) -> None:
            known = kept[rows]
            features[place[rows[known]]] = x[known]

        source.fold(write)
        more, weights = dict(self.more), weights[kept]
        if (weights != 1).any():
            if not has_fit_parameter(self.estimator, "sample_weight"):
                name = type(self.estimator).__name__
                raise ValueError(f"The rows have unequal weights, but {name} takes none.")
            more["sample_weight"] = weights
        getattr(self.estimator, self.method)(features, values[kept], **more)
        return self

    def predict(self, features: Array, method: str = "predict") -> Array:
        """What a method of the estimator gives for features (n_rows, n_features)."""
        result = getattr(self.estimator, method)(features)
        if isinstance(result, list):  # of several labels, the probabilities of 0 and 1 for each
            pairs = zip(result, self.estimator.classes_, strict=True)
            return np.column_stack([p @ (np.asarray(classes) == 1) for p, classes in pairs])
        return np.asarray(result)


def _checked_alphas(alpha: Any) -> NDArray[np.float64]:
    """One penalty, or several."""
    try:
        alphas = np.asarray(alpha, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"alpha={alpha!r} holds something that is no number.") from error
    if alphas.ndim > 1 or alphas.size == 0 or not (np.isfinite(alphas) & (alphas >= 0)).all():
        raise ValueError(
            f"alpha={alpha!r}: it must be 'gcv', a number at least 0, or an array (n_alphas,) of "
            "such numbers."
        )
    return alphas
