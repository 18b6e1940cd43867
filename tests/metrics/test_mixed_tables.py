"""Tables of all kinds of columns are compared as they are, each column by its kind."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklseq.generative import VAE
from sklseq.metrics import (
    SampleScorer,
    classifier_two_sample_score,
    density_coverage,
    energy_distance,
    maximum_mean_discrepancy,
    nearer_to_train_share,
    neg_energy_distance,
    sequence_summaries,
    sliced_wasserstein_distance,
    train_synthetic_test_real_score,
)

DISTANCES = [energy_distance, sliced_wasserstein_distance, maximum_mean_discrepancy]


def told(X, samples):
    """As quick as can be."""
    trees = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    return classifier_two_sample_score(X, samples, classifier=trees, cv=2)


METRICS = [*DISTANCES, told, density_coverage]


def mixed(seed=0, n=300):
    """Every kind of column, with missing values; all hang on the town."""
    rng = np.random.default_rng(seed)
    oslo = rng.random(n) < 0.4
    wage = np.exp(rng.normal(np.where(oslo, 9.0, 7.0), 0.5))
    wage[rng.random(n) < 0.1] = np.nan
    age = pd.array(rng.poisson(np.where(oslo, 50, 30)), dtype="Int64")
    age[rng.random(n) < np.where(oslo, 0.5, 0.05)] = pd.NA
    pet = pd.Series(np.where(rng.random(n) < 0.3, "cat", "dog")).where(rng.random(n) < 0.9)
    member = pd.array(oslo ^ (rng.random(n) < 0.1), dtype="boolean")
    member[rng.random(n) < 0.1] = pd.NA
    return pd.DataFrame(
        {
            "town": pd.Categorical(np.where(oslo, "Oslo", "Rome"), ["Rome", "Oslo", "Bern"]),
            "wage": wage,
            "age": age,
            "visits": rng.poisson(2, n),
            "pet": pet,
            "member": member,
            "sick": rng.random(n) < 0.2,
        }
    )


def shuffled(frame, seed=0):
    """Each column by itself."""
    columns = {
        name: s.sample(frac=1, random_state=seed + i) for i, (name, s) in enumerate(frame.items())
    }
    return pd.DataFrame({name: s.array for name, s in columns.items()})


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_grow_with_the_difference(distance):
    X, other, moved = mixed(0), mixed(1), mixed(2).assign(wage=lambda rows: rows["wage"] * 3)
    same = distance(X, other)
    assert same < 0.35 * distance(X, moved)
    assert same < 0.8 * distance(X, shuffled(other))
    assert energy_distance(X, other) == pytest.approx(0, abs=0.03)


def test_trees_tell_columns_that_no_longer_belong_together():
    X, other = mixed(0, 600), mixed(1, 600)
    assert classifier_two_sample_score(X, other) == pytest.approx(0.5, abs=0.06)
    assert classifier_two_sample_score(X, shuffled(other)) > 0.7


def test_density_coverage_and_copies():
    train, held, new = mixed(0), mixed(1), mixed(2)
    density, coverage = density_coverage(held, new)
    assert density == pytest.approx(1, abs=0.15)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.05)
    assert density_coverage(held, new[new["town"] == "Oslo"])[1] < 0.7
    assert nearer_to_train_share(train, held, train) > 0.99
    assert nearer_to_train_share(train, held, new) == pytest.approx(0.5, abs=0.1)


RENAMED = {"Rome": "z", "Oslo": "a", "Bern": "b"}


@pytest.mark.parametrize("metric", METRICS)
def test_names_say_nothing(metric):
    def renamed(frame):
        return frame.assign(
            town=frame["town"].astype(object).map(RENAMED),
            pet=frame["pet"].map({"dog": "x", "cat": "y"}),
            sick=np.where(frame["sick"], "a", "b"),
            member=frame["member"].map({True: "b", False: "c"}).astype("category"),
        )

    X, samples = mixed(0), shuffled(mixed(1))
    np.testing.assert_allclose(metric(renamed(X), renamed(samples)), metric(X, samples))


@pytest.mark.parametrize("metric", [*DISTANCES, density_coverage])
def test_rows_have_no_order(metric):
    X, samples = mixed(0), shuffled(mixed(1))
    for turned in ((X.iloc[::-1], samples), (X, samples.iloc[::-1])):
        np.testing.assert_allclose(metric(*turned), metric(X, samples))


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(
    "column", [{"town": "Bern"}, {"pet": "cow"}, {"sick": None}, {"visits": np.nan}], ids=str
)
def test_what_is_new_in_samples_differs(distance, column):
    X, samples = mixed(0), mixed(1)
    [(name, value)] = column.items()
    new = samples.assign(**{name: samples[name].astype(object).where(samples.index >= 90, value)})
    if name == "visits":
        new = new.astype({"visits": "Int64"})
    assert distance(X, new) > 1.3 * distance(X, samples)
    assert distance(samples, new) > distance(samples, samples)


def test_columns_count_alike():
    rng = np.random.default_rng(0)
    number, boolean = rng.normal(size=500), rng.random(500) < 0.5
    X = pd.DataFrame({"number": number, "boolean": boolean})
    by_unit = [
        energy_distance(X.assign(number=number * a), X[::-1].assign(number=number * a))
        for a in (1, 1e6)
    ]
    assert by_unit[0] == pytest.approx(by_unit[1], rel=0.05)
    words = X.assign(boolean=np.where(boolean, "yes", "no"))
    assert energy_distance(words, words[::-1].assign(number=number)) == pytest.approx(by_unit[0])


@pytest.mark.parametrize("metric", METRICS)
def test_floats_are_compared_in_their_units(metric):
    rng = np.random.default_rng(0)
    X, samples = rng.normal(size=(2, 80, 3)) * [1, 10, 100]
    frame, other = (pd.DataFrame(rows, columns=list("abc")) for rows in (X, samples))
    assert metric(frame, other) == metric(X, samples)
    assert metric(frame, samples) == metric(X, samples)
    other = other.astype({"a": "Float64"})
    other.loc[:, "a"] = pd.NA
    assert metric(frame, other) != metric(X, samples)


def test_missing_floats_are_as_far_as_others():
    X = pd.DataFrame({"a": np.random.default_rng(0).normal(5, 100, size=400)})
    none = X.assign(a=np.nan)
    typical = np.sqrt(np.mean((X.to_numpy() - X.to_numpy().T) ** 2))
    across = energy_distance(X, none) + np.abs(X.to_numpy() - X.to_numpy().T).sum() / (400 * 399)
    assert across / 2 == pytest.approx(typical, rel=0.15)
    assert energy_distance(none, none) == 0


@pytest.mark.parametrize("metric", METRICS)
def test_columns_are_matched_by_name(metric):
    for X in (mixed(0, 40), pd.DataFrame({"a": np.arange(9.0), "b": np.arange(9.0)})):
        first, *others = X.columns
        with pytest.raises(ValueError, match=rf"samples lack \['{first}'\], .* have \['new'\]"):
            metric(X, X.rename(columns={first: "new"}))
        with pytest.raises(ValueError, match=rf"another order than those of X: .*'{first}'"):
            metric(X, X[[*others, first]])
        with pytest.raises(ValueError, match=f"Column '{first}' occurs twice"):
            metric(X, X[[first, *X.columns]])
    with pytest.raises(ValueError, match="Columns of X_train and X differ"):
        nearer_to_train_share(X, X[others], X)


def test_kinds_are_matched_too():
    X = mixed(0, 40)
    with pytest.raises(ValueError, match="Column 'visits' is a number in X, but a category in sam"):
        energy_distance(X, X.assign(visits="many"))
    with pytest.raises(ValueError, match="is a number in X, but a time in samples"):
        energy_distance(X, X.assign(visits=pd.Timestamp(0)))
    with pytest.raises(ValueError, match=r"Column 'wage' is .*inf.* at row 0"):
        energy_distance(X, X.assign(wage=np.inf))


@pytest.mark.parametrize("metric", METRICS)
def test_arrays_say_where_a_value_is_missing(metric):
    X = np.arange(20.0).reshape(10, 2)
    samples = np.where(X == 7, np.nan, X)
    with pytest.raises(
        ValueError, match=r"Column 1 of samples is missing .* row 3: pass DataFrames"
    ):
        metric(X, samples)


@pytest.mark.parametrize("metric", METRICS)
def test_sequences_are_compared_by_their_summaries(metric):
    rng = np.random.default_rng(0)
    ragged, samples = (
        [rng.normal(size=(n, 2)) for n in rng.integers(2, 9, size=40)] for _ in range(2)
    )
    expected = metric(sequence_summaries(ragged), sequence_summaries(samples))
    objects = np.empty(40, dtype=object)
    objects[:] = samples
    assert metric(ragged, objects) == expected
    # Of equal length by chance, where those of the samples are not.
    equal = list(rng.normal(size=(40, 5)))
    rows = [sequence[:, 0] for sequence in ragged]
    assert metric(equal, rows) == metric(sequence_summaries(equal), sequence_summaries(rows))


def test_symbols_are_refused():
    with pytest.raises(ValueError, match="Sequences of symbols have no means"):
        energy_distance([["a", "b"], ["a"]], [["a"], ["b", "a"]])


def test_samples_teach_a_classifier():
    X, samples = mixed(0), mixed(1)
    y, labels = (rows["town"] == "Oslo" for rows in (X, samples))
    X, samples = (rows.drop(columns="town") for rows in (X, samples))
    neighbors = KNeighborsClassifier()
    assert train_synthetic_test_real_score(neighbors, X, y, samples, labels) > 0.85
    assert train_synthetic_test_real_score(neighbors, X, y, samples, ~labels) < 0.15
    # One that knows the columns gets the table.
    of_pets = make_column_transformer((OneHotEncoder(), ["pet"]))
    pipeline = make_pipeline(of_pets, LogisticRegression())
    is_cat = X["pet"] == "cat", samples["pet"] == "cat"
    assert train_synthetic_test_real_score(pipeline, X, is_cat[0], samples, is_cat[1]) == 1
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        train_synthetic_test_real_score(neighbors, X, y, samples, labels[:9])


def test_generators_are_tuned_on_mixed_tables():
    vae = VAE(n_components=2, learning_rate=0.01, random_state=0)
    search = GridSearchCV(vae, {"max_epochs": [1, 25]}, scoring=neg_energy_distance, cv=2)
    search.fit(mixed())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_ == {"max_epochs": 25}
    for metric in METRICS[:-1]:
        score = SampleScorer(metric)(search.best_estimator_, mixed(1))
        assert score == -metric(mixed(1), search.best_estimator_.sample(300, random_state=0))


def test_features_choose_columns():
    vae = VAE(n_components=2, max_epochs=1, random_state=0).fit(mixed())
    some = SampleScorer(energy_distance, features=lambda table: table[["wage", "pet"]])
    drawn = vae.sample(300, random_state=0)
    expected = energy_distance(mixed(1)[["wage", "pet"]], drawn[["wage", "pet"]])
    assert some(vae, mixed(1)) == -expected
