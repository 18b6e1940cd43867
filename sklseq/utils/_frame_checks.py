"""Checks of generators that are given DataFrames: what goes in comes out, kind by kind."""

import pickle
from functools import partial
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.utils import get_tags

from sklseq.utils._bad_input_checks import assert_refuses
from sklseq.utils._check_data import fitted

__all__ = [
    "check_frames_and_arrays_of_whole_numbers",
    "check_frames_of_mixed_columns",
    "check_frames_of_numbers",
]


def mixed_frame(n: int = 120) -> Any:
    """A column of each kind, with and without missing values, and one that is constant."""
    import pandas as pd

    rng = np.random.default_rng(0)
    some = rng.random((3, n)) < 0.3
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 60, n),
            "income": np.round(np.exp(rng.normal(8, 1, n)), 2),
            "children": pd.array(rng.integers(0, 4, n), dtype="Int64"),
            "height": rng.normal(170, 10, n).astype(np.float32),
            "smokes": rng.random(n) < 0.2,
            "insured": pd.array(rng.random(n) < 0.6, dtype="boolean"),
            "town": rng.choice(["Bern", "Oslo", "Rome"], n, p=[0.1, 0.3, 0.6]),
            "grade": pd.Categorical(
                rng.choice(["low", "high"], n), ["low", "mid", "high"], ordered=True
            ),
            "wave": np.full(n, 7),
        }
    )
    frame.loc[some[0], "children"] = pd.NA
    frame.loc[some[1], "insured"] = pd.NA
    frame.loc[some[2], "town"] = None
    return frame


def check_frames_of_numbers(estimator: Any) -> None:
    """Real numbers in a DataFrame are learned as in an array, and drawn as a DataFrame."""
    import pandas as pd

    X = np.random.default_rng(0).normal(size=(40, 3))
    names = ["a", "b", "c"]
    from_array = fitted(estimator, X, max_epochs=2).sample(5, random_state=0)
    model = fitted(estimator, pd.DataFrame(X, columns=names), max_epochs=2)
    rows = model.sample(5, random_state=0)
    assert list(rows.columns) == names, f"columns {list(rows.columns)} from {names}"
    assert_array_equal(rows.to_numpy(), from_array)
    whole = pd.DataFrame({"n": np.arange(40) % 7, "x": X[:, 0].astype(np.float32)})
    rows = fitted(estimator, whole, max_epochs=2).sample(50, random_state=0)
    assert (rows.dtypes == whole.dtypes).all(), f"dtypes {rows.dtypes.to_dict()}"
    assert rows["n"].between(0, 6).all(), "integers outside the range seen"


def check_frames_and_arrays_of_whole_numbers(estimator: Any) -> None:
    """Integers, and booleans, mean the same in an array as in a DataFrame, and come back."""
    import pandas as pd

    counts = np.random.default_rng(0).poisson([3.0, 40.0], size=(60, 2))
    tables: list[NDArray[Any]] = [counts, counts.astype(np.uint8)]
    if get_tags(estimator).input_tags.categorical:
        tables.append(counts > counts.mean(axis=0))
    else:
        assert_refuses(partial(fitted, estimator, counts > 3), "booleans")
    for X in tables:
        frame = pd.DataFrame(X)
        of_array, of_frame = (fitted(estimator, table, max_epochs=2) for table in (X, frame))
        for table in (of_array.sample(30, random_state=0), _there_and_back(of_array, X)):
            assert table.dtype == X.dtype, f"{table.dtype} rows from {X.dtype} data"
            assert (table >= X.min(axis=0)).all(), "below what was seen"
            assert (table <= X.max(axis=0)).all(), "above what was seen"
        assert_array_equal(of_array.sample(30, random_state=0), of_frame.sample(30, random_state=0))
        assert_array_equal(_there_and_back(of_array, X), _there_and_back(of_frame, frame))
        for method in ("transform", "score_samples"):
            if hasattr(estimator, method):
                values = getattr(of_array, method)(X)
                assert_array_equal(values, getattr(of_frame, method)(frame))
                assert_array_equal(values, getattr(of_array, method)(X.astype(np.float64)))
    assert_refuses(partial(fitted, estimator, np.array([[1], [2**60]])), "row 1", "too large")


def _there_and_back(model: Any, X: Any) -> Any:
    """Rows through their codes, where there are codes."""
    return model.inverse_transform(model.transform(X)) if hasattr(model, "transform") else X


def check_frames_of_mixed_columns(estimator: Any) -> None:
    """All kinds of columns come back with their dtype; else the first of a wrong kind is named."""
    frame = mixed_frame()
    if not get_tags(estimator).input_tags.categorical:
        assert_refuses(partial(fitted, estimator, frame.drop(columns="children")), "smokes", "bool")
        assert_refuses(partial(fitted, estimator, frame), "children", "missing")
        return
    model = fitted(estimator, frame)
    rows = model.sample(400, random_state=0)
    assert (rows.dtypes == frame.dtypes).all(), f"dtypes {rows.dtypes.to_dict()}"
    assert list(rows.columns) == list(frame.columns)
    for name in ("town", "grade", "children", "wave", "smokes", "insured"):
        unknown = set(rows[name].dropna()) - set(frame[name].dropna())
        assert not unknown, f"{unknown} in column {name!r} was never seen"
    assert rows["age"].between(frame["age"].min(), frame["age"].max()).all()
    assert (rows["income"] == rows["income"].round(2)).all(), "more decimals than were seen"
    far = (rows.isna().mean() - frame.isna().mean()).abs()
    assert far.max() < 0.2, f"shares of missing values differ by {far.max():.2f}"
    again = pickle.loads(pickle.dumps(model)).sample(400, random_state=0)
    assert rows.equals(again), "other rows with the same seed, or once stored"
    _check_codes_and_scores(model, frame)
    assert_refuses(partial(model.fit, frame.assign(wave=1j)), "wave", "complex")
    assert rows.equals(model.sample(400, random_state=0)), "a failed fit changed the model"


def _check_codes_and_scores(model: Any, frame: Any) -> None:
    order = np.random.default_rng(0).permutation(len(frame))
    broken = {
        "unknown category": (frame.assign(town="Paris"), ("town", "Paris", "row 0")),
        "missing": (frame.assign(age=np.nan), ("age", "missing", "row 0")),
        "text": (frame.assign(age="forty"), ("age", "forty", "row 0")),
        "no column": (frame.drop(columns="age"), ("age",)),
        "an array": (frame.to_numpy(), ("DataFrame",)),
    }
    for method in ("transform", "score_samples"):
        if not hasattr(model, method):
            continue
        call = getattr(model, method)
        values = call(frame)
        assert len(values) == len(frame)
        assert np.isfinite(values).all()
        assert_allclose(call(frame.iloc[order]), values[order], rtol=1e-4, atol=1e-4)
        assert_allclose(call(frame.iloc[[5]]), values[[5]], rtol=1e-4, atol=1e-4)
        for bad, words in broken.values():
            assert_refuses(partial(call, bad), *words)
    if hasattr(model, "inverse_transform"):
        back = model.inverse_transform(model.transform(frame))
        assert (back.dtypes == frame.dtypes).all()
        way = model.interpolate(frame.iloc[[0]], frame.iloc[[1]], n_steps=3)
        assert way.shape == (3, frame.shape[1])
