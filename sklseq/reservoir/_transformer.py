"""States of a reservoir as features."""

from typing import Any, Self

from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklseq._compat.sklearn import fit_context
from sklseq.base import estimator
from sklseq.base.sequences import SequenceTransformer
from sklseq.reservoir._base import PoolingESN
from sklseq.reservoir._threads import one_blas_thread

__all__ = ["ESNTransformer"]


@estimator
class ESNTransformer(SequenceTransformer, PoolingESN):
    """Turn sequences, or their steps, into the states of a random recurrent network.

    Nothing is learned: `fit` draws the reservoir for the number of features of X. `transform`
    gives its states, pooled over the steps with ``target="sequence"``.

    References
    ----------
    .. [1] Jaeger et al. (2007). "Optimization and applications of echo state networks with
       leaky-integrator neurons". Neural Networks 20; section 5 for slices.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.reservoir import ESNTransformer
    >>> X = [np.sin(0.3 * np.arange(n)) for n in (10, 25, 17)]
    >>> ESNTransformer(reservoir_size=20, random_state=0).fit_transform(X).shape
    (3, 20)
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the reservoir.

        Parameters
        ----------
        X : sequences
            {{X: sequences}} {{X: one series}}
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or a parameter is not valid, or a sequence is not longer than the washout; the
            estimator is then as it was before.
        """
        self._refuse_data_as_y(y)
        with self._fitting(X), one_blas_thread():
            self._read_training(X, fresh=True)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """States of the reservoir.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_sequences, n_features_out)
            With ``target="step"``: ``(n_sequences, n_steps, n_features_out)``, ``(n_steps,
            n_features_out)`` for one series, or an object array of them for ragged X, the
            washout included.
        """
        check_is_fitted(self)
        sequences = self._read_steps(X, reset=False)
        with one_blas_thread():
            return self._as_output(X, sequences, self._source(sequences).table())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [self.dtype]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self._n_columns
