"""Permutation importance of features and of steps, of any container of sequences."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklseq.data import Sequences, is_table, read_sequences
from sklseq.inspection.models import inner

__all__ = ["sequence_permutation_importance"]

Array = NDArray[Any]


def sequence_permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    unit: str = "feature",
    scoring: Any = None,
    n_repeats: int = 5,
    random_state: Any = None,
    **score_params: Any,
) -> Bunch:
    """How much a score falls when a feature, or a step, no longer goes with its sequence.

    As scikit-learn's :func:`~sklearn.inspection.permutation_importance`, for sequences (Breiman
    2001 [1]_). A feature is taken as a whole: each sequence gets the feature of another one, all of
    its steps in their order, repeated or cut where that is of another length. A step is taken with
    all of its features, from the sequences that have one of its number. Of a single series,
    features are shuffled in time.

    Parameters
    ----------
    estimator : estimator instance
        Any fitted estimator that takes X, also a pipeline or search as a whole.
    X : sequences
        Numbers: an array of shape (n_sequences, n_steps, n_features), a list or object array of
        arrays of shape (n_steps, n_features) or (n_steps,), or an array of shape (n_sequences,
        n_steps) of univariate sequences; with ``target="step"`` also one series, of shape (n_steps,
        n_features). They should not be those of `fit`.
    y : array-like
        Targets, as in `score`.
    unit : {"feature", "step"}, default="feature"
        What is permuted.
    scoring : str, callable or None, default=None
        As in scikit-learn, one score; None takes the estimator's `score`.
    n_repeats : int, default=5
        Number of permutations of each feature, or step.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.
    **score_params
        Handed on to the scorer, such as ``sample_weight`` or ``context``.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        importances : ndarray of shape (n_features, n_repeats)
            The score less that with the feature permuted; with ``unit="step"`` a row for each step
            of the longest sequence.
        importances_mean, importances_std : ndarray of shape (n_features,)
            Mean and standard deviation over the repeats.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If X holds symbols, or cannot be permuted as it is.
    ValueError
        If X or an argument is not valid.

    See Also
    --------
    step_importance : What single predictions owe to steps and features.

    References
    ----------
    .. [1] Breiman (2001). "Random forests". Machine Learning 45, section 10.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import sequence_permutation_importance
    >>> from sklseq.recurrent import GRURegressor
    >>> X = np.random.default_rng(0).normal(size=(100, 6, 2))
    >>> y = X[:, :, 1].sum(axis=1)
    >>> model = GRURegressor(hidden_size=16, random_state=0).fit(X, y)
    >>> result = sequence_permutation_importance(model, X, y, random_state=0)
    >>> int(result.importances_mean.argmax())
    1
    """
    if unit not in ("feature", "step"):
        raise ValueError(f"unit={unit!r} must be 'feature' or 'step'.")
    if isinstance(n_repeats, bool) or not isinstance(n_repeats, (int, np.integer)) or n_repeats < 1:
        raise ValueError(f"n_repeats={n_repeats!r} must be a whole number of at least 1.")
    check_is_fitted(estimator)
    score, rng = check_scoring(estimator, scoring), check_random_state(random_state)
    data = _read(estimator, X)
    if len(data) == 1 and unit == "step":
        raise ValueError("X is one sequence: there is no other that a step could come from.")
    n = data.steps.shape[1] if unit == "feature" else int(data.lengths.max())
    permuted = _with_feature if unit == "feature" else _with_step
    whole = score(estimator, X, y, **score_params)
    importances = np.empty((n, n_repeats))
    for k in range(n):
        for repeat in range(n_repeats):
            steps = permuted(data, k, rng)
            importances[k, repeat] = whole - score(
                estimator, _as_given(X, data, steps), y, **score_params
            )
    return Bunch(
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        importances=importances,
    )


def _read(estimator: Any, X: Any) -> Sequences:
    if hasattr(X, "columns"):
        raise TypeError(
            "X is a DataFrame: give its values as an array of shape (n_sequences, n_steps, "
            "n_features), or as a list of arrays."
        )
    if is_table(X):
        table = np.asarray(X, dtype=float)
        if getattr(inner(estimator), "target", None) == "step":
            return Sequences(table, np.array([len(table)]), "series")
        return Sequences(table.reshape(-1, 1), np.full(len(table), table.shape[1]), "dense")
    data = read_sequences(X, allow_nan=True)
    if data.symbolic:
        raise TypeError("X holds symbols, which have no features: take step_importance.")
    return data


def _with_feature(data: Sequences, feature: int, rng: Any) -> Array:
    """Steps in which each sequence has a feature of another."""
    steps = data.steps.copy()
    if len(data) == 1:
        steps[:, feature] = rng.permutation(steps[:, feature])
        return steps
    parts = np.split(data.steps[:, feature], data.starts[1:])
    others = [parts[i] for i in rng.permutation(len(parts))]
    steps[:, feature] = np.concatenate(
        [np.resize(other, len(part)) for part, other in zip(parts, others, strict=True)]
    )
    return steps


def _with_step(data: Sequences, step: int, rng: Any) -> Array:
    """Steps in which each sequence has one step of another."""
    steps = data.steps.copy()
    places = data.starts[data.lengths > step] + step
    steps[places] = data.steps[rng.permutation(places)]
    return steps


def _as_given(X: Any, data: Sequences, steps: Array) -> Any:
    """Other steps in the container of X."""
    if isinstance(X, np.ndarray) and X.dtype != object:
        return steps.reshape(X.shape)
    if is_table(X):
        return steps.reshape(len(X), -1)
    parts = np.split(steps, data.starts[1:])
    given = np.empty(len(parts), dtype=object)
    given[:] = [part.reshape(np.shape(x)) for part, x in zip(parts, X, strict=True)]
    return given
