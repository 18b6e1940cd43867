"""Generators of the rows of a table."""

from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

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
from sklseq.base.tables import check_finite_rows, of_table
from sklseq.base.targets import TargetRows
from sklseq.nn.layers.randomness import drawing_from
from sklseq.parts.conditions import (
    CONDITION_ATTRIBUTES,
    ClassCondition,
    OneHot,
    read_classes,
    sampling_request,
    with_classes,
)
from sklseq.parts.fit import NeuralEstimator
from sklseq.parts.frames import TableFormat, stacked_rows
from sklseq.training.rows.batch import Targets
from sklseq.training.rows.dense import DenseRows

__all__ = ["Generator", "check_enough_rows", "checked_codes", "fixed_noise", "interpolated"]

Arrays = tuple[NDArray[Any], ...]
"""What was read: rows, and, as inputs of the network, their classes if there are any."""


def _has_codes(model: Any) -> bool:
    return isinstance(model, TransformerMixin)


@estimator
class Generator(NeuralEstimator):
    """Learns a distribution of the rows of a table and draws from it.

    A class defines `_draw`. One with latent codes is a transformer whose network has ``encode``
    and ``decode``; one with a likelihood defines `_density`.
    """

    conditional: bool = param(
        False,
        "Whether to learn one distribution for each class of `y`; otherwise `y` is not used.",
        "boolean",
    )

    _attributes = CONDITION_ATTRIBUTES

    if TYPE_CHECKING:  # not annotations at run time: they would become parameters
        n_features_in_: int
        _condition: ClassCondition
        _format: TableFormat

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the distribution of the rows of X.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or None, default=None
            Class of each row; used only with ``conditional=True``.
        sample_weight : array-like of shape (n_samples,) or None, default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If X, y or a parameter is not valid, or training diverges; the estimator is then as
            it was before.
        """
        return self._fit(X, y if self.conditional else None, sample_weight)

    # -- reading ---------------------------------------------------------------------------

    def _table_format(self) -> TableFormat:
        """What tables the network takes, before one was seen."""
        name = type(self).__name__
        return TableFormat(("number",), f"{name} learns a density of numbers; or take VAE or GAN")

    def _read(self, X: Any, fresh: bool) -> Arrays:
        if not fresh:
            return (self._format.read(self, X),)
        self._format, rows = self._table_format().learn(self, X)
        return (rows,)

    def _target_rows(self, data: Arrays) -> TargetRows:
        return of_table(len(data[0]))

    def _read_targets(
        self, y: Any, data: Arrays, weights: NDArray[np.float64], fresh: bool, **known: Any
    ) -> Targets:
        """Rows are their own targets; the values of targets are the classes, one-hot."""
        return Targets(weights, read_classes(self, y, data[0], fresh))

    def _rows(self, data: Arrays, like: Tensor, targets: Targets | None = None) -> DenseRows:
        if targets is None:
            return DenseRows(data, like)
        return DenseRows(with_classes(data, targets.values), like, Targets(targets.weights))

    # -- samples ---------------------------------------------------------------------------

    def sample(self, n_samples: int | None = None, y: Any = None, random_state: Any = None) -> Any:
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

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame with the columns and dtypes of X, if `fit` was given one.

        Raises
        ------
        ValueError
            If `n_samples` is below 1, y has another number of classes, or y asks for a class that
            was not seen in `fit`, or had no weight.
        """
        n, classes, rng = sampling_request(self, n_samples, y, random_state)
        return self._format.write_samples(self._draw(n, classes, rng))

    def _draw(self, n: int, classes: OneHot, rng: np.random.Generator) -> NDArray[Any]:
        """Rows of these classes, as the network gives them."""
        raise NotImplementedError

    # -- densities, class by class ---------------------------------------------------------

    def _density(self, x: NDArray[Any], classes: OneHot) -> NDArray[np.float64]:
        """Log-density of rows as the network takes them, given their classes."""
        raise NotImplementedError

    def _log_density(self, x: NDArray[Any], y: Any = None) -> NDArray[np.float64]:
        """Log-density of rows, given the classes y, or of the mixture over all classes."""
        if self._condition.classes is None or y is not None:
            return self._density(x, self._condition.asked(y, len(x)))
        return self._condition.log_mixture(partial(self._density, x), len(x))

    # -- codes -----------------------------------------------------------------------------

    def _encoded(self, x: NDArray[Any], y: Any) -> tuple[NDArray[Any], OneHot]:
        """Codes of rows, and the classes that they are given."""
        classes = self._condition.asked_or_likely(partial(self._density, x), y, len(x))
        return self._run("encode", with_classes((x,), classes)), classes

    def _decoded(self, Z: NDArray[Any], classes: OneHot) -> Any:
        return self._format.write(self._run("decode", with_classes((Z,), classes)))

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
        return self._decoded(Z, self._condition.asked(y, len(Z)))

    @available_if(_has_codes)
    def interpolate(self, a: Any, b: Any, n_steps: int = 10, y: Any = None) -> Any:
        """Rows between two rows, along a line between their latent codes.

        Parameters
        ----------
        a, b : row
            An array of shape (n_features,) or (1, n_features), or a DataFrame of one row, such
            as ``df.iloc[[0]]``.
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
        (x,) = self._read_fitted(stacked_rows(a, b))
        return self._decoded(*interpolated(n_steps, *self._encoded(x, y)))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = "category" in self._table_format().kinds
        return tags


def checked_codes(model: Any, Z: Any) -> NDArray[Any]:
    """Latent codes that a user gives, of as many dimensions as those of `model`.

    Raises
    ------
    NotFittedError, ValueError
        If the model is not fitted, or Z is not valid.
    """
    check_is_fitted(model)
    Z = check_array(Z, dtype=[np.float64, np.float32], ensure_all_finite=False)
    check_finite_rows(Z, "Z")
    if Z.shape[1] != model._n_features_out:
        raise ValueError(f"Z has {Z.shape[1]} features, expected {model._n_features_out}.")
    return Z


def interpolated(n_steps: Any, codes: NDArray[Any], classes: OneHot) -> tuple[Any, OneHot]:
    """Codes, and classes, on the line between the two rows of each.

    Raises
    ------
    TypeError, ValueError
        If `n_steps` is not a whole number of at least 2.
    """
    check_scalar(n_steps, "n_steps", (int, np.integer), min_val=2)
    between = [
        None if ends is None else np.linspace(ends[0], ends[1], n_steps)
        for ends in (codes, classes)
    ]
    return between[0], between[1]


def fixed_noise(seed: int, device: torch.device) -> AbstractContextManager[None]:
    """Random layers, and noise on rows, draw the same numbers each time within this context."""
    return drawing_from(torch.Generator(device=device).manual_seed(seed))


def check_enough_rows(weights: NDArray[np.floating] | Tensor, **counts: int) -> None:
    """Refuse to learn more of something than there are rows.

    Parameters
    ----------
    weights : ndarray or Tensor of shape (n_samples,)
        Weights of the rows that are trained on.
    **counts : int
        Parameters by name.

    Raises
    ------
    ValueError
        Naming the first parameter above the number of rows with weight.
    """
    n_samples = int((weights != 0).sum())
    for name, count in counts.items():
        if count > n_samples:
            raise ValueError(
                f"{name}={count} is more than the rows with weight to train on: "
                f"n_samples={n_samples}. Lower {name}, or take more rows."
            )
