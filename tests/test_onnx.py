"""ONNX models give what the estimator gives, of any number of rows and steps, or are refused."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklseq.autoencoder import Autoencoder, ConvolutionalAutoencoder, SequenceAutoencoder
from sklseq.generative import GAN, VAE, RealNVP
from sklseq.recurrent import (
    GRUClassifier,
    LSTMClassifier,
    LSTMRegressor,
    RecurrentClassifier,
    RecurrentLanguageModel,
    RecurrentRegressor,
    RecurrentTransformer,
    RNNRegressor,
)
from sklseq.reservoir import ESNRegressor
from sklseq.utils import to_onnx

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
# Of torch.export and what it imports.
pytestmark = pytest.mark.filterwarnings("ignore")

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(40, 6)) * [1, 5, 1, 1, 1, 1] + 3
SEQUENCES = [rng.normal(3, 2, size=(n, 2)) for n in rng.integers(1, 9, 30)]


def run(model, **inputs):
    return ort.InferenceSession(model.SerializeToString()).run(None, inputs)[0]


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (Autoencoder(hidden_layer_sizes=(8,)), "score_samples"),
        (VAE(), "transform"),
        (RealNVP(n_layers=2), "score_samples"),
        (ConvolutionalAutoencoder(n_components=2, channels=(2,)), "reconstruct"),
    ],
)
def test_tables(model, method):
    model.set_params(max_epochs=1, random_state=0)
    X = ROWS + 1e4 * isinstance(model, (VAE, RealNVP))
    model.fit(X)
    exported = to_onnx(model, X[:5], method=method)
    for rows in (X, X[:1]):
        assert_allclose(run(exported, X=rows), getattr(model, method)(rows), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cls", [GRUClassifier, LSTMClassifier])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_classifiers_of_padded_sequences(cls, pooling, bidirectional):
    y = np.where([x[0, 0] > 3 for x in SEQUENCES], "up", "down")
    model = cls(
        pooling=pooling,
        bidirectional=bidirectional,
        num_layers=2,
        hidden_size=5,
        max_epochs=1,
        random_state=0,
    ).fit(SEQUENCES, y)
    exported = to_onnx(model, SEQUENCES[:4])
    longest = max(map(len, SEQUENCES)) + 2
    padded = np.full((30, longest, 2), 99.0)  # what stands behind the end takes no part
    for row, x in zip(padded, SEQUENCES, strict=True):
        row[: len(x)] = x
    found = run(exported, X=padded, lengths=np.array([len(x) for x in SEQUENCES]))
    assert_allclose(found, model.predict_proba(SEQUENCES), atol=1e-5)
    assert json.loads(exported.metadata_props[0].value) == ["down", "up"]


def test_several_labels_have_their_own_probabilities():
    X, y = rng.normal(size=(8, 5, 2)), rng.integers(0, 2, (8, 3))
    y[:2] = [[0, 0, 0], [1, 1, 0]]
    model = GRUClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(X, y)
    found = run(to_onnx(model, X), X=X, lengths=np.full(8, 5))
    assert_allclose(found, model.predict_proba(X), atol=1e-5)


def test_steps_series_and_outputs():
    X = rng.normal(size=(6, 7, 2)).astype(np.float32)
    lengths = np.full(6, 7)
    y = X.cumsum(axis=1)
    relu = RecurrentRegressor(cell="rnn", cell_options={"activation": "relu"}, init="identity")
    for model, target in ((relu, y), (RNNRegressor(), y[..., 0]), (LSTMRegressor(), y)):
        model.set_params(target="step", hidden_size=4, max_epochs=1, random_state=0).fit(X, target)
        assert_allclose(
            run(to_onnx(model, X[:2]), X=X, lengths=lengths), model.predict(X), atol=1e-5
        )
    model.fit(X[0].astype(float), y[0])  # one series
    found = run(to_onnx(model, X[0].astype(float)), X=X[:1].astype(float), lengths=lengths[:1])
    assert_allclose(found[0], model.predict(X[0].astype(float)), atol=1e-5)
    for coder in (
        SequenceAutoencoder(n_components=3, hidden_size=4, max_epochs=1),
        RecurrentTransformer(target="step", hidden_size=4, max_epochs=1),
    ):
        coder.fit(X)
        assert_allclose(run(to_onnx(coder, X), X=X, lengths=lengths), coder.transform(X), atol=1e-5)


def test_a_model_that_differs_is_not_handed_out(monkeypatch):
    from sklseq.utils import _onnx_recurrent

    X = rng.normal(size=(8, 5, 2))
    model = GRUClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(X, [0, 1] * 4)
    monkeypatch.setitem(_onnx_recurrent._CELLS, "gru", ("GRU", [1, 0, 2], {}))
    with pytest.raises(RuntimeError, match="not handed out"):
        to_onnx(model, X)


def test_what_is_not_exported_is_named():
    X, y = rng.normal(size=(8, 5, 2)), [0, 1] * 4
    small = {"max_epochs": 1, "random_state": 0}
    for model, message in (
        (ESNRegressor().fit(X, np.arange(8.0)), "ESNRegressor has no network of torch"),
        (GAN(**small).fit(ROWS), "its results are drawn"),
        (VAE(conditional=True, **small).fit(ROWS, np.arange(40) % 2), "for each class"),
        (VAE(**small).fit(np.arange(80).reshape(40, 2) % 7), "array of floats"),
        (RecurrentClassifier(cell="leaky", **small).fit(X, y), "no operator of cell='leaky'"),
        (RecurrentLanguageModel(**small).fit(X), "begins before the first step"),
        (
            RecurrentClassifier(cell="gru", cell_options={"reset": "before"}, **small).fit(X, y),
            "cell='gru', cell_options={'reset': 'before'}",
        ),
        (GRUClassifier(dtype="float64", **small).fit(X, y), "float32 alone"),
        (GRUClassifier(**small).fit(["ab", "ba"] * 4, y), "symbols"),
        (
            RecurrentTransformer(cell="gru", bidirectional=True, num_layers=2, **small).fit(X),
            "directions do not meet",
        ),
        (
            GRUClassifier(target="step", carry_state=True, **small).fit(X, X[:, :, 0] > 0),
            "set carry_state=False",
        ),
        (GRUClassifier(normalization="layer", **small).fit(X, y), "normalization"),
        (GRUClassifier(output_layer_sizes=(3,), **small).fit(X, y), "output_layer_sizes"),
    ):
        with pytest.raises(TypeError, match=message):
            to_onnx(model, X)
    model = RealNVP(n_layers=2, base="student", **small).fit(ROWS)
    with pytest.raises(ValueError, match="these can: transform"):
        to_onnx(model, ROWS, method="score_samples")
