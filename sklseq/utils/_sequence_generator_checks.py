"""Checks of estimators that draw sequences, beside those of rows of a table."""

import pickle
from typing import Any

import numpy as np
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from sklseq.utils._check_data import dense_data, fitted, flattened, ragged_data

__all__ = ["SEQUENCE_GENERATOR_CHECKS"]


def check_ragged_gives_ragged(estimator: Any) -> None:
    """Samples and decoded codes are a 1-D object array of sequences as those of training."""
    X = ragged_data()
    vectors = np.array([None, *[x[:, 0] for x in X]], dtype=object)[1:]
    shortest, longest = min(map(len, X)), max(map(len, X))
    for data, n_dims in ((X, 2), (list(X), 2), (vectors, 1)):
        model = fitted(estimator, data)
        codes = model.transform(data)[:9]
        for sequences in (model.sample(9, random_state=0), model.inverse_transform(codes)):
            assert sequences.dtype == object, "ragged data give samples that are not ragged"
            assert sequences.shape == (9,), f"9 sequences have shape {sequences.shape}"
            for x in sequences:
                assert x.ndim == n_dims, f"a sequence of shape {x.shape}"
                assert n_dims == 1 or x.shape[1] == 2, f"a sequence of shape {x.shape}"
                assert shortest <= len(x) <= longest, f"{len(x)} steps, which was never seen"
                assert np.isfinite(x).all(), "samples are not finite"
        assert len({len(x) for x in model.sample(50, random_state=0)}) > 1, "one length only"


def check_dense_gives_dense(estimator: Any) -> None:
    """Samples have the shape and type of a 3-D array."""
    for dtype in (np.float64, np.float32):
        X = dense_data().astype(dtype)
        samples = fitted(estimator, X).sample(3, random_state=0)
        assert samples.shape == (3, *X.shape[1:]), f"{X.shape} data give {samples.shape} samples"
        assert samples.dtype == dtype, f"{samples.dtype} samples from {np.dtype(dtype)} data"


def check_reconstructions_are_like_the_data(estimator: Any) -> None:
    """Each has the length of its sequence."""
    X = ragged_data()
    back = fitted(estimator, X).reconstruct(X)
    assert [x.shape for x in back] == [x.shape for x in X]


def check_sequences_depend_on_their_seed_alone(estimator: Any) -> None:
    """Also once stored; another seed gives other sequences, and the model stays as it is."""
    model = fitted(estimator, ragged_data())
    before = pickle.dumps(model)
    drawn = flattened(model.sample(5, random_state=3))
    for again in (model, pickle.loads(before)):
        assert_array_equal(flattened(again.sample(5, random_state=3)), drawn)
    assert len(drawn) != len(other := flattened(model.sample(5, random_state=4))) or (
        (drawn != other).any()
    ), "another seed gives the same sequences"
    assert pickle.dumps(model) == before, "sampling changes the model"


def check_class_of_sequences(estimator: Any) -> None:
    """Level and length of a sequence are those of the class asked for."""
    X, y = _classes()
    model = fitted(estimator, X, y, conditional=True)
    for asked, level, length in (("long", -20, 9), ("short", 20, 3)):
        for x in model.sample(50, y=asked, random_state=0):
            assert abs(x.mean() - level) < 20, f"{asked!r} asked for, its level is {x.mean():.0f}"
            assert abs(len(x) - length) <= 1, f"{asked!r} asked for, it has {len(x)} steps"
    assert_array_equal(model.transform(X), model.transform(X, y), "classes are not recognized")


def _classes(n: int = 80) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    y = np.where(np.arange(n) % 4 == 0, "short", "long")
    X = np.empty(n, dtype=object)
    X[:] = [
        rng.normal(20 if c == "short" else -20, 1, size=(rng.integers(-1, 2) + length, 2))
        for c, length in zip(y, np.where(y == "short", 3, 9), strict=True)
    ]
    return X, y


SEQUENCE_GENERATOR_CHECKS = [
    check_ragged_gives_ragged,
    check_dense_gives_dense,
    check_reconstructions_are_like_the_data,
    check_sequences_depend_on_their_seed_alone,
    check_class_of_sequences,
]
