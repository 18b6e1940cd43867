"""Series of dynamical systems, by stated integrators: what reservoirs are measured on."""

from collections.abc import Sequence

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.signal import lfilter
from sklearn.utils import check_random_state

from sklseq.datasets._common import check_at_least

RandomStateLike = int | RandomState | None

# Draws of the input after which a NARMA system is given up.
_DRAWS = 100


def make_narma(
    n_steps: int = 1000,
    *,
    order: int = 10,
    coefficients: Sequence[float] = (0.3, 0.05, 1.5, 0.1),
    random_state: RandomStateLike = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Generate a nonlinear autoregressive moving average (NARMA) task: one series.

    The input u is uniform on [0, 0.5]; with coefficients (a, b, c, d) and order n the target is

    ``y[t] = a y[t-1] + b y[t-1] (y[t-1] + ... + y[t-n]) + c u[t-n+1] u[t] + d``,

    where u and y are 0 before the first step. So y[t] is known once ``X[t]`` is: it is a target
    of the steps up to t, not a forecast. The system can run away; if y leaves [-1, 1] the
    input is drawn again.

    Parameters
    ----------
    n_steps : int, default=1000
        Number of steps, at least 1.
    order : int, default=10
        Steps n that the system looks back, at least 1.
    coefficients : sequence of 4 float, default=(0.3, 0.05, 1.5, 0.1)
        a, b, c and d; the default is NARMA10. For ``order=30`` take (0.2, 0.04, 1.5, 0.001).
    random_state : int, RandomState or None, default=None
        Seeds the generator; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_steps, 1)
        The input u.
    y : ndarray of shape (n_steps,)
        The target of each step.

    Raises
    ------
    ValueError
        If a parameter is not as above, or the system runs away for every input drawn.

    See Also
    --------
    make_mackey_glass, make_lorenz : Series to forecast.

    References
    ----------
    A. F. Atiya and A. G. Parlos (2000). New results on recurrent network training: unifying the
    algorithms and accelerating convergence. IEEE Transactions on Neural Networks 11 (3), eq. 86.

    Examples
    --------
    >>> from sklseq.datasets import make_narma
    >>> X, y = make_narma(500, random_state=0)
    >>> X.shape, y.shape
    ((500, 1), (500,))
    """
    n_steps = check_at_least("n_steps", n_steps, 1)
    order = check_at_least("order", order, 1)
    if len(coefficients) != 4 or not np.isfinite(coefficients).all():
        raise ValueError(f"coefficients must be 4 finite numbers, got {coefficients!r}.")
    rng = check_random_state(random_state)
    for _ in range(_DRAWS):
        u = rng.uniform(0, 0.5, size=n_steps)
        y = _narma(u, order, *coefficients)
        if y is not None:
            return u[:, None], y
    raise ValueError(
        f"A NARMA system of order={order} with coefficients={tuple(coefficients)} leaves [-1, 1] "
        f"within {n_steps} steps for each of {_DRAWS} inputs: take smaller coefficients, such as "
        "(0.2, 0.04, 1.5, 0.001)."
    )


def _narma(
    u: NDArray[np.float64], order: int, a: float, b: float, c: float, d: float
) -> NDArray[np.float64] | None:
    """The target, or None where it leaves [-1, 1]."""
    driven = np.full(len(u), float(d))
    driven[order - 1 :] += c * u[order - 1 :] * u[: max(0, len(u) - order + 1)]
    y = [0.0] * order
    last = 0.0
    for drive in driven.tolist():
        last = a * last + b * last * sum(y[-order:]) + drive
        if not -1 <= last <= 1:
            return None
        y.append(last)
    return np.array(y[order:])


def make_mackey_glass(
    n_steps: int = 1000,
    *,
    tau: float = 17.0,
    step: float = 0.1,
    keep_every: int = 10,
    n_transient: int = 1000,
    random_state: RandomStateLike = None,
) -> NDArray[np.float64]:
    """Generate the Mackey-Glass series, a delay equation that is chaotic for tau above 16.8.

    ``y'(t) = 0.2 y(t - tau) / (1 + y(t - tau)^10) - 0.1 y(t)``, integrated by Euler's method
    with the given step, of which each `keep_every`-th value is kept: by default one for each
    unit of time, as in Jaeger (2001), who learns ``tanh(y - 1)`` of it. The history before the
    first step is 1.2 plus noise, uniform on [-0.2, 0.2], one value for each step of the
    integrator.

    Parameters
    ----------
    n_steps : int, default=1000
        Number of values kept, at least 1.
    tau : float, default=17.0
        The delay; a multiple of `step`.
    step : float, default=0.1
        Step of the integrator, in (0, 1].
    keep_every : int, default=10
        Steps of the integrator from one kept value to the next, at least 1.
    n_transient : int, default=1000
        Number of values dropped before the first one that is kept, at least 0.
    random_state : int, RandomState or None, default=None
        Seeds the history; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_steps, 1)
        The series as integrated, neither shifted nor scaled.

    Raises
    ------
    ValueError
        If a parameter is not as above; the message names which.

    See Also
    --------
    make_lorenz : A chaotic flow in three dimensions.

    References
    ----------
    M. C. Mackey and L. Glass (1977). Oscillation and chaos in physiological control systems.
    Science 197, 287-289.

    H. Jaeger (2001). The "echo state" approach to analysing and training recurrent neural
    networks. GMD Report 148, section 4.2 (the integrator).

    Examples
    --------
    >>> from sklseq.datasets import make_mackey_glass
    >>> X = make_mackey_glass(500, random_state=0)
    >>> X.shape, bool(0.2 < X.min() < X.max() < 1.5)
    ((500, 1), True)
    """
    n_steps = check_at_least("n_steps", n_steps, 1)
    keep_every = check_at_least("keep_every", keep_every, 1)
    n_transient = check_at_least("n_transient", n_transient, 0)
    step = _check_number("step", step, 1.0)
    delay = round(_check_number("tau", tau, np.inf) / step)
    if delay < 1 or abs(delay * step - tau) > 1e-9 * tau:
        raise ValueError(f"tau must be a multiple of step={step}, got {tau!r}.")
    rng = check_random_state(random_state)

    n_fine = (n_steps + n_transient) * keep_every
    y = np.empty(delay + n_fine)
    y[:delay] = 1.2 + rng.uniform(-0.2, 0.2, size=delay)
    decay = 1 - 0.1 * step
    # For the length of one delay all that the feedback needs is known: what is left is a linear
    # recursion.
    for now in range(delay, len(y), delay):
        late = y[now - delay : min(now, len(y) - delay)]
        drive = step * 0.2 * late / (1 + late**10)
        y[now : now + len(late)] = lfilter([1.0], [1.0, -decay], drive, zi=[decay * y[now - 1]])[0]
    return y[delay:][n_transient * keep_every :: keep_every][:n_steps, None].copy()


def make_lorenz(
    n_steps: int = 1000,
    *,
    dt: float = 0.02,
    sigma: float = 10.0,
    rho: float = 28.0,
    beta: float = 8 / 3,
    n_transient: int = 1000,
    random_state: RandomStateLike = None,
) -> NDArray[np.float64]:
    """Generate a trajectory of the Lorenz system, chaotic with the default parameters.

    ``x' = sigma (y - x)``, ``y' = x (rho - z) - y``, ``z' = x y - beta z``, integrated by the
    classical Runge-Kutta method of fourth order with step `dt`, every step kept. The start is
    drawn around (1, 1, 1) with a standard deviation of 1. The largest Lyapunov exponent of the
    default system is 0.906 per unit of time.

    Parameters
    ----------
    n_steps : int, default=1000
        Number of steps kept, at least 1.
    dt : float, default=0.02
        Step of the integrator, in (0, 0.1].
    sigma, rho : float, default=10.0, 28.0
        Prandtl and Rayleigh number, above 0.
    beta : float, default=8/3
        Geometric factor, above 0.
    n_transient : int, default=1000
        Number of steps dropped before the first one that is kept, at least 0.
    random_state : int, RandomState or None, default=None
        Seeds the start; an int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_steps, 3)
        x, y and z of each step.

    Raises
    ------
    ValueError
        If a parameter is not as above; the message names which.

    See Also
    --------
    make_mackey_glass : A chaotic series of one feature.

    References
    ----------
    E. N. Lorenz (1963). Deterministic nonperiodic flow. Journal of the Atmospheric Sciences 20,
    130-141.

    Examples
    --------
    >>> from sklseq.datasets import make_lorenz
    >>> make_lorenz(500, random_state=0).shape
    (500, 3)
    """
    n_steps = check_at_least("n_steps", n_steps, 1)
    n_transient = check_at_least("n_transient", n_transient, 0)
    dt = _check_number("dt", dt, 0.1)
    named = {"sigma": sigma, "rho": rho, "beta": beta}
    constants = [_check_number(name, value, np.inf) for name, value in named.items()]
    rng = check_random_state(random_state)

    point = tuple((1 + rng.standard_normal(3)).tolist())
    for _ in range(n_transient):
        point = _runge_kutta_step(point, dt, *constants)
    kept = []
    for _ in range(n_steps):
        point = _runge_kutta_step(point, dt, *constants)
        kept.append(point)
    return np.array(kept)


_Point = tuple[float, float, float]


def _flow(point: _Point, sigma: float, rho: float, beta: float) -> _Point:
    x, y, z = point
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


def _runge_kutta_step(point: _Point, dt: float, sigma: float, rho: float, beta: float) -> _Point:
    x, y, z = point
    # Plain floats: arrays of three would take twenty times as long.
    a, b, c = _flow(point, sigma, rho, beta)
    h = dt / 2
    d, e, f = _flow((x + h * a, y + h * b, z + h * c), sigma, rho, beta)
    g, i, j = _flow((x + h * d, y + h * e, z + h * f), sigma, rho, beta)
    k, m, n = _flow((x + dt * g, y + dt * i, z + dt * j), sigma, rho, beta)
    sixth = dt / 6
    return (
        x + sixth * (a + 2 * (d + g) + k),
        y + sixth * (b + 2 * (e + i) + m),
        z + sixth * (c + 2 * (f + j) + n),
    )


def _check_number(name: str, value: object, high: float) -> float:
    """Return `value` as a float in (0, high], or raise a ValueError that names the parameter."""
    if not isinstance(value, (int, float, np.number)) or not 0 < value <= high or value == np.inf:
        bound = "" if high == np.inf else f", at most {high}"
        raise ValueError(f"{name} must be a finite number above 0{bound}, got {value!r}.")
    return float(value)
