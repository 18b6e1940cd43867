"""Oversampling of rare classes by a generator."""

import inspect
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sklseq._compat.sklearn import HasMethods, fit_context
from sklseq.base import Estimator, attribute, choice, estimator, param, real
from sklseq.base.index import check_index
from sklseq.base.randomness import draw_seed
from sklseq.data import is_frame
from sklseq.generative._flows import RealNVP

__all__ = ["GenerativeOverSampler"]

# Of fewer rows, samples add little information.
_FEW = 10


@estimator
class GenerativeOverSampler(Estimator):
    """Oversampling: rows of the rarer classes are drawn until all classes are as frequent.

    It has only ``fit_resample``, as imbalanced-learn's samplers, and is used in a pipeline of that
    library, ``imblearn.pipeline.make_pipeline``: rows are drawn for training, never at prediction.
    scikit-learn's own Pipeline does not support samplers. A DataFrame comes back as one, with its
    columns and dtypes; for columns that are not numbers take `VAE` or `GAN` as `generator`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from sklseq.generative import GenerativeOverSampler
    >>> X, y = make_classification(100, 4, n_redundant=0, weights=[0.8], random_state=0)
    >>> X_new, y_new = GenerativeOverSampler(random_state=0).fit_resample(X, y)
    >>> bool(np.ptp(np.bincount(y_new)) == 0)
    True
    """

    generator: Any = param(
        None,
        "Generator of the rows, or any estimator with ``fit(X, y)`` and "
        "``sample(n_samples, y=..., random_state=...)``. A copy of it is fitted, with "
        "``conditional=True`` if it has this parameter. None takes `RealNVP` with four layers.",
        HasMethods(["fit", "sample"]),
        None,
        positional=True,
    )
    sampling_strategy: Any = param(
        "auto",
        "Sizes of the classes, as in imbalanced-learn. 'not majority', and 'auto', which is the "
        "same: all as frequent as the most frequent one; 'minority': only the rarest one; a "
        "number, for two classes: the size of the rare class as a share of the other; a dict: from "
        "classes to their number of rows; others are left unchanged.",
        choice("auto", "not majority", "minority"),
        real(0, 1, "right"),
        dict,
    )
    random_state: Any = param(
        None, "Seed of the rows drawn, and of the generator where it has none.", "random_state"
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
            If X, y or a parameter is not valid, there is a single class, `sampling_strategy` asks
            for fewer rows than there are, or for more of a class of one row.
        TypeError
            If `generator` cannot be asked for rows of a class.

        Warns
        -----
        UserWarning
            If rows are drawn of a class of fewer than ten.
        """
        check_index(X, y=y)
        check_classification_targets(y)
        if not is_frame(X):  # which the generator reads column by column
            X = check_array(X)
        labels = column_or_1d(y, warn=not is_frame(y))
        check_consistent_length(X, labels)
        classes, counts = np.unique(labels, return_counts=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class, {classes.tolist()}: at least two classes are needed."
            )
        wanted = self._wanted(dict(zip(classes.tolist(), counts.tolist(), strict=True)))
        seed = draw_seed(self.random_state)
        generator = self._fresh_generator(seed).fit(X, labels)
        y = y if hasattr(y, "iloc") else labels
        drawn = np.repeat(classes, [wanted[c] for c in classes.tolist()])
        if len(drawn):
            rows = generator.sample(len(drawn), y=drawn, random_state=seed)
            X, y = _followed(X, rows), _followed(y, drawn)
        self.generator_ = generator
        return X, y

    def _wanted(self, counts: dict[Any, int]) -> dict[Any, int]:
        """How many rows of each class to draw."""
        drawn = {c: n - counts[c] for c, n in self._sizes(counts).items()}
        for c, n in drawn.items():
            if n < 0:
                raise ValueError(
                    f"sampling_strategy={self.sampling_strategy!r} asks for {counts[c] + n} rows "
                    f"of class {c!r}, which has {counts[c]}: undersampling is not supported."
                )
            if n and counts[c] == 1:
                raise ValueError(
                    f"Class {c!r} has one row, from which a distribution cannot be learned: gather "
                    "more, or leave the class out of sampling_strategy, a dict."
                )
            if n and counts[c] < _FEW:
                warnings.warn(
                    f"Class {c!r} has {counts[c]} rows: samples add little information to so few.",
                    UserWarning,
                    stacklevel=3,
                )
        return dict.fromkeys(counts, 0) | drawn

    def _sizes(self, counts: dict[Any, int]) -> dict[Any, int]:
        """How many rows classes are to have, those of which more are wanted at least."""
        strategy, most = self.sampling_strategy, max(counts.values())
        if isinstance(strategy, dict):
            if unknown := [c for c in strategy if c not in counts]:
                raise ValueError(
                    f"sampling_strategy names {unknown[0]!r}, which is none of the classes of y: "
                    f"{list(counts)}."
                )
            return strategy
        if isinstance(strategy, str) and strategy != "minority":
            return dict.fromkeys(counts, most)
        rarest = min(counts, key=lambda c: counts[c])
        if isinstance(strategy, str):
            return {rarest: most}
        if len(counts) > 2:
            raise ValueError(
                f"sampling_strategy={strategy!r} is for two classes, but y has {len(counts)}: name "
                "the rows that each is to have in a dict."
            )
        return {rarest: int(strategy * most)}

    def _fresh_generator(self, seed: int) -> Any:
        # A type checker takes every declared parameter for a required one.
        default: Any = RealNVP
        generator = default(n_layers=4) if self.generator is None else clone(self.generator)
        if "y" not in inspect.signature(generator.sample).parameters:
            raise TypeError(
                "generator must draw rows of a class, by sample(n_samples, y=...), which "
                f"{type(generator).__name__} does not."
            )
        settings = generator.get_params(deep=False)
        if "conditional" in settings:
            generator.set_params(conditional=True)
        if settings.get("random_state", seed) is None:
            generator.set_params(random_state=seed)
        return generator


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
