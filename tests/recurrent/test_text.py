"""Texts, lowercase, and vectors that symbols start from."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklseq.recurrent import GRUClassifier, GRURegressor, RecurrentTransformer
from sklseq.reservoir import ESNClassifier

TEXTS = ["A good film!", "a bad film.", "Good acting", "the worst film", "bad", "good!"] * 4
LABELS = np.array([1, 0, 1, 0, 0, 1] * 4)
VECTORS = {
    word: np.full(5, i + 1.0) for i, word in enumerate(["good", "bad", "film", "a", "other"])
}
SMALL = {"hidden_size": 4, "max_epochs": 3, "random_state": 0}
few_vectors = pytest.mark.filterwarnings("ignore:embedding has vectors of")


class Vectors:
    """As gensim's KeyedVectors: names of rows, and the rows."""

    def __init__(self, mapping):
        self.key_to_index = {word: i for i, word in enumerate(mapping)}
        self.vectors = np.stack(list(mapping.values()))

    def __contains__(self, word):
        return word in self.key_to_index

    def __getitem__(self, word):
        return self.vectors[self.key_to_index[word]]


def split(text):
    return text.split()


def row_of(model, word):
    index = 1 + model.vocabulary_.tolist().index(word)
    return model.module_.embedding.weight.detach().numpy()[index]


# -- tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", [str.split, split, lambda text: text.split()])
def test_a_tokenizer_is_lists_of_tokens(tokenizer):
    model = GRUClassifier(tokenizer=tokenizer, **SMALL).fit(TEXTS, LABELS)
    lists = GRUClassifier(**SMALL).fit([split(text) for text in TEXTS], LABELS)
    assert_array_equal(model.vocabulary_, lists.vocabulary_)
    for X in (TEXTS, pd.Series(TEXTS), pd.DataFrame({"text": TEXTS}), [split(t) for t in TEXTS]):
        assert_array_equal(model.predict_proba(X), lists.predict_proba([split(t) for t in TEXTS]))
    assert clone(model).tokenizer is tokenizer


def test_lowercase_is_that_of_all_symbols():
    lower = GRUClassifier(tokenizer="word", **SMALL).fit([t.lower() for t in TEXTS], LABELS)
    model = GRUClassifier(tokenizer="word", lowercase=True, **SMALL).fit(TEXTS, LABELS)
    assert_array_equal(model.vocabulary_, lower.vocabulary_)
    for X in (TEXTS, [t.upper() for t in TEXTS]):
        expected = lower.predict_proba([t.lower() for t in TEXTS])
        assert_array_equal(model.predict_proba(X), expected)
    tokens = GRUClassifier(lowercase=True, **SMALL).fit([["A", "b"], ["B", "C"]], [0, 1])
    assert_array_equal(tokens.vocabulary_, ["a", "b", "c"])
    unchanged = GRUClassifier(**SMALL).fit([["A", "b"], ["B", "C"]], [0, 1])
    assert_array_equal(unchanged.vocabulary_, ["A", "B", "C", "b"])


def test_tokens_may_be_integers_and_have_a_label_each():
    model = GRUClassifier(tokenizer=lambda text: list(map(len, split(text))), **SMALL)
    assert_array_equal(model.fit(TEXTS, LABELS).vocabulary_, [1, 3, 4, 5, 6])
    labels = [[len(word) > 3 for word in split(text)] for text in TEXTS]
    tagger = GRUClassifier(tokenizer=split, target="step", **SMALL).fit(TEXTS, labels)
    assert [len(tags) for tags in tagger.predict(TEXTS)] == list(map(len, labels))
    with pytest.raises(ValueError, match="symbols are all"):
        GRUClassifier(tokenizer=split, **SMALL).fit([[1.5, 2.0], [3.0]], [0, 1])


def test_analyzers_of_scikit_learn_are_tokenizers():
    analyzer = CountVectorizer(ngram_range=(1, 2)).build_analyzer()
    model = GRUClassifier(tokenizer=analyzer, **SMALL).fit(TEXTS, LABELS)
    assert "bad film" in model.vocabulary_
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_prose_is_hinted_at():
    with pytest.warns(UserWarning, match="set tokenizer='word'"):
        model = GRUClassifier(**SMALL).fit(TEXTS, LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chars = GRUClassifier(tokenizer="char", **SMALL).fit(TEXTS, LABELS)
    assert_array_equal(chars.predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_skops_loads_a_tokenizer_whose_name_is_trusted():
    skops = pytest.importorskip("skops.io")
    model = GRUClassifier(tokenizer=split, **SMALL).fit(TEXTS, LABELS)
    file = skops.dumps(model)
    names = skops.get_untrusted_types(data=file)
    theirs = [name for name in names if not name.startswith("sklseq.")]
    assert any(name.endswith("split") for name in theirs)
    with pytest.raises(skops.exceptions.UntrustedTypesFoundException, match="split"):
        skops.loads(file, trusted=[name for name in names if name not in theirs])
    loaded = skops.loads(file, trusted=names)
    assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    for wrong in (3, "nonsense", [split]):
        state = model.__getstate__() | {"tokenizer": wrong}
        with pytest.raises(ValueError, match="stored state of this GRUClassifier"):
            object.__new__(GRUClassifier).__setstate__(state)


# -- numbers that are strings --------------------------------------------------------------


def test_numbers_written_as_strings_are_named():
    numbers = [[1.0, 2.0], [3.0]]
    convert = r"numbers written as strings: convert them.*np.asarray\(x, dtype=float\)"
    model = GRUClassifier(**SMALL).fit(numbers, [0, 1])
    with pytest.raises(ValueError, match=convert):
        model.predict([["1.5", "2"]])
    with pytest.raises(ValueError, match=convert):
        ESNClassifier().fit([["1.5", "2"], ["3"]], [0, 1])
    for X in ([[1.0, "1.5"], [3.0]], [np.array([["1.5", "2"]]), np.array([["3", "1"]])]):
        with pytest.raises(ValueError, match=r"step \d is '1.5', a string.*" + convert):
            GRUClassifier(**SMALL).fit(X, [0, 1])
    with pytest.raises(ValueError, match="sequence 1, step 0 is 3.0.*" + convert):
        GRUClassifier(**SMALL).fit([["1.5", "2"], [3.0]], [0, 1])
    with pytest.warns(UserWarning, match="'1.5', which are read as symbols.*" + convert):
        GRUClassifier(**SMALL).fit([["1.5", "2"], ["3"]], [0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GRUClassifier(**SMALL).fit(["0123", "321"], [0, 1])  # digits are symbols


# -- pretrained vectors --------------------------------------------------------------------


@few_vectors
@pytest.mark.parametrize("cls", [GRUClassifier, GRURegressor, RecurrentTransformer])
@pytest.mark.parametrize("kind", [dict, Vectors])
def test_training_starts_from_the_vectors(cls, kind):
    settings = {"tokenizer": "word", "lowercase": True, "embedding": kind(VECTORS)} | SMALL
    y = () if cls is RecurrentTransformer else (LABELS,)
    frozen = cls(embedding_trainable=False, **settings).fit(TEXTS, *y)
    assert "other" not in frozen.vocabulary_
    for word in ("good", "bad", "film", "a"):
        assert_array_equal(row_of(frozen, word), VECTORS[word])
    assert_array_equal(frozen.module_.embedding.weight[0].detach().numpy(), 0)
    plain = cls(**settings | {"embedding": None, "embedding_size": 5, "learning_rate": 1e-30})
    assert_array_equal(row_of(frozen, "worst"), row_of(plain.fit(TEXTS, *y), "worst"))
    trained = cls(**settings).fit(TEXTS, *y)
    moved = np.abs(row_of(trained, "good") - VECTORS["good"]).max()
    assert 0 < moved < 0.5


@few_vectors
@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd", "rmsprop", "lbfgs"])
def test_vectors_may_be_trained_later(solver):
    model = GRUClassifier(
        tokenizer=split,
        embedding=VECTORS,
        embedding_trainable=False,
        solver=solver,
        weight_decay=0.1,
        lr_schedule=None,
        warm_start=True,
        **SMALL,
    ).fit(TEXTS, LABELS)
    assert_array_equal(row_of(model, "bad"), VECTORS["bad"])
    model.set_params(embedding_trainable=True).fit(TEXTS, LABELS)
    if solver != "lbfgs":  # which has found the minimum before
        assert (row_of(model, "bad") != VECTORS["bad"]).any()


@few_vectors
def test_the_fitted_model_holds_weights_alone():
    mapping = Vectors(VECTORS)
    model = GRUClassifier(tokenizer="word", embedding=mapping, **SMALL).fit(TEXTS, LABELS)
    proba = model.predict_proba(TEXTS)
    mapping.vectors[:] = np.nan
    assert_array_equal(model.predict_proba(TEXTS), proba)
    assert pickle.loads(pickle.dumps(clone(model))).embedding.key_to_index  # not fitted yet
    stored = pickle.dumps(model)
    assert b"key_to_index" not in stored
    for loaded in (pickle.loads(stored), copy.deepcopy(model)):
        assert loaded.embedding is None
        assert loaded.embedding_size == 5
        assert_array_equal(loaded.predict_proba(TEXTS), proba)
        loaded.partial_fit(TEXTS, LABELS)
        with pytest.warns(UserWarning, match="stored without the vectors"):
            loaded.fit(TEXTS, LABELS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loaded.fit(TEXTS, LABELS)


@few_vectors
def test_clones_share_the_mapping_and_searches_take_it():
    many = VECTORS | {str(i): np.zeros(5) for i in range(1000)}
    model = GRUClassifier(tokenizer="word", lowercase=True, embedding=many, **SMALL)
    assert clone(model).embedding is many
    assert model.get_params()["embedding"] is many
    assert clone(model).get_params() == model.get_params()
    assert repr(model).startswith("GRUClassifier(embedding=<dict of 1005 symbols>")
    assert len(model._repr_html_()) < 100_000
    assert np.isfinite(cross_val_score(model, TEXTS, LABELS, cv=2)).all()
    search = GridSearchCV(model, {"embedding": [None, VECTORS], "hidden_size": [2]}, cv=2)
    assert search.fit(TEXTS, LABELS).best_params_["hidden_size"] == 2
    before = joblib.hash(many)
    model.fit(TEXTS, LABELS)
    assert model.embedding is many
    assert joblib.hash(many) == before


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        (
            {"good": [1, 2], "bad": [1]},
            "'good' has 2 numbers, but that of 'bad' has 1",
        ),
        ({"good": [1, np.nan]}, "embedding of 'good' holds NaN"),
        ({"good": [1e300, 1]}, "embedding of 'good' holds 1e.300 .too large for float32"),
        ({"good": 3}, r"embedding of 'good' has shape \(\)"),
        ({"good": "abc"}, "embedding of 'good' is 'abc'"),
        ({"GOOD": [1, 2]}, "a vector of none of the 9 symbols"),
        (np.ones((3, 4)), r"dict\(zip\(words, vectors\)\)"),
        (pd.DataFrame(VECTORS), "DataFrame"),
        (3, "'embedding' parameter"),
    ],
)
def test_wrong_vectors_are_named(embedding, message):
    model = GRUClassifier(tokenizer="word", lowercase=True, embedding=embedding, **SMALL)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(TEXTS, LABELS)
    assert not hasattr(model, "vocabulary_")


def test_sizes_and_gaps_are_named():
    model = GRUClassifier(tokenizer="word", embedding=VECTORS, embedding_size=7, **SMALL)
    with pytest.raises(ValueError, match="embedding_size=7, but embedding has vectors of 5"):
        model.fit(TEXTS, LABELS)
    with pytest.warns(UserWarning, match="vectors of 4 of 11 symbols of X, and none of '!'"):
        model.set_params(embedding_size=None).fit(TEXTS, LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        every = {word: np.ones(2) for word in model.vocabulary_.tolist()}
        model.set_params(embedding=every).fit(TEXTS, LABELS)


@few_vectors
def test_integers_have_vectors_too():
    X, vectors = [[3, 5], [5, 7], [3]], {3: [1.0, 2.0], 5: [3.0, 4.0]}
    model = GRUClassifier(embedding=vectors, embedding_trainable=False, **SMALL).fit(X, [0, 1, 0])
    assert_array_equal(row_of(model, 5), [3, 4])
