"""Carbon dioxide in the air at Mauna Loa: one series of weeks with a trend and a season."""

import csv
import gzip
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

__all__ = ["load_co2"]


def load_co2(*, interpolate: bool = True, as_frame: bool = False) -> Bunch:
    """Load weekly carbon dioxide concentrations at Mauna Loa, Hawaii, of 1958 to 2001.

    ======== ==========================================
    Series   1
    Steps    2284 weeks, of which 59 were not measured
    Feature  parts per million by volume, 313 to 374
    Season   52 weeks
    ======== ==========================================

    The data ship with the package; nothing is downloaded.

    Parameters
    ----------
    interpolate : bool, default=True
        Whether weeks that were not measured lie on the line between those around them, or are NaN.
    as_frame : bool, default=False
        Whether `data` is a DataFrame with the dates as its index, which needs pandas.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (2284, 1), or DataFrame
            The concentrations.
        dates : ndarray of shape (2284,) and dtype datetime64[D]
            The Saturday at the end of each week.
        measured : ndarray of shape (2284,) and dtype bool
            Whether the week was measured.
        feature_names : list of str
            ``["co2"]``.
        season_length : int
            52.
        DESCR : str
            Description of the data, with references.

    References
    ----------
    C. D. Keeling and T. P. Whorf (2004). Atmospheric CO2 concentrations derived from flask air
    samples at sites in the SIO network. In Trends: A Compendium of Data on Global Change. Carbon
    Dioxide Information Analysis Center, Oak Ridge National Laboratory, U.S. Department of Energy.
    In the public domain; the values are those of the table that statsmodels distributes.

    Examples
    --------
    >>> from sklseq.datasets import load_co2
    >>> co2 = load_co2()
    >>> co2.data.shape, float(co2.data[0, 0]), str(co2.dates[0])
    ((2284, 1), 316.1, '1958-03-29')
    """
    folder = resources.files("sklseq.datasets").joinpath("data")
    with folder.joinpath("co2.csv.gz").open("rb") as file, gzip.open(file, "rt") as text:
        rows = list(csv.reader(text))[1:]
    dates = np.array([date for date, _ in rows], dtype="datetime64[D]")
    values = np.array([float(value) if value else np.nan for _, value in rows])
    measured = ~np.isnan(values)
    if interpolate:
        weeks = np.arange(len(values))
        values = np.interp(weeks, weeks[measured], values[measured])
    data: NDArray[np.float64] = values[:, None]
    return Bunch(
        data=_framed(data, dates) if as_frame else data,
        dates=dates,
        measured=measured,
        feature_names=["co2"],
        season_length=52,
        DESCR=folder.joinpath("co2.rst").read_text(encoding="utf-8"),
    )


def _framed(data: NDArray[np.float64], dates: NDArray[Any]) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("as_frame=True needs pandas: pip install pandas.") from error
    index = pd.DatetimeIndex(dates, freq="W-SAT", name="date")
    return pd.DataFrame(data, columns=["co2"], index=index)
