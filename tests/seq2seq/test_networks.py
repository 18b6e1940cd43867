"""The networks alone: steps and the whole, padding, gradients, and attention."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.func import functional_call
from torch.testing import assert_close

from sklseq.nn.layers.attention import ATTENTIONS, Attention
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.padding import Padding, padded_length
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.first_states import CONTEXTS
from sklseq.nn.seq2seq.memory import Memory
from sklseq.nn.seq2seq.network import SymbolNetwork, ValueNetwork
from sklseq.nn.seq2seq.recurrent import RecurrentDecoder
from sklseq.nn.seq2seq.transformer import TransformerDecoder

SOURCE_LENGTHS, OUTPUT_LENGTHS = np.array([3, 1, 6, 4]), np.array([2, 5, 1, 4])
F, M, H = 3, 5, 4  # features fed, size of the memory, units


def make(cell, attention="multiplicative", context="both", input_feeding=False, num_layers=2):
    torch.manual_seed(0)
    if cell == "transformer":
        decoder = TransformerDecoder(F, M, H, num_layers, n_heads=2)
    else:
        decoder = RecurrentDecoder(
            cell,
            F,
            M,
            H,
            num_layers,
            attention=attention,
            n_heads=2,
            context=context,
            input_feeding=input_feeding,
            dropout=0.0,
        )
    decoder = decoder.double().eval()
    with torch.no_grad():
        for p in decoder.parameters():
            p.add_(0.3 * torch.randn(p.shape, dtype=p.dtype))
    return decoder


def draw(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def memory_of(lengths=SOURCE_LENGTHS, free=0.0):
    padding = Padding(Packing(lengths))
    states = padding.pad(draw(int(lengths.sum()), M))
    states = torch.where(padding.mask[..., None], states, torch.as_tensor(free).double())
    return Memory(states, padding.mask, draw(len(lengths), M, seed=3))


class Whole(nn.Module):
    """A decoder that prepares its memory itself."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, x, packing, memory):
        return self.decoder(x, packing, self.decoder.prepare(memory))[0]


VARIANTS = [
    *((cell, {}) for cell in CELLS),
    *(("gru", {"attention": a}) for a in (None, *ATTENTIONS)),
    *(("lstm", {"context": c}) for c in CONTEXTS),
    *(("lstm", {"context": c, "input_feeding": True, "attention": "dot"}) for c in CONTEXTS),
    ("rnn", {"input_feeding": True, "attention": None}),
    ("transformer", {}),
]
variants = pytest.mark.parametrize(("cell", "options"), VARIANTS)


@variants
@pytest.mark.parametrize("width", [1, 3])
def test_steps_are_the_whole(cell, options, width):
    decoder = make(cell, **options)
    memory = decoder.prepare(memory_of())
    n, n_steps = len(SOURCE_LENGTHS), 5
    lanes = [draw(n, n_steps, F, seed=10 + i) for i in range(width)]
    packing = Packing(np.full(n, n_steps))
    state, steps, rows = decoder.start(memory, width), [], []
    for t in range(n_steps):
        x_t = torch.stack([x[:, t] for x in lanes], dim=1).flatten(0, 1)
        features, state, weights = decoder.step(x_t, state, memory)
        steps.append(features.view(n, width, H))
        rows.append(weights)
    for i, x in enumerate(lanes):
        whole, attended = decoder(x.flatten(0, 1), packing, memory)
        assert_close(torch.stack([s[:, i] for s in steps], dim=1), whole.view(n, n_steps, H))
        if attended is not None:
            assert_close(torch.stack([w[:, i] for w in rows], dim=1), attended)
    assert (rows[0] is None) == (options.get("attention", "") is None)


@variants
def test_a_reordered_state_goes_on_with_other_rows(cell, options):
    decoder = make(cell, **options)
    memory = decoder.prepare(memory_of())
    n, width = len(SOURCE_LENGTHS), 3
    first, second = draw(n * width, F), draw(n * width, F, seed=2)
    _, state, _ = decoder.step(first, decoder.start(memory, width), memory)
    within = torch.tensor([[2, 0, 0], [1, 1, 1], [0, 1, 2], [2, 1, 0]])  # of the same input
    index = (within + torch.arange(0, n * width, width)[:, None]).flatten()
    there, _, _ = decoder.step(second, decoder.reorder(state, index), memory)
    _, state, _ = decoder.step(first[index], decoder.start(memory, width), memory)
    assert_close(there, decoder.step(second, state, memory)[0])


@variants
def test_what_is_in_the_padding_does_not_matter(cell, options):
    """Neither to what a decoder gives nor to any gradient."""
    decoder, packing = make(cell, **options), Packing(OUTPUT_LENGTHS)
    x, found = draw(int(OUTPUT_LENGTHS.sum()), F), []
    for free in (0.0, 1e6, -1e6):
        memory = memory_of(free=free)
        memory.states.requires_grad_()
        decoder.zero_grad()
        features, weights = decoder(x, packing, decoder.prepare(memory))
        features.square().sum().backward()
        gradients = [p.grad for p in decoder.parameters()]
        if memory.states.grad is not None:
            gradients.append(memory.states.grad)
            assert (memory.states.grad[~memory.mask] == 0).all()
        found.append([features, *gradients, *([] if weights is None else [weights])])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                assert_close(a, b, rtol=1e-9, atol=1e-9)


@variants
def test_gradients(cell, options):
    """Through attention, bridge and feeding, to inputs, memory, summary and weights."""
    decoder, packing = Whole(make(cell, **options, num_layers=1)), Packing(np.array([2, 1]))
    mask = Padding(Packing(np.array([1, 3]))).mask
    values = [draw(3, F), draw(2, 3, M, seed=4), draw(2, M, seed=5)]
    names = [name for name, _ in decoder.named_parameters()]
    values += [p.detach().clone() for p in decoder.parameters()]

    def features(x, states, summary, *weights):
        own = dict(zip(names, weights, strict=True))
        return functional_call(decoder, own, (x, packing, Memory(states, mask, summary)))

    assert gradcheck(features, [v.requires_grad_() for v in values], fast_mode=True)


@variants
def test_a_decoder_does_not_see_what_comes_after(cell, options):
    decoder, packing = make(cell, **options), Packing(np.array([6, 6, 6, 6]))
    memory = decoder.prepare(memory_of())
    x = draw(24, F).view(4, 6, F)
    changed = x.clone()
    changed[:, 4:] = draw(4, 2, F, seed=9)
    a, b = (decoder(v.flatten(0, 1), packing, memory)[0].view(4, 6, H) for v in (x, changed))
    assert_close(a[:, :4], b[:, :4])
    assert (a[:, 4:] != b[:, 4:]).any()


def test_input_feeding_reads_what_was_attended_to():
    """The loop, by the parts of the decoder (Luong et al. 2015, section 3.3)."""
    decoder = make("rnn", context="steps", input_feeding=True, num_layers=1)
    memory = decoder.prepare(memory_of())
    x, packing = draw(int(OUTPUT_LENGTHS.sum()), F), Packing(OUTPUT_LENGTHS)
    found, attended = decoder(x, packing, memory)
    starts = np.cumsum(OUTPUT_LENGTHS) - OUTPUT_LENGTHS
    for i, length in enumerate(OUTPUT_LENGTHS):
        h, fed = [torch.zeros(1, H).double()], torch.zeros(1, H).double()
        keys = memory.states[i, : SOURCE_LENGTHS[i]]
        for t in range(length):
            read = torch.cat([x[starts[i] + t], memory.summary[i], fed[0]])
            h = decoder.stack.step(read[None], h)
            shares = (h[0] @ decoder.attention.key(keys).T).softmax(dim=1)
            fed = torch.tanh(decoder.combine(torch.cat([shares @ keys, h[0]], dim=1)))
            assert_close(found[starts[i] + t], fed[0])
            assert_close(attended[i, t, : len(keys)], shares[0])


@pytest.mark.parametrize("kind", ATTENTIONS)
@pytest.mark.parametrize("memory_size", [H, M])
def test_attention_is_its_equations(kind, memory_size):
    torch.manual_seed(0)
    attention = Attention(kind, H, memory_size, n_heads=2).double()
    queries, states = draw(2, 3, H), draw(2, 4, memory_size, seed=2)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    means, weights = attention(queries, attention.keys(states), mask)
    assert means.shape == (2, 3, attention.output_size)
    assert_close(weights.sum(dim=-1), torch.ones(2, 3).double())
    assert (weights[1, :, 2:] == 0).all()
    for i, n in ((0, 4), (1, 2)):
        for j in range(3):
            q, k, v = queries[i, j], attention.key(states[i, :n]), states[i, :n]
            if kind == "additive":
                scores = attention.energy(torch.tanh(attention.query(q) + k))[:, 0]
                expected = scores.softmax(dim=0) @ v
            elif kind == "multihead":
                q, v = attention.query(q), attention.value(v)
                expected = torch.cat(
                    [
                        (k[:, s] @ q[s] / (H // 2) ** 0.5).softmax(dim=0) @ v[:, s]
                        for s in (slice(0, H // 2), slice(H // 2, H))
                    ]
                )
            else:
                expected = (k @ q).softmax(dim=0) @ v
            assert_close(means[i, j], expected)


def test_heads_that_do_not_divide_the_units_are_named():
    with pytest.raises(ValueError, match=r"n_heads=4 does not divide .* 6 units.*\[1, 2, 3, 6\]"):
        Attention("multihead", 6, 5, n_heads=4)


@pytest.mark.parametrize("length", [1, 8, 9, 12, 13, 16, 17, 24, 33, 1000])
def test_padded_lengths_are_few_and_not_long(length):
    size = padded_length(length)
    assert length <= size < max(1.5 * length, 9)
    assert padded_length(size) == size
    assert size in {2**k for k in range(3, 12)} | {3 * 2**k for k in range(2, 11)}


def network(kind, encoder, decoder, **options):
    sizes = {"n_features": 7, "embedding_size": 5, "n_outputs": 6}
    if encoder == "vector":
        sizes["embedding_size"] = None
    if kind is SymbolNetwork:
        sizes["target_embedding_size"] = 3
    settings = {
        "encoder": encoder,
        "decoder": decoder,
        "encoder_hidden_size": 4,
        "encoder_num_layers": 2,
        "hidden_size": 6,
        "num_layers": 2,
        "bidirectional": True,
        "attention": "additive",
        "n_heads": 2,
        "context": "both",
        "input_feeding": False,
        "positions": "relative",
        "dropout": 0.1,
    }
    return kind(**sizes, **settings | options)


@pytest.mark.parametrize("kind", [SymbolNetwork, ValueNetwork])
@pytest.mark.parametrize(
    ("encoder", "decoder"), [("gru", "lstm"), ("transformer", "transformer"), ("vector", "gru")]
)
@pytest.mark.parametrize("teacher_forcing", [0.5, 1.0])
def test_all_runs_on_a_device_without_numbers(kind, encoder, decoder, teacher_forcing):
    """A tensor made on the CPU would not go with those of the network."""
    with torch.device("meta"):
        model = network(kind, encoder, decoder, input_feeding=encoder == "gru")
    model = model.to("meta")
    lengths = np.ones(4, dtype=np.int64) if encoder == "vector" else SOURCE_LENGTHS
    n, n_out = int(lengths.sum()), int(OUTPUT_LENGTHS.sum())
    packing, out_packing = Packing(lengths, "meta"), Packing(OUTPUT_LENGTHS, "meta")
    steps = torch.zeros(n, dtype=torch.int64, device="meta")
    if encoder == "vector":
        steps = torch.zeros(n, 7, device="meta")
    outputs = torch.zeros(n_out, dtype=torch.int64, device="meta")
    if kind is ValueNetwork:
        outputs = torch.zeros(n_out, 6, device="meta")
    result = model(steps, packing, outputs, out_packing, teacher_forcing)
    assert result.shape == (n_out, 6 + (kind is ValueNetwork))
    result.sum().backward()
    assert all(p.grad is None or p.grad.device.type == "meta" for p in model.parameters())
    if kind is SymbolNetwork:
        assert model.log_probs(steps, packing, outputs, out_packing).shape == (4,)
        memory = model.encode(steps, packing)
        state = model.reorder(model.start(memory, 2), torch.zeros(8, dtype=int, device="meta"))
        symbols = torch.zeros(8, dtype=torch.int64, device="meta")
        log_probs, state = model.step(symbols, state, memory)
        assert log_probs.shape == (8, 6)


def test_unknown_symbols_are_the_zero_vector():
    model = network(SymbolNetwork, "gru", "gru")
    assert (model.embedding.weight[0] == 0).all()
    packing, outputs = Packing(np.array([2])), torch.tensor([1, 0])
    loss = model(torch.tensor([0, 3]), packing, outputs, Packing(np.array([2]))).sum()
    loss.backward()
    assert (model.embedding.weight.grad[0] == 0).all()
