"""The Japanese Vowels data: the official split, whole and as it was published."""

import numpy as np
import pytest

from sklseq.datasets import load_japanese_vowels

# Utterances of each speaker, from the description at the UCI repository.
OFFICIAL = {"train": [30] * 9, "test": [31, 35, 88, 44, 29, 24, 40, 50, 29]}


@pytest.mark.parametrize("subset", ["train", "test"])
def test_official_split(subset):
    vowels = load_japanese_vowels(subset=subset)
    assert vowels.subset == subset
    assert vowels.data.shape == vowels.target.shape == (sum(OFFICIAL[subset]),)
    np.testing.assert_array_equal(vowels.target, np.repeat(np.arange(1, 10), OFFICIAL[subset]))


def test_all_is_train_followed_by_test():
    X, y = load_japanese_vowels(subset="all", return_X_y=True)
    parts = [load_japanese_vowels(subset=part, return_X_y=True) for part in ("train", "test")]
    np.testing.assert_array_equal(y, np.concatenate([part[1] for part in parts]))
    expected = [sequence for part in parts for sequence in part[0]]
    assert all(np.array_equal(a, b) for a, b in zip(X, expected, strict=True))


def test_sequences_are_finite_float64_of_7_to_29_steps():
    X, _ = load_japanese_vowels(subset="all", return_X_y=True)
    assert X.dtype == object
    assert {x.dtype for x in X} == {np.dtype(np.float64)}
    assert {x.shape[1] for x in X} == {12}
    lengths = [len(x) for x in X]
    assert (min(lengths), max(lengths)) == (7, 29)
    assert np.isfinite(np.concatenate(X)).all()


def test_values_are_those_of_the_published_text():
    # The source has six decimals; these are the first number in it, and all in that form.
    X, _ = load_japanese_vowels(return_X_y=True)
    assert X[0][0, 0] == 1.860936
    values = np.concatenate(X)
    np.testing.assert_array_equal(values, [[float(f"{v:.6f}") for v in row] for row in values])


def test_bunch_describes_itself():
    vowels = load_japanese_vowels()
    X, y = load_japanese_vowels(return_X_y=True)
    np.testing.assert_array_equal(vowels.target, y)
    assert all(np.array_equal(a, b) for a, b in zip(vowels.data, X, strict=True))
    assert len(vowels.feature_names) == 12
    assert len(vowels.target_names) == len(set(y)) == 9
    for word in ("Kudo", "CC BY 4.0", "UCI"):
        assert word in vowels.DESCR


def test_callers_cannot_spoil_each_others_data():
    load_japanese_vowels().data[0][:] = np.nan
    load_japanese_vowels().feature_names.clear()
    again = load_japanese_vowels()
    assert np.isfinite(again.data[0]).all()
    assert again.feature_names


@pytest.mark.parametrize("subset", ["validation", "", None, 1, ["train"]])
def test_unknown_subset_is_named(subset):
    with pytest.raises(ValueError, match="subset"):
        load_japanese_vowels(subset=subset)
