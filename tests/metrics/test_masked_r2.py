"""The masked coefficient of determination: scikit-learn's on the targets that exist."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from sklseq.metrics import masked_r2_score


@pytest.mark.parametrize(
    "multioutput", ["raw_values", "uniform_average", "variance_weighted", [1, 3]]
)
def test_r2_is_sklearns_if_no_target_is_missing(multioutput):
    rng = np.random.default_rng(0)
    y_true, weights = rng.normal(size=(5, 7, 2)), rng.uniform(size=5)
    y_pred = y_true + rng.normal(scale=0.3, size=y_true.shape)
    t, p = y_true.reshape(-1, 2), y_pred.reshape(-1, 2)
    kwargs = {"multioutput": multioutput}
    for per_sequence, per_step in ((None, None), (weights, np.repeat(weights, 7))):
        expected = r2_score(t, p, sample_weight=per_step, **kwargs)
        ours = masked_r2_score(y_true, y_pred, sample_weight=per_sequence, **kwargs)
        np.testing.assert_allclose(ours, expected)
        lists = masked_r2_score(list(y_true), tuple(y_pred), sample_weight=per_sequence, **kwargs)
        np.testing.assert_allclose(lists, expected)
    np.testing.assert_allclose(
        masked_r2_score(t, p, panel=False, **kwargs), r2_score(t, p, **kwargs)
    )
    frame = pd.DataFrame(t)
    np.testing.assert_allclose(masked_r2_score(frame, p, **kwargs), r2_score(t, p, **kwargs))
    index = pd.MultiIndex.from_product([range(5), range(7)])
    frame = pd.DataFrame(t, index=index)
    np.testing.assert_allclose(masked_r2_score(frame, p, **kwargs), r2_score(t, p, **kwargs))


@pytest.mark.parametrize("absent", [np.nan, None, pd.NA])
def test_r2_leaves_missing_targets_out_for_each_output(absent):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 3, 6, 2))
    holes = rng.random(y_true.shape) < 0.3
    t, p = y_true.reshape(-1, 2), y_pred.reshape(-1, 2)
    keep = ~holes.reshape(-1, 2)
    expected = [r2_score(t[keep[:, k], k], p[keep[:, k], k]) for k in range(2)]
    y_true = y_true.astype(object)
    y_true[holes] = absent
    y_pred[holes] = np.nan
    np.testing.assert_allclose(masked_r2_score(y_true, y_pred, multioutput="raw_values"), expected)
    assert masked_r2_score(y_true, y_pred) == pytest.approx(np.mean(expected))


def test_r2_of_a_constant_target():
    constant = [[2.0, 2.0], [2.0]]
    wrong = [[1.0, 2.0], [3.0]]
    for multioutput in ("uniform_average", "variance_weighted"):
        assert masked_r2_score(constant, constant, multioutput=multioutput) == 1.0
        assert masked_r2_score(constant, wrong, multioutput=multioutput) == 0.0
    with np.errstate(divide="ignore"):
        assert masked_r2_score(constant, wrong, force_finite=False) == -np.inf


@pytest.mark.parametrize(
    ("y_true", "y_pred", "kwargs", "message"),
    [
        ([[1.0, 2.0]], [[1.0, np.nan]], {}, "sequence 0, step 1: the prediction is missing"),
        ([[np.nan, np.nan]], [[1.0, 2.0]], {}, "no target for output 0"),
        ([[1.0, 2.0]], [[1.0, 2.0]], {"multioutput": "mean"}, "multioutput must be"),
        ([[[1.0, 2.0]]], [[[1.0]]], {}, "2 outputs, y_pred 1"),
    ],
)
def test_bad_targets_are_explained(y_true, y_pred, kwargs, message):
    with pytest.raises(ValueError, match=message):
        masked_r2_score(y_true, y_pred, **kwargs)
