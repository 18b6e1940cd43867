"""Settings hold within a computation and are as before after it."""

import threading

import numpy as np
import pytest
import torch

from sklseq.training.context import (
    epoch_generators,
    seeded_construction,
    threads,
)
from sklseq.training.placement import resolve_device

LARGE = 10**12


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("n_threads", "work", "inside"), [(None, 1, 1), (None, LARGE, 2), (1, LARGE, 1), (3, 1, 3)]
)
def test_threads_are_set_and_restored(n_threads, work, inside):
    with threads(n_threads, work):
        assert torch.get_num_threads() == inside
    assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), threads(n_threads, work):
        raise KeyError
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("n_threads", [True, 0, -1, 1.0, 2**31 - 1, 2**70, "2"])
def test_threads_that_cannot_be_are_refused_before_anything_is_set(n_threads):
    with pytest.raises(ValueError, match="n_threads="), threads(n_threads, LARGE):
        pass
    with threads(np.int8(1), LARGE):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_threads_nest():
    with threads(3, 1):
        with threads(None, 1):
            assert torch.get_num_threads() == 1
        with threads(None, LARGE):
            assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 2


def in_threads(*functions):
    """Run the functions at once; hand their exceptions on."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    if errors:
        raise errors[0]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("first_out", [0, 1])
def test_two_computations_at_once_restore_what_was_before_both(first_out):
    inside = threading.Barrier(2)
    one_is_out = threading.Event()

    def compute(number):
        with threads(None, 1):
            inside.wait(timeout=30)
            if number != first_out:
                assert one_is_out.wait(timeout=30)
        one_is_out.set()

    in_threads(lambda: compute(0), lambda: compute(1))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_a_worker_thread_never_gets_more_than_there_are():
    seen = []

    def compute():
        with threads(8, LARGE):
            seen.append(torch.get_num_threads())

    in_threads(compute)
    assert seen == [2]
    assert torch.get_num_threads() == 2


def test_construction_depends_on_the_seed_alone():
    before = torch.get_rng_state()

    def weights(seed):
        with seeded_construction(seed):
            return torch.nn.Linear(3, 3).weight

    assert torch.equal(weights(0), weights(0))
    torch.rand(1)
    after_a_draw = torch.get_rng_state()
    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    assert torch.equal(torch.get_rng_state(), after_a_draw)
    with pytest.raises(KeyError), seeded_construction(0):
        raise KeyError
    assert torch.equal(torch.get_rng_state(), after_a_draw)
    torch.set_rng_state(before)


def test_constructions_in_threads_do_not_mix():
    expected, found = {}, {}

    def build(seed, into):
        with seeded_construction(seed):
            into[seed] = torch.cat([torch.nn.Linear(4, 4).weight for _ in range(20)])

    for seed in range(4):
        build(seed, expected)
    in_threads(*(lambda seed=seed: build(seed, found) for seed in range(4)))
    assert all(torch.equal(expected[seed], found[seed]) for seed in range(4))


def test_randomness_of_an_epoch_depends_on_seed_and_epoch_alone():
    def draws(seed, epoch):
        order, layers = epoch_generators(seed, epoch)
        return (*order.permutation(20), *torch.rand(3, generator=layers).tolist())

    assert draws(1, 2) == draws(1, 2)
    assert len({draws(seed, epoch) for seed in range(5) for epoch in range(5)}) == 25
    assert not np.array_equal(draws(0, 1), draws(1, 0))


def test_devices_are_resolved():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("cpu:0").type == "cpu"
    assert isinstance(resolve_device("auto"), torch.device)


def test_a_device_that_does_not_exist_is_named():
    for name in ("gpu", "", "cuda:x", "no such"):
        with pytest.raises(ValueError, match=f"device={name!r} is not a device"):
            resolve_device(name)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_named(kind):
    present = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    for name in [f"{kind}:{present[kind]}"] + [kind] * (present[kind] == 0):
        with pytest.raises(ValueError, match=f"device='{name}' is not there: .*'auto'"):
            resolve_device(name)


def test_there_is_one_cpu():
    with pytest.raises(ValueError, match="device='cpu:1' is not there"):
        resolve_device("cpu:1")
