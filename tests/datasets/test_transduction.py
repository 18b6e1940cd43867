"""Data sets of sequences to sequences: what stands in y is what the rule makes of X."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.datasets import load_g2p, make_addition, make_copy, make_reversal, make_scan

few = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**32 - 1)

# -- SCAN ----------------------------------------------------------------------------------


def meaning(words):
    """The actions of a command, from the outermost word down."""
    for joint in ("and", "after"):
        if joint in words:
            at = words.index(joint)
            first, second = meaning(words[:at]), meaning(words[at + 1 :])
            return first + second if joint == "and" else second + first
    verb, *rest = words
    if rest and rest[-1] in ("twice", "thrice"):
        return meaning(words[:-1]) * {"twice": 2, "thrice": 3}[rest[-1]]
    action = [] if verb == "turn" else [f"I_{verb.upper()}"]
    if not rest:
        return action
    turn = [f"I_TURN_{rest[-1].upper()}"]
    return {"around": (turn + action) * 4, "opposite": turn * 2 + action}.get(
        rest[0], turn + action
    )


@pytest.fixture(scope="module")
def scan():
    X, y, _, _ = make_scan()
    return [" ".join(words) for words in X], y


def test_scan_is_the_whole_grammar_and_its_meaning(scan):
    commands, actions = scan
    assert len(commands) == len(set(commands)) == 20_910
    for command, found in zip(commands, actions, strict=True):
        assert found.tolist() == meaning(command.split())


@pytest.mark.parametrize(
    ("split", "n_train", "n_test", "phrase"),
    [
        ("simple", 16_728, 4_182, None),
        ("length", 16_990, 3_920, None),
        ("jump", 14_670, 7_706, "jump"),
        ("turn_left", 21_890, 1_208, "turn left"),
        ("right", 15_225, 4_476, None),
        ("opposite_right", 15_225, 4_476, "opposite right"),
        ("around_right", 15_225, 4_476, "around right"),
        ("jump_around_right", 18_528, 1_173, "jump around right"),
    ],
)
def test_splits_have_the_published_sizes_and_nothing_in_common(
    split, n_train, n_test, phrase, scan
):
    commands, _ = scan
    X, y, train, test = make_scan(split, random_state=0)
    assert (len(train), len(test)) == (n_train, n_test)
    assert not set(train) & set(test)
    assert [" ".join(x) for x in X[:500]] == commands[:500]
    if split == "length":
        assert max(map(len, y[train])) == 22
        assert min(map(len, y[test])) == 24
    if phrase is not None:
        assert all(phrase in commands[i] for i in test)
        known = {commands[i] for i in train if phrase in commands[i]}
        assert known == ({phrase} if split in ("jump", "turn_left") else set())


def test_scan_leaves_turns_out_of_splits_by_template():
    for split, phrase in (("right", "turn right"), ("around_right", "turn around right")):
        X, _, train, test = make_scan(split)
        used = {" ".join(X[i]) for i in np.concatenate([train, test])}
        assert not any(phrase in command for command in used)


def test_scan_repeats_the_primitive_as_often_as_asked():
    X, _, train, _ = make_scan("jump")
    alone = [i for i in train if X[i].tolist() == ["jump"]]
    assert len(alone) == 0.1 * len(train)
    assert len(make_scan("jump", primitive_share=0)[2]) == len(train) - len(alone) + 1


def test_scan_has_other_cutoffs_and_draws():
    _, y, train, test = make_scan("length", length_cutoff=26)
    assert max(map(len, y[train])) <= 26 < min(map(len, y[test]))
    one, same, other = (make_scan(random_state=seed)[3] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert set(one) != set(other)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"split": "mcd1"}, "split must be one of"),
        ({"split": "length", "length_cutoff": 48}, "length_cutoff must be less than 48"),
        ({"length_cutoff": 0}, "length_cutoff"),
        ({"primitive_share": 1.0}, "primitive_share"),
        ({"primitive_share": np.nan}, "primitive_share"),
        ({"primitive_share": "10 %"}, "primitive_share"),
    ],
)
def test_wrong_parameters_of_scan_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        make_scan(**params)


# -- addition, copies, reversals -----------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 6), st.booleans(), seeds)
@few
def test_results_of_addition_are_right_and_no_sum_comes_twice(n_samples, n_digits, reverse, seed):
    X, y = make_addition(n_samples, n_digits=n_digits, reverse=reverse, random_state=seed)
    assert X.shape == y.shape == (n_samples,)
    sums = [x[::-1] if reverse else x for x in X]
    pairs = [tuple(map(int, s.split("+"))) for s in sums]
    assert [str(a + b) for a, b in pairs] == y.tolist()
    assert sums == [f"{a}+{b}" for a, b in pairs]  # no digits that say nothing
    assert max(map(max, pairs)) < 10**n_digits
    assert len({frozenset(pair) for pair in pairs}) == n_samples


def test_all_sums_of_digits():
    X, _ = make_addition(55, n_digits=1, random_state=0)
    assert len({frozenset(x.split("+")) for x in X}) == 55
    for params in ({"n_samples": 56, "n_digits": 1}, {"n_samples": 0}, {"n_digits": 18}):
        name = next(iter(params))
        with pytest.raises(ValueError, match=name):
            make_addition(**params)


@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 5), st.integers(2, 9), seeds)
@few
def test_copies_and_reversals(n_samples, low, more, n_symbols, seed):
    params = {"n_steps": (low, low + more), "n_symbols": n_symbols, "random_state": seed}
    X, turned = make_reversal(n_samples, **params)
    same, copies = make_copy(n_samples, **params)
    assert X.shape == turned.shape == copies.shape == (n_samples,)
    for x, a, b, c in zip(X, turned, same, copies, strict=True):
        assert low <= len(x) <= low + more
        assert set(x.tolist()) <= set(range(n_symbols))
        assert x.tolist() == a[::-1].tolist() == b.tolist() == c.tolist()
        assert not np.shares_memory(x, a)
        assert not np.shares_memory(b, c)


@pytest.mark.parametrize("make", [make_addition, make_copy, make_reversal])
def test_same_seed_same_data(make):
    before = np.random.get_state()[1].copy()
    one, two, other = (make(30, random_state=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    as_lists = [[[list(x) for x in part] for part in data] for data in (one, two, other)]
    assert as_lists[0] == as_lists[1] != as_lists[2]


@pytest.mark.parametrize("make", [make_copy, make_reversal])
def test_wrong_numbers_are_named(make):
    for name, value in (("n_samples", 0), ("n_steps", (3, 2)), ("n_steps", 0), ("n_symbols", 1)):
        with pytest.raises(ValueError, match=name):
            make(**{name: value})


# -- pronunciations ------------------------------------------------------------------------

CMUDICT = """;;; a comment
'TIS  T IH1 Z
READ  R EH1 D
READ(2)  R IY1 D
"""
NEW_CMUDICT = """'tis t ih1 z
read r eh1 d # past tense
read(2) r iy1 d
"""
TABS = "'TIS\tT IH1 Z\nREAD\tR EH1 D\tR IY1 D\n"
LINES = "'TIS\tT IH1 Z\r\nREAD\tR EH1 D\r\n\r\nREAD\tR IY1 D"


@pytest.mark.parametrize("text", [CMUDICT, NEW_CMUDICT, TABS, LINES])
def test_formats_of_dictionaries_mean_the_same(tmp_path, text):
    path = tmp_path / "words.dict"
    path.write_bytes(text.upper().encode())
    first, every = load_g2p(path), load_g2p(str(path), variants="all")
    assert first.data.tolist() == ["'TIS", "READ"]
    assert [" ".join(x) for x in first.target] == ["T IH1 Z", "R EH1 D"]
    assert every.data.tolist() == ["'TIS", "READ", "READ"]
    assert [" ".join(x) for x in every.target] == ["T IH1 Z", "R EH1 D", "R IY1 D"]
    for found in (first.references[-1], every.references[1], every.references[2]):
        assert [x.tolist() for x in found] == [["R", "EH1", "D"], ["R", "IY1", "D"]]
    X, y = load_g2p(path, return_X_y=True)
    assert X.tolist() == first.data.tolist()
    assert [x.tolist() for x in y] == [x.tolist() for x in first.target]


def test_pronunciations_that_differ_in_stress_alone_become_one(tmp_path):
    path = tmp_path / "words.dict"
    path.write_text("INCREASE  IH0 N K R IY1 S\nINCREASE(1)  IH1 N K R IY2 S\n")
    assert len(load_g2p(path, variants="all").data) == 2
    plain = load_g2p(path, variants="all", stress=False)
    assert [" ".join(x) for x in plain.target] == ["IH N K R IY S"]


def test_files_of_something_else_are_refused(tmp_path):
    path = tmp_path / "words.dict"
    path.write_text("TEA  T IY1\nREAD\n")
    with pytest.raises(ValueError, match=r"Line 2 of .*'READ', has no pronunciation"):
        load_g2p(path)
    path.write_text("TEA\tT IY1\t\tT IY\n")
    with pytest.raises(ValueError, match="Line 1"):
        load_g2p(path)
    path.write_bytes("DÉJÀ  D EY2 ZH AA1\n".encode("latin-1"))
    with pytest.raises(ValueError, match="encoding"):
        load_g2p(path)
    assert load_g2p(path, encoding="latin-1").data.tolist() == ["DÉJÀ"]
    with pytest.raises(ValueError, match="variants"):
        load_g2p(path, variants="second")
    with pytest.raises(FileNotFoundError):
        load_g2p(tmp_path / "nothing.dict")
