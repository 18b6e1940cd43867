"""Steps that are captured and replayed train as those that run operation by operation."""

import numpy as np
import pytest
import torch
from graph_stand_in import Captures
from skorch.callbacks import Callback
from torch import nn

from sklseq.autoencoder import DenoisingAutoencoder
from sklseq.generative import GAN, VAE
from sklseq.nn.adversarial.gan import AdversarialNetwork
from sklseq.recurrent import GRUClassifier
from sklseq.training import graphs
from sklseq.training.engine import Trainer
from sklseq.training.net import Net, clip_norm_unseen
from sklseq.training.optimizers import SCHEDULES
from sklseq.training.rows.batch import Targets, mean_loss
from sklseq.training.rows.dense import DenseRows

SETTINGS = {
    "solver": "adam",
    "learning_rate": 0.01,
    "lr_schedule": None,
    "max_epochs": 6,
    "batch_size": 8,
    "weight_decay": 0.01,
    "gradient_clip": 0.1,
    "gradient_clip_by": "norm",
    "n_iter_no_change": 10,
    "tol": 0.0,
    "n_threads": 1,
    "verbose": 0,
    "seed": 7,
}


@pytest.fixture
def captures(monkeypatch):
    """What devices do, done by the CPU."""
    captures = Captures()
    monkeypatch.setitem(graphs.CAPTURES, "cpu", captures)
    return captures


def rows(n=30, dtype=torch.float64, weights=None):
    x = np.random.default_rng(0).normal(size=(n, 3))
    weights = np.ones(n) if weights is None else weights
    return DenseRows((x,), torch.zeros(1, dtype=dtype), Targets(weights, x[:, :1] ** 2))


def module(dtype=torch.float64):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).to(dtype)


def objective(module, batch):
    return mean_loss((module(*batch.inputs) - batch.target).square()[:, 0], batch)


def trained(data=None, validation=None, objective=objective, dtype=torch.float64, **changed):
    net = module(dtype)
    data = rows(dtype=dtype) if data is None else data
    result = Trainer(**SETTINGS | changed).run(net, objective, data, validation)
    return result, net.state_dict()


def assert_same(found, expected, bound=1e-12):
    (result, weights), (other, others) = found, expected
    for name in ("loss_curve", "validation_curve", "learning_rates"):
        np.testing.assert_allclose(getattr(result, name), getattr(other, name), rtol=bound)
    torch.testing.assert_close(weights, others, rtol=bound, atol=bound)


@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("by", ["norm", "value"])
def test_replays_train_as_eager_steps(solver, by, captures, monkeypatch):
    found = trained(validation=rows(12), solver=solver, gradient_clip_by=by)
    # Batches of 8 and the last of 6 rows are two shapes, in training and in validation.
    assert captures.refused == []
    assert captures.n_captures == 4
    monkeypatch.delitem(graphs.CAPTURES, "cpu")
    assert_same(found, trained(validation=rows(12), solver=solver, gradient_clip_by=by))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rates_move_within_graphs(schedule, dtype, captures, monkeypatch):
    given = {"lr_schedule": schedule, "dtype": dtype, "max_epochs": 8}
    found = trained(**given)
    # In double precision a graph holds its rates, and serves no others.
    assert captures.n_captures == 2 or (dtype == torch.float64 and captures.n_captures < 4)
    assert all(isinstance(rate, float) for rate in found[0].learning_rates)
    assert all(isinstance(g["lr"], float) for g in found[0].optimizer_state["param_groups"])
    monkeypatch.delitem(graphs.CAPTURES, "cpu")
    assert_same(found, trained(**given), 1e-12 if dtype == torch.float64 else 1e-4)


def test_what_waits_for_the_device_runs_as_it_is(captures, monkeypatch):
    def waiting(module, batch):
        return objective(module, batch) * (2.0 if batch.target.max().item() > 1 else 1.0)

    found = trained(objective=waiting)
    assert captures.n_captures == 0
    assert len(captures.refused) == 2  # once for each shape
    with pytest.raises(ValueError, match=r"cannot be captured: CUDA refuses it.*graph='auto'"):
        trained(objective=waiting, graph=True)
    monkeypatch.delitem(graphs.CAPTURES, "cpu")
    assert_same(found, trained(objective=waiting))


def test_batches_without_weight_leave_the_weights(captures, monkeypatch):
    weights = np.repeat([0.0, 1.0], 15)
    found = trained(rows(weights=weights), batch_size=2)
    monkeypatch.delitem(graphs.CAPTURES, "cpu")
    assert_same(found, trained(rows(weights=weights), batch_size=2))


def test_a_bad_step_ends_in_the_same_error(captures, monkeypatch):
    data = rows(32)
    data.target[20] = torch.inf
    for _ in range(2):
        with pytest.raises(ValueError, match=r"loss is inf in epoch 1, batch 3.*learning_rate"):
            trained(data, batch_size=32 // 4, solver="sgd", max_epochs=1, seed=0)
        monkeypatch.setattr(DenseRows, "shuffled", lambda self, rng, size: np.arange(len(self)))
        monkeypatch.delitem(graphs.CAPTURES, "cpu", raising=False)


class Looks(Callback):
    def on_grad_computed(self, net, named_parameters, **kwargs):
        """Look at the gradients."""


@pytest.mark.parametrize(
    "given", [{"callbacks": [Looks()]}, {"verbose": 2}, {"solver": "lbfgs", "batch_size": 30}]
)
def test_whoever_looks_at_steps_sees_each(given, captures, capsys):
    trained(**given)
    assert captures.n_captures == 0
    with pytest.raises(ValueError, match=r"graph=True needs device='cuda'.*graph='auto'"):
        trained(**given, graph=True)


def test_graphs_can_be_refused_and_asked_for(captures, monkeypatch):
    found = trained(graph=False)
    assert captures.n_captures == 0
    assert_same(found, trained(graph=True))
    assert captures.n_captures == 2
    monkeypatch.delitem(graphs.CAPTURES, "cpu")
    with pytest.raises(ValueError, match="now 'cpu'"):
        trained(graph=True)
    assert type(graphs.net_for(module(), objective, Trainer(**SETTINGS), rows(), [])) is Net


def test_graphs_that_are_asked_for_of_ragged_sequences_are_an_error(captures):
    X = [np.ones((n, 2)) for n in (3, 5, 4, 2)]
    model = GRUClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"sequences of one length alone.*graph='auto'"):
        model.set_params(graph=True).fit(X, [0, 1, 0, 1])
    assert model.predict(X).shape == (4,)  # as it was fitted before


def test_clipping_without_looking_is_clipping():
    for limit in (0.1, 1e6, float("nan")):
        gradients = []
        for clip in (Net.clip_norm, clip_norm_unseen):
            net = module()
            net(torch.ones(2, 3).double()).sum().backward()
            clip(list(net.parameters()), limit)
            gradients.append([p.grad for p in net.parameters()])
        torch.testing.assert_close(*gradients, rtol=0, atol=0, equal_nan=True)


def test_averages_that_wait_for_nothing_are_the_same():
    nets = [AdversarialNetwork(n_features=2, n_components=2).double() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    for step in range(3):
        for net in nets:
            with torch.no_grad():
                for p in net.generator.parameters():
                    p.add_(step)
        nets[0].after_step()
        nets[1]._average_unseen()
    torch.testing.assert_close(nets[0].state_dict(), nets[1].state_dict(), rtol=1e-12, atol=1e-12)


MODELS = [
    VAE(kl_warm_up=3),
    DenoisingAutoencoder(),
    GAN(n_candidates=1),
    GRUClassifier(hidden_size=4, dropout=0.3, num_layers=2),
]
models = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def data_for(model):
    rng = np.random.default_rng(0)
    if not isinstance(model, GRUClassifier):
        return rng.normal(size=(32, 4)), None
    return rng.normal(size=(32, 6, 2)), rng.integers(2, size=32)


@models
def test_noise_and_annealing_go_on_in_replays(model, captures, monkeypatch):
    monkeypatch.setattr(AdversarialNetwork, "after_step", AdversarialNetwork._average_unseen)
    X, y = data_for(model)
    model.set_params(max_epochs=6, batch_size=8, random_state=0, dtype="float64", lr_schedule=None)
    curve = model.fit(X, y).loss_curve_
    assert captures.refused == []
    assert captures.n_replays > 15
    monkeypatch.delitem(graphs.CAPTURES, "cpu")
    np.testing.assert_allclose(curve, model.fit(X, y).loss_curve_, rtol=1e-9)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("schedule", [None, "cosine", "onecycle"])
@models
def test_cuda_graphs_train_as_eager_steps(model, schedule, monkeypatch):
    captured = []

    def counted(function):
        captured.append(graphs.cuda_graph(function))
        return captured[-1]

    monkeypatch.setitem(graphs.CAPTURES, "cuda", counted)
    X, y = data_for(model)
    model.set_params(max_epochs=6, batch_size=8, random_state=0, device="cuda")
    model.set_params(lr_schedule=schedule, dtype="float32")
    curve = model.set_params(graph=True).fit(X, y).loss_curve_
    assert captured
    np.testing.assert_allclose(curve, model.set_params(graph=False).fit(X, y).loss_curve_, 1e-4)
