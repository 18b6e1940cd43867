"""The outlier interface of every estimator that scores rows."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin

from sklseq.base.estimator import Estimator
from sklseq.base.index import check_index
from sklseq.base.parameters import attribute, choice, estimator, param, real
from sklseq.base.tables import of_table
from sklseq.base.target_rows import read_weights

__all__ = ["OutlierDetector"]


@estimator
class OutlierDetector(OutlierMixin, Estimator):
    """`decision_function`, `predict` and `score` from `score_samples`; comes first in the bases.

    The estimator calls `_set_offset` at the end of `fit`.
    """

    contamination: float | str = param(
        0.1,
        "Share of the training rows, by weight, that `predict` calls outliers; it sets `offset_` "
        "and nothing else. 'auto' calls those outliers that are below Tukey's lower fence: the "
        "first quartile of the scores less 1.5 times the distance of the quartiles.",
        real(0, 0.5, "right"),
        choice("auto"),
    )

    _attributes = {
        "offset_": attribute(
            "float", "Threshold of `score_samples`: rows below it are outliers; see `predict`."
        )
    }

    if TYPE_CHECKING:  # not an annotation at run time: it would become a parameter
        offset_: float

    @abstractmethod
    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Score of each row, larger for what is more normal."""

    def _set_offset(self, scores: NDArray[Any], weights: NDArray[np.float64]) -> None:
        """Put `offset_` where `contamination` of the weight lies below it.

        It lies halfway between two rows' scores, so that rounding moves no training row across.
        """
        counted = weights > 0

        def quantile(share: Any) -> Any:
            return np.quantile(
                scores[counted], share, weights=weights[counted], method="inverted_cdf"
            )

        if self.contamination == "auto":
            first, third = quantile([0.25, 0.75])
            self.offset_ = float(first - 1.5 * (third - first))
            return
        below = quantile(self.contamination)
        above = scores[counted & (scores > below)]
        self.offset_ = float((below + above.min()) / 2 if len(above) else below)

    def decision_function(self, X: Any) -> NDArray[Any]:
        """``score_samples(X) - offset_``: negative for outliers.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.score_samples(X)  # which looks whether there was a fit
        return scores - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """+1 for inliers, -1 for outliers.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def fit_predict(self, X: Any, y: Any = None, **fit_params: Any) -> NDArray[np.int64]:
        """Fit, and +1 for inliers, -1 for outliers among the rows of X.

        Parameters
        ----------
        X, y
            As in `fit`.
        **fit_params : object
            Other arguments of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self.fit(X, y, **fit_params).predict(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean of ``score_samples(X)``: larger is better, as `GridSearchCV` expects.

        Parameters
        ----------
        X : as in `fit`
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,) or None, default=None

        Returns
        -------
        float
        """
        check_index(X, sample_weight=sample_weight)
        scores = self.score_samples(X)
        weights = read_weights(sample_weight, of_table(len(scores)))
        return float(np.average(scores, weights=weights))
