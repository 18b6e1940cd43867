"""What every torch estimator promises of fitting, callbacks and persistence."""

import copy
import pickle
import pickletools
from copy import deepcopy

import joblib
import numpy as np
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EarlyStopping

from sklseq.preprocessing import PerStep
from sklseq.recurrent import (
    GRUClassifier,
    GRURegressor,
    LSTMRegressor,
    RecurrentTransformer,
    RNNRegressor,
)

N = 14


def make_data():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(2, 6), 2)) for _ in range(N)]
    return X, np.array([x.sum() for x in X]), np.arange(N) % 2


X, VALUES, LABELS = make_data()
# At a constant rate, so that several fits are one.
SMALL = {"hidden_size": 4, "max_epochs": 3, "batch_size": 4, "random_state": 0, "dropout": 0.3}
SMALL |= {"lr_schedule": None}


class Kind:
    """One kind of estimator: how to make, fit and use it."""

    def __init__(self, cls, y, method):
        self.cls, self.y, self.method = cls, y, method

    def make(self, **changed):
        return self.cls(**SMALL | changed)

    def fit(self, model, X=X):
        return model.fit(X, self.y)

    def partial_fit(self, model):
        classes = {"classes": [0, 1]} if self.cls is GRUClassifier else {}
        return model.partial_fit(X, self.y, **classes)

    def use(self, model):
        return getattr(model, self.method)(X)


KINDS = {
    "classifier": Kind(GRUClassifier, LABELS, "predict_proba"),
    "regressor": Kind(LSTMRegressor, VALUES, "predict"),
    "transformer": Kind(RecurrentTransformer, None, "transform"),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request):
    return request.param


def assert_same_fit(a, b, kind):
    np.testing.assert_array_equal(kind.use(a), kind.use(b))
    for name in ("n_iter_", "loss_curve_", "best_loss_", "validation_scores_"):
        assert getattr(a, name) == getattr(b, name)


# Training in parts


@pytest.mark.parametrize(
    ("solver", "dtype"), [("adam", "float32"), ("sgd", "float64"), ("lbfgs", "float64")]
)
def test_training_in_parts_is_training_at_once_to_the_bit(kind, solver, dtype):
    settings = {"solver": solver, "dtype": dtype}
    whole = kind.fit(kind.make(max_epochs=5, **settings))
    parts = kind.fit(kind.make(max_epochs=2, warm_start=True, **settings))
    kind.fit(parts.set_params(max_epochs=3))
    assert_same_fit(whole, parts, kind)
    stepwise = kind.make(**settings)
    for _ in range(5):
        kind.partial_fit(stepwise)
    assert_same_fit(whole, stepwise, kind)
    assert whole.n_iter_ == len(whole.loss_curve_) == 5


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop", "lbfgs"])
def test_training_goes_on_after_loading_as_if_never_saved(kind, solver):
    model = kind.fit(kind.make(warm_start=True, solver=solver))
    loaded = pickle.loads(pickle.dumps(model))
    assert_same_fit(kind.fit(model), kind.fit(loaded), kind)


def test_a_cold_start_forgets_the_last_fit(kind):
    model = kind.make(early_stopping=True)
    kind.fit(kind.fit(model).set_params(early_stopping=False))
    assert_same_fit(model, kind.fit(kind.make()), kind)


def test_the_best_loss_is_the_lowest_of_all_epochs(kind):
    model = kind.fit(kind.make(learning_rate=0.2, max_epochs=4, warm_start=True))
    kind.fit(model)
    assert model.best_loss_ == min(model.loss_curve_)
    assert len(model.loss_curve_) == 8


def test_early_stopping_reports_what_it_kept(kind):
    model = kind.make(
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=2,
        max_epochs=60,
        learning_rate=0.1,
        tol=0.0,
    )
    kind.fit(model)
    scores = model.validation_scores_
    assert len(scores) == len(model.loss_curve_) == model.n_iter_
    assert model.best_loss_ == -max(scores)
    assert model.n_iter_ < 60
    assert max(scores[-2:]) <= max(scores[:-2])


def test_partial_fit_holds_nothing_out(kind):
    model = kind.make(early_stopping=True)
    plain = kind.make()
    for _ in range(3):
        kind.partial_fit(model)
        kind.partial_fit(plain)
    assert model.validation_scores_ is None
    assert_same_fit(model, plain, kind)


# Failures leave the estimator as it was


def fail_by_divergence(kind, model):
    model.set_params(solver="sgd", learning_rate=1e300, weight_decay=1e10, gradient_clip=None)
    with pytest.raises(ValueError, match=r"Training diverged: .* Lower learning_rate"):
        kind.fit(model)


def fail_by_data(kind, model):
    with pytest.raises(ValueError, match="sequence 0, step 1, feature 0"):
        kind.fit(model, [np.array([[0.0, 1.0], [np.nan, 1.0]]), *X[1:]])


def fail_by_device(kind, model):
    missing = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(ValueError, match=f"device='{missing}' is not there"):
        kind.fit(model.set_params(device=missing))


def fail_by_interrupt(kind, model):
    with pytest.raises(KeyboardInterrupt):
        kind.fit(model.set_params(callbacks=[Interrupt(1)]))


FAILURES = [fail_by_divergence, fail_by_data, fail_by_device, fail_by_interrupt]


@pytest.mark.parametrize("fail", FAILURES)
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_that_fails_leaves_the_last_one_as_it_was(kind, fail, warm_start):
    model = kind.fit(kind.make(warm_start=warm_start))
    twin, before = deepcopy(model), dict(model.__dict__)
    parameters = model.get_params()
    fail(kind, model)
    model.set_params(**parameters)
    assert model.__dict__.keys() == before.keys()
    assert all(model.__dict__[name] is before[name] for name in before if name not in parameters)
    assert_same_fit(model, twin, kind)
    assert_same_fit(kind.fit(model), kind.fit(twin), kind)


@pytest.mark.parametrize("fail", FAILURES)
def test_a_first_fit_that_fails_leaves_nothing(kind, fail):
    model = kind.make()
    fail(kind, model)
    assert model.__dict__.keys() == model.get_params().keys()
    with pytest.raises(NotFittedError):
        kind.use(model)


def test_a_partial_fit_that_fails_leaves_the_last_one_as_it_was(kind):
    model = kind.partial_fit(kind.make())
    before = kind.use(model)
    model.set_params(learning_rate=1e300, gradient_clip=None)
    with pytest.raises(ValueError, match="Training diverged"):
        kind.partial_fit(model)
    np.testing.assert_array_equal(kind.use(model), before)
    assert model.n_iter_ == 1


@pytest.mark.parametrize("cls", [RNNRegressor, GRURegressor, LSTMRegressor])
def test_huge_inputs_train_or_are_refused(cls):
    model = cls(**SMALL)
    model.fit(X, VALUES)
    expected = model.predict(X)
    for factor in (1e30, 1e100):  # scaled in double precision
        huge = [x * factor for x in X]
        np.testing.assert_allclose(model.fit(huge, VALUES).predict(huge), expected, rtol=1e-3)
    with pytest.raises(ValueError, match=r"sequence 0, step 0, feature \d .*too large for float64"):
        model.fit([x * 1e200 for x in X], VALUES)


# Callbacks of skorch


class Interrupt(Callback):
    """Ctrl-C at the first batch of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


def test_an_interrupt_keeps_a_usable_model(kind):
    model = kind.make(callbacks=[Interrupt(3)], max_epochs=5)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 3; the weights of epoch"):
        kind.fit(model)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    best = int(np.argmin(model.loss_curve_)) + 1
    expected = kind.fit(kind.make(max_epochs=best))
    np.testing.assert_array_equal(kind.use(model), kind.use(expected))


def test_a_users_early_stopping_ends_training_in_good_order(kind):
    stop = EarlyStopping("train_loss", patience=1, threshold=1e9, threshold_mode="abs")
    model = kind.fit(kind.make(callbacks=(stop,), max_epochs=5))
    assert model.n_iter_ == 2
    assert_same_fit(model, kind.fit(kind.make(max_epochs=2)), kind)


# Callbacks of scikit-learn


class Recorder:
    """Follows scikit-learn's FitCallback protocol; may end training after an epoch."""

    def __init__(self, stop_after=None):
        self.stop_after, self.events, self.models = stop_after, [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.events.append(f"end {context.task_name} {context.task_id}")
        self.seen = X, y, metadata
        self.models.append(fitted_estimator)
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


def expected_events(n_epochs):
    epochs = [f"{what} epoch {k}" for k in range(n_epochs) for what in ("begin", "end")]
    return ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]


def test_a_callback_sees_each_epoch(kind):
    recorder = Recorder()
    model = kind.fit(kind.make().set_callbacks(recorder))
    assert recorder.events == expected_events(3)
    assert recorder.seen == (X, kind.y, {"sample_weight": None})
    assert_same_fit(model, kind.fit(kind.make()), kind)


def test_a_callback_gets_the_model_of_its_epoch(kind):
    recorder = Recorder()
    model = kind.fit(kind.make().set_callbacks(recorder))
    *epochs, last = recorder.models
    for k, snapshot in enumerate(epochs, start=1):
        expected = kind.fit(kind.make(max_epochs=k))
        np.testing.assert_array_equal(kind.use(snapshot), kind.use(expected))
        assert snapshot.n_iter_ == k
        assert snapshot.loss_curve_ == expected.loss_curve_
    assert_same_fit(last, model, kind)


def test_a_callback_may_stop_training(kind):
    recorder = Recorder(stop_after=2)
    model = kind.fit(kind.make(max_epochs=6).set_callbacks(recorder))
    assert recorder.events == expected_events(2)
    assert_same_fit(model, kind.fit(kind.make(max_epochs=2)), kind)


def test_other_stops_end_their_epoch_for_callbacks(kind):
    stop = EarlyStopping("train_loss", patience=1, threshold=1e9, threshold_mode="abs")
    recorder = Recorder()
    kind.fit(kind.make(callbacks=[stop], max_epochs=6).set_callbacks(recorder))
    assert recorder.events == expected_events(2)


@pytest.mark.parametrize("fail", FAILURES)
def test_callbacks_are_torn_down_after_a_failure(kind, fail):
    recorder = Recorder()
    model = kind.make().set_callbacks(recorder)
    fail(kind, model)
    assert recorder.events.count("setup") == recorder.events.count("teardown")
    assert not [name for name in vars(model) if name.startswith("_callback_fit")]


def epoch_rows(monitor):
    rows = monitor.get_logs().data
    return [row for row in rows if row["task_name"] == "epoch"]


def test_the_scoring_monitor_records_one_score_an_epoch():
    monitor = ScoringMonitor(scoring="r2")
    GRURegressor(**SMALL).set_callbacks(monitor).fit(X, VALUES)
    scores = [
        GRURegressor(**SMALL | {"max_epochs": k}).fit(X, VALUES).score(X, VALUES) for k in (1, 2, 3)
    ]
    rows = epoch_rows(monitor)
    assert [row["task_id"] for row in rows] == [0, 1, 2]
    assert [row["r2"] for row in rows] == scores


def test_the_scoring_monitor_works_in_a_pipeline():
    monitor = ScoringMonitor(scoring="r2")
    model = GRURegressor(**SMALL).set_callbacks(monitor)
    make_pipeline(PerStep(), model).fit(X, VALUES)
    scaled = PerStep().fit_transform(X)
    alone = ScoringMonitor(scoring="r2")
    GRURegressor(**SMALL).set_callbacks(alone).fit(scaled, VALUES)
    assert [row["r2"] for row in epoch_rows(monitor)] == [row["r2"] for row in epoch_rows(alone)]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_scoring_monitor_works_in_a_grid_search(n_jobs):
    monitor = ScoringMonitor(scoring="r2")
    model = GRURegressor(**SMALL).set_callbacks(monitor)
    search = GridSearchCV(model, {"hidden_size": [2, 3]}, cv=2, refit=False, n_jobs=n_jobs)
    with joblib.parallel_config("threading"):
        search.fit(X, VALUES)
    logs = monitor.get_logs(select="all")
    rows = [row for log in logs for row in log.data if row["task_name"] == "epoch"]
    assert len(rows) == 2 * 2 * 3


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: make_pipeline(PerStep(), m)])
def test_the_progress_bar_shows_epochs(wrap, capsys):
    pytest.importorskip("rich")
    model = wrap(GRURegressor(**SMALL))
    model.set_callbacks(ProgressBar()).fit(X, VALUES)
    shown = capsys.readouterr().out
    assert "GRURegressor" in shown
    assert "100%" in shown


# Devices and random state


def test_a_device_that_is_not_there_is_an_error(kind):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(ValueError, match=r"device='cuda' is not there: .*device='auto'"):
        kind.fit(kind.make(device="cuda"))


def test_global_random_states_and_threads_are_left_alone(kind):
    def state():
        return np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    before, n_threads = state(), torch.get_num_threads()
    for random_state in (None, 0, np.random.RandomState(0)):
        model = kind.fit(kind.make(random_state=random_state, early_stopping=True))
        kind.use(pickle.loads(pickle.dumps(kind.partial_fit(model))))
    assert state() == before
    assert torch.get_num_threads() == n_threads


def test_the_random_state_decides(kind):
    def result(random_state):
        return kind.use(kind.fit(kind.make(random_state=random_state)))

    np.testing.assert_array_equal(result(3), result(3))
    assert not np.array_equal(result(3), result(4))
    assert not np.array_equal(result(None), result(None))
    shared = np.random.RandomState(0)
    first = result(shared)
    assert not np.array_equal(result(shared), first)
    np.testing.assert_array_equal(result(np.random.RandomState(0)), first)


def test_data_need_not_be_writable(kind):
    array = np.stack([x[:2] for x in X])
    expected = kind.fit(kind.make(dtype="float64"), array)
    array = array.copy()
    array.setflags(write=False)
    model = kind.fit(kind.make(dtype="float64"), array)
    assert_same_fit(model, expected, kind)
    getattr(model, kind.method)(array)


# Persistence


def by_joblib(model, folder):
    joblib.dump(model, folder / "model")
    return joblib.load(folder / "model")


def by_mapped_joblib(model, folder):
    joblib.dump(model, folder / "model")
    return joblib.load(folder / "model", mmap_mode="r")


def by_skops(model, folder):
    skops.io.dump(model, folder / "model")
    types = skops.io.get_untrusted_types(file=folder / "model")
    assert all(name.startswith("sklseq.") for name in types), types
    return skops.io.load(folder / "model", trusted=types)


COPIES = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "oldest pickle": lambda model, _: pickle.loads(pickle.dumps(model, protocol=2)),
    "joblib": by_joblib,
    "mapped joblib": by_mapped_joblib,
    "skops": by_skops,
    "copy": lambda model, _: copy.copy(model),
    "deepcopy": lambda model, _: copy.deepcopy(model),
}


@pytest.mark.parametrize(
    ("name", "solver"), [*((name, "adam") for name in COPIES), ("skops", "lbfgs")]
)
def test_a_copy_is_the_same_model(kind, name, solver, tmp_path):
    model = kind.fit(
        kind.make(warm_start=True, solver=solver, early_stopping=True, dtype="float64")
    )
    copied = COPIES[name](model, tmp_path)
    assert copied.__dict__.keys() == model.__dict__.keys()
    assert not copied.module_.training
    assert_same_fit(copied, model, kind)
    before = kind.use(model)
    kind.fit(copied)  # must not share anything with the model
    np.testing.assert_array_equal(kind.use(model), before)
    assert_same_fit(kind.fit(model), copied, kind)


@pytest.mark.parametrize("copy_of", COPIES.values(), ids=COPIES)
def test_an_unfitted_estimator_can_be_copied(kind, copy_of, tmp_path):
    model = kind.make()
    copied = copy_of(model, tmp_path)
    assert copied.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        kind.use(copied)


def test_a_clone_is_unfitted_and_fits_the_same(kind):
    model = kind.fit(kind.make())
    cloned = clone(model)
    assert cloned.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        kind.use(cloned)
    assert_same_fit(kind.fit(cloned), model, kind)


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop", "lbfgs"])
def test_pickles_hold_no_torch_type(kind, solver):
    data = pickle.dumps(kind.fit(kind.make(solver=solver, lr_schedule="cosine")))
    names = {arg for _, arg, _ in pickletools.genops(data) if isinstance(arg, str)}
    assert any(name.startswith("sklseq.") for name in names)  # types are found this way
    assert not [name for name in names if name.startswith("torch")]


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden_size": 9},
        {"num_layers": 2, "bidirectional": True},
        {"dtype": "float64"},
        {"device": "cuda:99"},
    ],
    ids=str,
)
def test_parameters_set_after_fit_do_not_change_what_is_saved(kind, changed):
    model = kind.fit(kind.make())
    before = kind.use(model)
    loaded = pickle.loads(pickle.dumps(model.set_params(**changed)))
    np.testing.assert_array_equal(kind.use(loaded), before)
    assert loaded.get_params() == model.get_params()


def changed_state(model, change):
    state = model.__getstate__()
    state["module_"] = dict(state["module_"])
    change(state)
    loaded = type(model).__new__(type(model))
    loaded.__setstate__(state)
    return loaded


def test_weights_of_the_wrong_shape_are_named(kind):
    model = kind.fit(kind.make())
    shape = model.module_.head.weight.shape

    def cut(state):
        state["module_"]["head.weight"] = state["module_"]["head.weight"][:, :-1]

    message = rf"head\.weight is \({shape[0]}, 3\), expected \({shape[0]}, 4\)"
    with pytest.raises(ValueError, match=message):
        changed_state(model, cut)
    with pytest.raises(ValueError, match=r"head\.bias is None, expected"):
        changed_state(model, lambda state: state["module_"].pop("head.bias"))
    with pytest.raises(ValueError, match=r"more is \(1,\), expected None"):
        changed_state(model, lambda state: state["module_"].update(more=np.ones(1)))


def test_another_version_warns(kind):
    model = kind.fit(kind.make())
    with pytest.warns(UserWarning, match=r"was saved by sklseq 0\.0\.0 and is loaded by"):
        loaded = changed_state(model, lambda state: state.update(_sklseq_version="0.0.0"))
    assert_same_fit(loaded, model, kind)


def test_saving_does_not_touch_the_model(kind):
    model = kind.fit(kind.make())
    module, before = model.module_, kind.use(model)
    state = model.__getstate__()
    for array in state["module_"].values():
        assert type(array) is np.ndarray
        assert array.flags.c_contiguous
    assert model.module_ is module
    assert isinstance(model._optimizer_state["state"][0]["exp_avg"], torch.Tensor)
    np.testing.assert_array_equal(kind.use(model), before)
