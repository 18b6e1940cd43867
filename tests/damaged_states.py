"""Ways to damage a stored state: at each of its leaves, one at a time."""

import random

import numpy as np

__all__ = ["damaged_states", "replaced"]

_HUGE = 10**12


def leaves(value, path=()):
    """Paths of all that a state holds, containers and own objects included."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, (list, tuple)):
        for i in range(min(len(value), 3)):
            yield from leaves(value[i], (*path, i))
    elif type(value).__module__.startswith("sklseq.") and not hasattr(value, "fit"):
        for name in vars(value):
            yield from leaves(vars(value)[name], (*path, name))


def damages(value):
    """Values that might stand in place of one: of other types, sizes and kinds."""
    yield from (None, "nonsense", -1, _HUGE, float("nan"), [], {}, np.zeros(3), np.frombuffer, dict)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        yield from (int(value) + 1, int(value) * 1000 + 7, float(value))
    if isinstance(value, np.ndarray) and value.size:
        yield value[:-1] if value.ndim else np.zeros(2)
        yield np.concatenate([np.atleast_1d(value)] * 2)
        yield value.astype(str)
        for wrong in (np.nan, np.inf, -(10**6), 10**6):
            if value.dtype.kind == "f" or (value.dtype.kind == "i" and np.isfinite(wrong)):
                changed = value.copy()
                changed.flat[-1] = wrong
                yield changed
    if isinstance(value, (tuple, list)):
        yield value[:-1]
        yield value * 2


def replaced(value, path, new):
    """A copy of the state with another value at a path."""
    first, *rest = path
    new = replaced_in(value, first, rest, new)
    if isinstance(value, dict):
        return {**value, first: new}
    if isinstance(value, (list, tuple)):
        return type(value)([*value[:first], new, *value[first + 1 :]])
    copy = object.__new__(type(value))
    copy.__dict__.update(vars(value))
    copy.__dict__[first] = new
    return copy


def replaced_in(value, first, rest, new):
    """What stands below the first part of a path, replaced."""
    if not rest:
        return new
    return replaced(at(value, [first]), rest, new)


def removed(value, path):
    """A copy of the state without what is at a path; None for an item of a list."""
    *above, last = path
    owner = at(value, above)
    if isinstance(owner, (list, tuple)):
        return None
    if isinstance(owner, dict):
        smaller = {k: v for k, v in owner.items() if k != last}
    else:
        smaller = object.__new__(type(owner))
        smaller.__dict__.update({k: v for k, v in vars(owner).items() if k != last})
    return replaced(value, above, smaller) if above else smaller


def damaged_states(state, n, seed=0):
    """Copies of a state, `n` drawn among all damages of all leaves: pairs of what and state."""
    drawn = random.Random(seed)
    paths = list(leaves(state))
    for _ in range(n):
        path = drawn.choice(paths)
        new = drawn.choice(["missing", *damages(at(state, path))])
        if isinstance(new, str) and new == "missing":
            smaller = removed(state, path)
            if smaller is None:
                continue
            yield f"{path} missing", smaller
        else:
            yield f"{path} = {new!r:.80}", replaced(state, path, new)


def at(state, path):
    """What stands at a path."""
    for part in path:
        state = state[part] if isinstance(state, (dict, list, tuple)) else vars(state)[part]
    return state
