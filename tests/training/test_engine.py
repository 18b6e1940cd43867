"""The engine is a plain training loop, with stops, schedules and errors that mean what they say."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from sklseq.nn.layers.randomness import drawing_from
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.training.context import epoch_generators, seeded_construction
from sklseq.training.engine import Trainer
from sklseq.training.optimizers import SCHEDULES, SOLVERS
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.sequences import SequenceRows

RATE = 0.01


def make_rows(n=10, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, size=n)
    steps = rng.normal(size=(lengths.sum(), 2))
    target = np.array([s.sum() for s in np.split(steps, np.cumsum(lengths)[:-1])])[:, None]
    weight = rng.uniform(0.5, 2, size=(n, 1))
    return SequenceRows(steps, lengths, torch.zeros(1).double(), Targets(weight, target))


def make_module(dropout=0.0):
    with seeded_construction(0):
        module = RecurrentNetwork(n_features=2, n_outputs=1, hidden_size=4, dropout=dropout)
    return module.double()


def objective(module, batch):
    losses = (module(*batch.inputs) - batch.target).square()
    return (losses * batch.weight).sum() / batch.n_rows


def make_trainer(**changed):
    settings = {
        "solver": "adam",
        "learning_rate": RATE,
        "lr_schedule": None,
        "max_epochs": 4,
        "batch_size": 3,
        "weight_decay": 0.0,
        "gradient_clip": 1.0,
        "gradient_clip_by": "norm",
        "n_iter_no_change": 10,
        "tol": 0.0,
        "n_threads": 1,
        "verbose": 0,
        "seed": 7,
    }
    return Trainer(**settings | changed)


def same_weights(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


class Recorder(Callback):
    """Remembers what happened and the weights at the end of each epoch."""

    def __init__(self):
        self.events, self.rates, self.gradients, self.weights = [], [], [], []

    def on_train_begin(self, net, **kwargs):
        self.events.append("train_begin")

    def on_train_end(self, net, **kwargs):
        self.events.append("train_end")
        self.last_rate = net.optimizer_.param_groups[0]["lr"]

    def on_epoch_begin(self, net, **kwargs):
        self.events.append("epoch_begin")

    def on_epoch_end(self, net, **kwargs):
        self.events.append("epoch_end")
        self.weights.append(deepcopy(net.module_.state_dict()))

    def on_batch_begin(self, net, training=False, **kwargs):
        self.events.append("batch_begin" if training else "validation_begin")
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])

    def on_batch_end(self, net, training=False, **kwargs):
        self.events.append("batch_end" if training else "validation_end")

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.gradients.append([p.grad.clone() for _, p in named_parameters])


class Interrupt(Callback):
    """Ctrl-C at the first batch of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


# The loop


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("lr_schedule", [None, *SCHEDULES])
def test_every_solver_lowers_the_loss_under_every_schedule(solver, lr_schedule):
    rows, module = make_rows(), make_module()
    before = objective(module, rows.take(np.arange(len(rows)))).item()
    batch_size = len(rows) if solver == "lbfgs" else 3
    trainer = make_trainer(solver=solver, lr_schedule=lr_schedule, batch_size=batch_size)
    result = trainer.run(module, objective, rows)
    assert objective(module, rows.take(np.arange(len(rows)))).item() < before
    assert result.n_epochs == len(result.loss_curve) == 4


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_the_engine_is_a_plain_loop(dropout, clip):
    rows, module = make_rows(), make_module(dropout)
    twin = deepcopy(module)
    result = make_trainer(gradient_clip=clip, weight_decay=0.1).run(module, objective, rows)

    optimizer = torch.optim.Adam(twin.parameters(), lr=RATE, weight_decay=0.1, fused=False)
    curve = []
    for epoch in range(4):
        order, layers = epoch_generators(7, epoch)
        permutation, losses, weights = order.permutation(len(rows)), [], []
        for start in range(0, len(rows), 3):
            batch = rows.take(permutation[start : start + 3])
            optimizer.zero_grad()
            with drawing_from(layers):
                loss = objective(twin.train(), batch)
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(twin.parameters(), clip)
            optimizer.step()
            losses.append(loss.item())
            weights.append(batch.n_rows)
        curve.append(np.average(losses, weights=weights))
    np.testing.assert_allclose(result.loss_curve, curve, rtol=1e-12)
    for mine, their in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, their, rtol=0, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_two_runs_are_one_run_to_the_bit(solver):
    rows, once = make_rows(), make_module(dropout=0.3)
    twice = deepcopy(once)
    batch_size = len(rows) if solver == "lbfgs" else 3
    settings = {"solver": solver, "batch_size": batch_size}
    whole = make_trainer(max_epochs=5, **settings).run(once, objective, rows)
    first = make_trainer(max_epochs=2, **settings).run(twice, objective, rows)
    second = make_trainer(max_epochs=3, epochs_done=2, **settings).run(
        twice, objective, rows, optimizer_state=first.optimizer_state
    )
    assert first.loss_curve + second.loss_curve == whole.loss_curve
    assert same_weights(once.state_dict(), twice.state_dict())


def test_the_seed_decides_and_global_state_is_left_alone():
    rows = make_rows()
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    curves = [
        make_trainer(seed=seed).run(make_module(0.3), objective, rows).loss_curve
        for seed in (1, 1, 2)
    ]
    assert curves[0] == curves[1] != curves[2]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads


def test_a_batch_of_zero_weight_counts_for_nothing():
    rows = make_rows(4)
    weight = rows.weight.numpy().copy()
    weight[2:] = 0.0
    targets = Targets(weight, rows.target.numpy())
    rows = SequenceRows(rows.steps, rows.lengths, rows.like, targets)
    trainer = make_trainer(batch_size=4, max_epochs=1)
    loss = trainer.run(make_module(), objective, rows).loss_curve
    alone = trainer.run(make_module(), objective, rows.subset(np.arange(2))).loss_curve
    np.testing.assert_allclose(loss, alone, rtol=1e-12)


@pytest.mark.parametrize("solver", [solver for solver in SOLVERS if solver != "lbfgs"])
@pytest.mark.parametrize("lr_schedule", [None, *SCHEDULES])
def test_a_step_without_targets_leaves_the_weights(solver, lr_schedule):
    """Whatever the optimizer would do by itself: momentum, weight decay."""

    class Weights(Callback):
        def on_batch_begin(self, net, **kwargs):
            self.before = deepcopy(net.module_.state_dict())

        def on_batch_end(self, net, batch, **kwargs):
            still = same_weights(self.before, net.module_.state_dict())
            assert still == (not batch.weight.any())

    lengths = np.array([20])
    steps = np.random.default_rng(0).normal(size=(20, 2))
    weight = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0], 4)[:, None]
    targets = Targets(weight, steps[:, :1])
    rows = SequenceRows(
        steps, lengths, torch.zeros(1).double(), targets, per_step=True, segment_steps=4
    )
    with seeded_construction(0):
        module = RecurrentNetwork(n_features=2, n_outputs=1, hidden_size=4, pooling=None).double()
    trainer = make_trainer(
        solver=solver, lr_schedule=lr_schedule, weight_decay=0.1, callbacks=[Weights()]
    )
    assert trainer.run(module, objective, rows).n_epochs == 4


@pytest.mark.parametrize("by", ["norm", "value"])
def test_clipping_bounds_what_the_optimiser_sees(by):
    def gradients(clip):
        recorder = Recorder()
        trainer = make_trainer(gradient_clip=clip, gradient_clip_by=by, callbacks=[recorder])
        trainer.run(make_module(), objective, make_rows())
        return [torch.cat([g.ravel() for g in gradient]) for gradient in recorder.gradients]

    order = 2 if by == "norm" else np.inf
    assert all(torch.linalg.vector_norm(g, order) <= 0.1 + 1e-6 for g in gradients(0.1))
    free = gradients(None)[0]  # of the first step, which no clipping came before
    clipped = free * 0.1 / free.norm() if by == "norm" else free.clamp(-0.1, 0.1)
    assert free.norm() > free.abs().max() > 0.1
    torch.testing.assert_close(gradients(0.1)[0], clipped, rtol=1e-5, atol=0)


# Schedules


def rates_of(lr_schedule, validation=None, **changed):
    recorder = Recorder()
    trainer = make_trainer(lr_schedule=lr_schedule, callbacks=[recorder], **changed)
    trainer.run(make_module(), objective, make_rows(), validation)
    return np.array(recorder.rates), recorder.last_rate


def per_epoch(rates):
    """Rates that are constant within each epoch of four batches."""
    rates = rates.reshape(-1, 4)
    assert (rates == rates[:, :1]).all()
    return rates[:, 0]


def test_without_a_schedule_the_rate_stays():
    rates, last = rates_of(None)
    assert set(rates) == {last} == {RATE}


@pytest.mark.parametrize("max_epochs", [1, 2, 6])
def test_cosine_falls_to_zero(max_epochs):
    rates, last = rates_of("cosine", max_epochs=max_epochs)
    expected = RATE * (1 + np.cos(np.pi * np.arange(max_epochs) / max_epochs)) / 2
    np.testing.assert_allclose(per_epoch(rates), expected, rtol=1e-12)
    assert last == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("max_epochs", [1, 6])
def test_exponential_falls_to_a_hundredth(max_epochs):
    rates, last = rates_of("exponential", max_epochs=max_epochs)
    expected = RATE * 0.01 ** (np.arange(max_epochs) / max_epochs)
    np.testing.assert_allclose(per_epoch(rates), expected, rtol=1e-12)
    assert last == pytest.approx(RATE / 100)


def test_step_falls_to_a_tenth_after_each_third():
    rates, _ = rates_of("step", max_epochs=6)
    np.testing.assert_allclose(per_epoch(rates) / RATE, [1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cyclic_stays_between_a_tenth_and_all():
    rates, _ = rates_of("cyclic", max_epochs=9)  # two cycles of four epochs and a bit
    assert rates.min() == pytest.approx(RATE / 10)
    assert rates.max() == pytest.approx(RATE)
    np.testing.assert_allclose(rates[:16], rates[16:32])
    np.testing.assert_allclose(rates[[0, 8, 16]] / RATE, [0.1, 1, 0.1])


@pytest.mark.parametrize("max_epochs", [1, 5])
def test_onecycle_goes_up_and_down_once(max_epochs):
    rates, last = rates_of("onecycle", max_epochs=max_epochs)
    peak = rates.argmax()
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[0] == pytest.approx(RATE / 25)
    assert RATE * 0.95 < rates.max() <= RATE
    assert last == pytest.approx(RATE / 25e4)


def test_schedules_by_batches_end_where_segments_do():
    """How many segments an epoch has depends on which sequences come together."""
    lengths = np.array([30, 30, 30, 1, 2, 3, 4, 5, 6])
    steps = np.random.default_rng(0).normal(size=(lengths.sum(), 2))
    targets = Targets(np.ones((len(steps), 1)), steps[:, :1])

    def last_rate(lr_schedule, max_epochs):
        rows = SequenceRows(
            steps, lengths, torch.zeros(1).double(), targets, per_step=True, segment_steps=2
        )
        with seeded_construction(0):
            module = RecurrentNetwork(n_features=2, n_outputs=1, hidden_size=2, pooling=None)
        recorder = Recorder()
        trainer = make_trainer(lr_schedule=lr_schedule, max_epochs=max_epochs, callbacks=[recorder])
        trainer.run(module.double(), objective, rows)
        assert len(recorder.rates) < max_epochs * rows.n_batches(3)
        return recorder.last_rate

    assert last_rate("onecycle", 3) == pytest.approx(RATE / 25e4)
    assert last_rate("cyclic", 2) == pytest.approx(RATE)
    assert last_rate("cyclic", 4) == pytest.approx(RATE / 10)


@pytest.mark.parametrize("with_validation", [False, True])
def test_plateau_halves_where_the_loss_stops_falling(with_validation):
    def constant(module, batch):
        return 1 + 0 * objective(module, batch)

    recorder = Recorder()
    settings = {"max_epochs": 10, "n_iter_no_change": 4 + 96 * with_validation}
    trainer = make_trainer(lr_schedule="plateau", callbacks=[recorder], **settings)
    validation = make_rows(3) if with_validation else None
    trainer.run(make_module(), constant, make_rows(), validation)
    patience = settings["n_iter_no_change"] // 2
    expected = [0.5 ** max(0, (epoch - 1) // (patience + 1)) for epoch in range(10)]
    np.testing.assert_allclose(per_epoch(np.array(recorder.rates)) / RATE, expected)


@pytest.mark.parametrize("lr_schedule", SCHEDULES)
def test_validation_does_not_move_a_schedule(lr_schedule):
    alone, _ = rates_of(lr_schedule)
    beside, _ = rates_of(lr_schedule, validation=make_rows(7, seed=1), n_iter_no_change=10)
    np.testing.assert_array_equal(alone, beside)


@pytest.mark.parametrize("lr_schedule", [None, *SCHEDULES])
def test_a_resumed_run_takes_the_settings_asked_for_now(lr_schedule):
    rows, module = make_rows(), make_module()
    first = make_trainer(lr_schedule="exponential").run(module, objective, rows)
    recorder = Recorder()
    trainer = make_trainer(
        lr_schedule=lr_schedule, learning_rate=RATE / 5, epochs_done=4, callbacks=[recorder]
    )
    trainer.run(module, objective, rows, optimizer_state=first.optimizer_state)
    fresh, _ = rates_of(lr_schedule, learning_rate=RATE / 5)
    np.testing.assert_allclose(recorder.rates, fresh)


@pytest.mark.parametrize("before", SOLVERS)
@pytest.mark.parametrize("after", SOLVERS)
def test_the_solver_may_change_between_runs(before, after):
    rows, module = make_rows(3), make_module()
    first = make_trainer(solver=before, max_epochs=1).run(module, objective, rows)
    trainer = make_trainer(solver=after, max_epochs=2, epochs_done=1)
    result = trainer.run(module, objective, rows, optimizer_state=first.optimizer_state)
    assert result.loss_curve[-1] < first.loss_curve[0]


# Stopping


def scripted(validation_losses):
    """An objective whose loss on held-out data is what the script says."""
    script = iter(validation_losses)

    def scripted_objective(module, batch):
        loss = objective(module, batch)
        return loss if module.training else torch.tensor(next(script))

    return scripted_objective


@pytest.mark.parametrize(
    ("losses", "tol", "n_epochs", "best"),
    [
        ([3.0, 2, 1, 1.5, 1.4, 1.3, 0.5], 0.0, 6, 3),  # three epochs without improvement
        ([3.0, 3, 3, 3, 0], 0.0, 4, 1),
        ([3.0, 2.9, 2.85, 2.81, 0], 0.2, 4, 4),  # falls by less than tol; the lowest is kept
        ([3.0, 2, 2.5, 2.5, 1, 0.9, 1.0], 0.0, 7, 6),  # improves in time; ends by itself
    ],
)
def test_early_stopping_stops_in_time_and_restores_the_best(losses, tol, n_epochs, best):
    recorder, module = Recorder(), make_module()
    trainer = make_trainer(max_epochs=7, n_iter_no_change=3, tol=tol, callbacks=[recorder])
    validation = make_rows(2, seed=1)
    result = trainer.run(module, scripted(losses), make_rows(), validation)
    assert result.n_epochs == len(recorder.weights) == n_epochs
    np.testing.assert_allclose(result.validation_curve, losses[:n_epochs])
    assert same_weights(module.state_dict(), recorder.weights[best - 1])
    assert recorder.events[-1] == "train_end"


def test_without_validation_the_last_weights_stay():
    recorder, module = Recorder(), make_module()
    trainer = make_trainer(learning_rate=0.5, callbacks=[recorder])
    assert trainer.run(module, objective, make_rows()).validation_curve == []
    assert same_weights(module.state_dict(), recorder.weights[-1])


@pytest.mark.parametrize("with_validation", [False, True])
def test_an_interrupt_keeps_the_best_weights_so_far(with_validation):
    script = iter([1.0, 2.0])

    def rising(module, batch):
        loss = objective(module, batch)
        counts = module.training != with_validation
        return loss - loss.detach() + next(script) if counts else loss

    recorder, module = Recorder(), make_module()
    validation = make_rows() if with_validation else None
    trainer = make_trainer(batch_size=10, callbacks=[recorder, Interrupt(3)])
    match = "interrupted in epoch 3; the weights of epoch 1, the best so far"
    with pytest.warns(ConvergenceWarning, match=match):
        result = trainer.run(module, rising, make_rows(), validation)
    assert result.n_epochs == 2
    assert same_weights(module.state_dict(), recorder.weights[0])
    assert not same_weights(module.state_dict(), recorder.weights[1])
    assert recorder.events[-1] == "train_end"


def test_an_interrupt_names_epochs_of_all_runs():
    trainer = make_trainer(callbacks=[Interrupt(2)], epochs_done=10)
    with pytest.warns(ConvergenceWarning, match="in epoch 12; the weights of epoch 11"):
        trainer.run(make_module(), objective, make_rows())


def test_an_interrupt_in_the_first_epoch_is_handed_on():
    with pytest.raises(KeyboardInterrupt):
        make_trainer(callbacks=[Interrupt(1)]).run(make_module(), objective, make_rows())


@pytest.mark.parametrize("with_validation", [False, True])
def test_a_callback_may_end_training_and_all_see_the_end_of_the_epoch(with_validation, capsys):
    before, after = Recorder(), Recorder()
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=100.0, threshold_mode="abs")
    trainer = make_trainer(max_epochs=9, callbacks=[before, stop, after], verbose=1)
    validation = make_rows(2) if with_validation else None
    result = trainer.run(make_module(), objective, make_rows(), validation)
    assert result.n_epochs == 3  # the first sets the mark, two miss it; no warning
    for recorder in (before, after):
        assert recorder.events.count("epoch_end") == 3
        assert recorder.events[-1] == "train_end"
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_callbacks_are_told_everything_in_order():
    recorder = Recorder()
    rows, validation = make_rows(7), make_rows(4)
    make_trainer(max_epochs=2, callbacks=[recorder]).run(make_module(), objective, rows, validation)
    epoch = [
        "epoch_begin",
        *["batch_begin", "batch_end"] * 3,
        *["validation_begin", "validation_end"] * 2,
        "epoch_end",
    ]
    assert recorder.events == ["train_begin", *epoch * 2, "train_end"]


def test_a_hook_is_called_whether_of_the_class_or_of_the_instance():
    seen = []

    class OfTheClass(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            seen.append([name for name, p in named_parameters if p.grad is not None])

    of_the_instance = Callback()
    of_the_instance.on_batch_end = lambda net, **kwargs: seen.append(
        net.history[-1, "batches", -1, "train_loss"]
    )
    module, rows = make_module(), make_rows(3)
    before = objective(module, rows.take(np.arange(3))).item()
    make_trainer(max_epochs=1, callbacks=[OfTheClass(), of_the_instance]).run(
        module, objective, rows
    )
    assert seen == [[name for name, _ in module.named_parameters()], before]


def test_callbacks_may_be_classes_or_named():
    class Loud(Recorder):
        seen = []

        def on_train_end(self, net, **kwargs):
            Loud.seen.append(1)

    make_trainer(max_epochs=1, callbacks=[Loud, ("named", Loud())]).run(
        make_module(), objective, make_rows()
    )
    assert len(Loud.seen) == 2


# Divergence


def broken(at_call, value):
    """An objective whose loss is not finite from one call on."""
    calls = iter(range(10**6))

    def objective_that_breaks(module, batch):
        loss = objective(module, batch)
        return loss * value if next(calls) >= at_call else loss

    return objective_that_breaks


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("at_call", "place"),
    [(0, "epoch 11, batch 1 "), (2, "epoch 11, batch 3 "), (5, "epoch 12, batch 2 ")],
)
def test_divergence_names_epoch_batch_gradient_and_remedy(value, at_call, place):
    trainer = make_trainer(epochs_done=10)  # four batches an epoch
    with pytest.raises(ValueError, match="Training diverged: the loss is") as caught:
        trainer.run(make_module(), broken(at_call, value), make_rows())
    message = str(caught.value)
    assert place in message
    assert any(f"of {name})" in message for name, _ in make_module().named_parameters())
    assert f"learning_rate (now {RATE})" in message
    assert "gradient_clip (now 1.0)" in message


def test_divergence_is_told_where_a_parameter_is_empty():
    module = make_module()
    module.nothing = torch.nn.Parameter(torch.empty(0))

    def diverging(module, batch):
        return (objective(module, batch) + module.nothing.sum()) * np.nan

    with pytest.raises(ValueError, match="Training diverged: the loss is nan"):
        make_trainer(gradient_clip=None).run(module, diverging, make_rows())


def test_a_validation_loss_that_is_not_finite_is_divergence():
    validation = make_rows(2)
    with pytest.raises(ValueError, match="the validation loss is nan in epoch 2, batch 1"):
        make_trainer().run(make_module(), scripted([1.0, np.nan]), make_rows(), validation)


@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "rmsprop"])
def test_a_step_too_large_is_divergence_also_the_last_one(solver):
    for max_epochs in (1, 3):
        trainer = make_trainer(
            solver=solver,
            learning_rate=1e300,
            max_epochs=max_epochs,
            batch_size=10,
            gradient_clip=None,
            weight_decay=1e10,
        )
        with pytest.raises(ValueError, match=r"Training diverged: .* Lower learning_rate"):
            trainer.run(make_module(), objective, make_rows())


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_run_that_fails_leaves_the_state_it_was_given(solver):
    rows, module = make_rows(3), make_module()
    first = make_trainer(solver=solver).run(module, objective, rows)
    before = deepcopy(first.optimizer_state)
    with pytest.raises(ValueError, match="diverged"):
        make_trainer(solver=solver).run(
            deepcopy(module),
            broken(2, np.nan),
            rows,
            optimizer_state=first.optimizer_state,
        )
    for key, value in before["state"][0].items():
        torch.testing.assert_close(first.optimizer_state["state"][0][key], value, rtol=0, atol=0)


# Printing


def test_nothing_is_printed_by_default(capsys):
    make_trainer().run(make_module(), objective, make_rows(), make_rows(2))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_verbose_prints_a_line_an_epoch(capsys):
    result = make_trainer(verbose=1, epochs_done=2).run(
        make_module(), objective, make_rows(), make_rows(2)
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"epoch {k}: train loss {train:.6g}, valid loss {valid:.6g}"
        for k, train, valid in zip(
            range(3, 7), result.loss_curve, result.validation_curve, strict=True
        )
    ]
