"""TrainingCurveDisplay: shows what the estimator recorded, wherever the estimator is."""

import matplotlib

matplotlib.use("Agg")

import builtins
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.inspection import TrainingCurveDisplay
from sklseq.recurrent import GRURegressor

LOSSES, SCORES = [3.0, 2.0, 1.5, 1.75], [0.25, 0.5, 0.75, 0.5]
X, y = np.arange(12.0).reshape(-1, 1), np.arange(12) % 2


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that has a training to show and nothing else."""

    def __init__(self, best=1.5, validated=True):
        self.best = best
        self.validated = validated

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.loss_curve_ = list(LOSSES)
        self.validation_scores_ = list(SCORES) if self.validated else None
        self.best_loss_ = self.best
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def curve(line):
    return list(line.get_xdata()), list(line.get_ydata())


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.mark.parametrize(
    "estimator",
    [
        Recorder(),
        make_pipeline(StandardScaler(), Recorder()),
        GridSearchCV(Recorder(), {"best": [1.5]}, cv=2),
        GridSearchCV(make_pipeline(StandardScaler(), Recorder()), {"recorder__best": [1.5]}, cv=2),
        make_pipeline(StandardScaler(), GridSearchCV(Recorder(), {"best": [1.5]}, cv=2)),
    ],
)
def test_shows_loss_best_loss_and_validation_scores(estimator):
    display = TrainingCurveDisplay.from_estimator(estimator.fit(X, y))
    loss, best, scores = display.lines_
    assert curve(loss) == ([1, 2, 3, 4], LOSSES)
    assert set(best.get_ydata()) == {1.5}
    assert curve(scores) == ([1, 2, 3, 4], SCORES)
    assert loss.axes is best.axes is display.ax_
    assert scores.axes is display.validation_ax_
    assert display.validation_ax_ is not display.ax_
    assert display.figure_ is display.ax_.figure
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Epoch", "Loss")
    assert labels(display) == [
        "Recorder: loss",
        "Recorder: best loss, 1.5",
        "Recorder: validation score",
    ]


@pytest.mark.parametrize("best", [None, np.inf, np.nan])
def test_absent_quantities_are_not_drawn(best):
    display = TrainingCurveDisplay.from_estimator(Recorder(best, validated=False).fit(X, y))
    assert len(display.lines_) == 1
    assert display.validation_ax_ is None
    assert len(display.figure_.axes) == 1


def test_only_loss_curve_is_required():
    recorder = Recorder().fit(X, y)
    del recorder.validation_scores_, recorder.best_loss_
    assert len(TrainingCurveDisplay.from_estimator(recorder).lines_) == 1


def test_plot_returns_the_display_and_draws_on_the_given_axes():
    _, ax = plt.subplots()
    display = TrainingCurveDisplay(loss_curve=LOSSES)
    assert display.plot(ax, log_scale=True) is display
    assert display.ax_ is ax
    assert ax.get_yscale() == "log"
    assert labels(display) == ["loss"]
    assert plt.get_fignums() == [ax.figure.number]


def test_displays_on_one_axes_share_the_axis_of_scores():
    recorder = Recorder().fit(X, y)
    first = TrainingCurveDisplay.from_estimator(recorder, name="a")
    second = TrainingCurveDisplay.from_estimator(recorder, name="b", ax=first.ax_)
    assert second.validation_ax_ is first.validation_ax_
    assert len(first.figure_.axes) == 2
    assert len(labels(second)) == 6
    assert first.lines_[0].get_color() != second.lines_[0].get_color()
    assert {line.get_color() for line in second.lines_} == {second.lines_[0].get_color()}


def test_displays_side_by_side_have_axes_of_their_own():
    recorder = Recorder().fit(X, y)
    _, axes = plt.subplots(1, 2)
    left, right = (TrainingCurveDisplay.from_estimator(recorder, ax=ax) for ax in axes)
    assert left.validation_ax_ is not right.validation_ax_


def test_losses_of_validation_data_are_on_the_axis_of_the_loss():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 5, 1))
    model = GRURegressor(early_stopping=True, max_epochs=8, random_state=0)
    model.fit(rows, rows[:, 0, 0])
    display = TrainingCurveDisplay.from_estimator(model, name="gru")
    loss, validation, best = display.lines_
    losses = [-score for score in model.validation_scores_]
    assert curve(loss)[1] == model.loss_curve_
    assert curve(validation)[1] == losses
    assert curve(best) == ([1 + int(np.argmin(losses))], [model.best_loss_])
    assert len(display.figure_.axes) == 1
    assert labels(display)[1:] == [
        "gru: validation loss",
        f"gru: best epoch {1 + int(np.argmin(losses))}, {model.best_loss_:.3g}",
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("right", [False, True])
def test_the_legend_is_clear_of_the_curves(seed, right):
    rng = np.random.default_rng(seed)
    given = {"validation_scores" if right else "validation_loss": rng.uniform(size=40)}
    display = TrainingCurveDisplay(loss_curve=rng.uniform(size=40), **given).plot()
    display.figure_.canvas.draw()
    box = display.ax_.get_legend().get_window_extent()
    for line in display.lines_:
        points = line.get_transform().transform(np.column_stack(line.get_data()))
        assert not ((points > box.min) & (points < box.max)).all(axis=1).any()


def test_style_of_the_user_wins_under_any_alias():
    display = TrainingCurveDisplay(loss_curve=LOSSES, validation_scores=SCORES)
    display.plot(curve_kwargs={"c": "k", "label": "train"}, validation_kwargs={"ls": "-."})
    assert display.lines_[0].get_color() == "k"
    assert display.lines_[0].get_label() == "train"
    assert display.lines_[1].get_linestyle() == "-."


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (Recorder(), "Recorder"),
        (make_pipeline(StandardScaler(), Recorder()), "Recorder"),
        (GridSearchCV(Recorder(), {"best": [1]}), "GridSearchCV"),
    ],
)
def test_unfitted_estimator_is_named(estimator, name):
    with pytest.raises(NotFittedError, match=name):
        TrainingCurveDisplay.from_estimator(estimator)


def test_estimator_without_epochs_is_named():
    with pytest.raises(TypeError, match="LogisticRegression has no attribute loss_curve_"):
        TrainingCurveDisplay.from_estimator(LogisticRegression().fit(X, y))


def test_search_that_did_not_refit_is_explained():
    search = GridSearchCV(Recorder(), {"best": [1]}, cv=2, refit=False).fit(X, y)
    with pytest.raises(ValueError, match="refit=False"):
        TrainingCurveDisplay.from_estimator(search)


def test_there_are_no_predictions_to_draw_from():
    assert not hasattr(TrainingCurveDisplay, "from_predictions")


def test_missing_matplotlib_is_explained(monkeypatch):
    real = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"TrainingCurveDisplay\.plot requires matplotlib"):
        TrainingCurveDisplay(loss_curve=LOSSES).plot()


def test_matplotlib_is_not_imported_before_it_is_needed():
    code = "import sys, sklseq.inspection; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
