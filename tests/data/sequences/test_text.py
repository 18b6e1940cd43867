"""Texts become sequences of tokens in any container; all else stays as it is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklseq.data import holds_prose, lowered, tokenized

TEXTS = ["It isn't BAD.", "No", "we-saw 3 films!"]
CONTAINERS = (list, tuple, np.array, pd.Series, lambda t: pd.DataFrame({"text": t}), dict)


@pytest.mark.parametrize("container", CONTAINERS)
def test_texts_in_any_container(container):
    X = container(TEXTS) if container is not dict else dict(enumerate(TEXTS))
    assert tokenized(X, str.split) == [text.split() for text in TEXTS]
    words = [["It", "isn't", "BAD", "."], ["No"], ["we", "-", "saw", "3", "films", "!"]]
    assert tokenized(X, "word") == words
    assert tokenized(X, "word", lowercase=True) == [[w.lower() for w in text] for text in words]
    assert tokenized(X, "char") is X


@given(st.lists(st.text(), min_size=1))
def test_words_hold_all_but_spaces(texts):
    texts = [f"a{text}" for text in texts]
    for text, words in zip(texts, tokenized(texts, "word"), strict=True):
        assert "".join(words) == "".join(text.split())
        assert all(words)


@pytest.mark.parametrize(
    "X",
    [
        [["a", "b"], ["c"]],
        [[1, 2], [3]],
        np.ones((2, 3, 1)),
        np.array([["a", "b"], ["c", "d"]]),
        pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]}),
        pd.DataFrame({"a": [[1.0, 2.0]], "b": [[1.0, 2.0]]}),
    ],
    ids=lambda X: type(X).__name__,
)
def test_what_holds_no_text_is_handed_on(X):
    assert tokenized(X, "word") is X
    assert not holds_prose(X)


def test_lists_of_tokens_stay_among_texts():
    assert tokenized(["a b", ["c d", "e"]], str.split) == [["a", "b"], ["c d", "e"]]


def test_lowercase_keeps_the_number_of_symbols():
    assert lowered(np.array(["A", "b", "\u0130", 3], dtype=object)).tolist() == [
        "a",
        "b",
        "\u0130".lower(),
        3,
    ]


def test_prose_has_several_words():
    assert holds_prose(["a film", "two words", "one"])
    assert not holds_prose(["one", "word", "each ", "a film"])


@pytest.mark.parametrize(
    ("tokenizer", "error", "message"),
    [
        (str.lower, TypeError, "X, sequence 1: the tokenizer gives a str for 'b'"),
        (lambda text: {"ids": [1]}, TypeError, "gives a dict"),
        (set, TypeError, "gives a set"),
        (len, TypeError, "gives a int"),
        (lambda text: [], ValueError, "X, sequence 1 is empty: the tokenizer gives no token"),
        (lambda text: [1.5], TypeError, "gives 1.5, a float: tokens are strings"),
    ],
)
def test_what_is_no_token_is_named(tokenizer, error, message):
    with pytest.raises(error, match=message):
        tokenized([["a"], "b"], tokenizer)


def test_an_error_of_the_tokenizer_says_of_which_text():
    with pytest.raises(ValueError, match="substring not found") as caught:
        tokenized(["has z", "none"], lambda text: [text[text.index("z")]])
    assert "X, sequence 1, 'none'" in caught.value.__notes__[0]
