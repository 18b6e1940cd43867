"""The promises of every estimator, over all of them: none is listed by hand."""

import importlib
import inspect
import io
import itertools
import pickle
import re
import subprocess
import sys
import warnings
from copy import deepcopy
from functools import cache, partial

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from graph_stand_in import Captures
from numpy.testing import assert_array_equal
from sklearn.base import OutlierMixin, clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import sklseq
from sklseq.base.sequences import SequenceEstimator
from sklseq.nn.adversarial.gan import AdversarialNetwork
from sklseq.nn.layers.randomness import (
    drawing_from,
    drawn,
    exponential_noise,
    normal_noise,
    uniform_noise,
)
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.forecasting.forecaster import Forecaster
from sklseq.training import graphs, monitors
from sklseq.training.engine import Trainer
from sklseq.training.rows.batch import Rows
from sklseq.utils import all_estimators, sequence_checks
from sklseq.utils._check_data import takes

ESTIMATORS = dict(all_estimators())
SEQUENTIAL = [c for c in ESTIMATORS.values() if issubclass(c, SequenceEstimator)]
SUPERVISED = [c for c in ESTIMATORS.values() if is_classifier(c()) or is_regressor(c())]
NEURAL = [c for c in ESTIMATORS.values() if issubclass(c, NeuralEstimator)]


def quick(cls, **params):
    """An instance that is quick to fit: a setting for each name, where the class has it."""
    settings = {
        "hidden_size": 16,
        "hidden_layer_sizes": (16,),
        "n_components": 2,
        "n_layers": 2,
        "channels": (4,),
        "max_epochs": 2,
        "random_state": 0,
    } | params
    if issubclass(cls, Forecaster):  # whose default takes a table for one series
        settings = {"target": "sequence"} | settings
    known = cls().get_params()
    return cls(**{k: v for k, v in settings.items() if k in known})


def table():
    return make_classification(60, 6, n_redundant=0, random_state=0)


@cache
def fitted(cls):
    """For tests that look at a model and do not change it."""
    return quick(cls).fit(*table())


def results_of(model):
    methods = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
    return [m for m in methods if hasattr(model, m)]


def results(model, X):
    return [getattr(model, m)(X) for m in results_of(model)]


def assert_each_row_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        for row, same in zip(a, b, strict=True):  # ragged results hold an array each
            assert_array_equal(row, same)


def assert_same_results(model, other, X):
    assert_each_row_same(results(model, X), results(other, X))


each = pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)
each_neural = pytest.mark.parametrize("cls", NEURAL, ids=[c.__name__ for c in NEURAL])


# -- 1. scikit-learn's checks, and our own --------------------------------------------------


def exact(cls):
    """Full batches in double precision: no check may fail."""
    # The learning rate ends at zero, so that rounding does not grow as training goes on. A density
    # of a few rows grows without end, and rounding with it; Adam would take steps as large for
    # gradients that are nothing but rounding.
    if is_regressor(cls()):
        training = {"max_epochs": 80, "learning_rate": 0.02}
    elif is_classifier(cls()):
        training = {"max_epochs": 40, "learning_rate": 0.04}
    else:  # no check asks how well these have learned
        training = {"max_epochs": 5, "learning_rate": 0.02}
    if hasattr(cls(), "sample"):
        training["solver"] = "sgd"
    return quick(
        cls,
        dtype="float64",
        batch_size=10_000,
        lr_schedule="cosine",
        common_random_numbers=True,
        alpha=0.1,  # a penalty chosen by leaving out rows leaves out one of repeated rows alone
        noise_level=0,  # repeated rows meet other noise than weighted rows
        adversarial_weight=0,  # or other draws of the prior
        **training,
    )


def default(cls):
    """Minibatches in single precision."""
    if not (is_classifier(cls()) or is_regressor(cls())):
        # Checks of outlier detectors have many rows.
        batch_size = 32 if issubclass(cls, OutlierMixin) else 16
        training = {"max_epochs": 5, "learning_rate": 0.03, "batch_size": batch_size}
    elif cls.__name__.startswith("Recursive"):  # a batch of trees takes long to set up
        training = {"max_epochs": 20, "learning_rate": 0.03, "batch_size": 64}
    elif is_classifier(cls()):
        training = {"max_epochs": 10, "learning_rate": 0.05, "batch_size": 16}
    else:
        training = {"max_epochs": 20, "learning_rate": 0.03, "batch_size": 16}
    return quick(cls, **training)


def expected_failures(estimator):
    supervised = is_classifier(estimator) or is_regressor(estimator)
    if supervised and getattr(estimator, "alpha", None) == "gcv":
        reason = "leaving out one of repeated rows is not leaving out a weighted row"
        return {"check_sample_weight_equivalence_on_dense_data": reason}
    if not isinstance(estimator, NeuralEstimator) or estimator.dtype == "float64":
        return {}
    if not results_of(type(estimator)):
        return {}  # nothing that the checks could compare
    reason = "minibatches of repeated rows are not the minibatches of weighted rows"
    checks = (f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse"))
    return dict.fromkeys(checks, reason)


# What was learned, or how far two ways of training lead apart, shows in these checks alone.
LONG = {
    "check_class_weight_classifiers",
    "check_classifiers_classes",
    "check_classifiers_train",
    "check_outliers_train",
    "check_regressors_train",
    "check_sample_weight_equivalence_on_dense_data",
}


@parametrize_with_checks(
    list({repr(e): e for c in ESTIMATORS.values() for e in (exact(c), default(c))}.values()),
    expected_failed_checks=expected_failures,
    xfail_strict=True,
)
def test_scikit_learn_checks(estimator, check, monkeypatch):
    if isinstance(estimator, NeuralEstimator) and check.func.__name__ not in LONG:
        estimator = clone(estimator).set_params(max_epochs=min(estimator.max_epochs, 3))
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with warnings.catch_warnings():
        # The checks count warnings themselves and feed data that deserves some.
        warnings.simplefilter("default")
        check(estimator)


SEQUENCE_CHECKS = [
    pytest.param(check, id=f"{cls.__name__}-{dtype}-{name}")
    for cls in SEQUENTIAL
    for dtype in ("float32", "float64")
    if "dtype" in cls().get_params() or dtype == "float64"
    for name, check in sequence_checks(quick(cls, hidden_size=3, dtype=dtype))
]


# Of a few sequences, in a few epochs, a latent variable may learn nothing.
@pytest.mark.filterwarnings("ignore:Posterior collapse")
@pytest.mark.parametrize("check", SEQUENCE_CHECKS)
def test_sequence_checks(check):
    check()


# -- 2. a row's results are its own --------------------------------------------------------


def trees():
    """Trees of several sizes, with a symbol at each node."""
    rng = np.random.default_rng(0)

    def grow(depth):
        children = rng.integers(0, 3) if depth else 0
        return (str(rng.choice(["a", "b", "c"])), *(grow(depth - 1) for _ in range(children)))

    X = np.empty(30, dtype=object)
    X[:] = [grow(int(rng.integers(1, 5))) for _ in range(30)]
    return X, np.arange(30) % 2


def images():
    """Images of several sizes, with two channels."""
    rng = np.random.default_rng(0)
    X = np.empty(30, dtype=object)
    X[:] = [rng.normal(i % 2, 1, size=(*rng.integers(1, 9, 2), 2)) for i in range(30)]
    return X, np.arange(30) % 2


def inputs_of(cls):
    """Every kind of X that an estimator takes."""
    kinds = [table()]
    if issubclass(cls, SequenceEstimator):
        kinds.append(ragged())
    if cls.__name__.startswith("Recursive"):
        kinds.append(trees())
    if cls.__name__.startswith("ReNet"):
        kinds.append(images())
    return kinds


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_row_has_its_own_bits(cls, dtype):
    """Alone, in another order, in other company: nothing changes to the last bit."""
    if "dtype" not in cls().get_params() and dtype == "float32":
        pytest.skip("computes in the type of X")
    for X, y in inputs_of(cls):
        model = quick(cls, dtype=dtype).fit(X, y)
        if not results_of(model):
            pytest.skip("has nothing for each row")
        together = results(model, X)
        order = np.random.default_rng(0).permutation(len(X))[: len(X) - 3]
        assert_each_row_same(results(model, X[order]), [r[order] for r in together])
        for i in range(0, len(X), 4):
            assert_each_row_same(results(model, X[i : i + 1]), [r[i : i + 1] for r in together])


@each
def test_equal_rows_get_one_result(cls):
    X, _ = table()
    model = fitted(cls)
    twice = np.concatenate([X, X[::-1]])
    for result in results(model, twice):
        assert_array_equal(result[: len(X)], result[: len(X) - 1 : -1])


def test_types_of_results():
    """What is in the units of y is in double precision; what the network computes in `dtype`."""
    X, _ = table()
    for cls in NEURAL:
        model = fitted(cls)
        assert model.dtype == "float32"
        for name in results_of(model):
            dtype = getattr(model, name)(X).dtype
            if name in ("transform", "predict_proba"):
                assert dtype == np.float32, (cls, name)
            elif name in ("score_samples", "decision_function") or is_regressor(model):
                assert dtype == np.float64, (cls, name)


# -- what stands beside X ------------------------------------------------------------------


def takes_argument(method, name):
    return method is not None and name in inspect.signature(method).parameters


def first_fit(cls):
    """Arguments that `partial_fit` needs in its first call."""
    return (
        {"classes": [0, 1]} if takes_argument(getattr(cls, "partial_fit", None), "classes") else {}
    )


@each
@pytest.mark.filterwarnings("ignore:Each row of a DataFrame")
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_values_in_another_order_than_the_rows_are_refused(cls, method):
    X, y = table()
    frame = pd.DataFrame(X, index=[f"r{i}" for i in range(len(X))])
    y = pd.Series(y, index=frame.index)
    model = quick(cls)
    if not hasattr(model, method):
        pytest.skip(f"has no {method}")
    if method == "score":
        model.fit(frame, y)
    call, more = getattr(model, method), first_fit(cls) if method == "partial_fit" else {}
    weights = pd.Series(1.0, index=frame.index)
    beside = {"y": y} | (
        {"sample_weight": weights} if takes_argument(call, "sample_weight") else {}
    )
    for name, values in beside.items():
        if name == "y" and cls not in SUPERVISED:
            continue  # not used
        with pytest.raises(ValueError, match=f"{name} and X have different indices"):
            call(frame, **beside | more | {name: values[::-1]})
    call(frame, **beside | more)  # in order they go together


@each
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_one_number_weighs_all_rows(cls, method):
    X, y = table()
    model = quick(cls)
    if not takes_argument(getattr(model, method, None), "sample_weight"):
        pytest.skip("takes no weights")
    more = first_fit(cls) if method == "partial_fit" else {}
    for target in ("sequence", "step", "tree", "node", "image", "pixel"):
        if not takes(model, "target", target):
            continue
        of_values = np.repeat(y[:, None], X.shape[1], axis=1)
        part = {"step": y.astype(float), "node": of_values, "pixel": of_values}
        getattr(clone(model).set_params(target=target), method)(
            X, part.get(target, y), sample_weight=2.0, **more
        )
    if "target" not in model.get_params():
        getattr(model, method)(X, y, sample_weight=2.0, **more)
    with pytest.raises(ValueError, match="Negative values"):
        getattr(clone(model), method)(X, y, sample_weight=-1.0, **more)


@each_neural
@pytest.mark.parametrize("share", [0.04, 0.5, 0.96])
def test_any_share_can_be_held_out(cls, share):
    """Classes are kept in proportion only where each part can have all of them."""
    X, y = table()
    y = np.arange(len(y)) % 5 if is_classifier(cls()) else y
    model = quick(cls, early_stopping=True, validation_fraction=share).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_


@each_neural
def test_ctrl_c_after_training_keeps_the_model(cls, monkeypatch):
    X, y = table()
    expected = fitted(cls)
    finish, calls = cls._finish, []

    def interrupted(self, *data):
        calls.append(data)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return finish(self, *data)

    monkeypatch.setattr(cls, "_finish", interrupted)
    with pytest.warns(ConvergenceWarning, match="Interrupted after"):
        model = quick(cls).fit(X, y)
    assert_same_results(expected, model, X)
    calls.clear()

    def always(self, *data):
        raise KeyboardInterrupt

    monkeypatch.setattr(cls, "_finish", always)
    before = dict(vars(model))
    with pytest.warns(ConvergenceWarning), pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert vars(model).keys() == before.keys()


# -- 3. same seed, same bits; nothing global changes ----------------------------------------


# Two epochs without a seed: a VAE of sequences may not have learned anything yet.
@pytest.mark.filterwarnings("ignore:Posterior collapse")
@each
def test_fit_and_predict_leave_global_state_alone(cls):
    X, y = table()
    before = np.random.get_state()[1].copy(), torch.get_rng_state(), torch.get_num_threads()
    for random_state in (0, None):
        results(quick(cls, random_state=random_state, dropout=0.2).fit(X, y), X)
    after = np.random.get_state()[1], torch.get_rng_state(), torch.get_num_threads()
    for old, new in zip(before, after, strict=True):
        assert_array_equal(old, new)


@each
@pytest.mark.parametrize(("backend", "n"), [("threading", 4), ("loky", 2)])
def test_same_seed_same_bits_in_parallel(cls, backend, n):
    X, y = table()
    model = quick(cls, dropout=0.2)
    expected = clone(model).fit(X, y)
    fit = joblib.delayed(type(model).fit)
    with joblib.parallel_backend(backend, n_jobs=2):
        models = joblib.Parallel()(fit(clone(model), X, y) for _ in range(n))
    for other in models:
        assert_same_results(expected, other, X)


# -- 4. scikit-learn's tools ---------------------------------------------------------------


@each
def test_model_selection_on_tables(cls):
    X, y = table()
    model = quick(cls)
    name = next(
        p for p in ("hidden_size", "target", *model.get_params()) if p in model.get_params()
    )
    pipeline = make_pipeline(StandardScaler(), model)
    grid = {f"{cls.__name__.lower()}__{name}": [model.get_params()[name]]}
    if hasattr(model, "score"):
        search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
        assert np.isfinite(search.best_score_)
    if hasattr(model, "predict"):
        # Of sequences a row is one of steps.
        assert cross_val_predict(pipeline, X, y, cv=2).shape[:1] == y.shape
    if hasattr(model, "transform"):
        columns = ColumnTransformer([("sequence", model, [0, 1, 2, 3])])
        classifier = make_pipeline(columns, LogisticRegression()).fit(X, y)
        assert classifier.predict(X).shape == y.shape
    if is_classifier(model):
        calibrated = CalibratedClassifierCV(model, cv=2).fit(X, y)
        assert calibrated.predict_proba(X).shape == (60, 2)


@each_neural
def test_halving_search_with_epochs_as_the_resource(cls):
    X, y = table()
    if not hasattr(cls, "score"):
        pytest.skip("nothing to search by")
    size = next(p for p in ("hidden_size", "n_components", "n_layers") if p in cls().get_params())
    search = HalvingGridSearchCV(
        quick(cls), {size: [2, 4]}, resource="max_epochs", max_resources=4, cv=2
    )
    search.fit(X, y)
    assert search.best_estimator_.n_iter_ <= 4


@each
def test_metadata_routing(cls):
    model = quick(cls)
    if "sample_weight" not in inspect.signature(model.fit).parameters:
        pytest.skip("takes no weights")
    X, y = table()
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(clone(model).set_fit_request(sample_weight=True))
        routed.fit(X, y, sample_weight=weights)
    assert_same_results(clone(model).fit(X, y, sample_weight=weights), routed[-1], X)


each_sequential = pytest.mark.parametrize("cls", SEQUENTIAL, ids=[c.__name__ for c in SEQUENTIAL])


def ragged():
    rng = np.random.default_rng(0)
    X = np.empty(24, dtype=object)
    X[:] = [rng.normal(i % 2, 1, size=(n, 2)) for i, n in enumerate(rng.integers(2, 9, size=24))]
    return X, np.arange(24) % 2


@each_sequential
def test_the_tools_take_ragged_sequences(cls):
    X, y = ragged()
    model, weights = quick(cls), np.linspace(0.5, 2, len(X))
    if is_classifier(model):
        calibrated = CalibratedClassifierCV(model, cv=2).fit(X, y)
        assert calibrated.predict_proba(X).shape == (24, 2)
    if hasattr(cls, "score"):
        known = model.get_params()
        varied = ("max_epochs", "random_state", "season_length")
        grid = {next(name for name in varied if name in known): [1, 2]}
        halving = {"min_resources": 12, "cv": 2, "random_state": 0}
        search = HalvingGridSearchCV(quick(cls), grid, **halving).fit(X, y)
        assert np.isfinite(search.best_score_)
    if "sample_weight" in inspect.signature(model.fit).parameters:
        with sklearn.config_context(enable_metadata_routing=True):
            routed = make_pipeline(clone(model).set_fit_request(sample_weight=True))
            routed.fit(X, y, sample_weight=weights)
        assert_same_results(clone(model).fit(X, y, sample_weight=weights), routed[-1], X)


@each_sequential
@pytest.mark.parametrize("container", ["table", "dense", "ragged", "panel"])
@pytest.mark.parametrize("target", ["sequence", "step"])
def test_a_global_pandas_output_breaks_no_pipeline(cls, container, target):
    model = quick(cls)
    if not hasattr(model, "transform"):
        pytest.skip("transforms nothing")
    X, _ = ragged()
    if container in ("table", "dense"):
        X = np.stack([x[:2] for x in X])
        X = X[..., 0] if container == "table" else X
    if container == "panel":
        index = [(f"s{i}", t) for i, x in enumerate(X) for t in range(len(x))]
        index = pd.MultiIndex.from_tuples(index)
        X = pd.DataFrame(np.concatenate(list(X)), index=index, columns=["a", "b"])
    if target == "step" and not takes(model, "target", "step"):
        pytest.skip("has nothing for each step")
    if "target" in model.get_params():
        model.set_params(target=target)
    plain = clone(model).fit(X).transform(X)
    with sklearn.config_context(transform_output="pandas"):
        output = make_pipeline(model).fit(X).transform(X)
    for a, b in zip(np.asarray(plain), np.asarray(output), strict=True):
        assert_array_equal(a, b)


@each
def test_set_output(cls):
    model = quick(cls)
    if not hasattr(model, "set_output"):
        pytest.skip("gives no table")
    X, y = table()
    frame = model.set_output(transform="pandas").fit_transform(X, y)
    assert list(frame.columns) == list(model.get_feature_names_out())


# -- 5. persistence ------------------------------------------------------------------------

LOAD_AND_PREDICT = """
import joblib, sys
for path in sys.argv[1:]:
    model, X, expected = joblib.load(path)
    for method, result in expected.items():
        assert (getattr(model, method)(X) == result).all(), (path, method)
"""


def test_joblib_files_load_in_another_process(tmp_path):
    X, _ = table()
    for cls in ESTIMATORS.values():
        model = fitted(cls)
        expected = {m: getattr(model, m)(X) for m in results_of(model)}
        joblib.dump((model, X, expected), tmp_path / f"{cls.__name__}.joblib")
    files = sorted(map(str, tmp_path.glob("*.joblib")))
    subprocess.run(
        [sys.executable, "-c", LOAD_AND_PREDICT, *files], check=True, capture_output=True, text=True
    )


@each
def test_skops_trusts_nothing_but_our_own_names(cls, tmp_path):
    skops = pytest.importorskip("skops.io")
    X, _ = table()
    model = fitted(cls)
    skops.dump(model, tmp_path / "model.skops")
    untrusted = skops.get_untrusted_types(file=tmp_path / "model.skops")
    assert all(name.startswith("sklseq.") for name in untrusted), untrusted
    loaded = skops.load(tmp_path / "model.skops", trusted=untrusted)
    assert_same_results(model, loaded, X)


@each
def test_a_model_of_another_version_is_loaded_with_a_warning(cls):
    state = fitted(cls).__getstate__()
    assert state["_sklseq_version"] == sklseq.__version__
    with pytest.warns(UserWarning, match=r"saved by sklseq 0\.0\.0"):
        cls().__setstate__(state | {"_sklseq_version": "0.0.0"})


@each
def test_pickles_hold_no_torch_object(cls):
    names = set()

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            names.add(module.partition(".")[0])
            return super().find_class(module, name)

    Unpickler(io.BytesIO(pickle.dumps(fitted(cls)))).load()
    assert names <= {"sklseq", "numpy", "sklearn", "builtins", "collections", "copyreg"}


# -- 6. what goes wrong --------------------------------------------------------------------


@each
def test_a_failed_fit_changes_nothing(cls):
    X, y = table()
    model = quick(cls).fit(X, y)
    before, expected = dict(model.__dict__), results(model, X)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.fit(np.full_like(X, np.inf), y)
    assert model.__dict__.keys() == before.keys()
    for old, new in zip(expected, results(model, X), strict=True):
        assert_array_equal(old, new)


@each
def test_every_parameter_refuses_nonsense(cls):
    X, y = table()
    for name in cls().get_params(deep=False):
        model = quick(cls).set_params(**{name: object()})
        with pytest.raises((ValueError, TypeError), match=name):
            model.fit(X, y)


@each_neural
def test_a_device_that_is_not_there(cls):
    X, y = table()
    with pytest.raises(ValueError, match=r"cuda:99.*is not there"):
        quick(cls, device="cuda:99").fit(X, y)
    with pytest.raises(ValueError, match=r"abacus.*is not a device"):
        quick(cls, device="abacus").fit(X, y)


@each_neural
def test_training_leaves_no_tensor_on_the_cpu(cls, monkeypatch):
    X, y = table()
    runs, run = [], Trainer.run

    def recorded(self, module, objective, train, *args):
        objectives = [phase.objective for phase in self.phases] or [objective]
        runs.append((deepcopy(module), objectives, train))
        return run(self, module, objective, train, *args)

    monkeypatch.setattr(Trainer, "run", recorded)
    quick(cls).fit(X, y)
    module, objectives, rows = runs[0]
    move_to_meta(rows)
    module = module.to("meta")
    generator = torch.Generator().manual_seed(0)
    for objective in objectives:
        with drawing_from(generator), NoiseOfTheCPU(), SinglePrecision():
            loss = objective(module, rows.take(np.arange(len(rows))))
            assert loss.device.type == "meta"
            loss.backward()
    with SinglePrecision():
        getattr(module, "after_step", lambda: None)()
    assert all(p.grad is None or p.grad.device.type == "meta" for p in module.parameters())


class NoiseOfTheCPU(TorchDispatchMode):
    """Refuses random numbers of another device's generator, which would be others."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:
            assert out.device.type == "cpu", f"{func} draws on {out.device}"
        return out


class SinglePrecision(TorchDispatchMode):
    """Refuses float64 off the CPU, which mps does not have; parameters are float32."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, torch.Tensor) and one.device.type != "cpu":
                assert one.dtype != torch.float64, f"{func} in double precision"
        return out


@pytest.mark.parametrize(
    "draw", [normal_noise, uniform_noise, exponential_noise, partial(drawn, probability=0.3)]
)
def test_noise_is_that_of_the_cpu_on_every_device(draw):
    with NoiseOfTheCPU(), drawing_from(torch.Generator()):
        assert draw(torch.empty(2, 3, device="meta")).device.type == "meta"
    with NoiseOfTheCPU(), pytest.raises(AssertionError, match="draws on meta"):
        torch.empty(2, device="meta").normal_()


def move_to_meta(rows):
    for name, value in vars(rows).items():
        if isinstance(value, torch.Tensor):
            setattr(rows, name, value.to("meta"))
        elif isinstance(value, tuple) and all(isinstance(v, torch.Tensor) for v in value):
            setattr(rows, name, tuple(v.to("meta") for v in value))
        elif isinstance(value, Rows):
            move_to_meta(value)


@each_neural
def test_captured_steps_train_as_others(cls, monkeypatch):
    """On a device steps are captured and replayed: no Python runs then, and nothing waits."""
    X, y = table()
    training = {"dtype": "float64", "lr_schedule": None, "batch_size": 12, "max_epochs": 3}
    expected = quick(cls, **training).fit(X, y)
    captures = Captures()
    monkeypatch.setitem(graphs.CAPTURES, "cpu", captures)
    monkeypatch.setattr(AdversarialNetwork, "after_step", AdversarialNetwork._average_unseen)
    found = quick(cls, **training).fit(X, y)
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-7)
    name = cls.__name__
    assert (captures.n_captures > 0) == (name not in (*NO_SHAPE, *DATA_WITHIN_STEPS))
    assert bool(captures.refused) == (name in DATA_WITHIN_STEPS), captures.refused


# Batches of trees, of windows, of targets with ends and of patches are of no one shape.
NO_SHAPE = {c for c in ESTIMATORS if c.startswith(("Recursive", "ReNet"))}
NO_SHAPE |= {"RecurrentForecaster", "RecurrentLanguageModel"}
# They make tensors of lengths within a step.
DATA_WITHIN_STEPS = {"RecurrentTransformer", "Seq2SeqClassifier", "Seq2SeqRegressor"}
DATA_WITHIN_STEPS |= {"SequenceAutoencoder", "SequenceVAE"}


@each_neural
def test_a_model_of_a_machine_with_a_gpu_loads_on_one_without(cls):
    X, _ = table()
    model = fitted(cls)
    there = clone(model).set_params(device="cuda:7")
    there.__setstate__(model.__getstate__() | {"device": "cuda:7"})
    assert next(there.module_.parameters()).device.type == "cpu"
    assert_same_results(model, there, X)


def check_same_on(device, cls, dtype):
    """Training, results, draws and storage agree with those of the CPU, but for rounding."""
    X, y = table()
    tolerance = {"float32": 1e-5, "float64": 1e-8}[dtype]

    def check_same(model, other):
        found, expected = results(model, X), results(other, X)
        if "n_samples" in inspect.signature(getattr(model, "sample", len)).parameters:
            found.append(model.sample(20, random_state=0))
            expected.append(other.sample(20, random_state=0))
        for a, b in zip(found, expected, strict=True):
            a, b = (v if isinstance(v, tuple | list) else [v] for v in (a, b))
            for row, same in zip(a, b, strict=True):
                if np.asarray(row).dtype.kind == "f":
                    np.testing.assert_allclose(row, same, rtol=tolerance, atol=tolerance)

    # Steps of a shape come often enough to be captured.
    here, there = (quick(cls, dtype=dtype, device=d, batch_size=12) for d in ("cpu", device))
    for method in ("fit", "partial_fit"):
        if hasattr(cls, method):
            check_same(getattr(here, method)(X, y), getattr(there, method)(X, y))
    check_same(pickle.loads(pickle.dumps(there)), there)
    moved = clone(there).set_params(device="cpu")
    moved.__setstate__(there.__getstate__() | {"device": "cpu"})
    check_same(moved, here)


ON_DEVICES = [c for c in ESTIMATORS.values() if "device" in c().get_params()]
DTYPES = ("float32", "float64")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cls", ON_DEVICES, ids=[c.__name__ for c in ON_DEVICES])
def test_cuda_equals_cpu(cls, dtype):
    check_same_on("cuda", cls, dtype)


@pytest.mark.parametrize("cls", ON_DEVICES[::9], ids=[c.__name__ for c in ON_DEVICES[::9]])
def test_a_device_equals_itself(cls):
    check_same_on("cpu", cls, "float64")


# -- 7. progress ---------------------------------------------------------------------------


class Recorder:
    """A callback of scikit-learn that notes the tasks it is told of."""

    max_propagation_depth = None

    def __init__(self):
        self.begun, self.ended = [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **data):
        self.begun.append((context.estimator_name, context.task_name))

    def on_fit_task_end(self, estimator, context, **data):
        self.ended.append((context.estimator_name, context.task_name))


@each
def test_callbacks_are_told_and_nothing_is_printed(cls, capfd):
    X, y = table()
    model = quick(cls).fit(X, y)
    assert capfd.readouterr() == ("", "")
    recorder = Recorder()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "y has one label for each")
        make_pipeline(model).set_callbacks(recorder, ProgressBar()).fit(X, y)
    assert sorted(recorder.begun) == sorted(recorder.ended)
    told = [task for name, task in recorder.begun if name == cls.__name__]
    assert told.count("fit") == 1
    assert told.count("epoch") == (model.n_iter_ if cls in NEURAL else 0)


@each_neural
def test_scoring_monitor_records_each_epoch(cls):
    X, y = table()
    if not hasattr(cls, "score"):
        pytest.skip("nothing to score by")
    kinds = {"accuracy": is_classifier, "r2": is_regressor}
    scoring = next((name for name, is_kind in kinds.items() if is_kind(cls())), None)
    if scoring is None and get_tags(cls()).target_tags.required:
        scoring = {"score": cls.score}
    monitor = ScoringMonitor(scoring=scoring)
    quick(cls, max_epochs=3).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs()[-1] if isinstance(monitor.get_logs(), list) else monitor.get_logs()
    epochs = [row for row in log.data if row["task_name"] == "epoch"]
    assert len(epochs) == 3


@each_neural
def test_verbose_prints_a_line_an_epoch(cls, capsys):
    X, y = table()
    quick(cls, verbose=1, max_epochs=3).fit(X, y)
    assert len(capsys.readouterr().out.splitlines()) == 3


@each_neural
def test_more_verbose_prints_lines_within_long_epochs(cls, capsys, monkeypatch):
    X, y = table()
    model = quick(cls, verbose=2, batch_size=16, trim=0)  # which trains on all rows
    expected = clone(model).set_params(verbose=1).fit(X, y)
    of_epochs = capsys.readouterr().out.splitlines()
    seconds = itertools.count()  # each look at the clock finds it a second later
    monkeypatch.setattr(monitors, "monotonic", lambda: 3.0 * next(seconds))
    found = model.fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "batch" not in line] == of_epochs
    within = [line for line in lines if "batch" in line]
    assert [line.partition(":")[0] for line in within] == [
        f"epoch {epoch}, batch 2 of 4" for epoch in (1, 2)
    ]
    assert found.loss_curve_ == expected.loss_curve_


# -- documentation -------------------------------------------------------------------------


@each
def test_docstring_tells_every_parameter_with_its_default(cls):
    params = cls().get_params(deep=False)
    section = cls.__doc__.split("Parameters\n----------\n")[1].split("\n\nAttributes\n")[0]
    documented = dict(re.findall(r"^(\w+) : .*default=(.+)$", section, re.MULTILINE))
    assert documented == {name: repr(value) for name, value in params.items()}
    assert "Examples\n--------" in cls.__doc__


@each
def test_fitted_attributes_are_documented(cls):
    X, y = table()
    fitted = quick(cls, early_stopping=True).fit(X, y)
    section = cls.__doc__.split("Attributes\n----------\n")[1].split("\n\nReferences")[0]
    documented = set(re.findall(r"^(\w+_) : ", section, re.MULTILINE))
    public = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    assert public <= documented


@each
def test_public_methods_are_documented(cls):
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        if name.startswith("_") or not method.__module__.startswith("sklseq"):
            continue
        for parameter in inspect.signature(method).parameters:
            assert parameter == "self" or parameter in (method.__doc__ or ""), (name, parameter)


def test_every_family_exports_what_discovery_finds():
    for family in ("recurrent", "reservoir", "recursive", "autoencoder", "generative"):
        module = importlib.import_module(f"sklseq.{family}")
        exported = {name for name in module.__all__ if isinstance(getattr(module, name), type)}
        assert exported <= ESTIMATORS.keys() | {"ESNSearchCV", "GenerativeOverSampler", "Stream"}


def test_import_is_light():
    code = (
        "import sys, sklseq; assert 'torch' not in sys.modules; assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- names ---------------------------------------------------------------------------------


def test_estimators_are_at_the_top_too():
    names = set(dir(sklseq)) - set(sklseq.__all__)
    assert names == {*ESTIMATORS, "ESNSearchCV"}
    for name, cls in ESTIMATORS.items():
        assert getattr(sklseq, name) is cls


# -- offsets and scales --------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "scale"), [(1e3, 1), (1e6, 1), (1e9, 1), (0, 1e-6), (0, 1e6)])
@each
def test_offsets_and_scales_change_nothing_or_warn(cls, offset, scale):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = (2 * rng.normal(size=(60, 6)) + y[:, None]).round(2)
    if cls.__name__ == "ConvolutionalAutoencoder":
        X = np.repeat(X, 6, axis=1).reshape(60, 6, 6)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        plain = quick(cls).fit(X, y)
    assert not [w for w in found if "tandard" in str(w.message)]
    moved = X * scale + offset
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model = quick(cls).fit(moved, y)
    if any(re.search(r"feature 0 has mean .*StandardScaler", str(w.message)) for w in found):
        return
    for method in results_of(plain):
        a, b = getattr(plain, method)(X), getattr(model, method)(moved)
        language = cls.__name__ == "RecurrentLanguageModel" and method == "predict"
        if issubclass(cls, Forecaster) or language:
            b = (b - offset) / scale  # in the units of X
        if a.dtype.kind == "f" and method == "score_samples":
            # A density is per unit of X.
            a, b = a - a.mean(), b - b.mean()
        np.testing.assert_allclose(
            np.asarray(b, dtype=float), np.asarray(a, dtype=float), rtol=0.05, atol=0.05
        )
