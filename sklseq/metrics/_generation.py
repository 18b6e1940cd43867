"""How good samples are: distances, tests and shares, each honest about what it measures.

All take rows of the data that the generator was not trained on. What samples can reach is what
real rows reach: ``metric(test, train)`` is the floor to compare ``metric(test, samples)`` with.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_scalar

from sklseq.data import is_frame
from sklseq.metrics._rows import as_rows

__all__ = [
    "classifier_two_sample_score",
    "density_coverage",
    "energy_distance",
    "maximum_mean_discrepancy",
    "nearer_to_train_share",
    "sliced_wasserstein_distance",
    "train_synthetic_test_real_score",
]


def energy_distance(X: Any, samples: Any) -> float:
    """Energy distance between two sets of rows.

    ``2 E|x - s| - E|x - x'| - E|s - s'|``, without the distances of rows from themselves, so that
    its mean is zero for samples of the same distribution; it may be negative. The floor to compare
    it with is ``energy_distance(test, train)`` of real rows.

    Parameters
    ----------
    X, samples : array-like or DataFrame of shape (n_samples, n_features), or sequences
        Real rows, held out from the generator, and its samples; of at least two rows each.

    Returns
    -------
    float

    Notes
    -----
    All metrics of samples see rows as numbers, by one description, which is learned from the real
    rows (the first argument):

    - Columns of arrays, and of DataFrames that hold floating point numbers alone, are compared in
      their units: a column of large numbers outweighs the others, so scale columns alike first.
    - In other DataFrames every column counts alike. Numbers, nullable or not, become normal scores
      by the quantiles of the real ones. Booleans, strings and other categories are one-hot; one
      that is new in the samples differs from all others. An indicator marks missing values. So
      the squared distance between two categories, between a value and a missing one, and between
      two numbers is 2, the latter two on average.
    - Columns are matched by name, and must be in the same order.
    - Sequences of several features or of unequal length are compared by `sequence_summaries`, in
      their units.

    References
    ----------
    Székely and Rizzo (2013). Energy statistics: a class of statistics based on distances.
    Journal of Statistical Planning and Inference, equation 5.

    Examples
    --------
    >>> from sklseq.metrics import energy_distance
    >>> energy_distance([[0.0], [1.0]], [[0.0], [1.0]])
    -1.0
    """
    X, samples = _pairs_of_rows(X, samples)
    across = pairwise_distances(X, samples).mean()
    within = sum(_mean_within(pairwise_distances(rows)) for rows in (X, samples))
    return float(2 * across - within)


def _pairs_of_rows(X: Any, samples: Any) -> list[NDArray[np.float64]]:
    """Both as rows of numbers, at least two of each."""
    tables = as_rows(X=X, samples=samples)
    for name, rows in zip(("X", "samples"), tables, strict=True):
        if len(rows) < 2:
            raise ValueError(
                f"{name} has {len(rows)} row, which has no distance from others: compare at least "
                "two rows. In cross-validation, take fewer folds."
            )
    return tables


def _mean_within(values: NDArray[Any]) -> float:
    """Mean over pairs of different rows."""
    n = len(values)
    return float((values.sum() - np.trace(values)) / (n * (n - 1)))


def sliced_wasserstein_distance(
    X: Any, samples: Any, *, n_projections: int = 200, random_state: Any = 0
) -> float:
    """Root mean square of the Wasserstein-2 distances of projections to random lines.

    Parameters
    ----------
    X, samples : array-like or DataFrame of shape (n_samples, n_features), or sequences
        Real rows, held out from the generator, and its samples. Scale the columns of arrays
        alike first; `energy_distance` says how those of DataFrames are compared.
    n_projections : int, default=200
    random_state : int, RandomState instance or None, default=0
        Seed of the projections.

    Returns
    -------
    float

    References
    ----------
    Bonneel et al. (2015). Sliced and Radon Wasserstein barycenters of measures. JMIV, section 3.

    Examples
    --------
    >>> from sklseq.metrics import sliced_wasserstein_distance
    >>> sliced_wasserstein_distance([[0.0], [1.0]], [[2.0], [3.0]])
    2.0
    """
    check_scalar(n_projections, "n_projections", Integral, min_val=1)
    X, samples = as_rows(X=X, samples=samples)
    lines = check_random_state(random_state).normal(size=(X.shape[1], n_projections))
    lines /= np.linalg.norm(lines, axis=0)
    # Quantile functions are steps; on the grid of all their steps the integral is exact.
    steps = np.union1d(*(np.arange(1, len(a) + 1) / len(a) for a in (X, samples)))
    widths = np.diff(steps, prepend=0.0)
    middle = steps - widths / 2
    a, b = (
        np.sort(rows @ lines, axis=0)[np.minimum((middle * len(rows)).astype(int), len(rows) - 1)]
        for rows in (X, samples)
    )
    return float(np.sqrt((widths @ (a - b) ** 2).mean()))


def maximum_mean_discrepancy(X: Any, samples: Any, *, bandwidth: float | None = None) -> float:
    """Squared maximum mean discrepancy with a Gaussian kernel, unbiased.

    Parameters
    ----------
    X, samples : array-like or DataFrame of shape (n_samples, n_features), or sequences
        Real rows, held out from the generator, and its samples; of at least two rows each. Scale
        the columns of arrays alike first; `energy_distance` says how those of DataFrames are
        compared.
    bandwidth : float or None, default=None
        Standard deviation of the kernel; None takes the median distance between rows of X. It
        depends on X alone, so that samples of several generators are measured alike.

    Returns
    -------
    float
        Zero on average for samples of the same distribution; it may be negative.

    References
    ----------
    Gretton et al. (2012). A kernel two-sample test. JMLR, equation 3 and section 8.

    Examples
    --------
    >>> from sklseq.metrics import maximum_mean_discrepancy
    >>> maximum_mean_discrepancy([[0.0], [1.0]], [[9.0], [9.0]]) > 1
    True
    """
    if bandwidth is not None:
        check_scalar(bandwidth, "bandwidth", Real, min_val=0, include_boundaries="neither")
    X, samples = _pairs_of_rows(X, samples)
    own = pairwise_distances(X)
    if bandwidth is None:
        apart = own[np.triu_indices(len(X), 1)]
        bandwidth = float(np.median(apart)) or float(apart.mean()) or 1.0

    def kernel(distances: NDArray[Any]) -> NDArray[Any]:
        return np.exp(-0.5 * (distances / bandwidth) ** 2)

    across = kernel(pairwise_distances(X, samples)).mean()
    within = _mean_within(kernel(own)) + _mean_within(kernel(pairwise_distances(samples)))
    return float(within - 2 * across)


def classifier_two_sample_score(
    X: Any, samples: Any, *, classifier: Any = None, cv: int = 5, random_state: Any = 0
) -> float:
    """Held-out accuracy of a classifier of samples against data; 0.5 is best, and the floor.

    Trees see what a linear classifier does not: samples with the right means and nothing else
    are distinguished. Both classes have equal weight.

    Parameters
    ----------
    X, samples : array-like or DataFrame of shape (n_samples, n_features), or sequences
        Real rows, held out from the generator, and its samples. `energy_distance` says what the
        classifier sees of DataFrames and sequences; trees are invariant to the scale of columns.
    classifier : estimator or None, default=None
        None takes `HistGradientBoostingClassifier` with leaves of at least 5 rows.
    cv : int, default=5
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and the trees.

    Returns
    -------
    float

    References
    ----------
    Lopez-Paz and Oquab (2017). Revisiting classifier two-sample tests. ICLR, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.metrics import classifier_two_sample_score
    >>> rng = np.random.default_rng(0)
    >>> classifier_two_sample_score(rng.normal(size=(99, 2)), rng.normal(3, 1, size=(99, 2))) > 0.9
    True
    """
    X, samples = as_rows(X=X, samples=samples)
    rng = check_random_state(random_state)
    seed = int(rng.randint(2**31 - 1))
    if classifier is None:
        classifier = HistGradientBoostingClassifier(min_samples_leaf=5, random_state=seed)
    rows = np.concatenate([X, samples])
    is_sample = np.repeat([0, 1], [len(X), len(samples)])
    folds = StratifiedKFold(cv, shuffle=True, random_state=seed)
    predicted = cross_val_predict(clone(classifier), rows, is_sample, cv=folds)
    return float(np.mean([np.mean(predicted[is_sample == c] == c) for c in (0, 1)]))


def train_synthetic_test_real_score(
    classifier: Any, X: Any, y: Any, samples: Any, sample_labels: Any
) -> float:
    """Score on real rows of an estimator trained on samples.

    Parameters
    ----------
    classifier : estimator
        Cloned; classifier or regressor. It gets inputs as they are; of DataFrames that it cannot
        take, such as those with strings or missing values, rows of numbers (see
        `energy_distance`).
    X, y : array-like or DataFrame of shape (n_samples, n_features) and array-like (n_samples,)
        Real rows, held out from the generator, and their classes or values.
    samples, sample_labels : the same, of the generator

    Returns
    -------
    float

    References
    ----------
    Esteban, Hyland and Rätsch (2017). Real-valued (medical) time series generation with recurrent
    conditional GANs, section 4.3.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklseq.metrics import train_synthetic_test_real_score
    >>> X, y = [[0.0], [1.0]], [0, 1]
    >>> train_synthetic_test_real_score(KNeighborsClassifier(1), X, y, [[0.1], [0.9]], y)
    1.0
    """

    def score(X: Any, samples: Any) -> float:
        return float(clone(classifier).fit(samples, sample_labels).score(X, y))

    try:
        return score(X, samples)
    except (TypeError, ValueError):
        if not is_frame(X):
            raise
        # Which columns an estimator takes is not known beforehand: tags of pipelines do not say.
        return score(*as_rows(X=X, samples=samples))


def density_coverage(X: Any, samples: Any, *, n_neighbors: int = 5) -> tuple[float, float]:
    """Density (do samples lie where data lie?) and coverage (is all the data sampled?).

    Parameters
    ----------
    X, samples : array-like or DataFrame of shape (n_samples, n_features), or sequences
        Real rows, held out from the generator, and its samples. Scale the columns of arrays
        alike first; `energy_distance` says how those of DataFrames are compared.
    n_neighbors : int, default=5
        A row's neighborhood reaches to its neighbor of that order in X.

    Returns
    -------
    density : float
        Mean number of neighborhoods around a sample, over `n_neighbors`; 1 is expected.
    coverage : float
        Share of neighborhoods with a sample; ``1 - 2 ** -n_neighbors`` is expected for as many
        samples as rows.

    References
    ----------
    Naeem et al. (2020). Reliable fidelity and diversity metrics for generative models. ICML,
    section 3.2.

    Examples
    --------
    >>> from sklseq.metrics import density_coverage
    >>> density_coverage([[0.0], [1.0], [3.0]], [[9.0]], n_neighbors=1)
    (0.0, 0.0)
    """
    X, samples = as_rows(X=X, samples=samples)
    if not 1 <= n_neighbors < len(X):
        raise ValueError(f"n_neighbors={n_neighbors} must be from 1 to {len(X) - 1}.")
    reach = NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors()[0][:, -1]
    near = pairwise_distances(X, samples) <= reach[:, None]
    return float(near.sum() / (n_neighbors * len(samples))), float(near.any(axis=1).mean())


def nearer_to_train_share(X_train: Any, X: Any, samples: Any) -> float:
    """Share of samples that are nearer to training rows than to held-out rows.

    Half, if nothing was memorized; near 1, if samples are copies. Of the larger set as many rows
    are taken as the other has, the first ones.

    Parameters
    ----------
    X_train, X, samples : array-like or DataFrame of shape (n_samples, n_features), or sequences
        Rows that the generator was trained on, rows held out, and its samples. The first two
        should be in random order. Scale the columns of arrays alike first; `energy_distance` says
        how those of DataFrames are compared, here as the training rows describe them.

    Returns
    -------
    float
        Samples as near to both count half.

    References
    ----------
    Platzer and Reutterer (2021). Holdout-based empirical assessment of mixed-type synthetic data.
    Frontiers in Big Data, section 2.2.

    Examples
    --------
    >>> from sklseq.metrics import nearer_to_train_share
    >>> nearer_to_train_share([[0.0], [1.0]], [[0.4], [1.4]], [[0.0], [1.1]])
    1.0
    """
    X_train, X, samples = as_rows(X_train=X_train, X=X, samples=samples)
    n = min(len(X_train), len(X))
    train, held = (
        NearestNeighbors(n_neighbors=1).fit(rows[:n]).kneighbors(samples)[0][:, 0]
        for rows in (X_train, X)
    )
    return float(np.mean((train < held) + 0.5 * (train == held)))
