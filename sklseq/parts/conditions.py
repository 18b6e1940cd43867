"""The classes that a generator is conditioned on: read, encoded, drawn and asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import type_of_target

from sklseq.base import attribute
from sklseq.base.randomness import sampling_generator
from sklseq.base.tables import refuse_times
from sklseq.data import as_labels, missing

__all__ = [
    "CONDITION_ATTRIBUTES",
    "CONDITION_STORED",
    "ClassCondition",
    "OneHot",
    "one_hot",
    "plain_classes",
    "read_classes",
    "rows_and_classes",
    "sampling_request",
    "set_class_prior",
    "with_classes",
]

OneHot = NDArray[np.float64] | None
"""Classes as one-hot rows ``(n, n_classes)``; None where a generator is not conditional."""

Density = Callable[[OneHot], NDArray[np.float64]]
"""Log-densities ``(n,)`` of n rows, given their classes."""

# Pairs of rows and classes up to which thresholds are computed over all rows; beyond, so many for
# each row, but of at least so many rows.
_FEW_PAIRS, _PAIRS_OF_ROW, _FEWEST = 20_000, 16, 100

CONDITION_ATTRIBUTES = {
    "classes_": attribute(
        "ndarray of shape (n_classes,)", "Sorted class labels, with `conditional=True`."
    ),
    "class_prior_": attribute(
        "ndarray of shape (n_classes,)",
        "Share of each class in the training data, by weight, with `conditional=True`.",
    ),
}

CONDITION_STORED = {
    "classes_": "absent or ndarray of labels of shape (n_classes,)",
    "class_prior_": "absent or ndarray of shape (n_classes,)",
}


@dataclass(frozen=True, eq=False)
class ClassCondition:
    """The classes that a fitted generator is conditioned on.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,) or None, default=None
        Sorted labels; None if the generator is not conditional.
    prior : ndarray of shape (n_classes,) or None, default=None
        Probability of each class; None until it is known.
    """

    classes: NDArray[Any] | None = None
    prior: NDArray[np.float64] | None = None

    _stored: ClassVar[dict[str, Any]] = {
        "classes": "ndarray of labels of shape (n_classes,) or None",
        "prior": "ndarray of shape (n_classes,) or None",
    }

    def check_stored(self) -> None:
        """Refuse shares of classes that are no probabilities."""
        if self.prior is not None and (
            self.classes is None or (self.prior < 0).any() or abs(self.prior.sum() - 1) > 1e-6
        ):
            raise ValueError("the shares of classes are no probabilities.")

    def asked(self, y: Any, n: int) -> OneHot:
        """The classes that a user asks for in `n` rows: a scalar, an array or a column.

        Raises ValueError if the generator is not conditional and y is given, or it is and y is
        None, unknown, or has another number of rows.
        """
        if self.classes is None:
            if y is not None:
                raise ValueError(
                    "y asks for classes, but this generator was fitted with conditional=False: fit "
                    "it with conditional=True, and y."
                )
            return None
        if y is None:
            raise ValueError("y is needed with conditional=True: one class, or one for each row.")
        asked = plain_labels(y)
        if asked.ndim == 0:
            asked = np.full(n, asked)
        if asked.shape == (n, 1):
            asked = asked[:, 0]  # a column, as `fit` takes it
        if asked.shape != (n,):
            raise ValueError(f"y has shape {asked.shape}; one class, or one for each of {n} rows.")
        _check_present(asked)
        if unknown := sorted(set(asked.tolist()) - set(self.classes.tolist()), key=str):
            raise ValueError(
                f"y asks for {unknown[0]!r}, which is none of the classes seen in fit: "
                f"{self.classes.tolist()}."
            )
        return one_hot(np.searchsorted(self.classes, asked), len(self.classes))

    def drawn(self, n: int, rng: np.random.Generator) -> OneHot:
        """Classes drawn with their probabilities."""
        if self.classes is None:
            return None
        codes = rng.choice(len(self.classes), size=n, p=self.prior)
        return one_hot(codes, len(self.classes))

    def log_mixture(self, density: Density, n: int) -> NDArray[np.float64]:
        """Log-densities ``(n,)`` of the mixture over all classes."""
        return logsumexp(self._log_joint(density, n), axis=1)

    def log_mixture_of_some(
        self,
        density: Callable[[Any, OneHot], NDArray[np.float64]],
        data: Any,
        candidates: NDArray[np.int64],
        seed: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """As `log_mixture`, for so many rows that the cost is that of rows, not of rows x classes.

        Parameters
        ----------
        density : callable
            Log-densities of rows, given the rows and their classes.
        data : ndarray or Sequences
            Rows that were read.
        candidates : ndarray of int
            Rows to choose from.
        seed : int
            Of the choice.

        Returns
        -------
        log_densities : ndarray of shape (n,)
        rows : ndarray of shape (n,)
            Which they are; all of them if there are few classes.
        """
        assert self.classes is not None
        assert self.prior is not None
        n, n_classes = len(data), len(self.classes)
        most = max(_PAIRS_OF_ROW * n // n_classes, _FEWEST)
        if n <= most or n * n_classes <= _FEW_PAIRS:
            everything = partial(density, data)
            return self.log_mixture(everything, n), np.arange(n)
        most = min(most, len(candidates))
        rows = np.sort(np.random.default_rng(seed).choice(candidates, size=most, replace=False))
        found = []
        at_once = max(_FEW_PAIRS // n_classes, 1)
        with np.errstate(divide="ignore"):
            log_prior = np.log(self.prior)
        for start in range(0, most, at_once):
            some = rows[start : start + at_once]
            pairs = np.repeat(some, n_classes)
            part = data.take(pairs) if hasattr(data, "steps") else data[pairs]
            joint = density(part, np.tile(np.eye(n_classes), (len(some), 1)))
            found.append(logsumexp(joint.reshape(-1, n_classes) + log_prior, axis=1))
        return np.concatenate(found), rows

    def asked_or_likely(self, density: Density, y: Any, n: int) -> OneHot:
        """The classes that a user asks for; where y is None the most probable ones."""
        if self.classes is None or y is not None:
            return self.asked(y, n)
        return one_hot(self._log_joint(density, n).argmax(axis=1), len(self.classes))

    def _log_joint(self, density: Density, n: int) -> NDArray[np.float64]:
        """Log-density of each row together with each class."""
        assert self.classes is not None
        assert self.prior is not None
        codes = range(len(self.classes))
        by_class = [density(one_hot(np.full(n, code), len(codes))) for code in codes]
        with np.errstate(divide="ignore"):  # a class without weight has probability 0
            return np.stack(by_class, axis=1) + np.log(self.prior)


def read_classes(model: Any, y: Any, X: Any, fresh: bool) -> OneHot:
    """The classes of training rows; a fresh fit learns which classes there are.

    Sets ``_condition`` and ``classes_`` of `model`, whose parameter `conditional` it reads.

    Raises ValueError if y is not a class for each row of X, or `conditional` or a class is not that
    of the first fit.
    """
    name = type(model).__name__
    if fresh:
        for attribute_name in CONDITION_ATTRIBUTES:
            vars(model).pop(attribute_name, None)
        model._condition = ClassCondition()
    elif model.conditional != (was := model._condition.classes is not None):
        raise ValueError(
            f"This {name} was fitted with conditional={was} and cannot be trained further with "
            f"conditional={model.conditional}: set it back, or fit anew with warm_start=False."
        )
    if not model.conditional:
        return None
    labels = _read_labels(y, X)
    if fresh:
        model.classes_ = np.unique(labels)
        model._condition = ClassCondition(model.classes_)
    elif len(new := np.flatnonzero(~np.isin(labels, model.classes_))):
        raise ValueError(
            f"y is {labels.tolist()[new[0]]!r} at row {new[0]}, a class that was not in the first "
            "fit: leave it out, or fit anew with warm_start=False."
        )
    return one_hot(np.searchsorted(model.classes_, labels), len(model.classes_))


def set_class_prior(model: Any, classes: OneHot, weights: NDArray[np.float64]) -> None:
    """Set ``class_prior_`` of `model` from the classes of training rows, if it is conditional."""
    if classes is not None:
        model.class_prior_ = np.average(classes, axis=0, weights=weights)
        model._condition = replace(model._condition, prior=model.class_prior_)


def sampling_request(
    model: Any, n_samples: Any, y: Any, random_state: Any
) -> tuple[int, OneHot, np.random.Generator]:
    """Number of rows, their classes, and random numbers for them, as a user asks `sample`.

    Raises NotFittedError, TypeError or ValueError if the model is not fitted, `n_samples` is not
    a whole number of at least 1, y has another number of classes, or asks for a class that was not
    learned.
    """
    if np.ndim(y) == 1:
        n_samples = len(y) if n_samples is None else n_samples
        if len(y) != n_samples:
            raise ValueError(
                f"y has shape {np.shape(y)}, one class for each row, but n_samples={n_samples}: "
                "leave n_samples out."
            )
    n = 1 if n_samples is None else n_samples
    rng = sampling_generator(model, n, random_state)
    condition = model._condition
    if y is None:
        return n, condition.drawn(n, rng), rng
    classes = condition.asked(y, n)
    if classes is None or condition.prior is None:  # not known while callbacks run
        return n, classes, rng
    if len(unlearned := np.flatnonzero(classes @ condition.prior == 0)):
        name = condition.classes.tolist()[classes[unlearned[0]].argmax()]
        raise ValueError(
            f"y asks for {name!r}, a class whose rows had no weight in fit, so that it was not "
            "learned: ask for another class, or give its rows weight."
        )
    return n, classes, rng


def rows_and_classes(inputs: tuple[Any, ...]) -> tuple[Any, Any]:
    """Rows among the inputs of a network, and their classes or None."""
    return inputs[0], inputs[1] if len(inputs) > 1 else None


def with_classes(inputs: tuple[Any, ...], classes: OneHot) -> tuple[Any, ...]:
    """Inputs of a network, and the classes of the rows if there are any."""
    return inputs if classes is None else (*inputs, classes)


def one_hot(codes: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Rows ``(n, n_classes)`` with a one at each code."""
    return np.eye(n_classes)[codes]


def _read_labels(y: Any, X: Any) -> NDArray[Any]:
    """The class of each training row, if y holds one for each row of X."""
    if y is None:
        raise ValueError("conditional=True requires y, the class of each row of X.")
    labels = plain_classes(y)
    check_consistent_length(X, labels)
    if type_of_target(labels, input_name="y") == "continuous":
        raise ValueError(
            "y is continuous, but generators are conditional on classes: bin y, for example with "
            "KBinsDiscretizer, or leave conditional=False."
        )
    return labels


def plain_classes(y: Any) -> NDArray[Any]:
    """The class of each row as an array of one type; what is missing or of no type is refused."""
    y = column_or_1d(np.asarray(y) if hasattr(y, "codes") else y, warn=True)
    _check_present(y)
    refuse_times(y, "y")
    y = plain_labels(y)
    try:
        kind = type_of_target(y, input_name="y")
    except TypeError:  # labels that cannot be compared
        kind = "unknown"
    if kind == "unknown":
        raise ValueError("y holds labels of several types: make all of them strings, or numbers.")
    return y


def plain_labels(y: Any) -> NDArray[Any]:
    """Labels as an array of one type, where they stand as objects of one kind.

    So are those of pandas' nullable and categorical dtypes, and numbers beside None.
    """
    y = as_labels(y)
    if y.dtype != object or not y.size or missing(y).any():
        return y
    plain = y.tolist()
    labels = [plain] if y.ndim == 0 else y.ravel().tolist()
    kinds = {isinstance(label, (str, bytes)) for label in labels}
    are_plain = all(isinstance(label, (str, Real, np.generic)) for label in labels)
    return np.array(plain) if len(kinds) == 1 and are_plain else y


def _check_present(y: NDArray[Any]) -> None:
    for row, label in enumerate(y if y.dtype.kind in "fOM" else ()):
        # The truth value of pandas' NA is undefined; NaN and NaT do not equal themselves.
        if label is None or type(label).__name__ == "NAType" or label != label:
            raise ValueError(f"y is missing at row {row}: fill it in, or leave out the row.")
