"""Rows are held out by number, class or group, never twice, and only where they have a target."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.training.hold_out import hold_out
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.dense import DenseRows
from sklseq.training.rows.sequences import SequenceRows

quick = settings(max_examples=60, deadline=None)


def table(weights, classes=None):
    """Rows that hold their own number."""
    targets = Targets(np.asarray(weights, dtype=float), stratify=classes)
    return DenseRows((np.arange(float(len(weights)))[:, None],), torch.zeros(1), targets), targets


def numbers(rows):
    return rows.arrays[0][:, 0].long().tolist()


@quick
@given(
    weights=st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=2, max_size=40),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 5),
    n_classes=st.integers(1, 6),
)
def test_two_parts_of_the_rows_with_weight(weights, share, seed, n_classes):
    rows, targets = table(weights, np.arange(len(weights)) % n_classes)
    counted = np.flatnonzero(weights).tolist()
    if len(counted) < 2:
        with pytest.raises(ValueError, match="early_stopping"):
            hold_out(rows, targets, share, seed)
        return
    train, validation = hold_out(rows, targets, share, seed)
    assert sorted(numbers(train) + numbers(validation)) == counted
    for part in (train, validation):
        assert part.weight.sum().item() == pytest.approx(len(part))


def test_classes_are_kept_in_proportion_where_they_can_be():
    classes = np.repeat([0, 1], [30, 10])
    rows, targets = table(np.ones(40), classes)
    _, validation = hold_out(rows, targets, 0.2, 0)
    assert np.bincount(classes[numbers(validation)]).tolist() == [6, 2]


@quick
@given(
    weights=st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=2, max_size=40),
    share=st.floats(0.01, 0.99),
    n_groups=st.integers(1, 8),
)
def test_groups_stay_together(weights, share, n_groups):
    rows, targets = table(weights)
    groups = np.arange(len(weights)) % n_groups
    counted = np.flatnonzero(weights)
    if len(set(groups[counted])) < 2:
        with pytest.raises(ValueError, match="early_stopping"):
            hold_out(rows, targets, share, 0, groups=groups)
        return
    train, validation = (numbers(p) for p in hold_out(rows, targets, share, 0, groups=groups))
    assert sorted(train + validation) == counted.tolist()
    assert not set(groups[train]) & set(groups[validation])
    n = len(set(groups[counted]))
    assert len(set(groups[validation])) == min(max(int(np.ceil(share * n)), 1), n - 1)


def test_a_single_series_is_cut_where_the_share_of_its_targets_is_left():
    steps, weight = np.arange(20.0)[:, None], np.ones(20)
    weight[12:15] = 0  # without a target
    targets = Targets(weight, np.arange(20.0))
    rows = SequenceRows(steps, np.array([20]), torch.zeros(1), targets, per_step=True)
    train, validation = hold_out(rows, targets, 0.25, 0)
    assert np.concatenate([train.steps, validation.steps]).ravel().tolist() == list(range(20))
    assert int((validation.weight > 0).sum()) == round(0.25 * 17)
