"""Tables in any container: read as what they are, given back as such, or refused by name."""

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import get_tags

from sklseq.autoencoder import Autoencoder
from sklseq.generative import AAE, GAN, VAE, GenerativeOverSampler, RealNVP, SequenceVAE
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.frames import ALL_KINDS
from sklseq.utils import all_estimators

# What few epochs have not learned is no matter here.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Posterior collapse", "ignore:Mode collapse", "ignore:n_components"
)
TABLES = [
    c
    for _, c in all_estimators()
    if issubclass(c, NeuralEstimator) and not {"target", "reader"} & c().get_params().keys()
]
GENERATORS = [c for c in TABLES if "conditional" in c().get_params()]
CONDITIONAL = [c for _, c in all_estimators() if "conditional" in c().get_params()]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
DAYS = pd.date_range("2024", periods=40)


def quick(cls, **settings):
    settings = {
        "max_epochs": 1,
        "hidden_layer_sizes": (8,),
        "n_layers": 2,
        "channels": (4,),
    } | settings
    settings = {"n_components": 2, "random_state": 0} | settings
    known = cls().get_params()
    return cls(**{k: v for k, v in settings.items() if k in known})


def mixed_kinds(cls):
    return getattr(cls, "_kinds", ()) == ALL_KINDS


@pytest.mark.parametrize("cls", TABLES)
@pytest.mark.parametrize("when", ["dates", "durations", "objects", "Oslo"])
def test_times_are_learned_or_refused_by_name(cls, when):
    times = {
        "dates": DAYS,
        "durations": DAYS - DAYS[0],
        "objects": [d.date() for d in DAYS],
        "Oslo": DAYS.tz_localize("Europe/Oslo"),
    }[when]
    frame = pd.DataFrame({"x": X[:, 0], "when": times})
    model = quick(cls)
    if mixed_kinds(cls):
        samples = model.fit(frame).sample(20, random_state=0)
        assert samples.dtypes.equals(frame.dtypes)
        assert samples["when"].between(frame["when"].min(), frame["when"].max()).all()
    else:
        with pytest.raises(TypeError, match="Column 'when'"):
            model.fit(frame)
    for array in (np.asarray(DAYS)[:, None], np.asarray(DAYS - DAYS[0])[:, None]):
        for wrong in (array, array.astype(object)):
            with pytest.raises(TypeError, match="feature 0, holds dates or durations"):
                model.fit(wrong)
    fitted = quick(cls).fit(X)
    if hasattr(fitted, "transform"):
        with pytest.raises(TypeError, match="dates or durations"):
            fitted.transform(np.asarray(DAYS)[:30].reshape(10, 3))


@pytest.mark.parametrize("cls", [VAE, AAE, GAN])
def test_dates_are_learned_as_numbers(cls):
    x = RNG.normal(size=600)
    when = pd.Timestamp("2024") + pd.to_timedelta(np.rint(100 * x), unit="D")
    frame = pd.DataFrame({"x": x, "when": when, "price": [Decimal(f"{v:.2f}") for v in x]})
    settings = {} if cls is GAN else {"n_components": 1}
    drawn = quick(cls, max_epochs=60, learning_rate=0.01, **settings).fit(frame).sample(600)
    assert all(isinstance(price, Decimal) for price in drawn["price"])
    numbers = [drawn["x"], drawn["when"].astype("int64"), drawn["price"].astype(float)]
    assert np.corrcoef(numbers).min() > 0.7


@pytest.mark.parametrize("cls", CONDITIONAL)
def test_labels_of_any_dtype_are_one(cls):
    codes = np.arange(40) % 2
    rows = np.repeat(X[:, :, None], 2, axis=2) if cls is SequenceVAE else X
    whole = quick(cls, conditional=True).fit(rows, codes)
    expected = whole.sample(4, y=[0, 1, 0, 1], random_state=0)
    same = [
        codes.astype(object),
        codes.tolist(),
        codes.astype(float),
        pd.Series(codes, dtype="Int64"),
        pd.Series(codes, dtype="category"),
        pd.Series(codes, dtype=object),
    ]
    for y in same:
        model = quick(cls, conditional=True).fit(rows, y)
        assert model.classes_.dtype.kind in "if"
        for asked in ([0, 1, 0, 1], np.array([0, 1, 0, 1], dtype=object)):
            assert_array_equal(model.sample(4, y=asked, random_state=0), expected)
    for y in (codes > 0, (codes > 0).astype(object), pd.Series(codes > 0, dtype="boolean")):
        model = quick(cls, conditional=True).fit(rows, y)
        assert model.classes_.tolist() == [False, True]
    words = np.array(["no", "yes"])[codes]
    for y in (words, words.astype(object), pd.Series(words), pd.Categorical(words)):
        model = quick(cls, conditional=True).fit(rows, y)
        assert_array_equal(model.sample(4, y=["no", "yes"] * 2, random_state=0), expected)
    with pytest.raises(TypeError, match="y holds dates"):
        quick(cls, conditional=True).fit(rows, DAYS)


@pytest.mark.parametrize("cls", TABLES)
def test_sparse_tables_are_read_as_dense_ones(cls):
    numbers = np.where(X > 0, X, 0)
    sparse = sp.csr_array(numbers)
    model, dense = quick(cls).fit(sparse), quick(cls).fit(numbers)
    names = [n for n in ("transform", "score_samples", "predict") if hasattr(model, n)]
    for name in names:
        assert_array_equal(getattr(model, name)(sparse), getattr(dense, name)(numbers))
    if cls in GENERATORS:
        assert_array_equal(model.sample(5, random_state=0), dense.sample(5, random_state=0))
    assert get_tags(model).input_tags.sparse
    columns = pd.DataFrame(numbers, columns=list("abc")).astype(pd.SparseDtype(float, 0.0))
    by_columns = quick(cls).fit(columns)
    for name in names:
        assert_array_equal(getattr(by_columns, name)(columns), getattr(dense, name)(numbers))


def test_one_hot_rows_go_into_an_autoencoder():
    words = RNG.choice(list("abcd"), size=(40, 2))
    for sparse_output in (True, False):
        encoder = OneHotEncoder(sparse_output=sparse_output)
        codes = make_pipeline(encoder, quick(Autoencoder)).fit_transform(words)
        assert codes.shape == (40, 2)


@pytest.mark.parametrize("cls", TABLES)
def test_polars_in_polars_out(cls):
    polars = pytest.importorskip("polars")
    whole = RNG.integers(5, size=40)
    numbers = polars.DataFrame({"a": X[:, 0], "k": whole})
    frames = [numbers]
    if mixed_kinds(cls):
        frames.append(numbers.with_columns(polars.Series("c", list("xy") * 20)))
    for frame in frames:
        model = quick(cls).fit(frame)
        assert model.feature_names_in_.tolist() == frame.columns
        if cls in GENERATORS:
            samples = model.sample(5, random_state=0)
            assert samples.schema == frame.schema
            by_pandas = quick(cls).fit(pd.DataFrame({n: frame[n].to_list() for n in frame.columns}))
            expected = by_pandas.sample(5, random_state=0)
            assert samples.to_dict(as_series=False) == expected.to_dict("list")
        if hasattr(model, "interpolate"):
            between = model.interpolate(frame[:1], frame[1:2], n_steps=3)
            assert between.schema == frame.schema
        if hasattr(model, "transform") and hasattr(model, "set_output"):
            assert isinstance(
                model.set_output(transform="polars").transform(frame), polars.DataFrame
            )


def test_oversampled_rows_come_back_in_their_container():
    y = np.repeat([0, 1], [28, 12])
    sampler = GenerativeOverSampler(quick(RealNVP), random_state=0)
    rows, classes = sampler.fit_resample(X, y)
    in_lists = sampler.fit_resample(X.tolist(), y.tolist())
    assert all(isinstance(part, list) for part in in_lists)
    assert_array_equal(in_lists[0], rows)
    one_hot = sampler.fit_resample(X, np.eye(2)[y])[1]
    assert_array_equal(one_hot.argmax(axis=1), classes)
    frame = sampler.fit_resample(X, pd.get_dummies(y))[1]
    assert_array_equal(frame.to_numpy().argmax(axis=1), classes)
    sparse = sampler.fit_resample(sp.csr_array(X), y)[0]
    assert_allclose(sparse.toarray(), rows)
    by_objects = sampler.fit_resample(X, y.astype(object))
    assert by_objects[1].dtype == object
    assert_array_equal(by_objects[0], rows)
    with pytest.raises(ValueError, match="Multilabel"):
        sampler.fit_resample(X, np.ones((40, 2), dtype=int))


def test_oversampled_polars_stay_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": X[:, 0], "c": list("xy") * 20})
    y = polars.Series("y", np.repeat([0, 1], [28, 12]))
    sampler = GenerativeOverSampler(quick(VAE), random_state=0)
    for classes in (y, y.to_frame()):
        rows, drawn = sampler.fit_resample(frame, classes)
        assert rows.schema == frame.schema
        assert type(drawn) is type(classes)
        assert len(rows) == len(drawn) == 56


def test_sequences_are_oversampled():
    y = np.repeat([0, 1], [28, 12])
    ragged = [RNG.normal(size=(n % 5 + 2, 2)) for n in range(40)]
    objects = np.empty(40, dtype=object)
    objects[:] = ragged
    sampler = GenerativeOverSampler(quick(SequenceVAE), random_state=0)
    for given in (ragged, objects, RNG.normal(size=(40, 4, 2))):
        rows, classes = sampler.fit_resample(given, y)
        assert type(rows) is type(given)
        assert len(rows) == len(classes) == 56
        assert all(np.array_equal(a, b) for a, b in zip(rows, given, strict=False))
        assert {np.shape(row)[1] for row in rows} == {2}
        assert sampler.n_features_in_ == 2
    panel = pd.concat([pd.DataFrame(x) for x in ragged], keys=range(40))
    with pytest.raises(TypeError, match="groupby"):
        sampler.fit_resample(panel, y)


@pytest.mark.parametrize("cls", TABLES)
def test_labels_and_targets_that_are_not_used_pass_in_silence(cls):
    model = quick(cls)
    several = np.c_[X[:, 0] > 0, X[:, 1] > 0].astype(int)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="y is not used")
        for y in (None, X[:, 0], X[:, :1], several, np.array(["a", "b"] * 20), X):
            model.fit(X, y)
    for y in (X[::-1], X[:30], pd.DataFrame(X[:30])):
        with pytest.warns(UserWarning, match="y is not used, but has"):
            model.fit(X, y)


def test_nullable_columns_say_where_they_are_missing():
    frame = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40)}).convert_dtypes()
    frame.iloc[3, 1] = pd.NA
    with pytest.raises(ValueError, match=r"NaN at row 3, feature 1 \('b'\)"):
        quick(Autoencoder).fit(frame)
    with pytest.raises(ValueError, match="Column 'b' is missing"):
        quick(RealNVP).fit(frame)
    assert quick(VAE).fit(frame).sample(5).dtypes.equals(frame.dtypes)


def test_dates_as_objects_are_refused_where_numbers_are_needed():
    with pytest.raises(TypeError, match="'day'"):
        quick(Autoencoder).fit(pd.DataFrame({"day": [datetime.date(2024, 1, 1)] * 40}))


def test_files_hold_columns_of_all_kinds():
    skops = pytest.importorskip("skops.io")
    word = RNG.choice(list("abc"), 40)
    frame = pd.DataFrame(
        {
            "x": X[:, 0],
            "word": word,
            "again": word,
            "when": DAYS.tz_localize("Europe/Oslo"),
            "day": [d.date() for d in DAYS],
            "late": pd.Series(DAYS).where(np.arange(40) % 2 > 0),
            "price": [Decimal(i) for i in range(40)],
            "sparse": pd.arrays.SparseArray(RNG.integers(2, size=40).astype(float)),
        }
    )
    model = quick(VAE).fit(frame)
    stored = skops.dumps(model)
    trusted = skops.get_untrusted_types(data=stored)
    assert all(name.startswith("sklseq.") for name in trusted)
    samples = skops.loads(stored, trusted=trusted).sample(9, random_state=0)
    pd.testing.assert_frame_equal(samples, model.sample(9, random_state=0))
