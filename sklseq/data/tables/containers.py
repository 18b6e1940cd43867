"""DataFrames of other libraries, and sparse columns, as plain DataFrames of pandas, and back."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

__all__ = ["FrameContainer", "is_frame", "plain_frame"]

# Types of columns that are read, as narwhals names them.
_TYPES = {
    *(f"{sign}Int{size}" for sign in ("", "U") for size in (8, 16, 32, 64, 128)),
    *("Float32", "Float64", "Boolean", "String", "Enum", "Categorical"),
    *("Date", "Datetime", "Duration", "Decimal"),
}


def is_frame(X: Any) -> bool:
    """Whether X is a DataFrame of pandas, found out without importing it."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


@dataclass(frozen=True)
class FrameContainer:
    """What a DataFrame was before `plain_frame` made a plain one of it: plain data.

    Parameters
    ----------
    library : str
        Whose DataFrame it is, as narwhals names it: "polars", "pyarrow" and so on, or "pandas" if
        it has sparse columns.
    dtypes : tuple
        Of each column: name and arguments of narwhals' dtype; or those of pandas' sparse one, None
        if it is dense.
    """

    library: str
    dtypes: tuple

    _stored: ClassVar[dict[str, Any]] = {"library": "str", "dtypes": "data"}

    def check_stored(self) -> None:
        """Refuse libraries and types that no table was read from."""
        if self.library not in ("pandas", "polars", "pyarrow", "modin", "cudf"):
            raise ValueError(f"a DataFrame of {self.library!r}.")
        for dtype in filter(None, self.dtypes):
            if self.library != "pandas" and dtype[0] not in _TYPES:
                raise ValueError(f"a column has the type {dtype[0]!r}.")

    def write(self, frame: Any) -> Any:
        """A plain DataFrame of these columns as what it was."""
        if self.library == "pandas":
            import pandas as pd

            sparse = zip(frame.columns, self.dtypes, strict=True)
            dtypes = {n: (t[0], np.nan if t[1] is None else t[1]) for n, t in sparse if t}
            return frame.astype({n: pd.SparseDtype(*dtype) for n, dtype in dtypes.items()})
        import narwhals as nw

        types = [getattr(nw, name)(*arguments) for name, arguments in self.dtypes]
        values = {name: _without_missing(series) for name, series in frame.items()}
        schema = dict(zip(frame.columns, types, strict=True))
        library: Any = self.library
        return nw.from_dict(values, schema, backend=library).to_native()


def plain_frame(X: Any) -> tuple[Any, FrameContainer | None]:
    """A DataFrame of any library as one of pandas without sparse columns; anything else as it is.

    Parameters
    ----------
    X : object

    Returns
    -------
    X : object
    container : FrameContainer or None
        None if X is what it was.

    Raises
    ------
    TypeError
        If X is lazy, or a column has a type that pandas has not.
    """
    if is_frame(X):
        return _dense(X)
    if isinstance(X, (np.ndarray, list, tuple)):
        return X, None
    import narwhals as nw

    frame = nw.from_native(X, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        raise TypeError(f"X is a lazy {type(X).__name__}: collect it first, X.collect().")
    if not isinstance(frame, nw.DataFrame):
        return X, None
    import pandas as pd

    columns = {series.name: _of_narwhals(series) for series in frame.iter_columns()}
    dtypes = tuple(_plain_type(dtype) for dtype in frame.schema.values())
    plain = pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))
    return plain, FrameContainer(str(frame.implementation), dtypes)


def _dense(frame: Any) -> tuple[Any, FrameContainer | None]:
    dtypes = [
        # NaN, which is no data to store, as None.
        (str(t.subtype), None if t.fill_value != t.fill_value else np.asarray(t.fill_value).item())
        if _is_sparse(t)
        else None
        for t in frame.dtypes
    ]
    if not any(dtypes):
        return frame, None
    import pandas as pd

    every = [
        pd.Series(series if dtype is None else np.asarray(series.array), index=frame.index)
        for (_, series), dtype in zip(frame.items(), dtypes, strict=True)
    ]
    plain = pd.concat(every, axis=1)
    plain.columns = frame.columns
    return plain, FrameContainer("pandas", tuple(dtypes))


def _is_sparse(dtype: Any) -> bool:
    """Whether a dtype is pandas' for sparse values."""
    return hasattr(dtype, "fill_value") and hasattr(dtype, "subtype")


def _of_narwhals(series: Any) -> Any:
    """A column of any library as a Series of pandas."""
    import narwhals as nw
    import pandas as pd

    dtype, has_nulls = series.dtype, bool(series.is_null().any())
    if dtype.is_integer() or dtype == nw.Boolean:
        if not has_nulls:
            return pd.Series(series.to_numpy())
        name = str(dtype).replace("Boolean", "boolean")
        return pd.Series(pd.array([pd.NA if v is None else v for v in series.to_list()], name))
    if dtype.is_float():
        return pd.Series(series.to_numpy())
    values = series.to_list()
    if dtype == nw.String:
        return pd.Series(values, dtype="str")
    if dtype == nw.Enum:
        return pd.Series(pd.Categorical(values, list(dtype.categories)))
    if dtype == nw.Categorical:
        return pd.Series(pd.Categorical(values))
    if dtype == nw.Datetime:
        times = pd.Series(pd.to_datetime(values, utc=dtype.time_zone is not None))
        zoned = dtype.time_zone is not None
        return times.dt.tz_convert(dtype.time_zone) if zoned else times
    if dtype == nw.Duration:
        return pd.Series(pd.to_timedelta(values))
    if dtype in (nw.Date, nw.Decimal):
        return pd.Series(values, dtype=object)
    raise TypeError(
        f"Column {series.name!r} has dtype {dtype}: it holds neither numbers nor booleans nor "
        "categories nor dates. Turn it into one of these, or leave it out."
    )


def _plain_type(dtype: Any) -> tuple[str, tuple]:
    """Name and arguments of a dtype of narwhals."""
    name = type(dtype).__name__
    arguments: tuple = ()
    if name == "Enum":
        arguments = (tuple(dtype.categories),)
    elif name == "Datetime":
        arguments = dtype.time_unit, dtype.time_zone
    elif name == "Duration":
        arguments = (dtype.time_unit,)
    elif name == "Decimal" and hasattr(dtype, "scale"):
        arguments = dtype.precision, dtype.scale
    return name, arguments


def _without_missing(series: Any) -> list[Any]:
    missing = series.isna().to_numpy()
    values = series.astype(object).tolist()
    return [None if m else v for v, m in zip(values, missing, strict=True)]
