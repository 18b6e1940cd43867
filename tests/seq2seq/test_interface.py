"""What scikit-learn does with estimators works with pairs of sequences too."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklseq.metrics import (
    edit_distance_rate,
    exact_match,
    exact_match_score,
    neg_edit_distance_rate,
)
from sklseq.utils import trusted_types
from tests.seq2seq.cases import (
    as_objects,
    assert_same_sequences,
    classifier,
    halves,
    regressor,
    reversed_words,
    table,
)

SHORT = (1, 2, 3, 5)
KINDS = {
    "strings": lambda: (classifier(), *reversed_words(12, SHORT)),
    "lists": lambda: (classifier(), *map(lists, reversed_words(12, SHORT))),
    "values": lambda: (regressor(), *halves(12, SHORT)),
    "vectors": lambda: (classifier(encoder="vector"), table(12), reversed_words(12, SHORT)[1]),
}
kinds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
containers = pytest.mark.parametrize("container", [list, as_objects, pd.Series])


def lists(sequences):
    return list(map(list, sequences))


def contained(X, container):
    return X if isinstance(X, np.ndarray) else container(X)


@kinds
@containers
def test_cross_validation(make, container):
    model, X, y = make()
    X, y = contained(X, container), container(y)
    cv = KFold(3)
    predicted = cross_val_predict(model, X, y, cv=cv)
    assert len(predicted) == 12
    by_hand = clone(model).fit([X[i] for i in range(4, 12)], [y[i] for i in range(4, 12)])
    assert_same_sequences(predicted[:4], by_hand.predict([X[i] for i in range(4)]))
    assert np.isfinite(cross_val_score(model, X, y, cv=cv, error_score="raise")).all()
    assert np.isfinite(cross_val_score(model, X, y, cv=3, error_score="raise")).all()
    groups = np.arange(12) // 3
    scores = cross_val_score(model, X, y, cv=GroupKFold(2), groups=groups, error_score="raise")
    assert np.isfinite(scores).all()


@kinds
def test_searches(make):
    model, X, y = make()
    X, y = contained(X, as_objects), as_objects(y)
    grid = {"hidden_size": [2, 4]}
    search = GridSearchCV(model, grid, cv=KFold(2), error_score="raise").fit(X, y)
    assert search.best_params_["hidden_size"] in (2, 4)
    assert len(search.predict(X)) == 12
    assert np.isfinite(search.score(X, y))
    halving = HalvingGridSearchCV(
        model, grid, cv=KFold(2), min_resources=6, error_score="raise", random_state=0
    )
    assert len(halving.fit(X, y).predict(X)) == 12
    by_epochs = HalvingGridSearchCV(
        model, grid, cv=KFold(2), resource="max_epochs", max_resources=2, random_state=0
    )
    assert by_epochs.fit(X, y).best_estimator_.n_iter_ == 2


def test_pipelines():
    model, X, y = KINDS["strings"]()
    lower = FunctionTransformer(lambda words: [word.lower() for word in words])
    pipe = make_pipeline(lower, model).fit([x.upper() for x in X], y)
    assert_array_equal(pipe.predict(X), clone(model).fit(X, y).predict(X))
    assert pipe.score(X, y) == clone(model).fit(X, y).score(X, y)
    model, X, y = KINDS["vectors"]()
    scaled = make_pipeline(StandardScaler(), model).fit(X, y)
    assert_array_equal(
        scaled.predict(X),
        clone(model)
        .fit(StandardScaler().fit_transform(X), y)
        .predict(StandardScaler().fit_transform(X)),
    )
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    named = clone(model).fit(frame, y)
    assert_array_equal(named.feature_names_in_, ["a", "b", "c"])
    with pytest.raises(ValueError, match="feature names"):
        named.predict(frame[["b", "a", "c"]])


@kinds
def test_copies_and_stored_models_give_the_same(make):
    model, X, y = make()
    model.fit(X, y)
    expected = model.predict(X)
    skops = pytest.importorskip("skops.io")
    loaded = skops.loads(skops.dumps(model), trusted=trusted_types())
    for other in (loaded, pickle.loads(pickle.dumps(model)), clone(model).fit(X, y)):
        assert_same_sequences(other.predict(X), expected)
    loaded.partial_fit(X, y)
    model.partial_fit(X, y)
    assert_same_sequences(loaded.predict(X), model.predict(X))
    assert loaded.loss_curve_ == model.loss_curve_


def test_weights_are_routed():
    model, X, y = KINDS["strings"]()
    X, y, weights = as_objects(X), as_objects(y), np.arange(1.0, 13.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        result = cross_validate(
            model,
            X,
            y,
            cv=KFold(2),
            params={"sample_weight": weights},
            return_estimator=True,
            error_score="raise",
        )
    first, test = result["estimator"][0], np.arange(6)
    by_hand = clone(model).fit(X[6:], y[6:], sample_weight=weights[6:])
    assert first.loss_curve_ == by_hand.loss_curve_
    assert result["test_score"][0] == by_hand.score(X[test], y[test], weights[test])


def test_scorers_of_sequences():
    X, y = reversed_words(24, SHORT)
    X, y = as_objects(X), as_objects(y)
    model = classifier(hidden_size=16, max_epochs=30, learning_rate=0.02)
    predicted = cross_val_predict(model, X, y, cv=KFold(2))
    for scorer, metric, sign in (
        (exact_match, exact_match_score, 1),
        (neg_edit_distance_rate, edit_distance_rate, -1),
    ):
        scores = cross_val_score(model, X, y, cv=KFold(2), scoring=scorer, error_score="raise")
        expected = [sign * metric(y[part], predicted[part]) for part in (slice(12), slice(12, 24))]
        np.testing.assert_allclose(scores, expected)
    fitted = model.fit(X, y)
    assert exact_match(fitted, X, y) == fitted.score(X, y)
    tokens = as_objects(lists(y))
    assert exact_match(clone(model).fit(X, tokens), X, tokens) == fitted.score(X, y)


def test_settings_of_the_search_may_change_after_fit():
    model, X, y = KINDS["strings"]()
    model.fit(X, y)
    wide = model.set_params(beam_size=7).predict_nbest(X)
    assert max(map(len, wide)) == 7
    assert max(map(len, model.set_params(beam_size=2).predict_nbest(X))) == 2


def test_a_failing_fit_changes_nothing():
    model, X, y = KINDS["strings"]()
    model.fit(X, y)
    before, state = model.predict(X), dict(vars(model))
    for wrong, match in (
        ({"y": y[:-1]}, "has no partner"),
        ({"y": [*y[:-1], ""]}, "is empty"),
        ({"sample_weight": [-1.0] * 12}, "Negative"),
    ):
        for call in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=match):
                call(X, **{"y": y} | wrong)
    assert vars(model).keys() == state.keys()
    assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"encoder": "transformer", "hidden_size": 5}, "does not divide"),
        ({"decoder": "transformer", "hidden_size": 5}, "does not divide"),
        ({"attention": "multihead", "hidden_size": 5}, "does not divide"),
        ({"encoder": "cnn"}, "encoder"),
        ({"decoder": "vector"}, "decoder"),
        ({"attention": "luong"}, "attention"),
        ({"context": "all"}, "context"),
        ({"teacher_forcing": 1.5}, "teacher_forcing"),
        ({"teacher_forcing_schedule": "cosine"}, "teacher_forcing_schedule"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"beam_size": 0}, "beam_size"),
        ({"min_length": 0}, "min_length"),
        ({"max_length": 0}, "max_length"),
        ({"length_penalty": -1}, "length_penalty"),
        ({"target": "step"}, "target"),
    ],
)
def test_wrong_parameters_are_named(params, match):
    _, X, y = KINDS["strings"]()
    with pytest.raises(ValueError, match=match):
        classifier(**params).fit(X, y)


def test_labels_are_needed():
    model, X, _ = KINDS["strings"]()
    with pytest.raises(TypeError, match="y"):
        model.fit(X)
    with pytest.raises(ValueError, match="y"):
        make_pipeline(FunctionTransformer(), model).fit(X)
