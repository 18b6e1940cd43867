"""Scores per step are those of scikit-learn over the steps that have a target."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, KFold

from sklseq.base.sequences import SequenceEstimator
from sklseq.metrics import masked_r2
from sklseq.recurrent import RNNClassifier, RNNRegressor
from sklseq.utils import all_estimators

STEP_CLASSIFIERS = [
    cls
    for _, cls in all_estimators()
    if issubclass(cls, SequenceEstimator) and is_classifier(cls())
]


def quick_settings(cls):
    settings = {"hidden_size": 3, "max_epochs": 3, "reservoir_size": 20, "random_state": 0}
    return {name: value for name, value in settings.items() if name in cls().get_params()}


SMALL = {"target": "step", "hidden_size": 3, "max_epochs": 5, "random_state": 0}
LENGTHS = [3, 1, 4, 2, 5]


def make_X():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 1)) for length in LENGTHS]


def targets(values):
    """Targets of the steps, shared out to the sequences as they come."""
    stream = iter(np.resize(np.array(values, dtype=object), sum(LENGTHS)))
    return [[next(stream) for _ in range(length)] for length in LENGTHS]


@pytest.mark.parametrize(
    "labels",
    [[0, 1], [1, None, 2], [1, 2.0, None, 1.0], ["a", "b"], ["a", None, "b"], [True, False, None]],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_accuracy_is_that_of_the_labeled_steps(labels, weighted):
    X, y = make_X(), targets(labels)
    model = RNNClassifier(**SMALL).fit(X, y)
    predicted = np.concatenate(model.predict(X))
    flat = np.concatenate([np.array(item, dtype=object) for item in y])
    known = np.array([label is not None for label in flat])
    weights = np.arange(1.0, sum(LENGTHS) + 1) if weighted else None
    right = [p == t for p, t in zip(predicted[known], flat[known], strict=True)]
    expected = accuracy_score(
        np.ones(known.sum()), right, sample_weight=weights[known] if weighted else None
    )
    given = np.split(weights, np.cumsum(LENGTHS)[:-1]) if weighted else None
    assert model.score(X, y, sample_weight=given) == pytest.approx(expected)


@pytest.mark.parametrize("absent", [None, np.nan])
def test_r2_is_that_of_the_steps_with_a_target(absent):
    X, y = make_X(), targets([0.5, absent, 2.0, -1.0])
    model = RNNRegressor(**SMALL).fit(X, y)
    flat = np.concatenate(y).astype(float)
    known = ~np.isnan(flat)
    expected = r2_score(flat[known], np.concatenate(model.predict(X))[known])
    assert model.score(X, y) == pytest.approx(expected)


def as_ragged(values):
    return np.split(np.asarray(values, dtype=float), np.cumsum(LENGTHS)[:-1])


@pytest.mark.parametrize("container", [list, tuple, np.array, lambda w: np.array(w, dtype=object)])
def test_weights_of_sequences_hold_for_all_their_steps(container):
    X, y = make_X(), targets([0, 1, 1])
    per_sequence = [1.0, 3.0, 0.5, 2.0, 1.5]
    per_step = as_ragged(np.repeat(per_sequence, LENGTHS))
    whole = RNNClassifier(**SMALL).fit(X, y, sample_weight=container(per_sequence))
    for weights in (per_step, [w.tolist() for w in per_step]):
        steps = RNNClassifier(**SMALL).fit(X, y, sample_weight=weights)
        assert steps.loss_curve_ == whole.loss_curve_


def test_weights_that_do_not_match_are_named():
    X, y = make_X(), targets([0, 1])
    wrong = [w[:1] for w in as_ragged(np.ones(sum(LENGTHS)))]
    with pytest.raises(ValueError, match="sample_weight, sequence 0 has 1 values, but X has 3"):
        RNNClassifier(**SMALL).fit(X, y, sample_weight=wrong)
    with pytest.raises(ValueError, match="at least one non-zero"):
        RNNClassifier(**SMALL).fit(X, y, sample_weight=[0.0] * len(X))


def test_the_r2_scorer_agrees_with_score_on_one_series_with_two_outputs():
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.stack([X[:, 0], 100 + X[:, 1]], axis=1)
    y[::3, 0] = np.nan
    y[1::3, 1] = np.nan
    model = RNNRegressor(target="step", max_epochs=3, random_state=0).fit(X, y)
    assert masked_r2(model, X, y) == pytest.approx(model.score(X, y), abs=1e-12)


def test_missing_labels_beside_strings_are_no_class():
    X = np.random.default_rng(0).normal(size=(30, 1))
    for missing in (np.nan, None):
        model = RNNClassifier(target="step", max_epochs=1).fit(X, ["a", "b", missing] * 10)
        assert model.classes_.tolist() == ["a", "b"]
        assert 0 <= model.score(X, ["a", "b", missing] * 10) <= 1


def test_frames_and_targets_of_other_rows_are_refused():
    frame = pd.DataFrame({"a": np.arange(20.0)}, index=np.arange(20) + 100)
    y = pd.Series(np.arange(20.0), index=frame.index)
    model = RNNRegressor(target="step", max_epochs=1).fit(frame, y)
    for call in (model.fit, model.score):
        with pytest.raises(ValueError, match="different indices"):
            call(frame, y.iloc[::-1])
    deep = frame.set_index(pd.MultiIndex.from_tuples([(i, 0, 0) for i in range(20)]))
    with pytest.raises(ValueError, match="3 levels"):
        model.fit(deep, y.to_numpy())


@pytest.mark.parametrize("cls", STEP_CLASSIFIERS, ids=lambda cls: cls.__name__)
def test_minus_one_is_a_label_like_any_other(cls):
    """Steps without a label are None or NaN, in fit, partial_fit and score."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 6, 2)), rng.integers(-1, 2, size=(12, 6))
    model = cls(target="step", **quick_settings(cls)).fit(X, y)
    assert model.classes_.tolist() == [-1, 0, 1]
    assert model.score(X, y) == accuracy_score(y.ravel(), model.predict(X).ravel())
    partly = y.astype(object)
    partly[:, ::2] = None
    expected = accuracy_score(y[:, 1::2].ravel(), model.predict(X)[:, 1::2].ravel())
    for absent in (None, np.nan, pd.NA):
        partly[:, ::2] = absent
        assert model.score(X, partly) == expected
    if hasattr(model, "partial_fit"):
        model.partial_fit(X, partly, classes=[-1, 0, 1])
    search = GridSearchCV(model, {"random_state": [0]}, cv=KFold(2)).fit(X, y)
    assert 0 < search.best_score_ < 1
