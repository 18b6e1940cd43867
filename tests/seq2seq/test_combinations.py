"""Every encoder, decoder and attention goes with every other."""

import pickle
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklseq.nn.layers.attention import ATTENTIONS
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.first_states import CONTEXTS
from tests.seq2seq.cases import (
    assert_same_sequences,
    classifier,
    halves,
    regressor,
    reversed_words,
    table,
)

SHORT = (1, 2, 3, 5, 9)


def check(model, X, y):
    """Training changes the network; what was stored gives the same; scores are finite."""
    model.fit(X, y)
    assert np.isfinite(model.loss_curve_).all()
    predicted, loaded = model.predict(X), pickle.loads(pickle.dumps(model))
    assert len(predicted) == len(X)
    assert_same_sequences(loaded.predict(X), predicted)
    if hasattr(model, "score_sequences"):
        scores = model.score_sequences(X, y)
        assert (scores < 0).all()
        assert np.isfinite(scores).all()
        assert_array_equal(loaded.score_sequences(X, y), scores)
    for rows in model.attention_weights(X, y) if has_attention(model) else ():
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)


def has_attention(model):
    return model.decoder == "transformer" or model.attention is not None


def inputs(encoder, kind):
    X, y = reversed_words(6, SHORT) if kind is classifier else halves(6, SHORT)
    return (table(6) if encoder == "vector" else X), y


SOME = ("gru", "lstm")
# Pairs of a few, and each of the others once.
PAIRS = [
    *product((*SOME, "transformer", "vector"), (*SOME, "transformer")),
    *((cell, cell) for cell in CELLS if cell not in SOME),
]


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_encoders_and_decoders(encoder, decoder):
    kinds = (classifier, regressor)
    kind = kinds[(len(encoder) + len(decoder)) % 2]
    check(kind(encoder=encoder, decoder=decoder), *inputs(encoder, kind))


@pytest.mark.parametrize("attention", [None, *ATTENTIONS])
@pytest.mark.parametrize("decoder", SOME)
def test_decoders_and_attentions(decoder, attention):
    for encoder, kind in (("gru", regressor), ("transformer", classifier)):
        model = kind(encoder=encoder, decoder=decoder, attention=attention)
        check(model, *inputs(encoder, kind))


@pytest.mark.parametrize("encoder", ["gru", "vector"])
@pytest.mark.parametrize("input_feeding", [False, True])
@pytest.mark.parametrize("context", CONTEXTS)
def test_contexts_and_input_feeding(encoder, context, input_feeding):
    for attention in (None, "additive"):
        model = classifier(
            encoder=encoder, context=context, input_feeding=input_feeding, attention=attention
        )
        check(model, *inputs(encoder, classifier))


@pytest.mark.parametrize("positions", ["absolute", "relative"])
@pytest.mark.parametrize("kind", [classifier, regressor])
def test_positions(kind, positions):
    model = kind(encoder="transformer", decoder="transformer", positions=positions, num_layers=2)
    check(model, *inputs("transformer", kind))


@pytest.mark.parametrize("encoder", ["lstm", "transformer", "vector"])
@pytest.mark.parametrize(
    ("decoder", "attention"),
    [("lstm", "dot"), ("lstm", "additive"), ("gru", "multihead"), ("transformer", None)],
)
def test_unequal_sizes_and_numbers_of_layers(encoder, decoder, attention):
    model = classifier(
        encoder=encoder,
        decoder=decoder,
        attention=attention,
        hidden_size=6,
        num_layers=2,
        encoder_hidden_size=10,
        encoder_num_layers=3,
        bidirectional=encoder == "lstm",
        embedding_size=5,
        dropout=0.3,
    )
    check(model, *inputs(encoder, classifier))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_parameter_learns(solver):
    X, y = reversed_words(6, SHORT)
    settings = {"context": "both", "attention": "additive", "input_feeding": True, "num_layers": 2}
    start = classifier(learning_rate=1e-30, solver="sgd", **settings).fit(X, y).module_
    module = classifier(solver=solver, gradient_clip=None, **settings).fit(X, y).module_
    before = dict(start.named_parameters())
    for name, p in module.named_parameters():
        assert (p != before[name]).any(), name
