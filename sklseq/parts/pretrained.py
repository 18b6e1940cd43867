"""Vectors of symbols that the user has, from which the learned ones start."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sklseq._compat.sklearn import HasMethods
from sklseq.base import estimator, param
from sklseq.data import as_array
from sklseq.data.limits import first_beyond, largest

__all__ = [
    "EmbeddingParameters",
    "set_trainable",
    "short_repr",
    "start_from",
    "vector_size",
    "warn_of_left_out",
]

_MAPPING = HasMethods(["__contains__", "__getitem__"])


@estimator
class EmbeddingParameters:
    """Declarations of estimators that embed symbols."""

    embedding: Any = param(
        None,
        "Pretrained vectors of symbols, from which training starts: a mapping from symbols to "
        "vectors, such as a dict or gensim's ``KeyedVectors``. Other symbols of `fit` start at "
        "random. Symbols that are not in `fit` are unknown, whatever the mapping holds. The fitted "
        "model has vectors of its own: stored, it has their size as `embedding_size`, and no "
        "`embedding`. Clones share the mapping.",
        _MAPPING,
        None,
    )
    embedding_trainable: bool = param(
        True, "Whether training changes the vectors of symbols.", "boolean"
    )


def vector_size(embedding: Any, symbols: NDArray[Any], size: int | None) -> int | None:
    """The size of learned vectors: that of the pretrained ones, or the `size` asked for.

    Raises
    ------
    ValueError
        If the two differ.
    """
    if embedding is None:
        return size
    found = _vectors(embedding, symbols)[1].shape[1]
    if size not in (None, found):
        raise ValueError(
            f"embedding_size={size}, but embedding has vectors of {found} numbers: leave out "
            "embedding_size."
        )
    return found


def start_from(embedding: Any, symbols: NDArray[Any], weight: Tensor) -> None:
    """Put the pretrained vectors into the last rows of a weight, which are those of `symbols`.

    Warns
    -----
    UserWarning
        If most symbols have none.
    """
    known, vectors = _vectors(embedding, symbols)
    rows = weight[len(weight) - len(symbols) :]
    rows[known] = weight.new_tensor(vectors)
    if 2 * len(known) < len(symbols):
        without = np.setdiff1d(np.arange(len(symbols)), known)[0]
        warnings.warn(
            f"embedding has vectors of {len(known)} of {len(symbols)} symbols of X, and none of "
            f"{symbols.tolist()[without]!r}: the others start at random. Symbols must be written "
            "as there; see tokenizer and lowercase, where the estimator has them.",
            UserWarning,
            stacklevel=2,
        )


def set_trainable(module: nn.Embedding | None, trainable: bool) -> None:
    """Whether training changes the vectors of an embedding, if there is one."""
    if module is not None:
        module.weight.requires_grad_(trainable)


def short_repr(model: Any, most: int) -> str:
    """scikit-learn's representation, with the number of vectors in place of them all."""
    # scikit-learn breaks lines where the class has its own `__repr__` alone.
    plain = type(type(model).__name__, (type(model),), {"__repr__": BaseEstimator.__repr__})
    shown: Any = object.__new__(plain)
    shown.__dict__.update(model.__dict__)
    if model.embedding is not None:
        shown.embedding = _Summary(model.embedding)
    return BaseEstimator.__repr__(shown, most)


class _Summary:
    """Says what a mapping is, without its vectors."""

    def __init__(self, mapping: Any):
        size = f" of {len(mapping)} symbols" if hasattr(mapping, "__len__") else ""
        self.text = f"<{type(mapping).__name__}{size}>"

    def __repr__(self) -> str:
        return self.text


def warn_of_left_out(name: str) -> None:
    """Warn where a stored model, which came without the mapping, is fitted anew."""
    warnings.warn(
        f"This {name} was stored without the vectors that its training started from: this fit "
        "starts at random. Set embedding to them before.",
        UserWarning,
        stacklevel=2,
    )


def _vectors(
    embedding: Any, symbols: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places of the symbols that have a vector, and the vectors."""
    if isinstance(embedding, (str, list, tuple, np.ndarray)) or hasattr(embedding, "columns"):
        raise TypeError(
            f"embedding is a {type(embedding).__name__}, which does not say whose vectors it "
            "holds: give a mapping, such as dict(zip(words, vectors))."
        )
    names = symbols.tolist()
    known = [i for i, symbol in enumerate(names) if symbol in embedding]
    if not known:
        shown = ", ".join(map(repr, names[:3]))
        raise ValueError(
            f"embedding has a vector of none of the {len(names)} symbols of X ({shown}, ...): "
            "symbols must be written as there. A string is a sequence of characters, unless a "
            "tokenizer makes words of it."
        )
    vectors = [_vector(embedding[names[i]], names[i]) for i in known]
    for i, vector in zip(known, vectors, strict=True):
        if len(vector) != len(vectors[0]):
            raise ValueError(
                f"embedding of {names[i]!r} has {len(vector)} numbers, but that of "
                f"{names[known[0]]!r} has {len(vectors[0])}."
            )
    return np.array(known), np.stack(vectors)


def _vector(value: Any, symbol: Any) -> NDArray[np.float64]:
    try:
        vector = as_array(value).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"embedding of {symbol!r} is {value!r:.80}, which is no vector."
        ) from error
    if vector.ndim != 1 or not vector.size:
        raise ValueError(
            f"embedding of {symbol!r} has shape {vector.shape}, expected a vector (size,)."
        )
    if wrong := first_beyond(vector, largest(np.float32), np.float32):
        _, value, why = wrong
        raise ValueError(f"embedding of {symbol!r} holds {value}{why}.")
    return vector
