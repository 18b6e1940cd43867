"""Latent codes in a plane, along their axes, and what is decoded from them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.utils import Bunch

from sklseq.inspection.models import unwrapped

__all__ = ["latent_projection", "latent_traversal", "reconstructions"]

Array = NDArray[Any]


def latent_projection(estimator: Any, X: Any) -> Bunch:
    """Latent codes of rows in at most two coordinates.

    Codes of one or two dimensions are taken as they are, others are projected to their first two
    principal components.

    Parameters
    ----------
    estimator : estimator instance
        Fitted, with `transform`: an autoencoder, a latent variable model, a flow or another
        transformer of rows.
    X : array-like or sequences
        As in `transform`.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        coordinates : ndarray of shape (n_samples, n_coordinates)
            One or two.
        explained_variance_ratio : ndarray of shape (n_coordinates,) or None
            Share of the variance of the codes in each, where they were projected.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it has no latent codes of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.autoencoder import Autoencoder
    >>> from sklseq.inspection import latent_projection
    >>> X = np.random.default_rng(0).normal(size=(50, 6))
    >>> model = Autoencoder(n_components=3, max_epochs=5, random_state=0).fit(X)
    >>> latent_projection(model, X).coordinates.shape
    (50, 2)
    """
    model, X = _with_codes(estimator, X, "transform")
    codes = np.asarray(model.transform(X))
    if codes.dtype == object or codes.ndim != 2:
        raise TypeError(
            f"{type(model).__name__} gives codes of steps here, and rows are shown: set "
            "target='sequence'."
        )
    if codes.shape[1] <= 2:
        return Bunch(coordinates=codes, explained_variance_ratio=None)
    if len(codes) < 2:
        raise ValueError("X has a single row, of which there are no principal components.")
    pca = PCA(2, svd_solver="full")
    coordinates = pca.fit_transform(codes.astype(np.float64))
    return Bunch(coordinates=coordinates, explained_variance_ratio=pca.explained_variance_ratio_)


def latent_traversal(
    estimator: Any,
    X: Any,
    *,
    components: Any = None,
    n_points: int = 7,
    coverage: float = 0.98,
    y: Any = None,
) -> Bunch:
    """What rows become as one latent coordinate after the other goes from low to high.

    The others stay at the mean of the codes of X.

    Parameters
    ----------
    estimator : estimator instance
        Fitted, with `transform` and `inverse_transform`: an autoencoder, a latent variable model or
        a flow.
    X : array-like or sequences
        Rows, as in `transform`, whose codes say what is low and what is high.
    components : sequence of int or None, default=None
        Coordinates; None takes those whose codes vary most, at most 6.
    n_points : int, default=7
        Values of each.
    coverage : float, default=0.98
        Share of the codes between the lowest and the highest value.
    y : scalar or None, default=None
        Class of what is decoded, of a generative model with ``conditional=True``.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        components : ndarray of int of shape (n_components,)
            The coordinates that are varied.
        code_values : ndarray of shape (n_components, n_points)
            The values that each of them is given.
        rows : list of list
            Of each coordinate what is decoded at each value: arrays of the shape of a row of X.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it has no latent codes of rows that can be decoded.
    ValueError
        If an argument is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.autoencoder import Autoencoder
    >>> from sklseq.inspection import latent_traversal
    >>> X = np.random.default_rng(0).normal(size=(50, 6))
    >>> model = Autoencoder(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> result = latent_traversal(model, X, n_points=3)
    >>> len(result.rows), len(result.rows[0]), result.rows[0][0].shape
    (2, 3, (6,))
    """
    if isinstance(n_points, bool) or not isinstance(n_points, (int, np.integer)) or n_points < 2:
        raise ValueError(f"n_points={n_points!r} must be a whole number of at least 2.")
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage={coverage!r} must be above 0 and at most 1.")
    model, X = _with_codes(estimator, X, "transform", "inverse_transform")
    codes = np.asarray(model.transform(X))
    n = codes.shape[1]
    if components is None:
        chosen = np.sort(np.argsort(-codes.var(axis=0), kind="stable")[:6])
    else:
        chosen = np.asarray(components)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not np.isin(chosen, range(n)).all():
            raise ValueError(f"components={components!r} must be numbers from 0 to {n - 1}.")
    tail = (1 - coverage) / 2
    low, high = np.quantile(codes, [tail, 1 - tail], axis=0)
    code_values = np.linspace(low[chosen], high[chosen], n_points, axis=1)
    grid = np.tile(codes.mean(axis=0), (len(chosen) * n_points, 1))
    grid[np.arange(len(grid)), np.repeat(chosen, n_points)] = code_values.ravel()
    beside = () if y is None else (y,)
    decoded = list(_rows(model.inverse_transform(grid.astype(codes.dtype), *beside)))
    rows = [decoded[i * n_points : (i + 1) * n_points] for i in range(len(chosen))]
    return Bunch(components=chosen, code_values=code_values, rows=rows)


def reconstructions(estimator: Any, X: Any, y: Any = None) -> Bunch:
    """Rows beside what an estimator makes of their latent codes.

    Parameters
    ----------
    estimator : estimator instance
        Fitted: an autoencoder or a latent variable model, or another estimator with `transform` and
        `inverse_transform`, such as :class:`~sklearn.decomposition.PCA`.
    X : array-like or sequences
        As in `transform`.
    y : scalar, array-like of shape (n_samples,) or None, default=None
        Class of the rows, of a generative model with ``conditional=True``.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        rows, reconstructed : list of ndarray
            Each row, and what the decoder makes of its code.
        errors : ndarray of shape (n_samples,)
            Mean squared error of each row; of sequences over their steps.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it gives no reconstructions.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklseq.inspection import reconstructions
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> bool(reconstructions(PCA(3).fit(X), X).errors.max() < 1e-12)
    True
    """
    model, X = unwrapped(estimator, X)
    beside = () if y is None else (y,)
    if hasattr(model, "reconstruct"):
        found = model.reconstruct(X, *beside)
    else:
        model, X = _with_codes(model, X, "transform", "inverse_transform")
        found = model.inverse_transform(model.transform(X, *beside), *beside)
    rows, reconstructed = list(_rows(X)), list(_rows(found))
    if any(a.dtype.kind not in "fiub" for a in (*rows, *reconstructed)):
        raise TypeError(
            "Rows have values that are no numbers: reconstructions are drawn of numbers."
        )
    errors = np.array(
        [
            np.mean((a.astype(float) - b.reshape(a.shape)) ** 2)
            for a, b in zip(rows, reconstructed, strict=True)
        ]
    )
    return Bunch(rows=rows, reconstructed=reconstructed, errors=errors)


def _with_codes(estimator: Any, X: Any, *methods: str) -> tuple[Any, Any]:
    model, X = unwrapped(estimator, X)
    lacking = [name for name in methods if not hasattr(model, name)]
    if lacking:
        raise TypeError(
            f"{type(model).__name__} has no method {lacking[0]}: give a fitted autoencoder or "
            "latent variable model."
        )
    return model, X


def _rows(values: Any) -> Any:
    """Rows of an array, a DataFrame or sequences, as arrays."""
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    return map(np.asarray, values)
