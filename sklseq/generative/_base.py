"""What every generator of rows shares: fitting, classes as conditions, sampling."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, check_scalar

from sklseq._compat import fit_context
from sklseq.base import attribute, estimator, param
from sklseq.generative._conditions import asked_classes, one_hot, read_classes
from sklseq.generative._frames import FrameGenerator
from sklseq.training.estimator import draw_seed

__all__ = ["Generator"]


@estimator
class Generator(FrameGenerator):
    """Learns a distribution of rows and draws from it."""

    conditional: bool = param(
        False,
        "Whether to learn one distribution for each class of `y`; else `y` is not used.",
        "boolean",
    )

    _attributes = {
        "classes_": attribute(
            "ndarray of shape (n_classes,)", "The classes, with `conditional=True`."
        ),
        "class_prior_": attribute(
            "ndarray of shape (n_classes,)",
            "Share of each class in the training data, by weight, with `conditional=True`.",
        ),
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the distribution of the rows of X.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or None, default=None
            Class of each row; used with ``conditional=True`` alone.
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

    def _read_training(self, X: Any, y: Any, fresh: bool) -> tuple[NDArray[Any], ...]:
        X = self._read(X, reset=fresh)
        if fresh:
            self._sample_dtype = X.dtype.name
            for name in ("classes_", "class_prior_"):
                self.__dict__.pop(name, None)
        if not self.conditional:
            return (X,)
        if fresh:
            self.classes_, codes = read_classes(y, X)
        else:
            codes = asked_classes(y, len(X), self.classes_)
        return X, one_hot(codes, len(self.classes_))

    def _n_conditions(self, inputs: tuple[NDArray[Any], ...]) -> int:
        return inputs[1].shape[1] if self.conditional else 0

    def _finish(self, inputs: tuple[NDArray[Any], ...], weights: NDArray[np.float64]) -> None:
        if self.conditional:
            self.class_prior_ = np.average(inputs[1], axis=0, weights=weights)

    def _condition(self, y: Any, n: int) -> tuple[NDArray[Any], ...]:
        """What the network takes beside its `n` rows: nothing, or the classes asked for."""
        if self.conditional:
            return (one_hot(asked_classes(y, n, self.classes_), len(self.classes_)),)
        if y is not None:
            raise ValueError(
                f"This {type(self).__name__} knows no classes: fit it with conditional=True to "
                "ask for y."
            )
        return ()

    def sample(self, n_samples: int = 1, y: Any = None, random_state: Any = None) -> Any:
        """Draw rows from the learned distribution.

        Parameters
        ----------
        n_samples : int, default=1
        y : scalar, array-like of shape (n_samples,) or None, default=None
            The class of all rows or of each, with ``conditional=True``; None draws the classes
            with their frequencies in training.
        random_state : int, RandomState instance or None, default=None
            None draws other rows with each call; an int the same ones.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame, with the columns and dtypes of X, if `fit` was given one.

        Raises
        ------
        ValueError
            If `n_samples` is below 1, or y asks for a class that was not seen in `fit`.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", (int, np.integer), min_val=1)
        rng = np.random.default_rng(draw_seed(random_state))
        if self.conditional and y is None:
            y = self.classes_[rng.choice(len(self.classes_), size=n_samples, p=self.class_prior_)]
        rows = self._draw(n_samples, self._condition(y, n_samples), rng)
        return self._written(rows.astype(self._sample_dtype, copy=False))

    def _draw(
        self, n_samples: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> NDArray[Any]:
        """Rows for these conditions."""
        raise NotImplementedError
