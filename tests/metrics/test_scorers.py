"""Scorers: by name, as objects, in every tool of model selection, and nothing else changes."""

import subprocess
import sys
from types import FunctionType

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.tree import DecisionTreeClassifier

from sklseq import metrics
from sklseq._compat.scorers import register

NAMES = ["masked_r2", "sequence_accuracy", "step_accuracy", "step_f1_macro", "step_f1_weighted"]
OF_SAMPLES = [
    "neg_classifier_two_sample",
    "neg_energy_distance",
    "neg_maximum_mean_discrepancy",
    "neg_sliced_wasserstein",
    "sample_coverage",
]
OF_SYMBOLS = ["bleu", "chrf", "exact_match", "neg_edit_distance_rate", "neg_perplexity"]
CLASSIFIER_NAMES = NAMES[1:]


@pytest.fixture(autouse=True, scope="module")
def _names():
    metrics.register_scorers()


class ThresholdSteps(BaseEstimator):
    """Labels each step by its first feature; `threshold` is the one thing to tune."""

    def __init__(self, threshold=0.0):
        self.threshold = threshold

    def fit(self, X, y):
        self.classes_ = np.unique(np.concatenate([labels[~np.isnan(labels)] for labels in y]))
        return self

    def predict(self, X):
        out = np.empty(len(X), dtype=object)
        for i, x in enumerate(X):
            out[i] = (x[:, 0] > self.threshold).astype(self.dtype)
        return out


class StepClassifier(ClassifierMixin, ThresholdSteps):
    dtype = np.int64


class StepRegressor(RegressorMixin, ThresholdSteps):
    dtype = np.float64


@pytest.fixture(scope="module")
def ragged_data():
    rng = np.random.default_rng(0)
    X, y = np.empty((2, 24), dtype=object)
    for i, length in enumerate(rng.integers(3, 9, size=24)):
        X[i] = rng.normal(size=(length, 2))
        y[i] = (X[i][:, 0] > 0.5).astype(np.float64)
        y[i][1] = np.nan
    return X, y


GRID = {"threshold": [-1.0, 0.5, 2.0]}


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("name", CLASSIFIER_NAMES)
def test_grid_search_on_ragged_labels(name, by_name, ragged_data):
    scoring = name if by_name else getattr(metrics, name)
    search = GridSearchCV(StepClassifier(), GRID, scoring=scoring, cv=3, error_score="raise")
    search.fit(*ragged_data)
    assert search.best_params_ == {"threshold": 0.5}
    assert search.best_score_ == 1.0
    assert search.score(*ragged_data) == 1.0


def test_grid_search_on_ragged_targets(ragged_data):
    X, labels = ragged_data
    y = labels.copy()
    for i, step_labels in enumerate(labels):
        y[i] = np.where(step_labels < 0, np.nan, step_labels)
    search = GridSearchCV(StepRegressor(), GRID, scoring="masked_r2", cv=3, error_score="raise")
    assert search.fit(X, y).best_params_ == {"threshold": 0.5}
    assert search.best_score_ == 1.0


class Shifter(BaseEstimator):
    """Predicts the letters of a string, `shift` places further on."""

    def __init__(self, shift=0):
        self.shift = shift

    def fit(self, X, y):
        return self

    def predict(self, X):
        out = np.empty(len(X), dtype=object)
        out[:] = ["".join(chr(ord(letter) + self.shift) for letter in x) for x in X]
        return out


@pytest.mark.parametrize("name", ["exact_match", "neg_edit_distance_rate"])
def test_grid_search_on_sequences_of_symbols(name):
    X = ["ab", "cdd", "a", "fgh", "ij", "k"]
    y = ["bc", "dee", "b", "ghi", "jk", "l"]
    search = GridSearchCV(Shifter(), {"shift": [0, 1, 2]}, scoring=name, cv=3, error_score="raise")
    assert search.fit(X, y).best_params_ == {"shift": 1}
    assert search.best_score_ == (name == "exact_match")
    weighted = get_scorer(name)(Shifter(), X, ["ab", *y[1:]], sample_weight=[1, 0, 0, 0, 0, 0])
    assert weighted == (name == "exact_match")


class Uniform(BaseEstimator):
    """Each of two symbols, and the end, has the same probability."""

    def fit(self, X, y):
        return self

    def score_sequences(self, X, y):
        return -np.log(3) * np.array([len(row) + 1 for row in y])


def test_perplexity_counts_the_end_of_each_output():
    for y in (["ab", "b"], [[0, 1], [1]], [np.array(["a", "b"]), np.array(["a"])]):
        score = get_scorer("neg_perplexity")(Uniform(), ["x", "y"], y)
        np.testing.assert_allclose(score, -3)


def test_several_names_at_once(ragged_data):
    search = GridSearchCV(StepClassifier(), GRID, scoring=CLASSIFIER_NAMES, refit="step_accuracy")
    search.fit(*ragged_data)
    results = cross_validate(StepClassifier(0.5), *ragged_data, scoring=CLASSIFIER_NAMES)
    for name in CLASSIFIER_NAMES:
        assert search.cv_results_[f"mean_test_{name}"][1] == 1.0
        assert set(results[f"test_{name}"]) == {1.0}


@pytest.mark.parametrize("name", CLASSIFIER_NAMES)
def test_name_and_object_score_alike(name, ragged_data):
    estimator = StepClassifier(0.0)
    by_name = cross_val_score(estimator, *ragged_data, scoring=name)
    by_object = cross_val_score(estimator, *ragged_data, scoring=getattr(metrics, name))
    np.testing.assert_array_equal(by_name, by_object)
    assert 0 < by_name.mean() < 1


def test_other_tools_of_model_selection(ragged_data):
    random = RandomizedSearchCV(
        StepClassifier(), GRID, n_iter=3, scoring="step_accuracy", random_state=0
    )
    assert random.fit(*ragged_data).best_params_ == {"threshold": 0.5}
    curve = validation_curve(
        StepClassifier(),
        *ragged_data,
        param_name="threshold",
        param_range=[0.5],
        scoring="step_accuracy",
    )
    assert (curve[1] == 1).all()
    scores = learning_curve(StepClassifier(0.5), *ragged_data, scoring="step_accuracy")[2]
    assert (scores == 1).all()


def test_halving_search_on_one_series():
    # It demands a 1-D numeric y, so a panel with labels for the steps is not for it.
    X = np.random.default_rng(0).normal(size=(80, 2))
    y = (X[:, 0] > 0.5).astype(np.int64)
    tree, grid = DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}
    scores = [
        HalvingGridSearchCV(tree, grid, scoring=name, random_state=0).fit(X, y).best_score_
        for name in ("accuracy", "step_accuracy")
    ]
    assert scores[0] == scores[1]


def test_names_reach_other_processes(ragged_data):
    search = GridSearchCV(StepClassifier(), GRID, scoring="step_accuracy", n_jobs=2)
    assert search.fit(*ragged_data).best_score_ == 1.0


def test_weights_are_routed_to_scorers(ragged_data):
    X, y = ragged_data
    weights = np.linspace(0, 1, len(X))
    estimator = StepClassifier(0.0).fit(X, y)
    scorer = get_scorer("step_accuracy")
    expected = metrics.step_accuracy_score(y, estimator.predict(X), sample_weight=weights)
    assert scorer(estimator, X, y, sample_weight=weights) == expected


def test_get_scorer_gives_a_copy():
    for name in NAMES + OF_SYMBOLS:
        scorer = getattr(metrics, name)
        if not isinstance(scorer, FunctionType):  # a function has no state to share
            assert check_scoring(StepClassifier(), name) is not scorer
        assert repr(get_scorer(name)) == repr(getattr(metrics, name))
        assert name in get_scorer_names()


def test_unknown_names_are_still_refused(ragged_data):
    search = GridSearchCV(StepClassifier(), GRID, scoring="step_acuracy")
    with pytest.raises(ValueError, match="'scoring' parameter of GridSearchCV"):
        search.fit(*ragged_data)


def test_names_of_others_cannot_be_taken():
    before = get_scorer("accuracy")
    with pytest.raises(ValueError, match=r"\['accuracy'\]"):
        register({"accuracy": metrics.step_accuracy, "unheard_of": metrics.step_accuracy})
    assert repr(get_scorer("accuracy")) == repr(before)
    assert "unheard_of" not in get_scorer_names()


def test_registering_twice_does_no_harm():
    names = get_scorer_names()
    metrics.register_scorers()
    assert get_scorer_names() == names


SNAPSHOT = """
import sys
from types import FunctionType

def constraints():
    found = {}
    for module_name, module in sorted(sys.modules.items()):
        if module_name.startswith("sklearn"):
            for name, item in vars(module).items():
                if isinstance(item, type):
                    found[module_name, name] = vars(item).get("_parameter_constraints")
                elif isinstance(item, FunctionType):
                    found[module_name, name] = getattr(item, "_skl_parameter_constraints", None)
    return {
        (*key, parameter, i): frozenset(map(str, getattr(allowed, "options", [repr(allowed)])))
        for key, value in found.items()
        if value
        for parameter, alternatives in value.items()
        if isinstance(alternatives, list)
        for i, allowed in enumerate(alternatives)
    }
"""


REGISTER = f"""
import sklearn.ensemble, sklearn.inspection, sklearn.linear_model, sklearn.model_selection
from sklearn.metrics import _scorer
before, scorers = constraints(), dict(_scorer._SCORERS)

# A release that keeps its table elsewhere.
table = _scorer._SCORERS
del _scorer._SCORERS
import sklseq.base, sklseq.metrics
try:
    sklseq.metrics.register_scorers()
except ImportError as error:
    assert "pass the scorer itself" in str(error)
else:
    raise AssertionError("nothing could have been registered")
_scorer._SCORERS = table
after = constraints()
assert all(before[key] == after[key] for key in before) and table == scorers

sklseq.metrics.register_scorers()
after, names = constraints(), set({NAMES + OF_SAMPLES + OF_SYMBOLS!r})
assert table.keys() - scorers.keys() == names
assert all(table[name] is scorer for name, scorer in scorers.items())
changed = {{key for key in before if before[key] != after[key]}}
assert {{key[2] for key in changed}} == {{"scoring"}}
assert all(after[key] - before[key] == names and before[key] < after[key] for key in changed)
assert {{"GridSearchCV", "cross_validate", "permutation_importance"}} <= {{
    key[1] for key in changed
}}

# Modules that are imported later.
assert "sklearn.feature_selection._sequential" not in sys.modules
from sklearn.feature_selection import SequentialFeatureSelector
assert "step_accuracy" in SequentialFeatureSelector._parameter_constraints["scoring"][1].options
"""


def test_only_registering_changes_scikit_learn_and_only_by_the_names():
    subprocess.run([sys.executable, "-W", "error", "-c", SNAPSHOT + REGISTER], check=True)


def test_nested_search_in_other_processes(ragged_data):
    search = GridSearchCV(StepClassifier(), GRID, scoring=metrics.step_accuracy)
    scores = cross_val_score(
        search, *ragged_data, scoring=metrics.step_accuracy, n_jobs=2, error_score="raise"
    )
    assert set(scores) == {1.0}
