"""Tables of all kinds of columns: what depends on what is kept, and so are shares and types."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklseq.generative import AAE, GAN, VAE, RealNVP


def dependent(n=1000, seed=0):
    """A number and its absence depend on a category, one of which is rare."""
    rng = np.random.default_rng(seed)
    town = rng.choice(["Bern", "Oslo", "Rome"], n, p=[0.03, 0.47, 0.5])
    visits = rng.poisson(np.where(town == "Oslo", 9, 2))
    wage = rng.normal(np.where(town == "Oslo", 10.0, -10.0), 1.0)
    wage[(town == "Rome") & (rng.random(n) < 0.8)] = np.nan
    return pd.DataFrame({"town": town, "visits": visits, "wage": wage})


QUICK = {"max_epochs": 40, "learning_rate": 1e-2, "lr_schedule": "cosine", "random_state": 0}
QUITE = QUICK | {"learning_rate": 5e-3}
MODELS = {
    "vae": VAE(n_components=4, **QUITE | {"max_epochs": 120}),
    "gan": GAN(hidden_layer_sizes=(64, 64), **QUITE | {"max_epochs": 60}),
}


@pytest.fixture(scope="module")
def vae():
    return clone(MODELS["vae"]).fit(dependent())


@pytest.fixture(scope="module")
def gan():
    return clone(MODELS["gan"]).fit(dependent())


@pytest.mark.parametrize("name", MODELS)
def test_dependence_is_kept(name, request):
    rows = request.getfixturevalue(name).sample(4000, random_state=0)
    oslo, rome = (rows[rows["town"] == town] for town in ("Oslo", "Rome"))
    assert oslo["wage"].mean() > 7
    assert rome["wage"].mean() < -5
    assert oslo["visits"].mean() > rome["visits"].mean() + 5
    assert oslo["wage"].isna().mean() < 0.15
    assert rome["wage"].isna().mean() == pytest.approx(0.8, abs=0.1)


def with_rare_values(seed, n=1000):
    """A category, a boolean and a missing value of 1 to 3 %, one of them by age."""
    frame, rng = dependent(n, seed), np.random.default_rng(seed + 100)
    age = rng.normal(40, 10, n)
    pet = np.where(age + rng.normal(0, 5, n) > 45, "cat", "dog")
    return frame.assign(
        age=age,
        pet=np.where(rng.random(n) < 0.01, "newt", pet),
        sick=rng.random(n) < 0.06 * (age > 40),
        height=np.where(rng.random(n) < 0.01, np.nan, rng.normal(170, 8, n)),
    )


def rare_shares(rows):
    rare = {"town": "Bern", "pet": "newt", "sick": True}
    shares = {name: (rows[name] == value).mean() for name, value in rare.items() if name in rows}
    missing = {name: rows[name].isna().mean() for name in ("height",) if name in rows}
    return pd.Series(shares | missing)


@pytest.mark.parametrize("columns", [["town", "visits", "wage"], slice(None)], ids=["few", "more"])
def test_a_gan_importance_samples_what_is_rare_as_often_as_it_was(columns):
    """On average over seeds: without candidates nearly, picked among them all but exactly."""
    kept = {1: [], 8: []}
    model = clone(MODELS["gan"]).set_params(batch_size=256, learning_rate=1e-2)
    for seed in range(4):
        frame = with_rare_values(seed).loc[:, columns]
        gan = clone(model).set_params(random_state=seed).fit(frame)
        for k, ratios in kept.items():
            rows = gan.set_params(n_candidates=k).sample(5000, random_state=0)
            ratios.append(rare_shares(rows) / rare_shares(frame))
    made, picked = (pd.DataFrame(ratios).mean() for ratios in kept.values())
    assert made.between(2 / 3, 4 / 3).all()
    assert picked.between(5 / 6, 7 / 6).all()


@pytest.mark.parametrize("name", MODELS)
def test_shares_of_categories_are_kept(name, request):
    rows = request.getfixturevalue(name).sample(4000, random_state=0)
    shares = rows["town"].value_counts(normalize=True)
    expected = dependent()["town"].value_counts(normalize=True)
    np.testing.assert_allclose(shares[expected.index], expected, atol=0.06)
    assert 0.01 < shares["Bern"] < 0.06


def test_the_bound_is_a_probability():
    """Over all that can be, it sums to at most one, and to nearly that."""
    rng = np.random.default_rng(0)
    count = rng.poisson(2, 400)
    frame = pd.DataFrame({"count": count, "odd": count % 2 == 1})
    frame["town"] = np.where(rng.random(400) < 0.5 + 0.4 * frame["odd"], "a", None)
    frame["town"] = frame["town"].astype("str")
    model = VAE(bound="iwae", n_importance_samples=64, **QUICK).fit(frame)
    every = pd.MultiIndex.from_product(
        [range(-20, 40), [True, False], ["a", None]], names=list(frame)
    ).to_frame(index=False)
    total = np.exp(model.score_samples(every.astype({"odd": bool, "town": "str"}))).sum()
    assert 0.85 < total < 1.02


def test_a_better_fit_has_a_better_score(vae):
    fresh = dependent(seed=1)
    shuffled = fresh.assign(town=fresh["town"].sample(frac=1, random_state=0).to_numpy())
    assert vae.score(fresh) > vae.score(shuffled) + 1
    odd = fresh[fresh["wage"].notna()].assign(wage=300.0)
    assert vae.score(odd) < vae.score(fresh) - 20


def test_numbers_far_out_have_the_least_score_there_is(vae):
    """However far they are, and whatever they are: real or whole."""
    frame = dependent(50).iloc[:1].assign(wage=-10.0)
    for name, dtype in (("wage", float), ("visits", int)):
        far = pd.concat([frame] * 4).assign(**{name: np.array([1e2, 1e8, 1e15, -1e15], dtype)})
        scores = vae.score_samples(far)
        assert np.isfinite(scores).all()
        assert scores.max() < vae.score_samples(frame) - 20
    assert np.isfinite(vae.score_samples(frame.assign(wage=1e39))).all()


few_epochs = pytest.mark.filterwarnings("ignore:Posterior collapse")


@few_epochs
def test_scores_are_in_the_units_of_the_data(vae):
    frame = dependent(400)
    there = frame["wage"].notna().to_numpy()
    settings = {"dtype": "float64", "max_epochs": 3, "random_state": 0}
    as_given = VAE(**settings).fit(frame)
    larger = frame.assign(wage=100 * frame["wage"])
    scaled = VAE(**settings).fit(larger)
    difference = as_given.score_samples(frame) - scaled.score_samples(larger)
    np.testing.assert_allclose(difference[~there], 0, atol=1e-4)
    np.testing.assert_allclose(difference[there], np.log(100), atol=1e-4)


@pytest.mark.parametrize("cls", [VAE, GAN])
def test_classes_have_rows_of_their_own(cls):
    frame = dependent(600)
    model = cls(conditional=True, **QUICK).fit(frame[["visits", "wage"]], frame["town"])
    oslo = model.sample(300, y="Oslo", random_state=0)
    rome = model.sample(300, y="Rome", random_state=0)
    assert oslo["wage"].mean() > 7
    assert rome["wage"].isna().mean() > 0.6
    if hasattr(model, "score_samples"):
        scores = model.score_samples(frame[["visits", "wage"]], y=frame["town"])
        assert scores.mean() > model.score_samples(frame[["visits", "wage"]], y="Bern").mean()


@few_epochs
def test_model_selection_and_pipelines_take_frames():
    frame = dependent(200)
    frame.loc[0, "town"] = "Oslo"
    search = GridSearchCV(VAE(max_epochs=5, random_state=0), {"n_components": [1, 2]}, cv=2)
    search.fit(frame)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    pipeline = make_pipeline(VAE(max_epochs=2, random_state=0)).set_output(transform="pandas")
    assert list(pipeline.fit_transform(frame).columns) == ["vae0", "vae1"]
    assert len(pipeline[0].interpolate(frame.iloc[[0]], frame.iloc[[1]])) == 10


def test_skops_stores_the_columns(vae):
    skops = pytest.importorskip("skops.io")
    stored = skops.dumps(vae)
    untrusted = skops.get_untrusted_types(data=stored)
    assert all(name.startswith("sklseq.") for name in untrusted)
    loaded = skops.loads(stored, trusted=untrusted)
    pd.testing.assert_frame_equal(loaded.sample(9, random_state=0), vae.sample(9, random_state=0))


@few_epochs
def test_training_goes_on_with_the_same_columns():
    frame = dependent(100)
    model = VAE(max_epochs=2, warm_start=True, random_state=0).fit(frame).fit(frame.iloc[:50])
    assert model.n_iter_ == 4
    with pytest.raises(ValueError, match="Column 'town' is 'Paris' at row 0"):
        model.fit(frame.assign(town="Paris"))


@few_epochs
def test_floats_alone_are_read_as_their_array():
    """Any other column, and draws are within the range seen."""
    frame = pd.DataFrame({"x": np.exp(np.random.default_rng(0).normal(size=100))})
    model = VAE(max_epochs=2, random_state=0)
    of_array = model.fit(frame.to_numpy()).score_samples(frame.to_numpy())
    np.testing.assert_array_equal(model.fit(frame).score_samples(frame), of_array)
    model.fit(frame.assign(large=frame["x"] > 1))
    drawn = model.sample(500, random_state=0)["x"]
    assert drawn.between(frame["x"].min(), frame["x"].max()).all()


@few_epochs
def test_bernoulli_takes_integers_and_booleans_as_their_numbers():
    bits = np.random.default_rng(0).random((60, 3)) < 0.4
    frame = pd.DataFrame(bits, columns=list("abc")).astype({"a": "int8", "b": "boolean"})
    model = VAE(likelihood="bernoulli", max_epochs=2, random_state=0)
    of_array = model.fit(bits.astype(float)).score_samples(bits.astype(float))
    np.testing.assert_array_equal(model.fit(frame).score_samples(frame), of_array)
    for rows in (model.sample(5), model.inverse_transform(model.transform(frame))):
        assert (rows.dtypes == frame.dtypes).all()
        assert rows.isin([0, 1]).all(axis=None)
    for array in (bits, bits.astype(np.int8)):
        np.testing.assert_array_equal(model.fit(array).score_samples(array), of_array)
        assert model.sample(5).dtype == array.dtype
    with pytest.raises(ValueError, match="X is 2 at row 0, feature 0"):
        model.fit(np.full((9, 1), 2))
    for wrong, error, words in (
        (frame.assign(b="x"), TypeError, "Column 'b' has dtype .*leave likelihood='gaussian'"),
        (frame.assign(a=0.5 * frame["a"].where(bits[:, 0])), ValueError, "Column 'a' is missing"),
        (frame.assign(a=2), ValueError, "X is 2 at row 0, feature 0"),
    ):
        with pytest.raises(error, match=words):
            model.fit(wrong)


@few_epochs
def test_booleans_of_an_array_are_nothing_else():
    model = VAE(max_epochs=2, random_state=0).fit(np.eye(30, 2) > 0)
    with pytest.raises(ValueError, match=r"Column 1 is 0\.5 at row 3, which is not a boolean"):
        model.score_samples([[0, 1], [1, 1], [0, 0], [0, 0.5]])


def test_few_rows_are_enough():
    frame = dependent(50).iloc[:1]
    with pytest.warns(ConvergenceWarning, match="Posterior collapse"):
        model = VAE(n_components=1, max_epochs=1, random_state=0).fit(frame)
    assert (model.sample(3)["town"] == frame["town"][0]).all()


@pytest.mark.parametrize("cls", [VAE, AAE, GAN])
@pytest.mark.parametrize("wrong", [np.nan, "two"])
def test_arrays_of_what_is_no_number_should_be_frames(cls, wrong):
    X = np.ones((9, 2), dtype=object)
    X[3, 1] = wrong
    with pytest.raises(ValueError, match=r"(NaN|string).*Or pass a DataFrame"):
        cls().fit(X)


# -- flows: numbers alone ------------------------------------------------------------------


def test_flows_spread_whole_numbers():
    """Noise of width one makes a density of a probability, and a flow of no layers is normal."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"n": rng.poisson(50, 2000), "x": rng.normal(size=2000)})
    flow = RealNVP(n_layers=0, max_epochs=40, learning_rate=0.02, lr_schedule="cosine")
    flow.set_params(random_state=0, dtype="float64").fit(frame[["n"]])
    at = pd.DataFrame({"n": np.arange(0, 120)})
    probability = np.exp(flow.score_samples(at))
    assert 0.97 < probability.sum() <= 1
    mean, spread = frame["n"].mean(), np.sqrt(frame["n"].var(ddof=0) + 1 / 12)
    np.testing.assert_allclose(probability, norm.pdf(at["n"], mean, spread), atol=0.005)
    both = RealNVP(n_layers=2, max_epochs=2, random_state=0).fit(frame)
    rows = both.sample(20, random_state=0)
    assert (rows.dtypes == frame.dtypes).all()
    np.testing.assert_array_equal(both.score_samples(frame), both.score_samples(frame))


def test_flows_spread_large_whole_numbers_as_small_ones():
    small = pd.DataFrame({"n": np.arange(50), "x": np.random.default_rng(0).normal(size=50)})
    large = small.assign(n=small["n"] + 10**8)
    of_small, of_large = (RealNVP(max_epochs=2, random_state=0).fit(f) for f in (small, large))
    np.testing.assert_array_equal(of_small.score_samples(small), of_large.score_samples(large))
    drawn = of_small.sample(200, random_state=0)
    pd.testing.assert_frame_equal(
        of_large.sample(200, random_state=0), drawn.assign(n=drawn["n"] + 10**8)
    )
    assert drawn["n"].nunique() > 25


def test_flows_name_the_column_that_is_not_a_number():
    frame = dependent(50)
    row = frame["wage"].isna().argmax()
    flow = RealNVP(max_epochs=1).fit(pd.DataFrame(np.eye(50, 1), columns=["wage"]))
    for call in (RealNVP().fit, flow.score_samples):
        words = "'wage' has dtype str.*OrdinalEncoder.*take VAE or GAN"
        with pytest.raises(TypeError, match=words):
            call(frame[["town"]].set_axis(["wage"], axis=1))
        words = f"'wage' is missing .* at row {row}.*SimpleImputer.*VAE"
        with pytest.raises(ValueError, match=words):
            call(frame[["wage"]])


def test_codes_that_stand_for_no_row_are_refused_by_place():
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    flow = RealNVP(conditional=True, max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="y is needed"):
        flow.inverse_transform(X)
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="Z contains NaN at row 3, feature 1"):
        flow.inverse_transform(X, y)


def test_a_table_without_columns_and_an_infinite_number_are_named():
    with pytest.raises(ValueError, match="no columns"):
        VAE().fit(pd.DataFrame(index=range(5)))
    frame = dependent(20)
    frame.loc[3, "wage"] = -np.inf
    with pytest.raises(ValueError, match=r"'wage' is -inf at row 3.*make it missing"):
        VAE().fit(frame)


def test_columns_that_are_always_equal_stay_equal():
    rng = np.random.default_rng(0)
    letter = rng.choice(["a", "b", "c"], size=500)
    frame = pd.DataFrame({"u": letter, "v": letter, "x": rng.normal(size=500)})
    for cls in (VAE, GAN, AAE):
        samples = cls(**QUICK | {"max_epochs": 3}).fit(frame).sample(300, random_state=0)
        assert (samples["u"] == samples["v"]).all()


def test_missing_values_are_filled_in_with_what_is_expected():
    rng = np.random.default_rng(0)
    z = rng.normal(size=500)
    frame = pd.DataFrame(
        {
            "x": z,
            "count": np.rint(10 * z).astype(int),
            "sign": np.where(z > 0, "plus", "minus"),
            "when": pd.Timestamp("2024") + pd.to_timedelta(np.rint(100 * z), unit="D"),
        }
    )
    model = VAE(n_components=1, **QUICK).fit(frame)
    hidden = frame.copy()
    hidden.loc[::3, "sign"] = None
    hidden["count"] = frame["count"].where(np.arange(500) % 3 != 1)
    hidden.loc[2::3, "when"] = pd.NaT
    filled = model.impute(hidden)
    assert filled.dtypes.equals(frame.dtypes)
    for name, known in hidden.notna().items():
        assert (filled[name] == frame[name])[known].all()
    assert (filled["sign"] == frame["sign"]).mean() > 0.9
    assert np.corrcoef(filled["count"], frame["count"])[0, 1] > 0.9
    numbers = frame[["x", "count"]].to_numpy(dtype=float) / [1, 10]
    rows = numbers.copy()
    rows[::2, 1] = np.nan
    by_rows = VAE(n_components=1, **QUICK).fit(numbers).impute(rows)
    assert np.corrcoef(by_rows[::2, 1], numbers[::2, 1])[0, 1] > 0.9
    assert np.array_equal(by_rows[1::2], numbers[1::2])
