"""Grid search that computes states once for all candidates with the same reservoir."""

from typing import Any, Self

from sklearn.utils import Tags, get_tags

from sklseq._compat.sklearn import OrderedGridSearchCV
from sklseq.reservoir._base import BaseESN
from sklseq.reservoir._shared_work import PENALTIES, sharing_work

__all__ = ["ESNSearchCV"]


class ESNSearchCV(OrderedGridSearchCV):
    """`GridSearchCV` for echo state networks that shares work between candidates.

    Candidates that differ in nothing but what comes after the states, `alpha` above all, share
    reservoir, states and sums: any number of penalties costs little more than one. Where a row
    is a sequence, folds share the states of sequences too. The estimator is an echo state
    network, or a pipeline that ends with one, with an integer as `random_state`: without one
    every fit draws a reservoir of its own and nothing can be shared. Results are those of
    `GridSearchCV`.

    Parameters
    ----------
    estimator : estimator
        Such as ``ESNRegressor(random_state=0)``.
    param_grid : dict or list of dict
        Values to try for each parameter.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As in `GridSearchCV`. Other processes share nothing: give `n_jobs` to the estimator
        instead.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_
        As of `GridSearchCV`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.reservoir import ESNRegressor, ESNSearchCV
    >>> X = np.random.default_rng(0).uniform(size=(300, 1))
    >>> y = np.roll(X[:, 0], 2)
    >>> grid = {"spectral_radius": [0.5, 0.9], "alpha": [1e-8, 1e-4, 1.0]}
    >>> search = ESNSearchCV(ESNRegressor(target="step", random_state=0), grid, cv=3).fit(X, y)
    >>> bool(search.best_score_ > 0.9)
    True
    """

    def __sklearn_tags__(self) -> Tags:
        tags, of_network = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = of_network.input_tags
        tags.target_tags.multi_output = of_network.target_tags.multi_output
        return tags

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Evaluate all candidates; as `GridSearchCV.fit`.

        Parameters
        ----------
        X, y, **params
            As of `GridSearchCV.fit`.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If `estimator` is no echo state network and holds none.
        """
        _check_network(self.estimator)
        with sharing_work():
            return super().fit(X, y, **params)

    def _similar(self, candidate: dict[str, Any]) -> str:
        """The settings of a candidate that change its states."""
        return repr([(k, v) for k, v in candidate.items() if k.split("__")[-1] not in PENALTIES])


def _check_network(estimator: Any) -> None:
    """Refuse an estimator in which there is no echo state network."""
    held = [estimator]
    if hasattr(estimator, "get_params") and not isinstance(estimator, type):
        held += estimator.get_params(deep=True).values()
    if not any(isinstance(part, BaseESN) for part in held):
        what = estimator if isinstance(estimator, type) else type(estimator)
        raise TypeError(
            f"estimator is a {what.__name__}: ESNSearchCV searches for an echo state network, or "
            "a pipeline that ends with one, as in ESNSearchCV(ESNRegressor(random_state=0), "
            '{"alpha": [1e-4, 1.0]}). For other estimators take GridSearchCV.'
        )
