"""Metrics of sequences of symbols: equal to their definitions, whatever holds the sequences."""

import sys
from functools import cache
from importlib.util import find_spec

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.metrics import (
    bleu_score,
    chrf_score,
    edit_distance,
    edit_distance_rate,
    exact_match_score,
    sequence_perplexity,
)
from sklseq.metrics._edit_distance import _edit_distances

few = settings(max_examples=60, deadline=None)
words = st.text("abc", max_size=7)
long_words = st.text("abc", max_size=40)
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=6)
WEIGHTED = [exact_match_score, edit_distance_rate]


def ragged(values):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def recursion(a, b):
    @cache
    def distance(i, j):
        if not i or not j:
            return i + j
        replaced = distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, replaced)

    return distance(len(a), len(b))


# -- edit distance -------------------------------------------------------------------------


@given(words, words, words)
@few
def test_edit_distance_is_a_metric_of_sequences(a, b, c):
    distance = edit_distance(a, b)
    assert distance == edit_distance(b, a)
    assert (distance == 0) == (a == b)
    assert abs(len(a) - len(b)) <= distance <= max(len(a), len(b))
    assert edit_distance(a, c) <= distance + edit_distance(b, c)
    assert edit_distance(a[::-1], b[::-1]) == distance


@given(st.lists(st.tuples(long_words, long_words), min_size=1, max_size=8))
@few
def test_edit_distance_equals_the_recursion_alone_and_among_others(some):
    first, second = (list(map(list, column)) for column in zip(*some, strict=True))
    expected = [recursion(a, b) for a, b in some]
    assert [edit_distance(a, b) for a, b in some] == expected
    assert _edit_distances(first, second).tolist() == expected


def test_blocks_of_pairs_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    first, second = (
        [rng.integers(0, 4, size=n).tolist() for n in rng.integers(0, 30, size=200)] for _ in "ab"
    )
    expected = _edit_distances(first, second)
    monkeypatch.setattr("sklseq.metrics._edit_distance._CELLS", 100)
    np.testing.assert_array_equal(_edit_distances(first, second), expected)


@given(pairs, st.integers(0, 2**32 - 1))
@few
def test_rate_is_the_sum_of_distances_over_the_sum_of_lengths(some, seed):
    some = [("a", "ab"), *some]
    y_true, y_pred = zip(*some, strict=True)
    weights = np.random.default_rng(seed).uniform(0.1, 2, size=len(some))
    distances = np.array([edit_distance(a, b) for a, b in some])
    lengths = np.array([len(a) for a in y_true])
    assert edit_distance_rate(y_true, y_pred) == pytest.approx(distances.sum() / lengths.sum())
    assert edit_distance_rate(y_true, y_pred, sample_weight=weights) == pytest.approx(
        (weights @ distances) / (weights @ lengths)
    )
    right = np.array([a == b for a, b in some])
    assert exact_match_score(y_true, y_pred) == pytest.approx(right.mean())
    assert exact_match_score(y_true, y_pred, sample_weight=weights) == pytest.approx(
        np.average(right, weights=weights)
    )


@given(st.lists(st.tuples(st.lists(words, min_size=1, max_size=3), words), min_size=1, max_size=5))
@few
def test_the_nearest_of_several_references_counts(some):
    some = [(["a"], "a"), *some]
    references, y_pred = zip(*some, strict=True)
    nearest = [min((edit_distance(r, p), -len(r)) for r in found) for found, p in some]
    total = sum(distance for distance, _ in nearest) / -sum(length for _, length in nearest)
    score = edit_distance_rate(references, y_pred, multiple_references=True)
    assert score == pytest.approx(total)
    turned = [found[::-1] for found in references]
    assert edit_distance_rate(turned, y_pred, multiple_references=True) == score
    share = np.mean([p in found for found, p in some])
    assert exact_match_score(references, y_pred, multiple_references=True) == pytest.approx(share)


@given(pairs)
@few
def test_one_reference_in_a_list_is_that_reference(some):
    y_true, y_pred = zip(*[("a", "b"), *some], strict=True)
    for metric in WEIGHTED:
        one_each = metric([[a] for a in y_true], y_pred, multiple_references=True)
        assert one_each == metric(y_true, y_pred)


# -- containers ----------------------------------------------------------------------------

WORDS = [["K", "AE", "T"], ["B", "AY"], ["D", "AO", "G", "Z"]]
FOUND = [["K", "AE"], ["B", "AY"], ["D", "AA", "G", "Z"]]
FORMS = {
    "lists": lambda y: y,
    "tuples": lambda y: tuple(map(tuple, y)),
    "arrays": lambda y: [np.array(x) for x in y],
    "object arrays": lambda y: ragged([np.array(x, dtype=object) for x in y]),
    "Series of lists": pd.Series,
    "DataFrame of lists": lambda y: pd.DataFrame({"words": pd.Series(y)}),
    "polars": pl.Series,
    "panel": lambda y: pd.Series(
        [s for x in y for s in x],
        pd.MultiIndex.from_tuples([(i, t) for i, x in enumerate(y) for t in range(len(x))]),
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_container_does_not_matter(form):
    assert edit_distance_rate(form(WORDS), FOUND) == pytest.approx(2 / 9)
    assert edit_distance_rate(WORDS, form(FOUND)) == pytest.approx(2 / 9)
    assert exact_match_score(form(WORDS), form(FOUND)) == pytest.approx(1 / 3)


@pytest.mark.parametrize("form", [list, tuple, np.array, ragged, pd.Series, pl.Series])
def test_symbols_of_strings_are_their_characters(form):
    y_true, y_pred = ["cat", "by", "dogs"], ["ca", "by", "dags"]
    assert edit_distance_rate(form(y_true), form(y_pred)) == pytest.approx(2 / 9)
    assert edit_distance_rate(form(y_true), [list(x) for x in y_pred]) == pytest.approx(2 / 9)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, object])
def test_numbers_are_symbols_whatever_their_dtype(dtype):
    y = np.arange(12).reshape(3, 4)
    assert exact_match_score(y, ragged(list(y.astype(dtype)))) == 1.0
    assert exact_match_score(y.astype(dtype), y.tolist()) == 1.0
    assert edit_distance_rate(y, [row[1:] for row in y.astype(dtype)]) == 0.25


def test_predictions_may_be_empty():
    assert exact_match_score(["ab", ""], ["", ""]) == 0.5
    assert edit_distance_rate(["ab", ""], ["", "abc"]) == 2.5
    assert edit_distance("", []) == 0


@pytest.mark.parametrize("metric", WEIGHTED)
@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (["ab", "c"], ["ab"], "y_pred has 1 sequences, but y_true has 2"),
        ("ab", "ab", r"y_true is 'ab', where a list of sequences is due: give \[y_true\]"),
        (["ab"], 3, "y_pred is 3, where a list"),
        ({0: "ab"}, ["ab"], "y_true is {0: 'ab'}, where a list"),
        ([], [], "y_true holds no sequence"),
        ([0, 1], [[0], [1]], "y_true, sequence 0 is 0, not a sequence of symbols"),
        ([[0], [1]], [[0], None], "y_pred, sequence 1 is None, not a sequence"),
        ([[0], [1]], [[0], [1, np.nan]], "y_pred, sequence 1, step 1 is nan: a symbol is"),
        ([[0], [1.5]], [[0], [1]], "y_true, sequence 1, step 0 is 1.5"),
        ([[[0]], [[1]]], [[0], [1]], r"y_true, sequence 0, step 0 is \[0\]"),
        (["the cat"], [["the", "cat"]], "y_pred, sequence 0 has the symbol 'the', but is compared"),
        ([["the", "cat"]], ["the cat"], "y_true, sequence 0 has the symbol 'the'.*split both"),
        (["a", [3, 4]], ["b", "34"], "Sequence 1 has int symbols in y_true, but str in y_pred"),
    ],
)
def test_what_is_no_pair_of_sequences_is_named(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_pred)


def test_words_of_one_reference_are_not_several_references():
    with pytest.raises(ValueError, match="y_pred, sequence 0 has the symbol 'the'"):
        exact_match_score([["the", "cat"]], [["the", "cat"]], multiple_references=True)


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ([["a"], "b"], "y_true, sequence 1 is 'b': with multiple_references=True, give a list"),
        ([["a"], []], "y_true, sequence 1 has no reference"),
        ([["a"], ["b", 3]], "y_true, sequence 1, reference 1 is 3, not a sequence"),
    ],
)
def test_what_is_no_list_of_references_is_named(references, message):
    with pytest.raises(ValueError, match=message):
        edit_distance_rate(references, ["a", "b"], multiple_references=True)


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ValueError, match="y_true has no symbol"):
        edit_distance_rate(["", ""], ["a", ""])


@pytest.mark.parametrize("metric", WEIGHTED)
@pytest.mark.parametrize(
    ("weights", "message"), [([1], r"shape \(2,\)"), ([-1, 2], "negative"), ([0, 0], "zero")]
)
def test_weights_that_weigh_nothing_are_refused(metric, weights, message):
    with pytest.raises(ValueError, match=message):
        metric(["a", "b"], ["a", "b"], sample_weight=weights)


# -- n-grams -------------------------------------------------------------------------------

needs_sacrebleu = pytest.mark.skipif(
    find_spec("sacrebleu") is None, reason="sacrebleu is not installed"
)


@needs_sacrebleu
@given(st.lists(st.tuples(*[st.text("abcd", min_size=4, max_size=9)] * 3), min_size=1, max_size=5))
@few
def test_bleu_is_that_of_sacrebleu_on_symbols_joined_by_spaces(some):
    import sacrebleu

    first, second, y_pred = zip(*some, strict=True)
    joined = [[" ".join(x) for x in y] for y in (first, second, y_pred)]
    one = sacrebleu.corpus_bleu(joined[2], joined[:1], tokenize="none", force=True).score
    two = sacrebleu.corpus_bleu(joined[2], joined[:2], tokenize="none", force=True).score
    assert bleu_score(first, y_pred) == pytest.approx(one)
    references = list(zip(first, second, strict=True))
    assert bleu_score(references, y_pred, multiple_references=True) == pytest.approx(two)


@needs_sacrebleu
@given(st.lists(st.tuples(*[st.text("abcd", min_size=4, max_size=9)] * 2), min_size=1))
@few
def test_bleu_does_not_depend_on_what_symbols_are_called(some):
    names = {"a": 7, "b": 3, "c": 100, "d": 0}, {"a": ".", "b": " ", "c": "x y", "d": "\n"}
    y_true, y_pred = zip(*some, strict=True)
    expected = bleu_score(y_true, y_pred)
    for name in names:
        renamed = [[[name[symbol] for symbol in x] for x in y] for y in (y_true, y_pred)]
        assert bleu_score(*renamed) == pytest.approx(expected)
    assert bleu_score(y_true, y_true) == pytest.approx(100)


@needs_sacrebleu
def test_chrf_is_that_of_sacrebleu_on_texts():
    import sacrebleu

    y_true = ["the cat sat on the mat", "it rained"]
    y_pred = ["a cat sits on the mat", "rain fell"]
    expected = sacrebleu.corpus_chrf(y_pred, [y_true]).score
    assert chrf_score(y_true, y_pred) == pytest.approx(expected)
    assert chrf_score([x.split() for x in y_true], y_pred) == pytest.approx(expected)
    references = [[x, p] for x, p in zip(y_true, y_pred, strict=True)]
    assert chrf_score(references, y_pred, multiple_references=True) == pytest.approx(100)
    with pytest.raises(ValueError, match="Sequence 0 has numbers for symbols"):
        chrf_score([[1, 2]], [[1, 2]])


@needs_sacrebleu
def test_references_may_vary_in_number():
    references = [["abcde"], ["abcd", "abcdef", "bcdef"]]
    assert bleu_score(references, ["abcde", "bcdef"], multiple_references=True) == pytest.approx(
        100
    )
    assert chrf_score(references, ["abcde", "bcdef"], multiple_references=True) == pytest.approx(
        100
    )


@needs_sacrebleu
def test_ngrams_longer_than_all_sequences_raise_a_warning():
    with pytest.warns(UserWarning, match="set max_ngram_order to a smaller number"):
        assert bleu_score(["abc"], ["abc"]) == 0
    assert bleu_score(["abc"], ["abc"], max_ngram_order=3) == pytest.approx(100)
    with pytest.raises(ValueError, match="max_ngram_order"):
        bleu_score(["abc"], ["abc"], max_ngram_order=0)


@pytest.mark.parametrize("metric", [bleu_score, chrf_score])
def test_without_sacrebleu_the_way_out_is_named(metric, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ImportError, match="pip install sacrebleu"):
        metric(["abcd"], ["abcd"])


# -- perplexity ----------------------------------------------------------------------------


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(2, 50))
@few
def test_perplexity_of_equally_likely_symbols_is_their_number(lengths, n_symbols):
    log_probabilities = -np.log(n_symbols) * np.array(lengths)
    assert sequence_perplexity(log_probabilities, lengths) == pytest.approx(n_symbols)


def test_weights_of_perplexity_are_repetitions():
    values, lengths = np.array([-1.0, -5.0, -2.0]), np.array([2, 3, 1])
    weights = [2, 0, 3]
    repeated = sequence_perplexity(np.repeat(values, weights), np.repeat(lengths, weights))
    assert sequence_perplexity(values, lengths, sample_weight=weights) == pytest.approx(repeated)
    values[1] = -np.inf
    assert sequence_perplexity(values, lengths) == np.inf
    assert sequence_perplexity(values, lengths, sample_weight=weights) == pytest.approx(repeated)


@pytest.mark.parametrize(
    ("log_probabilities", "lengths", "message"),
    [
        ([-1.0], [1, 2], "lengths has 2 values"),
        ([-1.0, 0.5], [1, 2], "log_probabilities, sequence 1 is 0.5: give logarithms"),
        ([-1.0, np.nan], [1, 2], "log_probabilities, sequence 1 is nan"),
        ([-1.0, -1.0], [1, 0], "lengths, sequence 1 is 0.0"),
        ([[-1.0]], [1], "log_probabilities must have shape"),
        ([], [], "log_probabilities must have shape"),
    ],
)
def test_what_has_no_perplexity_is_named(log_probabilities, lengths, message):
    with pytest.raises(ValueError, match=message):
        sequence_perplexity(log_probabilities, lengths)
