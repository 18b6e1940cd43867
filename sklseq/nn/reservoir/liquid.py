"""Liquids: spiking neurons with fixed weights, many sequences side by side.

Arrays of states are (units, batch), as in the other reservoir kernels. Whether a neuron fires is
a comparison, so that a difference in rounding would grow into another spike train: all products
are sparse ones, which add up in one order whatever the batch is. So a sequence's spikes are the
same to the bit alone and beside others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

__all__ = ["Liquid", "liquid_traces", "liquid_weights"]

FloatArray = NDArray[np.float64]

# Columns that run side by side; their states stay in a core's cache.
_BATCH = 128

# Maass, Natschlaeger & Markram (2002), section "Methods": the chance of a synapse next door and its
# strength, from excitatory (0) or inhibitory (1) neurons (row) to either kind (column). Strengths
# are relative to that from an excitatory neuron to an excitatory one.
_CHANCE = np.array([[0.3, 0.2], [0.4, 0.1]])
_STRENGTH = np.array([[1.0, 2.0], [-19 / 30, -19 / 30]])


@dataclass(frozen=True, eq=False)
class Liquid:
    """Leaky integrate-and-fire neurons, simulated by steps of one millisecond.

    With membrane potential v, synaptic current c, spikes s, trace r and arriving spikes p::

        c <- d_c c + W s + W_in p                            (p only with Poisson input)
        v <- d_v v + (1 - d_v) (c + b + W_in u)              (u only with currents as input)
        s <- v >= 1; where it is, v <- 0 and stays 0 for the refractory time
        r <- d_r r + (1 - d_r) s

    Parameters
    ----------
    recurrent_weights : ndarray of shape (units, units)
        W; a row holds the weights into a neuron.
    input_weights : ndarray of shape (units, n_channels)
        W_in. A channel is an input, or with Poisson input one of several spike trains of one.
    bias_current : ndarray of shape (units,)
        b; a neuron with a bias current of 1 fires on its own in the limit.
    membrane_decay, synapse_decay, trace_decay : float
        d_v, d_c and d_r, in [0, 1).
    refractory_steps : int
        Milliseconds of silence after a spike.
    step_duration : int
        Milliseconds for which each step of the input lasts.
    max_rate : float or None, default=None
        Spikes per millisecond of a Poisson channel at full intensity, in [0, 1]; None means
        that the inputs are currents.
    seed : int, default=0
        Seed of the Poisson spikes. The same numbers are drawn for every sequence: they are frozen
        noise, and equal sequences have equal spikes.
    """

    recurrent_weights: FloatArray
    input_weights: FloatArray
    bias_current: FloatArray
    membrane_decay: float
    synapse_decay: float
    trace_decay: float
    refractory_steps: int
    step_duration: int
    max_rate: float | None = None
    seed: int = 0

    _stored: ClassVar[dict[str, Any]] = {
        "recurrent_weights": "ndarray of shape (units, units)",
        "input_weights": "ndarray of shape (units, n_channels)",
        "bias_current": "ndarray of shape (units,)",
        "membrane_decay": "float",
        "synapse_decay": "float",
        "trace_decay": "float",
        "refractory_steps": "int",
        "step_duration": "int",
        "max_rate": "float or None",
        "seed": "int",
    }

    def check_stored(self) -> None:
        """Refuse decays and rates that are out of range."""
        decays = (self.membrane_decay, self.synapse_decay, self.trace_decay)
        if not all(0 <= d <= 1 for d in decays) or not 0 <= (self.max_rate or 0) <= 1:
            raise ValueError("a decay or rate of the liquid is not in [0, 1].")

    @property
    def units(self) -> int:
        """Number of neurons."""
        return len(self.bias_current)


def liquid_traces(
    liquid: Liquid, steps: ArrayLike, lengths: ArrayLike
) -> Iterator[tuple[NDArray[np.int64], FloatArray]]:
    """Filtered spike trains of a liquid over sequences, from rest.

    Parameters
    ----------
    liquid : Liquid
        The neurons.
    steps : array-like of shape (sum of lengths, n_inputs)
        All steps, stacked: currents, or intensities in [0, 1] with Poisson input.
    lengths : array-like of shape (n_sequences,)
        Steps of each sequence, at least 1.

    Yields
    ------
    rows : ndarray of shape (n,)
        Positions in `steps`, each exactly once, those of a sequence in order.
    traces : ndarray of shape (n, units)
        r at the end of each of these steps.

    Examples
    --------
    One neuron that is driven above its threshold in the second step only:

    >>> liquid = Liquid(np.zeros((1, 1)), np.ones((1, 1)), np.zeros(1), 0.0, 0.0, 0.5, 0, 1)
    >>> [float(traces[0, 0]) for _, traces in liquid_traces(liquid, [[0.5], [1.0], [0.0]], [3])]
    [0.0, 0.5, 0.25]
    """
    table, sizes = np.asarray(steps, dtype=np.float64), np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")
    first = np.cumsum(sizes) - sizes
    for i in range(0, len(order), _BATCH):
        group = order[i : i + _BATCH]
        yield from _run(liquid, table, first[group], sizes[group])


def _run(
    liquid: Liquid, steps: FloatArray, first: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], FloatArray]]:
    """One batch of sequences, longest first; those that have ended are dropped."""
    recurrent, inputs = sp.csr_array(liquid.recurrent_weights), sp.csr_array(liquid.input_weights)
    bias_current = liquid.bias_current[:, None]
    shape = (liquid.units, len(first))
    potential, current, trace, spikes = (np.zeros(shape) for _ in range(4))
    silence = np.zeros(shape, dtype=np.int64)
    rng = np.random.default_rng(liquid.seed)
    for t in range(int(lengths[0])):
        batch = int(np.count_nonzero(lengths > t))
        potential, current, trace, spikes = (
            a[:, :batch] for a in (potential, current, trace, spikes)
        )
        silence = silence[:, :batch]
        rows = first[:batch] + t
        drive, chance = bias_current, None
        if liquid.max_rate is None:
            drive = bias_current + inputs @ steps[rows].T
        else:
            chance = liquid.max_rate * _channels(steps[rows].T, inputs.shape[1])
        for _ in range(liquid.step_duration):
            current = liquid.synapse_decay * current + recurrent @ spikes
            if chance is not None:
                current += inputs @ (rng.random((len(chance), 1)) < chance).astype(np.float64)
            potential = liquid.membrane_decay * potential
            potential += (1 - liquid.membrane_decay) * (current + drive)
            potential[silence > 0] = 0
            silence = np.maximum(silence - 1, 0)
            fired = potential >= 1
            potential[fired] = 0
            silence[fired] = liquid.refractory_steps
            spikes = fired.astype(np.float64)
            trace = liquid.trace_decay * trace + (1 - liquid.trace_decay) * spikes
        yield rows, trace.T


def _channels(intensity: FloatArray, n_channels: int) -> FloatArray:
    """Intensities (n_channels, batch): half of a feature's channels follow it, half oppose it."""
    each = n_channels // len(intensity)
    on = np.repeat(intensity[:, None], (each + 1) // 2, axis=1)
    off = np.repeat(1 - intensity[:, None], each // 2, axis=1)
    return np.concatenate([on, off], axis=1).reshape(n_channels, -1)


def liquid_weights(
    units: int,
    *,
    excitatory_share: float = 0.8,
    connection_range: float = 2.0,
    scaling: float = 1.0,
    seed: Any = None,
) -> FloatArray:
    """Draw the synapses of a column of neurons.

    Neurons stand on the points of a grid three wide and three deep. From neuron a to neuron b
    there is a synapse with probability ``C exp(-(D / range)^2)``, D being their distance, and C
    .3, .2, .4 or .1 from excitatory to excitatory, to inhibitory, from inhibitory to excitatory,
    to inhibitory. Strengths are exponentially distributed with means 1, 2, -19/30 and -19/30.

    Parameters
    ----------
    units : int
        Number of neurons.
    excitatory_share : float, default=0.8
        Share of neurons, drawn at random, whose synapses excite; those of the others inhibit.
    connection_range : float, default=2.0
        Distance at which synapses are rarer by a factor of e, in units of the grid.
    scaling : float, default=1.0
        Factor on all strengths.
    seed : int, numpy.random.Generator or None, default=None
        Source of randomness.

    Returns
    -------
    weights : ndarray of shape (units, units)
        Row i holds the weights into neuron i; the weights of a column have one sign.

    References
    ----------
    Maass, Natschlaeger, Markram (2002), Real-time computing without stable states, Neural
    Computation 14; synapses here are static.

    Examples
    --------
    >>> W = liquid_weights(90, seed=0)
    >>> int((W < 0).any(axis=0).sum())
    18
    """
    rng = np.random.default_rng(seed)
    here = np.arange(units)
    place = np.stack([here % 3, here // 3 % 3, here // 9], axis=1)
    distance = np.linalg.norm(place[:, None] - place, axis=2)
    kind = np.ones(units, dtype=np.int64)
    kind[rng.permutation(units)[: round(excitatory_share * units)]] = 0
    pair = (kind[None, :], kind[:, None])  # from the column's neuron to the row's
    chance = _CHANCE[pair] * np.exp(-((distance / connection_range) ** 2))
    np.fill_diagonal(chance, 0)
    weights = scaling * _STRENGTH[pair] * rng.exponential(size=(units, units))
    return np.asarray(np.where(rng.random((units, units)) < chance, weights, 0.0))
