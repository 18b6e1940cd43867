"""skorch's callbacks work, or are refused by name with what does."""

import re
import warnings

import pytest
from sklearn.base import is_classifier
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    TrainEndCheckpoint,
)

from sklseq.generative import VAE
from sklseq.parts.fit import NeuralEstimator
from sklseq.recurrent import GRUClassifier
from sklseq.utils import all_estimators

NEURAL = {name: cls for name, cls in all_estimators() if issubclass(cls, NeuralEstimator)}
each_neural = pytest.mark.parametrize("cls", NEURAL.values(), ids=NEURAL)
pytestmark = pytest.mark.filterwarnings("ignore:Posterior collapse")


def table():
    return make_classification(30, 4, n_redundant=0, random_state=0)


def quick(cls, **params):
    wanted = {"max_epochs": 2, "random_state": 0, "n_components": 2, "channels": (4,)} | params
    known = cls().get_params()
    return cls(**{name: value for name, value in wanted.items() if name in known})


@each_neural
def test_checkpoints_are_written(cls, tmp_path):
    X, y = table()
    kept = {"f_optimizer": None, "f_criterion": None, "f_history": None, "dirname": str(tmp_path)}
    best = Checkpoint(monitor="train_loss_best", f_params="best.pt", **kept)
    end = TrainEndCheckpoint(f_params="last.pt", **kept)
    quick(cls, callbacks=[best, end]).fit(X, y)
    names = {path.name for path in tmp_path.iterdir()}
    assert "best.pt" in names
    assert any("last.pt" in name for name in names)


def test_what_validates_works_with_held_out_rows(tmp_path):
    X, y = table()
    callbacks = [
        ("stop", EarlyStopping(patience=1, threshold=1e9, threshold_mode="abs")),
        Checkpoint(dirname=str(tmp_path)),
    ]
    model = GRUClassifier(max_epochs=9, early_stopping=True, callbacks=callbacks).fit(X, y)
    assert model.n_iter_ == 2
    assert (tmp_path / "params.pt").exists()


@each_neural
@pytest.mark.parametrize("kind", [EarlyStopping, Checkpoint, LRScheduler])
def test_what_validates_is_refused_without_held_out_rows(cls, kind):
    X, y = table()
    callback = kind(monitor="valid_loss") if kind is LRScheduler else kind()
    match = rf"{type(callback).__name__}.*'valid_loss.*early_stopping=True.*'train_loss"
    model = quick(cls, callbacks=[callback])
    with pytest.raises(ValueError, match=match):
        model.fit(X, y)
    if hasattr(model, "partial_fit"):
        first = {"classes": [0, 1]} if is_classifier(model) else {}
        with pytest.raises(ValueError, match=match):
            model.set_params(early_stopping=True).partial_fit(X, y, **first)


@pytest.mark.parametrize("kind", [EpochScoring, BatchScoring])
def test_what_lets_the_net_predict_is_refused(kind):
    X, y = table()
    with pytest.raises(ValueError, match=rf"{kind.__name__}.*ScoringMonitor.*set_callbacks"):
        GRUClassifier(callbacks=[kind("accuracy")]).fit(X, y)


class Pressed(Callback):
    """Ctrl-C while a callback runs, at the end of an epoch."""

    def __init__(self, hook, epoch):
        def press(net, **kwargs):
            if len(net.history) == epoch:
                raise KeyboardInterrupt

        setattr(self, hook, press)


@pytest.mark.parametrize("hook", ["on_batch_end", "on_grad_computed", "on_epoch_end"])
def test_ctrl_c_within_a_callback_is_told(hook):
    X, y = table()
    model = GRUClassifier(max_epochs=5, callbacks=[Pressed(hook, 3)], random_state=0)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch"):
        model.fit(X, y)
    assert model.n_iter_ < 5


def outcome(model, X, y):
    try:
        model.fit(X, y)
    except ValueError as error:
        return str(error)
    return ""


@each_neural
def test_a_loss_that_explodes_is_told(cls):
    X, y = table()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        told = outcome(quick(cls, max_epochs=5, learning_rate=1e3), X, y)
    told += "".join(str(w.message) for w in caught)
    assert re.search("Training diverged.*learning_rate", told)


def test_a_loss_that_falls_is_not_told():
    X, _ = table()
    VAE(max_epochs=20, random_state=0).fit(1e6 * X)
