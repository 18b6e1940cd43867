"""States of reservoirs along a series, and the spectrum of their update."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sklseq.inspection.models import read_one, unwrapped
from sklseq.inspection.reservoirs.tangent import FloatArray, Tangent, layers_of
from sklseq.nn.reservoir import all_states

__all__ = ["reservoir_spectrum", "reservoir_states"]


def reservoir_states(reservoir: Any, X: Any) -> FloatArray:
    """States of a reservoir along a series, from the state zero.

    Parameters
    ----------
    reservoir : Reservoir, sequence of Reservoir or fitted estimator with `layers_`
        Without feedback. Of an estimator that reads in both directions, the forward one.
    X : array-like of shape (n_steps, n_inputs)
        The series that drives the reservoir. For an estimator one sequence, in a container as in
        `predict`.

    Returns
    -------
    states : ndarray of shape (n_steps, units)
        Of stacked reservoirs side by side.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is no reservoir, or a forecaster, which scales its series first.
    ValueError
        If X is not one such series, or the reservoir has feedback.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import reservoir_states
    >>> from sklseq.nn.reservoir import Reservoir
    >>> r = Reservoir(np.array([[0.5]]), np.ones((1, 1)), activation="identity")
    >>> reservoir_states(r, [[1.0], [0.0], [0.0]]).ravel()
    array([1.  , 0.5 , 0.25])
    """
    steps = X
    if hasattr(reservoir, "get_params"):
        reservoir, X = unwrapped(reservoir, X)
        if hasattr(reservoir, "forecast"):
            raise TypeError(
                f"{type(reservoir).__name__} scales its series before the reservoir reads them: "
                "give its layers_, and the series as they read it."
            )
        layers_of(reservoir)
        steps = read_one(reservoir._read_steps(X, reset=False), "states are those").steps
    layers = layers_of(reservoir)
    if any(layer.feedback_weights is not None for layer in layers):
        raise ValueError("The reservoir has feedback: its states follow from outputs, too.")
    return all_states(layers, np.asarray(steps, dtype=float)).astype(np.float64)


def reservoir_spectrum(reservoir: Any) -> NDArray[np.complex128]:
    """Eigenvalues of a reservoir's update at the state zero without input.

    Of ``x <- (1 - a) R x + a f(W x)`` with ``f'(0) = 1`` it is that of ``(1 - a) R + a W``. The
    largest modulus is the effective spectral radius: below 1 small states die out by themselves.

    Parameters
    ----------
    reservoir : Reservoir, sequence of Reservoir or fitted estimator with `layers_`

    Returns
    -------
    eigenvalues : complex ndarray of shape (units,)
        Largest modulus first; of stacked reservoirs all together.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is no reservoir.

    See Also
    --------
    jacobian_eigenvalues : At the states that a series drives it through.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import reservoir_spectrum
    >>> from sklseq.nn.reservoir import Reservoir
    >>> r = Reservoir(np.array([[0.0, 0.5], [0.5, 0.0]]), np.ones((2, 1)))
    >>> np.abs(reservoir_spectrum(r))
    array([0.5, 0.5])
    """
    if hasattr(reservoir, "get_params"):
        reservoir, _ = unwrapped(reservoir)
    layers = layers_of(reservoir)
    units = sum(layer.units for layer in layers)
    slopes = [np.ones(layer.units) for layer in layers]
    values = scipy.linalg.eigvals(Tangent(layers).step(slopes, np.eye(units)))
    return values[np.argsort(-np.abs(values), kind="stable")].astype(np.complex128)
