"""The transformer: equal to its equations, step by step as at once, and blind to padding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.nn.layers.attention import with_first
from sklseq.nn.layers.transformer import POSITIONS, TransformerStack, sinusoids
from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.seq2seq.memory import Memory
from sklseq.nn.seq2seq.transformer import TransformerDecoder, TransformerEncoder

F, M, H, HEADS = 5, 6, 8, 2
LANES = Lanes(4, 8, 8)  # any: inference pads to lengths that depend on one sequence alone

both = pytest.mark.parametrize("positions", POSITIONS)
some = settings(max_examples=5, deadline=None)
lengths_of_some = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def make(kind, positions, *, dtype=torch.float64, n_layers=2, hidden=H, dropout=0.0):
    torch.manual_seed(0)
    options = {"n_heads": HEADS, "dropout": dropout, "positions": positions}
    sizes = (F, hidden) if kind is TransformerEncoder else (F, M, hidden)
    module = kind(*sizes, n_layers, **options).to(dtype).eval()
    with torch.no_grad():  # nothing may be zero or one by chance
        for p in module.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)
    return module


def draw(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def memory_of(n, *, n_steps=7, dtype=torch.float64, size=M, seed=2):
    lengths = torch.arange(n) % n_steps + 1
    mask = torch.arange(n_steps) < lengths[:, None]
    states = draw(n, n_steps, size, seed=seed, dtype=dtype).masked_fill(~mask[..., None], 0)
    return Memory(states, mask, states.sum(1))


def close(a, b, tolerance=1e-12):
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


# -- the equations, one number after the other ---------------------------------------------


def plain_norm(norm, x):
    centered = x - x.mean()
    scaled = centered / np.sqrt((centered**2).mean() + norm.eps)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def plain_linear(linear, x):
    y = linear.weight.detach().numpy() @ x
    return y if linear.bias is None else y + linear.bias.detach().numpy()


def plain_sinusoid(position, size):
    angles = [position / 10000 ** ((i - i % 2) / size) for i in range(size)]
    return np.array([np.cos(a) if i % 2 else np.sin(a) for i, a in enumerate(angles)])


def plain_softmax(scores):
    e = np.exp(np.array(scores) - max(scores))
    return e / e.sum()


def plain_self_attention(attention, steps, causal, relative):
    size = len(steps[0])
    d = size // HEADS
    u = attention.content_bias.detach().numpy()
    q, k, v = (
        np.stack([plain_linear(attention.queries_keys_values, x) for x in steps])
        .reshape(len(steps), 3, HEADS, d)
        .swapaxes(0, 1)
    )
    new = []
    for i in range(len(steps)):
        means = np.zeros((HEADS, d))
        seen = i + 1 if causal else len(steps)
        for h in range(HEADS):
            scores = []
            for j in range(seen):
                score = (q[i, h] + u[h, 0]) @ k[j, h]
                if relative:
                    r = plain_linear(attention.distance, plain_sinusoid(i - j, size))
                    bias = attention.distance_bias.detach().numpy()[h, 0]
                    score += (q[i, h] + bias) @ r.reshape(HEADS, d)[h]
                scores.append(score / np.sqrt(d))
            means[h] = plain_softmax(scores) @ v[:seen, h]
        new.append(plain_linear(attention.output, means.ravel()))
    return new


def plain_source_attention(block, steps, source):
    attention, new, weights = block.source_attention, [], []
    keys = np.stack([plain_linear(attention.key, s) for s in source]).reshape(-1, HEADS, H // HEADS)
    values = np.stack([plain_linear(attention.value, s) for s in source]).reshape(keys.shape)
    for x in steps:
        q = plain_linear(attention.query, x).reshape(HEADS, -1)
        w = [plain_softmax(keys[:, h] @ q[h] / np.sqrt(len(q[h]))) for h in range(HEADS)]
        means = np.concatenate([w[h] @ values[:, h] for h in range(HEADS)])
        new.append(plain_linear(block.source_output, means))
        weights.append(np.mean(w, axis=0))
    return new, weights


def plain_stack(stack, steps, source=None):
    steps = [plain_linear(stack.input, x) for x in steps]
    if not stack.relative:
        steps = [x + plain_sinusoid(t, len(x)) for t, x in enumerate(steps)]
    weights = None
    for block in stack.blocks:
        normed = [plain_norm(block.attention_norm, x) for x in steps]
        new = plain_self_attention(block.attention, normed, source is not None, stack.relative)
        steps = [x + y for x, y in zip(steps, new, strict=True)]
        if source is not None:
            normed = [plain_norm(block.source_norm, x) for x in steps]
            new, weights = plain_source_attention(block, normed, source)
            steps = [x + y for x, y in zip(steps, new, strict=True)]
        first, _, last = block.steps
        hidden = [plain_linear(first, plain_norm(block.steps_norm, x)).clip(0) for x in steps]
        steps = [x + plain_linear(last, h) for x, h in zip(steps, hidden, strict=True)]
    return np.stack([plain_norm(stack.norm, x) for x in steps]), weights


@both
@some
@given(lengths=lengths_of_some)
def test_the_encoder_is_its_equations(positions, lengths):
    encoder = make(TransformerEncoder, positions)
    x = draw(sum(lengths), F)
    for lanes in (None, LANES):
        memory = encoder(x, Packing(np.array(lengths), lanes=lanes))
        assert memory.states.shape[:2] == memory.mask.shape
        assert memory.mask.sum(1).tolist() == lengths
        for i, steps in enumerate(x.split(lengths)):
            expected, _ = plain_stack(encoder.stack, steps.numpy())
            close(memory.states[i, : len(steps)], torch.from_numpy(expected))
            assert not memory.states[i, len(steps) :].any()
            close(memory.summary[i], torch.from_numpy(expected.mean(0)))


@both
@some
@given(lengths=lengths_of_some)
def test_the_decoder_is_its_equations(positions, lengths):
    decoder = make(TransformerDecoder, positions)
    x, memory = draw(sum(lengths), F), memory_of(len(lengths))
    packing = Packing(np.array(lengths))
    features, weights = decoder(x, packing, decoder.prepare(memory))
    assert weights.shape == (len(lengths), max(lengths), memory.mask.shape[1])
    for i, steps in enumerate(x.split(lengths)):
        source = memory.states[i, memory.mask[i]].numpy()
        expected, attended = plain_stack(decoder.stack, steps.numpy(), source)
        close(features.split(lengths)[i], torch.from_numpy(expected))
        close(weights[i, : len(steps), : len(source)], torch.from_numpy(np.stack(attended)))
        assert not weights[i, :, len(source) :].any()


@some
@given(size=st.integers(1, 9), start=st.integers(-20, 20), n=st.integers(1, 5))
def test_sinusoids(size, start, n):
    found = sinusoids(torch.arange(start, start + n, dtype=torch.float64), size)
    expected = np.stack([plain_sinusoid(start + i, size) for i in range(n)])
    close(found, torch.from_numpy(expected))


# -- one step after the other --------------------------------------------------------------


@both
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@some
@given(n=st.integers(1, 3), width=st.integers(1, 3), n_steps=st.integers(1, 9))
def test_steps_are_the_whole(positions, dtype, tolerance, n, width, n_steps):
    decoder = make(TransformerDecoder, positions, dtype=dtype)
    memory = decoder.prepare(memory_of(n, dtype=dtype))
    x = draw(n, width, n_steps, F, dtype=dtype)
    state, steps, attended = decoder.start(memory, width), [], []
    for t in range(n_steps):
        features, state, weights = decoder.step(x[:, :, t].flatten(0, 1), state, memory)
        steps.append(features.unflatten(0, (n, width)))
        attended.append(weights)
    packing = Packing(np.full(n, n_steps))
    for w in range(width):
        whole, weights = decoder(x[:, w].flatten(0, 1), packing, memory)
        close(torch.stack([s[:, w] for s in steps], 1).flatten(0, 1), whole, tolerance)
        close(torch.stack([a[:, w] for a in attended], 1), weights, tolerance)


@both
def test_steps_have_the_gradients_of_the_whole(positions):
    decoder = make(TransformerDecoder, positions)
    memory, x = decoder.prepare(memory_of(3)), draw(3, 5, F)
    whole, _ = decoder(x.flatten(0, 1), Packing(np.array([5, 5, 5])), memory)
    steps, _ = decoder.unroll(memory, 5, lambda t, _: x[:, t])
    parameters = list(decoder.parameters())
    expected = torch.autograd.grad(whole.sin().sum(), parameters, retain_graph=True)
    found = torch.autograd.grad(steps.sin().sum(), parameters)
    for a, b in zip(found, expected, strict=True):
        close(a, b, 1e-10)


@both
def test_chunks_are_the_whole(positions):
    decoder = make(TransformerDecoder, positions)
    sources = decoder.prepare(memory_of(2)).keys
    x = draw(2, 9, F)
    whole, *_ = decoder.stack.causal(x, sources)
    past, chunks = [], []
    for chunk in x.split([3, 1, 5], dim=1):
        states, past, _ = decoder.stack.causal(chunk, sources, past)
        chunks.append(states)
    close(torch.cat(chunks, dim=1), whole)


@both
def test_a_reordered_state_goes_on_with_other_rows(positions):
    decoder = make(TransformerDecoder, positions)
    memory, width, n_steps = decoder.prepare(memory_of(2)), 3, 4
    x, index = draw(n_steps, 6, F), torch.tensor([2, 2, 0, 5, 4, 3])
    state = again = decoder.reorder(decoder.start(memory, width), index)
    for x_t in x[:-1]:
        _, state, _ = decoder.step(x_t, state, memory)
        _, again, _ = decoder.step(x_t[index], again, memory)
    moved, *_ = decoder.step(x[-1], decoder.reorder(state, index), memory)
    expected, *_ = decoder.step(x[-1], again, memory)
    close(moved, expected)
    # What is reordered and what is stepped from are left as they were.
    first, *_ = decoder.step(x[-1], state, memory)
    second, *_ = decoder.step(x[-1], state, memory)
    close(first, second, 0)


# -- what must not matter ------------------------------------------------------------------


@both
def test_later_inputs_change_nothing_before_them(positions):
    decoder = make(TransformerDecoder, positions, dtype=torch.float32)
    memory = decoder.prepare(memory_of(3, dtype=torch.float32))
    packing, x = Packing(np.array([9, 9, 9])), draw(3, 9, F, dtype=torch.float32)
    before, weights = decoder(x.flatten(0, 1), packing, memory)
    for t in range(1, 9):
        other = x.clone()
        other[:, t:] = draw(3, 9 - t, F, seed=t, dtype=torch.float32)
        after, other_weights = decoder(other.flatten(0, 1), packing, memory)
        first, second = (y.unflatten(0, (3, 9)) for y in (before, after))
        assert torch.equal(first[:, :t], second[:, :t])
        assert torch.equal(weights[:, :t], other_weights[:, :t])
        assert not torch.equal(first[:, t], second[:, t])


@both
@pytest.mark.parametrize("hidden", [8, 32])
def test_a_row_is_the_same_bits_in_any_company_at_any_place(positions, hidden):
    """Of calls with as many rows, with empty ones among them."""
    encoder = make(TransformerEncoder, positions, dtype=torch.float32, hidden=hidden)
    decoder = make(TransformerDecoder, positions, dtype=torch.float32, hidden=hidden)
    n, width, mine, targets = 12, 2, draw(10, F, dtype=torch.float32), 6
    queries = draw(targets, F, seed=5, dtype=torch.float32)
    results = []
    for seed, place in enumerate([0, 5, 11]):
        rng = np.random.default_rng(seed)
        lengths, n_targets = rng.integers(0, 13, size=(2, n))
        lengths[place], n_targets[place] = len(mine), targets
        lengths[place - 1] = n_targets[place - 1] = 12
        lengths[place - 2] = n_targets[place - 2] = 0
        x = list(draw(lengths.sum(), F, seed=seed, dtype=torch.float32).split(lengths.tolist()))
        y = list(draw(n_targets.sum(), F, seed=seed, dtype=torch.float32).split(n_targets.tolist()))
        x[place], y[place] = mine, queries
        with torch.inference_mode():
            encoded = encoder(torch.cat(x), Packing(lengths, lanes=LANES))
            assert all(part.isfinite().all() for part in encoded[:3])
            states = draw(n, 12, M, seed=seed, dtype=torch.float32)
            states[place] = draw(12, M, seed=9, dtype=torch.float32)
            mask = encoded.mask[:, :12]
            memory = decoder.prepare(Memory(states, mask, states.sum(1)))
            features, weights = decoder(torch.cat(y), Packing(n_targets, lanes=LANES), memory)
            assert weights.isfinite().all()
            state, steps = decoder.start(memory, width), []
            for t in range(targets):
                x_t = draw(n * width, F, seed=seed, dtype=torch.float32)
                x_t[place * width : place * width + 2] = queries[t]
                out, state, _ = decoder.step(x_t, state, memory)
                assert out.isfinite().all()
                steps.append(out[place * width : place * width + 2])
        results.append(
            [
                encoded.states[place],
                encoded.summary[place],
                features.split(n_targets.tolist())[place],
                weights[place],
                torch.stack(steps),
            ]
        )
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@both
def test_values_in_padding_do_not_matter(positions):
    """Neither to results, to the bit, nor to gradients."""
    encoder = make(TransformerEncoder, positions, dtype=torch.float32)
    decoder = make(TransformerDecoder, positions, dtype=torch.float32)
    mask = torch.arange(7) < torch.tensor([3, 7, 1])[:, None]
    memory = memory_of(3, dtype=torch.float32)
    results = []
    for scale in (0.0, 1e3):
        x = draw(3, 7, F, dtype=torch.float32)
        noise = scale * draw(3, 7, F, seed=7, dtype=torch.float32)
        x = torch.where(mask[..., None], x, noise).requires_grad_()
        noise = scale * draw(*memory.states.shape, seed=8, dtype=torch.float32)
        states = torch.where(memory.mask[..., None], memory.states, noise)
        encoded = encoder.stack(x, mask)[mask]
        sources = decoder.prepare(Memory(states, *memory[1:])).keys
        decoded = decoder.stack.causal(x, sources)[0][mask]
        (gradient,) = torch.autograd.grad((encoded.square() + decoded.sin()).sum(), x)
        assert not gradient[~mask].any()
        results.append((encoded, decoded, gradient[mask]))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@both
@some
@given(lengths=st.lists(st.integers(1, 9), min_size=2, max_size=5), data=st.data())
def test_rows_can_be_permuted(positions, lengths, data):
    order = data.draw(st.permutations(range(len(lengths))))
    encoder, decoder = make(TransformerEncoder, positions), make(TransformerDecoder, positions)
    x, memory = draw(sum(lengths), F), memory_of(len(lengths))
    moved = torch.cat([x.split(lengths)[i] for i in order])
    there, back = Packing(np.array(lengths)), Packing(np.array(lengths)[order])
    close(encoder(moved, back).states, encoder(x, there).states[order])
    features, _ = decoder(x, there, decoder.prepare(memory))
    shuffled = Memory(*(part[order] for part in memory[:3]))
    found, _ = decoder(moved, back, decoder.prepare(shuffled))
    close(found, torch.cat([features.split(lengths)[i] for i in order]))


@some
@given(before=st.integers(0, 6), behind=st.integers(0, 6))
def test_relative_positions_do_not_know_where_a_sequence_begins(before, behind):
    """Hidden steps around it change nothing; with absolute positions they do."""
    x, mask = draw(1, 5, F), torch.ones(1, 5, dtype=torch.bool)
    longer = torch.cat([draw(1, before, F, seed=3), x, draw(1, behind, F, seed=4)], dim=1)
    seen = torch.zeros(1, longer.shape[1], dtype=torch.bool)
    seen[:, before : before + 5] = True
    for positions in POSITIONS:
        stack = make(TransformerEncoder, positions).stack
        found, alone = stack(longer, seen)[seen], stack(x, mask)[0]
        if positions == "relative" or not before:
            close(found, alone, 1e-10)
        else:
            assert not torch.allclose(found, alone, atol=1e-4)


@both
def test_the_order_of_steps_matters(positions):
    """With distances their direction does."""
    stack = make(TransformerEncoder, positions).stack
    x, mask = draw(1, 6, F), torch.ones(1, 6, dtype=torch.bool)
    assert not torch.allclose(stack(x.flip(1), mask).flip(1), stack(x, mask), atol=1e-4)


def test_an_empty_row_sees_its_first_key():
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert with_first(mask).tolist() == [[True, True, False], [True, False, False]]


# -- training ------------------------------------------------------------------------------


@both
def test_gradients(positions):
    encoder = make(TransformerEncoder, positions, n_layers=1, hidden=4)
    torch.manual_seed(0)
    decoder = TransformerDecoder(F, 4, 4, 1, n_heads=2, positions=positions).double()
    packing, lengths = Packing(np.array([3, 1])), np.array([2, 3])
    parameters = [*encoder.parameters(), *decoder.parameters()]

    def run(x, y, *values):
        names = [*dict(encoder.named_parameters()), *dict(decoder.named_parameters())]
        n = len(list(encoder.parameters()))
        first = dict(zip(names[:n], values[:n], strict=True))
        memory = torch.func.functional_call(encoder, first, (x, packing))
        second = {f"d.{k}": v for k, v in zip(names[n:], values[n:], strict=True)}
        return (
            torch.func.functional_call(_Prepared(decoder), second, (y, Packing(lengths), memory))
            + memory[::2]
        )

    inputs = [draw(4, F), draw(5, F, seed=2), *(p.detach().clone() for p in parameters)]
    torch.autograd.gradcheck(run, [v.requires_grad_() for v in inputs], fast_mode=True)


class _Prepared(torch.nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.d = decoder

    def forward(self, x, packing, memory):
        return self.d(x, packing, self.d.prepare(memory))


@both
def test_every_parameter_learns(positions):
    encoder = make(TransformerEncoder, positions)
    decoder = TransformerDecoder(F, H, H, 2, n_heads=HEADS, positions=positions).double()
    packing = Packing(np.array([4, 2]))
    memory = decoder.prepare(encoder(draw(6, F), packing))
    features, weights = decoder(draw(6, F, seed=2), packing, memory)
    (features.square().sum() + features.sin().sum() + weights.square().sum()).backward()
    for module in (encoder, decoder):
        assert [n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()] == []


@both
def test_dropout_is_for_training_only(positions):
    packing, x = Packing(np.array([4, 2])), draw(6, F)
    encoder = make(TransformerEncoder, positions, dropout=0.5)
    plain = make(TransformerEncoder, positions)
    close(encoder(x, packing).states, plain(x, packing).states, 0)
    encoder.train()
    first, second = encoder(x, packing).states, encoder(x, packing).states
    assert not torch.equal(first, second)


@both
def test_a_deep_stack_begins_at_the_scale_of_a_shallow_one(positions):
    """What 16 blocks add to the inputs together has the variance of what one adds."""
    added = []
    for n_layers in (1, 16):
        torch.manual_seed(0)
        stack = TransformerStack(
            32, 32, n_layers, n_heads=4, dropout=0.0, positions=positions
        ).double()
        stack.norm = torch.nn.Identity()
        x, mask = draw(8, 10, 32), torch.ones(8, 10, dtype=torch.bool)
        added.append((stack(x, mask) - stack._enter(x, 0)).std().item())
    assert 0.5 < added[1] / added[0] < 2


@both
def test_inference_leaves_nothing_that_training_could_not_use(positions):
    encoder, packing, x = make(TransformerEncoder, positions), Packing(np.array([4])), draw(4, F)
    with torch.inference_mode():
        inferred = encoder(x, packing).states
    trained = encoder(x, packing).states
    trained.sum().backward()
    close(trained.detach(), inferred, 0)


def test_heads_that_do_not_divide_the_units_are_named():
    with pytest.raises(ValueError, match=r"n_heads=3 does not divide hidden_size=8.*1, 2, 4, 8"):
        TransformerEncoder(F, 8, 1, n_heads=3)


@both
def test_all_runs_on_a_device_without_numbers(positions):
    encoder = make(TransformerEncoder, positions, dtype=torch.float32).to("meta")
    decoder = TransformerDecoder(F, H, H, 2, n_heads=HEADS, positions=positions).to("meta")
    packing, x = Packing(np.array([4, 2]), "meta"), torch.zeros(6, F, device="meta")
    memory = decoder.prepare(encoder(x, packing))
    features, weights = decoder(x, packing, memory)
    assert features.shape == (6, H)
    assert weights.shape == (2, 4, 4)
    state = decoder.start(memory, 3)
    for _ in range(2):
        step, state, _ = decoder.step(torch.zeros(6, F, device="meta"), state, memory)
        state = decoder.reorder(state, torch.zeros(6, dtype=torch.int64, device="meta"))
    assert step.shape == (6, H)
    assert step.device.type == "meta"
