"""Oversampling of rare classes by a generator."""

import inspect
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, clone
from sklearn.utils import Tags, check_consistent_length, get_tags
from sklearn.utils.validation import validate_data

from sklseq._compat.imblearn import sampler_tags
from sklseq._compat.sklearn import HasMethods, fit_context
from sklseq.base import Estimator, attribute, choice, estimator, param, real
from sklseq.base.randomness import draw_seed
from sklseq.generative._flows import RealNVP
from sklseq.generative._resampled import GivenClasses, GivenSequences, GivenTable
from sklseq.generative._sampling_strategy import STRATEGIES, rows_to_draw

__all__ = ["GenerativeOverSampler"]


@estimator
class GenerativeOverSampler(OneToOneFeatureMixin, Estimator):
    """Oversampling: rows of the rarer classes are drawn until all classes are as frequent.

    It has the interface of imbalanced-learn's samplers, and is used in a pipeline of that library,
    ``imblearn.pipeline.make_pipeline``: rows are drawn for training, never at prediction.
    scikit-learn's own Pipeline does not support samplers. Rows and classes come back in the
    container that they were given in, a DataFrame with its columns and dtypes; for columns that are
    not numbers take `VAE` or `GAN` as `generator`, and for sequences `SequenceVAE`.

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
        "Sizes of the classes, as in imbalanced-learn. 'all', 'not majority', and 'auto', which is "
        "the same: all as frequent as the most frequent one; 'not minority': all but the rarest "
        "one; 'minority': only the rarest one; a number, for two classes: the size of the rare "
        "class as a share of the other; a dict: from classes to their number of rows; others are "
        "left unchanged. A callable is given `y`, and returns a dict.",
        choice(*STRATEGIES),
        real(0, 1, "right"),
        dict,
        callable,
    )
    random_state: Any = param(
        None, "Seed of the rows drawn, and of the generator where it has none.", "random_state"
    )

    _attributes = {
        "generator_": attribute("estimator", "The fitted generator; set by `fit_resample`."),
        "sampling_strategy_": attribute("dict", "Number of rows drawn of each class resampled."),
        "n_features_in_": attribute("int", "Number of features of X."),
        "feature_names_in_": attribute(
            "ndarray of shape (`n_features_in_`,)", "Column names, where X was a DataFrame."
        ),
    }
    _stored = {"sampling_strategy_": "data", "generator_": "absent or estimator"}

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        sampling_strategy_: dict[Any, int]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return sampler_tags(tags, sparse=True)

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> Self:
        """Look at X and y, as `fit_resample` does, without fitting a generator.

        Pipelines of imbalanced-learn ask for it. Use `fit_resample` to draw rows.

        Parameters
        ----------
        X, y
            As in `fit_resample`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit_resample`.
        """
        with self._fitting(X, y):
            self._read(X, y, self._fresh_generator(0))
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """The rows as given, followed by those drawn, and their classes.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features), or sequences
            Sequences, an array or a list of arrays, for a generator of sequences.
        y : array-like of shape (n_samples,), or (n_samples, n_classes) of one-hot rows

        Returns
        -------
        X_resampled : object of shape (n_samples_new, n_features)
            In the container of X; a DataFrame has a new index.
        y_resampled : object of shape (n_samples_new,) or (n_samples_new, n_classes)
            In the container of y.

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
        with self._fitting(X, y):
            seed = draw_seed(self.random_state)
            generator = self._fresh_generator(seed)
            rows, classes = self._read(X, y, generator)
            generator.fit(rows.X, classes.labels)
            wanted = self.sampling_strategy_
            known = np.unique(classes.labels)
            drawn = np.repeat(known, [wanted.get(c, 0) for c in known.tolist()])
            samples = rows.X[:0]
            if len(drawn):
                samples = generator.sample(len(drawn), y=drawn, random_state=seed)
            self.generator_ = generator
        return rows.followed_by(samples), classes.followed_by(drawn)

    def _read(self, X: Any, y: Any, generator: Any) -> tuple[Any, GivenClasses]:
        """Rows and classes; sets what `fit` learns of them."""
        classes = GivenClasses.of(y)
        takes_sequences = get_tags(generator).input_tags.three_d_array
        rows: Any = GivenSequences.of(X) if takes_sequences else GivenTable.of(X)
        check_consistent_length(rows, classes)
        labels, counts = np.unique(classes.labels, return_counts=True)
        if len(labels) < 2:
            raise ValueError(
                f"y has one class, {labels.tolist()}: at least two classes are needed."
            )
        if takes_sequences:
            self.n_features_in_ = 1 if np.ndim(X[0]) < 2 else np.shape(X[0])[1]
        else:
            validate_data(self, rows.X, reset=True, skip_check_array=True)
        strategy = self.sampling_strategy
        strategy = strategy(y) if callable(strategy) else strategy
        sizes = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        self.sampling_strategy_ = rows_to_draw(strategy, sizes)
        return rows, classes

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
