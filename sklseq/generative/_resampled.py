"""Rows and classes that an oversampler is given, read and followed by those drawn."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from sklseq.base.tables import check_finite_rows, refuse_ragged_rows
from sklseq.data import FrameContainer, is_frame, plain_frame
from sklseq.parts.conditions import plain_classes

__all__ = ["GivenClasses", "GivenSequences", "GivenTable"]


@dataclass(frozen=True, eq=False)
class GivenTable:
    """Rows of a table.

    Parameters
    ----------
    X : ndarray or DataFrame of pandas
        What a generator is fitted on.
    given : object
        As the user gave them.
    container : FrameContainer or None
        What the DataFrame was.
    """

    X: Any
    given: Any
    container: FrameContainer | None

    @classmethod
    def of(cls, given: Any) -> Self:
        """Read a table."""
        X, container = plain_frame(given)
        if not is_frame(X):  # which the generator reads column by column
            refuse_ragged_rows(X, "GenerativeOverSampler")
            X = check_array(X.toarray() if issparse(X) else X, ensure_all_finite=False)
            if X.dtype.kind == "f":
                check_finite_rows(X)
        return cls(X, given, container)

    def __len__(self) -> int:
        return len(self.X)

    def followed_by(self, drawn: Any) -> Any:
        """These rows and those drawn, in the container given."""
        if not is_frame(self.X):
            rows = np.concatenate([self.X, drawn])
            if issparse(self.given):
                return type(self.given)(rows)
            return rows.tolist() if isinstance(self.given, (list, tuple)) else rows
        import pandas as pd

        frame = pd.concat([self.X, drawn], ignore_index=True)
        return frame if self.container is None else self.container.write(frame)


@dataclass(frozen=True, eq=False)
class GivenSequences:
    """Sequences, one a row.

    Parameters
    ----------
    X : list or ndarray
        As the user gave them.
    """

    X: Any

    @classmethod
    def of(cls, given: Any) -> Self:
        """Take sequences in a container that others can follow in.

        Raises
        ------
        TypeError
            If the container is another.
        """
        if not isinstance(given, (list, tuple, np.ndarray)):
            raise TypeError(
                f"Sequences to be resampled are an array or a list of arrays, not a "
                f"{type(given).__name__}: of a DataFrame with a (sequence, time) index take "
                "[part.to_numpy() for _, part in X.groupby(level=0)]."
            )
        return cls(given)

    def __len__(self) -> int:
        return len(self.X)

    def followed_by(self, drawn: Any) -> Any:
        """These sequences and those drawn, in the container given."""
        if not isinstance(self.X, np.ndarray):
            return [*self.X, *drawn]
        if self.X.dtype != object and drawn.dtype != object:
            return np.concatenate([self.X, drawn.astype(self.X.dtype, copy=False)])
        every = np.empty(len(self.X) + len(drawn), dtype=object)
        every[:] = [*self.X, *drawn]
        return every


@dataclass(frozen=True, eq=False)
class GivenClasses:
    """The class of each row.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    given : object
        As the user gave them.
    n_columns : int
        Of one-hot rows; 0 if they are labels.
    """

    labels: NDArray[Any]
    given: Any
    n_columns: int = 0

    @classmethod
    def of(cls, given: Any) -> Self:
        """Read labels, or one-hot rows of them.

        Raises
        ------
        ValueError
            If there is not one class for each row.
        """
        array = np.asarray(given)
        if array.ndim == 2 and array.shape[1] > 1:
            is_one_hot = type_of_target(array) == "multilabel-indicator"
            if not is_one_hot or (array.sum(axis=1) != 1).any():
                raise ValueError(
                    "Multilabel and multioutput targets are not supported: y needs one class for "
                    "each row, or one-hot rows."
                )
            return cls(array.argmax(axis=1), given, array.shape[1])
        labels = plain_classes(array.ravel() if array.shape[1:] == (1,) else array)
        check_classification_targets(labels)
        return cls(labels, given)

    def __len__(self) -> int:
        return len(self.labels)

    def followed_by(self, drawn: NDArray[Any]) -> Any:
        """These classes and those drawn, in the container given."""
        if self.n_columns:
            drawn = np.eye(self.n_columns, dtype=int)[drawn]
        given = self.given
        if hasattr(given, "iloc"):
            return _with_pandas(given, drawn)
        if isinstance(given, (list, tuple)):
            return [*given, *drawn.tolist()]
        if isinstance(given, np.ndarray):
            drawn = drawn.astype(given.dtype, copy=False)
            return np.concatenate([given if self.n_columns else given.ravel(), drawn])
        import narwhals as nw

        # A Series or DataFrame of another library.
        whole = nw.from_native(given, allow_series=True)
        frame = whole.to_frame() if isinstance(whole, nw.Series) else whole
        columns = (drawn if drawn.ndim == 2 else drawn[:, None]).T.tolist()
        values = dict(zip(frame.columns, columns, strict=True))
        more = nw.from_dict(values, frame.schema, backend=frame.implementation)
        every: Any = nw.concat([frame, more])
        return (every if whole is frame else every[frame.columns[0]]).to_native()


def _with_pandas(given: Any, drawn: NDArray[Any]) -> Any:
    import pandas as pd

    if given.ndim == 1:
        more: Any = pd.Series(drawn, dtype=given.dtype, name=given.name)
    else:
        more = pd.DataFrame(drawn, columns=given.columns).astype(given.dtypes)
    return pd.concat([given, more], ignore_index=True)
