"""The index of series: that it has no gaps, and how it goes on."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sklseq._compat.pandas import inferred_frequency
from sklseq.data import as_sequences, is_panel_frame

__all__ = ["Timeline", "season_of"]

Array = NDArray[Any]

# Steps in a season, by the first letters of a frequency of pandas.
_SEASONS = {"h": 24, "D": 7, "B": 5, "W": 52, "M": 12, "Q": 4, "Y": 1, "min": 1440, "s": 60}
# So many rows tell the frequency of an index that has a gap further on.
_ENOUGH = 5


@dataclass(frozen=True, eq=False)
class Timeline:
    """The container of series, and where the index of each ends.

    Parameters
    ----------
    kind : {"array", "column", "frame", "frames", "panel"}
        No DataFrame; a pandas Series; a DataFrame of one series; a list of such; a DataFrame with
        a (series, time) index.
    freq : str or None
        Of dates, periods and durations, as pandas spells it.
    ends : ndarray of shape (n_series,) or None
        The last time of each series, as a number, a date or the ordinal of a period.
    step : float
        Between numbers.
    """

    _stored: ClassVar[dict[str, Any]] = {
        "kind": "str",
        "columns": "None or ndarray of labels of shape (n_columns,)",
        "type": "str",
        "freq": "None or str",
        "ends": "None or ndarray of labels of shape (n_ends,)",
        "step": "float",
        "zone": "None or str",
        "series": "None or ndarray of labels of shape (n_ends,)",
        "names": "data",
    }

    kind: str = "array"
    columns: Array | None = None
    type: str = "none"
    freq: str | None = None
    ends: Array | None = None
    step: float = 1.0
    zone: str | None = None
    series: Array | None = None
    names: tuple[Any, ...] = ()

    @classmethod
    def of(cls, X: Any, freq: str | None = None, name: str = "X") -> Self:
        """That of series as the user gave them, which have been read already.

        `freq` is theirs where they are too short to tell it; messages call them by the name.

        Raises
        ------
        ValueError
            Naming the first gap in an index of times.
        """
        X = as_sequences(X)
        if getattr(getattr(X, "dtype", None), "kind", "") == "O" and getattr(X, "ndim", 0) == 1:
            X = list(X)
        if is_panel_frame(X):
            names = X.index.get_level_values(0).unique()
            lengths = X.index.get_level_values(0).value_counts(sort=False)[names].to_numpy()
            times, stops = X.index.get_level_values(1), np.cumsum(lengths)
            indices = [times[stop - n : stop] for n, stop in zip(lengths, stops, strict=True)]
            found = cls._of_indices(indices, [f"{name}, sequence {one!r}" for one in names], freq)
            columns, series = np.asarray(X.columns, dtype=object), np.asarray(names)
            return replace(
                found, kind="panel", columns=columns, series=series, names=tuple(X.index.names)
            )
        if hasattr(X, "iloc"):
            found = cls._of_indices([X.index], [name], freq)
            is_column = not hasattr(X, "columns")
            columns = np.asarray([X.name] if is_column else X.columns, dtype=object)
            kind = "column" if is_column else "frame"
            return replace(found, kind=kind, columns=columns, names=(X.index.name,))
        if isinstance(X, (list, tuple)) and len(X) and hasattr(X[0], "iloc"):
            places = [f"{name}, sequence {i}" for i in range(len(X))]
            found = cls._of_indices([x.index for x in X], places, freq)
            if not hasattr(X[0], "columns"):
                return found
            columns = np.asarray(X[0].columns, dtype=object)
            return replace(found, kind="frames", columns=columns, names=(X[0].index.name,))
        return cls()

    @classmethod
    def _of_indices(cls, indices: list[Any], places: list[str], freq: str | None) -> Self:
        first = indices[0]
        kind = first.inferred_type
        if kind in ("datetime64", "timedelta64", "period"):
            freq = _frequency(indices, places, freq)
            for index, place in zip(indices, places, strict=True):
                _check_gaps(index, freq, place)
            zone = str(first.tz) if getattr(first, "tz", None) is not None else None
            ends = [index[-1] for index in indices]
            if kind == "period":
                values = np.array([end.ordinal for end in ends])
            else:
                values = np.array([end.to_numpy() for end in ends])
            return cls(type=kind, freq=freq, ends=values, zone=zone)
        if kind in ("integer", "floating"):
            numbers = [np.asarray(index, dtype=np.float64) for index in indices]
            gaps = [np.diff(values) for values in numbers if len(values) > 1]
            step = float(gaps[0][0]) if gaps else 1.0
            if all(np.allclose(gap, step) for gap in gaps):
                whole = kind == "integer" and step == int(step)
                last = np.array([values[-1] for values in numbers])
                return cls(
                    type="integer" if whole else "number",
                    ends=last.astype(np.int64) if whole else last,
                    step=step,
                )
        return cls()

    def after(self, i: int, n_steps: int, start: int = 0) -> Any:
        """The index of `n_steps` steps of series i that begin `start` steps after its end."""
        import pandas as pd

        name = None if not self.names else self.names[-1]
        if self.ends is None:
            return pd.RangeIndex(start, start + n_steps, name=name)
        end = self.ends[i]
        if self.type == "period":
            first = pd.Period(ordinal=int(end) + 1 + start, freq=self.freq)
            return pd.period_range(first, periods=n_steps, freq=self.freq, name=name)
        if self.type in ("datetime64", "timedelta64"):
            dates = self.type == "datetime64"
            last = pd.Timestamp(end) if dates else pd.Timedelta(end)
            if self.zone:
                last = last.tz_localize("UTC").tz_convert(self.zone)
            first = last + (start + 1) * _offset(str(self.freq), self.type)
            between = pd.date_range if dates else pd.timedelta_range
            return between(first, periods=n_steps, freq=self.freq, name=name)
        numbers = np.arange(start + 1, start + n_steps + 1) * self.step + end
        if self.type == "integer":
            numbers = numbers.astype(np.int64)
        return pd.Index(numbers, name=name)

    def with_steps(self, values: Array) -> Any:
        """Forecasts ``(n_series, n_steps, n_features)`` in the container of the series."""
        n_steps = values.shape[1]
        return self._in_frames([self.after(i, n_steps) for i in range(len(values))], values)

    def _in_frames(self, indices: list[Any], values: Any) -> Any:
        import pandas as pd

        if self.kind == "column":
            name = None if self.columns is None else self.columns[0]
            return pd.Series(values[0][:, 0], index=indices[0], name=name)
        frames = [
            pd.DataFrame(v, index=index, columns=self.columns)
            for v, index in zip(values, indices, strict=True)
        ]
        if self.kind == "frame":
            return frames[0]
        if self.kind == "frames":
            return frames
        return pd.concat(frames, keys=self.series, names=list(self.names))

    def check_follows(self, later: "Timeline", lengths: Any, name: str) -> None:
        """Refuse series that do not go on from the end of these.

        Raises
        ------
        ValueError
            Naming the series, its first time, and the one that was expected.
        """
        if self.ends is None or later.ends is None or self.type != later.type:
            return
        if self.type in ("integer", "number") and self.kind != "panel":
            return  # numbers of rows, which begin anew in each container
        for i, n in enumerate(lengths):
            expected, found = self.after(i, int(n)), later.after(i, int(n), -int(n))
            if n and not expected.equals(found):
                row = int(np.argmax(np.asarray(expected != found)))
                which = "" if len(lengths) == 1 else f", sequence {i}"
                raise ValueError(
                    f"{name}{which}: step {row} is of {found[row]}, expected {expected[row]}, "
                    "which follows the series that the forecaster was fitted with."
                )

    def moved(self, later: "Timeline", lengths: Any) -> "Timeline":
        """The same series, at the end of some that follow."""
        if self.ends is None:
            return self
        if later.ends is not None and later.type == self.type:
            return replace(self, ends=later.ends)
        ends = [self.after(i, int(n))[-1] for i, n in enumerate(lengths)]
        if self.type == "period":
            return replace(self, ends=np.array([end.ordinal for end in ends]))
        if self.type in ("integer", "number"):
            return replace(self, ends=np.array(ends))
        return replace(self, ends=np.array([end.to_numpy() for end in ends]))


def season_of(timeline: Timeline) -> int:
    """Steps in a season of series of such times; 1 where they do not tell."""
    if timeline.freq is None:
        return 1
    offset = _offset(timeline.freq, timeline.type)
    letters = offset.rule_code.split("-")[0]
    found = _SEASONS.get(letters) or _SEASONS.get(letters[:1]) or 1
    return max(1, found // offset.n) if found % offset.n == 0 else 1


def _offset(freq: str, kind: str) -> Any:
    """An offset of pandas; those of periods have names of their own."""
    import pandas as pd

    is_period = kind == "period"
    return (
        pd.Period(ordinal=0, freq=freq).freq
        if is_period
        else pd.tseries.frequencies.to_offset(freq)
    )


def _frequency(indices: list[Any], places: list[str], fitted: str | None) -> str:
    """The one frequency of some indices; the `fitted` one where they are too short to tell.

    Raises
    ------
    ValueError
        If there is none.
    """
    known = next((index.freqstr for index in indices if getattr(index, "freq", None)), None)
    if known is not None:
        return str(known)
    for index in indices:
        if len(index) > 2 and (found := inferred_frequency(index)) is not None:
            return found
    if fitted is not None:
        return fitted
    for index, place in zip(indices, places, strict=True):
        for start in range(0, max(len(index) - _ENOUGH + 1, 0)):
            found = inferred_frequency(index[start : start + _ENOUGH])
            if found is not None:
                _check_gaps(index, found, place)
    raise ValueError(
        f"{places[0]}: the frequency of its index cannot be told: set it (X.asfreq('D'), which "
        "names missing rows), or drop the index (X.reset_index(drop=True)) where steps count, and "
        "times do not."
    )


def _check_gaps(index: Any, freq: str, place: str) -> None:
    """Refuse an index that does not have each time of its frequency once."""
    import pandas as pd

    offset = _offset(freq, index.inferred_type)
    if index.inferred_type == "period":
        late = np.flatnonzero(np.diff(index.asi8) != offset.n)
    else:
        between = pd.timedelta_range if index.inferred_type == "timedelta64" else pd.date_range
        expected = between(index[0], periods=len(index), freq=freq)
        late = np.flatnonzero(np.asarray(expected != index))[:1] - 1
    if len(late):
        row = max(int(late[0]), 0)
        raise ValueError(
            f"{place}: after {index[row]} comes {index[row + 1]}, which is not one step of its "
            f"frequency {freq!r}: fill the gap (X.asfreq({freq!r}) shows the missing rows), or "
            "drop the index (X.reset_index(drop=True)) where steps count, and times do not."
        )
