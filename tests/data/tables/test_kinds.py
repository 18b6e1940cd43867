"""What a column holds is told by its values, and what was doubtful by name."""

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from sklseq.data import Columns, kind_of, plain_frame

DAYS = pd.date_range("2024-02-27", periods=5)
NUMBERS = {
    "Decimal": [Decimal("1.50"), Decimal("-2.25"), Decimal(3)],
    "int": [1, 2, 3],
    "float": [0.5, 1.5, 2.5],
    "numpy": [np.float32(0.5), np.int8(3), np.float64(2)],
}
TIMES = {
    "date": [datetime.date(2024, 2, d) for d in (1, 2, 29)],
    "datetime": [datetime.datetime(2024, 2, 1, h, 30, 1, 5) for h in (1, 2, 3)],
    "timedelta": [datetime.timedelta(hours=h) for h in (1, 2, 30)],
    "Timestamp": list(DAYS),
    "datetime64": [np.datetime64("2024-01-01"), np.datetime64("1900-01-01")],
}
DTYPES = {
    "days": pd.Series(DAYS),
    "nanoseconds": pd.Series(DAYS + pd.Timedelta(1, "ns")).astype("datetime64[ns]"),
    "seconds": pd.Series(DAYS).astype("datetime64[s]"),
    "Oslo": pd.Series(DAYS.tz_localize("Europe/Oslo")),
    "durations": pd.Series(pd.to_timedelta([1, 90, 3600], unit="min")),
    "missing": pd.Series([DAYS[0], pd.NaT, DAYS[2]]),
}


def there_and_back(series):
    frame = series.to_frame("x")
    columns = Columns.of(frame)
    return columns, columns.decode(columns.encode(frame))


@pytest.mark.parametrize("missing", [[], [None]], ids=["complete", "None"])
@pytest.mark.parametrize("name", NUMBERS | TIMES)
def test_objects_are_what_their_values_are(name, missing):
    values = (NUMBERS | TIMES)[name] + missing
    columns, back = there_and_back(pd.Series(values, dtype=object))
    assert columns.columns[0].kind == ("number" if name in NUMBERS else "time")
    assert_frame_equal(back, pd.DataFrame({"x": pd.Series(values, dtype=object)}))
    if name != "numpy":
        assert [type(v) for v in back["x"]] == [type(v) for v in values]


@pytest.mark.parametrize("name", DTYPES)
def test_times_come_back_in_their_dtype(name):
    columns, back = there_and_back(DTYPES[name])
    assert columns.columns[0].kind == "time"
    assert back["x"].dtype == DTYPES[name].dtype
    # Floating point holds 2024 in microseconds.
    assert (back["x"] - DTYPES[name]).abs().max() <= pd.Timedelta(1, "us")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.datetimes(), min_size=1, max_size=20))
def test_any_dates_come_back(dates):
    series = pd.Series(dates, dtype="datetime64[us]")
    if (np.abs(series.astype("int64")) < 2**53).all():
        assert_frame_equal(there_and_back(series)[1], series.to_frame("x"))


def test_drawn_dates_keep_their_unit():
    columns, _ = there_and_back(pd.Series(DAYS))
    drawn = columns.decode(np.random.default_rng(0).normal(size=(50, 1)))["x"]
    assert (drawn == drawn.dt.normalize()).all()
    assert drawn.between(DAYS[0], DAYS[-1]).all()


@pytest.mark.parametrize(
    "values",
    [[DAYS[0], 3], [datetime.time(1), datetime.time(2)], [1j, 2], [DAYS[0], pd.Timedelta(1, "D")]],
)
def test_objects_that_mean_nothing_together_are_refused(values):
    with pytest.raises(TypeError, match="Column 'x' holds objects of"):
        kind_of(pd.Series(values, dtype=object, name="x"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([f"{x:.2f}" for x in np.arange(30)], "Column 'x' .* its 30 values are numbers"),
        ([*map(str, range(30)), "?"], "nearly all of its 31 values are numbers"),
        ([str(d.date()) for d in pd.date_range("2024", periods=30)], "30 values are dates"),
        ([f"name{i}" for i in range(30)], "Column 'x' has 30 categories in 30 rows"),
    ],
)
def test_categories_that_seem_to_be_something_else_are_told(values, words):
    for dtype in (object, "str", "string"):
        with pytest.warns(UserWarning, match=words):
            Columns.of(pd.DataFrame({"x": pd.Series(values, dtype=dtype)}))


def test_codes_are_categories_without_a_word():
    few = pd.DataFrame({"x": list("0123401234") * 6, "y": pd.Categorical(np.arange(60) % 20)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns = Columns.of(few)
    assert [c.kind for c in columns.columns] == ["category", "category"]


def test_sparse_columns_come_back_sparse():
    frame = pd.DataFrame({"c": list("xyz") * 3, "a": np.arange(9.0)})
    for dtype in (float, bool, int):
        sparse = pd.get_dummies(frame, columns=["c"], sparse=True, dtype=dtype)
        dense, container = plain_frame(sparse)
        assert not any(isinstance(t, pd.SparseDtype) for t in dense.dtypes)
        assert_frame_equal(container.write(dense), sparse)


def test_what_other_libraries_hold_comes_back():
    polars = pytest.importorskip("polars")
    day = datetime.datetime(2024, 1, 1)
    frame = polars.DataFrame(
        {
            "x": [0.5, None],
            "n": [1, None],
            "whole": polars.Series([1, 2], dtype=polars.UInt8),
            "yes": [True, None],
            "word": ["a", None],
            "sort": polars.Series(["b", "a"], dtype=polars.Enum(["b", "a", "c"])),
            "when": [day, None],
            "there": polars.Series([day, None]).dt.replace_time_zone("Europe/Oslo"),
            "day": [day.date(), None],
            "long": [datetime.timedelta(1), None],
            "price": [Decimal("1.50"), None],
        }
    )
    plain, container = plain_frame(frame)
    columns = Columns.of(plain)
    back = container.write(columns.decode(columns.encode(plain)))
    assert back.equals(frame)
    assert back.schema == frame.schema
    with pytest.raises(TypeError, match=r"X\.collect\(\)"):
        plain_frame(frame.lazy())
    with pytest.raises(TypeError, match="'bag' has dtype List"):
        plain_frame(polars.DataFrame({"bag": [[1], [2, 3]]}))


def test_identifiers_cost_rows_and_come_back():
    names = pd.Series([f"name{i}" for i in range(999)] + [None])
    frame = pd.DataFrame({"id": names, "sort": pd.Categorical(names), "x": np.arange(1000)})
    with pytest.warns(UserWarning, match="most of which occur once"):
        columns = Columns.of(frame)
    rows = columns.encode(frame)
    assert rows.shape[1] < 10
    assert_frame_equal(columns.decode(rows), frame)
    ranks = np.random.default_rng(0).normal(size=(500, rows.shape[1]))
    ranks[:, columns.indicator_places] = 0
    drawn = columns.decode(ranks)
    assert drawn["id"].dropna().isin(names).all()
    assert drawn["id"].nunique() > 200
    with pytest.raises(ValueError, match="'id' is 'nobody' at row 3"):
        columns.encode(frame.assign(id=frame["id"].where(frame.index != 3, "nobody")))
