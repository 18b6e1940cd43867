"""Several labels for each target: columns of 0 and 1, learned independently of each other."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils import get_tags

from sklseq.recurrent import GRUClassifier
from sklseq.recursive import RecursiveClassifier
from sklseq.reservoir import ESNClassifier
from sklseq.utils import all_estimators

CLASSIFIERS = {name: c for name, c in all_estimators() if is_classifier(c())}
each = pytest.mark.parametrize("cls", CLASSIFIERS.values(), ids=CLASSIFIERS)
SEQUENTIAL = [c for c in CLASSIFIERS.values() if getattr(c(), "target", None) == "sequence"]
each_sequential = pytest.mark.parametrize("cls", SEQUENTIAL, ids=[c.__name__ for c in SEQUENTIAL])


def quick(cls, **params):
    known = cls().get_params()
    settings = {"hidden_size": 4, "max_epochs": 3, "random_state": 0} | params
    return cls(**{name: value for name, value in settings.items() if name in known})


def labeled(n=24, n_labels=3, per_step=False):
    """Ragged sequences; the first two labels are the signs of features."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, n_labels)) for length in rng.integers(2, 7, n)]
    y = [(x > 0).astype(int) for x in X] if per_step else [x.mean(axis=0) > 0 for x in X]
    return X, y if per_step else np.array(y).astype(int)


def flat(ragged):
    return np.concatenate([np.asarray(part) for part in ragged])


@each
def test_all_classifiers_say_that_they_take_several_labels(cls):
    assert get_tags(cls()).classifier_tags.multi_label


@each
def test_zeros_and_ones_come_back(cls):
    X, y = labeled()
    for same in (y, y.astype(float), y.astype(bool), y.astype(object), y.tolist(), pd.DataFrame(y)):
        model = quick(cls).fit(X, same)
        proba, predicted = model.predict_proba(X), model.predict(X)
        assert proba.shape == predicted.shape == y.shape
        assert_array_equal(predicted, proba > 0.5)
        assert_array_equal(model.classes_, [0, 1, 2])
        assert_allclose(np.exp(model.predict_log_proba(X)), proba, rtol=1e-5)
        assert model.score(X, same) == accuracy_score(y, predicted)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), proba)


@each_sequential
@pytest.mark.parametrize("n_axes", [2, 3, "ragged"])
def test_steps_have_several_labels_in_any_container(cls, n_axes):
    X, y = labeled(per_step=True)
    if n_axes != "ragged":
        X, y = np.stack([x[:2] for x in X]), np.stack([labels[:2] for labels in y])
    if n_axes == 2:
        X, y = X.reshape(-1, 3), y.reshape(-1, 3)
    model = quick(cls, target="step").fit(X, y)
    for name in ("predict", "predict_proba"):
        for found, expected in zip(getattr(model, name)(X), y, strict=True):
            assert found.shape == expected.shape
    whole = [flat(v) if n_axes == "ragged" else v.reshape(-1, 3) for v in (y, model.predict(X))]
    assert_allclose(model.score(X, y), accuracy_score(*whole))


def test_nodes_have_several_labels():
    X = [("and", ("true",), ("false",)), ("not", ("true",))] * 4
    y = [([0, 1], ([1, 1],), ([0, 0],)), ([0, 1], ([1, 1],))] * 4
    model = quick(RecursiveClassifier, target="node", max_epochs=60, learning_rate=0.05).fit(X, y)
    root, left, right = model.predict(X)[0]
    assert_array_equal([root, left[0], right[0]], [[0, 1], [1, 1], [0, 0]])
    assert model.score(X, y) == 1


def test_the_loss_is_that_of_independent_logistic_outputs():
    X, y = labeled()
    settings = {"max_epochs": 1, "batch_size": 100, "solver": "sgd", "learning_rate": 1e-9}
    model = quick(GRUClassifier, dtype="float64", **settings).fit(X, y)
    losses = [log_loss(y[:, k], model.predict_proba(X)[:, k]) for k in range(3)]
    assert_allclose(model.loss_curve_[0], np.mean(losses), rtol=1e-6)


def test_labels_of_a_ridge_are_learned_as_if_each_were_alone():
    X, y = labeled(60)
    model = quick(ESNClassifier, alpha=0.1, units=20).fit(X, y)
    for k in range(3):
        alone = quick(ESNClassifier, alpha=0.1, units=20).fit(X, y[:, k])
        assert_allclose(
            model.decision_function(X)[:, k], alone.decision_function(X), rtol=1e-7, atol=1e-9
        )
        assert_allclose(model.predict_proba(X)[:, k], alone.predict_proba(X)[:, 1], rtol=1e-7)
    half = quick(ESNClassifier, alpha=0.1, units=20).partial_fit(X[:30], y[:30], classes=range(3))
    half.merge(quick(ESNClassifier, alpha=0.1, units=20).fit(X[30:], y[30:]))
    assert_allclose(half.coef_, model.coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "readout", [KNeighborsClassifier(3), MultiOutputClassifier(LogisticRegression())]
)
def test_any_readout_of_several_labels(readout):
    X, y = labeled(60)
    model = quick(ESNClassifier, readout=readout).fit(X, y)
    assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    y[:, 1] = 1  # a label without its opposite has one probability
    model = quick(ESNClassifier, readout=KNeighborsClassifier(3)).fit(X, y)
    assert_array_equal(model.predict_proba(X)[:, 1], 1)


@each_sequential
def test_labels_that_are_missing_do_not_count(cls):
    X, y = labeled(per_step=True)
    y = [labels.astype(float) for labels in y]
    for i, labels in enumerate(y):
        labels[0, i % 3] = np.nan
    y[0][:] = np.nan
    one = [labels[:, 0] for labels in y]
    model = quick(cls, target="step", alpha=0.1).fit(X, y)
    assert all(np.isfinite(p).all() for p in model.predict_proba(X))
    if cls is ESNClassifier:
        alone = quick(cls, target="step", alpha=0.1).fit(X, one)
        assert_allclose(
            flat(model.decision_function(X))[:, 0], flat(alone.decision_function(X)), atol=1e-8
        )
    right = (flat(model.predict(X)) == flat(y)) | np.isnan(flat(y))
    known = ~np.isnan(flat(y)).all(axis=1)
    assert_allclose(model.score(X, y), right.all(axis=1)[known].mean())


@each
def test_a_weight_of_zero_is_no_row(cls):
    X, y = labeled()
    settings = {"max_epochs": 5, "batch_size": 100, "dtype": "float64", "alpha": 0.1}
    changed, weights = y.copy(), np.ones(len(X))
    changed[:3], weights[:3] = 1 - y[:3], 0
    models = [quick(cls, **settings).fit(X, v, sample_weight=weights) for v in (y, changed)]
    assert_array_equal(models[0].predict_proba(X), models[1].predict_proba(X))


@each
def test_what_may_not_change_after_a_fit(cls):
    X, y = labeled()
    model = quick(cls).partial_fit(X, y, classes=[0, 1, 2])
    model.partial_fit(X, y)
    before = model.predict_proba(X)
    for wrong, message in (
        (y[:, 0], "y has one label, but"),
        (y[:, :2], "y has 2 columns of 0 and 1, but the classes are"),
        (2 * y, "give one label for each, or several as columns of 0 and 1"),
    ):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, wrong)
    assert_array_equal(model.predict_proba(X), before)
    for wrong, message in (
        (y[:, 0], "y has one label, but"),
        (y[:, :2], r"y of shape \(24, 2\) holds labels, but"),
        (2 * y, "y holds other values than 0 and 1"),
    ):
        with pytest.raises(ValueError, match=message):
            model.score(X, wrong)
    with pytest.raises(ValueError, match=r"np.arange\(3\)"):
        quick(cls).partial_fit(X, y, classes=[0, 1])
    single = quick(cls).fit(X, y[:, 0])
    for call in (single.partial_fit, single.score):
        with pytest.raises(ValueError, match="y has several labels for each"):
            call(X, y)


@each
def test_wrong_use_is_named(cls):
    X, y = labeled()
    with pytest.raises(ValueError, match="class_weight=None"):
        quick(cls, class_weight="balanced").fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick(cls).fit(X, y[:-1])
    with pytest.raises(ValueError, match=r"NaN or None: .* 4, label 1"):
        quick(cls).fit(X, np.where(np.arange(y.size).reshape(y.shape) == 13, np.nan, y))
    for call in (quick(cls).fit, quick(cls).fit(X, y).score):
        with pytest.raises(TypeError, match=r"y.toarray\(\)"):
            call(X, csr_array(y))
    names = [{"a", "b", "c"} if any(row) else {"a"} for row in y]
    for sets in (names, list(map(sorted, names))):
        with pytest.raises(ValueError, match="MultiLabelBinarizer"):
            quick(cls).fit(X, sets)
    quick(cls).fit(X, MultiLabelBinarizer().fit_transform(names))


@each
def test_classes_that_exclude_each_other_are_hinted_at(cls):
    X, y = labeled()
    with pytest.warns(UserWarning, match=r"y.argmax\(axis=1\)"):
        quick(cls).fit(X, np.eye(3, dtype=int)[y[:, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(cls).fit(X, y)


@each_sequential
def test_labels_of_steps_without_their_target_are_hinted_at(cls):
    X = np.random.default_rng(0).normal(size=(20, 3, 2))
    with pytest.warns(UserWarning, match="target='step'"):
        quick(cls).fit(X, X[:, :, 0] > 0)


def test_the_hold_out_and_scores_of_folds():
    X, y = labeled(60)
    model = quick(GRUClassifier, early_stopping=True, max_epochs=4)
    scores = cross_val_score(model, X, y, cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
