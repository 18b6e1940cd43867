"""Recurrent and input weights of a reservoir: connection patterns and strengths.

Recurrent matrices have shape (units, units) and act on columns: row i holds the weights into
unit i.
Every function draws from the generator it is given and from nothing else.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from sklseq.nn.reservoir.weights.spectrum import spectral_radius as _radius_of
from sklseq.nn.reservoir.weights.structured import StructuredMatrix

__all__ = ["TOPOLOGIES", "input_weights", "orthogonal", "recurrent_weights", "rescaled"]

Matrix = Any  # NDArray | sp.csr_array | StructuredMatrix
Seed = int | np.random.Generator | None

_DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, Any], NDArray[np.float64]]] = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "uniform": lambda rng, size: rng.uniform(-1, 1, size),
    "bernoulli": lambda rng, size: rng.choice([-1.0, 1.0], size),
}


def _random_values(rng: np.random.Generator, size: Any, distribution: str) -> NDArray[np.float64]:
    if distribution not in _DISTRIBUTIONS:
        raise ValueError(f"distribution={distribution!r}; allowed: {sorted(_DISTRIBUTIONS)}.")
    return _DISTRIBUTIONS[distribution](rng, size)


def _csr(values: Any, rows: Any, columns: Any, units: int) -> sp.csr_array:
    entries = (np.asarray(values, float), (np.asarray(rows), np.asarray(columns)))
    return sp.csr_array(entries, shape=(units, units))


def _random(
    rng: np.random.Generator, units: int, density: float, distribution: str, **_: Any
) -> sp.csr_array:
    count = round(density * units * units)
    cells = np.sort(rng.choice(units * units, size=count, replace=False))
    return _csr(_random_values(rng, count, distribution), cells // units, cells % units, units)


def _ring(rng: np.random.Generator, units: int, **_: Any) -> sp.csr_array:
    here = np.arange(units)
    return _csr(np.ones(units), here, here - 1 + units * (here == 0), units)


def _delay_line(rng: np.random.Generator, units: int, **_: Any) -> sp.csr_array:
    return _csr(np.ones(units - 1), np.arange(1, units), np.arange(units - 1), units)


def _jumps(
    rng: np.random.Generator, units: int, jump: int, jump_weight: float, **_: Any
) -> sp.csr_array:
    # The jumps are two-way and stop before the last one would pass unit 0 again.
    here = np.arange(0, units - units % jump, jump)
    there = (here + jump) % units
    both = _csr(np.ones(2 * len(here)), np.r_[here, there], np.r_[there, here], units)
    both.data[:] = jump_weight
    return sp.csr_array(_ring(rng, units) + both)


def orthogonal(rng: np.random.Generator, units: int, **_: Any) -> NDArray[np.float64]:
    """A matrix drawn uniformly from the orthogonal group (Haar), of shape (units, units).

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the draw.
    units : int
        Number of rows.

    Returns
    -------
    matrix : ndarray of shape (units, units)
        With orthonormal rows and columns.

    References
    ----------
    Mezzadri (2007), How to generate random matrices from the classical compact groups.

    Examples
    --------
    >>> Q = orthogonal(np.random.default_rng(0), 3)
    >>> np.allclose(Q @ Q.T, np.eye(3))
    True
    """
    q, r = np.linalg.qr(rng.standard_normal((units, units)))
    return np.asarray(q * np.sign(np.diagonal(r)))


def _small_world(
    rng: np.random.Generator,
    units: int,
    density: float,
    distribution: str,
    rewiring: float,
    **_: Any,
) -> sp.csr_array:
    neighbors = min(max(1, round(density * units)), units - 1)
    offsets = np.r_[1 : neighbors // 2 + 1, -((neighbors + 1) // 2) : 0]
    rows = np.repeat(np.arange(units), neighbors)
    columns = (rows + np.tile(offsets, units)) % units
    for unit in range(units):
        mine = columns[unit * neighbors : (unit + 1) * neighbors]
        moved = rng.random(neighbors) < rewiring
        free = np.setdiff1d(np.arange(units), np.r_[mine[~moved], unit], assume_unique=True)
        mine[moved] = rng.choice(free, size=moved.sum(), replace=False)
    return _csr(_random_values(rng, len(rows), distribution), rows, columns, units)


def _blocks(
    rng: np.random.Generator,
    units: int,
    density: float,
    distribution: str,
    n_blocks: int,
    coupling: float,
    **_: Any,
) -> sp.csr_array:
    within = density * n_blocks / (1 + (n_blocks - 1) * coupling)
    if within > 1:
        raise ValueError(
            f"density={density} is too high for topology='blocks': with {n_blocks} blocks it is at "
            f"most {density / within:.3g}."
        )
    block = np.arange(units) * n_blocks // units
    chance = np.where(block[:, None] == block, within, within * coupling)
    rows, columns = np.nonzero(rng.random((units, units)) < chance)
    return _csr(_random_values(rng, len(rows), distribution), rows, columns, units)


def _structured(rng: np.random.Generator, units: int, transform: str, **_: Any) -> StructuredMatrix:
    return StructuredMatrix(transform, rng.choice([-1.0, 1.0], (3, units)))


TOPOLOGIES: dict[str, Callable[..., Matrix]] = {
    "random": _random,
    "ring": _ring,
    "delay_line": _delay_line,
    "jumps": _jumps,
    "orthogonal": orthogonal,
    "small_world": _small_world,
    "blocks": _blocks,
    "cosine": partial(_structured, transform="cosine"),
    "hadamard": partial(_structured, transform="hadamard"),
}


def recurrent_weights(
    units: int,
    topology: str = "random",
    *,
    spectral_radius: float = 0.9,
    density: float = 0.1,
    distribution: str = "normal",
    jump: int = 10,
    jump_weight: float = 0.5,
    rewiring: float = 0.1,
    n_blocks: int = 4,
    coupling: float = 0.1,
    seed: Seed = None,
) -> Matrix:
    """Draw a recurrent matrix and scale it to a spectral radius.

    Parameters
    ----------
    units : int
        Number of units N.
    topology : str, default="random"
        - ``"random"``: ``density * N^2`` weights at random places.
        - ``"ring"``: unit i receives from unit i-1 (simple cycle reservoir, Rodan & Tino 2011).
        - ``"delay_line"``: a ring that is cut; its spectral radius is 0 and cannot be scaled, so
          `spectral_radius` is its weight (Rodan & Tino 2011).
        - ``"jumps"``: a ring; each `jump`-th unit is also joined both ways (Rodan & Tino 2012).
        - ``"orthogonal"``: uniform over orthogonal matrices, dense.
        - ``"small_world"``: each unit receives from ``density * N`` neighbors on a ring, each
          connection moved to a random unit with probability `rewiring` (Watts & Strogatz 1998).
        - ``"blocks"``: `n_blocks` clusters; connections between them `coupling` times as dense.
        - ``"cosine"``, ``"hadamard"``: random orthogonal `StructuredMatrix`, O(N log N) a step.
    spectral_radius : float, default=0.9
        Largest modulus of the eigenvalues of the result, exact.
    density : float, default=0.1
        Share of weights that are not zero ("random", "small_world", "blocks").
    distribution : {"normal", "uniform", "bernoulli"}, default="normal"
        Distribution of those weights: standard normal, uniform on [-1, 1], or -1 and 1.
    jump : int, default=10
        Units between two ends of a jump.
    jump_weight : float, default=0.5
        Weight of the jumps for ring weights of 1, before scaling.
    rewiring : float, default=0.1
        Probability of moving a link of a small world.
    n_blocks : int, default=4
        Number of clusters.
    coupling : float, default=0.1
        Density between clusters divided by the density within.
    seed : int, numpy.random.Generator or None, default=None
        Source of randomness.

    Returns
    -------
    weights : csr_array, ndarray or StructuredMatrix of shape (units, units)
        Sparse unless the topology is dense or structured.

    Raises
    ------
    ValueError
        If a value is out of its range, or the drawn weights have radius 0 and cannot be scaled.

    Examples
    --------
    >>> recurrent_weights(3, "ring", spectral_radius=0.5).toarray()
    array([[0. , 0. , 0.5],
           [0.5, 0. , 0. ],
           [0. , 0.5, 0. ]])
    """
    if topology not in TOPOLOGIES:
        raise ValueError(f"topology={topology!r}; allowed: {list(TOPOLOGIES)}.")
    if units < 1:
        raise ValueError(f"units={units}; at least 1 is needed.")
    if not 0 < density <= 1:
        raise ValueError(f"density={density}; it must be in (0, 1].")
    if topology == "jumps" and not 1 <= jump < units:
        raise ValueError(
            f"topology='jumps' connects units that are {jump} apart, so it needs more than {jump} "
            f"units, got {units}."
        )
    _check_radius(spectral_radius)
    matrix = TOPOLOGIES[topology](
        np.random.default_rng(seed),
        units,
        density=density,
        distribution=distribution,
        jump=jump,
        jump_weight=jump_weight,
        rewiring=rewiring,
        n_blocks=n_blocks,
        coupling=coupling,
    )
    if topology == "delay_line":
        return matrix * spectral_radius
    return rescaled(matrix, spectral_radius)


def _check_radius(radius: float) -> None:
    if not (np.isfinite(radius) and radius >= 0):
        raise ValueError(f"spectral_radius={radius}; it must be a finite number, at least 0.")


def rescaled(weights: Matrix, spectral_radius: float) -> Matrix:
    """The weights times the number that gives them this spectral radius.

    Parameters
    ----------
    weights : ndarray, sparse array or StructuredMatrix of shape (units, units)
        The recurrent weights.
    spectral_radius : float
        The radius to reach, at least 0.

    Returns
    -------
    scaled : of the same kind and shape as `weights`

    Raises
    ------
    ValueError
        If the radius is negative or not finite, or the weights' own radius is 0 (all zero, or a
        graph without a cycle) and `spectral_radius` is not.

    Examples
    --------
    >>> rescaled(np.array([[0.0, 4.0], [1.0, 0.0]]), 0.5)
    array([[0.  , 1.  ],
           [0.25, 0.  ]])
    """
    _check_radius(spectral_radius)
    own = _radius_of(weights)
    if own == 0 and spectral_radius > 0:
        raise ValueError(
            f"The recurrent weights have spectral radius 0 and cannot be scaled to "
            f"{spectral_radius}: the graph of connections has no cycle. Raise the density or the "
            "number of units."
        )
    return weights * (spectral_radius / own if own else 0.0)


def input_weights(
    units: int,
    n_inputs: int,
    *,
    scaling: ArrayLike = 1.0,
    density: float = 1.0,
    distribution: str = "uniform",
    seed: Seed = None,
) -> NDArray[np.float64]:
    """Draw weights from inputs (or outputs fed back, or the constant 1) to units.

    Parameters
    ----------
    units : int
        Number of units.
    n_inputs : int
        Number of inputs; 1 and column 0 of the result for a bias.
    scaling : float or array-like of shape (n_inputs,), default=1.0
        Factor on each input's weights.
    density : float, default=1.0
        Probability of a weight to be kept, the others are 0.
    distribution : {"normal", "uniform", "bernoulli"}, default="uniform"
        Standard normal, uniform on [-1, 1], or -1 and 1.
    seed : int, numpy.random.Generator or None, default=None
        Source of randomness.

    Returns
    -------
    weights : ndarray of shape (units, n_inputs)

    Raises
    ------
    ValueError
        If `scaling` is neither one number nor one for each input, or is not finite.

    Examples
    --------
    >>> np.abs(input_weights(2, 3, scaling=[1, 2, 0], distribution="bernoulli", seed=0))
    array([[1., 2., 0.],
           [1., 2., 0.]])
    """
    scale = np.asarray(scaling, dtype=float)
    if scale.shape not in ((), (1,), (n_inputs,)) or not np.isfinite(scale).all():
        raise ValueError(
            f"The input scaling must be one finite number or one for each of the {n_inputs} "
            f"inputs, got {scaling!r}."
        )
    rng = np.random.default_rng(seed)
    weights = _random_values(rng, (units, n_inputs), distribution)
    if density < 1:
        weights *= rng.random(weights.shape) < density
    return scale * weights
