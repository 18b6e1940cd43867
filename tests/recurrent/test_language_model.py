"""Language models: probabilities of sequences, their ends, and sequences drawn from them."""

import pickle
import warnings
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.base import clone

from sklseq.data import Sequences
from sklseq.metrics import sequence_perplexity
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.recurrent import RecurrentLanguageModel
from sklseq.recurrent._events import events_of

# Models of a few epochs have much left to learn.
pytestmark = pytest.mark.filterwarnings("ignore:Training reached max_epochs")
SMALL = {"hidden_size": 8, "max_epochs": 3, "dtype": "float64", "random_state": 0}
WORDS = ["abca", "b", "cab", "aab", "bcb", "ca", "abcabc"]


def model_of(X, **params):
    return RecurrentLanguageModel(**SMALL | params).fit(X)


@cache
def of_words():
    return model_of(WORDS, max_epochs=20)


def rolls(n=12):
    rng = np.random.default_rng(0)
    return [(rng.random((n, 3)) < (0.1, 0.5, 0.8)).astype(int) for n in rng.integers(1, 9, size=n)]


@cache
def of_rolls():
    return model_of(rolls())


def log_probability(model, x):
    """By `predict_proba` alone, without the first step."""
    proba = model.predict_proba([x])[0]
    if isinstance(x, str):
        known = model.vocabulary_.tolist()
        steps = [proba[t, known.index(s)] for t, s in enumerate(x[1:])]
        return np.log(steps).sum() + np.log(proba[-1, -1])
    labels = np.where(x[1:] == 1, proba[:-1, :-1], 1 - proba[:-1, :-1])
    return np.log(labels).sum() + np.log1p(-proba[:-1, -1]).sum() + np.log(proba[-1, -1])


# -- probabilities -------------------------------------------------------------------------


@pytest.mark.parametrize("of", [of_words, of_rolls])
def test_the_score_is_the_product_of_the_steps_and_the_end(of):
    model, X = of(), WORDS if of is of_words else rolls()
    for x, score in zip(X, model.score_samples(X), strict=True):
        first = model.score_samples([x[:1]])[0] - log_probability(model, x[:1])
        assert_allclose(score, first + log_probability(model, x), rtol=1e-9)
    n_events = [len(x) + 1 for x in X]
    assert_allclose(model.perplexity(X), sequence_perplexity(model.score_samples(X), n_events))
    assert_allclose(model.score(X), model.score_samples(X).mean())


@pytest.mark.filterwarnings("ignore:.*are unknown to")
def test_all_sequences_together_have_probability_one():
    model, longest = of_words(), 3
    symbols = [*model.vocabulary_, "?"]  # the unknown one
    total = 0.0
    for n in range(1, longest + 1):
        X = ["".join(s) for s in product(symbols, repeat=n)]
        probabilities = np.exp(model.score_samples(X))
        total += probabilities.sum()
        assert total < 1
    ends = np.array([p[-1, -1] for p in model.predict_proba(X)])
    assert_allclose(total + (probabilities / ends * (1 - ends)).sum(), 1)  # longer ones


@pytest.mark.parametrize("tbptt_steps", [None, 2, 100])
def test_the_loss_is_the_negative_score_of_an_event(tbptt_steps):
    model = RecurrentLanguageModel(early_stopping=True, tbptt_steps=tbptt_steps, **SMALL)
    for X in (WORDS, rolls(), ["".join(WORDS)]):
        model.fit(X, X_val=X)
        n_events = sum(len(x) + 1 for x in X)
        scores = model.score_samples(X).sum() / n_events
        assert_allclose(max(model.validation_scores_), scores, rtol=1e-6)


def test_segments_as_long_as_the_sequences_are_the_sequences():
    whole, cut = (model_of(WORDS, tbptt_steps=n) for n in (None, 7))
    assert_allclose(cut.loss_curve_, whole.loss_curve_)
    assert_allclose(cut.score_samples(WORDS), whole.score_samples(WORDS), rtol=1e-6)


def test_a_cycle_is_learned():
    text = "abcd" * 150
    model = model_of(text, hidden_size=16, max_epochs=200, learning_rate=0.02, tbptt_steps=60)
    assert model.perplexity(text) < 1.1
    assert model.sample(prompt="ab", top_k=1, max_length=9)[0] == "abcdabcda"
    assert_array_equal(model.predict("abcd"), list("bcda"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_score_is_its_own(dtype):
    """Alone and in company, to the last bit."""
    X = [x * n for n, x in enumerate(WORDS, start=1)]
    model = model_of(X, dtype=dtype)
    scores, proba = model.score_samples(X), model.predict_proba(X)
    for i, x in enumerate(X):
        assert_array_equal(model.score_samples([x]), scores[i : i + 1])
        assert_array_equal(model.predict_proba([x])[0], proba[i])
        assert_array_equal(model.score_samples([*X[i:], x])[[0, -1]], scores[[i, i]])


def test_values_have_a_density_in_their_units():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)).cumsum(axis=0) for n in rng.integers(2, 9, size=10)]
    model, scaled = model_of(X), model_of([10 * x + 3 for x in X])
    lengths = np.array([len(x) for x in X])
    found = scaled.score_samples([10 * x + 3 for x in X])
    assert_allclose(found, model.score_samples(X) - 2 * lengths * np.log(10), rtol=1e-6)
    assert [p.shape for p in model.predict(X)] == [x.shape for x in X]
    for name in ("predict_proba", "perplexity"):
        assert not hasattr(model, name)
    drawn = model.sample(4, prompt=X[0], random_state=0)
    assert all((x[: len(X[0])] == X[0]).all() and x.shape[1] == 2 for x in drawn)


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_events_are_the_steps_and_what_follows(X):
    lengths = np.array([len(x) for x in X])
    before, after = events_of(Sequences(np.concatenate(X), lengths), 4).T
    of_sequence = zip(
        np.split(before, np.cumsum(lengths + 1)), np.split(after, np.cumsum(lengths + 1)), X,
        strict=False,
    )  # fmt: skip
    for read, follows, x in of_sequence:
        assert read.tolist() == [-1, *x]
        assert follows.tolist() == [*(s or 5 for s in x), 0]


# -- samples -------------------------------------------------------------------------------


def test_samples_are_as_frequent_as_they_are_likely():
    model, n = of_words(), 3000
    drawn, counts = np.unique(model.sample(n, max_length=2, random_state=0), return_counts=True)
    known = "".join(model.vocabulary_)
    ended = {s: np.exp(model.score_samples([s])[0]) for s in known}
    after = {s: model.predict_proba([s])[0][0] for s in known}
    begun = {s: ended[s] / after[s][-1] for s in known}
    likely = ended | {
        a + b: begun[a] * after[a][i] for a in known for i, b in enumerate(known)
    }  # which may end or go on
    expected = np.array([likely[s] for s in drawn])
    assert expected.sum() > 0.9  # what is left are unknown symbols, and are not drawn
    assert chisquare(counts, expected / expected.sum() * n).pvalue > 1e-4


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_greedy_samples_are_what_is_predicted(cell):
    model = model_of(WORDS, cell=cell)
    greedy = model.sample(prompt=["a", "bc"], top_k=1, max_length=8)
    cold = model.sample(prompt=["a", "bc"], temperature=1e-9, max_length=8, random_state=1)
    assert_array_equal(cold, greedy)
    for prompt, x in zip(["a", "bc"], greedy, strict=True):
        assert x.startswith(prompt)
        predicted = model.predict([x])[0][len(prompt) - 1 :]
        assert predicted[:-1].tolist() == list(x[len(prompt) :])
        assert len(x) == 8 or predicted[-1] is None


def test_a_sample_is_its_own():
    model, seed = of_words(), {"random_state": 0}
    many = model.sample(60, **seed)
    for n in (1, 50):
        assert_array_equal(model.sample(n, **seed), many[:n])
    prompts = ["a", "bca", "cabc"]
    assert_array_equal(model.sample(prompt=prompts, **seed)[:1], model.sample(prompt="a", **seed))
    assert_array_equal(model.sample(60, **seed), many)
    roll = of_rolls().sample(60, **seed)
    for one, same in zip(of_rolls().sample(3, **seed), roll, strict=False):
        assert_array_equal(one, same)
        assert one.dtype == np.int64
        assert one.shape[1] == 3
    assert len({len(x) for x in roll}) > 1


def test_samples_are_written_as_sequences_were():
    text = ["The cat sat.", "The dog ran!", "A cat ran."] * 3
    model = model_of(text, tokenizer="word", lowercase=True)
    drawn = model.sample(3, prompt="THE cat", random_state=0)
    assert all(x.startswith("the cat ") for x in drawn)
    assert np.isfinite(model.score_samples(drawn)).all()
    tokens = model_of([x.split() for x in text]).sample(2, prompt=[["The", "cat"]], random_state=0)
    assert all(x[:2].tolist() == ["The", "cat"] for x in tokens)
    numbers = model_of([[3, 7, 3], [7, 3]], output="symbols").sample(4, random_state=0)
    assert set(np.concatenate(numbers).tolist()) <= {3, 7}
    flat = model_of([np.array([0, 1, 1]), np.array([1, 0])]).sample(2, random_state=0)
    assert all(x.ndim == 1 for x in flat)


def test_context_says_what_is_likely():
    X, context = ["aaa", "bbb"] * 5, np.array([[0], [1]] * 5)
    model = RecurrentLanguageModel(**SMALL | {"max_epochs": 60, "learning_rate": 0.03})
    model.fit(X, context=context)
    drawn = model.sample(context=context, top_k=1)
    assert_array_equal(drawn, X)
    assert (model.score_samples(X, context=context) > -2).all()
    with pytest.raises(ValueError, match="context is missing"):
        model.sample(3)
    with pytest.raises(ValueError, match="context has 10 rows for 3 sequences"):
        model.sample(3, context=context)


# -- training ------------------------------------------------------------------------------


def test_a_text_is_a_sequence():
    text = "".join(WORDS)
    model, listed = model_of(text), model_of([text])
    assert_array_equal(model.predict_proba(text), listed.predict_proba([text])[0])
    assert_array_equal(model.predict(text), listed.predict([text])[0])
    assert model.score_samples(text).shape == (1,)


def test_a_long_text_fills_the_batches():
    text = "abc" * 400
    model = RecurrentLanguageModel(**SMALL | {"max_epochs": "auto", "tbptt_steps": 10})
    model.set_params(batch_size=8)
    assert model._n_epochs(_rows(model, text)) == 63  # 16 segments of 8 pieces, 1000 steps
    model.set_params(tbptt_steps=None)
    assert model._n_epochs(_rows(model, text)) == 1000


def _rows(model, text):
    fitted = clone(model).set_params(max_epochs=1).fit(text)
    return fitted._events(fitted._read(text, False))


def test_pieces_hold_every_step_once():
    rows = _rows(RecurrentLanguageModel(**SMALL), WORDS)
    pieces = rows.in_pieces(3)
    assert pieces.lengths.max() <= 3
    assert pieces.lengths.sum() == rows.lengths.sum()
    assert_array_equal(pieces.steps.numpy(), rows.steps.numpy())
    assert_allclose(float(pieces.weight.sum()), len(pieces))


def test_training_goes_on():
    model = of_words()
    for copy in (pickle.loads(pickle.dumps(model)), clone(model).set_params(warm_start=True)):
        copy.fit(WORDS) if copy.warm_start else None
        before = copy.n_iter_
        copy.partial_fit(["abx", "zb"])
        assert copy.n_iter_ == before + 1
        assert_array_equal(copy.vocabulary_, list("abc"))
        copy.sample(prompt="z")  # which was trained as the unknown symbol
    stopped = model_of("".join(WORDS), early_stopping=True, max_epochs=30)
    assert stopped.validation_scores_


def test_a_stream_reads_on():
    stream, proba = of_words().stream(), of_words().predict_proba("abcab")
    chunks = [stream.predict_proba("ab"), stream.predict_proba("cab")]
    assert_allclose(np.concatenate(chunks), proba)
    assert_array_equal(stream.reset().predict("abcab"), of_words().predict("abcab"))
    X = rolls()[:2]
    chunks = of_rolls().stream(2).predict_proba(X)
    for a, b in zip(chunks, of_rolls().predict_proba(X), strict=True):
        assert_allclose(a, b)


@pytest.mark.filterwarnings("ignore:.*are unknown to")
def test_rare_symbols_are_unknown():
    X = ["aab", "abax", "bay"] * 2 + ["z"]
    model = model_of(X, min_frequency=3, max_epochs=30)
    assert_array_equal(model.vocabulary_, ["a", "b"])
    assert model.predict_proba(["ab"])[0].shape == (2, 4)
    assert_allclose(model.score_samples(["ax"]), model.score_samples(["ay"]))
    assert set("".join(model.sample(100, random_state=0))) == {"a", "b"}
    assert model.sample(prompt="ax", max_length=4)[0].startswith("ax")
    with pytest.raises(ValueError, match="min_frequency=99"):
        model_of(X, min_frequency=99)
    assert np.isfinite(of_words().score_samples(["axb"])).all()


# -- what goes wrong -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "params", "message"),
    [
        ("", {}, "sequence 0 is empty"),
        (["ab", ""], {}, "sequence 1 is empty"),
        ([np.eye(2), np.array([[0, 1], [0.5, 1]])], {"output": "labels"},
         r"X, sequence 1, step 1, feature 0 is 0\.5.*output='values'"),
        ([np.eye(2), np.array([[0, 1], [np.nan, 1]])], {}, "sequence 1, step 1, feature 0"),
        (["ab"], {"output": "labels"}, "output='labels', but X holds symbols"),
        ([[1.5, 2.0, 1.0], [2.0, 1.0]], {"output": "symbols"}, "sequence 0, step 0 is 1.5"),
        (WORDS, {"cell": "jordan"}, "take another cell"),
        (WORDS, {"solver": "lbfgs"}, "tbptt_steps=None"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_named(X, params, message):
    with pytest.raises(ValueError, match=message):
        model_of(X, **params)


def test_labels_stay_labels():
    with pytest.raises(ValueError, match="X, sequence 0, step 0, feature 1 is 3"):
        of_rolls().score_samples([np.array([[0, 3, 1]])])
    with pytest.raises(ValueError, match="prompt, sequence 0, step 0, feature 1 is 3"):
        of_rolls().sample(prompt=np.array([[0, 3, 1]]))


def test_whole_numbers_may_be_symbols():
    with pytest.warns(UserWarning, match="output='symbols'"):
        model_of([[3, 7, 3], [7, 3]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model_of([[3, 7, 3], [7, 3]], output="values")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prompt": "ax"}, r"prompt, sequence 0, step 1 is 'x'.*min_frequency"),
        ({"prompt": ["a", "yx"]}, r"prompt, sequence 1, step 0 is 'y'.*2: 'x', 'y'"),
        ({"prompt": ["a", "b"], "n_samples": 3}, "2 sequences for n_samples=3"),
        ({"prompt": "abc", "max_length": 3}, "has 3 steps, and max_length=3"),
        ({"prompt": ""}, "prompt, sequence 0 is empty"),
        ({"n_samples": 0}, "n_samples"),
        ({"temperature": 0}, "temperature=0"),
        ({"top_k": 0}, "top_k=0"),
        ({"top_p": 1.5}, r"top_p=1\.5"),
        ({"max_length": 0}, "max_length=0"),
        ({"context": [[1]]}, "fitted without"),
    ],
)
def test_what_cannot_be_drawn_is_named(params, message):
    with pytest.raises(ValueError, match=message):
        of_words().sample(**params)


def test_vectors_are_drawn_by_temperature_alone():
    with pytest.raises(ValueError, match="top_k=3 chooses among symbols"):
        of_rolls().sample(top_k=3)
    with pytest.raises(ValueError, match=r"steps of 2 features.*fitted on steps of 3"):
        of_rolls().sample(prompt=np.zeros((4, 2)))
