"""Columns that another one determines stay determined in rows that are drawn, others are free."""

import numpy as np
import pandas as pd

from sklseq.data import Columns

RNG = np.random.default_rng(0)


def drawn(frame, n=300):
    columns = Columns.of(frame)
    rows = columns.encode(frame)
    known = columns.with_dependencies(rows)
    some = RNG.normal(size=(n, rows.shape[1]))
    return known, known.decode(some, drawn=True), known.decode(some)


def test_what_was_always_so_stays_so():
    town = RNG.choice(["a", "b", "c"], size=200)
    frame = pd.DataFrame(
        {
            "town": town,
            "again": pd.Categorical(town),
            "country": np.where(town == "a", "x", "y"),
            "code": np.where(town == "a", 7, np.where(town == "b", 9, 4)),
            "there": pd.Series(town).where(town != "c", None),
            "is_b": town == "b",
            "size": RNG.normal(size=200),
        }
    )
    frame["size again"] = frame["size"]
    _, rows, free = drawn(frame)
    for t, row in zip(rows["town"], rows.itertuples(), strict=True):
        assert row.again == t
        assert row.country == ("x" if t == "a" else "y")
        assert row.code == {"a": 7, "b": 9, "c": 4}[t]
        assert pd.isna(row.there) if t == "c" else row.there == t
        assert row.is_b == (t == "b")
    assert (rows["size"] == rows["size again"]).all()
    assert (rows.dtypes == frame.dtypes).all()
    assert (free["town"] != free["again"].astype(str)).any()


def test_what_may_be_chance_is_free():
    once = pd.DataFrame({"u": list("abab"), "v": list("xyxy")})
    rare = pd.DataFrame({"u": ["a"] * 99 + ["b"], "v": ["x"] * 98 + ["y", "x"]})
    free = pd.DataFrame({"u": RNG.choice(list("ab"), 90), "v": RNG.choice(list("ab"), 90)})
    other = pd.DataFrame({"u": list("ab") * 50, "v": [*list("ab") * 49, "a", "a"]})
    # What is unique determines everything, and what is missing something.
    unique = pd.DataFrame({"u": RNG.normal(size=90), "v": RNG.choice(list("ab"), 90)})
    unique.loc[unique["v"] == "a", "u"] = np.nan
    for frame in (once, rare, free, other, unique):
        assert not drawn(frame)[0].dependencies
