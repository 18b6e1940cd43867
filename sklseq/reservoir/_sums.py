"""Ridge statistics of several targets that may be known at different rows."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklseq.reservoir._features import FeatureSource
from sklseq.ridge import KeptRows, LeaveOneOut, RidgePath, RidgeStatistics, RidgeTriangle, merged

__all__ = ["STATISTICS", "RidgeSums", "RidgeTargets", "leave_one_out"]

# Rows for each feature up to which generalized cross-validation is not to be relied on.
_FEW = 4

STATISTICS: dict[str, Any] = {"eigen": RidgeStatistics, "qr": RidgeTriangle}


class RidgeTargets:
    """Targets ``(n_rows, n_outputs)`` of rows, grouped by outputs with the same weights.

    Weights are of shape ``(n_rows,)`` or ``(n_rows, n_outputs)``, 0 where there is no target.
    """

    def __init__(self, values: NDArray[Any], weights: NDArray[np.float64]):
        self.values = values
        if weights.ndim == 2 and (weights == weights[:, :1]).all():
            weights = weights[:, 0]
        self.groups: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        if weights.ndim == 1:
            self.groups.append((np.arange(values.shape[1]), weights))
            return
        alike: dict[bytes, list[int]] = {}
        for output in range(values.shape[1]):
            alike.setdefault(weights[:, output].tobytes(), []).append(output)
        for outputs in alike.values():
            self.groups.append((np.array(outputs), weights[:, outputs[0]].copy()))

    def update(self, sums: list[Any], rows: NDArray[np.int64], features: NDArray[Any]) -> None:
        """Update the sums, one for each group, by those of the rows that have a weight."""
        for (outputs, weights), total in zip(self.groups, sums, strict=True):
            w = weights[rows]
            kept = w > 0
            if not kept.any():
                continue
            x = features if kept.all() else features[kept]
            y, w = self.values[np.ix_(rows[kept], outputs)], w[kept]
            total.update(x, y, None if (w == 1).all() else w)


class RidgeSums:
    """One of the `STATISTICS` for each group of outputs that are known at the same rows."""

    _stored: ClassVar[dict[str, Any]] = {
        "outputs": "list of ndarray of int",
        "statistics": [RidgeStatistics, RidgeTriangle],
    }

    def check_stored(self) -> None:
        """Refuse groups that are not a partition of the outputs, with a statistic each."""
        outputs, widths = np.concatenate(self.outputs), {s.n_features for s in self.statistics}
        sizes = [s.n_targets for s in self.statistics]
        whole = np.array_equal(np.sort(outputs), np.arange(len(outputs)))
        if not whole or sizes != [len(o) for o in self.outputs] or len(widths) != 1:
            raise ValueError("the sums of the readout do not fit together.")
        if len({type(s) for s in self.statistics}) != 1:
            raise ValueError("the sums of the readout are of several kinds.")

    def __init__(self, outputs: list[NDArray[np.int64]], statistics: list[Any]):
        self.outputs, self.statistics = outputs, statistics

    @classmethod
    def of(
        cls, source: FeatureSource, targets: RidgeTargets, solver: str, keep_few: bool
    ) -> "RidgeSums":
        """The sums over all rows of a source; with `keep_few` also the rows, if they are few."""
        outputs, kind = [group for group, _ in targets.groups], STATISTICS[solver]
        n, limit = source.n_features, _FEW * source.n_features

        def start() -> list[Any]:
            return [kind(n, len(group), KeptRows(limit) if keep_few else None) for group in outputs]

        parts = source.fold(targets.update, start)
        return cls(outputs, [merged(group) for group in zip(*parts, strict=True)])

    @property
    def solver(self) -> str:
        """The solver that the sums were made for."""
        return "qr" if isinstance(self.statistics[0], RidgeTriangle) else "eigen"

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return sum(map(len, self.outputs))

    def mean_and_scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of each output; 1 for the deviation of a constant one."""
        mean, scale = np.empty(self.n_outputs), np.empty(self.n_outputs)
        for outputs, total in zip(self.outputs, self.statistics, strict=True):
            mean[outputs] = total.target_mean
            scale[outputs] = np.sqrt(total.squares / total.weight)
        constant = scale <= 10 * np.finfo(float).eps * np.abs(mean)
        return mean, np.where(constant, 1.0, scale)

    def merged(self, other: "RidgeSums") -> "RidgeSums":
        """The sums over the rows of both; they are left as they are."""
        outputs, statistics = [], []
        for mine, a in zip(self.outputs, self.statistics, strict=True):
            for theirs, b in zip(other.outputs, other.statistics, strict=True):
                both = np.intersect1d(mine, theirs)
                if len(both):
                    total = a.select(np.searchsorted(mine, both))
                    total.merge(b.select(np.searchsorted(theirs, both)))
                    outputs.append(both)
                    statistics.append(total)
        return RidgeSums(outputs, statistics)

    def paths(self) -> list[RidgePath]:
        """The ridge solutions of each group, for every alpha; ValueError if one has no row."""
        for outputs, total in zip(self.outputs, self.statistics, strict=True):
            if total.n_rows == 0:
                which = "y" if self.n_outputs == 1 else f"y, output {outputs[0]}"
                raise ValueError(f"{which} has no value with a positive weight after the washout.")
        return [total.path() for total in self.statistics]

    def solve(
        self, paths: list[RidgePath], alpha: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients (n_outputs, n_features) and intercepts (n_outputs,)."""
        coef = np.empty((self.n_outputs, self.statistics[0].n_features))
        intercept = np.empty(self.n_outputs)
        for outputs, path in zip(self.outputs, paths, strict=True):
            # By hand: path.intercept would solve, and warn, once more.
            coef[outputs] = path.coef(alpha).T
            means = path.statistics
            intercept[outputs] = means.target_mean - coef[outputs] @ means.feature_mean
        return coef, intercept


def leave_one_out(
    paths: list[RidgePath],
    alphas: NDArray[np.float64],
    source: FeatureSource,
    targets: RidgeTargets,
) -> NDArray[np.float64]:
    """Mean squared leave-one-out error of each alpha, summed over outputs."""
    parts = source.fold(targets.update, lambda: [LeaveOneOut(path, alphas) for path in paths])
    found = [merged(group) for group in zip(*parts, strict=True)]
    return np.sum([f.errors.sum(axis=1) / f.path.statistics.weight for f in found], axis=0)
