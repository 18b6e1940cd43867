"""Sequences are drawn as they were: groups, lengths, and what goes on from step to step."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklseq.generative import SequenceVAE
from sklseq.metrics import (
    SyntheticTrainingScorer,
    energy_distance,
    neg_energy_distance,
    sequence_summaries,
)
from sklseq.preprocessing import PerStep


def two_groups(n=120, seed=0):
    """Long sequences around 0, short ones around 100."""
    rng = np.random.default_rng(seed)
    X = np.empty(n, dtype=object)
    for i in range(n):
        level, lengths = (100, (3, 6)) if i % 3 else (0, (9, 13))
        X[i] = rng.normal(level, 10, size=rng.integers(*lengths))
    return X


QUICK = {"n_components": 2, "hidden_size": 16, "learning_rate": 0.02, "lr_schedule": "cosine"}
QUICK |= {"random_state": 0}
TINY = {"n_components": 2, "hidden_size": 4, "max_epochs": 1, "random_state": 0}


def test_two_groups_keep_their_levels_and_lengths():
    model = SequenceVAE(max_epochs=60, **QUICK).fit(two_groups())
    samples = model.sample(300, random_state=0)
    means = np.array([x.mean() for x in samples])
    lengths = np.array([len(x) for x in samples])
    long = lengths >= 9
    assert np.mean(long) == pytest.approx(1 / 3, abs=0.1)
    assert ((lengths >= 3) & (lengths <= 12)).all()
    assert np.median(means[long]) == pytest.approx(0, abs=5)
    assert np.median(means[~long]) == pytest.approx(100, abs=5)
    assert np.mean((means < 50) == long) > 0.95
    # The model prefers what it was trained on to the same with the levels exchanged.
    held = two_groups(seed=1)
    assert model.score(held) > model.score([100 - x for x in held]) + 5
    assert model.active_units_.any()


# The noise explains all of it, and no latent variable is needed.
@pytest.mark.filterwarnings("ignore:Posterior collapse")
def test_samples_go_on_from_step_to_step_as_the_data_do():
    rng = np.random.default_rng(0)

    def correlated(n):
        x = np.zeros((n, 30))
        x[:, 0] = rng.normal(size=n) / np.sqrt(1 - 0.8**2)
        for t in range(1, 30):
            x[:, t] = 0.8 * x[:, t - 1] + rng.normal(size=n)
        return x

    def autocorrelation(x):
        return np.mean(x[:, 1:] * x[:, :-1]) / np.mean(x**2)

    X = correlated(100)
    model = SequenceVAE(n_components=2, hidden_size=8, learning_rate=0.02, random_state=0)
    samples = model.set_params(max_epochs=30).fit(X).sample(200, random_state=0)
    assert autocorrelation(samples) == pytest.approx(autocorrelation(X), abs=0.08)
    assert samples.std() == pytest.approx(X.std(), rel=0.15)


def test_codes_fitted_after_training_are_those_that_the_decoder_knows():
    X = two_groups(60)
    settings = QUICK | {"beta": 0.01, "max_epochs": 40}  # codes may lie far from the prior
    prior = SequenceVAE(**settings).fit(X)
    fitted = SequenceVAE(latent_prior="gmm", **settings).fit(X)
    np.testing.assert_array_equal(fitted.score_samples(X), prior.score_samples(X))

    def distance(model):
        samples = model.sample(300, random_state=0)
        summaries = [[[x.mean() / 50, len(x) / 4] for x in xs] for xs in (X, samples)]
        return energy_distance(*summaries)

    assert distance(fitted) < 0.2 * distance(prior)


def test_bounds_are_in_order_and_shift_with_the_units():
    X = two_groups(30)
    settings = TINY | {"hidden_size": 8, "max_epochs": 10, "dtype": "float64"}
    elbo = SequenceVAE(**settings).fit(X)
    iwae = SequenceVAE(bound="iwae", n_importance_samples=64, **settings).fit(X)
    assert iwae.score(X) > elbo.score(X)
    thousandths = SequenceVAE(**settings).fit([1000 * x for x in X])
    shift = np.log(1000) * np.array([len(x) for x in X])
    np.testing.assert_allclose(
        thousandths.score_samples([1000 * x for x in X]), elbo.score_samples(X) - shift, rtol=1e-6
    )


@pytest.mark.filterwarnings("ignore:Posterior collapse")
@pytest.mark.parametrize(
    ("scoring", "dense"), [(None, False), (neg_energy_distance, False), (neg_energy_distance, True)]
)
def test_model_selection_by_likelihood_and_by_samples(scoring, dense):
    """The trained model wins, whatever the score and the container."""
    X = two_groups(40)
    if dense:
        X = np.stack([x[:3] for x in X])[:, :, None]
    search = GridSearchCV(SequenceVAE(**QUICK), {"max_epochs": [1, 30]}, scoring=scoring, cv=2)
    assert search.fit(X).best_params_ == {"max_epochs": 30}


# Class and noise explain nearly all of it.
@pytest.mark.filterwarnings("ignore:Posterior collapse")
def test_a_classifier_learns_from_samples_of_sequences():
    X = two_groups(60)
    y = np.array([len(x) > 8 for x in X])
    classifier = make_pipeline(FunctionTransformer(sequence_summaries), KNeighborsClassifier(3))
    model = SequenceVAE(conditional=True, max_epochs=40, **QUICK).fit(X, y)
    assert SyntheticTrainingScorer(classifier)(model, X, y) > 0.95


def test_in_a_pipeline_behind_a_scaler():
    X = two_groups(60)
    pipeline = make_pipeline(PerStep(StandardScaler()), SequenceVAE(max_epochs=40, **QUICK)).fit(X)
    alone = SequenceVAE(max_epochs=40, **QUICK).fit(X)
    # Steps are standardised in the model, so that the scaler changes nothing but the units.
    scale = pipeline[0].transformer_.scale_[0]
    lengths = np.array([len(x) for x in X])
    np.testing.assert_allclose(
        pipeline.score_samples(X) - lengths * np.log(scale), alone.score_samples(X), rtol=0.05
    )
    assert pipeline.transform(X).shape == (60, 2)
    samples = pipeline[0].inverse_transform(pipeline[-1].sample(200, random_state=0))
    assert np.median([x.mean() for x in samples if len(x) > 8]) < 30
    assert np.median([x.mean() for x in samples if len(x) < 6]) > 70


def test_collapse_is_told():
    with pytest.warns(ConvergenceWarning, match="Posterior collapse"):
        SequenceVAE(beta=1000, batch_size=8, learning_rate=0.05, **TINY | {"max_epochs": 20}).fit(
            two_groups(30)
        )


def test_interpolation_ends_at_both_sequences_codes():
    X = two_groups(30)
    model = SequenceVAE(n_components=2, hidden_size=8, max_epochs=3, random_state=0).fit(X)
    path = model.interpolate(X[0], X[1], n_steps=4)
    ends = model.inverse_transform(model.transform(X[:2]))
    assert path.shape == (4,)
    for x, expected in zip((path[0], path[-1]), ends, strict=True):
        np.testing.assert_allclose(x, expected, rtol=1e-5)


def test_codes_of_other_shape_and_wrong_lengths_are_refused():
    model = SequenceVAE(**TINY).fit(two_groups(9))
    with pytest.raises(ValueError, match="Z has 3 features, expected 2"):
        model.inverse_transform(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="2 whole numbers of at least 1"):
        model.inverse_transform(np.zeros((2, 2)), lengths=[3, 0])
    assert [len(x) for x in model.inverse_transform(np.zeros((2, 2)), lengths=[3, 40])] == [3, 40]


@pytest.mark.parametrize("X", [["ab", "abc"], [["a", "b"], ["c"]]])
def test_symbols_are_refused_in_words(X):
    with pytest.raises(ValueError, match=r"SequenceVAE takes numbers: encode them first.*one-hot"):
        SequenceVAE().fit(X)


def test_lengths_never_seen_have_finite_scores():
    model = SequenceVAE(**TINY).fit(two_groups(9))
    assert np.isfinite(model.score_samples([np.zeros(1), np.zeros(7), np.zeros(500)])).all()


def test_longer_sequences_need_a_new_fit():
    X = two_groups(20)
    model = SequenceVAE(max_epochs=1, hidden_size=4, warm_start=True, random_state=0).fit(X)
    longer = np.array([np.zeros(5), np.ones(20)], dtype=object)
    words = r"Sequence 1 has 20 steps, .* at most 12.*warm_start=False"
    with pytest.raises(ValueError, match=words):
        model.fit(longer)


@pytest.mark.filterwarnings("ignore:Posterior collapse")
def test_a_series_of_sequences_is_read_by_position():
    X = two_groups(20)
    series = pd.Series(list(X), index=np.arange(100, 120))
    model = SequenceVAE(**TINY)
    of_array, of_series = (model.fit(x).score_samples(x) for x in (X, series))
    np.testing.assert_array_equal(of_array, of_series)
