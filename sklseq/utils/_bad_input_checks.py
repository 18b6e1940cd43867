"""Checks that what is wrong with sequences or targets is refused, with the place of the fault."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import get_tags

from sklseq.utils._check_data import METHODS, dense_data, fitted, ragged_data, takes, targets_for


def assert_refuses(call: Callable[[], Any], *words: str) -> None:
    try:
        call()
    except (ValueError, TypeError) as error:
        message = str(error)
        missing = [word for word in words if word not in message]
        assert not missing, f"the message does not say {missing}: {message}"
    else:
        raise AssertionError(f"bad input was accepted; expected an error that says {words}")


def _broken() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Bad X by what is wrong with it, and words of the message that name the place."""
    good = list(ragged_data())
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
    y = targets_for(estimator, ragged_data())
    for kind, (X, words) in _broken().items():
        if kind == "nan" and get_tags(estimator).input_tags.allow_nan:
            continue
        assert_refuses(partial(fitted, estimator, X, y), *words)


def check_bad_sequences_at_predict(estimator: Any) -> None:
    """So do the other methods; and another number of features is an error."""
    model = fitted(estimator, ragged_data())
    assert model.n_features_in_ == 2
    broken = _broken() | {"features": (ragged_data(3), ("3 features", "expecting 2"))}
    for name in METHODS:
        if not hasattr(model, name):
            continue
        for kind, (X, words) in broken.items():
            if kind == "nan" and get_tags(estimator).input_tags.allow_nan:
                continue
            assert_refuses(partial(getattr(model, name), X), *words)


def check_bad_table(estimator: Any) -> None:
    """A table, one univariate sequence a row, is refused with the place of its fault too."""
    table = dense_data()[..., 0]
    y = targets_for(estimator, table)
    broken = table.copy()
    broken[4, 2] = np.nan
    model = fitted(estimator, table, y)
    calls = [getattr(model, name) for name in METHODS if hasattr(model, name)]
    if not get_tags(estimator).input_tags.allow_nan:
        for call in (partial(fitted, estimator, y=y), *calls):
            assert_refuses(partial(call, broken), "NaN", "sequence 4", "step 2")
    for call in calls:
        assert_refuses(partial(call, table[:, :5]), "5 features", "expecting 6")


def check_bad_targets(estimator: Any) -> None:
    """Targets that do not fit X, or weights that are all zero; one class is predicted."""
    X = ragged_data()
    y = targets_for(estimator, X)
    assert_refuses(partial(fitted, estimator, X, y[:-1]), "inconsistent")
    assert_refuses(lambda: clone(estimator).fit(X, None), "requires y")
    assert_refuses(lambda: clone(estimator).fit(X, y, sample_weight=np.zeros(len(X))), "zero")
    if is_classifier(estimator):
        labels = fitted(estimator, X, np.array(["a"] * len(X))).predict(X)
        assert set(labels) == {"a"}, f"of one class, 'a', others are predicted: {set(labels)}"
    if takes(estimator, "target", "step"):
        per_step = clone(estimator).set_params(target="step")
        short = targets_for(per_step, X)
        short[5] = short[5][:-2]
        assert_refuses(partial(fitted, per_step, X, short), "sequence 5", "7 values", "9 steps")
