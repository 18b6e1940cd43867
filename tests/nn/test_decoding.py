"""Searches find what an enumeration finds, for each input as if it were alone."""

from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import nn

from sklseq.nn.decoding.beam import _search as search_beams
from sklseq.nn.decoding.beam import beam_search
from sklseq.nn.decoding.greedy import greedy
from sklseq.nn.decoding.sampling import sample
from sklseq.nn.decoding.search import DeadEnd, Limits
from sklseq.nn.decoding.step import END


class Table:
    """What follows depends on the input and all symbols so far, by a table at their hash.

    An input is a number, and the state its hash with the symbols, beside the symbols themselves.
    """

    def __init__(self, n_symbols, seed=0, scale=2.0, dtype=torch.float64, size=499):
        generator = torch.Generator().manual_seed(seed)
        logits = scale * torch.randn(size, n_symbols, generator=generator, dtype=torch.float64)
        self.log_probs = logits.log_softmax(dim=1).to(dtype)

    def start(self, memory, width):
        hashes = memory.repeat_interleave(width)
        return hashes, hashes.new_empty((len(hashes), 0))

    def step(self, symbols, state, memory):
        hashes, prefixes = state
        hashes = (hashes * 31 + symbols + 1) % len(self.log_probs)
        self.seen = prefixes = torch.cat([prefixes, symbols[:, None]], dim=1)
        return self.log_probs[hashes], (hashes, prefixes)

    def reorder(self, state, index):
        return tuple(part[index] for part in state)


class Recurrent(nn.Module):
    """A recurrent network that starts at its input."""

    def __init__(self, n_symbols, dtype):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.out = nn.Embedding(n_symbols, 6), nn.Linear(6, n_symbols)
        self.cell = nn.GRUCell(6, 6)
        for p in self.parameters():
            nn.init.normal_(p)
        self.to(dtype)

    def start(self, memory, width):
        return memory.repeat_interleave(width, dim=0)

    def step(self, symbols, state, memory):
        state = self.cell(self.embed(symbols), state)
        return self.out(state).log_softmax(dim=1), state

    def reorder(self, state, index):
        return state[index]


@torch.no_grad()
def log_prob(model, memory, sequence):
    """Of one sequence and its end, step by step."""
    state, last, total = model.start(memory, 1), torch.tensor([END]), 0.0
    for symbol in [*sequence, END]:
        log_probs, state = model.step(last, state, memory)
        total, last = total + log_probs[0, symbol], torch.tensor([symbol])
    return float(total)


def score(pair, penalty):
    sequence, value = pair
    return value / (len(sequence) + 1) ** penalty


def enumerate_all(model, memory, n_symbols, limits, penalty=0.0):
    """Pairs of a sequence and its log-probability, the best score first."""
    state, prefixes, found = model.start(memory, 1), [[]], []
    last, sums = torch.tensor([END]), torch.zeros(1, dtype=torch.float64)
    for t in range(limits.max_length + 1):
        log_probs, state = model.step(last, state, memory)
        log_probs = log_probs + sums[:, None]
        if t >= limits.min_length:
            found += zip(prefixes, log_probs[:, END].tolist(), strict=True)
        state = model.reorder(state, torch.arange(len(sums)).repeat_interleave(n_symbols - 1))
        last = torch.arange(1, n_symbols).repeat(len(sums))
        sums = log_probs[:, 1:].flatten()
        prefixes = [[*prefix, s] for prefix in prefixes for s in range(1, n_symbols)]
    return sorted(found, key=lambda pair: -score(pair, penalty))


def search_one(model, memory, n_symbols, width, limits, penalty):
    """The rule of the beam for one input, which never stops before max_length."""
    alive, found = [([], 0.0)], []
    for t in range(limits.max_length + 1):
        extensions = []
        for prefix, value in alive:
            state, last = model.start(memory, 1), torch.tensor([END])
            for symbol in [*prefix, None]:
                log_probs, state = model.step(last, state, memory)
                last = torch.tensor([symbol or END])
            first = END if t >= limits.min_length else 1
            beyond = n_symbols if t < limits.max_length else 1
            extensions += [
                ([*prefix, s], value + float(log_probs[0, s])) for s in range(first, beyond)
            ]
        best = sorted(extensions, key=lambda pair: -pair[1])[: 2 * width]
        found += [(s[:-1], value) for s, value in best[:width] if s[-1] == END]
        alive = [pair for pair in best if pair[0][-1] != END][:width]
    return sorted(found, key=lambda pair: -score(pair, penalty))[:width]


def unpack(found, row=0):
    """The same of what a search found for one input."""
    return [
        (symbols[:length].tolist(), float(value))
        for symbols, length, value in zip(*(part[row] for part in found), strict=True)
        if value > -torch.inf
    ]


def assert_same(a, b):
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def numbers(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


WITH_TIES = (0.0, 0.3, 2.0, 5.0)
few = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32)
penalties = st.sampled_from([0.0, 0.6, 1.0, 2.0])


@st.composite
def problems(draw, max_length=6, scales=(0.3, 2.0, 5.0)):
    n_symbols, n = draw(st.integers(2, 6)), draw(st.integers(1, 4))
    model = Table(n_symbols, draw(seeds), draw(st.sampled_from(scales)))
    longest = draw(st.integers(0, max_length))
    memory = torch.tensor(draw(st.lists(st.integers(0, 10_000), min_size=n, max_size=n)))
    return SimpleNamespace(
        model=model,
        memory=memory,
        n=n,
        limits=Limits(longest, draw(st.integers(0, longest))),
        n_symbols=n_symbols,
        start=(model, memory, n),
    )


@few
@given(problems())
def test_a_beam_of_one_is_greedy(p):
    expected = greedy(*p.start, p.limits)
    assert_same(beam_search(*p.start, 1, p.limits), expected)
    assert_same(search_beams(*p.start, 1, p.limits, 0.0, None), expected)


@few
@given(problems(max_length=3), penalties)
def test_a_wide_beam_finds_all_sequences_in_order(p, penalty):
    expected = [
        enumerate_all(p.model, p.memory[[i]], p.n_symbols, p.limits, penalty) for i in range(p.n)
    ]
    width = sum((p.n_symbols - 1) ** t for t in range(p.limits.max_length + 1)) + 1
    found = beam_search(*p.start, width, p.limits, penalty)
    for i in range(p.n):
        assert unpack(found, i) == expected[i]
    assert (found.log_probs[:, -1] == -torch.inf).all()  # there is one fewer
    assert not found.symbols[:, -1].any()


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_beam_follows_its_rule_and_stops_in_time(width, penalty):
    limits = Limits(6)
    for seed in range(8):
        model, memory = Table(3, seed, scale=1.0), torch.arange(4)
        found = search_beams(model, memory, 4, width, limits, penalty, None)
        for i in range(4):
            expected = search_one(model, memory[[i]], 3, width, limits, penalty)
            assert unpack(found, i) == expected


@few
@given(problems(scales=WITH_TIES), st.integers(2, 5), penalties, seeds)
def test_found_sequences_are_what_they_are_said_to_be(p, width, penalty, seed):
    """Scores are the model's, sequences distinct and within their limits, the best first."""
    uniforms = numbers(seed, p.n, p.limits.max_length + 1)
    for found in (
        beam_search(*p.start, width, p.limits, penalty),
        greedy(*p.start, p.limits),
        sample(*p.start, uniforms, p.limits, temperature=3.0, top_k=3, top_p=0.9),
    ):
        inside = torch.arange(p.limits.max_length) < found.lengths[..., None]
        assert torch.equal(found.symbols != END, inside)
        for i in range(p.n):
            pairs = unpack(found, i)
            scores = [score(pair, penalty) for pair in pairs]
            assert len({tuple(s) for s, _ in pairs}) == len(pairs) > 0
            assert scores == sorted(scores, reverse=True)
            for s, value in pairs:
                assert p.limits.min_length <= len(s) <= p.limits.max_length
                assert value == log_prob(p.model, p.memory[[i]], s)


@few
@given(problems(scales=WITH_TIES), st.integers(2, 5), penalties, st.permutations(range(4)), seeds)
def test_an_input_is_decoded_as_if_alone(p, width, penalty, order, seed):
    p.model.log_probs += seed % 2  # even of a model that is not quite one
    order = torch.tensor([i for i in order if i < p.n])
    uniforms = numbers(seed, p.n, p.limits.max_length + 1)
    for search in (
        lambda memory, u: beam_search(p.model, memory, len(u), width, p.limits, penalty),
        lambda memory, u: greedy(p.model, memory, len(u), p.limits),
        lambda memory, u: sample(p.model, memory, len(u), u, p.limits, top_p=0.8),
    ):
        whole = search(p.memory, uniforms)
        assert_same(search(p.memory[order], uniforms[order]), [part[order] for part in whole])
        for i in range(p.n):
            assert_same(search(p.memory[[i]], uniforms[[i]]), [part[[i]] for part in whole])


@few
@given(problems(max_length=4), st.integers(2, 4))
def test_the_state_goes_with_the_hypothesis(p, width):
    """What the model has read in a row is what a constraint is told of that row."""

    def allowed(prefixes, t):
        assert prefixes.shape[1] == t
        assert torch.equal(p.model.seen[:, 1:], prefixes)
        return torch.ones(len(prefixes), p.n_symbols, dtype=torch.bool)

    limits = Limits(p.limits.max_length, p.limits.min_length, allowed)
    assert_same(beam_search(*p.start, width, limits), beam_search(*p.start, width, p.limits))
    assert_same(greedy(*p.start, limits), greedy(*p.start, p.limits))


def no_repeats(prefixes, t, n_symbols=5):
    """Nothing twice in a row, and 1 first."""
    mask = torch.ones(len(prefixes), n_symbols, dtype=torch.bool)
    if t == 0:
        mask[:] = torch.arange(n_symbols) == 1
    else:
        mask[torch.arange(len(prefixes)), prefixes[:, -1]] = False
        mask[:, END] = True
    return mask


@few
@given(seeds)
def test_constraints_are_obeyed(seed):
    model, memory, limits = Table(5, seed), torch.arange(3), Limits(3, 1, no_repeats)
    beams = beam_search(model, memory, 3, 90, limits)
    uniforms = numbers(seed, 3, 4)
    for i in range(3):
        expected = [
            (s, value)
            for s, value in enumerate_all(model, memory[[i]], 5, Limits(3, 1))
            if s[0] == 1 and all(a != b for a, b in pairwise(s))
        ]
        assert unpack(beams, i) == expected
        for found in (greedy(model, memory, 3, limits), sample(model, memory, 3, uniforms, limits)):
            assert unpack(found, i)[0] in expected


def test_dead_ends_are_named():
    model, memory, n = Table(4), torch.arange(4), 4

    def allowed_for(width, steps):
        def allowed(prefixes, t):
            mask = torch.ones(n * width, 4, dtype=torch.bool)
            mask[:, END] = t > 3
            for row, step in steps.items():
                if t == step:
                    mask[row * width : (row + 1) * width] = False
            return mask

        return Limits(6, 0, allowed)

    for steps, (row, step) in [({2: 1}, (2, 1)), ({1: 0, 3: 2}, (1, 0)), ({3: 3}, (3, 3))]:
        with pytest.raises(DeadEnd, match=f"Sequence {row}, step {step}") as error:
            greedy(model, memory, n, allowed_for(1, steps))
        assert (error.value.row, error.value.step) == (row, step)
        with pytest.raises(DeadEnd, match=f"Sequence {row}, step {step}"):
            sample(model, memory, n, numbers(0, n, 7), allowed_for(1, steps), top_p=0.5)
        with pytest.raises(DeadEnd, match=f"Sequence {row}, step {step}"):
            beam_search(model, memory, n, 3, allowed_for(3, steps))


def test_a_beam_goes_around_a_dead_end():
    model, memory = Table(4), torch.tensor([7])
    first = int(greedy(model, memory, 1, Limits(3, 3)).symbols[0, 0, 0])

    def allowed(prefixes, t):  # nothing after what is most probable at first
        mask = torch.ones(len(prefixes), 4, dtype=torch.bool)
        if t > 0:
            mask &= prefixes[:, :1] != first
        return mask

    with pytest.raises(DeadEnd):
        greedy(model, memory, 1, Limits(3, 3, allowed))
    for s, _ in unpack(beam_search(model, memory, 1, 3, Limits(3, 3, allowed))):
        assert s[0] != first


@few
@given(problems(), seeds)
def test_cold_draws_and_those_of_one_symbol_are_greedy(p, seed):
    uniforms = numbers(seed, p.n, p.limits.max_length + 1)
    expected = greedy(*p.start, p.limits)
    for options in ({"temperature": 1e-30}, {"top_k": 1}, {"top_p": 1e-9}):
        assert_same(sample(*p.start, uniforms, p.limits, **options), expected)


def distribution(log_probs, temperature, top_k, top_p):
    """Probabilities of the symbols by a loop over them."""
    p = np.exp(np.asarray(log_probs) / temperature)
    order = np.argsort(-p, kind="stable")[:top_k]
    kept, mass = [], 0.0
    for symbol in order:
        if top_p is None or mass < top_p:
            kept.append(symbol)
        mass += p[symbol] / p[order].sum()
    result = np.zeros_like(p)
    result[kept] = p[kept] / p[kept].sum()
    return result


@pytest.mark.parametrize(
    "options",
    [(1.0, None, None), (2.0, None, None), (0.7, 3, None), (1.0, None, 0.7), (1.5, 3, 0.8)],
)
def test_sequences_are_drawn_by_their_probabilities(options):
    n, model, limits = 4000, Table(4, seed=3, scale=1.0), Limits(2, 0)
    found = sample(model, torch.full((n,), 5), n, numbers(1, n, 3), limits, *options)
    expected = {}
    for length in range(3):
        for s in product(range(1, 4), repeat=length):
            state, last, p = model.start(torch.tensor([5]), 1), torch.tensor([END]), 1.0
            for symbol in [*s, END][:2]:  # the end after two is certain
                log_probs, state = model.step(last, state, None)
                p *= distribution(log_probs[0], *options)[symbol]
                last = torch.tensor([symbol])
            expected[s] = p
    counts = dict.fromkeys(expected, 0)
    for i in range(n):
        counts[tuple(unpack(found, i)[0][0])] += 1
    seen = [s for s in expected if expected[s] > 0]
    assert sum(counts[s] for s in seen) == n
    assert sum(expected.values()) == pytest.approx(1)
    assert chisquare([counts[s] for s in seen], [n * expected[s] for s in seen]).pvalue > 0.001


@few
@given(seeds, st.sampled_from([torch.float32, torch.float64]))
def test_numbers_at_the_edge_draw_nothing_impossible(seed, dtype):
    """0 and what is next to 1 take no symbol without probability."""
    model = Table(6, seed, dtype=dtype)
    model.log_probs[:, [END, 1, 5]] = -torch.inf
    for u in (0.0, 1 - torch.finfo(dtype).eps / 2, 1.0):
        uniforms = torch.full((20, 4), u, dtype=dtype)
        with pytest.raises(DeadEnd):  # no end, the only thing at last
            sample(model, torch.arange(20), 20, uniforms, Limits(3))
        model.log_probs[:, END] = -100
        found = sample(model, torch.arange(20), 20, uniforms, Limits(3, 3), top_p=1.0)
        assert not torch.isin(found.symbols, torch.tensor([END, 1, 5])).any()
        model.log_probs[:, END] = -torch.inf


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 4])
def test_networks_are_searched(dtype, width):
    model, memory = Recurrent(7, dtype), torch.linspace(-2, 2, 30, dtype=dtype).view(5, 6)
    with torch.inference_mode():
        found = beam_search(model, memory, 5, width, Limits(8, 1), 0.5)
    assert found.log_probs.dtype == dtype
    assert found.symbols.shape == (5, width, 8)
    for i in range(5):
        for s, value in unpack(found, i):
            assert value == pytest.approx(log_prob(model, memory[[i]], s), rel=1e-4)
    assert not beam_search(model, memory, 5, width, Limits(8, 1)).log_probs.requires_grad


def test_without_inputs_nothing_is_found():
    model, memory, limits = Table(4), torch.arange(0), Limits(3)
    assert beam_search(model, memory, 0, 2, limits).symbols.shape == (0, 2, 3)
    assert greedy(model, memory, 0, limits).symbols.shape == (0, 1, 3)
    assert sample(model, memory, 0, numbers(0, 0, 4), limits).symbols.shape == (0, 1, 3)


def test_a_model_of_the_end_alone_gives_empty_sequences():
    for width in (1, 3):
        found = beam_search(Table(1), torch.arange(2), 2, width, Limits(3))
        assert found.lengths.tolist() == [[0] * width] * 2
        assert found.log_probs[:, 0].tolist() == [0, 0]
        assert (found.log_probs[:, 1:] == -torch.inf).all()


def test_mistakes_are_named():
    model, memory = Table(4), torch.arange(2)
    with pytest.raises(ValueError, match="min_length=4"):
        Limits(3, 4)
    with pytest.raises(ValueError, match=r"uniforms must have shape \(2, 4\)"):
        sample(model, memory, 2, numbers(0, 2, 3), Limits(3))
    with pytest.raises(ValueError, match=r"allowed must return booleans of shape \(2, 4\)"):
        greedy(model, memory, 2, Limits(3, allowed=lambda prefixes, t: torch.ones(2, 4)))
    model.log_probs[:] = torch.nan
    for search in (
        lambda: greedy(model, memory, 2, Limits(3)),
        lambda: beam_search(model, memory, 2, 3, Limits(3)),
        lambda: sample(model, memory, 2, numbers(0, 2, 4), Limits(3)),
    ):
        with pytest.raises(ValueError, match=r"Sequence 0: .* NaN"):
            search()
