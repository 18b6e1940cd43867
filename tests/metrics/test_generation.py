"""Scores of samples: zero for the same distribution, large for fakes, and repeatable."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance
from sklearn.datasets import make_moons
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklseq.metrics import (
    SampleScorer,
    SyntheticTrainingScorer,
    classifier_two_sample_score,
    density_coverage,
    energy_distance,
    maximum_mean_discrepancy,
    nearer_to_train_share,
    neg_classifier_two_sample,
    neg_energy_distance,
    neg_sliced_wasserstein,
    sample_coverage,
    sequence_summaries,
    sliced_wasserstein_distance,
    train_synthetic_test_real_score,
)

DISTANCES = [energy_distance, sliced_wasserstein_distance, maximum_mean_discrepancy]


def moons(seed, n=300):
    return make_moons(n, noise=0.1, random_state=seed)[0]


def fake(seed=0, n=300):
    """Independent normal features with the moments of the moons: right where lines look."""
    X = moons(0, 5000)
    return np.random.default_rng(seed).multivariate_normal(X.mean(0), np.cov(X.T), n)


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_grow_with_the_difference(distance):
    same = distance(moons(0), moons(1))
    near, far = distance(moons(0), fake()), distance(moons(0), moons(1) + 3)
    assert same < 0.35 * near < near < far


@pytest.mark.parametrize("distance", [energy_distance, maximum_mean_discrepancy])
def test_unbiased_distances_average_zero(distance):
    rng = np.random.default_rng(0)
    values = [distance(rng.normal(size=(20, 2)), rng.normal(size=(30, 2))) for _ in range(300)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert min(values) < 0


def test_discrepancy_is_not_constant():
    # With a bandwidth that follows the samples, far fakes would all measure alike.
    values = [maximum_mean_discrepancy(moons(0), moons(1) + shift) for shift in (0, 0.3, 1, 2)]
    assert np.all(np.diff(values) > 0.01)


def test_sliced_wasserstein_in_one_dimension_is_the_distance_of_quantiles():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 1)), rng.normal(size=(45, 1)) + 5
    quantiles = np.linspace(0, 1, 200_001)[:-1] + 0.5 / 200_000
    functions = [np.sort(v[:, 0])[(quantiles * len(v)).astype(int)] for v in (a, b)]
    expected = np.sqrt(np.mean((functions[0] - functions[1]) ** 2))
    assert sliced_wasserstein_distance(a, b) == pytest.approx(expected, rel=1e-3)
    assert sliced_wasserstein_distance(a, b) >= wasserstein_distance(a[:, 0], b[:, 0])


def test_trees_tell_a_fake_with_the_right_moments():
    assert classifier_two_sample_score(moons(0, 1000), fake(n=1000)) > 0.7
    assert classifier_two_sample_score(moons(0), moons(1)) == pytest.approx(0.5, abs=0.07)


def test_classes_of_unequal_size_weigh_the_same():
    assert classifier_two_sample_score(moons(0, 500), moons(1, 50)) == pytest.approx(0.5, abs=0.1)


def test_density_and_coverage():
    density, coverage = density_coverage(moons(0, 500), moons(1, 500))
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.03)
    half = moons(1, 500)
    half = half[half[:, 1] > 0.25]
    assert density_coverage(moons(0, 500), half)[1] < 0.7
    assert density_coverage(moons(0, 500), moons(1, 500) + 9) == (0, 0)
    with pytest.raises(ValueError, match="n_neighbors=5 must be from 1 to 3"):
        density_coverage(moons(0, 4), moons(1))


def test_copies_are_nearer_to_train():
    train, held, new = moons(0), moons(1), moons(2)
    assert nearer_to_train_share(train, held, train) == 1
    assert nearer_to_train_share(train, held, new) == pytest.approx(0.5, abs=0.1)
    # More training rows would lie nearer by their number alone.
    assert nearer_to_train_share(moons(0, 3000), held, new) == pytest.approx(0.5, abs=0.1)


def test_samples_train_a_classifier_for_real_rows():
    X, y = make_moons(300, noise=0.1, random_state=0)
    S, labels = make_moons(300, noise=0.1, random_state=1)
    classifier = KNeighborsClassifier()
    assert train_synthetic_test_real_score(classifier, X, y, S, labels) > 0.95
    assert train_synthetic_test_real_score(classifier, X, y, S, 1 - labels) < 0.05
    assert not hasattr(classifier, "classes_")


def test_results_repeat():
    for metric in (sliced_wasserstein_distance, classifier_two_sample_score):
        assert metric(moons(0, 60), fake(n=60)) == metric(moons(0, 60), fake(n=60))


def test_a_search_by_samples():
    grid = {"bandwidth": [0.05, 2.0]}
    ours = (neg_energy_distance, neg_classifier_two_sample, sample_coverage)
    for scoring in (*ours, SampleScorer(maximum_mean_discrepancy)):
        search = GridSearchCV(KernelDensity(), grid, scoring=scoring, cv=3).fit(moons(0))
        assert search.best_params_ == {"bandwidth": 0.05}
    model = KernelDensity(bandwidth=0.1).fit(moons(0))
    assert neg_sliced_wasserstein(model, moons(1)) == neg_sliced_wasserstein(model, moons(1))


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="2 of X, 3 of samples"):
        energy_distance(moons(0), np.zeros((4, 3)))


def test_a_mixture_scores_better_than_one_normal():
    X, held = moons(0), moons(1)
    scores = [
        energy_distance(held, GaussianMixture(k, random_state=0).fit(X).sample(300)[0])
        for k in (1, 8)
    ]
    assert scores[1] < scores[0]


def shuffled_columns(X, seed=0):
    """The same columns, each by itself."""
    return np.random.default_rng(seed).permuted(X, axis=0)


def tied_columns(seed, n=1000):
    """Three columns that hold nearly the same number: shuffled, few rows could be mistaken."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1)) + 0.1 * rng.normal(size=(n, 3))


@pytest.mark.parametrize("distance", DISTANCES)
def test_columns_that_no_longer_belong_together_are_told(distance):
    assert distance(moons(0), shuffled_columns(moons(1))) > 2 * distance(moons(0), moons(1))


def test_trees_tell_obvious_fakes():
    assert classifier_two_sample_score(moons(0), moons(1) + 2) > 0.9
    fake_rows = shuffled_columns(tied_columns(1))
    assert classifier_two_sample_score(tied_columns(0), fake_rows) > 0.9


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_know_no_order_of_rows_and_no_place(distance):
    X, S = moons(0), fake()
    turned = np.random.default_rng(0).permutation(len(X))
    assert distance(X[turned], S[turned]) == pytest.approx(distance(X, S))
    assert distance(X + 7, S + 7) == pytest.approx(distance(X, S))


class Labelled:
    """Draws moons, the asked for ones or the others."""

    def __init__(self, right):
        self.right = right

    def sample(self, n_samples, y, random_state):
        X, labels = make_moons(2 * n_samples, noise=0.1, random_state=random_state)
        wanted = y if self.right else 1 - y
        pools = [iter(X[labels == c]) for c in (0, 1)]
        return np.stack([next(pools[c]) for c in wanted])


def test_a_generator_is_scored_by_what_its_samples_teach():
    X, y = make_moons(100, noise=0.1, random_state=5)
    score = SyntheticTrainingScorer(KNeighborsClassifier())
    assert score(Labelled(True), X, y) > 0.95
    assert score(Labelled(False), X, y) < 0.05


class Repeats:
    """Draws one sequence again and again."""

    def sample(self, n_samples, random_state):
        return [np.arange(5.0)] * n_samples


def test_sequences_are_compared_by_what_tells_them():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=n) for n in rng.integers(2, 9, size=50)]
    table = sequence_summaries(X)
    np.testing.assert_array_equal(table[:, 0], [len(x) for x in X])
    np.testing.assert_allclose(table[:, 1], [x.mean() for x in X])
    np.testing.assert_allclose(table[:, 2], [x.std() for x in X])
    scorer = SampleScorer(energy_distance, features=sequence_summaries)
    assert scorer(Repeats(), X) < scorer(Repeats(), [np.arange(5.0)] * 50) == 0
    # Without being told, where they make no table; equal lengths do.
    plain = SampleScorer(energy_distance)
    assert plain(Repeats(), X) == scorer(Repeats(), X)
    frame = pd.concat({i: pd.DataFrame({"x": x}) for i, x in enumerate(X)})
    assert plain(Repeats(), frame) == scorer(Repeats(), X)
    table = rng.normal(size=(50, 5))
    assert plain(Repeats(), list(table)) == plain(Repeats(), table)


def test_generators_behind_a_scaler_are_compared_in_the_units_of_the_data():
    X = np.random.default_rng(0).normal([1000.0, 0.0], [100.0, 0.01], size=(200, 2))

    def ratio_of_deviations(X, samples):
        return np.abs(np.log(samples.std(axis=0) / X.std(axis=0))).max()

    pipeline = make_pipeline(StandardScaler(), KernelDensity(bandwidth=0.1)).fit(X)
    assert SampleScorer(ratio_of_deviations)(pipeline, X) > -0.2
    assert SampleScorer(ratio_of_deviations)(pipeline[-1:], X) < -1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: energy_distance(X[:1], X), "X has 1 row.*fewer folds"),
        (lambda X: maximum_mean_discrepancy(X, X[:1]), "samples has 1 row"),
        (lambda X: maximum_mean_discrepancy(X, X, bandwidth=0), "bandwidth == 0"),
        (lambda X: sliced_wasserstein_distance(X, X, n_projections=0), "n_projections == 0"),
    ],
)
def test_what_has_no_distance_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(moons(0, 10))
