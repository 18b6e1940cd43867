"""Networks whose outputs feed back: forced by the true ones in training, free in prediction."""

import pickle

import numpy as np
import pytest
import torch
from damaged_states import damaged_states
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss

from sklseq.autoencoder import SequenceAutoencoder
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.jordan import JordanNetwork
from sklseq.parts.teacher_forcing import training_inputs
from sklseq.recurrent import RecurrentClassifier, RecurrentRegressor, RecurrentTransformer
from sklseq.seq2seq import Seq2SeqClassifier
from sklseq.training.rows.batch import Batch

OUTPUTS = ("values", "classes", "labels")
jordan = {"cell": "jordan", "target": "step", "random_state": 0}
many_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def network(output, seed=0, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = JordanNetwork(n_features=2, n_outputs=3, output=output, hidden_size=4, **settings)
        torch.nn.init.normal_(made.feedback.weight)
        return made.double()


def fed(module, outputs):
    """What is fed of the outputs ``(n_outputs,)`` of one step, by the definition."""
    if module.output == "values":
        return outputs
    chosen = outputs > 0 if module.output == "labels" else torch.arange(3) == outputs.argmax()
    return chosen.double()


def loop(module, x, true=None, known=None):
    """One sequence, one step after the other."""
    before, outputs = torch.zeros(3, dtype=torch.float64), []
    for t, x_t in enumerate(x):
        h = torch.tanh(module.input(x_t) + module.feedback(before))
        outputs.append(module.head(h))
        before = fed(module, outputs[-1])
        if true is not None:
            before = torch.where(known[t], true[t], before)
    return torch.stack(outputs)


@pytest.mark.parametrize("output", OUTPUTS)
@settings(max_examples=15, deadline=None)
@given(lengths=many_lengths, share=st.sampled_from([0, 0.5, 0.9, 1]), seed=st.integers(0, 99))
def test_a_batch_is_the_loop_over_one_sequence(output, lengths, share, seed):
    module, rng = network(output, seed), torch.Generator().manual_seed(seed)
    x = torch.randn(sum(lengths), 2, generator=rng, dtype=torch.float64, requires_grad=True)
    true = module.as_fed(torch.randint(0, 3, (len(x),), generator=rng))
    if output != "classes":
        true = torch.randn(len(x), 3, generator=rng, dtype=torch.float64)
    known = torch.rand(len(x), 3, generator=rng) < share
    packing = Packing(np.array(lengths))
    parts = [part.split(lengths) for part in (x, true, known)]
    free, forced = module(x, packing), module(x, packing, None, None, true, known)
    for found, expected in (
        (free, [loop(module, part) for part in parts[0]]),
        (forced, [loop(module, *of_one) for of_one in zip(*parts, strict=True)]),
    ):
        expected = torch.cat(expected)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        upstream = torch.randn(found.shape, generator=rng, dtype=torch.float64)
        inputs = [x, *module.parameters()]
        mine = torch.autograd.grad(found, inputs, upstream)
        theirs = torch.autograd.grad(expected, inputs, upstream)
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_forced_steps_do_not_wait_for_each_other(monkeypatch):
    module, calls = network("values"), []
    ask = module._next
    monkeypatch.setattr(module, "_next", lambda *of: calls.append(len(of[0])) or ask(*of))
    x, packing = torch.randn(30, 2).double(), Packing(np.array([12, 8, 10]))
    known = torch.ones(30, 3, dtype=torch.bool)
    module(x, packing, None, None, torch.zeros(30, 3).double(), known)
    assert calls == [30]  # one product for all of them
    calls.clear()
    module(x, packing)
    assert len(calls) == 12  # one for each step
    calls.clear()
    known[[3, 4, 15]] = False  # two steps in a row, and one
    module(x, packing, None, None, torch.zeros(30, 3).double(), known)
    assert calls == [27, 2, 1]


# -- what is fed in training ---------------------------------------------------------------


class Schedule:
    """A model, as far as teacher forcing asks it."""

    solver, teacher_forcing_schedule = "adam", "constant"

    def __init__(self, teacher_forcing=1.0):
        self.teacher_forcing = teacher_forcing


def test_targets_without_weight_are_not_fed():
    module = network("classes")
    packing = Packing(np.array([2, 3]))
    weight = torch.tensor([1.0, 0.0, 2.0, 0.0, 1.0])
    batch = Batch((torch.zeros(5, 2), packing), torch.tensor([0, 1, 2, 0, 1]), weight, 2)
    *_, true, known = training_inputs(Schedule(), module, batch)
    assert_array_equal(true.numpy(), np.eye(3)[[0, 1, 2, 0, 1]])
    assert_array_equal(known.numpy(), np.repeat((weight != 0).numpy()[:, None], 3, axis=1))


@pytest.mark.parametrize(("probability", "share"), [(0, 0), (0.3, 0.3), (1, 1)])
def test_true_outputs_are_fed_by_their_probability_and_on_held_out_rows_never(probability, share):
    module, n = network("values"), 4000
    inputs = (torch.zeros(n, 2), Packing(np.array([n])))
    batch = Batch(inputs, torch.zeros(n, 3).double(), torch.ones(n, 3), 1)
    known = training_inputs(Schedule(probability), module.train(), batch)[-1]
    assert abs(known.double().mean() - share) < 0.05
    assert not training_inputs(Schedule(probability), module.eval(), batch)[-1].any()


def parity(n=60, longest=20, seed=0):
    """Whether the ones so far are odd."""
    rng = np.random.default_rng(seed)
    X = [rng.integers(0, 2, (length, 1)) * 1.0 for length in rng.integers(3, longest, n)]
    return X, [x[:, 0].cumsum().astype(int) % 2 for x in X]


def test_a_tagger_learns_what_its_own_tags_remember():
    X, y = parity()
    model = RecurrentClassifier(hidden_size=16, max_epochs=120, **jordan)
    long, parities = parity(20, 200, seed=1)
    model.fit(X, y)
    assert model.score(long, parities) > 0.95
    holed = [np.where(np.arange(len(v)) % 5 == 4, None, v) for v in y]
    assert clone(model).fit(X, holed).score(long, parities) > 0.95


def test_a_regressor_follows_a_process_that_feeds_on_itself():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1))
    y = np.zeros((300, 2))
    for t in range(1, 300):
        y[t] = 0.8 * y[t - 1, ::-1] * [1, -1] + 0.3 * X[t]
    model = RecurrentRegressor(hidden_size=32, dtype="float64", **jordan).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.9
    held = clone(model).set_params(
        teacher_forcing=0.5, teacher_forcing_schedule="linear", early_stopping=True, max_epochs=4
    )
    held.fit(X, y)
    assert len(held.validation_scores_) == 4
    assert int(held.module_.rows_seen) == 4 == int(held.module_.all_rows)


# -- as an estimator -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["labels", "classes", "values", "symbols", "context"])
def test_predictions_are_the_same_alone_in_company_and_stored(kind):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(1, 60, size=16)]
    y = [rng.integers(0, 3, len(x)) for x in X]
    given = {}
    if kind == "labels":
        y = [rng.integers(0, 2, (len(x), 3)) for x in X]
    if kind == "symbols":
        X = [["abc"[i] for i in rng.integers(0, 3, len(x))] for x in X]
    if kind == "context":
        given["context"] = rng.normal(size=(len(X), 2))
    cls = RecurrentRegressor if kind == "values" else RecurrentClassifier
    model = cls(hidden_size=5, max_epochs=2, context_as="both", **jordan).fit(X, y, **given)
    method = "predict" if kind == "values" else "predict_proba"
    together = getattr(model, method)(X, **given)
    copy = pickle.loads(pickle.dumps(model))
    for i in rng.permutation(len(X))[:5]:
        alone = {name: values[[i]] for name, values in given.items()}
        for same in (model, copy):
            assert_array_equal(getattr(same, method)([X[i]], **alone)[0], together[i])


@pytest.mark.parametrize("cls", [RecurrentClassifier, RecurrentRegressor])
def test_a_stream_feeds_back_across_its_chunks(cls):
    X, y = parity(3, 40)
    model = cls(hidden_size=4, max_epochs=2, dtype="float64", **jordan).fit(X, y)
    stream = model.stream()
    chunks = [stream.predict(x) for x in np.split(X[0], [2, 3])]
    assert_allclose(np.concatenate(chunks), model.predict(X[:1])[0], rtol=1e-9)
    with pytest.raises(ValueError, match=r"cell='jordan'.*tbptt_steps=3.*leave it at None"):
        model.set_params(tbptt_steps=3).fit(X, y)


def test_a_damaged_state_is_refused_or_works():
    X, y = parity(8)
    context = np.arange(16.0).reshape(8, 2)
    model = RecurrentClassifier(hidden_size=4, max_epochs=1, context_as="both", **jordan)
    refused = 0
    for _, state in damaged_states(model.fit(X, y, context=context).__getstate__(), 24):
        loaded = object.__new__(RecurrentClassifier)
        try:
            loaded.__setstate__(state)
            loaded.predict(X, context=context)
        except ValueError:
            refused += 1
    assert refused > 2


def test_it_is_trained_further():
    X, y = parity(20)
    model = RecurrentClassifier(hidden_size=5, **jordan)
    model.partial_fit(X, y, classes=[0, 1]).partial_fit(X[:7], y[:7])
    once = RecurrentClassifier(hidden_size=5, **jordan).partial_fit(X, y, classes=[0, 1])
    assert model.n_iter_ == 2
    assert any(
        (a != b).any() for a, b in zip(model.predict_proba(X), once.predict_proba(X), strict=True)
    )
    with pytest.raises(ValueError, match="cell was 'jordan', now 'gru'"):
        model.set_params(cell="gru").partial_fit(X, y)


def test_values_without_weight_do_not_matter():
    X, y = parity(10)
    weights = [np.where(np.arange(len(v)) % 3 == 0, 0.0, 1.0) for v in y]
    other = [np.where(w == 0, 1 - v, v) for v, w in zip(y, weights, strict=True)]
    model = RecurrentClassifier(hidden_size=4, max_epochs=2, **jordan)
    first, second = (clone(model).fit(X, targets, weights) for targets in (y, other))
    for a, b in zip(first.predict_proba(X), second.predict_proba(X), strict=True):
        assert_allclose(a, b, rtol=1e-6)


REFUSED = {
    "skip_connections='dense'.*leave it at None": {"skip_connections": "dense"},
    "output_layer_sizes.*another cell": {"output_layer_sizes": (3,)},
    "target='step'": {"target": "sequence"},
    "bidirectional=False": {"bidirectional": True},
    "num_layers=1": {"num_layers": 2},
    "cell_options.*leave it at None": {"cell_options": {"bias": False}},
}


@pytest.mark.parametrize("way_out", REFUSED)
def test_what_cannot_feed_back_is_refused_by_name(way_out):
    X, y = parity(6)
    model = RecurrentClassifier(**jordan | REFUSED[way_out])
    with pytest.raises(ValueError, match=f"cell='jordan'.*{way_out}"):
        model.fit(X, [v[0] for v in y] if model.target == "sequence" else y)


def test_no_options_are_none():
    X, y = parity(6)
    settings = jordan | {"max_epochs": 1, "hidden_size": 4}
    none, empty = (RecurrentClassifier(**settings, cell_options=o).fit(X, y) for o in (None, {}))
    for a, b in zip(none.predict_proba(X), empty.predict_proba(X), strict=True):
        np.testing.assert_array_equal(a, b)


def test_estimators_without_y_of_steps_have_no_such_cell():
    X, _ = parity(6)
    with pytest.raises(ValueError, match=r"cell=.jordan.*RecurrentTransformer has no y"):
        RecurrentTransformer(cell="jordan").fit(X)
    with pytest.raises(ValueError, match=r"'cell' parameter.*'gru'.*'jordan'"):
        SequenceAutoencoder(cell="jordan").fit(X)
    for side in ("encoder", "decoder"):
        with pytest.raises(ValueError, match=f"'{side}' parameter.*'gru'.*'jordan'"):
            Seq2SeqClassifier(**{side: "jordan"}).fit(["ab"], ["cd"])


def test_early_stopping_goes_by_the_loss_of_predictions():
    X = np.random.default_rng(0).integers(0, 2, size=(60, 6, 1)).astype(float)
    y = X[:, :, 0].cumsum(axis=1) % 2
    model = RecurrentClassifier(early_stopping=True, max_epochs=6, **jordan)
    model.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    loss = log_loss(y[40:].ravel(), model.predict_proba(X[40:]).reshape(-1, 2))
    assert loss == pytest.approx(model.best_loss_, rel=1e-4)
