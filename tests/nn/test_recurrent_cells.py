"""Named cells compute their equations, written here once more in numpy for one step of one row."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit as sigmoid
from torch import nn

from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.recurrent.cells.clockwork import ClockworkState
from sklseq.nn.recurrent.cells.registry import CELLS, make_layer
from sklseq.nn.recurrent.cells.torch_layers import TorchLayer
from sklseq.nn.recurrent.layer import by_part

F, H = 2, 6
tanh = np.tanh
BOUNDS = {torch.float64: 1e-10, torch.float32: 1e-6}


def blocks(w, n):
    """Of the input's weights, the state's and the bias, the n blocks of each."""
    return (np.split(w[name], n) for name in ("weight_ih", "weight_hh", "bias"))


def leaky(w, x, h):
    leak = w["leak_rate"] if "leak_rate" in w else 1 / np.exp(w["log_time_constant"])
    return (1 - leak) * h + leak * tanh(w["weight_ih"] @ x + w["weight_hh"] @ h + w["bias"])


def gru_before(w, x, h):
    (wr, wz, wn), (ur, uz, un), (br, bz, bn) = blocks(w, 3)
    r, z = sigmoid(wr @ x + ur @ h + br), sigmoid(wz @ x + uz @ h + bz)
    return (1 - z) * tanh(wn @ x + un @ (r * h) + bn) + z * h


def minimal(w, x, h):
    (wf, wn), (uf, un), (bf, bn) = blocks(w, 2)
    f = sigmoid(wf @ x + uf @ h + bf)
    return (1 - f) * h + f * tanh(wn @ x + un @ (f * h) + bn)


def gru_shared(w, x, h):
    (wn, wz), (un, uz), (bn, bz) = blocks(w, 2)
    z = sigmoid(wz @ x + uz @ h + bz)
    (r,) = sigmoid(w["gate_weight_ih"] @ x + w["gate_weight_hh"] @ h + w["gate_bias"])
    return (1 - z) * tanh(wn @ x + un @ (r * h) + bn) + z * h


def gru_global_local(w, x, h):
    (wn, wr, wz), (un, ur, uz), (bn, br, bz) = blocks(w, 3)
    gr, gz = sigmoid(w["gate_weight_ih"] @ x + w["gate_weight_hh"] @ h + w["gate_bias"])
    r, z = gr * sigmoid(wr @ x + ur @ h + br), gz * sigmoid(wz @ x + uz @ h + bz)
    return (1 - z) * tanh(wn @ x + un @ (r * h) + bn) + z * h


def lstm(w, x, state):
    h, c = state
    n = len(w["bias"]) // H
    *a, g, o = np.split(w["weight_ih"] @ x + w["weight_hh"] @ h + w["bias"], n)
    *p, po = w.get("peephole", np.zeros((n - 1, H)))
    *i, f = (sigmoid(sums + weights * c) for sums, weights in zip(a, p, strict=True))
    c = f * c + (i[0] if i else 1 - f) * tanh(g)
    return sigmoid(o + po * c) * tanh(c), c


def clockwork_of(periods):
    def clockwork(w, x, state):
        h, time = state
        new, size = h.copy(), H // len(periods)
        u = np.zeros((H, H))
        of_modules = sorted(set(periods))
        for k, period in enumerate(of_modules):
            rows = np.flatnonzero(np.repeat(np.sort(periods), size) == period)
            u[rows, rows[0] :] = w[f"weight_hh.{k}"]
        for i, period in enumerate(np.repeat(np.sort(periods), size)):
            if time % period == 0:
                new[i] = tanh(w["weight_ih"][i] @ x + u[i] @ h + w["bias"][i])
        return new, time + 1

    return clockwork


def skip_of(lags):
    def skip(w, x, state):
        sums = w["weight_ih"] @ x + w["bias"]
        for lag, u in zip(lags, (w[f"weight_hh.{k}"] for k in range(len(lags))), strict=True):
            sums = sums + u @ state[lag - 1]
        return tanh(sums), *state[:-1]

    return skip


CASES = [
    ("lstm", {"peepholes": True}, lstm),
    ("lstm", {"coupled": True}, lstm),
    ("lstm", {"peepholes": True, "coupled": True}, lstm),
    ("gru", {"reset": "before"}, gru_before),
    ("minimal", {}, minimal),
    ("gru_shared", {}, gru_shared),
    ("gru_global_local", {}, gru_global_local),
    ("leaky", {}, leaky),
    ("leaky", {"time_scales": (1, 50)}, leaky),
    ("leaky", {"time_scales": (2, 9), "learn_leak": False}, leaky),
    ("clockwork", {}, clockwork_of([1, 2, 4, 8, 16, 32])),
    ("clockwork", {"periods": (3, 1, 3)}, clockwork_of([1, 3, 3])),
    ("clockwork", {"periods": [2, 5]}, clockwork_of([2, 5])),
    ("skip", {}, skip_of((1, 10))),
    ("skip", {"lags": (1, 3)}, skip_of((1, 3))),
    ("skip", {"lags": [4, 2]}, skip_of((4, 2))),
]
all_cases = pytest.mark.parametrize(("cell", "options", "equation"), CASES)
many_lengths = st.lists(st.integers(1, 12), min_size=1, max_size=5)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def run(layer, steps, lengths, state=None, lanes=None):
    packing = Packing(np.array(lengths), lanes=lanes)
    states, last = layer(steps[packing.to_packed], packing, state)
    return states[packing.to_stacked], last


def random_state(layer, n, dtype):
    return by_part(
        lambda part: (
            torch.randn_like(part) if part.is_floating_point() else torch.randint_like(part, 9)
        ),
        layer.step(torch.randn(n, F, dtype=dtype)),
    )


def by_equation(layer, equation, steps, lengths, state):
    """Outputs of all steps and the last state of each sequence."""
    weights = {name: value.numpy() for name, value in layer.state_dict().items()}
    outputs, ends = [], []
    for i, item in enumerate(np.split(steps.numpy(), np.cumsum(lengths)[:-1])):
        now = by_part(lambda part, i=i: part[i].numpy(), state)
        for x in item:
            now = equation(weights, x, now)
            outputs.append(now[0] if isinstance(now, tuple) else now)
        ends.append(now)
    return np.array(outputs), ends


def assert_close(a, b, bound):
    np.testing.assert_allclose(a.detach().numpy(), b, rtol=bound, atol=bound)


@all_cases
@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@settings(max_examples=4, deadline=None)
@given(lengths=many_lengths, given_state=st.booleans(), lanes=st.sampled_from([None, Lanes(2, 4)]))
def test_a_cell_computes_its_equation(cell, options, equation, dtype, lengths, given_state, lanes):
    layer = make_layer(cell, F, H, options).to(dtype)
    steps = torch.randn(sum(lengths), F, dtype=dtype)
    start = random_state(layer, len(lengths), dtype)
    if not given_state:
        start = by_part(torch.zeros_like, start)
    with torch.inference_mode(lanes is not None):
        states, last = run(layer, steps, lengths, start if given_state else None, lanes)
    expected, ends = by_equation(layer, equation, steps, lengths, start)
    assert_close(states, expected, BOUNDS[dtype])
    for i, end in enumerate(ends):
        parts = last if isinstance(last, tuple) else (last,)
        for part, of_end in zip(parts, end if isinstance(end, tuple) else (end,), strict=True):
            assert_close(part[i], of_end, BOUNDS[dtype])


@all_cases
def test_gradients_are_right(cell, options, equation):
    layer = make_layer(cell, F, H, options).double()
    for parameter in layer.parameters():
        parameter.data.mul_(0.9).add_(0.01)  # away from bounds, where there is no derivative
    lengths, names = [5, 1, 3], [name for name, _ in layer.named_parameters()]
    steps = torch.randn(sum(lengths), F, dtype=torch.float64, requires_grad=True)
    start = random_state(layer, len(lengths), torch.float64)
    parts = start if isinstance(start, tuple) else (start,)
    floats = [part.requires_grad_() for part in parts if part.is_floating_point()]

    def function(steps, *tensors):
        mine = iter(tensors)
        state = by_part(lambda part: next(mine) if part.is_floating_point() else part, start)
        weights = dict(zip(names, mine, strict=True))
        arguments = (steps[packing.to_packed], packing, state)
        states, last = torch.func.functional_call(layer, weights, arguments)
        last = last if isinstance(last, tuple) else (last,)
        return states, *(part for part in last if part.is_floating_point())

    packing = Packing(np.array(lengths))
    assert torch.autograd.gradcheck(function, (steps, *floats, *layer.parameters()), fast_mode=True)


def test_without_options_the_fast_layers_are_as_they_were():
    for cell, none in (
        ("lstm", {"peepholes": False, "coupled": False}),
        ("gru", {"reset": "after"}),
    ):
        assert type(make_layer(cell, F, H, none)) is type(make_layer(cell, F, H))
        assert isinstance(make_layer(cell, F, H, none), TorchLayer)


def test_time_constants_are_spread_and_trained_or_not():
    layer = make_layer("leaky", F, H, {"time_scales": (1, 32)})
    scales = 1 / layer.weights()[1].detach().numpy()
    np.testing.assert_allclose(scales, 2.0 ** np.arange(H), rtol=1e-5)
    names = dict(layer.named_parameters())
    assert "log_time_constant" in names
    for options in ({}, {"time_scales": (1, 32)}):
        fixed = make_layer("leaky", F, H, options | {"learn_leak": False})
        assert not {"log_time_constant", "leak_rate"} & dict(fixed.named_parameters()).keys()


@pytest.mark.parametrize("ages", [None, [0, 0, 0], [4, 4, 4], [1, 4, 6]])
def test_modules_compute_at_their_ticks_alone(monkeypatch, ages):
    """What is not due is not computed: products are counted."""
    layer, lengths, periods = make_layer("clockwork", F, H, {"periods": (1, 4)}), [9, 9, 9], (1, 4)
    widths, addmm = [], torch.addmm
    monkeypatch.setattr(
        torch, "addmm", lambda *args: widths.append(args[2].shape[1]) or addmm(*args)
    )
    state = None
    if ages is not None:
        state = ClockworkState(torch.zeros(3, H), torch.tensor(ages)[:, None])
    run(layer, torch.randn(27, F), lengths, state)
    steps = np.arange(9)[:, None] + (ages or [0])
    due = [int((steps % period == 0).any(axis=1).sum()) for period in periods]
    assert len(widths) == sum(due)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("clockwork", {"periods": (1, 2, 4, 8)}, "hidden_size=4 or 8"),
        ("clockwork", {"periods": ()}, "one or more positive integers"),
        ("clockwork", {"periods": (1, 2.5)}, "positive integers"),
        ("skip", {"lags": (1, 0)}, "positive integers"),
        ("skip", {"lags": (2, 2)}, "differ"),
        ("skip", {"lags": 3}, "lags=3.*positive integers"),
        ("skip", {"lags": "12"}, "lags='12'.*positive integers"),
        ("skip", {"lags": (1, None)}, "positive integers"),
        ("clockwork", {"periods": (1, math.inf)}, "positive integers"),
        ("deep_transition", {"layer_sizes": 3}, "layer_sizes=3.*positive integers"),
        ("deep_transition", {"layer_sizes": (0,)}, "positive integers"),
        ("deep_transition", {"shortcut": "no"}, "shortcut='no' of cell_options must be True or"),
        ("leaky", {"time_scales": (0.5, 9)}, "at least 1"),
        ("leaky", {"time_scales": (9, 2)}, "shortest and the longest"),
        ("leaky", {"time_scales": 5}, "time_scales=5.*shortest and the longest"),
        ("leaky", {"time_scales": ("a", 2)}, "shortest and the longest"),
        ("leaky", {"learn_leak": None}, "learn_leak=None of cell_options must be True or False"),
        ("mingru", {"time_scales": (1, 2, 3)}, "shortest and the longest"),
        ("lru", {"r_min": "0"}, "r_min='0' of cell_options must be a number for cell='lru'"),
        ("lru", {"max_phase": -1.0}, "max_phase=-1.0.*above 0"),
        ("lru", {"eigenvalues": 1}, "eigenvalues=1 of cell_options must be a string"),
        ("rnn", {"activation": "sigmoid"}, "activation='sigmoid'.*'tanh' or 'relu'"),
        ("lstm", {"peephole": True}, "cell='lstm' has no 'peephole'; .*are peepholes, coupled"),
        ("gru_shared", {"reset": "after"}, "has no 'reset'; it has no options"),
        ("gru", {"hidden_size": 3}, "has no 'hidden_size'; its options are reset"),
        ("gru", {1: 2}, "has no 1; its options are reset"),
        (nn.GRUCell, {"biased": True}, "cell=GRUCell has no 'biased'; its options are bias"),
        (nn.GRUCell, {"dtype": "float64"}, "with cell_options={'dtype': 'float64'}"),
        ("gru", {"reset": "never"}, "'after' or 'before'"),
        ("lstm", {"peepholes": 2}, "peepholes=2"),
        *((cell, {"no_such_option": 1}, "no_such_option") for cell in CELLS),
    ],
)
def test_options_that_do_not_suit_are_named(cell, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_layer(cell, F, H, options)
    assert "__init__" not in str(caught.value)
