"""SCAN: commands, the actions they mean, and splits that ask for rules instead of likeness."""

import re
from itertools import product
from numbers import Real
from typing import Literal, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklseq.datasets._common import check_at_least, object_array

_ACTIONS = {
    "walk": ("I_WALK",),
    "look": ("I_LOOK",),
    "run": ("I_RUN",),
    "jump": ("I_JUMP",),
    "turn": (),
}
_TURNS = {"left": "I_TURN_LEFT", "right": "I_TURN_RIGHT"}
_SHARE_OF_TRAINING = 0.8

# By split: which phrases only test commands contain, and which none of either part does.
_HELD_OUT = {
    "jump": (r"jump.*", None),
    "turn_left": (r"turn left", None),
    "right": (r"\w+ right", "turn right"),
    "opposite_right": (r"\w+ opposite right", "turn opposite right"),
    "around_right": (r"\w+ around right", "turn around right"),
    "jump_around_right": (r"jump around right", "turn around right"),
}
# Of these the test phrase is known from training, by itself.
_ADDED_PRIMITIVES = {"jump": "jump", "turn_left": "turn left"}
_SPLITS = ("simple", "length", *_HELD_OUT)


class _Command(NamedTuple):
    """A command, what it means, and the phrases without "twice", "and", "after" in it."""

    text: str
    actions: tuple[str, ...]
    phrases: tuple[str, ...]


def make_scan(
    split: Literal[
        "simple",
        "length",
        "jump",
        "turn_left",
        "right",
        "opposite_right",
        "around_right",
        "jump_around_right",
    ] = "simple",
    *,
    length_cutoff: int = 22,
    primitive_share: float = 0.1,
    random_state: int | RandomState | None = None,
) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.int64], NDArray[np.int64]]:
    """Generate SCAN, a translation of commands to actions, and one of its splits.

    The grammar has 20,910 commands, such as "jump opposite left and walk thrice": a verb with or
    without a direction, "opposite" or "around"; once, "twice" or "thrice"; alone, or two such
    joined by "and" or "after". All are returned, with the rows to train and to test on.

    Parameters
    ----------
    split : str, default="simple"
        Which commands to test on, with the sizes of training and test set:

        - "simple": a fifth, drawn at random (16,728 and 4,182).
        - "length": those of more than `length_cutoff` actions (16,990 and 3,920).
        - "jump": those with "jump", which is trained only as a command by itself (14,670 and
          7,706).
        - "turn_left": those with the phrase "turn left", likewise (21,890 and 1,208).
        - "right", "opposite_right", "around_right": those with a verb other than "turn" and these
          words (15,225 and 4,476); commands with "turn" and these words are in neither set.
        - "jump_around_right": those with this phrase (18,528 and 1,173); commands with "turn
          around right" are in neither set.
    length_cutoff : int, default=22
        Most actions of a command to train on, if `split="length"`; 1 to 47.
    primitive_share : float, default=0.1
        Share of the training rows that are the command "jump", or "turn left", if that is the
        split; its row is repeated. With 0 it is there once.
    random_state : int, RandomState or None, default=None
        Seeds the draw, if `split="simple"`; an int gives the same rows at every call.

    Returns
    -------
    X : ndarray of shape (20910,) and dtype object
        The words of each command, an array of str of shape (n_words_i,).
    y : ndarray of shape (20910,) and dtype object
        Its actions, an array of str of shape (n_actions_i,), at most 48.
    train, test : ndarray of int
        Rows of either set. ``cv=[(train, test)]`` is the split for cross-validation.

    Raises
    ------
    ValueError
        If a parameter is not as above; the message names which.

    References
    ----------
    B. Lake and M. Baroni (2018). Generalization without systematicity: on the compositional
    skills of sequence-to-sequence recurrent networks. ICML. The splits with "right" are from J.
    Loula, M. Baroni and B. Lake (2018). Rearranging the familiar: testing compositional
    generalization in recurrent networks. BlackboxNLP.

    Examples
    --------
    >>> from sklseq.datasets import make_scan
    >>> X, y, train, test = make_scan("length")
    >>> len(train), len(test)
    (16990, 3920)
    >>> " ".join(X[7]), " ".join(y[7])
    ('walk opposite left twice', 'I_TURN_LEFT I_TURN_LEFT I_WALK I_TURN_LEFT I_TURN_LEFT I_WALK')
    """
    if split not in _SPLITS:
        raise ValueError(f"split must be one of {list(_SPLITS)}, got {split!r}.")
    check_at_least("length_cutoff", length_cutoff, 1)
    if not isinstance(primitive_share, Real) or not 0 <= primitive_share < 1:
        raise ValueError(f"primitive_share must be a number in [0, 1), got {primitive_share!r}.")
    commands = _commands()
    if split == "simple":
        rows = check_random_state(random_state).permutation(len(commands))
        n_train = round(_SHARE_OF_TRAINING * len(rows))
        train, test = rows[:n_train], rows[n_train:]
    elif split == "length":
        n_actions = np.array([len(command.actions) for command in commands])
        if length_cutoff >= n_actions.max():
            raise ValueError(
                f"length_cutoff must be less than {n_actions.max()}, the most actions of a "
                f"command, got {length_cutoff}."
            )
        long = n_actions > length_cutoff
        train, test = np.flatnonzero(~long), np.flatnonzero(long)
    else:
        train, test = _held_out(commands, split, primitive_share)
    X = object_array([np.array(command.text.split()) for command in commands])
    y = object_array([np.array(command.actions) for command in commands])
    return X, y, train, test


def _commands() -> list[_Command]:
    """All commands: the grammar, and what it means."""
    phrases: dict[str, tuple[str, ...]] = {}
    for verb, action in _ACTIONS.items():
        if action:
            phrases[verb] = action
        for direction, turn in _TURNS.items():
            phrases[f"{verb} {direction}"] = (turn, *action)
            phrases[f"{verb} opposite {direction}"] = (turn, turn, *action)
            phrases[f"{verb} around {direction}"] = (turn, *action) * 4
    sentences = [
        _Command(f"{phrase} {times}".strip(), actions * n, (phrase,))
        for phrase, actions in phrases.items()
        for n, times in enumerate(("", "twice", "thrice"), start=1)
    ]
    commands = list(sentences)
    for a, b in product(sentences, repeat=2):
        both = a.phrases + b.phrases
        commands.append(_Command(f"{a.text} and {b.text}", a.actions + b.actions, both))
        commands.append(_Command(f"{a.text} after {b.text}", b.actions + a.actions, both))
    return commands


def _held_out(
    commands: list[_Command], split: str, primitive_share: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the splits that keep a phrase for the test."""
    pattern, omitted = _HELD_OUT[split]
    held = np.array([any(re.fullmatch(pattern, p) for p in c.phrases) for c in commands])
    left_out = np.array([omitted in c.phrases for c in commands])
    alone = np.array([c.text == _ADDED_PRIMITIVES.get(split) for c in commands])
    train = np.flatnonzero(~held & ~left_out)
    n_alone = round(primitive_share / (1 - primitive_share) * len(train))
    added = np.repeat(np.flatnonzero(alone), max(1, n_alone))
    return np.concatenate([added, train]), np.flatnonzero(held & ~left_out & ~alone)
