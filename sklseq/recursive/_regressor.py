"""Regressor of trees, nodes and pairs of trees."""

from typing import Any

from numpy.typing import NDArray

from sklseq.base import estimator
from sklseq.parts.supervised import NeuralRegressor
from sklseq.recursive._supervised import SupervisedRecursive

__all__ = ["RecursiveRegressor"]


@estimator
class RecursiveRegressor(NeuralRegressor, SupervisedRecursive):
    """Predict real values of trees, of their nodes, or of pairs of trees by a recursive network.

    Trees are read as by `RecursiveClassifier`. The network is trained to minimize `loss`, by
    default the squared error of y scaled to unit variance.

    References
    ----------
    .. [1] Tai, Socher and Manning (2015). "Improved semantic representations from tree-structured
       long short-term memory networks". ACL.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.recursive import RecursiveRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = [("+", a, ("-", b)) for a, b in rng.uniform(size=(200, 2))]
    >>> y = [a - b for _, a, (_, b) in X]
    >>> model = RecursiveRegressor(hidden_size=8, learning_rate=0.02, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    def _explained(self, whole: NDArray[Any], outputs: NDArray[Any]) -> NDArray[Any]:
        return self._unscaled(outputs)
