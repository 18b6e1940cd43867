"""A vocabulary numbers its symbols from 1 and every other symbol 0."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.data import Vocabulary

symbols = st.lists(st.text(max_size=3), max_size=12) | st.lists(st.integers(), max_size=12)


@settings(max_examples=50, deadline=None)
@given(steps=symbols)
def test_codes_decode_to_the_symbols(steps):
    vocabulary = Vocabulary.of(steps)
    codes = vocabulary.encode(steps)
    assert codes.dtype == np.int64
    assert [vocabulary.symbols[code - 1] for code in codes] == steps
    assert set(codes.tolist()) == set(range(1, len(vocabulary)))


@settings(max_examples=50, deadline=None)
@given(steps=symbols, seed=st.randoms(use_true_random=False))
def test_the_order_and_number_of_symbols_do_not_matter(steps, seed):
    shuffled = steps + steps
    seed.shuffle(shuffled)
    assert Vocabulary.of(shuffled).symbols == Vocabulary.of(steps).symbols == sorted(set(steps))


def test_unknown_symbols_are_zero():
    vocabulary = Vocabulary.of(["b", "a"])
    assert vocabulary.encode(["a", "c", "b", "A", ""]).tolist() == [1, 0, 2, 0, 0]
    assert len(vocabulary) == 3


def test_a_vocabulary_rebuilt_from_its_symbols_is_the_same():
    vocabulary = Vocabulary.of([3, -1, 3, 10])
    rebuilt = Vocabulary(np.array(vocabulary.symbols).tolist())
    steps = [10, 3, -1, 7, np.int64(3)]
    assert rebuilt.encode(steps).tolist() == vocabulary.encode(steps).tolist() == [3, 2, 1, 0, 2]
