"""Training steps of several parts: each is updated by its own loss, and by nothing else."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sklseq.training.engine import Trainer
from sklseq.training.phases import Phase
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.dense import DenseRows

SETTINGS = {
    "solver": "sgd",
    "learning_rate": 0.1,
    "lr_schedule": None,
    "max_epochs": 1,
    "batch_size": 10,
    "weight_decay": 0.0,
    "gradient_clip": None,
    "gradient_clip_by": "norm",
    "n_iter_no_change": 5,
    "tol": 0.0,
    "n_threads": None,
    "verbose": 0,
    "seed": 0,
}


class Game(nn.Module):
    """Two numbers, each of which has a goal."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        self.steps = 0
        for part in (self.a, self.b):
            nn.init.ones_(part.weight)

    def after_step(self):
        self.steps += 1


def rows(n=10):
    return DenseRows((np.ones((n, 1)),), torch.ones(1), Targets(np.ones(n)))


def play(phases, **settings):
    game = Game()
    result = Trainer(**SETTINGS | settings, phases=phases).run(game, None, rows())
    return game, result


def test_each_part_minimises_its_own_loss():
    phases = [
        Phase("a", lambda m, batch: (m.a.weight * m.b.weight).sum()),
        Phase("b", lambda m, batch: -(m.a.weight * m.b.weight).sum()),
    ]
    game, result = play(phases, solver="rmsprop", max_epochs=1, learning_rate=0.01)
    assert game.a.weight.item() < 1 < game.b.weight.item()
    assert game.steps == result.n_epochs == 1
    assert result.loss_curve == [1.0]


def test_repeats_and_rates_are_those_of_the_phase():
    def loss(part):
        return lambda m, batch: getattr(m, part).weight.sum()

    phases = [
        Phase("a", loss("a"), repeats=3, options={"momentum": 0.0, "nesterov": False}),
        Phase("b", loss("b"), options={"lr": 0.5, "momentum": 0.0, "nesterov": False}),
    ]
    game, _ = play(phases, max_epochs=2)
    assert game.a.weight.item() == pytest.approx(1 - 2 * 3 * 0.1)
    assert game.b.weight.item() == pytest.approx(1 - 2 * 0.5)


def test_a_loss_that_is_not_finite_stops_training():
    phases = [Phase("a", lambda m, batch: m.a.weight.sum() * np.nan)]
    with pytest.raises(ValueError, match="Training diverged: the loss is nan in epoch 1, batch 1"):
        play(phases)


def test_callbacks_are_told_of_the_gradients_of_each_update():
    told = []

    class Gradients(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            told.append({n: p.grad.item() for n, p in named_parameters if p.grad is not None})

    phases = [
        Phase("a", lambda m, batch: 3 * m.a.weight.sum(), repeats=2),
        Phase("b", lambda m, batch: m.b.weight.sum()),
    ]
    play(phases, callbacks=[Gradients()], gradient_clip=2.0, gradient_clip_by="value")
    assert told == [{"a.weight": 2.0}, {"a.weight": 2.0}, {"b.weight": 1.0}]
