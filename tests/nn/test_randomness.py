"""Dropout draws from the generator in force, in its own thread, and from nothing else."""

import threading

import pytest
import torch

from sklseq.nn.layers.randomness import Dropout, current_generator, drawing_from


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def masks(generator, n=3):
    layer = Dropout(0.4)
    with drawing_from(generator):
        return torch.stack([layer(torch.ones(50)) for _ in range(n)])


def test_the_same_generator_gives_the_same_masks():
    a, b, other = masks(seeded(0)), masks(seeded(0)), masks(seeded(1))
    assert torch.equal(a, b)
    assert not torch.equal(a, other)
    assert not torch.equal(a[0], a[1])  # the generator moves on


def test_torchs_global_generator_is_left_alone():
    before = torch.get_rng_state()
    masks(seeded(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_values_are_dropped_or_scaled():
    x = torch.linspace(1, 2, 10_000)
    with drawing_from(seeded(0)):
        y = Dropout(0.25)(x)
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / 0.75)
    assert abs(kept.double().mean() - 0.75) < 0.02  # four standard deviations
    assert torch.equal(x, torch.linspace(1, 2, 10_000))


def test_the_gradient_goes_through_what_was_kept():
    x = torch.ones(100, requires_grad=True)
    with drawing_from(seeded(0)):
        y = Dropout(0.5)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, y.detach())  # 2 where kept, 0 where dropped


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True)])
def test_without_dropout_nothing_is_drawn(p, training):
    generator = seeded(0)
    before = generator.get_state()
    layer = Dropout(p).train(training)
    x = torch.randn(5, generator=seeded(1))
    with drawing_from(generator):
        assert layer(x) is x
    assert torch.equal(generator.get_state(), before)


def test_contexts_nest_and_end_also_by_an_error():
    outer, inner = seeded(0), seeded(1)
    assert current_generator() is None
    with drawing_from(outer):
        with drawing_from(inner):
            assert current_generator() is inner
        with pytest.raises(KeyError), drawing_from(inner):
            raise KeyError
        assert current_generator() is outer
    assert current_generator() is None


def test_threads_do_not_take_each_others_numbers():
    n_threads, drawn = 4, {}
    barrier = threading.Barrier(n_threads)

    def draw(seed):
        layer = Dropout(0.4)
        with drawing_from(seeded(seed)):
            rows = []
            for _ in range(20):
                barrier.wait(timeout=30)
                rows.append(layer(torch.ones(50)))
        drawn[seed] = torch.stack(rows)

    workers = [threading.Thread(target=draw, args=(seed,)) for seed in range(n_threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed in range(n_threads):
        assert torch.equal(drawn[seed], masks(seeded(seed), 20))
