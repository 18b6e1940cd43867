"""What every display promises: where it draws, what it leaves alone, what it refuses."""

import subprocess
import sys
from functools import cache

import matplotlib as mpl

mpl.use("Agg")

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from sklseq import inspection
from sklseq.autoencoder import Autoencoder
from sklseq.forecasting import SeasonalNaive
from sklseq.generative import GAN, VAE
from sklseq.recurrent import LSTMClassifier, LSTMRegressor
from sklseq.recursive import RecursiveClassifier
from sklseq.reservoir import ESNRegressor
from sklseq.seq2seq import Seq2SeqClassifier

pytestmark = pytest.mark.filterwarnings("ignore:Posterior collapse", "ignore:No mode")
DISPLAYS = sorted(name for name in inspection.__all__ if name.endswith("Display"))
RNG = np.random.default_rng(0)
X, TABLE = RNG.normal(size=(20, 5, 2)), RNG.normal(size=(60, 4))
CLASSES = np.arange(60) % 3
WORDS = ["abc", "bca", "cab", "ab"] * 3
TREES = [("not", "true"), ("not", "false"), ("not", ("not", "true")), ("true",)]
SERIES = np.sin(np.arange(60) / 3)[:, None]
SHORT = {"max_epochs": 2, "random_state": 0}


def lstm():
    return LSTMRegressor(hidden_size=4, **SHORT).fit(X, X[:, 0, 0])


def esn():
    return ESNRegressor(target="step", reservoir_size=10, random_state=0).fit(SERIES, SERIES)


# Of each display: a fitted estimator, and what `from_estimator` takes beside it.
RECIPES = {
    "AttentionDisplay": lambda: (
        Seq2SeqClassifier(hidden_size=4, **SHORT).fit(WORDS, WORDS),
        (["abc"], ["cba"]),
    ),
    "DensityDisplay": lambda: (GAN(**SHORT).fit(TABLE[:, :2]), (TABLE[:, :2],)),
    "ForecastDisplay": lambda: (SeasonalNaive(season_length=6).fit(SERIES), (SERIES, 6)),
    "GateActivationDisplay": lambda: (lstm(), (X[:1],)),
    "GradientFlowDisplay": lambda: (lstm(), (X, X[:, 0, 0])),
    "JacobianSpectrumDisplay": lambda: (lstm(), (X[:1],)),
    "KLPerUnitDisplay": lambda: (VAE(**SHORT).fit(TABLE), (TABLE,)),
    "LatentSpaceDisplay": lambda: (
        Autoencoder(n_components=3, **SHORT).fit(TABLE),
        (TABLE, CLASSES),
    ),
    "LatentTraversalDisplay": lambda: (VAE(**SHORT).fit(TABLE), (TABLE,)),
    "ModeCoverageDisplay": lambda: (GAN(**SHORT).fit(TABLE), (TABLE, CLASSES)),
    "ReconstructionDisplay": lambda: (Autoencoder(**SHORT).fit(TABLE), (TABLE[:4],)),
    "ReservoirDisplay": lambda: (esn(), (SERIES,)),
    "StepImportanceDisplay": lambda: (lstm(), (X[:1],)),
    "TrainingCurveDisplay": lambda: (lstm(), ()),
    "TreeDisplay": lambda: (
        RecursiveClassifier(hidden_size=4, **SHORT).fit(TREES, [0, 1, 1, 1]),
        (TREES[2:3],),
    ),
    "UnfoldedGraphDisplay": lambda: (lstm(), (X[:1], X[:1, 0, 0])),
}


@cache
def recipe(name):
    return RECIPES[name]()


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_every_display_has_a_recipe():
    assert sorted(RECIPES) == DISPLAYS


@pytest.mark.parametrize("name", DISPLAYS)
def test_draws_in_the_given_axes_or_in_a_new_figure(name):
    cls, (model, given) = getattr(inspection, name), recipe(name)
    before = joblib.hash(model.__getstate__())
    figure, (ax, other) = plt.subplots(1, 2)
    display = cls.from_estimator(model, *given, ax=ax)
    assert isinstance(display, cls)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.has_data() or ax.child_axes
    assert not other.has_data()
    assert plt.get_fignums() == [figure.number]
    figure.canvas.draw()
    new = cls.from_estimator(model, *given)
    assert new.figure_ is not figure
    assert new.ax_.figure is new.figure_
    assert joblib.hash(model.__getstate__()) == before


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_display_can_be_plotted_again(name):
    model, given = recipe(name)
    display = getattr(inspection, name).from_estimator(model, *given)
    first, (_, ax) = display.figure_, plt.subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax
    assert display.plot().figure_ is not first


@pytest.mark.parametrize("name", DISPLAYS)
def test_other_estimators_and_unfitted_ones_are_refused_by_name(name):
    model, given = recipe(name)
    cls = getattr(inspection, name)
    with pytest.raises(NotFittedError, match=type(model).__name__):
        cls.from_estimator(type(model)(), *given)
    for foreign in (LogisticRegression().fit(TABLE, CLASSES), object()):
        with pytest.raises((TypeError, ValueError), match=type(foreign).__name__):
            cls.from_estimator(foreign, *given)
    assert plt.get_fignums() == []


def test_matplotlib_is_imported_only_when_something_is_drawn():
    code = "import sys, sklseq.inspection; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# -- what single displays do ---------------------------------------------------------------


def test_what_is_too_large_to_be_drawn_says_what_to_do():
    long = RNG.normal(size=(4, 13, 2))
    model = LSTMRegressor(hidden_size=4, **SHORT).fit(long, long[:, 0, 0])
    with pytest.raises(ValueError, match=r"13 steps, too many.*x\[:12\]"):
        inspection.UnfoldedGraphDisplay.from_estimator(model, long[:1])
    tree = ("true",)
    for _ in range(125):
        tree = ("not", tree)
    forest = RecursiveClassifier(hidden_size=4, **SHORT).fit(TREES, [0, 1, 1, 1])
    for cls in (inspection.TreeDisplay, inspection.UnfoldedGraphDisplay):
        with pytest.raises(ValueError, match="too many to be drawn"):
            cls.from_estimator(forest, [tree])
    autoencoder, _ = recipe("ReconstructionDisplay")
    with pytest.raises(ValueError, match=r"60 rows, too many.*X\[:8\]"):
        inspection.ReconstructionDisplay.from_estimator(autoencoder, TABLE)


def test_symbols_are_the_ticks_of_steps():
    model = LSTMClassifier(hidden_size=4, **SHORT).fit(WORDS, np.arange(12) % 2)
    for cls in (inspection.StepImportanceDisplay, inspection.GateActivationDisplay):
        display = cls.from_estimator(model, ["cab"])
        assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["c", "a", "b"]
    graph = inspection.UnfoldedGraphDisplay.from_estimator(model, ["cab"]).graph
    assert [node.label for node in graph.nodes if node.kind == "input"] == ["c", "a", "b"]


def test_gradient_says_whether_it_vanishes_in_the_legend():
    model, given = recipe("GradientFlowDisplay")
    display = inspection.GradientFlowDisplay.from_estimator(model, *given, name="net")
    (text,) = display.ax_.get_legend().get_texts()
    assert text.get_text().startswith(f"net: {display.verdict}, factor")


def test_spectra_of_several_models_are_drawn_by_name():
    models = {"first": lstm(), "second": lstm()}
    display = inspection.JacobianSpectrumDisplay.from_estimator(models, X[:1])
    assert list(display.eigenvalues) == ["first", "second"]
    assert len(display.points_) == 2


@pytest.mark.parametrize("kind", ["states", "spectrum", "memory"])
def test_kinds_of_the_reservoir_display(kind):
    inspection.ReservoirDisplay.from_estimator(esn(), SERIES, kind=kind)
    with pytest.raises(ValueError, match="kind='all'"):
        inspection.ReservoirDisplay.from_estimator(esn(), kind="all")


@pytest.mark.parametrize("layout", ["series", "table", "dense", "ragged", "frame"])
def test_forecasts_of_any_container(layout):
    pd = pytest.importorskip("pandas")
    many = np.stack([SERIES, 2 * SERIES])
    given = {
        "series": SERIES,
        "table": many[:, :, 0],
        "dense": many,
        "ragged": [SERIES[:50], 2 * SERIES],
        "frame": pd.DataFrame(SERIES, index=pd.date_range("2020", periods=60, freq="D")),
    }[layout]
    single = layout in ("series", "frame")
    model = SeasonalNaive(season_length=6, target="step" if single else "sequence").fit(given)
    series = 0 if single else 1
    display = inspection.ForecastDisplay.from_estimator(model, given, 6, series=series)
    scale = 1 + series
    assert display.history[-1] == pytest.approx(scale * SERIES[-1, 0])
    np.testing.assert_allclose(display.forecast, scale * SERIES[-6:, 0])
    assert (display.lower <= display.forecast).all()
    assert (display.forecast <= display.upper).all()
    with pytest.raises(ValueError, match="series=7" if not single else "feature=3"):
        inspection.ForecastDisplay.from_estimator(model, given, 6, series=7, feature=3)


def test_intervals_are_those_that_were_calibrated_where_there_are_some():
    model = SeasonalNaive(season_length=6, calibration_steps=30).fit(SERIES)
    display = inspection.ForecastDisplay.from_estimator(model, SERIES, 6, coverage=0.8)
    lower, upper = model.forecast_interval(6, SERIES, coverage=0.8)
    np.testing.assert_array_equal(display.lower, lower[:, 0])
    np.testing.assert_array_equal(display.upper, upper[:, 0])


@pytest.mark.parametrize("n_history", [0, 7, 10**6])
def test_so_much_of_the_history_is_drawn(n_history):
    model, _ = recipe("ForecastDisplay")
    display = inspection.ForecastDisplay.from_estimator(model, SERIES, 6, n_history=n_history)
    assert len(display.history) == min(n_history, len(SERIES))
    with pytest.raises(ValueError, match="n_history=-1"):
        inspection.ForecastDisplay.from_estimator(model, SERIES, 6, n_history=-1)


def test_images_are_drawn_in_their_shape():
    autoencoder, (rows,) = recipe("ReconstructionDisplay")
    display = inspection.ReconstructionDisplay.from_estimator(autoencoder, rows, image_shape=(2, 2))
    assert display.axes_.shape == (2, 4)
    np.testing.assert_array_equal(display.axes_[0, 1].images[0].get_array(), rows[1].reshape(2, 2))
    with pytest.raises(ValueError, match=r"image_shape=\(3, 3\).*4 values"):
        inspection.ReconstructionDisplay.from_estimator(autoencoder, rows, image_shape=(3, 3))
