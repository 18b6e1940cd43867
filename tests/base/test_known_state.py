"""Settings of torch, numpy and scikit-learn change no result, and are the user's again after it."""

import pickle
import sys
import threading
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification
from sklearn.utils import get_tags

from sklseq.base.known_state import known_state
from sklseq.generative import VAE
from sklseq.recurrent import GRUClassifier
from sklseq.utils import all_estimators

ESTIMATORS = dict(all_estimators())
METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")


@contextmanager
def switched(switch, value, back):
    switch(value)
    try:
        yield
    finally:
        switch(back)


def denormals_are_flushed():
    return sys.float_info.min / 2 == 0


STATES = {
    "default_dtype": lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
    "half": lambda: switched(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "default_device": lambda: switched(torch.set_default_device, "meta", None),
    "device": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "anomaly": lambda: switched(torch.autograd.set_detect_anomaly, True, False),
    "deterministic": lambda: switched(torch.use_deterministic_algorithms, True, False),
    "precision": lambda: switched(torch.set_float32_matmul_precision, "medium", "highest"),
    "denormal": lambda: switched(torch.set_flush_denormal, True, False),
    "numpy_errors": lambda: np.errstate(all="raise"),
    "printing": lambda: np.printoptions(precision=1, threshold=2, legacy="1.13"),
    "array_api": lambda: sklearn.config_context(array_api_dispatch=True),
}
# Each at least once, in settings that go together.
TOGETHER = [
    ("default_dtype", "device", "inference_mode", "autocast", "numpy_errors", "array_api"),
    ("half", "default_device", "no_grad", "deterministic", "precision", "denormal", "printing"),
]


@contextmanager
def states(*names):
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(STATES[name]())
        yield


def settings():
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "anomaly": torch.is_anomaly_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "cudnn": torch.backends.cudnn.rnn.fp32_precision,
        "denormal": denormals_are_flushed(),
        "numpy": np.geterr(),
    }


def small(cls):
    wanted = {"max_epochs": 2, "random_state": 0, "n_components": 2, "channels": (4,)}
    known = cls().get_params()
    return cls(**{name: value for name, value in wanted.items() if name in known})


def outcome(cls, X, y):
    """Results of a model that was stored once, and rows drawn from it."""
    model = pickle.loads(pickle.dumps(small(cls).fit(X, y)))
    if hasattr(model, "partial_fit"):
        model.partial_fit(X, y)
    if hasattr(model, "module_"):
        assert not any(p.is_inference() or p.is_meta for p in model.module_.parameters())
    found = [getattr(model, name)(X) for name in METHODS if hasattr(model, name)]
    drawn_from = X if get_tags(model).target_tags.required else 3  # outputs for X, or rows
    return [*found, model.sample(drawn_from, random_state=0)] if hasattr(model, "sample") else found


@pytest.mark.filterwarnings("ignore:Posterior collapse")
@pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)
def test_no_setting_changes_a_result(cls):
    X, y = make_classification(30, 4, n_redundant=0, random_state=0)
    expected = outcome(cls, X, y)
    for names in TOGETHER:
        with states(*names):
            before = settings()
            found = outcome(cls, X, y)
            assert settings() == before
        for a, b in zip(expected, found, strict=True):
            for row, same in zip(*map(_arrays, (a, b)), strict=True):
                assert_array_equal(row, same)


def _arrays(result):
    # A conditional or sequence generator gives several arrays.
    return list(result)


@pytest.mark.filterwarnings("ignore:Posterior collapse")
def test_array_api_dispatch_reaches_what_is_fitted_inside():
    X, _ = make_classification(60, 4, random_state=0)
    model = VAE(max_epochs=2, latent_prior="gmm", random_state=0)
    expected = model.fit(X).sample(5, random_state=0)
    with sklearn.config_context(array_api_dispatch=True):
        assert_array_equal(model.fit(X).sample(5, random_state=0), expected)


@known_state()
def compute_and_fail():
    assert torch.get_default_dtype() == torch.float32
    assert torch.zeros(1, requires_grad=True).exp().requires_grad
    assert torch.zeros(1).device.type == "cpu"
    assert not denormals_are_flushed()
    raise KeyError


@pytest.mark.parametrize("name", STATES)
def test_settings_are_given_back_also_by_what_fails(name):
    with states(name):
        before = settings()
        with pytest.raises(KeyError):
            compute_and_fail()
        assert settings() == before


def test_settings_of_the_process_are_given_back_by_the_last_thread():
    inside, out = threading.Barrier(2), threading.Event()

    def first():
        with known_state():
            inside.wait(timeout=30)
        out.set()

    with states("default_dtype"):
        worker = threading.Thread(target=first)
        worker.start()
        with known_state():
            inside.wait(timeout=30)
            assert out.wait(timeout=30)
            assert torch.get_default_dtype() == torch.float32
        worker.join(timeout=30)
        assert torch.get_default_dtype() == torch.float64


def test_a_user_who_ignores_warnings_of_numpy_still_does():
    with np.errstate(all="ignore"), known_state():
        assert set(np.geterr().values()) == {"ignore"}


def test_wrapping_keeps_signatures():
    names = [
        *("X", "y", "sample_weight", "X_val", "y_val", "sample_weight_val", "groups"),
        *("context", "context_val", "return"),
    ]
    assert list(GRUClassifier.fit.__annotations__) == names
