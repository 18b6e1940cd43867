"""How long a reservoir remembers its input."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg
from sklearn.utils import check_random_state

from sklseq.inspection.reservoirs.tangent import FloatArray, Tangent, dense, layers_of
from sklseq.nn.reservoir import Reservoir, StatePart, run_parts, state_parts
from sklseq.ridge import RidgeStatistics, merged

__all__ = ["linear_memory_capacity", "memory_capacity"]


def memory_capacity(
    reservoir: Any,
    *,
    n_delays: int | None = None,
    n_train: int = 5000,
    n_test: int = 1000,
    washout: int = 200,
    input_range: float = 0.8,
    alpha: float = 1e-7,
    random_state: Any = None,
) -> FloatArray:
    """Measured memory capacity: how well the state determines the input of k steps ago.

    The reservoir is driven by numbers uniform on [-r, r]. For each delay a linear readout is
    fitted by ridge; its capacity is the squared correlation of what it says with the truth, on
    steps it was not fitted on. The short-term memory capacity is the sum over the delays, at
    most the number of units for echo state networks.

    Parameters
    ----------
    reservoir : Reservoir, sequence of Reservoir or fitted estimator with `layers_`
        The dynamics, with one input and without feedback.
    n_delays : int or None, default=None
        Largest delay k; None takes twice the number of units, less one.
    n_train, n_test : int, default=5000, 1000
        Steps to fit the readouts on, and to measure them on.
    washout : int, default=200
        Steps before those of training; at least `n_delays` are taken.
    input_range : float, default=0.8
        r.
    alpha : float, default=1e-7
        Penalty of the readouts.
    random_state : int, RandomState or None, default=None
        Seeds the input.

    Returns
    -------
    capacities : ndarray of shape (n_delays,)
        Of delays 1, 2, ..., each in [0, 1].

    Raises
    ------
    ValueError
        If the reservoir has not exactly one input.

    See Also
    --------
    linear_memory_capacity : In closed form, for linear reservoirs.

    References
    ----------
    H. Jaeger (2001). Short term memory in echo state networks. GMD Report 152.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import memory_capacity
    >>> from sklseq.nn.reservoir import Reservoir, recurrent_weights
    >>> W = recurrent_weights(10, "delay_line", spectral_radius=1.0)
    >>> r = Reservoir(W, np.eye(10)[:, :1], activation="identity")
    >>> memory_capacity(r, n_delays=12, random_state=0).round(2)
    array([1., 1., 1., 1., 1., 1., 1., 1., 1., 0., 0., 0.])
    """
    layers = layers_of(reservoir)
    units = sum(layer.units for layer in layers)
    _check_one_input(layers)
    n_delays = 2 * units - 1 if n_delays is None else n_delays
    if min(n_delays, n_train, n_test) < 1:
        raise ValueError(
            f"n_delays={n_delays}, n_train={n_train} and n_test={n_test} must be at least 1."
        )
    washout = max(washout, n_delays)
    n_steps = washout + n_train + n_test
    u = check_random_state(random_state).uniform(-input_range, input_range, n_steps)
    late = np.lib.stride_tricks.sliding_window_view(np.r_[np.zeros(n_delays), u], n_delays)
    late = late[:n_steps, ::-1]  # row t: u[t-1], u[t-2], ...

    def collect(part: StatePart) -> Any:
        for blocks in part.attempts():
            stats, test = RidgeStatistics(units, n_delays), []
            for rows, states in blocks:
                used = (rows >= washout) & (rows < washout + n_train)
                stats.update(states[used], late[rows[used]])
                held = rows >= washout + n_train
                test.append((rows[held], states[held]))
        return stats, test

    parts = run_parts(collect, state_parts(layers, u[:, None]))
    path = merged(stats for stats, _ in parts).path()
    held = [pair for _, test in parts for pair in test]
    rows = np.concatenate([r for r, _ in held])
    said = np.concatenate([x for _, x in held]) @ path.coef(alpha)
    truth = late[rows]
    said, truth = said - said.mean(axis=0), truth - truth.mean(axis=0)
    product = (said * truth).sum(axis=0) ** 2
    size = (said**2).sum(axis=0) * (truth**2).sum(axis=0)
    return np.asarray(np.divide(product, size, out=np.zeros(n_delays), where=size > 0))


def linear_memory_capacity(reservoir: Any, *, n_delays: int | None = None) -> FloatArray:
    """Exact memory capacity of a linear reservoir for the input of k steps ago.

    For white input and ``x <- A x + v u`` the state's covariance C solves
    ``C = A C A^T + v v^T`` and the capacity of delay k is ``(A^k v)^T C^-1 (A^k v)``. Over
    all k from 0 they sum to the rank of C: to the number of units, for most reservoirs. For a
    ring with weights r, k = 0 has ``1 - r^(2N)``, which leaves ``N - 1 + r^(2N)`` for the others.

    Parameters
    ----------
    reservoir : Reservoir or fitted estimator with one in `layers_`
        With one input, the activation "identity" and a spectral radius below 1.
    n_delays : int or None, default=None
        Largest delay k; None takes twice the number of units, less one.

    Returns
    -------
    capacities : ndarray of shape (n_delays,)
        Of delays 1, 2, ..., each in [0, 1].

    Raises
    ------
    ValueError
        If the reservoir is not linear, stacked, has not exactly one input, or its state does
        not have a covariance because the spectral radius is 1 or above.

    See Also
    --------
    memory_capacity : Measured, for any reservoir.

    References
    ----------
    A. Rodan and P. Tino (2011). Minimum complexity echo state network. IEEE Transactions on
    Neural Networks 22 (1), theorem 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import linear_memory_capacity
    >>> from sklseq.nn.reservoir import Reservoir, input_weights, recurrent_weights
    >>> W = recurrent_weights(10, "ring", spectral_radius=0.9)
    >>> r = Reservoir(W, input_weights(10, 1, seed=0), activation="identity")
    >>> total = linear_memory_capacity(r, n_delays=1000).sum()
    >>> bool(np.isclose(total, 10 - 1 + 0.9**20))
    True
    """
    layers = layers_of(reservoir)
    _check_one_input(layers)
    if len(layers) > 1 or layers[0].activation != "identity":
        raise ValueError(
            "The closed form holds for one layer with activation='identity'; take "
            "memory_capacity, which measures any reservoir."
        )
    layer = layers[0]
    n_delays = 2 * layer.units - 1 if n_delays is None else n_delays
    step = Tangent(layers).step([np.ones(layer.units)], np.eye(layer.units))
    radius = np.abs(scipy.linalg.eigvals(step)).max()
    if radius >= 1:
        raise ValueError(
            f"The spectral radius of the update is {radius:.3g}: from 1 on the state has no "
            "covariance. Make it smaller."
        )
    weights = layer.leak_rate * dense(layer.input_weights)[:, 0]
    covariance = scipy.linalg.solve_discrete_lyapunov(step, np.outer(weights, weights))
    values, vectors = scipy.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * np.finfo(float).eps
    whiten = vectors[:, kept] / np.sqrt(values[kept])
    capacities = np.empty(n_delays)
    for k in range(n_delays):
        weights = step @ weights
        capacities[k] = np.sum((weights @ whiten) ** 2)
    return capacities


def _check_one_input(layers: Sequence[Reservoir]) -> None:
    n_inputs = layers[0].input_weights.shape[1]
    if n_inputs != 1:
        raise ValueError(f"Memory capacity is of one input, but the reservoir has {n_inputs}.")
