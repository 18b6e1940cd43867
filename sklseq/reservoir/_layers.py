"""Reservoirs drawn from the parameters of an estimator, and as plain arrays for storage."""

from dataclasses import fields
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sklseq.base.state import check_data
from sklseq.nn.reservoir import Reservoir, StructuredMatrix, input_weights, recurrent_weights

__all__ = [
    "check_stack",
    "checked_scaling",
    "draw_layers",
    "from_plain",
    "same_weights",
    "spread_leak_rates",
    "to_plain",
]


def draw_layers(
    parameters: Any, n_inputs: int, seed: int, direction: int, dtype: str
) -> list[Reservoir]:
    """The layers of one direction (0 is forward, 1 backward), by the parameters of a `BaseESN`.

    Every matrix has a generator of its own, so that a parameter changes nothing but what it
    is about: two spectral radii, or input scalings, scale the same draw.
    """
    layers: list[Reservoir] = []
    for generators in np.random.SeedSequence([seed, direction]).spawn(parameters.num_layers):
        layers.append(_draw_layer(parameters, n_inputs, not layers, generators, dtype))
        n_inputs = parameters.reservoir_size
    return layers


def _draw_layer(
    p: Any, n_inputs: int, first: bool, seeds: np.random.SeedSequence, dtype: str
) -> Reservoir:
    units = p.reservoir_size
    recurrent, inputs, bias, rotation = map(np.random.default_rng, seeds.spawn(4))
    weights = recurrent_weights(
        units,
        p.topology,
        spectral_radius=p.spectral_radius,
        density=p.density,
        distribution=p.weight_distribution,
        seed=recurrent,
    )
    if first:
        w_in: Any = input_weights(
            units,
            n_inputs,
            scaling=p.input_scaling,
            distribution=p.input_distribution,
            seed=inputs,
        )
    else:
        # Of variance layer_scaling^2 / units for each unit below, missing connections counted.
        scale = p.layer_scaling * np.sqrt(3 / (p.density * n_inputs))
        w_in = sp.csr_array(
            input_weights(units, n_inputs, scaling=scale, density=p.density, seed=inputs)
        )
    turn = None
    if p.rotation is not None:
        turn = recurrent_weights(units, p.rotation, spectral_radius=1.0, seed=rotation)
    return Reservoir(
        weights,
        w_in,
        bias=input_weights(units, 1, scaling=p.bias_scaling, seed=bias)[:, 0],
        leak_rate=spread_leak_rates(p.leak_rate, units),
        activation=p.activation,
        rotation=turn,
        dtype=dtype,
    )


def spread_leak_rates(leak_rate: Any, units: int) -> float | NDArray[np.float64]:
    """One leak rate, or as many time scales as there are numbers, each for as many units."""
    rates = np.asarray(leak_rate, dtype=np.float64)
    if rates.ndim > 1 or rates.size == 0 or not ((rates > 0) & (rates <= 1)).all():
        raise ValueError(
            f"leak_rate={leak_rate!r}: it must be a number in (0, 1] or a tuple of such numbers."
        )
    if rates.ndim == 0:
        return float(rates)
    if len(rates) > units:
        raise ValueError(
            f"leak_rate has {len(rates)} time scales, but reservoir_size is {units}: give at most "
            "one for each unit."
        )
    return rates[np.arange(units) * len(rates) // units]


def checked_scaling(name: str, scaling: Any, n_inputs: int) -> NDArray[np.float64]:
    """A parameter that scales the weights of inputs: one number, or one for each."""
    factors = np.asarray(scaling, dtype=np.float64)
    if not np.isfinite(factors).all():
        raise ValueError(f"{name}={scaling!r} is not finite.")
    if factors.shape not in ((), (n_inputs,)) or not (factors >= 0).all():
        raise ValueError(
            f"{name}={scaling!r}: it must be one number, or one for each of the {n_inputs} "
            "features, at least 0."
        )
    return factors


# -- storage -------------------------------------------------------------------------------


def to_plain(layer: Reservoir) -> dict[str, Any]:
    """A layer as arrays, strings and numbers alone."""
    return {f.name: _plain(getattr(layer, f.name)) for f in fields(layer)}


def from_plain(stored: dict[str, Any]) -> Reservoir:
    """The layer of what `to_plain` gave.

    Raises
    ------
    ValueError
        If a number is not finite, an index lies outside of its matrix, or shapes do not fit.
    """
    names = [f.name for f in fields(Reservoir)]
    if not isinstance(stored, dict) or set(stored) != set(names):
        raise ValueError(f"a layer does not hold just {names}.")
    check_data(stored, "a layer", largest=0)
    return Reservoir(**{name: _matrix(value, name) for name, value in stored.items()})


def check_stack(layers: list[Reservoir], name: str, n_inputs: int) -> None:
    """Refuse layers that are not driven by each other.

    Parameters
    ----------
    layers : list of Reservoir
    name : str
        What messages call them.
    n_inputs : int
        Of the lowest.

    Raises
    ------
    ValueError
        If there is none, or one takes another number of inputs than the one below it gives.
    """
    if not layers:
        raise ValueError(f"{name} is empty.")
    for i, layer in enumerate(layers):
        if layer.input_weights.shape[1] != n_inputs or layer.dtype != layers[0].dtype:
            raise ValueError(
                f"{name}[{i}] takes {layer.input_weights.shape[1]} inputs of {layer.dtype}, "
                f"expected {n_inputs} of {layers[0].dtype}."
            )
        n_inputs = layer.units


def same_weights(layer: Reservoir, other: Reservoir) -> bool:
    """Whether two layers give the same states."""
    one, two = to_plain(layer), to_plain(other)
    return all(_equal(one[name], two[name]) for name in one if name != "device")


def _plain(value: Any) -> Any:
    if isinstance(value, StructuredMatrix):
        return {"transform": value.transform, "signs": value.signs, "scale": float(value.scale)}
    if sp.issparse(value):
        csr = sp.csr_array(value)
        arrays = {"data": csr.data, "indices": csr.indices, "indptr": csr.indptr}
        return arrays | {"shape": np.array(csr.shape)}
    return value


_MATRICES = ("recurrent_weights", "input_weights", "rotation")


def _matrix(value: Any, name: str) -> Any:
    """The value of a field; what takes part in products is a matrix of floats."""
    if not isinstance(value, dict):
        if isinstance(value, np.ndarray) and value.dtype.kind != "f":
            raise ValueError(f"{name} is an array of {value.dtype}.")
        if name in _MATRICES and name != "rotation" and getattr(value, "ndim", 0) != 2:
            raise ValueError(f"{name} is no matrix.")
        return value
    if name not in _MATRICES:
        raise ValueError(f"{name} is a matrix.")
    if set(value) == {"transform", "signs", "scale"}:
        return StructuredMatrix(**value)
    kinds = {"data": "f", "indices": "i", "indptr": "i", "shape": "i"}
    if set(value) != set(kinds) or any(value[k].dtype.kind != kinds[k] for k in kinds):
        raise ValueError(f"{name} is not a sparse matrix of floats.")
    content = value["data"], value["indices"], value["indptr"]
    matrix = sp.csr_array(content, shape=tuple(value["shape"].tolist()))
    # Nothing else keeps products from reading memory that is not theirs.
    matrix.check_format(full_check=True)
    return matrix


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_equal(one[k], two[k]) for k in one)
    if isinstance(one, dict) or isinstance(two, dict):
        return False
    return np.array_equal(one, two)
