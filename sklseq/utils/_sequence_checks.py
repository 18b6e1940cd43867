"""Checks of estimators on what scikit-learn's own checks leave out: 3-D, ragged and symbol X."""

import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import set_random_state

__all__ = ["check_sequence_estimator", "sequence_checks"]

_METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
_LENGTHS = (5, 3, 8, 1, 5, 9, 2, 7, 4, 6, 8, 3)


def check_sequence_estimator(estimator: Any) -> None:
    """Check that an estimator treats sequences as this library promises.

    Beside `sklearn.utils.estimator_checks.check_estimator`, which knows tables only: dense and
    ragged containers give the same results, every sequence's result is its own, bad input is
    refused with the place of the fault, results repeat, and the usual tools work on ragged X.

    Parameters
    ----------
    estimator : estimator instance
        Not changed. Its settings should make it quick to fit.

    Raises
    ------
    AssertionError
        From the first check that fails.

    Examples
    --------
    >>> from sklseq.recurrent import RNNClassifier
    >>> from sklseq.utils import check_sequence_estimator
    >>> check_sequence_estimator(RNNClassifier(max_epochs=2, hidden_size=3))
    """
    for _, check in sequence_checks(estimator):
        check()


def sequence_checks(estimator: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    """The checks of `check_sequence_estimator` one by one, as pytest wants them.

    Parameters
    ----------
    estimator : estimator instance

    Yields
    ------
    name : str
    check : callable without arguments
    """
    checks = [
        check_containers_agree,
        check_results_come_in_the_container_of_X,
        check_each_sequence_on_its_own,
        check_repeatable_and_without_side_effects,
        check_pickle,
        check_model_selection,
        check_bad_sequences,
        check_bad_sequences_at_predict,
        check_small_and_constant,
    ]
    params = estimator.get_params()
    if "target" in params:
        checks += [check_one_series, check_panel_per_step, check_panel_frame]
    if "embedding_size" in params:
        checks.append(check_symbols)
    if is_classifier(estimator) or is_regressor(estimator):
        checks.append(check_bad_targets)
    for check in checks:
        yield check.__name__, partial(check, estimator)


# -- data ----------------------------------------------------------------------------------


def _sequences(n_features: int = 2, lengths: Any = _LENGTHS) -> np.ndarray:
    rng = np.random.default_rng(0)
    X = np.empty(len(lengths), dtype=object)
    X[:] = [rng.normal(i % 2, 1, size=(n, n_features)) for i, n in enumerate(lengths)]
    return X


def _dense() -> np.ndarray:
    return np.stack(list(_sequences(lengths=(6,) * 10)))


def _targets(estimator: Any, X: Any) -> Any:
    """A target for each sequence, or for each step if that is what the estimator predicts."""
    per_step = estimator.get_params().get("target") == "step"
    if is_classifier(estimator):
        if not per_step:
            return np.array(["low", "high"] * len(X))[: len(X)]
        return _like(X, lambda x: np.where(x[..., 0] > 0.5, "high", "low"))
    if is_regressor(estimator):
        if not per_step:
            return np.array([np.mean(x) for x in X])
        return _like(X, lambda x: x[..., 0])
    return None


def _like(X: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(X, np.ndarray) and X.dtype != object:
        return function(X)
    y = np.empty(len(X), dtype=object)
    y[:] = [function(x) for x in X]
    return y


def _fit(estimator: Any, X: Any, y: Any = None, **params: Any) -> Any:
    model = clone(estimator).set_params(**params)
    set_random_state(model, 0)
    return model.fit(X, _targets(model, X) if y is None else y)


def _results(model: Any, X: Any) -> dict[str, Any]:
    return {name: getattr(model, name)(X) for name in _METHODS if hasattr(model, name)}


def _assert_close(model: Any, actual: Any, expected: Any, message: str) -> None:
    actual, expected = _flat(actual), _flat(expected)
    if actual.dtype.kind not in "fc":
        assert_array_equal(actual, expected, err_msg=message)
        return
    exact = model.get_params().get("dtype", "float64") == "float64"
    tolerance = 1e-12 if exact else 1e-6
    scale = max(1.0, np.abs(expected).max())
    assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=message)


def _flat(result: Any) -> np.ndarray:
    result = np.asarray(result)
    if result.dtype == object and isinstance(result.flat[0], np.ndarray):
        return np.concatenate([np.ravel(r) for r in result])
    return result.ravel()


def _name(estimator: Any) -> str:
    return type(estimator).__name__


# -- checks --------------------------------------------------------------------------------


def check_containers_agree(estimator: Any) -> None:
    """A dense array, a list, a tuple and an object array are the same data."""
    X = _dense()
    y = _targets(estimator, X)
    expected = _results(_fit(estimator, X, y), X)
    objects = np.empty(len(X), dtype=object)
    objects[:] = list(X)
    for other in (list(X), tuple(X), objects, X.astype(np.float32).astype(np.float64)):
        if other is not objects and isinstance(other, np.ndarray):
            continue
        for name, result in _results(_fit(estimator, other, y), other).items():
            _assert_close(
                estimator, result, expected[name], f"{name} on {type(other).__name__} differs"
            )


def check_results_come_in_the_container_of_X(estimator: Any) -> None:
    """Rows are sequences, or steps in the container of X."""
    dense, ragged = _dense(), _sequences()
    per_step = estimator.get_params().get("target") == "step"
    for X in (dense, ragged):
        for name, result in _results(_fit(estimator, X), X).items():
            assert len(result) == len(X), f"{name} gives {len(result)} rows for {len(X)} sequences"
            if not per_step and not _keeps_steps(estimator):
                assert result.dtype != object or name == "predict"
            elif X is ragged:
                assert result.dtype == object, f"{name} of ragged X is not an object array"
                assert result.ndim == 1, f"{name} of ragged X is not 1-D"
                assert [len(r) for r in result] == [len(x) for x in X]
            else:
                assert result.shape[:2] == X.shape[:2], f"{name} of dense X is {result.shape}"


def _keeps_steps(estimator: Any) -> bool:
    """Whether a transformer gives a sequence for each sequence whatever its target is."""
    return hasattr(estimator, "transform") and not hasattr(estimator, "get_feature_names_out")


def check_each_sequence_on_its_own(estimator: Any) -> None:
    """One by one, in another order, or beside longer ones: the results are the same."""
    X = _sequences()
    model = _fit(estimator, X)
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = _results(model, X[order])
    for name, together in _results(model, X).items():
        method = getattr(model, name)
        alone = [method(X[i : i + 1])[0] for i in range(len(X))]
        message = f"{_name(model)}.{name} depends on "
        for i, result in enumerate(alone):
            _assert_close(model, result, together[i], message + "the other sequences in the batch")
        for i, k in enumerate(order):
            _assert_close(model, shuffled[name][i], together[k], message + "the order of sequences")


def check_repeatable_and_without_side_effects(estimator: Any) -> None:
    """The same seed gives the same bits; X and the global generator are as before."""
    X = _sequences()
    before = [x.copy() for x in X]
    np_state: Any = np.random.get_state()  # noqa: NPY002
    np_state = np_state[1].copy()
    model = _fit(estimator, X)
    first, second = _results(model, X), _results(_fit(estimator, X), X)
    for name, result in first.items():
        assert_array_equal(_flat(result), _flat(second[name]), err_msg=f"{name} does not repeat")
    for x, old in zip(X, before, strict=True):
        assert_array_equal(x, old, err_msg="X was changed")
    now: Any = np.random.get_state()  # noqa: NPY002
    assert_array_equal(now[1], np_state, err_msg="numpy's generator was used")
    params = clone(estimator).get_params()
    for name, value in model.get_params().items():
        if name != "random_state" and np.isscalar(value):
            assert value == params[name], f"fit changed the parameter {name}"


def check_pickle(estimator: Any) -> None:
    """A pickled copy gives the same bits."""
    X = _sequences()
    model = _fit(estimator, X)
    copy = pickle.loads(pickle.dumps(model))
    for name, result in _results(model, X).items():
        assert_array_equal(_flat(result), _flat(getattr(copy, name)(X)))


def check_model_selection(estimator: Any) -> None:
    """Pipeline, cross-validated predictions and grid search take ragged X."""
    X = _sequences()
    y = _targets(estimator, X)
    pipeline = make_pipeline(clone(estimator))
    cv = KFold(3)  # the stratified default cannot read ragged labels
    if hasattr(estimator, "predict"):
        predicted = cross_val_predict(pipeline, X, y, cv=cv)
        assert len(predicted) == len(X)
    if hasattr(estimator, "score"):
        name = next(iter(sorted(estimator.get_params(deep=False))))
        grid = {f"{_name(estimator).lower()}__{name}": [estimator.get_params()[name]]}
        search = GridSearchCV(pipeline, grid, cv=cv, error_score="raise").fit(X, y)
        assert np.isfinite(search.best_score_)


def _assert_refuses(call: Callable[[], Any], *words: str) -> None:
    try:
        call()
    except (ValueError, TypeError) as error:
        message = str(error)
        missing = [word for word in words if word not in message]
        assert not missing, f"the message does not say {missing}: {message}"
    else:
        raise AssertionError(f"bad input was accepted; expected an error that says {words}")


def _broken() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Bad X by what is wrong with it, and the words that tell where."""
    good = list(_sequences())
    nan = [x.copy() for x in good]
    nan[5][3, 1] = np.nan
    infinite = [x.copy() for x in good]
    infinite[2][1, 0] = -np.inf
    words = [x.astype(object) for x in good]
    words[4][2, 1] = "two"
    return {
        "nan": (nan, ("sequence 5", "step 3", "feature 1", "NaN")),
        "infinity": (infinite, ("sequence 2", "step 1", "feature 0", "infinity")),
        "empty": ([*good[:3], np.empty((0, 2)), *good[4:]], ("sequence 3", "empty")),
        "ragged features": ([*good[:7], good[7][:, :1], *good[8:]], ("sequence 7", "1 features")),
        "strings": (words, ("sequence 4", "step 2", "feature 1", "two")),
        "nothing": ([], ("0 sample",)),
        "four axes": (np.zeros((2, 2, 2, 2)), ("dim 4",)),
    }


def check_bad_sequences(estimator: Any) -> None:
    """What `fit` refuses, it refuses with the place of the fault."""
    y = _targets(estimator, _sequences())
    for kind, (X, words) in _broken().items():
        if kind == "nan" and get_tags(estimator).input_tags.allow_nan:
            continue
        _assert_refuses(partial(_fit, estimator, X, y), *words)


def check_bad_sequences_at_predict(estimator: Any) -> None:
    """So do the other methods; and another number of features is an error."""
    model = _fit(estimator, _sequences())
    assert model.n_features_in_ == 2
    broken = _broken() | {"features": (_sequences(3), ("3 features", "expecting 2"))}
    for name in _METHODS:
        if not hasattr(model, name):
            continue
        for kind, (X, words) in broken.items():
            if kind == "nan" and get_tags(estimator).input_tags.allow_nan:
                continue
            _assert_refuses(partial(getattr(model, name), X), *words)


def check_small_and_constant(estimator: Any) -> None:
    """Two sequences, a one-step sequence, constant features: finite results or a clear error."""
    two = _sequences(lengths=(4, 2))
    one_step = _sequences(lengths=(1, 1, 1, 1))
    constant = [np.ones((n, 2)) for n in (3, 5, 4, 2)]
    for X in (two, one_step, constant):
        try:
            model = _fit(estimator, X)
        except ValueError:
            continue
        for name, result in _results(model, X).items():
            flat = _flat(result)
            assert flat.dtype.kind not in "fc" or np.isfinite(flat).all(), f"{name} is not finite"


def check_one_series(estimator: Any) -> None:
    """With ``target="step"`` a table is one series, and results are a row a step."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = _fit(estimator, X, target="step")
    assert model.n_features_in_ == 2
    for name, result in _results(model, X).items():
        assert len(result) == 30, f"{name} gives {len(result)} rows for 30 steps"
        panel = getattr(model, name)([X])
        _assert_close(model, panel, result, f"{name} of a list of one series differs")


def check_panel_per_step(estimator: Any) -> None:
    """All checks of containers hold per step too."""
    per_step = clone(estimator).set_params(target="step")
    check_results_come_in_the_container_of_X(per_step)
    check_each_sequence_on_its_own(per_step)
    check_model_selection(per_step)


def check_panel_frame(estimator: Any) -> None:
    """A DataFrame with a (sequence, time) MultiIndex is the list of its sequences."""
    try:
        import pandas as pd
    except ImportError:
        return
    X = _sequences()
    index = [(f"s{i}", t) for i, x in enumerate(X) for t in range(len(x))]
    names = ["a", "b"]
    frame = pd.DataFrame(
        np.concatenate(list(X)), index=pd.MultiIndex.from_tuples(index), columns=names
    )
    expected = _results(_fit(estimator, X), X)
    model = _fit(estimator, frame, _targets(estimator, X))
    assert_array_equal(model.feature_names_in_, names)
    for name, result in _results(model, frame).items():
        _assert_close(model, result, expected[name], f"{name} of a DataFrame differs")
    _assert_refuses(lambda: _results(model, frame[["b", "a"]]), "feature names")
    _assert_refuses(partial(_fit, estimator, frame.iloc[::-1], expected), "sort_index")


def check_symbols(estimator: Any) -> None:
    """Strings are symbols, integers too where they are embedded; new ones are known as such."""
    words = ["abc", "b", "cab", "aa", "bcb", "ca"]
    codes = [[ord(c) for c in word] for word in words]
    y = _targets(estimator, words) if is_classifier(estimator) else np.arange(len(words))
    expected = _results(_fit(estimator, words, y, embedding_size=4), words)
    for other in ([list(w) for w in words], [np.array(list(w)) for w in words], codes):
        model = _fit(estimator, other, y, embedding_size=4)
        for name, result in _results(model, other).items():
            _assert_close(model, result, expected[name], f"{name} of {type(other[0])} differs")
    model = _fit(estimator, words, y)
    for name, result in _results(model, ["abz", "zz"]).items():
        assert len(result) == 2, f"{name} fails on an unknown symbol"
    _assert_refuses(partial(_fit, estimator, ["ab", ["a", 1.5]], y[:2]), "sequence 1", "step 1")
    _assert_refuses(lambda: _results(model, _sequences()[:2]), "symbols", "numbers")


def check_bad_targets(estimator: Any) -> None:
    """Targets that do not fit X, weights that are all zero, one class."""
    X = _sequences()
    y = _targets(estimator, X)
    _assert_refuses(partial(_fit, estimator, X, y[:-1]), "inconsistent")
    _assert_refuses(lambda: clone(estimator).fit(X, None), "requires y")
    _assert_refuses(lambda: clone(estimator).fit(X, y, sample_weight=np.zeros(len(X))), "zero")
    if is_classifier(estimator):
        _assert_refuses(partial(_fit, estimator, X, ["a"] * len(X)), "class")
    if "target" in estimator.get_params():
        per_step = clone(estimator).set_params(target="step")
        short = _targets(per_step, X)
        short[5] = short[5][:-2]
        _assert_refuses(partial(_fit, per_step, X, short), "sequence 5", "7 values", "9 steps")
