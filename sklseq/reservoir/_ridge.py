"""Ridge regression from features to targets, by sums that can be merged."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base import attribute, choice, estimator, param, real
from sklseq.reservoir._shared_work import shared
from sklseq.reservoir._sums import Source, Targets, TargetSums, leave_one_out
from sklseq.ridge import RidgePath

__all__ = ["RidgeReadout"]

_GCV_ALPHAS = {"eigen": np.logspace(-12, 4, 33), "qr": np.logspace(-20, 4, 49)}


@estimator
class RidgeReadout:
    """Ridge regression of targets on features that come in blocks."""

    alpha: Any = param(
        0.1,
        "Ridge penalty: minimised is the squared error, summed over rows, plus `alpha` times the "
        "squared coefficients. An array chooses the best of several by exact leave-one-out, "
        "which runs the reservoir twice with target='step'; 'gcv' chooses among 33 from 1e-12 "
        "(49 from 1e-20 with ``solver='qr'``) to 1e4 by generalised cross-validation, which costs "
        "nothing.",
        real(0),
        "array-like",
        choice("gcv"),
    )

    solver: str = param(
        "eigen",
        "How the ridge is solved: 'eigen' adds up products of the features, which is fast but "
        "squares their condition number, so that penalties below about 1e-14 of their sum of "
        "squares have no effect; 'qr' updates a triangle instead, for three to four times the work "
        "and twice the digits: for targets that can be predicted to more than six digits.",
        choice("eigen", "qr"),
    )

    _attributes = {"alpha_": attribute("float", "The ridge penalty used.")}

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        coef_: Any
        intercept_: Any
        _sums: TargetSums

    def _learn_ridge(
        self, source: Source, targets: Targets, n_features: int, data: Any, fresh: bool = True
    ) -> None:
        """Fit to the rows of a source, together with all earlier ones unless `fresh`.

        Parameters
        ----------
        source : callable
            Gives its consumer blocks ``(rows, features)``, as often as called.
        targets : Targets
            Of those rows.
        n_features : int
            Columns of the features.
        data : object
            What the rows and targets were made from, which tells whether they are the same again.
        """
        alphas = self._alphas()
        if not fresh:
            self._refuse_grid("partial_fit")
            self._check_solver()

        def sum_up() -> tuple[TargetSums, list[RidgePath]]:
            sums = TargetSums.of(source, targets, n_features, self.solver)
            sums = sums if fresh else self._sums.merged(sums)
            return sums, sums.paths()

        self._sums, paths = shared(self, "sums", data, sum_up) if fresh else sum_up()
        self._solve(paths, alphas, source, targets)

    def _solve(
        self,
        paths: list[RidgePath],
        alphas: Any,
        source: Source | None = None,
        targets: Targets | None = None,
    ) -> None:
        """Coefficients of the sums so far; a grid needs the rows once more."""
        if isinstance(alphas, float):
            self.alpha_ = alphas
        else:
            if source is None or targets is None or isinstance(self.alpha, str):
                found = [p.generalized_cross_validation(alphas).sum(axis=1) for p in paths]
                errors = np.sum(found, axis=0)
            else:
                errors = leave_one_out(paths, alphas, source, targets)
            # Where no row can be told from the others, the strongest penalty is the safest.
            finite = np.isfinite(errors).any()
            self.alpha_ = float(alphas[np.argmin(errors)] if finite else alphas.max())
        self._set_coefficients(*self._sums.solve(paths, self.alpha_))

    def _set_coefficients(self, coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> None:
        """Keep coefficients (n_outputs, n_features) and intercepts (n_outputs,)."""
        self.coef_, self.intercept_ = coef, intercept

    def _alphas(self) -> float | NDArray[np.float64]:
        """The penalty, or those to choose from."""
        if isinstance(self.alpha, str):
            return _GCV_ALPHAS[self.solver]
        try:
            alphas = np.asarray(self.alpha, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"alpha={self.alpha!r} holds something that is no number.") from error
        if alphas.ndim > 1 or alphas.size == 0 or not (np.isfinite(alphas) & (alphas >= 0)).all():
            raise ValueError(
                f"alpha={self.alpha!r}: it must be 'gcv', a number at least 0, or an array "
                "(n_alphas,) of such numbers."
            )
        return alphas if alphas.ndim else float(alphas)

    def _check_solver(self) -> None:
        if self._sums.solver != self.solver:
            raise ValueError(
                f"solver={self.solver!r}, but this {type(self).__name__} was fitted with "
                f"{self._sums.solver!r}: set it back, or fit anew."
            )

    def _refuse_grid(self, method: str) -> None:
        if not isinstance(self.alpha, str) and np.ndim(self.alpha):
            raise ValueError(
                f"alpha={self.alpha!r} is chosen by leaving out each row, but {method} does not "
                "see all rows: give a number or 'gcv', which needs the sums alone."
            )
