"""Scorers that draw samples of a generator: seeded, and larger is better."""

import inspect
from collections.abc import Callable
from typing import Any

from sklearn.pipeline import Pipeline

from sklseq.metrics._generation import train_synthetic_test_real_score
from sklseq.metrics._rows import as_tables

__all__ = ["SampleScorer", "SyntheticTrainingScorer"]


class SampleScorer:
    """A scorer that draws samples from a fitted generator and compares them with X.

    Parameters
    ----------
    metric : callable
        ``metric(X, samples)`` to a number.
    sign : int, default=-1
        1 if larger values of the metric are better, -1 if smaller ones are.
    random_state : int, default=0
        Seed of the samples: each call draws the same ones, as many as X has rows.
    features : callable or None, default=None
        Function that is applied to X and to the samples before they are compared, such as
        ``lambda table: table[["age", "fare"]]``, or a fitted scaler's ``transform``. None compares
        tables as they are, and sequences by their `sequence_summaries`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KernelDensity
    >>> from sklseq.metrics import SampleScorer, energy_distance
    >>> X = load_iris().data
    >>> score = SampleScorer(energy_distance)
    >>> score(KernelDensity(bandwidth=0.1).fit(X), X) > score(KernelDensity(bandwidth=2).fit(X), X)
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
        # What `help` shows of a scorer such as `neg_energy_distance`.
        value = "minus " * (sign < 0) + f"{self._name}(X, samples)"
        about = (inspect.getdoc(metric) or "").partition("\n\n")[0]
        self.__doc__ = (
            f"Scorer of fitted generators: {value}, for as many samples as rows.\n\n{about}\n\n"
            f"Called as ``scorer(estimator, X)``; larger is better. See `{type(self).__name__}`."
        )

    @property
    def _name(self) -> str:
        return getattr(self.metric, "__name__", repr(self.metric))

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Score of a generator; larger is better.

        Parameters
        ----------
        estimator : fitted estimator
            Has ``sample(n_samples, random_state=...)``, or is a Pipeline whose last step has, and
            whose other steps have ``inverse_transform``.
        X : array-like, DataFrame or sequences
            Held out from the generator; or what `features` takes.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        float
        """
        if self.features is None:
            n_rows = len(as_tables(X)[0])  # of a DataFrame of sequences it is not the length
            samples = _sampled(estimator, n_rows, random_state=self.random_state)
            return self.sign * self.metric(*as_tables(X, samples))
        X = self.features(X)
        samples = self.features(_sampled(estimator, len(X), random_state=self.random_state))
        return self.sign * self.metric(X, samples)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name}, sign={self.sign})"


class SyntheticTrainingScorer:
    """Scores a conditional generator by a classifier that is trained on its samples.

    A sample is drawn for each row of X, of its class; what the classifier then reaches on X is
    the score (see `train_synthetic_test_real_score`).

    Parameters
    ----------
    classifier : estimator
        Cloned.
    random_state : int, default=0
        Seed of the samples.

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
            Has ``sample(n_samples, y=..., random_state=...)``, or is a Pipeline as in
            `SampleScorer`.
        X : array-like, DataFrame or sequences
            Held out from the generator.
        y : array-like of shape (n_samples,)

        Returns
        -------
        float
        """
        samples = _sampled(estimator, len(y), y=y, random_state=self.random_state)
        return train_synthetic_test_real_score(self.classifier, X, y, samples, y)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.classifier!r})"


def _sampled(estimator: Any, n_samples: int, **options: Any) -> Any:
    """Samples in the units of the X that was fitted."""
    if not isinstance(estimator, Pipeline):
        return estimator.sample(n_samples, **options)
    samples = estimator[-1].sample(n_samples, **options)
    return estimator[:-1].inverse_transform(samples) if len(estimator) > 1 else samples
