"""A liquid is its neurons' equations, one neuron at a time."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklseq.nn.reservoir.liquid import Liquid, liquid_traces, liquid_weights
from sklseq.reservoir import LiquidStateTransformer


def make(units=20, n_channels=2, seed=0, **params):
    rng = np.random.default_rng(seed)
    settings = {
        "recurrent_weights": liquid_weights(units, seed=rng),
        "input_weights": rng.uniform(-1, 1, (units, n_channels)),
        "bias_current": rng.uniform(0.9, 1, units),
        "membrane_decay": 0.95,
        "synapse_decay": 0.7,
        "trace_decay": 0.9,
        "refractory_steps": 3,
        "step_duration": 5,
        "seed": 7,
    }
    return Liquid(**settings | params)


def loop(liquid, steps):
    """Traces of one sequence, neuron by neuron: the definition."""
    units, n_channels = liquid.input_weights.shape
    potential, current, trace = [0.0] * units, [0.0] * units, [0.0] * units
    silence, spikes = [0] * units, [0] * units
    rng = np.random.default_rng(liquid.seed)
    out = []
    for u in steps:
        for _ in range(liquid.step_duration):
            arrived = [0] * n_channels
            if liquid.max_rate is not None:
                each = n_channels // len(u)
                draws = rng.random(n_channels)
                for k in range(n_channels):
                    feature, channel = divmod(k, each)
                    on = channel < (each + 1) // 2
                    intensity = u[feature] if on else 1 - u[feature]
                    arrived[k] = int(draws[k] < liquid.max_rate * intensity)
            fired = []
            for i in range(units):
                current[i] *= liquid.synapse_decay
                current[i] += sum(liquid.recurrent_weights[i, j] for j in range(units) if spikes[j])
                current[i] += sum(
                    liquid.input_weights[i, k] * arrived[k] for k in range(n_channels)
                )
                drive = liquid.bias_current[i]
                if liquid.max_rate is None:
                    drive += liquid.input_weights[i] @ u
                potential[i] *= liquid.membrane_decay
                potential[i] += (1 - liquid.membrane_decay) * (current[i] + drive)
                if silence[i]:
                    potential[i] = 0.0
                    silence[i] -= 1
                fires = potential[i] >= 1
                fired.append(fires)
                if fires:
                    potential[i], silence[i] = 0.0, liquid.refractory_steps
                trace[i] = liquid.trace_decay * trace[i] + (1 - liquid.trace_decay) * fires
            spikes = fired
        out.append(list(trace))
    return np.array(out)


def collected(liquid, steps, lengths):
    traces = np.full((len(steps), liquid.units), np.nan)
    for rows, block in liquid_traces(liquid, steps, lengths):
        assert np.isnan(traces[rows]).all()
        traces[rows] = block
    return traces


KINDS = {
    "current": make(),
    "poisson": make(n_channels=6, max_rate=0.3),
    "odd channels": make(n_channels=10, max_rate=0.2),
    "no silence": make(refractory_steps=0),
}
each = pytest.mark.parametrize("liquid", KINDS.values(), ids=KINDS)


def data(n_steps, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (n_steps, 2))


@each
def test_traces_are_the_plain_loop(liquid):
    steps = data(25)
    traces = collected(liquid, steps, [25])
    assert_allclose(traces, loop(liquid, steps), atol=1e-12)
    assert 0.01 < traces[10:].mean() < 0.5


@each
def test_batches_are_equal_to_the_bit_to_one_by_one(liquid):
    lengths = np.random.default_rng(0).integers(1, 30, 300)  # more than run side by side
    steps = data(lengths.sum())
    together = collected(liquid, steps, lengths)
    ends = np.cumsum(lengths)
    for i in (0, 1, 5, 77, 298, 299):
        own = slice(ends[i] - lengths[i], ends[i])
        assert_array_equal(together[own], collected(liquid, steps[own], [lengths[i]]))


def test_synapses_follow_the_signs_and_shares():
    W = liquid_weights(135, seed=0)
    inhibits, excites = (W < 0).any(axis=0), (W > 0).any(axis=0)
    assert not (inhibits & excites).any()
    assert abs(inhibits.sum() - 27) <= 1
    assert not np.diagonal(W).any()
    near, far = liquid_weights(135, connection_range=1, seed=0), liquid_weights(135, seed=0)
    assert np.count_nonzero(near) < np.count_nonzero(far)
    assert (liquid_weights(50, excitatory_share=1, seed=0) >= 0).all()


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("kind", ["current", "poisson"])
def test_pooled_features_are_those_of_the_traces(pooling, kind):
    X = [np.random.default_rng(n).normal(size=(n, 2)) for n in (4, 9, 1)]
    settings = {"reservoir_size": 30, "encoding": kind, "random_state": 0}
    traces = LiquidStateTransformer(target="step", **settings).fit_transform(X)
    pooled = LiquidStateTransformer(pooling=pooling, **settings).fit_transform(X)
    how = {
        "last": lambda z: z[-1],
        "mean": lambda z: z.mean(axis=0),
        "max": lambda z: z.max(axis=0),
    }
    assert_allclose(pooled, [how[pooling](z) for z in traces], atol=1e-15)


def test_poisson_rates_follow_the_feature():
    low, high = np.zeros((50, 1)), np.ones((50, 1))
    model = LiquidStateTransformer(
        encoding="poisson", target="step", synapse_scaling=0, bias_current=0, poisson_channels=1,
        input_density=1, poisson_rate=500, random_state=0,
    ).fit([low, high])  # fmt: skip
    quiet, loud = model.transform([low, high])
    assert not quiet.any()
    assert loud.any()
    # Beyond the range seen in fit the rates stay what they are at its ends.
    assert_array_equal(model.transform([high + 5, low - 5])[0], loud)
    assert not model.transform([high, low - 5])[1].any()


def test_equal_sequences_have_equal_spikes():
    X = np.random.default_rng(0).normal(size=(5, 8, 1))
    model = LiquidStateTransformer(encoding="poisson", random_state=0).fit(X)
    twice = model.transform(np.concatenate([X, X]))
    assert_array_equal(twice[:5], twice[5:])


def test_symbols_are_refused():
    with pytest.raises(ValueError, match="takes numbers"):
        LiquidStateTransformer().fit(["abc", "de"])
