"""What stands beside a DataFrame belongs to its rows: by position, never by names out of order."""

import numpy as np
import pandas as pd
import pytest

from sklseq.base.index import check_index

NAMES = [f"r{i}" for i in range(6)]
TABLE = pd.DataFrame(np.zeros((6, 2)), index=NAMES)
PANEL = pd.DataFrame(np.zeros((6, 2)), index=pd.MultiIndex.from_product([["b", "a"], range(3)]))


@pytest.mark.parametrize("per_step", [True, False])
def test_names_in_another_order_are_refused(per_step):
    y = pd.Series(np.arange(6), index=NAMES)
    check_index(TABLE, per_step, y=y)
    with pytest.raises(ValueError, match="y and X have different indices"):
        check_index(TABLE, per_step, y=y[::-1])


@pytest.mark.parametrize("per_step", [True, False])
def test_numbers_of_the_values_say_nothing(per_step):
    check_index(TABLE, per_step, y=pd.Series(np.arange(6)), sample_weight=np.ones(6), other=None)
    check_index(np.zeros((6, 2)), per_step, y=pd.Series(np.arange(6), index=NAMES))


def test_some_other_steps_are_refused():
    """Targets of the step before, or after, have most names in common."""
    hours = pd.date_range("2024", periods=7, freq="h")
    X = pd.DataFrame(np.zeros((6, 1)), index=hours[:6])
    with pytest.raises(ValueError, match=r"y\.loc\[X\.index\]"):
        check_index(X, True, y=pd.Series(np.zeros(6), index=hours[1:]))


def test_rows_of_a_panel_are_its_sequences_or_its_steps():
    of_sequences = pd.Series([1, 2], index=["b", "a"])
    check_index(PANEL, False, y=of_sequences)
    check_index(PANEL, True, y=PANEL[0], sample_weight=of_sequences)
    with pytest.raises(ValueError, match=r"unique\(level=0\)"):
        check_index(PANEL, False, y=of_sequences[::-1])
    with pytest.raises(ValueError, match="have different indices"):
        check_index(PANEL, True, y=PANEL[0].sort_index())


def test_keys_of_a_dict_of_sequences():
    X = {"b": np.zeros((3, 1)), "a": np.zeros((2, 1))}
    check_index(X, y=pd.Series([0, 1], index=["b", "a"]), sample_weight=pd.Series([1, 2]))
    with pytest.raises(ValueError, match="y and X have different indices"):
        check_index(X, y=pd.Series([0, 1], index=["a", "b"]))


def test_parts_of_lists():
    hours = pd.date_range("2024", periods=3, freq="h")
    X = [pd.DataFrame({"a": np.zeros(3)}, index=hours) for _ in range(2)]
    y = [pd.Series(np.arange(3), index=hours) for _ in range(2)]
    check_index(X, True, y=y, sample_weight=[1.0, 2.0])
    with pytest.raises(ValueError, match="y, sequence 1, and X have different indices"):
        check_index(X, True, y=[y[0], y[1][::-1]])
