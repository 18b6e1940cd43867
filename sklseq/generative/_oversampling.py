"""Rows drawn for rare classes, so that all classes are as frequent."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sklseq._compat import fit_context
from sklseq.base import Estimator, attribute, estimator, param
from sklseq.data import is_frame
from sklseq.generative._base import Generator
from sklseq.generative._flows import RealNVP
from sklseq.training.estimator import draw_seed

__all__ = ["GenerativeOverSampler"]


@estimator
class GenerativeOverSampler(Estimator):
    """Draws rows of the rarer classes until each is as frequent as the most frequent one.

    It has ``fit_resample`` alone, as imbalanced-learn's samplers, and works in that library's
    pipelines: rows are drawn for training, never at prediction. A DataFrame comes back as one,
    with its columns and dtypes; `generator` must know columns that are no numbers, as `VAE` and
    `GAN` do.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from sklseq.generative import GenerativeOverSampler
    >>> X, y = make_classification(100, 4, weights=[0.8], random_state=0)
    >>> X_new, y_new = GenerativeOverSampler(random_state=0).fit_resample(X, y)
    >>> bool(np.ptp(np.bincount(y_new)) == 0)
    True
    """

    generator: Any = param(
        None,
        "What draws the rows; a copy of it is fitted with ``conditional=True``. None takes "
        "`RealNVP` with four layers.",
        Generator,
        None,
    )
    random_state: Any = param(
        None,
        "Seed of the rows drawn, and of the generator where it has none.",
        "random_state",
    )

    _attributes = {"generator_": attribute("estimator", "The fitted generator.")}

    @fit_context(prefer_skip_nested_validation=False)
    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """The rows as given, followed by those drawn, and their classes.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
        y : array-like or Series of shape (n_samples,), or DataFrame of one column

        Returns
        -------
        X_resampled : ndarray or DataFrame of shape (n_samples_new, n_features)
            A DataFrame, with a new index, if X is one.
        y_resampled : ndarray or Series of shape (n_samples_new,), or DataFrame of one column
            A Series or DataFrame, if y is one.

        Raises
        ------
        ValueError
            If X or y is not valid, or there is a single class.
        """
        check_classification_targets(y)
        if not is_frame(X):  # which the generator reads column by column
            X = check_array(X)
        labels = column_or_1d(y, warn=not is_frame(y))
        check_consistent_length(X, labels)
        classes, counts = np.unique(labels, return_counts=True)
        if len(classes) < 2:
            raise ValueError(f"y has one class, {classes.tolist()}: nothing is rare.")
        seed = draw_seed(self.random_state)
        # A type checker takes every declared parameter for a required one.
        default: Any = RealNVP
        generator = default(n_layers=4) if self.generator is None else clone(self.generator)
        generator.set_params(conditional=True)
        if generator.random_state is None:
            generator.set_params(random_state=seed)
        self.generator_ = generator.fit(X, labels)
        y = y if hasattr(y, "iloc") else labels
        drawn = np.repeat(classes, counts.max() - counts)
        if not len(drawn):
            return X, y
        rows = generator.sample(len(drawn), y=drawn, random_state=seed)
        return _followed(X, rows), _followed(y, drawn)


def _followed(given: Any, drawn: Any) -> Any:
    """What was given with what was drawn below it, of the same kind."""
    if not hasattr(given, "iloc"):
        return np.concatenate([given, drawn])
    import pandas as pd

    if given.ndim == 1:
        drawn = pd.Series(drawn, dtype=given.dtype, name=given.name)
    elif not is_frame(drawn):  # the classes of a y that is a DataFrame
        drawn = pd.DataFrame(drawn, columns=given.columns).astype(given.dtypes)
    return pd.concat([given, drawn], ignore_index=True)
