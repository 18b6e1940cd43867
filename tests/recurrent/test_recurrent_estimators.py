"""What is the recurrent estimators' own: weights, partial labels, going on, wrong use."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
    cross_validate,
)

from sklseq.datasets import load_japanese_vowels, make_adding_problem
from sklseq.recurrent import (
    GRUClassifier,
    GRURegressor,
    LSTMClassifier,
    RecurrentClassifier,
    RecurrentRegressor,
    RecurrentTransformer,
    RNNClassifier,
    RNNRegressor,
)


def sequences(n=20, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(i % 2, 0.5, size=(rng.integers(2, 7), 2)) for i in range(n)]
    return X, np.arange(n) % 2


def labeled_steps(n=12, seed=0):
    X, _ = sequences(n, seed)
    return X, [(x[:, 0] > 0.5).astype(int) for x in X]


# -- weights -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 4, 16, 200])
def test_weights_mean_the_same_at_any_batch_size(batch_size):
    # With nothing to see in X the best prediction is the weighted share of the classes.
    X, y = np.zeros((200, 2, 1)), np.arange(200) % 10 == 0
    model = RNNClassifier(
        hidden_size=1,
        solver="sgd",
        learning_rate=0.02,
        max_epochs=min(4 * batch_size, 100) + 10,
        lr_schedule="cosine",
        class_weight="balanced",
        gradient_clip=None,  # it would cut the rare class's large gradients
        batch_size=batch_size,
        random_state=0,
    )
    assert abs(model.fit(X, y).predict_proba(X)[0, 1] - 0.5) < 0.02


def test_masked_targets_weigh_nothing_and_missing_outputs_are_masked_one_by_one():
    X, _ = sequences()
    y = [np.stack([x[:, 0], -x[:, 0]], axis=1) for x in X]
    holed = [v.copy() for v in y]
    for i, v in enumerate(holed):
        v[:, i % 2] = np.nan
    model = GRURegressor(target="step", max_epochs=60, learning_rate=0.02, random_state=0)
    assert model.fit(X, holed).score(X, y) > 0.9


def test_unlabeled_steps_do_not_matter_whatever_marks_them():
    X, y = labeled_steps()
    marked = {}
    for mark in (None, np.nan, pd.NA):
        labels = [v.astype(object) for v in y]
        for v in labels:
            v[::2] = mark
        marked[mark] = GRUClassifier(target="step", max_epochs=2, random_state=0).fit(X, labels)
    expected = np.concatenate(list(marked[None].predict_proba(X)))
    for model in marked.values():
        np.testing.assert_array_equal(np.concatenate(list(model.predict_proba(X))), expected)


# -- early stopping ------------------------------------------------------------------------


def test_early_stopping_holds_out_what_has_a_target():
    X = np.random.default_rng(0).normal(size=(200, 1))
    y = (X[:, 0] > 0).astype(float)
    y[120:] = np.nan
    model = GRUClassifier(
        target="step", early_stopping=True, learning_rate=0.02, max_epochs=150, random_state=0
    )
    model.fit(X, y)
    assert all(score < 0 for score in model.validation_scores_)
    assert model.score(X, y) > 0.9


def test_early_stopping_without_enough_to_hold_out_says_so():
    X, y = sequences()
    with pytest.raises(ValueError, match="early_stopping"):
        GRURegressor(early_stopping=True).fit(X[:1], [1.0])
    weights = np.zeros(len(X))
    weights[3] = 1
    with pytest.raises(ValueError, match="early_stopping"):
        GRURegressor(early_stopping=True).fit(X, y, sample_weight=weights)


# -- going on ------------------------------------------------------------------------------


def test_warm_start_refuses_another_network():
    X, y = sequences()
    model = GRUClassifier(hidden_size=4, max_epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="hidden_size was 4, now 8"):
        model.set_params(hidden_size=8).fit(X, y)
    model.set_params(hidden_size=4).fit(X, y)
    assert model.n_iter_ == 2


def test_another_target_after_fit_is_refused():
    X, y = sequences()
    model = GRUClassifier(max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="target='step'"):
        model.set_params(target="step").predict(X)


def test_partial_fit_wants_its_classes():
    X, y = sequences()
    model = GRUClassifier(hidden_size=4)
    with pytest.raises(ValueError, match="classes must be passed"):
        model.partial_fit(X, y)
    model.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"unknown label 7 at row 4"):
        model.partial_fit(X, np.where(np.arange(len(X)) == 4, 7, y))
    with pytest.raises(ValueError, match="not the same"):
        model.partial_fit(X, y, classes=[0, 1])
    assert model.predict_proba(X).shape == (len(X), 3)


# -- cells ---------------------------------------------------------------------------------


class LeakyCell(torch.nn.Module):
    """A cell of the user's own."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.step = torch.nn.RNNCell(input_size, hidden_size)

    def forward(self, x, state=None):
        new = self.step(x, state)
        return new if state is None else 0.5 * state + 0.5 * new


@pytest.mark.parametrize("cell", [LeakyCell, torch.nn.GRUCell, torch.nn.LSTMCell])
def test_a_cell_class_learns_as_the_named_ones(cell):
    X, y = sequences(40)
    model = RecurrentClassifier(
        cell=cell, hidden_size=8, learning_rate=0.02, max_epochs=20, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("cell", [torch.nn.GRU, torch.nn.Linear, int])
def test_what_is_no_cell_is_named(cell):
    X, y = sequences()
    with pytest.raises(ValueError, match=f"cell={cell.__name__} is not a recurrent cell"):
        RecurrentClassifier(cell=cell).fit(X, y)


# -- targets of the wrong kind -------------------------------------------------------------


def test_targets_per_step_without_saying_so():
    X, y = labeled_steps()
    for model, targets in ((GRUClassifier(), y), (GRURegressor(), [v * 1.0 for v in y])):
        with pytest.raises(ValueError, match="set target='step'"):
            model.fit(X, targets)


def test_labels_that_cannot_be():
    X, _ = sequences()
    with pytest.raises(ValueError, match="sequence 3 has no label"):
        GRUClassifier().fit(X, ["a", "b", "a", None] * 5)
    with pytest.raises(ValueError, match="mixes labels"):
        GRUClassifier().fit(X, np.array([1, "a"] * 10, dtype=object))


def test_callbacks_that_are_none():
    X, y = sequences()
    with pytest.raises(ValueError, match="3, which is not a skorch callback"):
        GRUClassifier(callbacks=[3]).fit(X, y)


# -- real and classical tasks --------------------------------------------------------------


def test_japanese_vowels_speakers_are_told_apart():
    X, y = load_japanese_vowels(subset="train", return_X_y=True)
    mean, scale = np.concatenate(list(X)).mean(0), np.concatenate(list(X)).std(0)
    X = [(x - mean) / scale for x in X]
    model = LSTMClassifier(hidden_size=32, learning_rate=0.01, max_epochs=8, random_state=0)
    assert model.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.85


def test_the_adding_problem_is_learned_where_it_is_short():
    X, y = make_adding_problem(400, (4, 8), random_state=0)
    model = GRURegressor(hidden_size=16, learning_rate=0.02, max_epochs=25, random_state=0)
    assert model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.8


def test_bidirectional_steps_see_what_comes_after():
    X = np.random.default_rng(0).normal(size=(40, 6, 1))
    y = np.roll(X[:, :, 0], -1, axis=1)
    y[:, -1] = 0
    settings = {"target": "step", "hidden_size": 16, "learning_rate": 0.02, "random_state": 0}
    forward = RNNRegressor(**settings, max_epochs=40).fit(X, y)
    both = RNNRegressor(**settings, max_epochs=40, bidirectional=True).fit(X, y)
    assert forward.score(X, y) < 0.5 < 0.8 < both.score(X, y)


def test_one_series_in_a_time_series_split():
    X = np.random.default_rng(0).uniform(size=(120, 1))
    y = X[:, 0]
    model = RNNRegressor(target="step", hidden_size=8, learning_rate=0.05, random_state=0)
    assert cross_val_score(model, X, y, cv=TimeSeriesSplit(2)).min() > 0.5


def test_transformer_features_help_a_linear_model_without_labels():
    X, y = sequences(40)
    features = RecurrentTransformer(hidden_size=8, max_epochs=5, random_state=0)
    assert clone(features).fit(X).transform(X).shape == (40, 8)
    with pytest.raises(ValueError, match="one step"):
        features.fit([x[:1] for x in X])
    assert RecurrentRegressor(max_epochs=1).fit(X, y).predict(X).shape == (40,)


# -- defaults ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "settings", "n_epochs"),
    [
        (1, {}, 200),
        (20, {"batch_size": 2}, 30),
        (20, {"batch_size": 7}, 67),
        (20, {"solver": "lbfgs"}, 30),
        (20, {"max_epochs": 3}, 3),
    ],
)
def test_epochs_of_few_training_steps_are_more(n, settings, n_epochs):
    X, y = np.zeros((n, 2, 1)), np.arange(n) * 1.0
    model = RNNRegressor(hidden_size=1, **settings)
    assert model.fit(X, y).n_iter_ == n_epochs
    assert model.partial_fit(X, y).n_iter_ == n_epochs + 1


def test_one_series_is_learned_at_the_defaults():
    X = np.random.default_rng(0).uniform(size=(300, 1))
    y = np.roll(X[:, 0], 1)
    assert GRURegressor(target="step", random_state=0).fit(X[:200], y[:200]).score(X, y) > 0.9


SPLITTERS = [KFold(3), GroupKFold(3), TimeSeriesSplit(3), StratifiedKFold(3)]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("container", ["list", "object", "dense", "table", "frames", "series"])
@pytest.mark.parametrize("target", ["sequence", "step"])
def test_containers_go_through_splitters_as_the_guide_says(container, splitter, target):
    rng = np.random.default_rng(0)
    lengths = [5] * 12 if container in ("dense", "table") else rng.integers(3, 7, size=12)
    X = [rng.normal(size=(n, 2)) for n in lengths]
    y = [np.arange(n) % 2 for n in lengths]
    if container == "object":
        X, y = (np.fromiter(values, dtype=object, count=12) for values in (X, y))
    elif container == "frames":
        panel = pd.concat(dict(enumerate(map(pd.DataFrame, X))))
        X = [part for _, part in panel.groupby(level=0)]
    elif container in ("dense", "table"):
        X, y = np.stack(X), np.stack(y)
        X, target = (X[..., 0], "sequence") if container == "table" else (X, target)
    if container == "series":
        X, y = rng.normal(size=(12, 2)), np.arange(12) % 2
        target = "step"
    elif target == "sequence":
        y = np.arange(12) % 2
    elif isinstance(splitter, StratifiedKFold):
        pytest.skip("labels of steps cannot be stratified")
    model = RNNClassifier(hidden_size=3, max_epochs=1, target=target)
    groups = np.arange(12) // 2 if isinstance(splitter, GroupKFold) else None
    cross_validate(model, X, y, cv=splitter, groups=groups, error_score="raise")


SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def test_floats_are_no_symbols_in_any_container():
    T = np.random.default_rng(0).normal(size=(10, 5))
    for X in (T, list(T)):
        with pytest.raises(ValueError, match=r"sequence 0, step 0 .*symbols are all"):
            GRUClassifier(embedding_size=4, **SMALL).fit(X, [0, 1] * 5)


def test_a_list_of_pandas_series_is_read_whatever_their_index():
    frame = pd.DataFrame({"id": np.repeat(range(4), 3), "v": np.arange(12.0)})
    X = [series for _, series in frame.groupby("id")["v"]]
    model = GRUClassifier(**SMALL).fit(X[::-1], [0, 1, 0, 1])
    np.testing.assert_array_equal(
        model.predict_proba(X[1:]), model.predict_proba([x.to_numpy() for x in X[1:]])
    )


class CellWithDropout(torch.nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = torch.nn.GRUCell(input_size, hidden_size)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x, state):
        return self.cell(self.drop(x), state)


def test_dropout_in_a_users_cell_is_seeded_too():
    X, y = sequences()
    before = torch.get_rng_state()
    one, other = (RecurrentClassifier(cell=CellWithDropout, **SMALL).fit(X, y) for _ in range(2))
    assert one.loss_curve_ == other.loss_curve_
    assert torch.equal(before, torch.get_rng_state())


def test_a_table_where_sequences_of_features_are_expected_says_so():
    X, y = sequences()
    model = GRUClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"give X\[None\]"):
        model.predict(X[0])


def test_labels_in_another_order_than_the_sequences_of_a_frame():
    index = pd.MultiIndex.from_product([list("abcd"), range(3)])
    X = pd.DataFrame({"u": np.arange(12.0)}, index=index)
    y = pd.Series([0, 0, 1, 1], index=list("abcd"))
    model = GRUClassifier(**SMALL).fit(X, y)
    for call in (model.fit, model.score):
        with pytest.raises(ValueError, match="different indices"):
            call(X, y.loc[list("cdab")])
    model.fit(X, y.reset_index(drop=True))


@pytest.mark.parametrize("n_axes", [1, 2])
def test_labels_of_steps_may_stand_in_a_column(n_axes):
    X = np.random.default_rng(0).normal(size=(4, 9, 2))[: 1 if n_axes == 1 else 4]
    y = (X[..., :1] > 0).astype(int)
    if n_axes == 1:
        X, y = X[0], y[0]
    y.flat[:2] = 0, 1
    model = GRUClassifier(target="step", **SMALL).fit(X, y)
    assert model.score(X, y) == model.score(X, y[..., 0])
    with pytest.raises(ValueError, match="labels for each step"):
        model.fit(X, np.concatenate([y, 2 * y], axis=-1))


def test_a_sequence_without_a_label_is_no_class():
    X, _ = sequences(6)
    with pytest.raises(ValueError, match="sequence 2 has no label"):
        GRUClassifier(**SMALL).fit(X, ["a", "b", np.nan, "a", "b", "a"])
    with pytest.raises(ValueError, match="mixes labels"):
        GRUClassifier(**SMALL).fit(X, ["a", 1, "b", "a", "b", "a"])


def test_labels_of_object_type_are_scored():
    X, y = sequences()
    model = GRUClassifier(**SMALL).fit(X, y.astype(object))
    assert model.score(X, y.astype(object)) == model.score(X, y)


@pytest.mark.parametrize("words", [["a\0", "b\0"], [[2**63 + 1, 2**63 + 3], [5]]], ids=str)
def test_no_symbol_is_lost_in_the_vocabulary(words):
    model = GRUClassifier(embedding_size=3, **SMALL).fit(words, [0, 1])
    assert set(model.vocabulary_) == {symbol for word in words for symbol in word}


def test_the_best_loss_stays_the_validation_loss_when_training_goes_on():
    X, y = sequences(40)
    model = GRUClassifier(early_stopping=True, max_epochs=4, random_state=0).fit(X, y)
    best = model.best_loss_
    assert best == -max(model.validation_scores_)
    assert model.partial_fit(X, y).best_loss_ == best


def test_weights_of_sequences_hold_for_their_steps_in_any_container():
    X, y = labeled_steps()
    weights = np.linspace(0.5, 2, len(X))
    frame = pd.concat(dict(enumerate(map(pd.DataFrame, X))))
    by_list = GRUClassifier(target="step", **SMALL).fit(X, y, sample_weight=weights)
    by_frame = GRUClassifier(target="step", **SMALL).fit(
        frame, np.concatenate(y), sample_weight=weights
    )
    assert by_list.loss_curve_ == by_frame.loss_curve_
    one = GRUClassifier(target="step", **SMALL).fit(X, y, sample_weight=2.0)
    assert one.loss_curve_ == GRUClassifier(target="step", **SMALL).fit(X, y).loss_curve_


def test_weights_of_steps_where_rows_are_sequences_are_refused():
    X, y = sequences()
    with pytest.raises(ValueError, match="weights of steps go with target='step'"):
        GRUClassifier(**SMALL).fit(X, y, sample_weight=[np.ones(len(x)) for x in X])


def test_a_large_held_out_part_needs_no_stratification():
    X, _ = sequences()
    y = np.arange(20) % 4
    GRUClassifier(early_stopping=True, validation_fraction=0.9, **SMALL).fit(X, y)


class SlowCell(torch.nn.Module):
    """A leaky unit whose share of new state is a setting."""

    def __init__(self, input_size, hidden_size, share=0.5):
        super().__init__()
        self.linear, self.share = torch.nn.Linear(input_size, hidden_size), share
        self.hidden_size = hidden_size

    def forward(self, x_t, state):
        if state is None:
            state = x_t.new_zeros(len(x_t), self.hidden_size)
        return torch.lerp(state, torch.tanh(self.linear(x_t)), self.share)


def test_settings_reach_a_cell_of_the_users():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 5, 2)), np.arange(20) % 2
    model = RecurrentClassifier(cell=SlowCell, cell_options={"share": 0.1}, max_epochs=2)
    loaded = pickle.loads(pickle.dumps(model.fit(X, y)))
    assert [m.share for m in loaded.module_.modules() if isinstance(m, SlowCell)] == [0.1]
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="no_such_setting"):
        clone(model).set_params(cell_options={"no_such_setting": 1}).fit(X, y)
