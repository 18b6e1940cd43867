"""Grid search that computes states once for all that can be learnt from them."""

from typing import Any

from sklearn.model_selection import GridSearchCV
from sklearn.utils import Tags, get_tags

from sklseq.reservoir._shared_work import PENALTIES, sharing_work

__all__ = ["ESNSearchCV"]


class ESNSearchCV(GridSearchCV):
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

    # scikit-learn asks for the parameters where they are declared.
    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: Any = None,
        refit: Any = True,
        cv: Any = None,
        verbose: Any = 0,
        pre_dispatch: Any = "2*n_jobs",
        error_score: Any = float("nan"),
        return_train_score: bool = False,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def __sklearn_tags__(self) -> Tags:
        tags, of_network = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = of_network.input_tags
        tags.target_tags.multi_output = of_network.target_tags.multi_output
        return tags

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        """Evaluate candidates with the same reservoir one after the other."""

        def one_reservoir_at_a_time(candidates: Any, **more: Any) -> Any:
            candidates = list(candidates)
            first = {_reservoir(c): i for i, c in reversed(list(enumerate(candidates)))}
            self._order = sorted(
                range(len(candidates)), key=lambda i: (first[_reservoir(candidates[i])], i)
            )
            return evaluate_candidates([candidates[i] for i in self._order], **more)

        with sharing_work():
            super()._run_search(one_reservoir_at_a_time, callback_ctx=callback_ctx)

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: Any, more_results: Any = None
    ) -> Any:
        """Give the results in the order of the grid."""
        place = sorted(range(len(self._order)), key=self._order.__getitem__)
        candidate_params = [candidate_params[i] for i in place]
        out = [out[i * n_splits + k] for i in place for k in range(n_splits)]
        del self._order
        return super()._format_results(candidate_params, n_splits, out, more_results)


def _reservoir(candidate: dict[str, Any]) -> str:
    """The settings of a candidate that change its states."""
    return repr([(k, v) for k, v in candidate.items() if k.split("__")[-1] not in PENALTIES])
