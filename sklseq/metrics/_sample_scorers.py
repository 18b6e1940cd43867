"""Scorers that draw samples of a generator: seeded, and larger is better."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import as_container, is_table, read_sequences
from sklseq.metrics._generation import train_synthetic_test_real_score

__all__ = ["SampleScorer", "SyntheticTrainingScorer", "sequence_summaries"]


class SampleScorer:
    """A scorer that draws samples from a fitted generator and compares them with X.

    Parameters
    ----------
    metric : callable
        ``metric(X, samples)`` to a number.
    sign : int, default=-1
        -1 where less is better.
    random_state : int, default=0
        Of the samples: each call draws the same ones, as many as X has rows.
    features : callable or None, default=None
        Makes a table of X and of the samples before they are compared. None takes
        `sequence_summaries` where X are sequences that make no table, and X as it is elsewhere.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KernelDensity
    >>> from sklseq.metrics import SampleScorer, energy_distance
    >>> X = load_iris().data
    >>> SampleScorer(energy_distance)(KernelDensity(bandwidth=0.1).fit(X), X) < 0.1
    True
    """

    def __init__(
        self,
        metric: Callable[[Any, Any], float],
        sign: int = -1,
        random_state: int = 0,
        features: Callable[[Any], Any] | None = None,
    ):
        self.metric, self.sign, self.random_state = metric, sign, random_state
        self.features = features

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Score of a generator; larger is better.

        Parameters
        ----------
        estimator : fitted estimator
            Has ``sample(n_samples, random_state=...)``.
        X : array-like of shape (n_samples, n_features), or what `features` takes
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        float
        """
        features = self.features
        if features is None and _are_sequences(X):
            features = sequence_summaries
        table = X if features is None else features(X)
        samples = estimator.sample(len(table), random_state=self.random_state)
        return self.sign * self.metric(table, samples if features is None else features(samples))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.metric.__name__}, sign={self.sign})"


class SyntheticTrainingScorer:
    """Scores a conditional generator by a classifier that is trained on its samples.

    A sample is drawn for each row of X, of its class; what the classifier then reaches on X is
    the score (see `train_synthetic_test_real_score`).

    Parameters
    ----------
    classifier : estimator
        Cloned.
    random_state : int, default=0
        Of the samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklseq.generative import RealNVP
    >>> from sklseq.metrics import SyntheticTrainingScorer
    >>> X, y = load_iris(return_X_y=True)
    >>> flow = RealNVP(conditional=True, learning_rate=0.01, max_epochs=20, random_state=0)
    >>> SyntheticTrainingScorer(KNeighborsClassifier())(flow.fit(X, y), X, y) > 0.9
    True
    """

    def __init__(self, classifier: Any, random_state: int = 0):
        self.classifier, self.random_state = classifier, random_state

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Score of a generator; larger is better.

        Parameters
        ----------
        estimator : fitted estimator
            Has ``sample(n_samples, y=..., random_state=...)``.
        X : array-like or sequences
            Held out from the generator.
        y : array-like of shape (n_samples,)

        Returns
        -------
        float
        """
        samples = estimator.sample(len(X), y=y, random_state=self.random_state)
        return train_synthetic_test_real_score(self.classifier, X, y, samples, y)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.classifier!r})"


def _are_sequences(X: Any) -> bool:
    """Whether X holds sequences of several features, or of unequal length."""
    X = as_container(X)
    if is_table(X):
        return False
    shapes = {np.shape(row) for row in X}
    return hasattr(X, "columns") or len(shapes) > 1 or any(len(shape) > 1 for shape in shapes)


def sequence_summaries(X: Any) -> NDArray[np.float64]:
    """Sequences as rows of a table, for metrics that compare rows.

    Parameters
    ----------
    X : sequences
        ``(n_sequences, n_steps, n_features)`` array, list or object array of
        ``(n_steps, n_features)`` or ``(n_steps,)`` arrays, or DataFrame with a (sequence, time)
        MultiIndex.

    Returns
    -------
    ndarray of shape (n_sequences, 1 + 3 * n_features)
        Number of steps; of each feature the mean, the standard deviation, and the mean product of
        neighbouring deviations from the mean (0 for one step).

    Examples
    --------
    >>> from sklseq.metrics import sequence_summaries
    >>> sequence_summaries([[1.0, 3.0], [5.0]])
    array([[ 2.,  2.,  1., -1.],
           [ 1.,  5.,  0.,  0.]])
    """
    sequences = read_sequences(X)
    rows = []
    for x in np.split(sequences.steps, sequences.starts[1:]):
        apart = x - x.mean(axis=0)
        products = (apart[1:] * apart[:-1]).sum(axis=0) / max(len(x) - 1, 1)
        rows.append(np.concatenate([[len(x)], x.mean(axis=0), x.std(axis=0), products]))
    return np.stack(rows)
