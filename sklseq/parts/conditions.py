"""Sampling, and the classes that a generator is conditioned on: read, coded and asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import type_of_target
from torch import Tensor

from sklseq.base import attribute, estimator, param
from sklseq.parts.fit import sampling_generator
from sklseq.training.rows.batch import Batch

__all__ = ["ConditionalSampler", "rows_and_classes"]


@estimator
class ConditionalSampler:
    """`sample`, with a class for each row if `conditional`; comes first in the bases."""

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

    @property
    def _by_class(self) -> bool:
        """Whether the fitted model knows classes, whatever `conditional` says since."""
        return hasattr(self, "classes_")

    def _read_conditions(self, y: Any, X: Any, fresh: bool) -> tuple[NDArray[np.float64], ...]:
        """The classes of the training rows as one-hot rows, or nothing."""
        if fresh:
            for name in ("classes_", "class_prior_"):
                self.__dict__.pop(name, None)
        elif self.conditional != self._by_class:
            raise ValueError(
                f"This {type(self).__name__} was fitted with conditional={self._by_class} and "
                f"cannot be trained further with conditional={self.conditional}: set it back, or "
                "fit anew with warm_start=False."
            )
        if not self.conditional:
            return ()
        labels = read_labels(y, X)
        if fresh:
            self.classes_ = np.unique(labels)
        elif len(new := np.flatnonzero(~np.isin(labels, self.classes_))):
            raise ValueError(
                f"y is {labels.tolist()[new[0]]!r} at row {new[0]}, a class that was not there in "
                "the first fit: fit anew with warm_start=False."
            )
        return (one_hot(np.searchsorted(self.classes_, labels), len(self.classes_)),)

    def _set_prior(self, of_class: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        self.class_prior_ = np.average(of_class, axis=0, weights=weights)

    def _condition(self, y: Any, n: int) -> tuple[NDArray[Any], ...]:
        """What the network takes beside its `n` rows: nothing, or the classes asked for."""
        if self._by_class:
            return (one_hot(asked_classes(y, n, self.classes_), len(self.classes_)),)
        if y is not None:
            raise ValueError(
                f"This {type(self).__name__} knows no classes: fit it with conditional=True to "
                "ask for y."
            )
        return ()

    def _density_given(self, X: Any, condition: tuple[NDArray[Any], ...]) -> NDArray[np.float64]:
        """Log-density of each row given its class."""
        raise NotImplementedError

    def _log_joint(self, X: Any) -> NDArray[np.float64]:
        """Log-density of each row together with each class."""
        by_class = [self._density_given(X, self._condition(c, len(X))) for c in self.classes_]
        with np.errstate(divide="ignore"):  # a class whose rows have no weight is never drawn
            return np.stack(by_class, axis=1) + np.log(self.class_prior_)

    def _likely_classes(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row, given the classes of training."""
        return self.classes_[self._log_joint(X).argmax(axis=1)]

    def sample(self, n_samples: int | None = None, y: Any = None, random_state: Any = None) -> Any:
        """Draw rows from the learned distribution.

        Parameters
        ----------
        n_samples : int or None, default=None
            None draws a row for each of the classes in y, or one row where y is no array.
        y : scalar, array-like of shape (n_samples,) or None, default=None
            The class of all rows or of each, with ``conditional=True``; None draws the classes
            with their frequencies in training.
        random_state : int, RandomState instance or None, default=None
            None draws other rows with each call; an int the same ones.

        Returns
        -------
        ndarray, or what else X was in `fit`
            A DataFrame, with the columns and dtypes of X, if `fit` was given one; of sequences a
            1-D object array, or a dense one if X was dense.

        Raises
        ------
        ValueError
            If `n_samples` is below 1, y has another number of classes, or y asks for a class that
            was not seen in `fit`, or with no weight.
        """
        if np.ndim(y) == 1:
            n_samples = len(y) if n_samples is None else n_samples
            if len(y) != n_samples:
                raise ValueError(
                    f"y has shape {np.shape(y)}, one class for each row, but n_samples="
                    f"{n_samples}: leave n_samples out."
                )
        n_samples = 1 if n_samples is None else n_samples
        rng = sampling_generator(self, n_samples, random_state)
        if self._by_class and y is None:
            y = self.classes_[rng.choice(len(self.classes_), size=n_samples, p=self.class_prior_)]
        condition = self._condition(y, n_samples)
        self._check_learned(*condition)
        return self._as_samples(self._draw(n_samples, condition, rng))

    def _check_learned(self, *of_class: NDArray[Any]) -> None:
        for rows in of_class:
            if len(unlearned := np.flatnonzero(rows @ self.class_prior_ == 0)):
                name = self.classes_.tolist()[rows[unlearned[0]].argmax()]
                raise ValueError(
                    f"y asks for {name!r}, a class whose rows had no weight in fit: nothing was "
                    "learned of it."
                )

    def _draw(
        self, n_samples: int, condition: tuple[NDArray[Any], ...], rng: np.random.Generator
    ) -> Any:
        """Rows for these conditions."""
        raise NotImplementedError

    def _as_samples(self, drawn: Any) -> Any:
        """What was drawn, in the container that the user gets."""
        return drawn


def read_labels(y: Any, X: Any) -> NDArray[Any]:
    """The class of each training row.

    Raises
    ------
    ValueError
        If y is None, holds no classes, or is not one label for each row of X.
    """
    if y is None:
        raise ValueError("conditional=True requires y, the class of each row of X.")
    y = column_or_1d(y, warn=True)
    check_consistent_length(X, y)
    _check_present(y)
    try:
        kind = type_of_target(y, input_name="y")
    except TypeError:  # they do not compare
        kind = "unknown"
    if kind == "continuous":
        raise ValueError(
            "y is continuous, but generators are conditional on classes: bin y, for example with "
            "KBinsDiscretizer, or leave conditional=False."
        )
    if kind == "unknown":
        raise ValueError("y holds labels of several types: make all of them strings, or numbers.")
    return y


def _check_present(y: NDArray[Any]) -> None:
    for row, label in enumerate(y if y.dtype.kind in "fOM" else ()):
        # pandas' NA is no truth value; NaN and NaT are not what they are.
        if label is None or type(label).__name__ == "NAType" or label != label:
            raise ValueError(f"y is missing at row {row}: fill it in, or leave out the row.")


def one_hot(codes: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Rows ``(n, n_classes)`` with a one at each code."""
    return np.eye(n_classes)[codes]


def asked_classes(y: Any, n: int, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Index of the class asked for in each of `n` rows.

    Parameters
    ----------
    y : scalar or array-like of shape (n,) or (n, 1)
    n : int
    classes : ndarray
        Sorted.

    Raises
    ------
    ValueError
        If y is None, a class was never seen, or y has another number of rows.
    """
    if y is None:
        raise ValueError("y is needed with conditional=True: one class, or one for each row.")
    asked = np.asarray(y)
    if asked.ndim == 0:
        asked = np.full(n, asked)
    if asked.shape == (n, 1):
        asked = asked[:, 0]  # a column, as `fit` takes it
    if asked.shape != (n,):
        raise ValueError(f"y has shape {asked.shape}; one class, or one for each of {n} rows.")
    _check_present(asked)
    unknown = sorted(set(asked.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        raise ValueError(
            f"y asks for {unknown[0]!r}, which is none of the classes seen in fit: "
            f"{classes.tolist()}."
        )
    return np.searchsorted(classes, asked)


def rows_and_classes(batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Rows of a batch, and their classes if there are any."""
    return batch.inputs[0], batch.inputs[1] if len(batch.inputs) > 1 else None
