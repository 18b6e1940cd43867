"""A model says so where most of what it is given is unknown to it."""

import warnings

import numpy as np
import pytest

from sklseq.base.symbols import warn_unknown_symbols


@pytest.mark.parametrize("n_unknown", range(5))
def test_more_than_half_unknown(n_unknown):
    symbols = np.array(list("abcd"), dtype=object)
    arguments = symbols, np.arange(4) >= n_unknown, np.array(list("bcde")), "A model"
    if n_unknown <= 2:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warn_unknown_symbols(*arguments)
    else:
        with pytest.warns(UserWarning, match=rf"{n_unknown} of 4 symbols, such as 'a'.*'b'"):
            warn_unknown_symbols(*arguments)


def test_no_symbol_at_all():
    none = np.array([], dtype=object)
    warn_unknown_symbols(none, np.array([], dtype=bool), np.array(["a"]), "A model")
