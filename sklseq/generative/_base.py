"""Generators: samples, and where they exist densities and codes, given the class or over all."""

from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, check_scalar
from torch import Tensor

from sklseq._compat.sklearn import fit_context
from sklseq.base import estimator, param
from sklseq.base.hints import warn_of_ignored
from sklseq.base.parameters import layer_sizes
from sklseq.base.tables import check_finite_rows
from sklseq.generative._rejection import draw_where, rows_asked
from sklseq.nn.layers.randomness import drawing_from
from sklseq.parts.conditions import (
    CONDITION_ATTRIBUTES,
    CONDITION_STORED,
    ClassCondition,
    OneHot,
    read_classes,
    sampling_request,
    with_classes,
)
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.frames import TableFormat, stacked_rows
from sklseq.parts.latent_priors import LatentDistribution
from sklseq.parts.validation import Validation
from sklseq.training.rows.batch import Rows, Targets
from sklseq.training.rows.dense import DenseRows

__all__ = ["Generator", "check_enough_rows", "checked_codes", "fixed_noise"]


def _has_codes(model: Any) -> bool:
    return isinstance(model, TransformerMixin)


@estimator
class Generator(NeuralEstimator):
    """Learns a distribution of rows and draws from it.

    A class defines `_draw`. One with a likelihood defines `_density`, and takes `_score_samples` as
    its `score_samples`. One with latent codes is a transformer whose network has ``encode`` and
    ``decode``, and takes `_transform` as its `transform`, which scikit-learn wraps where it stands.
    Rows are those of a table, unless the class reads and writes others.
    """

    conditional: bool = param(
        False,
        "Whether to learn one distribution for each class of `y`; otherwise `y` is not used.",
        "boolean",
    )

    _attributes = CONDITION_ATTRIBUTES

    _stored = CONDITION_STORED | {"_format": TableFormat, "_condition": ClassCondition}

    def _check_learned(self) -> None:
        super()._check_learned()
        settings, classes = self._module_kwargs, self._condition.classes
        if settings["n_context"] != (0 if classes is None else len(classes)):
            raise ValueError("its classes are not those of its network.")
        if (classes is not None) != hasattr(self, "classes_"):
            raise ValueError("it has classes, or not.")
        if settings["n_features"] != self._n_inputs:
            raise ValueError(f"its rows have {self._n_inputs} numbers.")

    @property
    def _n_inputs(self) -> int:
        """Numbers of a row that the network takes."""
        return int(self._format.n_values(self.n_features_in_))

    _kinds: ClassVar[tuple[str, ...]] = ("number",)
    """Kinds of columns that it learns."""

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        n_features_in_: int
        _condition: ClassCondition
        _format: Any
        _latent_distribution: LatentDistribution | None

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Learn the distribution of the rows of X.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features), or sequences
            Sequences are rows of `SequenceVAE`:
            {{X: sequences}}
        y : array-like of shape (n_samples,) or None, default=None
            Class of each row; used only with ``conditional=True``.
        sample_weight : array-like of shape (n_samples,) or None, default=None
        X_val, y_val, sample_weight_val : as X, y and sample_weight, or None, default=None
            {{validation}}
        groups : array-like of shape (n_samples,) or None, default=None
            {{groups}}

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            {{unchanged}}

        Warns
        -----
        UserWarning
            If y looks like data, but is not used.
        """
        if not self.conditional:
            warn_of_ignored(y, X, "conditional=True learns a distribution for each class of y")
            y = y_val = None
        validation = Validation(X_val, y_val, sample_weight_val, groups)
        return self._fit(X, y, sample_weight, validation=validation)

    # -- reading ---------------------------------------------------------------------------

    def _table_format(self) -> TableFormat:
        """What tables the network takes, before one was seen."""
        name = type(self).__name__
        if "category" in self._kinds:
            return TableFormat(self._kinds, f"this {name} was fitted on numbers alone")
        return TableFormat(self._kinds, f"{name} learns a density of numbers; or take VAE or GAN")

    def _read(self, X: Any, fresh: bool) -> Any:
        if not fresh:
            return self._format.read(self, X)
        self._format, rows = self._table_format().learn(self, X)
        return rows

    def _read_targets(
        self, y: Any, data: Any, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        """Rows are their own targets; the values of targets are the classes, one-hot."""
        return Targets(weights, read_classes(self, y, weights, fresh))

    def _named_settings(self, targets: Targets, *names: str) -> dict[str, Any]:
        """Settings of the network: number of classes, and the parameters of these names."""
        settings = {name: getattr(self, name) for name in names}
        for name in names:
            if name.endswith("layer_sizes"):
                settings[name] = layer_sizes(name, settings[name])
        n_context = 0 if targets.values is None else targets.values.shape[1]
        return {"n_context": n_context} | settings

    def _rows(self, data: Any, like: Tensor, targets: Targets | None = None) -> Rows:
        """Rows of what `_read` gives, or for inference of the inputs of the network."""
        if targets is None:
            return DenseRows(data, like)
        inputs = self._with_classes(data, targets.values)
        return DenseRows(inputs, like, Targets(targets.weights))

    def _with_classes(self, data: Any, classes: OneHot) -> Any:
        """Inputs of the network: what was read, and classes if there are any."""
        return with_classes((data,), classes)

    # -- samples ---------------------------------------------------------------------------

    def sample(
        self,
        n_samples: int | None = None,
        y: Any = None,
        random_state: Any = None,
        *,
        conditions: Any = None,
    ) -> Any:
        """Draw rows from the learned distribution.

        Parameters
        ----------
        n_samples : int or None, default=None
            Number of rows. None draws one for each of the classes in y, or one where y is not an
            array.
        y : scalar, array-like of shape (n_samples,) or None, default=None
            Class of all rows or of each, with ``conditional=True``; None draws classes with their
            frequencies in training.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws; None draws other rows with each call.
        conditions : dict, DataFrame of shape (n_samples, n_conditions) or None, default=None
            Values that columns are to have, by name or number: categories, booleans and
            integers, None or NaN for a missing one, and in a dict a range ``(low, high)`` of
            numbers or times. A dict holds for all rows, a DataFrame row by row. Rows are drawn
            until enough meet them (rejection sampling), at most 1,000 for each, or 10,000.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame with the columns and dtypes of X, if `fit` was given one. Sequences are a
            1-D object array, or a dense array if X was dense.

        Raises
        ------
        ValueError
            If `n_samples` is below 1, y has another number of classes, or y asks for a class that
            was not seen in `fit`, or had no weight; if no row could meet `conditions`, or too few
            of those drawn do.
        """
        n_samples = rows_asked(conditions, n_samples)
        n, classes, rng = sampling_request(self, n_samples, y, random_state)
        if conditions is not None:
            rows = draw_where(self, conditions, n, y, classes, rng)
            return self._format.write_samples(rows)
        return self._format.write_samples(self._draw(n, classes, rng))

    def _draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> Any:
        """Rows of these classes, as the network gives them."""
        raise NotImplementedError

    # -- densities, class by class ---------------------------------------------------------

    def _density(self, data: Any, classes: OneHot) -> NDArray[np.float64]:
        """Log-density of rows that were read, given their classes."""
        raise NotImplementedError

    def _log_density(self, data: Any, y: Any = None) -> NDArray[np.float64]:
        """Log-density of rows, given the classes y, or of the mixture over all classes."""
        if self._condition.classes is None or y is not None:
            return self._density(data, self._condition.asked(y, len(data)))
        return self._condition.log_mixture(partial(self._density, data), len(data))

    def _learn_offset(self, data: Any, weights: NDArray[np.float64]) -> None:
        """Set the threshold of outliers given classes: of many, from some of the rows."""
        candidates = np.flatnonzero(weights)
        scores, rows = self._condition.log_mixture_of_some(
            self._density, data, candidates, self._seed
        )
        self._set_offset(scores, weights[rows])

    def _score_samples(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Log-density of each row in nats, or a lower bound of it.

        It is exact for real numbers under a flow. A variational autoencoder gives a lower bound,
        see `bound`. Whole numbers and other discrete columns contribute log-probabilities, or lower
        bounds of them.

        Parameters
        ----------
        X : as in `fit`
        y : scalar, array-like of shape (n_samples,) or None, default=None
            Class of the rows, with ``conditional=True``, for their density given the class. None
            gives the density of the mixture over all classes.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._log_density(self._read_fitted(X), y)

    # -- codes -----------------------------------------------------------------------------

    def _encoded(self, data: Any, y: Any) -> tuple[NDArray[Any], OneHot]:
        """Codes of rows, and the classes that they are given."""
        classes = self._condition.asked_or_likely(partial(self._density, data), y, len(data))
        return self._run("encode", self._with_classes(data, classes)), classes

    def _decoded(self, Z: NDArray[Any], classes: OneHot) -> Any:
        return self._run("decode", with_classes((Z,), classes))

    def _prior_codes(self, n: int, rng: np.random.Generator) -> NDArray[Any]:
        """Draws of the prior that the model was trained with."""
        return rng.standard_normal((n, self._n_features_out))

    def _draw_codes(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        """Draws of the fitted prior, or of the one that the model was trained with."""
        prior = self._latent_distribution
        return self._prior_codes(n, rng) if prior is None else prior.draw(n, classes, rng)

    def _as_output(self, X: Any, data: Any, codes: NDArray[Any]) -> Any:
        """Codes as `transform` gives them."""
        return codes

    def _transform(self, X: Any, y: Any = None) -> Any:
        """Latent code of each row: of a flow its noise, of a VAE its posterior mean.

        Parameters
        ----------
        X : as in `fit`
        y : scalar, array-like of shape (n_samples,) or None, default=None
            Class of the rows, with ``conditional=True``; None takes the most probable ones.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
        """
        data = self._read_fitted(X)
        return self._as_output(X, data, self._encoded(data, y)[0])

    @available_if(_has_codes)
    def inverse_transform(self, Z: Any, y: Any = None) -> Any:
        """Rows of latent codes.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features_out)
        y : scalar, array-like of shape (n_samples,) or None, default=None
            Class of the rows; needed with ``conditional=True``.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            Expected rows, with the most probable category; a DataFrame if `fit` was given one.
        """
        Z = checked_codes(self, Z)
        return self._format.write(self._decoded(Z, self._condition.asked(y, len(Z))))

    @available_if(_has_codes)
    def interpolate(self, a: Any, b: Any, n_steps: int = 10, y: Any = None) -> Any:
        """Rows between two rows, along a line between their latent codes.

        Parameters
        ----------
        a, b : row
            An array of shape (n_features,) or (1, n_features); a DataFrame of one row, such as
            ``df.iloc[[0]]``; or a sequence, of shape (length, n_features), or (length,) after a fit
            on such.
        n_steps : int, default=10
            Number of rows; the first and the last are those of the codes of `a` and `b`.
        y : scalar, array-like of shape (2,) or None, default=None
            Class of all rows, or those of `a` and `b`, with ``conditional=True``; None takes the
            most probable ones. Where they differ, one-hot classes are interpolated, too.

        Returns
        -------
        ndarray or DataFrame of shape (n_steps, n_features)
            As `inverse_transform` gives them.
        """
        ends = self._encoded(self._read_fitted(self._pair(a, b)), y)
        check_scalar(n_steps, "n_steps", (int, np.integer), min_val=2)
        codes, classes = (None if e is None else np.linspace(e[0], e[1], n_steps) for e in ends)
        assert codes is not None
        return self._format.write(self._decoded(codes, classes))

    _pair = staticmethod(stacked_rows)

    @property
    def _n_features_out(self) -> int:
        return self._module_kwargs["n_components"]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = "category" in self._table_format().kinds
        tags.input_tags.sparse = True
        tags.target_tags.required = bool(self.conditional)
        return tags


def checked_codes(model: Any, Z: Any) -> NDArray[Any]:
    """Latent codes that a user gives, of as many dimensions as those of a fitted `model`."""
    check_is_fitted(model)
    Z = check_array(Z, dtype=[np.float64, np.float32], ensure_all_finite=False)
    check_finite_rows(Z, "Z", model._float_type(fresh=False))
    if Z.shape[1] != model._n_features_out:
        raise ValueError(f"Z has {Z.shape[1]} features, expected {model._n_features_out}.")
    return Z


def fixed_noise(seed: int) -> AbstractContextManager[None]:
    """Random layers, and noise on rows, draw the same numbers each time within this context."""
    return drawing_from(torch.Generator().manual_seed(seed))


def check_enough_rows(weights: NDArray[np.floating] | Tensor, **counts: int) -> None:
    """Refuse parameters, given by name, that are above the number of rows with weight."""
    n_samples = int((weights != 0).sum())
    for name, count in counts.items():
        if count > n_samples:
            raise ValueError(
                f"{name}={count} is more than the rows with weight to train on: "
                f"n_samples={n_samples}. Lower {name}, or take more rows."
            )
