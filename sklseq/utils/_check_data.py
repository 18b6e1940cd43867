"""Data that checks of sequence estimators are made of, and what they ask of results."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import set_random_state

from sklseq._compat.sklearn import constraints_of

METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
_LENGTHS = (5, 3, 8, 1, 5, 9, 2, 7, 4, 6, 8, 3)


def ragged_data(n_features: int = 2, lengths: Any = _LENGTHS) -> np.ndarray:
    rng = np.random.default_rng(0)
    X = np.empty(len(lengths), dtype=object)
    X[:] = [rng.normal(i % 2, 1, size=(n, n_features)) for i, n in enumerate(lengths)]
    return X


def dense_data() -> np.ndarray:
    return np.stack(list(ragged_data(lengths=(6,) * 10)))


def targets_for(estimator: Any, X: Any) -> Any:
    """A target for each sequence, or for each step if that is what the estimator predicts."""
    per_step = estimator.get_params().get("target") == "step"
    if is_classifier(estimator):
        if not per_step:
            return np.array(["low", "high"] * len(X))[: len(X)]
        return in_container_of(X, lambda x: np.where(x[..., 0] > 0.5, "high", "low"))
    if is_regressor(estimator):
        if not per_step:
            return np.array([np.mean(x) for x in X])
        return in_container_of(X, lambda x: x[..., 0])
    # Outputs of one step, for estimators of sequences alone; classes of generators are given.
    if get_tags(estimator).target_tags.required and "conditional" not in estimator.get_params():
        return np.arange(len(X)) % 2
    return None


def in_container_of(X: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(X, np.ndarray) and X.dtype != object:
        return function(X)
    y = np.empty(len(X), dtype=object)
    y[:] = [function(x) for x in X]
    return y


def fresh(estimator: Any, **params: Any) -> Any:
    """A clone with these settings, as far as it has such, and seed 0."""
    known = estimator.get_params()
    model = clone(estimator).set_params(**{k: v for k, v in params.items() if k in known})
    set_random_state(model, 0)
    return model


def fitted(estimator: Any, X: Any, y: Any = None, **params: Any) -> Any:
    model = fresh(estimator, **params)
    return model.fit(X, targets_for(model, X) if y is None else y)


def results_of(model: Any, X: Any) -> dict[str, Any]:
    return {name: getattr(model, name)(X) for name in METHODS if hasattr(model, name)}


def assert_close(model: Any, actual: Any, expected: Any, message: str, scale: float = 1.0) -> None:
    actual, expected = flattened(actual), flattened(expected)
    if actual.dtype.kind not in "fc":
        assert_array_equal(actual, expected, err_msg=message)
        return
    exact = model.get_params().get("dtype", "float64") == "float64"
    tolerance = 1e-12 if exact else 1e-6
    scale = max(1.0, scale, np.abs(expected).max())
    assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=message)


def flattened(result: Any) -> np.ndarray:
    result = np.asarray(result)
    if result.dtype == object and isinstance(result.flat[0], np.ndarray):
        return np.concatenate([np.ravel(r) for r in result])
    return result.ravel()


def name_of(estimator: Any) -> str:
    return type(estimator).__name__


def takes(estimator: Any, parameter: str, option: str) -> bool:
    """Whether one of a parameter's options is this string."""
    constraints = constraints_of(estimator)
    if constraints is None:  # not made with our decorator: the name must do
        return parameter in estimator.get_params()
    allowed = constraints.get(parameter, ())
    return any(option in getattr(constraint, "options", ()) for constraint in allowed)
