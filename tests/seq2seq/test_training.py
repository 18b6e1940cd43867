"""What is trained: the loss, teacher forcing, and what goes on from fit to fit."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklseq.nn.layers.randomness import drawing_from
from sklseq.training.engine import Trainer
from tests.seq2seq.cases import assert_same_sequences, classifier, halves, regressor, reversed_words

SHORT = (1, 2, 3, 5, 9)
X, Y = reversed_words(12, SHORT)
WEIGHTS = np.arange(1.0, 13.0)
DECODERS = {
    "lstm": {"context": "both"},
    "fed": {"decoder": "gru", "input_feeding": True, "num_layers": 2},
    "plain": {"decoder": "leaky", "attention": None},
    "transformer": {"decoder": "transformer", "positions": "relative"},
}
decoders = pytest.mark.parametrize("params", DECODERS.values(), ids=DECODERS)


def repeated(sequences, times):
    return [s * times if isinstance(s, str) else np.tile(s, (times, 1)) for s in sequences]


def pairs_of(model, X, y, weights=None):
    """The rows that a fitted model is trained on."""
    data = model._read_fitted(X)
    weights = np.ones(len(X)) if weights is None else weights
    targets = model._read_targets(y, data, weights, fresh=False)
    return model._rows(data, next(model.module_.parameters()), targets)


def loss(model, rows):
    with torch.no_grad():
        return float(model._objective(model.module_, rows.take(np.arange(len(rows)))))


# -- the loss ------------------------------------------------------------------------------


@decoders
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_loss_is_the_mean_of_negative_log_probabilities(params, weights):
    model = classifier(label_smoothing=0.3, dtype="float64", **params).fit(X, Y, weights)
    expected = -np.average(model.score_sequences(X, Y), weights=weights)
    assert loss(model, pairs_of(model, X, Y, weights)) == pytest.approx(expected, rel=1e-9)


def test_the_first_loss_of_training_is_that_of_the_network_it_starts_from():
    start = classifier(learning_rate=1e-30, batch_size=100, dtype="float64").fit(X, Y)
    assert -start.score_sequences(X, Y).mean() == pytest.approx(start.loss_curve_[0], rel=1e-6)


def test_smoothing_spreads_over_all_symbols():
    smooth = classifier(label_smoothing=0.2, learning_rate=1e-30, batch_size=100).fit(X, Y)
    rows = pairs_of(smooth, X, Y)
    batch = rows.take(np.arange(len(rows)))
    with torch.no_grad():
        logs = smooth.module_(*batch.inputs).log_softmax(dim=1)
    mixed = 0.8 * logs.gather(1, batch.target[:, None])[:, 0] + 0.2 * logs.mean(dim=1)
    assert smooth.loss_curve_[0] == pytest.approx(-float(mixed.sum()) / len(X), rel=1e-4)


def test_the_loss_of_values_is_the_mean_over_the_steps_of_each_output():
    X, y = halves(8, SHORT)
    model = regressor(stop_weight=0.0, dtype="float64", max_epochs=3).fit(X, y)
    rows = pairs_of(model, X, y)
    batch = rows.take(np.arange(len(rows)))
    with torch.no_grad():
        given = (
            model.module_(*batch.inputs).numpy()[:, 0] * model.target_scale_ + model.target_mean_
        )
    parts = np.split(given, np.cumsum([len(part) for part in y])[:-1])
    errors = [((a - b[:, 0]) ** 2).mean() for a, b in zip(parts, y, strict=True)]
    assert loss(model, rows) == pytest.approx(np.mean(errors) / model.target_scale_[0] ** 2)
    model.stop_weight = 2.0
    assert loss(model, rows) > np.mean(errors) / model.target_scale_[0] ** 2


@pytest.mark.parametrize("kind", [classifier, regressor])
def test_weights_are_repetitions(kind):
    X, y = reversed_words(6, SHORT) if kind is classifier else halves(6, SHORT)
    counts = [1, 2, 0, 3, 1, 1]
    kept = np.flatnonzero(counts)
    settings = {"batch_size": 100, "dtype": "float64", "max_epochs": 5, "solver": "sgd"}
    weighted = kind(**settings).fit(X, y, sample_weight=counts)
    rows = np.repeat(np.arange(6), counts)
    repeated = kind(**settings).fit([X[i] for i in rows], [y[i] for i in rows])
    if kind is classifier and len(weighted.target_vocabulary_) == len(repeated.target_vocabulary_):
        own = [X[i] for i in kept], [y[i] for i in kept]
        assert_allclose(weighted.score_sequences(*own), repeated.score_sequences(*own), rtol=1e-7)
    assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-7)


def test_the_loss_falls():
    model = classifier(hidden_size=16, max_epochs=40, learning_rate=0.02).fit(X, Y)
    assert model.loss_curve_[-1] < 0.2 * model.loss_curve_[0]


# -- teacher forcing -----------------------------------------------------------------------


def forward(model, rows, teacher_forcing, seed=0):
    inputs = rows.take(np.arange(len(rows))).inputs
    with drawing_from(torch.Generator().manual_seed(seed)), torch.no_grad():
        return model.module_(*inputs, teacher_forcing)


@decoders
@pytest.mark.parametrize("kind", [classifier, regressor])
def test_steps_that_read_the_truth_are_the_parallel_pass(kind, params):
    X, y = reversed_words(12, SHORT) if kind is classifier else halves(12, SHORT)
    model = kind(dtype="float64", **params).fit(X, y)
    rows = pairs_of(model, X, y)
    whole, nearly = (forward(model, rows, p) for p in (1.0, 1 - 1e-12))
    assert_allclose(nearly, whole, rtol=1e-9, atol=1e-12)
    free = forward(model, rows, 0.0)
    assert not np.allclose(free, whole)
    starts = np.cumsum([0, *rows.outputs.lengths[:-1]])  # where nothing was put out yet
    assert_allclose(free[starts], whole[starts], rtol=1e-9)


@decoders
def test_free_running_reads_what_was_put_out(params):
    X, y = halves(12, SHORT)
    model = regressor(dtype="float64", **params).fit(X, y)
    lengths = np.array([len(part) for part in y])
    free = forward(model, pairs_of(model, X, y), 0.0).numpy()[:, :1]
    own = np.split(free * model.target_scale_ + model.target_mean_, np.cumsum(lengths)[:-1])
    for a, b in zip(model.predict(X, lengths), own, strict=True):
        assert_allclose(a.ravel(), b.ravel(), rtol=1e-9)


def probabilities(monkeypatch, model, fit):
    """Those that training asks for, in order."""
    seen, ask = [], type(model)._forced

    def noted(self, module, batch):
        seen.append((module.training, ask(self, module, batch)))
        return seen[-1][1]

    monkeypatch.setattr(type(model), "_forced", noted)
    fit(model)
    monkeypatch.undo()
    assert all(p == 1 for training, p in seen if not training)
    return [p for training, p in seen if training]


@pytest.mark.parametrize("schedule", ["constant", "linear", "inverse_sigmoid"])
@pytest.mark.parametrize("final", [0.0, 0.4, 1.0])
def test_schedules_go_from_one_to_the_last_value(monkeypatch, schedule, final):
    model = classifier(
        max_epochs=20,
        batch_size=5,
        hidden_size=2,
        teacher_forcing=final,
        teacher_forcing_schedule=schedule,
        early_stopping=True,
        n_iter_no_change=100,
    )
    seen = probabilities(monkeypatch, model, lambda m: m.fit(X, Y))
    if schedule == "constant" or final == 1:
        assert set(seen) == {final}
        return
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == pytest.approx(1, abs=0.01)
    assert seen[-1] == pytest.approx(final, abs=0.03)
    assert seen[len(seen) // 2] == pytest.approx((1 + final) / 2, abs=0.03)


def test_progress_counts_over_calls_of_partial_fit(monkeypatch):
    settings = {
        "teacher_forcing": 0.0,
        "teacher_forcing_schedule": "linear",
        "max_epochs": 4,
        "batch_size": 4,
    }
    whole = probabilities(monkeypatch, classifier(**settings), lambda m: m.fit(X, Y))

    def parts(model):
        for _ in range(6):
            model.partial_fit(X, Y)

    seen = probabilities(monkeypatch, classifier(**settings), parts)
    assert seen[:12] == whole
    assert seen[12:] == [0.0] * 6


def test_each_fit_goes_through_the_schedule(monkeypatch):
    model = classifier(
        teacher_forcing=0.0, teacher_forcing_schedule="linear", max_epochs=4, batch_size=4
    )
    first = probabilities(monkeypatch, model, lambda m: m.fit(X, Y))
    model.set_params(warm_start=True)
    assert probabilities(monkeypatch, model, lambda m: m.fit(X, Y)) == first
    more = probabilities(monkeypatch, model, lambda m: m.set_params(max_epochs=8).fit(X, Y))
    assert len(more) == 24
    assert more == sorted(more, reverse=True)
    assert more[0] == 1
    assert probabilities(monkeypatch, model, lambda m: m.partial_fit(X, Y)) == [0.0] * 3


@decoders
@pytest.mark.parametrize("kind", [classifier, regressor])
def test_scheduled_sampling_is_reproducible(kind, params):
    X, y = reversed_words(8, SHORT) if kind is classifier else halves(8, SHORT)
    settings = {"teacher_forcing": 0.5, "max_epochs": 2, "dropout": 0.2} | params
    first, second = kind(**settings).fit(X, y), kind(**settings).fit(X, y)
    assert first.loss_curve_ == second.loss_curve_
    assert kind(**settings | {"random_state": 1}).fit(X, y).loss_curve_ != first.loss_curve_
    forced = kind(**settings | {"teacher_forcing": 1.0}).fit(X, y)
    assert forced.loss_curve_ != first.loss_curve_


def test_a_line_search_needs_one_probability():
    model = classifier(solver="lbfgs", teacher_forcing=0.5)
    assert np.isfinite(model.fit(X, Y).loss_curve_).all()
    before = model.score_sequences(X, Y)
    model.set_params(teacher_forcing_schedule="linear")
    with pytest.raises(ValueError, match="set it to 'constant', or take another solver"):
        model.fit(X, Y)
    assert_array_equal(model.score_sequences(X, Y), before)
    model.set_params(teacher_forcing=1.0).fit(X, Y)


def test_own_outputs_of_a_network_without_numbers():
    """What diverges is left to the loss."""
    model = classifier().fit(X, Y)
    with torch.no_grad():
        model.module_.head.weight.fill_(torch.nan)
    assert forward(model, pairs_of(model, X, Y), 0.0).isnan().any()


# -- from fit to fit -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [classifier, regressor])
def test_partial_fit_takes_longer_outputs(kind):
    X, y = reversed_words(8, (3, 4)) if kind is classifier else halves(8, (3, 4))
    model = kind().partial_fit(X, y)
    assert model.max_length_ == 2 * max(map(len, y))
    model.partial_fit(X, repeated(y, 5))
    assert model.max_length_ == 10 * max(map(len, y))
    model.partial_fit(X, y)
    assert model.max_length_ == 10 * max(map(len, y))
    assert model.n_iter_ == 3


def test_partial_fit_is_fit_in_parts():
    settings = {"lr_schedule": None, "dtype": "float64"}
    whole = classifier(max_epochs=3, **settings).fit(X, Y)
    parts = classifier(**settings)
    for _ in range(3):
        parts.partial_fit(X, Y)
    assert_allclose(parts.loss_curve_, whole.loss_curve_)


def test_warm_start_goes_on():
    model = classifier(warm_start=True, max_epochs=3).fit(X, Y)
    before = model.loss_curve_
    model.fit(X, Y)
    assert model.n_iter_ == 6
    assert model.loss_curve_[:3] == before
    with pytest.raises(ValueError, match="hidden_size was 4, now 6"):
        model.set_params(hidden_size=6).fit(X, Y)
    assert model.n_iter_ == 6


def test_auto_epochs_make_enough_steps(monkeypatch):
    asked = []
    run = Trainer.run
    monkeypatch.setattr(
        Trainer, "run", lambda self, *args: asked.append(self.max_epochs) or run(self, *args)
    )
    monkeypatch.setattr("sklseq.seq2seq._base._LEAST_STEPS", 40)
    monkeypatch.setattr("sklseq.parts.epochs._EPOCHS", 3)
    classifier(max_epochs="auto", batch_size=4, hidden_size=2).fit(X, Y)
    classifier(max_epochs="auto", batch_size=1, hidden_size=2).fit(X, Y)
    assert asked == [14, 4]


@pytest.mark.parametrize(
    ("n", "epochs"),
    [(100, 250), (2000, 30), (21_000, 30), (100_000, 7), (1_000_000, 1), (10_000_000, 1)],
)
def test_auto_epochs_are_fewer_where_pairs_are_many(n, epochs):
    rows = SimpleNamespace(n_batches=lambda batch_size: -(-n // batch_size))
    assert classifier(max_epochs="auto", batch_size=32)._n_epochs(rows) == epochs
    assert classifier(max_epochs=3)._n_epochs(rows) == 3


@pytest.mark.parametrize("kind", [classifier, regressor])
def test_validation_pairs_and_groups(kind):
    X, y = reversed_words(20, SHORT) if kind is classifier else halves(20, SHORT)
    settings = {"early_stopping": True, "max_epochs": 4, "n_iter_no_change": 10}
    groups = np.repeat(np.arange(5), 4)
    by_groups = kind(**settings).fit(X, y, groups=groups)
    assert len(by_groups.validation_scores_) == 4
    longer = repeated(y, 9)
    model = kind(**settings | {"dtype": "float64"})
    model.fit(X[:15], y[:15], X_val=X[15:], y_val=longer[15:], sample_weight_val=np.arange(1, 6))
    assert model.max_length_ == 2 * max(map(len, y[:15]))  # no model learns from these
    if kind is classifier:
        held_out = np.average(model.score_sequences(X[15:], longer[15:]), weights=np.arange(1, 6))
        assert held_out == pytest.approx(max(model.validation_scores_), rel=1e-6)
    same = kind(**settings | {"dtype": "float64"})
    same.fit(X[:15], y[:15], X_val=X[15:], y_val=longer[15:], sample_weight_val=np.arange(1, 6))
    assert_same_sequences(same.predict(X), model.predict(X))


def test_mistakes_in_validation_pairs_name_them():
    model = classifier(early_stopping=True, max_length=5)
    with pytest.raises(ValueError, match="X_val holds 1 sequences, but y_val 2"):
        model.fit(X, Y, X_val=["a"], y_val=["ab", "a"])
    with pytest.raises(ValueError, match="y_val, sequence 0, step 1 is the symbol 'x'"):
        model.fit(X, Y, X_val=["a"], y_val=["ax"])
    with pytest.raises(ValueError, match="y_val, sequence 0 has 6 steps, more than max_length=5"):
        model.fit(X, Y, X_val=["a"], y_val=["aaaaaa"])
    with pytest.raises(ValueError, match="X_val is given without y_val"):
        model.fit(X, Y, X_val=["a"])
