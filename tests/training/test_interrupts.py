"""Ctrl-C at any line: the old state, or the best weights and a warning; nothing else changes."""

import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

import sklseq
from sklseq._compat.torch import _first_step, load_what_optimizers_need
from sklseq.autoencoder import Autoencoder, SequenceAutoencoder
from sklseq.generative import GAN, VAE
from sklseq.nn.layers.randomness import current_generator
from sklseq.recurrent import GRUClassifier
from sklseq.recursive import RecursiveClassifier

ROOT = Path(sklseq.__file__).parent
FILES = (
    str(ROOT / "training"),
    str(ROOT / "parts" / "fit.py"),
    str(ROOT / "base" / "estimator.py"),
    str(ROOT / "base" / "known_state.py"),
)
N_TRIED = 15
SMALL = {"max_epochs": 3, "random_state": 0, "batch_size": 4}
FAMILIES = [
    GRUClassifier(hidden_size=2, **SMALL),
    GRUClassifier(hidden_size=2, early_stopping=True, validation_fraction=0.4, **SMALL),
    RecursiveClassifier(hidden_size=2, **SMALL),
    Autoencoder(hidden_layer_sizes=(3,), n_components=1, **SMALL),
    SequenceAutoencoder(hidden_size=2, n_components=1, **SMALL),
    VAE(hidden_layer_sizes=(3,), n_components=1, **SMALL),
    GAN(hidden_layer_sizes=(3,), discriminator_layer_sizes=(3,), n_components=1, **SMALL),
]
pytestmark = pytest.mark.filterwarnings("ignore:Posterior collapse")


class At:
    """Raises KeyboardInterrupt at one line of the engine, or counts them."""

    def __init__(self, number):
        self.number, self.count, self.where = number, 0, None

    def __call__(self, frame, event, argument):
        code = frame.f_code
        return self.line if code.co_filename.startswith(FILES) else None

    def line(self, frame, event, argument):
        if event != "line":
            return self.line
        self.count += 1
        if self.count == self.number:
            self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            raise KeyboardInterrupt
        return self.line


def traced(tracer, function):
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        return function()
    finally:
        sys.settrace(before)


def process():
    return (
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        current_generator(),
        np.geterr(),
        torch.get_rng_state().sum().item(),
    )


def weights(module):
    """What is trained; buffers may be computed once training has ended."""
    return [p.detach().numpy().copy() for p in module.parameters()]


def best_weights(model, X, y):
    """Weights after each epoch, by training that long."""

    class Recorder(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(weights(net.module_))

    seen = []
    clone_of(model).set_params(callbacks=[Recorder()]).fit(X, y)
    return seen


def clone_of(model):
    return type(model)(**model.get_params())


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("model", FAMILIES, ids=lambda m: type(m).__name__)
def test_an_interrupt_at_any_line_loses_nothing(model):
    X, y = make_classification(10, 4, n_redundant=0, random_state=0)
    epochs = best_weights(model, X, y)
    counter = At(0)
    traced(counter, lambda: clone_of(model).fit(X, y))
    fitted = clone_of(model).fit(X, y)
    before, outside = dict(vars(fitted)), process()
    # Every line of a run would take minutes: each is met at one of its many times.
    numbers = np.random.default_rng(0).integers(1, counter.count, size=N_TRIED)
    for number in [*numbers, *range(counter.count - N_TRIED // 3, counter.count)]:
        fitted.__dict__.clear()
        fitted.__dict__.update(before)
        tracer = At(int(number))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                traced(tracer, lambda: fitted.fit(X, y))
                ended = True
            except KeyboardInterrupt:
                ended = False
        assert process() == outside, tracer.where
        if ended:
            told = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
            assert told, tracer.where
            assert any(same(weights(fitted.module_), w) for w in epochs), tracer.where
            assert len(fitted.loss_curve_) == fitted.n_iter_, tracer.where
            fitted.predict(X) if hasattr(fitted, "predict") else fitted.sample(2)
        else:
            assert vars(fitted).keys() == before.keys(), tracer.where
            kept = all(value is before[name] for name, value in vars(fitted).items())
            # After the transaction there is nothing left to undo: the new fit is whole.
            assert kept or same(weights(fitted.module_), epochs[-1]), tracer.where


def test_nothing_of_torch_is_imported_while_training():
    """An interrupt within an import would leave half of it for the life of the process."""
    script = """
import sys
import numpy as np
from skorch.callbacks import Callback
from sklseq.recurrent import GRUClassifier

class Watcher(Callback):
    def on_train_begin(self, net, **kwargs):
        self.before = set(sys.modules)

    def on_train_end(self, net, **kwargs):
        new = set(sys.modules) - self.before
        print(*sorted(name for name in new if name.startswith("torch")))

GRUClassifier(max_epochs=1, callbacks=[Watcher()]).fit(np.zeros((4, 3)), [0, 1, 0, 1])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("ignored", [False, True])
def test_an_interrupt_while_torch_imports_goes_to_the_handler_afterwards(ignored, monkeypatch):
    seen, stepped = [], []

    def step(self):
        signal.raise_signal(signal.SIGINT)
        stepped.append(len(seen))

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    mine = signal.SIG_IGN if ignored else lambda number, frame: seen.append(number)
    before = signal.signal(signal.SIGINT, mine)
    _first_step.cache_clear()
    try:
        load_what_optimizers_need()
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)
        _first_step.cache_clear()
    assert stepped == [0]
    assert seen == ([] if ignored else [signal.SIGINT])
