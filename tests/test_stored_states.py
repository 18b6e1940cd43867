"""Stored states that nobody should trust: damaged, or made to do harm."""

import importlib
import io
import pkgutil
import resource
import sys
import time
import tracemalloc
import types
from contextlib import suppress

import joblib
import numpy as np
import pytest
import torch
from damaged_states import damaged_states, replaced
from sklearn.preprocessing import StandardScaler
from test_estimators import ESTIMATORS, assert_same_results, quick, results, table

import sklseq
from sklseq.autoencoder import Autoencoder, ConvolutionalAutoencoder
from sklseq.base.state import declared_kinds
from sklseq.generative import VAE, SequenceVAE
from sklseq.preprocessing import PerStep
from sklseq.recurrent import GRUClassifier, LSTMClassifier, RecurrentClassifier
from sklseq.recursive import RecursiveClassifier
from sklseq.reservoir import ESNClassifier, ESNForecaster, ESNRegressor
from sklseq.utils import trusted_types

each = pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)


def loaded(cls, state):
    model = object.__new__(cls)
    model.__setstate__(state)
    return model


def with_settings(model, **settings):
    """The stored state of a model, with other settings of its network."""
    state = model.__getstate__()
    return state | {"_module_kwargs": state["_module_kwargs"] | settings}


@each
@pytest.mark.filterwarnings("ignore:.*was saved by sklseq")
def test_a_damaged_state_is_refused_or_works(cls):
    X, y = table()
    model = quick(cls).fit(X, y)
    refused = 0
    for what, state in damaged_states(model.__getstate__(), 24):
        start = time.process_time()
        try:
            results(loaded(cls, state), X)
        except ValueError:
            refused += 1
        except Exception as error:
            raise AssertionError(what) from error
        assert time.process_time() - start < 5, what
    assert refused > 2


@each
def test_all_that_is_learned_is_declared(cls):
    X, y = table()
    model = quick(cls).fit(X, y)
    kinds, parameters = declared_kinds(cls), model.get_params(deep=False)
    stamps = {"_sklseq_version", "_sklseq_class"}
    assert model.__getstate__().keys() <= kinds.keys() | parameters.keys() | stamps


@each
def test_a_state_of_another_class_is_refused(cls):
    X, y = table()
    state = quick(cls).fit(X, y).__getstate__()
    other = LSTMClassifier if cls is not LSTMClassifier else GRUClassifier
    with pytest.raises(ValueError, match=f"stored state of this {other.__name__}.*{cls.__name__}"):
        loaded(other, state)


def test_a_refused_state_changes_nothing():
    X, y = table()
    model = quick(GRUClassifier).fit(X, y)
    state = quick(GRUClassifier, hidden_size=5).fit(X, y).__getstate__()
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.__setstate__(
            state | {"best_loss_": 1.0, "module_": {"head.bias": np.array([np.nan])}}
        )
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_no_value_takes_the_place_of_a_method():
    X, y = table()
    state = quick(GRUClassifier).fit(X, y).__getstate__()
    for name in ("predict", "_read", "_network", "__class__", 3):
        with pytest.raises(ValueError, match="no attribute"):
            loaded(GRUClassifier, state | {name: print})
    assert loaded(GRUClassifier, state | {"note_of_the_user": "kept"}).note_of_the_user == "kept"


# -- code ----------------------------------------------------------------------------------


class Module(torch.nn.GRUCell):
    """A cell of a user."""


def called(*args, **kwargs):
    raise AssertionError("called")


CALLABLES = [called, importlib.import_module, print, dict, type, len, Module(1, 1), sys]


@pytest.mark.parametrize("value", CALLABLES, ids=lambda v: getattr(v, "__name__", "module"))
@pytest.mark.parametrize("name", ["cell", "cell_options", "pooling", "hidden_size"])
def test_settings_name_no_code(value, name):
    model = quick(RecurrentClassifier).fit(*table())
    with pytest.raises(ValueError, match="stored state of this RecurrentClassifier"):
        loaded(RecurrentClassifier, with_settings(model, **{name: value}))
    if name == "cell_options":
        with pytest.raises(ValueError, match="stored state of this RecurrentClassifier"):
            loaded(RecurrentClassifier, with_settings(model, cell_options={"bias": value}))


@pytest.mark.parametrize("value", [*CALLABLES, "nonsense", None, ("gru",), Module])
def test_a_composition_is_one_of_ours_or_a_module(value):
    model = quick(RecursiveClassifier).fit(*table())
    with pytest.raises(ValueError, match="stored state of this RecursiveClassifier"):
        loaded(RecursiveClassifier, with_settings(model, composition=value))


def test_a_class_of_modules_is_a_cell():
    X, y = table()
    model = quick(RecurrentClassifier, cell=Module).fit(X, y)
    assert_same_results(model, loaded(RecurrentClassifier, model.__getstate__()), X)


def modules_of_ours():
    yield sklseq
    for found in pkgutil.walk_packages(sklseq.__path__, "sklseq."):
        yield importlib.import_module(found.name)


def test_no_name_of_ours_imports_opens_or_runs():
    """A file that skops reads may have any name called that its reader trusts."""
    origins = {"importlib", "runpy", "os", "posix", "subprocess", "shutil", "tempfile", "pickle"}
    origins |= {
        "_pickle",
        "operator",
        "_operator",
        "types",
        "ctypes",
        "io",
        "_io",
        "urllib",
        "code",
    }
    denied = {
        joblib.load,
        joblib.dump,
        torch.load,
        torch.save,
        np.load,
        np.save,
        types.FunctionType,
    }
    found = []
    for module in modules_of_ours():
        for name, value in vars(module).items():
            if name.startswith("__") or not callable(value):
                continue
            origin = str(getattr(value, "__module__", "")).partition(".")[0]
            by_origin = origin in origins and not isinstance(value, type)
            builtin = origin == "builtins" and isinstance(value, types.BuiltinFunctionType)
            hashable = isinstance(value, (type, types.FunctionType))
            if by_origin or builtin or (hashable and value in denied):
                found.append(f"{module.__name__}.{name}")
    assert found == []


@each
def test_skops_needs_no_more_than_the_classes_listed(cls):
    skops = pytest.importorskip("skops.io")
    X, y = table()
    file = skops.dumps(quick(cls).fit(X, y))
    assert set(skops.get_untrusted_types(data=file)) <= set(trusted_types())


def test_a_function_of_ours_is_not_among_what_is_trusted():
    skops = pytest.importorskip("skops.io")
    model = quick(RecurrentClassifier).fit(*table())
    model._module_kwargs["cell"] = sklseq.utils.all_estimators
    file = skops.dumps(model)
    with pytest.raises(skops.exceptions.UntrustedTypesFoundException, match="all_estimators"):
        skops.loads(file, trusted=trusted_types())
    with pytest.raises(ValueError, match="stored state of this RecurrentClassifier"):
        skops.loads(file, trusted=skops.get_untrusted_types(data=file))


# -- memory --------------------------------------------------------------------------------

LARGE = [
    (GRUClassifier, {"hidden_size": 20_000}),
    (GRUClassifier, {"hidden_size": 900}),
    (GRUClassifier, {"num_layers": 10**5}),
    (GRUClassifier, {"num_layers": 1_000}),
    (GRUClassifier, {"n_features": 10**9, "embedding_size": 10**6}),
    (RecurrentClassifier, {"cell": torch.nn.GRUCell, "hidden_size": 1_000}),
    (Autoencoder, {"hidden_layer_sizes": (40_000, 40_000)}),
    (Autoencoder, {"hidden_layer_sizes": (1_000,) * 500}),
    (ConvolutionalAutoencoder, {"channels": (10**5, 10**5)}),
    (ConvolutionalAutoencoder, {"image_shape": (10**5, 10**5)}),
    (RecursiveClassifier, {"arity": 10**9}),
    (SequenceVAE, {"max_length": 10**9}),
    (VAE, {"n_components": 2**62}),
    (VAE, {"likelihood": (("category", 10**10, False, 0.0),)}),
]


@pytest.mark.parametrize(("cls", "settings"), LARGE)
def test_no_more_memory_than_what_is_stored_justifies(cls, settings):
    X, y = table()
    state = with_settings(quick(cls).fit(X, y), **settings)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"stored state of this {cls.__name__}"):
        loaded(cls, state)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # kB: 64 MB
    assert time.process_time() - start < 5


def test_a_small_network_has_large_settings():
    trees = [("a", *["b"] * n) for n in (2_000, 3, 1, 2)]
    model = quick(RecursiveClassifier, composition="childsum-gru", hidden_size=2, max_epochs=1)
    model.fit(trees, [0, 1, 0, 1])
    stored = loaded(RecursiveClassifier, model.__getstate__())
    np.testing.assert_array_equal(stored.predict_proba(trees), model.predict_proba(trees))


# -- reservoirs ----------------------------------------------------------------------------

RECURRENT = ("layers_", 0, "recurrent_weights")


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


DAMAGED_RESERVOIRS = {
    "indices far out": ((*RECURRENT, "indices"), lambda a: np.full_like(a, 10**6)),
    "one index just out": ((*RECURRENT, "indices"), lambda a: changed(a, 5, 100)),
    "negative index": ((*RECURRENT, "indices"), lambda a: changed(a, 5, -1)),
    "end of rows": ((*RECURRENT, "indptr"), lambda a: changed(a, -1, 10**9)),
    "rows not in order": ((*RECURRENT, "indptr"), lambda a: changed(a, 50, 0)),
    "start of rows": ((*RECURRENT, "indptr"), lambda a: changed(a, 0, 7)),
    "fewer indices": ((*RECURRENT, "indices"), lambda a: a[:-1]),
    "fewer numbers": ((*RECURRENT, "data"), lambda a: a[:-1]),
    "indices of floats": ((*RECURRENT, "indices"), lambda a: a.astype(float)),
    "complex weights": ((*RECURRENT, "data"), lambda a: a.astype(complex)),
    "huge shape": ((*RECURRENT, "shape"), lambda a: np.array([100, 10**12])),
    "three axes": ((*RECURRENT, "shape"), lambda a: np.array([100, 100, 1])),
    "NaN weight": ((*RECURRENT, "data"), lambda a: changed(a, 0, np.nan)),
    "infinite bias": (("layers_", 0, "bias"), lambda a: changed(a, 0, np.inf)),
    "input weights of integers": (("layers_", 0, "input_weights"), lambda a: a.astype(int)),
    "NaN bias": (("layers_", 0, "bias"), lambda a: changed(a, 0, np.nan)),
    "leak rate": (("layers_", 0, "leak_rate"), lambda a: float("nan")),
    "activation": (("layers_", 0, "activation"), lambda a: "nonsense"),
    "dtype": (("layers_", 0, "dtype"), lambda a: "int8"),
    "no layer": (("layers_",), lambda a: []),
    "a layer twice": (("layers_",), lambda a: a * 2),
}


@pytest.mark.parametrize("damage", DAMAGED_RESERVOIRS)
@pytest.mark.parametrize("cls", [ESNClassifier, ESNRegressor, ESNForecaster])
def test_a_damaged_reservoir_is_refused(cls, damage):
    path, change = DAMAGED_RESERVOIRS[damage]
    state = quick(cls).fit(*table()).__getstate__()
    value = state
    for part in path:
        value = value[part]
    with pytest.raises(ValueError, match=f"stored state of this {cls.__name__}"):
        loaded(cls, replaced(state, path, change(value)))


@pytest.mark.parametrize(
    "params",
    [
        {"num_layers": 2, "bidirectional": True},
        {"topology": "hadamard", "reservoir_size": 64},
        {"rotation": "ring", "dtype": "float32", "leak_rate": (0.1, 0.9)},
        {"readout": StandardScaler},
        {"alpha": "gcv", "solver": "qr", "n_slices": 2},
    ],
    ids=str,
)
def test_reservoirs_of_all_kinds_are_stored(params):
    from sklearn.linear_model import Ridge

    X, y = table()
    params = params | ({"readout": Ridge()} if "readout" in params else {})
    model = quick(ESNRegressor, **params).fit(X, y)
    assert_same_results(model, loaded(ESNRegressor, model.__getstate__()), X)


def test_a_flipped_bit_is_refused_or_works():
    X, y = table()
    buffer = io.BytesIO()
    joblib.dump(quick(ESNClassifier, reservoir_size=20).fit(X, y), buffer)
    stored, rng = buffer.getvalue(), np.random.default_rng(0)
    for place in rng.integers(len(stored), size=100):
        file = bytearray(stored)
        file[place] ^= 1 << int(rng.integers(8))
        try:
            model = joblib.load(io.BytesIO(bytes(file)))
        except Exception:  # pickle has errors of all kinds
            continue
        if isinstance(model, ESNClassifier):
            with suppress(ValueError):
                model.predict(X)


def test_other_steps_are_stored():
    model = PerStep(StandardScaler()).fit([np.ones((3, 2)), np.zeros((2, 2))])
    assert loaded(PerStep, model.__getstate__()).n_features_in_ == 2
