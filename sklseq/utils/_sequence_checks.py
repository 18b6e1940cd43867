"""Checks of estimators on what scikit-learn's own checks leave out: 3-D, ragged and symbol X."""

import pickle
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from sklseq._compat.sklearn import InvalidParameterError
from sklseq.utils._bad_input_checks import (
    assert_refuses,
    check_bad_sequences,
    check_bad_sequences_at_predict,
    check_bad_table,
    check_bad_targets,
)
from sklseq.utils._check_data import (
    assert_close,
    dense_data,
    fitted,
    flattened,
    name_of,
    ragged_data,
    results_of,
    takes,
    targets_for,
)

__all__ = ["check_sequence_estimator", "sequence_checks"]


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
        check_bad_table,
        check_small_and_constant,
    ]
    if takes(estimator, "target", "step"):
        checks += [check_one_series, check_panel_per_step, check_panel_frame]
    if "embedding_size" in estimator.get_params():
        checks.append(check_symbol_sequences)
    if is_classifier(estimator) or is_regressor(estimator):
        checks.append(check_bad_targets)
    for check in checks:
        yield check.__name__, partial(check, estimator)


def check_containers_agree(estimator: Any) -> None:
    """A dense array, a list, a tuple and an object array are the same data."""
    X = dense_data()
    y = targets_for(estimator, X)
    expected = results_of(fitted(estimator, X, y), X)
    objects = np.empty(len(X), dtype=object)
    objects[:] = list(X)
    for other in (list(X), tuple(X), objects):
        for name, result in results_of(fitted(estimator, other, y), other).items():
            assert_close(
                estimator, result, expected[name], f"{name} on {type(other).__name__} differs"
            )


def check_results_come_in_the_container_of_X(estimator: Any) -> None:
    """Rows are sequences, or steps in the container of X."""
    dense, ragged = dense_data(), ragged_data()
    per_step = estimator.get_params().get("target") == "step"
    for X in (dense, ragged):
        for name, result in results_of(fitted(estimator, X), X).items():
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
    return hasattr(estimator, "transform") and not hasattr(estimator, "set_output")


def check_each_sequence_on_its_own(estimator: Any) -> None:
    """One by one, in another order, or beside longer ones: the results are the same."""
    X = ragged_data()
    model = fitted(estimator, X)
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = results_of(model, X[order])
    for name, together in results_of(model, X).items():
        method = getattr(model, name)
        alone = [method(X[i : i + 1])[0] for i in range(len(X))]
        message = f"{name_of(model)}.{name} depends on "
        # A score less the offset is as exact as these two.
        scale = abs(getattr(model, "offset_", 1.0)) if name == "decision_function" else 1.0
        for i, result in enumerate(alone):
            what = message + "the other sequences in the batch"
            assert_close(model, result, together[i], what, scale)
        for i, k in enumerate(order):
            what = message + "the order of sequences"
            assert_close(model, shuffled[name][i], together[k], what, scale)


def check_repeatable_and_without_side_effects(estimator: Any) -> None:
    """The same seed gives the same bits; X and the global generator are as before."""
    X = ragged_data()
    before = [x.copy() for x in X]
    np_state: Any = np.random.get_state()  # noqa: NPY002
    np_state = np_state[1].copy()
    model = fitted(estimator, X)
    first, second = results_of(model, X), results_of(fitted(estimator, X), X)
    for name, result in first.items():
        assert_array_equal(
            flattened(result), flattened(second[name]), err_msg=f"{name} does not repeat"
        )
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
    X = ragged_data()
    model = fitted(estimator, X)
    copy = pickle.loads(pickle.dumps(model))
    for name, result in results_of(model, X).items():
        assert_array_equal(flattened(result), flattened(getattr(copy, name)(X)))


def check_model_selection(estimator: Any) -> None:
    """Pipeline, cross-validated predictions and grid search take ragged X."""
    X = ragged_data()
    y = targets_for(estimator, X)
    pipeline = make_pipeline(clone(estimator))
    cv = KFold(3)  # the stratified default cannot read ragged labels
    if hasattr(estimator, "predict"):
        predicted = cross_val_predict(pipeline, X, y, cv=cv)
        assert len(predicted) == len(X)
    if hasattr(estimator, "score"):
        name = next(iter(sorted(estimator.get_params(deep=False))))
        grid = {f"{name_of(estimator).lower()}__{name}": [estimator.get_params()[name]]}
        search = GridSearchCV(pipeline, grid, cv=cv, error_score="raise").fit(X, y)
        assert np.isfinite(search.best_score_)


def check_small_and_constant(estimator: Any) -> None:
    """Two sequences, one-step sequences, constant features: finite results or a clear error."""
    data = {
        "two sequences": ragged_data(lengths=(4, 2)),
        "one step": ragged_data(lengths=(1, 1, 1, 1)),
        "constant": [np.ones((n, 2)) for n in (3, 5, 4, 2)],
    }
    for kind, X in data.items():
        try:
            model = fitted(estimator, X)
        except InvalidParameterError:
            raise
        except ValueError as error:
            about_data = re.search("step|sequence|constant|sample", str(error))
            if not about_data:
                raise AssertionError(f"{kind}: the message does not say what is wrong") from error
            continue
        for name, result in results_of(model, X).items():
            flat = flattened(result)
            assert flat.dtype.kind not in "fc" or np.isfinite(flat).all(), f"{name} is not finite"


def check_one_series(estimator: Any) -> None:
    """With ``target="step"`` a table is one series, and results are a row a step."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = fitted(estimator, X, target="step")
    assert model.n_features_in_ == 2
    for name, result in results_of(model, X).items():
        assert len(result) == 30, f"{name} gives {len(result)} rows for 30 steps"
        panel = getattr(model, name)([X])
        assert_close(model, panel, result, f"{name} of a list of one series differs")


def check_panel_per_step(estimator: Any) -> None:
    """All checks of containers hold per step too."""
    per_step = clone(estimator).set_params(target="step")
    check_results_come_in_the_container_of_X(per_step)
    check_each_sequence_on_its_own(per_step)
    check_model_selection(per_step)


def check_panel_frame(estimator: Any) -> None:
    """A DataFrame with a (sequence, time) MultiIndex is the list of its sequences.

    Where rows are sequences, a table of features has a row for each, named after it.
    """
    try:
        import pandas as pd
    except ImportError:
        return
    X = ragged_data()
    index = [(f"s{i}", t) for i, x in enumerate(X) for t in range(len(x))]
    names = ["a", "b"]
    frame = pd.DataFrame(
        np.concatenate(list(X)), index=pd.MultiIndex.from_tuples(index), columns=names
    )
    expected = results_of(fitted(estimator, X), X)
    model = fitted(estimator, frame, targets_for(estimator, X))
    assert_array_equal(model.feature_names_in_, names)
    for name, result in results_of(model, frame).items():
        assert_close(model, result, expected[name], f"{name} of a DataFrame differs")
    if hasattr(model, "set_output"):
        with_names = model.set_output(transform="pandas").transform(frame)
        assert list(with_names.index) == [f"s{i}" for i in range(len(X))]
        assert_array_equal(with_names.columns, model.get_feature_names_out())
    assert_refuses(lambda: results_of(model, frame[["b", "a"]]), "feature names")
    assert_refuses(
        partial(fitted, estimator, frame.iloc[::-1], targets_for(estimator, X)), "sort_index"
    )


def check_symbol_sequences(estimator: Any) -> None:
    """Strings are symbols, integers too where they are embedded; new ones are known as such."""
    words = ["abc", "b", "cab", "aa", "bcb", "ca"]
    codes = [[ord(c) for c in word] for word in words]
    y = targets_for(estimator, words) if is_classifier(estimator) else np.arange(len(words))
    expected = results_of(fitted(estimator, words, y, embedding_size=4), words)
    for other in ([list(w) for w in words], [np.array(list(w)) for w in words], codes):
        model = fitted(estimator, other, y, embedding_size=4)
        for name, result in results_of(model, other).items():
            assert_close(model, result, expected[name], f"{name} of {type(other[0])} differs")
    model = fitted(estimator, words, y)
    for name, result in results_of(model, ["abz", "ca"]).items():
        assert len(result) == 2, f"{name} fails on an unknown symbol"
    assert_refuses(partial(fitted, estimator, ["ab", ["a", 1.5]], y[:2]), "sequence 1", "step 1")
    assert_refuses(lambda: results_of(model, ragged_data()[:2]), "symbols", "numbers")
