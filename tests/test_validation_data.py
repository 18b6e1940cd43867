"""What early stopping goes by: validation data of the user's, and groups held out as wholes."""

import inspect
from functools import cache

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.autoencoder import Autoencoder
from sklseq.parts import validation
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.forecasting.forecaster import Forecaster
from sklseq.preprocessing import PerStep
from sklseq.recurrent import GRUClassifier, GRURegressor
from sklseq.recursive import RecursiveClassifier
from sklseq.training.hold_out import hold_out
from sklseq.utils import all_estimators

# Forecasters hold out the ends of series.
NEURAL = [
    cls
    for _, cls in all_estimators()
    if issubclass(cls, NeuralEstimator) and not issubclass(cls, Forecaster)
]
each_neural = pytest.mark.parametrize("cls", NEURAL, ids=[c.__name__ for c in NEURAL])
METHODS = ("predict_proba", "predict", "score_samples", "transform")

# Two epochs of a few sequences: a latent variable may not have learned anything yet.
pytestmark = pytest.mark.filterwarnings("ignore:Posterior collapse")


def quick(cls, **params):
    settings = {
        "hidden_size": 4,
        "hidden_layer_sizes": (8,),
        "n_components": 2,
        "n_layers": 2,
        "channels": (4,),
        "max_epochs": 2,
        "early_stopping": True,
        "n_candidates": 1,
        "random_state": 0,
    } | params
    known = cls().get_params()
    return cls(**{k: v for k, v in settings.items() if k in known})


@cache
def table(n=48):
    return make_classification(n, 6, n_redundant=0, random_state=0)


def validation_of(cls, X, y, weights=None):
    """Arguments of `fit`, as far as the class has them."""
    given = {"X_val": X, "y_val": y, "sample_weight_val": weights}
    return {k: v for k, v in given.items() if k in inspect.signature(cls.fit).parameters}


def results(model, X):
    return [getattr(model, m)(X) for m in METHODS if hasattr(model, m)]


@each_neural
def test_given_rows_count_as_those_that_were_held_out(cls, monkeypatch):
    """The same rows, held out of X while all of it is trained on, have the same losses."""
    X, y = table()
    held = np.arange(5, len(X), 4)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    model = quick(cls, class_weight="balanced", conditional=True)
    given = validation_of(cls, X[held], y[held], weights[held])
    expected = clone(model).fit(X, y, weights, **given)

    def both(rows, *args, **kwargs):
        return rows, rows.subset(held)

    monkeypatch.setattr(validation, "hold_out", both)
    found = model.fit(X, y, weights)
    assert_allclose(found.validation_scores_, expected.validation_scores_, rtol=1e-5, atol=1e-6)
    assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-5, atol=1e-6)


@each_neural
def test_given_rows_train_nothing(cls):
    """Where no epoch is cut, the model is that of X alone: scales and first weights, too."""
    X, y = table()
    model = quick(cls, max_epochs=1, conditional=True)
    expected = clone(model).set_params(early_stopping=False).fit(X, y)
    for X_val, y_val in ((X[:9] * 1.5, y[:9]), (X[::-1][:20], y[::-1][:20])):
        found = clone(model).fit(X, y, **validation_of(cls, X_val, y_val))
        for a, b in zip(results(found, X), results(expected, X), strict=True):
            assert_array_equal(a, b)
        assert len(found.validation_scores_) == 1


@each_neural
def test_a_failed_fit_names_the_validation_data_and_changes_nothing(cls):
    X, y = table()
    model = quick(cls).fit(X, y)
    before = dict(vars(model))
    narrow = validation_of(cls, X[:5, :4], y[:5])
    strange = X[:5].copy()
    strange[2, 3] = np.nan
    for given in (narrow, narrow | {"X_val": strange}):
        with pytest.raises(ValueError, match="X_val"):
            model.fit(X, y, **given)
        assert vars(model).keys() == before.keys()
        assert all(vars(model)[k] is v for k, v in before.items())
    if is_classifier(model):
        with pytest.raises(ValueError, match=r"y_val has the unknown label 7 at row 1"):
            model.fit(X, y, X_val=X[:3], y_val=[0, 7, 1])
    if "conditional" in model.get_params():
        with pytest.raises(ValueError, match=r"y_val is 7 at row 1"):
            clone(model).set_params(conditional=True).fit(X, y, X_val=X[:3], y_val=[0, 7, 1])


@each_neural
def test_what_does_not_go_together_is_refused(cls):
    X, y = table()
    given = validation_of(cls, X, y)
    model = quick(cls)
    with pytest.raises(ValueError, match="X_val is given, but early_stopping=False"):
        clone(model).set_params(early_stopping=False).fit(X, y, **given)
    with pytest.raises(ValueError, match="groups is given, but early_stopping=False"):
        clone(model).set_params(early_stopping=False).fit(X, y, groups=y)
    with pytest.raises(ValueError, match="X_val and groups"):
        model.fit(X, y, groups=y, **given)
    with pytest.raises(ValueError, match="sample_weight_val is given without X_val"):
        model.fit(X, y, sample_weight_val=np.ones(3))
    if is_classifier(cls()) or is_regressor(cls()):
        with pytest.raises(ValueError, match="without y_val"):
            model.fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="sample_weight_val: Sample weights must"):
        model.fit(X, y, **given | {"sample_weight_val": np.zeros(len(X))})


def test_columns_named_like_arguments_keep_their_names():
    frame = pd.DataFrame(table()[0][:, :2], columns=["a", "y"])
    model = quick(Autoencoder)
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- X\n.* missing:\n- y\n"):
        model.fit(frame, X_val=frame.rename(columns={"y": "X"}))


class Numbered:
    """Rows that tell which of them are asked for."""

    def __init__(self, rows):
        self.rows, self.chosen = rows, []
        self.has_target, self.split_end = rows.has_target, rows.split_end

    def __len__(self):
        return len(self.rows)

    def subset(self, numbers):
        self.chosen.append(numbers)
        return self.rows.subset(numbers)


@each_neural
@pytest.mark.parametrize("share", [0.05, 0.95])
def test_groups_are_held_out_as_wholes(cls, share, monkeypatch):
    X, y = table()
    groups = np.array([f"g{i}" for i in np.random.default_rng(0).integers(0, 5, len(X))])
    seen = []

    def recorded(rows, *args, **kwargs):
        seen.append(Numbered(rows))
        return hold_out(seen[-1], *args, **kwargs)

    monkeypatch.setattr(validation, "hold_out", recorded)
    quick(cls, validation_fraction=share, max_epochs=1).fit(X, y, groups=groups)
    ((train, held),) = (rows.chosen for rows in seen)
    assert set(groups[train]).isdisjoint(groups[held])
    assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(len(X)))


@each_neural
@pytest.mark.filterwarnings("ignore:Each row of a DataFrame")
def test_groups_that_are_none_are_refused(cls):
    X, y = table()
    model, groups = quick(cls), [f"g{i % 4}" for i in range(len(X))]
    for wrong, message in (
        (groups[:5], r"groups has shape \(5,\)"),
        (["a"] * len(X), "all .* are of one group: leave groups out"),
        ([None, *groups[1:]], "groups is missing at 0"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, groups=wrong)
    names = [f"r{i}" for i in range(len(X))]
    frame, groups = pd.DataFrame(X, index=names), pd.Series(groups, index=names)
    with pytest.raises(ValueError, match="groups and X have different indices"):
        model.fit(frame, y, groups=groups[::-1])


@each_neural
def test_metadata_is_routed(cls):
    X, y = table()
    groups = np.arange(len(X)) % 6
    model = quick(cls)
    names = validation_of(cls, X[:20] + 1, y[:20])
    with sklearn.config_context(enable_metadata_routing=True):
        asked = clone(model).set_fit_request(**dict.fromkeys(names, True))
        steps = [("scaler", StandardScaler()), ("model", asked)]
        routed = Pipeline(steps, transform_input=["X_val"]).fit(X, y, **names)
        by_groups = make_pipeline(clone(model).set_fit_request(groups=True))
        by_groups.fit(X, y, groups=groups)
        if hasattr(cls, "score"):
            inner = clone(model).set_fit_request(groups=True)
            search = GridSearchCV(inner, {"max_epochs": [1]}, cv=GroupKFold(3))
            search.fit(X, y, groups=groups)
            assert np.isfinite(search.best_score_)
    scaler = StandardScaler().fit(X)
    alone = names | {"X_val": scaler.transform(names["X_val"])}
    expected = clone(model).fit(scaler.transform(X), y, **alone)
    assert routed[-1].validation_scores_ == expected.validation_scores_
    expected = clone(model).fit(X, y, groups=groups)
    assert by_groups[-1].validation_scores_ == expected.validation_scores_


def test_what_is_wrong_with_the_values_of_validation_data_is_not_blamed_on_training():
    X, y = table()
    model = quick(GRURegressor)
    with pytest.raises(ValueError, match="validation data are too large: the validation loss"):
        model.fit(X, y.astype(float), X_val=X, y_val=np.full(len(X), 1e30))
    with pytest.raises(ValueError, match="y_val: could not convert"):
        model.fit(X, y.astype(float), X_val=X[:1], y_val=["a"])


# -- sequences and trees -------------------------------------------------------------------


def ragged(n, longest=9, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(i % 2, 1, size=(k, 2)) for i, k in enumerate(rng.integers(2, longest, n))]


def test_the_loss_is_that_of_predictions():
    X, y = ragged(30), np.array(["a", "b", "c"] * 10)
    X_val, y_val, weights = ragged(11, 20, seed=1), np.array([*"abababababa"]), np.arange(11)
    model = quick(GRUClassifier, max_epochs=1, dtype="float64")
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    loss = log_loss(y_val, model.predict_proba(X_val), labels=model.classes_, sample_weight=weights)
    assert model.validation_scores_ == pytest.approx([-loss])


@pytest.mark.parametrize("as_one", [True, False])
def test_steps_of_series_of_any_length(as_one):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = X[:, 0] - 3
    X_val, y_val = X[:90] * 2, y[:90] * 2
    y_val[3] = np.nan
    if not as_one:
        X_val, y_val = [X_val[:20], X_val[20:]], [y_val[:20], y_val[20:]]
    model = quick(GRURegressor, target="step", max_epochs=1, dtype="float64")
    model.fit(X, y, X_val=X_val, y_val=y_val)
    predicted, true = model.predict(X_val), y_val
    if not as_one:
        predicted, true = np.concatenate(list(predicted)), np.concatenate(y_val)
    error = (predicted - true)[~np.isnan(true)] / model.target_scale_
    n_rows = 1 if as_one else 2
    # A row's steps together weigh as much as the row.
    assert model.validation_scores_ == pytest.approx([-np.mean(error**2)]), n_rows


def test_symbols_and_trees_are_those_of_fit():
    words, y = [["a", "b"], ["b"], ["a", "a", "b"]] * 4, [0, 1, 0] * 4
    model = quick(GRUClassifier).fit(words, y, X_val=[["b", "z", "a", "a"]], y_val=[1])
    assert model.vocabulary_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"X_val, sequence 0, step 0 is 0\.5"):
        model.fit(words, y, X_val=[[0.5, 1.0]], y_val=[1])
    trees = [("a", ("b",), ("c",)), ("b", ("a",)), ("c",)] * 4
    model = quick(RecursiveClassifier).fit(trees, y, X_val=[("b", ("z",), ("a",))], y_val=[1])
    assert model.vocabulary_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="X_val: Tree 1, node 0 has 3 children"):
        model.fit(trees, y, X_val=[("a",), ("a", ("a",), ("b",), ("c",))], y_val=[1, 0])


def test_groups_of_steps_are_those_of_sequences():
    X = ragged(12)
    y = [x[:, 0] for x in X]
    of_sequences = np.arange(12) % 4
    of_steps = np.repeat(of_sequences, [len(x) for x in X])
    model = quick(GRURegressor, target="step")
    like_y = [[f"g{group}"] * len(x) for group, x in zip(of_sequences, X, strict=True)]
    forms = (of_sequences, of_steps, like_y)
    first, *others = (clone(model).fit(X, y, groups=groups).validation_scores_ for groups in forms)
    assert all(scores == first for scores in others)
    with pytest.raises(ValueError, match=r"groups, sequence 0 has \d+ values"):
        model.fit(X, y, groups=[like_y[0][1:], *like_y[1:]])
    of_steps[1] = 9
    with pytest.raises(ValueError, match="groups changes at sequence 0, step 1"):
        model.fit(X, y, groups=of_steps)
    with pytest.raises(ValueError, match="leave groups out"):
        model.fit(X[0], y[0], groups=np.zeros(1))
    index = [f"s{i}" for i in range(12)]
    panel = pd.concat(dict(zip(index, map(pd.DataFrame, X), strict=True)))
    groups = pd.Series(of_sequences, index=index)
    labels = pd.Series(np.arange(12) % 2, index=index)
    quick(GRUClassifier).fit(panel, labels, groups=groups)
    with pytest.raises(ValueError, match="groups and X have different indices"):
        quick(GRUClassifier).fit(panel, labels, groups=groups[::-1])
    with pytest.raises(ValueError, match=r"y_val and X_val have .* y_val\.loc\[X_val\.index"):
        quick(GRUClassifier).fit(panel, labels, X_val=panel, y_val=labels[::-1])


def test_a_pipeline_reads_sequences_of_other_lengths():
    X, y = ragged(20), [0, 1] * 10
    names = {"X_val": ragged(6, 25, seed=1), "y_val": [0, 1] * 3}
    with sklearn.config_context(enable_metadata_routing=True):
        model = quick(GRUClassifier).set_fit_request(X_val=True, y_val=True)
        scaler = PerStep(StandardScaler())
        steps = [("scaler", scaler), ("model", model)]
        pipeline = Pipeline(steps, transform_input=["X_val"]).fit(X, y, **names)
        search = GridSearchCV(model, {"hidden_size": [2, 4]}, cv=2).fit(X, y, **names)
    assert len(pipeline[-1].validation_scores_) == pipeline[-1].n_iter_
    assert np.isfinite(search.best_score_)
