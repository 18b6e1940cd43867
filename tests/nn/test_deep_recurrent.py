"""Skips, norms and feed-forward layers of recurrent networks equal a loop over the sequences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklseq.nn.layers.feedforward import NORMALIZATIONS
from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.ragged.pooling import POOLINGS
from sklseq.nn.recurrent.cells.registry import CELLS, make_layer
from sklseq.nn.recurrent.layer import output_of
from sklseq.nn.recurrent.network import NeighborNetwork, RecurrentNetwork
from sklseq.nn.recurrent.stack import SKIPS, RecurrentStack

F, H = 2, 3
many_lengths = st.lists(st.integers(1, 5), min_size=1, max_size=5)
sizes = st.lists(st.integers(1, 4), max_size=2).map(tuple)
architectures = st.fixed_dictionaries(
    {
        "cell": st.sampled_from([*CELLS, nn.GRUCell]),
        "num_layers": st.integers(1, 3),
        "bidirectional": st.booleans(),
        "skip_connections": st.sampled_from([None, *SKIPS]),
        "normalization": st.sampled_from([None, *NORMALIZATIONS]),
        "input_layer_sizes": sizes,
        "output_layer_sizes": sizes,
        "feedforward_activation": st.sampled_from(["relu", "tanh"]),
    }
)
some = settings(max_examples=25, deadline=None)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def close(a, b, bound=1e-11):
    torch.testing.assert_close(a, b, rtol=bound, atol=bound)


def build(network=RecurrentNetwork, **kwargs):
    """A network whose norms have gone through other data, with all their weights."""
    made = network(**{"n_features": F, "n_outputs": 2, "hidden_size": H} | kwargs).double()
    for part in made.modules():
        if isinstance(part, tuple(NORMALIZATIONS.values())):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
        if isinstance(part, NORMALIZATIONS["batch"]):
            nn.init.normal_(part.running_mean)
            part.running_var.uniform_(0.5, 2)
    return made


def random_steps(lengths, n_features=F):
    return torch.randn(sum(lengths), n_features, dtype=torch.float64)


# -- the loop ------------------------------------------------------------------------------


def normalized(norm, items, training):
    """Items by the formulas of the papers; statistics of a batch over all its items."""
    if isinstance(norm, NORMALIZATIONS["layer"]):
        means = [x.mean(dim=1, keepdim=True) for x in items]
        variances = [x.var(dim=1, keepdim=True, correction=0) for x in items]
    else:
        rows = torch.cat(items)
        here = training and len(rows) > 1
        mean = rows.mean(dim=0) if here else norm.running_mean
        variance = rows.var(dim=0, correction=0) if here else norm.running_var
        means, variances = [mean] * len(items), [variance] * len(items)
    return [
        (x - m) / (v + norm.eps).sqrt() * norm.weight + norm.bias
        for x, m, v in zip(items, means, variances, strict=True)
    ]


def dense_layers(layers, items, training):
    for layer in layers:
        items = [x @ layer.linear.weight.T + layer.linear.bias for x in items]
        for part in layer.rest:
            is_norm = isinstance(part, tuple(NORMALIZATIONS.values()))
            items = normalized(part, items, training) if is_norm else [part(x) for x in items]
    return items


def states_of(layer, item):
    """States of one sequence, step by step."""
    state, states = None, []
    for x_t in item:
        state = layer.step(x_t[None], state)
        states.append(output_of(state))
    return torch.cat(states)


def outputs_of(stack, items, training):
    read, given_out = items, []
    for i, layer in enumerate(stack.forward_layers):
        states = [states_of(layer, x) for x in read]
        if stack.norms:
            states = normalized(stack.norms[i], states, training)
        if stack.backward_layers:
            mirrored = [states_of(stack.backward_layers[i], x.flip(0)).flip(0) for x in read]
            if stack.norms:
                mirrored = normalized(stack.backward_norms[i], mirrored, training)
            states = [torch.cat(pair, 1) for pair in zip(states, mirrored, strict=True)]
        if stack.skip_connections == "residual" and i:
            states = [x + h for x, h in zip(read, states, strict=True)]
        given_out.append(states)
        read = states
        if stack.skip_connections == "dense":
            read = [torch.cat(parts, 1) for parts in zip(items, *given_out, strict=True)]
    if stack.skip_connections == "dense":
        return [torch.cat(parts, 1) for parts in zip(*given_out, strict=True)]
    return states


def predictions(network, items, training):
    """Of each step."""
    if network.input_layers is not None:
        items = dense_layers(network.input_layers, items, training)
    states = outputs_of(network.stack, items, training)
    if isinstance(network.head, nn.Linear):
        return torch.cat([network.head(x) for x in states])
    outputs = dense_layers(network.head.hidden, states, training)
    return torch.cat([network.head.output(x) for x in outputs])


# -- what must hold ------------------------------------------------------------------------


@some
@given(architecture=architectures, lengths=many_lengths, training=st.booleans())
def test_a_network_is_a_loop_over_its_sequences(architecture, lengths, training):
    network = build(pooling=None, **architecture).train(training)
    steps = random_steps(lengths)
    expected = predictions(network, list(steps.split(lengths)), training)
    close(network(steps, Packing(np.array(lengths))), expected)
    if not training:
        packing = Packing(np.array(lengths), lanes=Lanes(4, 8, 8, 8))
        with torch.inference_mode():
            close(network(steps, packing), expected)


@some
@given(architecture=architectures, lengths=many_lengths, pooling=st.sampled_from(POOLINGS))
def test_pooled_outputs_do_not_depend_on_the_company(architecture, lengths, pooling):
    network = build(pooling=pooling, **architecture).eval()
    steps = random_steps(lengths)
    together = network(steps, Packing(np.array(lengths)))
    alone = [network(x, Packing(np.array([len(x)]))) for x in steps.split(lengths)]
    close(together, torch.cat(alone))


@some
@given(architecture=architectures, lengths=many_lengths)
def test_steps_with_a_state_are_the_whole(architecture, lengths):
    options = {
        name: architecture[name]
        for name in ("cell", "num_layers", "skip_connections", "normalization")
    }
    network = build(pooling=None, **options).eval()
    stack, steps = network.stack, random_steps(lengths)
    packing = Packing(np.array(lengths))
    whole, last = stack(steps[packing.to_packed], packing)
    for item, expected in zip(
        steps.split(lengths), whole[packing.to_stacked].split(lengths), strict=True
    ):
        state = None
        for x_t, now in zip(item, expected, strict=True):
            output, state = stack.advance(x_t[None], state)
            close(output[0], now)
    again, _ = stack(steps[packing.to_packed], packing, last)
    twice = [x for x in steps.split(lengths) for _ in range(2)]
    double = Packing(2 * np.array(lengths))
    both, _ = stack(torch.cat(twice)[double.to_packed], double)
    second = [x[len(x) // 2 :] for x in both[double.to_stacked].split([2 * n for n in lengths])]
    close(again[packing.to_stacked], torch.cat(second))


@pytest.mark.parametrize("skip", [None, *SKIPS])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_state_has_read_all_of_each_layer(skip, bidirectional):
    lengths = [4, 1, 3]
    stack = RecurrentStack("gru", F, H, 2, bidirectional, skip_connections=skip).double()
    steps, packing = random_steps(lengths), Packing(np.array(lengths))
    states, _ = stack(steps[packing.to_packed], packing)
    stacked, ends = states[packing.to_stacked], stack.ends(states, packing)
    assert ends.shape == (3, stack.output_size)
    for item, end in zip(stacked.split(lengths), ends, strict=True):
        parts = end.split(H)
        for k, part in enumerate(parts):
            backward = bidirectional and k % 2
            close(part, item[0 if backward else -1, k * H : (k + 1) * H])


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_norms_are_torchs_where_nothing_is_padded(normalization):
    stack = RecurrentStack("gru", F, H, 2, normalization=normalization).double()
    theirs = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[normalization]
    norms = [theirs(H).double() for _ in range(2)]
    x = torch.randn(4, 5, F, dtype=torch.float64)  # 4 sequences of 5 steps
    packing = Packing(np.full(4, 5))
    for _ in range(3):
        ours, _ = stack(x.flatten(0, 1)[packing.to_packed], packing)
        expected = x
        for layer, norm in zip(stack.forward_layers, norms, strict=True):
            expected = norm(layer.rnn(expected.transpose(0, 1))[0].transpose(0, 1).flatten(0, 1))
            expected = expected.unflatten(0, (4, 5))
        close(ours[packing.to_stacked], expected.flatten(0, 1))
    for mine, their in zip(stack.norms, norms, strict=True):
        for a, b in zip(mine.buffers(), their.buffers(), strict=True):
            close(a, b)


def test_a_batch_of_one_step_is_normalized_by_the_averages_so_far():
    network = build(normalization="batch", output_layer_sizes=(2,)).train()
    steps, packing = random_steps([1]), Packing(np.array([1]))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    output = network(steps, packing)
    assert output.isfinite().all()
    close(network.eval()(steps, packing), output)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_dropout_acts_within_feed_forward_layers():
    network = build(dropout=0.5, input_layer_sizes=(40,), output_layer_sizes=(40,))
    steps, packing = random_steps([3, 2]), Packing(np.array([3, 2]))
    hidden = network.input_layers.train()(steps)
    assert ((hidden == 0).double().mean() > 0.6).item()  # by relu, and half of the others
    network.eval()
    close(network(steps, packing), network(steps, packing), 0)
    assert [p.p for p in network.head.hidden.modules() if hasattr(p, "p")] == [0.5]


@some
@given(architecture=architectures)
def test_any_architecture_runs_on_any_device(architecture):
    network = build(**architecture).to("meta")
    packing = Packing(np.array([3, 1]), "meta")
    assert network(random_steps([3, 1]).to("meta"), packing).shape == (2, 2)


@pytest.mark.parametrize("skip", [None, *SKIPS])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_no_direction_of_one_layer_sees_what_it_predicts(skip, bidirectional):
    network = build(
        NeighborNetwork,
        bidirectional=bidirectional,
        skip_connections=skip,
        normalization="layer",
        output_layer_sizes=(4,),
    ).eval()
    steps, packing = random_steps([5]), Packing(np.array([5]))
    changed = steps.clone()
    changed[2] += 1
    before, after = network(steps, packing), network(changed, packing)
    assert torch.equal(before[0][:2], after[0][:2])
    if bidirectional:
        assert torch.equal(before[1][3:], after[1][3:])


@pytest.mark.parametrize("network", [RecurrentNetwork, NeighborNetwork])
def test_without_options_a_network_has_the_parts_it_always_had(network):
    names = {name.split(".")[0] for name in build(network).state_dict()}
    assert names == {"stack", "head"}
    assert "norms" not in "".join(build(network).state_dict())


@pytest.mark.parametrize("sizes", [(), (3, 0)])
def test_a_deep_transition_has_a_layer_between_two_states(sizes):
    with pytest.raises(ValueError, match="take cell='rnn'"):
        make_layer("deep_transition", F, H, {"layer_sizes": sizes})
