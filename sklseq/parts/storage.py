"""Networks as plain arrays and settings, and rebuilt from them without trusting either.

What a file says is compared with what it holds before any memory is taken: the network is built
on torch's meta device first, where tensors are shapes alone, and only then for good.
"""

from collections.abc import Callable, Iterator
from typing import Any

import joblib
import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from sklseq._compat.sklearn import check_parameters
from sklseq.base.state import check_data
from sklseq.training.context import seeded_construction

__all__ = [
    "check_moments",
    "check_same_settings",
    "check_setting",
    "converted",
    "differ",
    "rebuilt",
]

# Torch's calls while a network is built: far more than any needs, for its number of tensors.
_CALLS, _CALLS_PER_TENSOR = 2_000, 200
# Settings of small networks may be larger than the number of their weights: groups, bins, children
# of a node. Where a user's class may have to be made to know its shapes, they are held closer.
_LEAST_BOUND, _LEAST_BOUND_OF_CLASSES = 2**20, 2**10
_DTYPES = [np.dtype(name) for name in ("float32", "float64", "int64", "bool")]


def converted(value: Any) -> Any:
    """Tensors in dicts and lists as arrays, or arrays as tensors."""
    if isinstance(value, torch.Tensor):
        return np.asarray(value.detach().cpu().numpy(), order="C")
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {k: converted(v) for k, v in value.items()}
    return [converted(v) for v in value] if isinstance(value, list) else value


def check_setting(estimator: Any, name: str, value: Any) -> None:
    """Refuse a setting that the parameter of its name must not be.

    Parameters
    ----------
    estimator : type
    name : str
        Of the setting, and of a parameter that it may come from.
    value : object
        None may mean that the setting is not used, a tuple what data have been like.

    Raises
    ------
    ValueError
        If it is another one.
    """
    if not isinstance(value, (type(None), tuple)):
        check_parameters(estimator, {name: value})


def rebuilt(
    network: Callable[..., nn.Module], settings: dict[str, Any], arrays: dict[str, Any]
) -> nn.Module:
    """A network with its weights.

    Parameters
    ----------
    network : type
        Its class, of ours.
    settings : dict
        What it is made with: data, and classes that derive from `torch.nn.Module`.
    arrays : dict of ndarray
        Its weights and buffers, as `converted` gives them.

    Raises
    ------
    ValueError
        If the settings do not make a network that has just these arrays.
    """
    classes = list(_classes_in(settings))
    _check_arrays(arrays, ours=not classes)
    least = _LEAST_BOUND_OF_CLASSES if classes else _LEAST_BOUND
    bound = max(least, sum(array.size for array in arrays.values()))
    check_data(_without_classes(settings), "its settings", bound)
    calls = _CALLS + _CALLS_PER_TENSOR * len(arrays)
    try:
        with _Bounded(calls), torch.device("meta"), seeded_construction(0):
            sketch = network(**settings)
    except Exception as error:
        # A user's own cell may do what cannot be done without numbers.
        if not classes or isinstance(error, _TooMany):
            raise
    else:
        _check_shapes(sketch, arrays)
    with _Bounded(calls), seeded_construction(0):
        module = network(**settings)
    _check_shapes(module, arrays)
    floats = {str(array.dtype) for array in arrays.values() if array.dtype.kind == "f"}
    if len(floats) > 1:
        raise ValueError(f"its weights are of the types {sorted(floats)}.")
    # Assigned, so that the weights keep their type: the parameter may be set anew.
    module.load_state_dict(converted(arrays), assign=True)
    return module


class _TooMany(ValueError):
    """A network has more parts than what is stored of it."""


class _Bounded(TorchFunctionMode):
    """Ends a construction that goes on far beyond what there are arrays for."""

    def __init__(self, calls: int):
        super().__init__()
        self.left = calls

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _TooMany("its settings make more layers than there are weights.")
        return func(*args, **(kwargs or {}))


def _check_arrays(arrays: Any, ours: bool) -> None:
    """Refuse what no network stores, one of `ours` alone in particular."""
    if not isinstance(arrays, dict) or not all(
        isinstance(name, str) and isinstance(array, np.ndarray) for name, array in arrays.items()
    ):
        raise ValueError("its weights are not arrays by name.")
    for name, array in arrays.items():
        check_data(array, f"its array {name}")
        if not ours:
            continue
        if array.dtype not in _DTYPES:
            raise ValueError(f"its array {name} is of type {array.dtype}.")
        # Counts, and places along the array itself.
        if array.dtype == np.int64 and array.size:
            low, high = int(array.min()), int(array.max())
            if low < 0 or (array.ndim and high >= len(array)):
                raise ValueError(f"its array {name} holds {low} to {high}.")


def _classes_in(value: Any) -> Iterator[type]:
    """Classes among settings, which must be of modules: they are called."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _classes_in(part)
    elif isinstance(value, type) and issubclass(value, nn.Module):
        yield value


def _without_classes(value: Any) -> Any:
    """Settings with None in place of the classes of modules."""
    if isinstance(value, dict):
        return {name: _without_classes(part) for name, part in value.items()}
    return None if isinstance(value, type) and issubclass(value, nn.Module) else value


def check_moments(state: Any, module: nn.Module) -> None:
    """Refuse what is no state of an optimizer of these weights.

    Parameters
    ----------
    state : dict
        As of ``optimizer.state_dict()``, of arrays.
    module : Module

    Raises
    ------
    ValueError
        If an array has another shape than the weights that it belongs to.
    """
    check_data(state, "_optimizer_state")
    known = {(), *(tuple(p.shape) for p in module.parameters())}
    known.add((sum(p.numel() for p in module.parameters()),))  # those of 'lbfgs'
    for place, moments in state["state"].items():
        for name, moment in moments.items():
            for array in moment if isinstance(moment, list) else [moment]:
                shape = array.shape if isinstance(array, np.ndarray) else ()
                if shape not in known:
                    raise ValueError(f"its optimizer's {name} of weights {place} has {shape}.")
    if not isinstance(state["param_groups"][0], dict):
        raise ValueError("its optimizer has no groups of weights.")


def _check_shapes(module: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    tensors = module.state_dict()
    expected = {k: (tuple(v.shape), v.is_floating_point()) for k, v in tensors.items()}
    found = {k: (v.shape, v.dtype.kind == "f") for k, v in arrays.items()}
    if expected != found:
        wrong = sorted(k for k in expected.keys() | found if expected.get(k) != found.get(k))
        shapes = ((k, found.get(k, [None])[0], expected.get(k, [None])[0]) for k in wrong[:3])
        raise ValueError(
            "its weights do not fit its network: "
            + "; ".join(f"{k} is {is_}, expected {should}" for k, is_, should in shapes)
        )


def check_same_settings(name: str, wanted: dict[str, Any], fitted: dict[str, Any]) -> None:
    """Refuse to go on from a network that is not the one the parameters describe.

    Parameters
    ----------
    name : str
        Of the estimator.
    wanted, fitted : dict
        Settings of a network as the parameters are now, and of the fitted one.

    Raises
    ------
    ValueError
        Naming those that differ.
    """
    changed = [k for k, v in wanted.items() if differ(v, fitted.get(k))]
    if changed:
        raise ValueError(
            f"The fitted {name} cannot be trained further: "
            + ", ".join(f"{k} was {fitted.get(k)!r}, now {wanted[k]!r}" for k in changed)
            + ". Set it back, or fit anew with warm_start=False."
        )


def differ(new: Any, old: Any) -> bool:
    """Whether a setting is another than the one stored."""
    several = (tuple, list, np.ndarray)
    if isinstance(new, several) and isinstance(old, several):
        new, old = list(new), list(old)
    try:
        return bool(new != old)
    except (ValueError, RuntimeError):  # arrays among a cell's options
        return joblib.hash(new) != joblib.hash(old)
