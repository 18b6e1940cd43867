"""Numbers that are too large, and weights of any size: over all estimators."""

import inspect
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import make_classification
from sklearn.utils.estimator_checks import check_fit2d_1sample

from sklseq.base.known_state import known_state
from sklseq.generative import VAE
from sklseq.parts.forecasting.forecaster import Forecaster
from sklseq.recurrent import GRURegressor
from sklseq.reservoir import ESNForecaster
from sklseq.utils import all_estimators

ESTIMATORS = dict(all_estimators())
METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
each = pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)
pytestmark = pytest.mark.filterwarnings("ignore:Posterior collapse")


def quick(cls, **params):
    wanted = {"max_epochs": 2, "random_state": 0, "n_components": 2, "channels": (4,)} | params
    known = cls().get_params()
    return cls(**{name: value for name, value in wanted.items() if name in known})


def table():
    return make_classification(40, 4, n_redundant=0, random_state=0)


def containers(cls, X):
    """A table, and what else the estimator takes."""
    yield X
    if hasattr(cls(), "target") and not cls.__name__.startswith("Recursive"):
        yield X.reshape(len(X), 2, 2)


def methods_of(model, fits=True):
    names = ("fit", "partial_fit", "score", *METHODS) if fits else METHODS
    return [name for name in names if hasattr(model, name)]


def arguments(model, method, y):
    first = {"classes": np.unique(y)} if method == "partial_fit" and is_classifier(model) else {}
    return ((y,) if method in ("fit", "partial_fit", "score") else ()), first


# -- values --------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("value", [1e39, -1e151, np.inf], ids=str)
def test_a_value_too_large_for_the_type_is_named_with_its_limit(cls, value):
    if cls.__name__ == "PerStep" or ("dtype" not in cls().get_params() and value != np.inf):
        pytest.skip("hands values on, or computes in double precision")
    if issubclass(cls, Forecaster) and value != np.inf:
        pytest.skip("counts values in units of their series, in double precision")
    X, y = table()
    for data in containers(cls, X):
        large = data.copy()
        large.reshape(len(data), -1)[3, 1] = value
        model = quick(cls, dtype="float32").fit(data, y)
        for method in methods_of(model):
            args, more = arguments(model, method, y)
            if (
                method in ("fit", "partial_fit")
                and np.isfinite(value)
                and hasattr(model, "feature_scale_")
            ):
                continue  # learns the scale in double precision
            with pytest.raises(ValueError, match=r"(row|sequence|step|image|tree) 3,.*limit is \d"):
                getattr(deepcopy(model), method)(large, *args, **more)


@each
def test_scores_are_never_nan(cls):
    """At the limit, results may be infinite at most."""
    X, y = table()
    model = quick(cls, dtype="float32").fit(X, y)
    X[3, 1], X[4] = 1e19, -1e19
    for method in methods_of(model, fits=False):
        assert not np.isnan(getattr(model, method)(X)).any()


@each
def test_targets_too_large_are_named_with_their_limit(cls):
    if not is_regressor(cls()):
        pytest.skip("has no real targets")
    X, y = table()
    y = y.astype(float)
    model = quick(cls).fit(X, y)
    y[7] = 1e160
    for method in ("fit", "partial_fit", "score"):
        with pytest.raises(ValueError, match=r"y is 1e\+160 at row 7.*limit is 1e\+150"):
            getattr(clone(model) if method == "fit" else model, method)(X, y)


def test_a_step_s_target_too_large_is_named():
    X = np.random.default_rng(0).normal(size=(6, 3, 2))
    y = np.zeros((6, 3))
    y[2, 1] = -1e200
    with pytest.raises(ValueError, match=r"y is -1e\+200 at sequence 2, step 1"):
        GRURegressor(target="step").fit(X, y)


def test_exogenous_values_too_large_are_named():
    series, exogenous = np.sin(np.arange(50.0)), np.ones((50, 1))
    exogenous[3] = np.inf
    with pytest.raises(ValueError, match=r"exogenous contains infinity: sequence 3.*limit"):
        ESNForecaster(target="sequence").fit(series[:, None], exogenous=exogenous)


# -- weights -------------------------------------------------------------------------------


def takes_weights(model, method):
    call = getattr(model, method, None)
    return call is not None and "sample_weight" in inspect.signature(call).parameters


@each
@pytest.mark.parametrize("weight", [1e-50, 1e300, 5e-324], ids=str)
def test_equal_weights_of_any_size_give_the_model_of_weights_of_one(cls, weight):
    X, y = table()
    if not takes_weights(cls, "fit"):
        pytest.skip("takes no weights")
    expected = quick(cls).fit(X, y, sample_weight=np.ones(len(X)))
    model = quick(cls).fit(X, y, sample_weight=np.full(len(X), weight))
    for method in methods_of(model, fits=False):
        assert_array_equal(getattr(model, method)(X), getattr(expected, method)(X))


@each
def test_class_weights_of_any_size_count_relative_to_each_other(cls):
    if "class_weight" not in cls().get_params():
        pytest.skip("has no classes")
    X, y = table()
    tiny = quick(cls, class_weight={0: 1e-60, 1: 1e-60}).fit(X, y)
    assert_array_equal(tiny.predict(X), quick(cls).fit(X, y).predict(X))


@each
def test_a_weight_that_is_none_is_refused(cls):
    X, y = table()
    model = quick(cls).fit(X, y)
    for method in ("fit", "partial_fit", "score"):
        if not takes_weights(model, method):
            continue
        args, more = arguments(model, method, y)
        call = getattr(clone(model) if method == "fit" else model, method)
        for weight in (-1, 0, np.nan, np.inf, -np.inf):
            for weights in (weight, float(weight), np.full(len(X), float(weight))):
                with pytest.raises(ValueError, match=r"[Ww]eight|NaN|infinity"):
                    call(X, *args, sample_weight=weights, **more)
        with pytest.raises(ValueError, match="weight"):
            call(X, *args, sample_weight=np.ones(3), **more)
    if takes_weights(model, "score"):
        args, _ = arguments(model, "score", y)
        assert model.score(X, *args, sample_weight=2.0) == pytest.approx(model.score(X, *args))


# -- few rows, equal rows ------------------------------------------------------------------


@each
def test_one_row_with_early_stopping_names_the_number_of_rows(cls):
    if "early_stopping" not in cls().get_params():
        pytest.skip("does not stop early")
    check_fit2d_1sample(cls.__name__, quick(cls, early_stopping=True))


def test_a_vae_of_equal_rows_is_fitted():
    row = np.random.default_rng(0).normal(size=(1, 3))
    model = VAE(max_epochs=3, random_state=0).fit(np.repeat(row, 50, axis=0))
    assert np.isfinite(model.score_samples(row)).all()


def test_numpy_s_errors_do_not_reach_the_check():
    X, y = table()
    X[0, 0] = 1e200
    with np.errstate(all="raise"), known_state(), pytest.raises(ValueError, match="limit is"):
        GRURegressor().fit(X, y)
