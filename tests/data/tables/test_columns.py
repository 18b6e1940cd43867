"""Columns: what is encoded comes back as it was, and what cannot be is refused by place."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from sklseq.data import Columns, NormalScale, is_frame

VALUES = {
    "float64": st.floats(-1e6, 1e6).map(lambda v: round(v, 3)),
    "float32": st.sampled_from([0.1, 0.25, -3.3]),
    "int64": st.integers(-(10**9), 10**9),
    "uint8": st.integers(0, 255),
    "Int64": st.integers(-100, 100) | st.none(),
    "Float64": st.sampled_from([0.5, 1.5]) | st.none(),
    "bool": st.booleans(),
    "boolean": st.booleans() | st.none(),
    "object": st.sampled_from(["x", 3, None, True]),
    "str": st.text(max_size=2) | st.none(),
    "string": st.sampled_from(["a", "b"]) | st.none(),
    "category": st.sampled_from(["low", "mid", "high"]) | st.none(),
}
ORDERED = pd.CategoricalDtype(["low", "mid", "high", "never seen"], ordered=True)


@st.composite
def frames(draw):
    n = draw(st.integers(1, 30))
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    columns = {}
    for i, kind in enumerate(kinds):
        values = draw(st.lists(VALUES[kind], min_size=n, max_size=n))
        columns[f"{kind} {i}"] = pd.Series(values, dtype=ORDERED if kind == "category" else kind)
    return pd.DataFrame(columns)


@settings(max_examples=30, deadline=None)
@given(frames())
def test_what_is_encoded_comes_back_as_it_was(frame):
    columns = Columns.of(frame)
    rows = columns.encode(frame)
    pd.testing.assert_frame_equal(columns.decode(rows), frame, check_exact=True)
    # The description does not hang on the order of rows, and is plain enough to be equal.
    assert Columns.of(frame.iloc[::-1]) == columns
    np.testing.assert_array_equal(columns.encode(frame.iloc[::-1]), rows[::-1])
    assert np.isfinite(rows).all()


def test_missing_values_stay_what_they_are():
    values = [None, "a", None]
    for missing in (None, np.nan, pd.NA):
        frame = pd.DataFrame({"x": pd.Series([missing, "a", missing], dtype=object)})
        back = Columns.of(frame).decode(Columns.of(frame).encode(frame))["x"]
        assert back[1] == values[1]
        assert all(type(v) is type(missing) for v in (back[0], back[2]))


def test_a_column_where_nothing_is_there_comes_back_empty():
    frame = pd.DataFrame({"x": [np.nan, np.nan], "s": pd.Series([None, None], dtype="str")})
    columns = Columns.of(frame)
    pd.testing.assert_frame_equal(columns.decode(columns.encode(frame)), frame)
    # Whatever a network draws.
    assert columns.decode(np.zeros((3, 4)))["x"].isna().all()


def test_categories_of_any_type_keep_their_dtype():
    values = pd.cut(pd.Series([1.0, 2.0, 3.0, np.nan]), 3)
    frame = pd.DataFrame({"bin": values, "day": pd.Categorical([7, 7, 1, 7], [7, 1])})
    columns = Columns.of(frame)
    pd.testing.assert_frame_equal(columns.decode(columns.encode(frame)), frame)


def test_any_draw_is_a_value_that_was_seen_or_lies_between():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "count": rng.integers(3, 9, 50),
            "price": rng.normal(size=50).round(2),
            "town": pd.Categorical(rng.choice(["a", "b"], 50), ["a", "b", "never seen"]),
        }
    )
    columns = Columns.of(frame)
    drawn = columns.decode(10 * rng.normal(size=(500, 4)))
    assert (drawn.dtypes == frame.dtypes).all()
    assert drawn["count"].between(3, 8).all()
    assert set(drawn["town"]) <= {"a", "b"}
    assert (drawn["price"] == drawn["price"].round(2)).all()
    assert drawn["price"].between(frame["price"].min(), frame["price"].max()).all()


def probability(scale, x):
    z, half_width = scale.intervals(np.atleast_1d(np.asarray(x, dtype=float)))
    return norm.cdf(z + half_width) - norm.cdf(z - half_width)


def test_probabilities_of_whole_numbers_sum_to_one_and_are_their_shares():
    counts = np.repeat([0, 1, 2, 7, 40], [600, 200, 100, 60, 40])
    scale = NormalScale.of(counts, 0)
    every = probability(scale, np.arange(-200, 300))
    np.testing.assert_allclose(every.sum(), 1, atol=1e-6)
    shares = every[200 + np.array([0, 1, 2, 7])]
    np.testing.assert_allclose(shares, [0.6, 0.2, 0.1, 0.06], atol=2e-3)
    assert (every > 0).sum() > 40  # what was not seen is not impossible


def test_a_value_that_is_often_seen_is_drawn_as_often():
    rng = np.random.default_rng(0)
    amounts = np.where(rng.random(5000) < 0.7, 0.0, np.exp(rng.normal(3, 2, size=5000)))
    drawn = NormalScale.of(amounts).numbers(rng.normal(size=20_000))
    assert np.mean(drawn == 0) == pytest.approx(np.mean(amounts == 0), abs=0.01)
    quantiles = [0.75, 0.9, 0.99]
    np.testing.assert_allclose(
        np.quantile(drawn, quantiles), np.quantile(amounts, quantiles), rtol=0.2
    )


@pytest.mark.parametrize("range_", [5e-324, 1e-310, 1e-300, 1e300])
def test_intervals_of_any_range_are_finite_and_have_a_width(range_):
    values = range_ * np.repeat([0.0, 1.0], 20)
    scale = NormalScale.of(values)
    z, half_width = scale.intervals(np.append(values, [-1e308, 1e308]))
    assert np.isfinite(z).all()
    assert np.isfinite(half_width).all()
    assert (half_width > 0).all()
    assert np.isfinite(np.log(scale.step))


def test_densities_of_real_numbers_are_those_of_the_sample():
    x = np.random.default_rng(0).normal(5, 2, size=20_000)
    scale = NormalScale.of(x)
    at = np.linspace(0, 10, 9)
    np.testing.assert_allclose(
        probability(scale, at) / scale.step, norm.pdf(at, 5, 2), rtol=0.15, atol=0.003
    )
    z, _ = scale.intervals(x)
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=0.02)


def test_one_and_true_are_two_categories():
    frame = pd.DataFrame({"x": pd.Series([1, True, "1", None, False, 0], dtype=object)})
    columns = Columns.of(frame)
    assert len(columns.columns[0].categories) == 5
    back = columns.decode(columns.encode(frame))["x"]
    assert [type(v) for v in back] == [type(v) for v in frame["x"]]
    assert back.tolist() == frame["x"].tolist()


def frame_of(**columns):
    return pd.DataFrame(columns)


GOOD = frame_of(
    age=[1, 2, 3], x=[0.5, np.nan, 1.5], town=["Rome", "Oslo", "Rome"], ok=[True, False, True]
)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"town": ["Rome", "Rome", "Bern"]}, "Column 'town' is 'Bern' at row 2.*'Oslo', 'Rome'"),
        ({"town": [1, 2, 3]}, "Column 'town' is 1 at row 0"),
        ({"age": [1, np.nan, 3]}, "Column 'age' is missing at row 1"),
        ({"age": ["1", "2", "3"]}, "Column 'age' is '1' at row 0, which is not a number"),
        ({"age": [True, False, True]}, "Column 'age' is True at row 0, which is not a number"),
        ({"x": [0.5, np.inf, 1]}, "Column 'x' is .*inf.* at row 1"),
        ({"ok": [True, None, True]}, "Column 'ok' is missing at row 1"),
        ({"ok": [True, 2, True]}, "Column 'ok' is 2 at row 1, which is not a boolean"),
        ({"town": [["Rome"], "Oslo", "Oslo"]}, r"Column 'town' is \['Rome'\] at row 0"),
    ],
)
def test_values_that_fit_did_not_see_are_refused_by_place(changed, words):
    with pytest.raises(ValueError, match=words):
        Columns.of(GOOD).encode(GOOD.assign(**changed))


def test_values_of_another_type_that_mean_the_same_are_taken():
    columns = Columns.of(GOOD)
    other = GOOD.assign(
        age=GOOD["age"].astype(float),
        x=GOOD["x"].astype(object),
        town=GOOD["town"].astype("category"),
        ok=GOOD["ok"].astype(object),
    )
    np.testing.assert_array_equal(columns.encode(other), columns.encode(GOOD))


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        (frame_of(m=pd.period_range("2020", periods=2)), TypeError, "'m' has dtype period"),
        (frame_of(z=[1j]), TypeError, "Column 'z' has dtype complex"),
        (frame_of(bag=["a", ["b"]]), TypeError, "Column 'bag' holds a list at row 1"),
        (frame_of(id=[1, 2**60]), ValueError, "Column 'id' is .* at row 1, too large"),
        (frame_of(x=[1.0, -np.inf]), ValueError, "Column 'x' is .* at row 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "Column 'a' occurs twice"),
        (frame_of(a=[]), ValueError, "0 samples"),
    ],
)
def test_columns_that_cannot_be_described_are_refused(frame, error, words):
    with pytest.raises(error, match=words):
        Columns.of(frame)


def test_other_columns_are_refused():
    columns = Columns.of(GOOD)
    with pytest.raises(ValueError, match="X has columns"):
        columns.encode(GOOD[["x", "age", "town", "ok"]])


def test_only_frames_are_frames():
    assert is_frame(GOOD)
    assert not is_frame(GOOD["x"])
    assert not is_frame(np.zeros((2, 2)))
