"""Every JSON document is a tree."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.data import read_forest
from sklseq.recursive import RecursiveTransformer

TEXT = st.text(max_size=3)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
SCALARS = SCALARS.filter(lambda v: not isinstance(v, float) or abs(v) < np.inf)
DOCUMENTS = st.recursive(
    SCALARS, lambda d: st.lists(d, max_size=3) | st.dictionaries(TEXT, d, max_size=3), max_leaves=12
)
DEEP = 5_000


def n_nodes(document):
    if isinstance(document, dict):
        return 1 + sum(1 + n_nodes(v) for v in document.values())
    return 1 + sum(map(n_nodes, document)) if isinstance(document, list) else 1


@settings(max_examples=150, deadline=None)
@given(st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_any_documents_are_read(documents):
    texts = [json.dumps(d) for d in documents]
    forest = read_forest(texts, reader="json")
    assert forest.sizes.tolist() == list(map(n_nodes, documents))
    # A str is text: as a value it stands in a list.
    parsed = read_forest([documents], reader="json")
    spelled = read_forest([json.dumps(documents)], reader="json")
    assert parsed.symbols.tolist() == spelled.symbols.tolist()
    assert parsed.parents.tolist() == spelled.parents.tolist()


def test_an_estimator_takes_them():
    documents = ['{"a": {"a": 1}}', "{}", "[]", "3", '"x"', "null", '{"a": {}, "b": [[]]}', "true"]
    RecursiveTransformer(reader="json", hidden_size=4, max_epochs=1).fit_transform(documents)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ('{"a": 1, "a": 2}', ["object", "a", None, "a", None]),
        ('{"a": {"a": "a"}}', ["object", "a", "object", "a", "a"]),
        ('"\\ud800"', ["\ud800"]),
        ("\ufeff[]".encode("utf-8"), ["array"]),
        ("[]".encode("utf-16"), ["array"]),
        ("[" * DEEP + "]" * DEEP, ["array"] * DEEP),
        (
            '{"a": ' * DEEP + '[null, "x"]' + "}" * DEEP,
            ["object", "a"] * DEEP + ["array", "null", "x"],
        ),
    ],
)
def test_repeated_keys_surrogates_bytes_and_depth(text, symbols):
    assert read_forest([text], reader="json").symbols.tolist() == symbols


def test_keys_of_dicts_are_text_as_in_json():
    document = {2: 0.5, None: 1.5, True: [2.5], "a": (3.5,)}
    a = read_forest([document], reader="json")
    b = read_forest([json.dumps(document)], reader="json")
    assert a.symbols.tolist() == b.symbols.tolist()


@pytest.mark.parametrize("depth", [1, DEEP])
@pytest.mark.parametrize(
    "inner", ["1,", "1 2", ",", "{1: 2}", '{"a" 1}', '{"a": 1,}', "]", "", "}"]
)
def test_what_is_not_json_is_named(inner, depth):
    text = "[" * depth + inner + "]" * (depth + (inner == ""))
    with pytest.raises(ValueError, match="Tree 1 is not JSON"):
        read_forest(["1", text], reader="json")


@pytest.mark.parametrize("number", ["1e400", "9" * 400, "-" + "9" * 5000])
def test_numbers_too_large_for_a_float_are_named(number):
    with pytest.raises(ValueError, match="infinity: tree 1, node 1"):
        read_forest(["[1]", f"[{number}]"], reader="json")
