"""What the dynamics of a reservoir, or a recurrent network, are like: stable or chaotic.

Every function takes a `sklseq.nn.reservoir.Reservoir`, a sequence of them (stacked), or a fitted
estimator that holds such a sequence in `layers_`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from sklseq.inspection.models import inner, unwrapped
from sklseq.inspection.networks.jacobians import network_eigenvalues
from sklseq.inspection.networks.tangent import growths, has_network
from sklseq.inspection.reservoirs.tangent import Tangent, layers_of
from sklseq.nn.reservoir import all_states

__all__ = ["echo_state_index", "jacobian_eigenvalues", "largest_lyapunov_exponent"]


def jacobian_eigenvalues(
    reservoir: Any, X: Any, *, feedback: ArrayLike | None = None, context: Any = None
) -> NDArray[np.complex128]:
    """Eigenvalues of the Jacobian of the state update, at each step of a series.

    The Jacobian of ``x <- (1 - a) R x + a f(W x + W_in u + b)`` with respect to x is
    ``(1 - a) R + a diag(f'(.)) W``. Where all eigenvalues stay inside the unit circle, small
    differences between states mostly die out; near it, they last. For stacked reservoirs it is
    the Jacobian of all layers' states, which is block triangular. For recurrent networks it is that
    of `state_jacobians`.

    Parameters
    ----------
    reservoir : Reservoir, sequence of Reservoir or fitted estimator with `layers_`
        The dynamics. The readout of an estimator plays no part. Or a fitted classifier, regressor
        or transformer of `sklseq.recurrent`: the forward direction of its layers. Or a pipeline or
        search with one.
    X : array-like of shape (n_steps, n_inputs)
        The series that drives the reservoir from the state zero. For recurrent networks one
        sequence, in a container as in `predict`.
    feedback : array-like of shape (n_steps, n_outputs) or None, default=None
        The output fed back into each step, where the reservoir has feedback.
    context : array-like of shape (1, n_context_features) or None, default=None
        Of a recurrent network, as in `fit`.

    Returns
    -------
    eigenvalues : complex ndarray of shape (n_steps, units)
        Of each step's Jacobian, largest modulus first; for recurrent networks of all steps but the
        first. It costs O(units^3) a step: a hundred steps of the series are enough for most uses.

    Raises
    ------
    ValueError
        If X has not the inputs of the reservoir, or is not one sequence.

    References
    ----------
    D. Verstraeten and B. Schrauwen (2009). On the quantification of dynamics in reservoir
    computing. ICANN, 985-994.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import jacobian_eigenvalues
    >>> from sklseq.nn.reservoir import Reservoir
    >>> r = Reservoir(np.array([[0.0, 0.5], [0.5, 0.0]]), np.ones((2, 1)), activation="identity")
    >>> np.abs(jacobian_eigenvalues(r, [[1.0], [2.0]]))
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    if hasattr(inner(reservoir), "module_"):
        return network_eigenvalues(reservoir, X, context)
    if hasattr(reservoir, "get_params"):
        reservoir, X = unwrapped(reservoir, X)
    layers = layers_of(reservoir)
    units = sum(layer.units for layer in layers)
    tangent = Tangent(layers)
    values = []
    for slopes in tangent.slopes(X, feedback):
        found = scipy.linalg.eigvals(tangent.step(slopes, np.eye(units)))
        values.append(found[np.argsort(-np.abs(found), kind="stable")])
    return np.array(values, dtype=np.complex128).reshape(-1, units)


def largest_lyapunov_exponent(
    model: Any,
    X: Any,
    *,
    feedback: ArrayLike | None = None,
    washout: int = 100,
    random_state: Any = None,
) -> float:
    """Mean rate, per step, at which a small difference between two states grows.

    Below 0 the driven network forgets how it started (a reservoir has echo states for this
    input), the faster the lower: differences last for about -1 over the exponent steps, and long
    series can be trained on in parallel over time (`time_parallel` of recurrent estimators).
    Above 0 it is chaotic. A tangent vector is carried along the series by the Jacobians and
    normalized each step (Benettin et al. 1980), so the difference is infinitesimal throughout.

    Parameters
    ----------
    model : Reservoir, sequence of Reservoir, or fitted estimator
        The dynamics: of an echo state network, or of a recurrent network of any cell that reads
        in one direction, whose state is that of all layers; or a pipeline or search with one.
        What makes predictions of it plays no part.
    X : array-like of shape (n_steps, n_inputs)
        The series that drives the states from their start, as the estimator takes it: with
        ``target="sequence"`` a list of one sequence.
    feedback : array-like of shape (n_steps, n_outputs) or None, default=None
        The output fed back into each step, where the reservoir has feedback.
    washout : int, default=100
        Steps at the beginning that turn the tangent vector and do not count.
    random_state : int, RandomState or None, default=None
        Seeds the first tangent vector.

    Returns
    -------
    exponent : float
        In units of 1 / step; minus infinity where all differences vanish in finite time.

    Raises
    ------
    ValueError
        If X has not the inputs of the model, or `washout` leaves no step; of a recurrent network,
        if X is several sequences, or the network is bidirectional.

    References
    ----------
    G. Benettin, L. Galgani, A. Giorgilli and J.-M. Strelcyn (1980). Lyapunov characteristic
    exponents for smooth dynamical systems. Meccanica 15, 9-20.

    Examples
    --------
    A linear ring with weights 0.5 halves every difference:

    >>> import numpy as np
    >>> from sklseq.inspection import largest_lyapunov_exponent
    >>> from sklseq.nn.reservoir import Reservoir, recurrent_weights
    >>> W = recurrent_weights(20, "ring", spectral_radius=0.5)
    >>> r = Reservoir(W, np.ones((20, 1)), activation="identity")
    >>> X = np.random.default_rng(0).normal(size=(300, 1))
    >>> exponent = largest_lyapunov_exponent(r, X, random_state=0)
    >>> bool(np.isclose(exponent, np.log(0.5)))
    True

    Of a recurrent network:

    >>> from sklseq.recurrent import GRURegressor
    >>> model = GRURegressor(target="step", max_epochs=5, random_state=0)
    >>> model.fit(X, X.ravel())
    GRURegressor(max_epochs=5, random_state=0, target='step')
    >>> largest_lyapunov_exponent(model, X, random_state=0) < 0
    True
    """
    rng = check_random_state(random_state)
    if hasattr(model, "get_params"):
        model, X = unwrapped(model, X)
    grown = list(
        growths(model, X, rng) if has_network(model) else _growths(model, X, feedback, rng)
    )
    if grown and grown[-1] == 0:
        return -np.inf
    _check_washout(washout, len(grown))
    return float(np.log(grown[washout:]).mean())


def _growths(
    reservoir: Any, X: ArrayLike, feedback: ArrayLike | None, rng: np.random.RandomState
) -> Iterator[float]:
    """By how much each step stretches a small difference; ends where nothing is left of it."""
    layers = layers_of(reservoir)
    tangent = Tangent(layers)
    vector = rng.standard_normal((sum(layer.units for layer in layers), 1))
    for slopes in tangent.slopes(X, feedback):
        vector = tangent.step(slopes, vector / np.linalg.norm(vector))
        yield (growth := float(np.linalg.norm(vector)))
        if growth == 0:
            return


def echo_state_index(
    reservoir: Any,
    X: ArrayLike,
    *,
    feedback: ArrayLike | None = None,
    n_starts: int = 10,
    washout: int = 100,
    random_state: Any = None,
) -> float:
    """Mean distance between runs that started in different states, once they had time to meet.

    0, to rounding, if the reservoir has echo states for this input: its state is a function of
    the input alone. The distance is that of runs from random states, uniform on [-1, 1], to the
    run from zero.

    Parameters
    ----------
    reservoir : Reservoir, sequence of Reservoir or fitted estimator with `layers_`
        The dynamics. The readout of an estimator plays no part.
    X : array-like of shape (n_steps, n_inputs)
        The series that drives all runs.
    feedback : array-like of shape (n_steps, n_outputs) or None, default=None
        The output fed back into each step, where the reservoir has feedback.
    n_starts : int, default=10
        Number of random states.
    washout : int, default=100
        Steps at the beginning that do not count.
    random_state : int, RandomState or None, default=None
        Seeds the random states.

    Returns
    -------
    index : float
        Mean Euclidean distance over starts and steps.

    Raises
    ------
    ValueError
        If X has not the inputs of the reservoir, or `washout` leaves no step.

    References
    ----------
    C. Gallicchio (2018). Chasing the echo state property. arXiv:1811.10892, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import echo_state_index
    >>> from sklseq.nn.reservoir import Reservoir, input_weights, recurrent_weights
    >>> X = np.zeros((500, 1))
    >>> for radius in (0.5, 1.5):
    ...     W = recurrent_weights(50, spectral_radius=radius, seed=0)
    ...     r = Reservoir(W, input_weights(50, 1, seed=0))
    ...     print(radius, echo_state_index(r, X, random_state=0) > 1e-6)
    0.5 False
    1.5 True
    """
    layers = layers_of(reservoir)
    steps = np.asarray(X, dtype=float)
    n_steps, n_runs = len(steps), n_starts + 1
    _check_washout(washout, n_steps)
    if n_starts < 1:
        raise ValueError(f"n_starts={n_starts}; at least 1 is needed.")
    units = sum(layer.units for layer in layers)
    starts = check_random_state(random_state).uniform(-1, 1, (n_runs, units))
    starts[0] = 0
    back = None if feedback is None else np.asarray(feedback, dtype=float)
    # Side by side, piece by piece: memory does not grow with the length of the series.
    total, piece = 0.0, max(1, 4_000_000 // (units * n_runs))
    for begin in range(0, n_steps, piece):
        part = steps[begin : begin + piece]
        states = all_states(
            layers,
            np.tile(part, (n_runs, 1)),
            [len(part)] * n_runs,
            feedback=None if back is None else np.tile(back[begin : begin + piece], (n_runs, 1)),
            initial_state=starts,
        ).reshape(n_runs, len(part), units)
        starts = states[:, -1].copy()
        distances = np.linalg.norm(states[1:] - states[0], axis=2)
        total += float(distances[:, max(0, washout - begin) :].sum())
    return total / (n_starts * (n_steps - washout))


def _check_washout(washout: int, n_steps: int) -> None:
    if not 0 <= washout < n_steps:
        raise ValueError(
            f"washout={washout} leaves none of the {n_steps} steps: give a longer series or a "
            "washout between 0 and their number."
        )
