"""Which modes of the data samples reach, and densities over the plane."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KernelDensity, NearestNeighbors
from sklearn.utils import Bunch, check_array, check_consistent_length

from sklseq.inspection.models import unwrapped

__all__ = ["density_grid", "mode_coverage"]


def mode_coverage(X: Any, y: Any, samples: Any) -> Bunch:
    """How often samples fall on each mode of the data.

    A sample belongs to the mode of the row next to it. It is off the data where that row is farther
    away than the nearest other row is from 99 of 100 rows. A mode is covered if at least a tenth of
    its share of the data falls on it: adversarial training, above all, may lose some.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Rows of the data.
    y : array-like of shape (n_rows,)
        Mode of each row: its class, or its cluster.
    samples : array-like of shape (n_samples, n_features)
        Rows that were drawn.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        modes : ndarray of shape (n_modes,)
            Labels, sorted.
        data_share, sample_share : ndarray of shape (n_modes,)
            Share of the rows, and of the samples, on each mode.
        off_share : float
            Share of the samples that are off the data.
        n_covered : int
            Modes that are covered.

    Raises
    ------
    ValueError
        If the arrays do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import mode_coverage
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(4, size=400)
    >>> X = 5 * np.eye(4)[y] + rng.normal(size=(400, 4))
    >>> mode_coverage(X, y, X[y < 3]).n_covered
    3
    """
    X, samples = check_array(X), check_array(samples)
    labels = np.asarray(y)
    check_consistent_length(X, labels)
    if samples.shape[1] != X.shape[1]:
        raise ValueError(f"samples have {samples.shape[1]} features, and X has {X.shape[1]}.")
    if len(X) < 2:
        raise ValueError("X has a single row: how far rows are from each other is not known.")
    modes, codes = np.unique(labels, return_inverse=True)
    own, _ = NearestNeighbors(n_neighbors=1).fit(X).kneighbors()
    found, nearest = NearestNeighbors(n_neighbors=1).fit(X).kneighbors(samples)
    on = found[:, 0] <= np.quantile(own[:, 0], 0.99)
    data_share = np.bincount(codes, minlength=len(modes)) / len(X)
    hits = np.bincount(codes[nearest[on, 0]], minlength=len(modes))
    sample_share = hits / len(samples)
    return Bunch(
        modes=modes,
        data_share=data_share,
        sample_share=sample_share,
        off_share=float(np.mean(~on)),
        n_covered=int(np.sum(sample_share >= data_share / 10)),
    )


def density_grid(
    estimator: Any,
    X: Any,
    *,
    n_points: int = 100,
    margin: float = 0.1,
    n_samples: int = 2000,
    random_state: Any = None,
) -> Bunch:
    """Density of a generative model of two features, on a grid.

    Where a model has `score_samples`, it is the exponential of that: the density of a flow, and of
    a `VAE` a lower bound of it. A model that only gives samples, such as `GAN`, has a kernel
    density estimate of them, with the bandwidth of Scott's rule.

    Parameters
    ----------
    estimator : estimator instance
        Fitted on two real features, with `score_samples` in nats or `sample`; or a pipeline or
        search with one, of which X is what the steps before it give.
    X : array-like of shape (n_rows, 2)
        Rows that the grid is to hold.
    n_points : int, default=100
        Points along each axis.
    margin : float, default=0.1
        Space around the rows, as a share of their range.
    n_samples : int, default=2000
        Samples of a kernel density estimate.
    random_state : int, RandomState instance or None, default=None
        Seed of the samples.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        x, y : ndarray of shape (n_points,)
            Values of both features.
        density : ndarray of shape (n_points, n_points)
            A row for each of `y`.
        samples : ndarray of shape (n_samples, 2) or None
            Of a kernel density estimate.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is no generative model of densities or samples.
    ValueError
        If there are not two features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.generative import RealNVP
    >>> from sklseq.inspection import density_grid
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> model = RealNVP(max_epochs=10, random_state=0).fit(X)
    >>> grid = density_grid(model, X, margin=0.5)
    >>> area = np.ptp(grid.x) * np.ptp(grid.y) / 99**2
    >>> bool(abs(grid.density.sum() * area - 1) < 0.05)
    True
    """
    model, X = unwrapped(estimator, X)
    if not hasattr(model, "sample") or not hasattr(model, "conditional"):
        raise TypeError(f"{type(model).__name__} draws no samples: give a fitted generative model.")
    rows = check_array(X.to_numpy() if hasattr(X, "to_numpy") else X)
    if rows.shape[1] != 2:
        raise ValueError(f"X has {rows.shape[1]} features: densities are drawn of two.")
    if isinstance(n_points, bool) or not isinstance(n_points, (int, np.integer)) or n_points < 2:
        raise ValueError(f"n_points={n_points!r} must be a whole number of at least 2.")
    low, high = rows.min(axis=0), rows.max(axis=0)
    space = margin * (high - low)
    x, y = np.linspace(low - space, high + space, n_points, axis=1)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    samples = None
    if hasattr(model, "score_samples"):
        names = getattr(model, "feature_names_in_", None)
        scores = model.score_samples(_named(grid, names, X))
    else:
        samples = _as_array(model.sample(n_samples, random_state=random_state))
        scores = _kernel_scores(samples, grid)
    return Bunch(x=x, y=y, density=np.exp(scores).reshape(n_points, n_points), samples=samples)


def _named(grid: NDArray[Any], names: Any, like: Any) -> Any:
    """Points as a DataFrame of the kind of X, where the model was fitted on one."""
    if names is None or not hasattr(like, "columns"):
        return grid
    return type(like)({name: grid[:, i] for i, name in enumerate(names)})


def _as_array(samples: Any) -> NDArray[Any]:
    return samples.to_numpy() if hasattr(samples, "to_numpy") else np.asarray(samples)


def _kernel_scores(samples: NDArray[Any], grid: NDArray[Any]) -> NDArray[Any]:
    scale = samples.std(axis=0)
    scale[scale == 0] = 1
    kernel = KernelDensity(bandwidth=len(samples) ** (-1 / 6)).fit(samples / scale)
    return kernel.score_samples(grid / scale) - np.log(scale).sum()
