"""A network that starts from a reservoir predicts what it predicts, and learns on from there."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import Ridge

from sklseq.recurrent import RecurrentRegressor
from sklseq.reservoir import ESNClassifier, ESNRegressor

SETTINGS = {
    "steps": {"target": "step"},
    "last": {},
    "mean": {"pooling": "mean"},
    "max": {"pooling": "max", "topology": "ring"},
    "both ways": {"bidirectional": True, "pooling": "mean"},
    "time scales": {"leak_rate": (0.1, 0.5, 1.0), "target": "step", "washout": 2},
    "structured": {"topology": "cosine", "target": "step"},
}


def data(per_step, n_outputs=1):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(4, 15, size=30)]
    y = [x[:, :n_outputs].cumsum(axis=0) + 5 for x in X]
    y = [v[:, 0] if n_outputs == 1 else v for v in y]
    return X, y if per_step else np.array([v[-1] for v in y])


def flat(values):
    return np.concatenate(values) if isinstance(values[0], np.ndarray) else np.asarray(values)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_before_the_first_epoch_predictions_are_equal(settings, n_outputs):
    esn = ESNRegressor(reservoir_size=16, random_state=0, **settings)
    X, y = data(esn.target == "step", n_outputs)
    esn.fit(X, y)
    model = RecurrentRegressor.from_reservoir(esn)
    assert_allclose(flat(model.predict(X)), flat(esn.predict(X)), atol=1e-11)
    single = RecurrentRegressor.from_reservoir(esn, dtype="float32")
    assert_allclose(flat(single.predict(X)), flat(esn.predict(X)), atol=1e-4)
    assert model.n_features_in_ == 2


def test_training_goes_on_from_there_and_gains():
    esn = ESNRegressor(target="step", reservoir_size=16, random_state=0)
    X, y = data(True)
    esn.fit(X, y)
    expected = flat(esn.predict(X))
    model = RecurrentRegressor.from_reservoir(
        esn, learning_rate=1e-3, max_epochs=10, random_state=0
    )
    loaded = pickle.loads(pickle.dumps(model))
    assert model.fit(X, y).score(X, y) > esn.score(X, y)
    assert_allclose(flat(esn.predict(X)), expected)
    assert_allclose(flat(loaded.predict(X)), expected, atol=1e-11)
    assert loaded.partial_fit(X, y).n_iter_ == 1
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"num_layers": 2}, "num_layers"),
        ({"features": "state+squares"}, "features"),
        ({"rotation": "ring"}, "rotation"),
        ({"activation": "relu"}, "activation"),
        ({"n_slices": 2}, "n_slices"),
        ({"washout": 1, "pooling": "mean"}, "washout"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_no_leaky_network_computes_is_refused(settings, word):
    X, y = data(False)
    esn = ESNRegressor(reservoir_size=16, random_state=0, **settings).fit(X, y)
    with pytest.raises(ValueError, match=word):
        RecurrentRegressor.from_reservoir(esn)


def test_only_a_fitted_regressor_with_a_ridge_will_do():
    X, y = data(False)
    for esn in (
        ESNRegressor(),
        ESNRegressor(readout=Ridge(), random_state=0).fit(X, y),
        ESNClassifier(random_state=0).fit(X, y > 5),
    ):
        with pytest.raises(TypeError, match="needs a fitted ESNRegressor"):
            RecurrentRegressor.from_reservoir(esn)


def test_parameters_that_contradict_the_reservoir_are_refused():
    X, y = data(True)
    esn = ESNRegressor(target="step", reservoir_size=16, random_state=0).fit(X, y)
    with pytest.raises(
        ValueError, match=r"hidden_size=99, target='sequence': .* hidden_size=16, target='step'"
    ):
        RecurrentRegressor.from_reservoir(esn, hidden_size=99, target="sequence")
    for wrong in ({"cell": "lstm"}, {"warm_start": False}, {"bidirectional": True}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            RecurrentRegressor.from_reservoir(esn, **wrong)
    assert RecurrentRegressor.from_reservoir(esn, hidden_size=16, cell="leaky").hidden_size == 16
