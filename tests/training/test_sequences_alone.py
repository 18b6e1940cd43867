"""A sequence's results are the same to the last bit alone, in any order and in any company."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import sklseq.nn.recurrent.kernels.dispatch as dispatch
import sklseq.training.rows.sequences as sequence_rows
from sklseq.nn.codes.sequence_autoencoder import SequenceAutoencoderNetwork
from sklseq.nn.codes.sequence_variational import SequenceVariationalNetwork
from sklseq.nn.layers.feedforward import ACTIVATIONS, NORMALIZATIONS
from sklseq.nn.ragged.pooling import POOLINGS
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.nn.recurrent.stack import SKIPS
from sklseq.training.context import seeded_construction
from sklseq.training.placement import parameter_of
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run as compute

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def draw(n, longest, n_features, dtype, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, n)
    return [rng.standard_normal((k, n_features)).astype(dtype) for k in lengths]


def run(module, name, X, per_step, n_threads=1):
    lengths = np.array([len(x) for x in X])
    rows = SequenceRows(np.concatenate(X), lengths, parameter_of(module))
    function = getattr(module, name)
    out = compute(function, module, rows, per_part=per_step, n_threads=n_threads)
    return np.split(out, np.cumsum(lengths)[:-1]) if per_step else list(out)


def assert_alone_as_in_company(module, name, X, per_step, seed=0, n_threads=1):
    together = run(module, name, X, per_step, n_threads)
    order = np.random.default_rng(seed).permutation(len(X))
    for chosen in (order, order[: len(X) // 2 + 1], *([i] for i in order[:5])):
        results = run(module, name, [X[i] for i in chosen], per_step, n_threads)
        for i, result in zip(chosen, results, strict=True):
            assert np.isfinite(result).all()
            np.testing.assert_array_equal(result, together[i])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", [*CELLS, nn.GRUCell, nn.LSTMCell], ids=str)
@settings(max_examples=8, deadline=None)
@given(
    size=st.integers(1, 70),
    n_features=st.integers(1, 9),
    n_outputs=st.integers(1, 9),
    num_layers=st.integers(1, 2),
    bidirectional=st.booleans(),
    pooling=st.sampled_from([*POOLINGS, None]),
    n=st.integers(2, 40),
    longest=st.integers(1, 70),
    rows=st.sampled_from([1, 4, 15, 1000]),
)
def test_a_recurrent_network(
    cell, dtype, size, n_features, n_outputs, num_layers, bidirectional, pooling, n, longest, rows
):
    with seeded_construction(0):
        network = RecurrentNetwork(
            n_features=n_features,
            n_outputs=n_outputs,
            cell=cell,
            hidden_size=size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            pooling=pooling,
        ).to(DTYPES[dtype])
    X = draw(n, longest, n_features, dtype)
    with pytest.MonkeyPatch.context() as patch:
        # As if sequences were so long that memory allowed this many rows.
        widest = max(max(p.shape, default=1) for p in network.parameters())
        patch.setattr(dispatch, "_MAX_NUMBERS", rows * longest * widest)
        patch.setattr(sequence_rows, "_MAX_NUMBERS", rows * longest * widest)
        assert_alone_as_in_company(network, "forward", X, pooling is None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("lstm", {"peepholes": True}),
        ("lstm", {"coupled": True}),
        ("gru", {"reset": "before"}),
        ("leaky", {"time_scales": (1, 9)}),
        ("clockwork", {"periods": (1, 3)}),
        ("skip", {"lags": (2, 5)}),
    ],
)
@settings(max_examples=4, deadline=None)
@given(half=st.integers(1, 35), n=st.integers(2, 40), rows=st.sampled_from([1, 15, 1000]))
def test_cells_with_options(cell, options, dtype, half, n, rows):
    with seeded_construction(0):
        network = RecurrentNetwork(
            n_features=2, n_outputs=3, cell=cell, cell_options=options, hidden_size=2 * half
        ).to(DTYPES[dtype])
    X = draw(n, 20, 2, dtype)
    with pytest.MonkeyPatch.context() as patch:
        widest = max(max(p.shape, default=1) for p in network.parameters())
        patch.setattr(dispatch, "_MAX_NUMBERS", rows * 20 * widest)
        assert_alone_as_in_company(network, "forward", X, False)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20, deadline=None)
@given(
    cell=st.sampled_from([*CELLS, nn.GRUCell]),
    size=st.integers(1, 40),
    n_features=st.integers(1, 9),
    num_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    pooling=st.sampled_from([*POOLINGS, None]),
    skip_connections=st.sampled_from([None, *SKIPS]),
    normalization=st.sampled_from([None, *NORMALIZATIONS]),
    input_layer_sizes=st.lists(st.integers(1, 20), max_size=2),
    output_layer_sizes=st.lists(st.integers(1, 20), max_size=2),
    activation=st.sampled_from([*ACTIVATIONS]),
    longest=st.integers(1, 40),
)
def test_a_deep_recurrent_network(dtype, size, pooling, activation, longest, **options):
    with seeded_construction(0):
        network = RecurrentNetwork(
            n_outputs=3,
            hidden_size=size,
            pooling=pooling,
            feedforward_activation=activation,
            **options,
        ).to(DTYPES[dtype])
    X = draw(30, longest, options["n_features"], dtype)
    assert_alone_as_in_company(network, "forward", X, pooling is None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", [*CELLS, nn.LSTMCell], ids=str)
def test_with_zoneout(cell, dtype):
    with seeded_construction(0):
        network = RecurrentNetwork(
            n_features=3, n_outputs=2, cell=cell, hidden_size=33, num_layers=2, zoneout=0.3
        ).to(DTYPES[dtype])
    assert_alone_as_in_company(network, "forward", draw(30, 30, 3, dtype), False)


@pytest.mark.parametrize("cell", CELLS)
def test_with_two_threads(cell):
    with seeded_construction(0):
        network = RecurrentNetwork(n_features=3, n_outputs=2, cell=cell, hidden_size=96)
    assert_alone_as_in_company(network, "forward", draw(50, 30, 3, "float32"), False, n_threads=2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("n_features", [1, 5, 17])
def test_an_autoencoder_of_sequences(cell, dtype, n_features):
    with seeded_construction(0):
        network = SequenceAutoencoderNetwork(
            n_features=n_features, n_components=3, cell=cell, hidden_size=9, bidirectional=True
        ).to(DTYPES[dtype])
    X = draw(30, 40, n_features, dtype)
    for name in ("encode", "errors"):
        assert_alone_as_in_company(network, name, X, per_step=False)
    assert_alone_as_in_company(network, "reconstruct", X, per_step=True)
    assert_alone_as_in_company(network, "decode", draw(30, 40, 3, dtype), per_step=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("n_features", [1, 17])
def test_a_variational_autoencoder_of_sequences(cell, dtype, n_features):
    with seeded_construction(0):
        network = SequenceVariationalNetwork(
            n_features=n_features,
            n_components=3,
            n_context=2,
            cell=cell,
            hidden_size=9,
            noise_order=2,
            max_length=40,
        )
        network.noise.raw_partial.data.normal_()
        network.length_model.log_weights.output.weight.data.normal_()
    classes = np.eye(2)[np.arange(40) % 2]
    network.length_model.initialize(np.arange(1, 41), np.ones(40), classes)
    network = network.to(DTYPES[dtype])
    X = [
        np.hstack([x, np.tile(of.astype(dtype), (len(x), 1))])
        for x, of in zip(draw(30, 40, n_features, dtype), classes[:30], strict=True)
    ]
    for name in ("encode", "posterior_parameters", "elbo", "iwae"):
        assert_alone_as_in_company(network, name, X, per_step=False)
    assert_alone_as_in_company(network, "decode", draw(30, 40, 5, dtype), per_step=True)
    columns = draw(30, 40, 5 + n_features, dtype)
    assert_alone_as_in_company(network, "draw", columns, per_step=True)


def test_rows_become_fewer_with_the_length_of_a_sequence_alone():
    with seeded_construction(0):
        network = RecurrentNetwork(n_features=2, n_outputs=1, hidden_size=64)
    lanes = dispatch.lanes_for(network, 10 ** np.arange(8))
    rows = [shape.rows for shape in lanes]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] > 16
    assert rows[-1] == 1
    widest = max(max(p.shape) for p in network.parameters())
    cells = [r * n for r, n in zip(rows, 10 ** np.arange(8), strict=True) if r > 1]
    assert max(cells) * widest <= dispatch._MAX_NUMBERS
