"""Samples whose columns have the values asked for."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklseq.generative import AAE, GAN, VAE, RealNVP, SequenceVAE


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    rooms = rng.integers(1, 5, n)
    return pd.DataFrame(
        {
            "town": np.where(rng.random(n) < 0.2, None, rng.choice(["Oslo", "Rome"], n)),
            "rooms": rooms,
            "sold": rng.random(n) < 0.5,
            "price": rooms + rng.normal(size=n),
            "day": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D"),
        }
    )


def quick(cls, **kwargs):
    return cls(max_epochs=2, random_state=0, **kwargs)


@pytest.fixture(scope="module")
def fitted():
    return quick(VAE).fit(table())


@pytest.mark.parametrize("cls", [VAE, AAE, GAN])
def test_columns_are_as_asked(cls):
    model = quick(cls).fit(table())
    drawn = model.sample(7, random_state=0, conditions={"town": "Oslo", "sold": True})
    assert (drawn["town"] == "Oslo").all()
    assert drawn["sold"].all()
    assert drawn.dtypes.to_dict() == table().dtypes.to_dict()
    pd.testing.assert_frame_equal(
        drawn, model.sample(7, random_state=0, conditions={"town": "Oslo", "sold": True})
    )
    assert len(model.sample(random_state=0, conditions={"town": None})) == 1


def test_a_frame_asks_row_by_row(fitted):
    asked = pd.DataFrame({"rooms": [1, 3, 1, 2], "town": ["Rome", None, "Rome", "Oslo"]})
    drawn = fitted.sample(random_state=1, conditions=asked)
    assert drawn["rooms"].tolist() == asked["rooms"].tolist()
    assert drawn["town"].isna().tolist() == [False, True, False, False]
    assert drawn["town"].dropna().tolist() == ["Rome", "Rome", "Oslo"]
    assert len(drawn.drop_duplicates()) == 4
    pl = pytest.importorskip("polars")
    other = fitted.sample(random_state=1, conditions=pl.DataFrame({"rooms": [1, 3]}))
    assert other["rooms"].tolist() == [1, 3]


def test_ranges_of_numbers_and_times(fitted):
    days = (pd.Timestamp("2020-01-10"), pd.Timestamp("2020-02-10"))
    drawn = fitted.sample(5, random_state=0, conditions={"price": (2, 4), "day": days})
    assert drawn["price"].between(2, 4).all()
    assert drawn["day"].between(*days).all()


def test_rows_that_meet_a_condition_are_those_of_many_draws(fitted):
    many = fitted.sample(20_000, random_state=3)
    asked = fitted.sample(4_000, random_state=4, conditions={"town": "Rome"})
    share = (many.loc[many["town"] == "Rome", "sold"]).mean()
    assert asked["sold"].mean() == pytest.approx(share, abs=0.05)


def test_arrays_and_flows_have_columns_by_number():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    drawn = quick(RealNVP, n_layers=2).fit(X).sample(6, random_state=0, conditions={1: (0, 9)})
    assert (drawn[:, 1] >= 0).all()
    whole = rng.integers(0, 3, size=(80, 2))
    model = quick(VAE).fit(whole)
    assert_array_equal(model.sample(4, random_state=0, conditions={0: 2})[:, 0], 2)


def test_classes_beside_conditions():
    X = table()
    y = np.where(X["rooms"] > 2, "large", "small")
    model = quick(VAE, conditional=True).fit(X, y)
    drawn = model.sample(y=["large", "small", "large"], conditions={"sold": True}, random_state=0)
    assert drawn["sold"].tolist() == [True] * 3
    assert len(model.sample(3, conditions={"sold": False}, random_state=0)) == 3


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"street": 1}, "the column 'street', but X had"),
        ({"town": "Bern"}, "'Bern', which was not seen in fit; seen: 'Oslo', 'Rome'"),
        ({"rooms": 99}, "outside the range"),
        ({"rooms": 1.5}, "holds integers"),
        ({"sold": "yes"}, "holds booleans"),
        ({"price": 1.0}, r"conditions=\{'price': \(low, high\)\}"),
        ({"sold": None}, "no missing value was seen"),
        ({"town": ("a", "b")}, "not the range"),
        ({"price": (3, 1)}, "is empty"),
        ({"price": ("a", "b")}, "no range of numbers"),
        ({"day": (1, 2)}, "no range of times"),
        ({"day": (date(2020, 1, 1), date(2020, 2, 1))}, "column 'day': .* cannot be compared"),
        ({"day": ("soon", "later")}, "column 'day': .* cannot be compared"),
        ({"town": ["Oslo", "Rome"]}, "give one value, or a range"),
        ({"town": np.array(["Oslo", "Rome"])}, "give one value, or a range"),
        ({}, "conditions is empty"),
        (pd.DataFrame({"price": [1.0, 2.0, 3.0]}), "real numbers"),
        (pd.DataFrame({"rooms": [1]}), "conditions has 1 rows, but n_samples=3"),
        ({"price": (1e6, 2e6)}, "0 of 3 rows .* found among 10,000 rows drawn"),
    ],
)
def test_conditions_that_no_row_meets(fitted, conditions, message):
    with pytest.raises(ValueError, match=message):
        fitted.sample(3, random_state=0, conditions=conditions)


def test_conditions_are_on_columns(fitted):
    with pytest.raises(TypeError, match="dict of columns"):
        fitted.sample(3, conditions=["Oslo"])
    X = [np.random.default_rng(i).normal(size=(4 + i % 2, 1)) for i in range(20)]
    with pytest.raises(TypeError, match="draws sequences"):
        quick(SequenceVAE).fit(X).sample(2, conditions={0: 1})
