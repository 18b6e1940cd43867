"""States equal the plain recursion, however they are batched, cut into chunks or shared out."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config

from sklseq.nn.reservoir import (
    Reservoir,
    StructuredMatrix,
    all_states,
    final_states,
    free_run,
    input_weights,
    orthogonal,
    recurrent_weights,
    run_parts,
    state_parts,
)
from sklseq.nn.reservoir.states import parallel_time, parts
from sklseq.nn.reservoir.states.kernel import Kernel
from sklseq.ridge import RecursiveLeastSquares

F = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "identity": lambda z: z}


def dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


def loop(r, steps, x=None):
    """The definition, one step at a time."""
    w, w_in = dense(r.recurrent_weights), dense(r.input_weights)
    rotation = np.eye(r.units) if r.rotation is None else dense(r.rotation)
    x, out = np.zeros(r.units) if x is None else x, np.empty((len(steps), r.units))
    for t, u in enumerate(steps):
        z = w @ x + w_in @ u + (0 if r.bias is None else r.bias)
        out[t] = x = (1 - r.leak_rate) * (rotation @ x) + r.leak_rate * F[r.activation](z)
    return out


def one_by_one(r, steps, lengths):
    return np.concatenate([loop(r, s) for s in np.split(steps, np.cumsum(lengths)[:-1])])


def reservoir(units=30, n_inputs=2, topology="random", density=0.2, seed=0, **options):
    rng = np.random.default_rng(seed)
    weights = recurrent_weights(units, topology, density=density, seed=rng)
    options.setdefault("bias", rng.uniform(-0.2, 0.2, units))
    options.setdefault("leak_rate", 0.6)
    return Reservoir(weights, input_weights(units, n_inputs, seed=rng), **options)


def from_blocks(function, r, steps, lengths=None, **options):
    """What a function makes of the blocks of each part."""

    def of_part(part):
        for blocks in part.attempts():
            result = function(blocks)
        return result

    return run_parts(of_part, state_parts(r, steps, lengths), **options)


def steps(n, n_inputs=2, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (n, n_inputs))


KINDS = {
    "sparse": {},
    "dense": {"density": 0.9},
    "ring": {"topology": "ring"},
    "orthogonal": {"topology": "orthogonal"},
    "cosine": {"topology": "cosine"},
    "hadamard": {"topology": "hadamard", "units": 32},
    "one input": {"n_inputs": 1},
    "no bias": {"bias": None},
    "no leak": {"leak_rate": 1.0},
    "leak a unit": {"leak_rate": np.linspace(0.1, 1, 30)},
    "relu": {"activation": "relu"},
    "identity": {"activation": "identity"},
    "rotation": {"rotation": orthogonal(np.random.default_rng(0), 30), "leak_rate": 0.1},
    "structured rotation": {"rotation": StructuredMatrix("cosine", np.ones((2, 30)))},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-13), ("float32", 2e-6)])
def test_every_kind_equals_the_recursion(kind, dtype, bound):
    r = reservoir(**KINDS[kind], dtype=dtype)
    lengths = [0, 40, 3, 17, 1, 5, *[9] * 20]
    u = steps(sum(lengths), r.input_weights.shape[1])
    got = all_states(r, u, lengths)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, one_by_one(r, u, lengths), atol=bound)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_ragged_batches_equal_one_by_one(lengths, seed):
    r, u = reservoir(units=8), steps(sum(lengths), seed=seed)
    np.testing.assert_allclose(all_states(r, u, lengths), one_by_one(r, u, lengths), atol=1e-13)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 70), st.sampled_from(["float32", "float64"]))
def test_any_batch_size_and_order(n, dtype):
    r, u = reservoir(dtype=dtype), steps(n * 4)
    alone = np.concatenate([all_states(r, part) for part in np.split(u, n)])
    np.testing.assert_allclose(
        all_states(r, u, [4] * n), alone, atol=1e-14 if dtype == "float64" else 1e-6
    )


@pytest.fixture
def chunked(monkeypatch):
    """Cut series of a thousand steps already."""
    monkeypatch.setattr(parts, "_LONG", 1000)
    monkeypatch.setattr(parts, "_SEGMENT", 2500)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-11), ("float32", 1e-5)])
@pytest.mark.parametrize("n", [1000, 4001, 10_007])
def test_chunks_equal_left_to_right(chunked, dtype, bound, n):
    r, u = reservoir(dtype=dtype, leak_rate=1.0), steps(n)
    start = np.linspace(-1, 1, 30)
    got = all_states(r, u, initial_state=start)
    np.testing.assert_allclose(got, loop(r, u, start), atol=bound)


def test_long_and_short_series_together(chunked):
    r, lengths = reservoir(leak_rate=1.0), [5, 3000, 0, 30, 6000, 7]
    u = steps(sum(lengths))
    np.testing.assert_allclose(all_states(r, u, lengths), one_by_one(r, u, lengths), atol=1e-11)


def test_without_echo_states_the_run_is_from_left_to_right(chunked):
    w = recurrent_weights(30, spectral_radius=1.5, seed=0)
    r, u = Reservoir(w, np.zeros((30, 1))), np.zeros((3000, 1))
    start = np.random.default_rng(0).uniform(-1, 1, 30)
    got = all_states(r, u, initial_state=start)
    np.testing.assert_allclose(got[:40], loop(r, u[:40], start), atol=1e-9)
    # The dynamics are chaotic, so that only the very same operations agree over all steps.
    for first in range(0, 3000, 1000):
        part = all_states(r, u[:1000], initial_state=start)
        np.testing.assert_array_equal(got[first : first + 1000], part)
        start = part[-1]
    assert not all_states(r, u).any()


def test_echo_states_lost_in_the_middle_are_found_out(chunked, monkeypatch):
    # One unit with two stable states, without an input at the end: it stays where it was set
    # last, as no chunk that starts from zero could know.
    r = Reservoir(np.array([[4.0]]), np.array([[10.0]]))
    u = np.zeros((4000, 1))
    u[:500] = 1.0
    u[500:1500] = -1.0
    monkeypatch.setattr(parts, "forgetting_time", lambda *args: 16)
    np.testing.assert_allclose(all_states(r, u), loop(r, u), atol=1e-11)


def test_forgetting_time():
    fast, slow = (Kernel(reservoir(leak_rate=a), False) for a in (1.0, 0.1))
    u = steps(5000)
    times = [parallel_time.forgetting_time([k], u, 0, 5000, 1000) for k in (fast, slow)]
    assert times[0] < times[1]
    chaotic = Kernel(
        Reservoir(recurrent_weights(50, spectral_radius=3, seed=0), np.zeros((50, 2))), False
    )
    assert parallel_time.forgetting_time([chaotic], u, 0, 5000, 300) is None


def test_stacked_layers_are_driven_by_the_one_before(chunked):
    layers = [
        reservoir(leak_rate=0.9),
        reservoir(20, 30, "orthogonal", seed=2),
        reservoir(10, 20, seed=3, density=0.3),
    ]
    lengths = [2500, 3, 40]
    u = steps(sum(lengths))
    want = [one_by_one(layers[0], u, lengths)]
    for layer in layers[1:]:
        want.append(one_by_one(layer, want[-1], lengths))
    want = np.hstack(want)
    np.testing.assert_allclose(all_states(layers, u, lengths), want, atol=1e-10)
    np.testing.assert_allclose(
        final_states(layers, u, lengths), want[np.cumsum(lengths) - 1], atol=1e-10
    )


def test_sparse_input_weights():
    r = reservoir(12, 40)
    w_in = np.where(np.abs(r.input_weights) > 0.9, r.input_weights, 0)
    both = [Reservoir(r.recurrent_weights, w) for w in (w_in, sp.csr_array(w_in))]
    u = steps(30, 40)
    for each in both:
        np.testing.assert_allclose(all_states(each, u), loop(each, u), atol=1e-13)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_change_nothing(chunked, backend):
    r = reservoir(leak_rate=1.0)
    lengths = [6000, *range(1, 60)]
    u = steps(sum(lengths))

    def gram(blocks):
        return sum(states.T @ states for _, states in blocks)

    alone = from_blocks(gram, r, u, lengths)
    with parallel_config(backend=backend):
        shared = from_blocks(gram, r, u, lengths, n_jobs=2)
        np.testing.assert_array_equal(
            all_states(r, u, lengths, n_jobs=2), all_states(r, u, lengths)
        )
    assert len(alone) > 2
    for a, b in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_step_comes_once():
    r, lengths = reservoir(), [700, *range(100)]
    u = steps(sum(lengths))
    found = from_blocks(lambda blocks: [rows for rows, _ in blocks], r, u, lengths)
    rows = np.concatenate([rows for part in found for rows in part])
    assert (np.sort(rows) == np.arange(len(u))).all()


def test_blocks_do_not_grow_with_the_series():
    r, u = reservoir(units=20), steps(40_000)
    sizes = from_blocks(lambda blocks: max(states.nbytes for _, states in blocks), r, u)
    assert max(sizes) <= 4 * 2**20


def test_an_early_stop_of_the_consumer_does_no_harm(chunked):
    r, u = reservoir(leak_rate=1.0), steps(6000)
    seen = from_blocks(lambda blocks: len(next(iter(blocks))[0]), r, u)
    assert len(seen) == 2
    assert min(seen) > 0


def test_states_can_be_continued():
    r, u = reservoir(), steps(30)
    whole, half = all_states(r, u), all_states(r, u[:10])
    rest = all_states(r, u[10:], initial_state=half[-1])
    np.testing.assert_allclose(np.concatenate([half, rest]), whole, atol=1e-15)


def test_feedback_is_one_more_input():
    r = reservoir(feedback_weights=np.random.default_rng(5).uniform(-1, 1, (30, 3)))
    u, y = steps(50), steps(50, 3, seed=2)
    joined = reservoir()
    joined = Reservoir(
        joined.recurrent_weights,
        np.hstack([joined.input_weights, r.feedback_weights]),
        bias=joined.bias,
        leak_rate=0.6,
    )
    np.testing.assert_allclose(
        all_states(r, u, feedback=y), loop(joined, np.hstack([u, y])), atol=1e-13
    )


def test_a_free_run_is_a_forced_run_on_its_own_output():
    rng = np.random.default_rng(0)
    r = reservoir(feedback_weights=rng.uniform(-1, 1, (30, 2)))
    readout = rng.normal(size=(30, 2)) / 30
    outside, x = rng.normal(size=(3, 20, 2)), rng.uniform(-1, 1, (3, 30))
    y = rng.normal(size=(3, 2))
    outputs, last = free_run(r, lambda s: s @ readout, x, y, 20, outside)
    fed = np.concatenate([y[:, None], outputs[:, :-1]], axis=1)
    forced = all_states(
        r, outside.reshape(60, 2), [20] * 3, feedback=fed.reshape(60, 2), initial_state=x
    ).reshape(3, 20, 30)
    np.testing.assert_allclose(forced @ readout, outputs, atol=1e-13)
    np.testing.assert_allclose(forced[:, -1], last, atol=1e-13)


def test_force_learns_a_rhythm():
    rng = np.random.default_rng(0)
    w = recurrent_weights(150, spectral_radius=1.5, seed=rng)
    r = Reservoir(
        w, np.empty((150, 0)), feedback_weights=rng.uniform(-1, 1, (150, 1)), leak_rate=0.2
    )
    wave = np.sin(np.arange(2000) / 6)[:, None]
    rls = RecursiveLeastSquares(150, 1, alpha=1.0)
    start = rng.uniform(-0.5, 0.5, (1, 150))
    _, x = free_run(r, rls.force(wave), start, [[0.0]], len(wave))
    after, _ = free_run(r, rls.predict, x, wave[-1:], 200)
    want = np.sin((2000 + np.arange(200)) / 6)
    assert np.abs(after[0, :, 0] - want).max() < 0.2


def test_threads_of_torch_are_left_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        all_states(reservoir(), steps(10))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leak_rate": 0.0}, "leak_rate=0.0"),
        ({"leak_rate": np.ones(3)}, "leak_rate="),
        ({"activation": "swish"}, "activation='swish'"),
        ({"dtype": "float16"}, "dtype='float16'"),
        ({"bias": np.ones(3)}, "bias must have 30 rows"),
        ({"rotation": np.eye(3)}, "rotation must have shape"),
    ],
)
def test_a_reservoir_that_does_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        reservoir(**change)


def test_steps_that_do_not_fit():
    r = reservoir()
    with pytest.raises(ValueError, match="takes 2 inputs, got 3"):
        all_states(r, steps(5, 3))
    with pytest.raises(ValueError, match="add up to 4, there are 5"):
        all_states(r, steps(5), [4])
    with pytest.raises(ValueError, match="shape"):
        all_states(r, np.zeros(5))
    with pytest.raises(ValueError, match="without feedback_weights"):
        all_states(r, steps(5), feedback=steps(5))
    with pytest.raises(ValueError, match="Sequence 1 has no step"):
        final_states(r, steps(5), [5, 0])
