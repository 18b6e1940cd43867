"""Step metrics: equal to scikit-learn's on the steps that count, whatever holds them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from sklseq.metrics import (
    masked_r2_score,
    sequence_accuracy_score,
    step_accuracy_score,
    step_f1_score,
)

CLASSIFICATION = [step_accuracy_score, sequence_accuracy_score, step_f1_score]
METRICS = [*CLASSIFICATION, masked_r2_score]
few = settings(max_examples=60, deadline=None)


def ragged(arrays):
    out = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        out[i] = np.asarray(array)
    return out


@st.composite
def panels(draw, dense=False):
    """Labels 0..2 with gaps here and there (never everywhere), predictions and weights."""
    n = draw(st.integers(1, 6))
    lengths = (
        [draw(st.integers(1, 7))] * n
        if dense
        else draw(st.lists(st.integers(1, 7), min_size=n, max_size=n))
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y_true = [rng.choice([np.nan, 0.0, 1.0, 2.0], size=length) for length in lengths]
    y_true[0][0] = 0
    y_pred = [
        np.where(rng.random(len(y)) < 0.6, np.nan_to_num(y), rng.integers(0, 3, len(y)))
        for y in y_true
    ]
    return y_true, y_pred, rng.uniform(0.1, 2, size=n)


def stacked(y_true, y_pred, weights):
    """The labeled steps, by a plain loop."""
    rows = [
        (label, prediction, weight)
        for true, pred, weight in zip(y_true, y_pred, weights, strict=True)
        for label, prediction in zip(true, pred, strict=True)
        if not np.isnan(label)
    ]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@given(panels())
@few
def test_equal_to_sklearn_on_the_labeled_steps(panel):
    y_true, y_pred, weights = panel
    t, p, w = stacked(*panel)
    assert step_accuracy_score(y_true, y_pred) == accuracy_score(t, p)
    assert step_accuracy_score(y_true, y_pred, sample_weight=weights) == pytest.approx(
        accuracy_score(t, p, sample_weight=w)
    )
    for average in ("macro", "micro", "weighted"):
        ours = step_f1_score(y_true, y_pred, average=average, sample_weight=weights)
        assert ours == pytest.approx(f1_score(t, p, average=average, sample_weight=w))
    np.testing.assert_allclose(
        step_f1_score(y_true, y_pred, average=None), f1_score(t, p, average=None)
    )


@given(panels())
@few
def test_sequence_accuracy_is_the_share_of_faultless_sequences(panel):
    y_true, y_pred, weights = panel
    faultless, counted = [], []
    for true, pred, weight in zip(y_true, y_pred, weights, strict=True):
        pairs = [(t, p) for t, p in zip(true, pred, strict=True) if not np.isnan(t)]
        if pairs:
            faultless.append(all(t == p for t, p in pairs))
            counted.append(weight)
    assert sequence_accuracy_score(y_true, y_pred) == pytest.approx(np.mean(faultless))
    assert sequence_accuracy_score(y_true, y_pred, sample_weight=weights) == pytest.approx(
        np.average(faultless, weights=counted)
    )


@given(panels(), st.randoms(use_true_random=False))
@few
def test_order_of_the_sequences_does_not_matter(panel, random):
    y_true, y_pred, _ = panel
    order = list(range(len(y_true)))
    random.shuffle(order)
    for metric in METRICS:
        score = metric(*real(metric, y_true, y_pred))
        permuted = metric(*real(metric, [y_true[i] for i in order], [y_pred[i] for i in order]))
        assert permuted == pytest.approx(score, nan_ok=True)


def real(metric, y_true, y_pred):
    """For the regression metric, floats; one more step makes the target vary."""
    if metric is not masked_r2_score:
        return y_true, y_pred
    extra = [np.array([5.0, 7.0])]
    return y_true + extra, [y.astype(float) for y in y_pred] + extra


@pytest.mark.parametrize("metric", METRICS)
@given(panels(dense=True))
@few
def test_container_does_not_matter(metric, panel):
    y_true, y_pred, _ = panel
    if metric is masked_r2_score:
        y_true = [y + np.arange(len(y)) for y in y_true]
        y_true[0][:1] = 40.0
        y_true.append(np.arange(len(y_true[0]), dtype=float))
        y_pred = [*y_pred, y_pred[0]]
    forms = [lambda y: y, tuple, ragged, np.stack, lambda y: [a.tolist() for a in y], frame_like]
    reference = metric(ragged(y_true), ragged(y_pred))
    for form in forms:
        assert metric(form(y_true), form(y_pred)) == pytest.approx(reference)
    assert metric(np.stack(y_true), ragged(y_pred)) == pytest.approx(reference)
    # Predictions for pandas data come without its index.
    assert metric(frame_like(y_true), np.concatenate(y_pred)) == pytest.approx(reference)


def frame_like(y):
    index = pd.MultiIndex.from_tuples([(i, t) for i, a in enumerate(y) for t in range(len(a))])
    return pd.Series(np.concatenate(y), index=index)


@pytest.mark.parametrize("form", [list, np.array, pd.Series])
def test_flat_labels_are_one_series(form):
    y_true, y_pred = form([0, 1, 2, 1, np.nan]), form([0, 1, 1, 1, 0])
    assert step_accuracy_score(y_true, y_pred) == 0.75
    assert sequence_accuracy_score(y_true, y_pred) == 0.0
    assert step_f1_score(y_true, y_pred, average="micro") == 0.75
    weighted = step_accuracy_score(y_true, y_pred, sample_weight=[1, 1, 3, 1, 9])
    assert weighted == 0.5


@pytest.mark.parametrize("metric", CLASSIFICATION)
@pytest.mark.parametrize(
    ("y_true", "missing"),
    [
        ([["a", "b"], ["b", None]], "x"),
        ([["a", "b"], ["b", np.nan]], "x"),
        ([["a", "b"], ["b", pd.NA]], "x"),
        ([[0, 1], [1, None]], 0),
        ([[0, 1], [1.0, np.nan]], 0),
        ([[False, True], [True, None]], False),
    ],
)
def test_unlabeled_steps_do_not_count(metric, y_true, missing):
    complete = [y_true[0], y_true[1][:1]]
    y_pred = [y_true[0], [y_true[1][0], missing]]
    assert metric(y_true, y_pred) == metric(complete, complete) == 1.0


def test_sequence_without_labels_does_not_count():
    assert sequence_accuracy_score([[0, 1], [None, None], [1]], [[0, 1], [1, 0], [0]]) == 0.5


def test_weights_may_differ_from_step_to_step():
    y_true, y_pred = [[0, 1], [2, None, 1]], [[0, 0], [2, 0, 1]]
    weights = [[1, 2], [3, 100, 4]]
    assert step_accuracy_score(y_true, y_pred, sample_weight=weights) == pytest.approx(0.8)
    per_step = frame_like([np.array(w) for w in weights])
    indexed = frame_like([np.array(y) for y in y_true])
    flat = np.concatenate(y_pred)
    for form in (per_step, per_step.to_numpy()):
        assert step_accuracy_score(indexed, flat, sample_weight=form) == pytest.approx(0.8)


@pytest.mark.parametrize("metric", METRICS)
def test_sequence_of_another_length_is_named(metric):
    y_true = [np.arange(5) % 2] * 20
    y_pred = list(y_true)
    y_pred[17] = np.zeros(6, dtype=int)
    with pytest.raises(ValueError, match="y_pred, sequence 17 has 6 values, but y_true has 5"):
        metric(y_true, y_pred)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([[0, 1], [1]], [[0, 1]], "y_pred has 1 sequences, but y_true has 2"),
        ([[0, 1], [1]], [0, 1, 1], "y_pred has 3 values, but y_true has 2 sequences"),
        ([0, 1, 1], [0, 1], r"y_pred has shape \(2,\), but y_true has 3 steps"),
        ([[0, 1], 1], [[0, 1], [1]], "y_true, sequence 1 has one value, 1,"),
        ([[0, 1], [[1]]], [[0, 1], [1]], "y_true, sequence 1 has values of shape"),
        (3, 3, "y_true must hold a value for each step"),
    ],
)
def test_misfits_are_explained(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_pred)


@pytest.mark.parametrize("metric", CLASSIFICATION)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([[None, None]], [[0, 1]], "no labeled step"),
        ([[0, 1], [1, 1]], [[0, 1], [1, None]], "sequence 1, step 1: the prediction"),
        ([0, 1], [None, 1], "^step 0: the prediction"),
        ([["a", "b"]], [[0, 1]], "both be str"),
        ([["a", 1]], [["a", "b"]], "one kind, got numbers and str"),
        ([["a"], [1]], [["a"], ["a"]], "one kind, got numbers and str"),
        ([[[0], [1]]], [[0, 1]], "one label for each step"),
    ],
)
def test_bad_labels_are_explained(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_pred)


@pytest.mark.parametrize(
    ("metric", "weights", "message"),
    [
        (step_accuracy_score, [1, 2, 3], "sample_weight has 3 values, but y_true has 2 sequences"),
        (
            step_accuracy_score,
            [[1, 2], [1, 1]],
            "sample_weight, sequence 1 has 2 values, but y_true has 1",
        ),
        (sequence_accuracy_score, [1, 2, 3], r"shape \(2,\)"),
    ],
)
def test_bad_weights_are_explained(metric, weights, message):
    with pytest.raises(ValueError, match=message):
        metric([[0, 1], [1]], [[0, 1], [1]], sample_weight=weights)


def test_rows_of_a_sequence_must_be_together():
    index = pd.MultiIndex.from_tuples([(0, 0), (1, 0), (0, 1)])
    y = pd.Series([0, 1, 1], index=index)
    with pytest.raises(ValueError, match="not together"):
        step_accuracy_score(y, y)


@pytest.mark.parametrize(
    ("weights", "message"), [([-1, 2], "negative"), ([0, 0], "zero"), ([np.nan, 1], "finite")]
)
@pytest.mark.parametrize(
    "score",
    [masked_r2_score, step_accuracy_score, sequence_accuracy_score, step_f1_score],
    ids=lambda f: f.__name__,
)
def test_weights_that_weigh_nothing_are_refused(score, weights, message):
    y = [[0, 1, 1], [1, 0]]
    with pytest.raises(ValueError, match=message):
        score(y, y, sample_weight=weights)
