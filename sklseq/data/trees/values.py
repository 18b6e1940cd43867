"""Trees as read from any form, and what their nodes' values are: symbols, vectors or both."""

from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.limits import first_beyond, largest
from sklseq.data.trees.forest import Forest

__all__ = ["Nodes", "as_vector", "is_missing", "kind_of_item", "plain_array", "stack_nodes"]

# Characters of a value in a message.
_MAX_TEXT = 80


class Nodes(NamedTuple):
    """One tree: parents (the root's is -1) and values of its nodes.

    `may_mix` is whether words and numbers may stand side by side at its leaves.
    """

    parents: Any
    values: list[Any]
    nested: bool = True
    is_result: NDArray[np.bool_] | None = None
    may_mix: bool = False


def stack_nodes(trees: list[Nodes], dtype: DTypeLike, name_of: Callable[[int], str]) -> Forest:
    """A forest of these trees.

    Raises ValueError or TypeError if the values do not go together, naming the tree and the node.
    """
    sizes = np.array([len(t.values) for t in trees])
    starts = np.cumsum(sizes) - sizes
    parents = np.concatenate(
        [np.where(t.parents < 0, -1, t.parents + s) for t, s in zip(trees, starts, strict=True)]
    )
    values = _Values(len(parents))
    is_leaf = (np.bincount(parents + 1, minlength=len(parents) + 1)[1:] == 0).tolist()
    for i, (tree, start) in enumerate(zip(trees, starts.tolist(), strict=True)):
        for j, value in enumerate(tree.values):
            try:
                values.add(start + j, value, is_leaf[start + j] and not tree.may_mix)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name_of(i)}, node {j} {error}") from error
    features, has_features = values.features(dtype)
    if features is not None:
        _check_finite(features, starts, name_of)
    masks = [np.ones(len(t.values), bool) if t.is_result is None else t.is_result for t in trees]
    return Forest(
        parents,
        sizes,
        values.symbols if values.kind is not None or features is None else None,
        features,
        np.array([t.nested for t in trees]),
        np.concatenate(masks),
        has_features,
    )


class _Values:
    """Symbols and feature vectors, taken one node after the other."""

    def __init__(self, n_nodes: int):
        self.symbols = np.full(n_nodes, None, dtype=object)
        self.kind: type | None = None
        self._leaf: tuple[Any, bool] | None = None
        self._vectors: list[NDArray[Any]] = []
        self._places: list[int] = []

    def add(self, node: int, value: Any, is_plain_leaf: bool) -> None:
        symbol, vector = _split_value(value)
        if symbol is not None:
            self.kind = _same_kind(symbol, self.kind)
            self.symbols[node] = symbol
        if vector is not None:
            if self._vectors and len(vector) != len(self._vectors[0]):
                raise ValueError(
                    f"has {len(vector)} features, but others have {len(self._vectors[0])}."
                )
            self._vectors.append(vector)
            self._places.append(node)
        # A pair says itself which of the two a leaf has.
        if is_plain_leaf and value is not None and not isinstance(value, tuple):
            self._check_leaf(value, symbol is not None)

    def _check_leaf(self, value: Any, is_symbol: bool) -> None:
        if self._leaf is None:
            self._leaf = value, is_symbol
        elif self._leaf[1] != is_symbol:
            kinds = "vector of numbers", "symbol"
            raise ValueError(
                f"is the leaf {value!r}, a {kinds[is_symbol]}, but {self._leaf[0]!r}, a leaf "
                f"before, is a {kinds[not is_symbol]}. A str or an int is a symbol, a float a "
                "number: give all leaves the same, or pairs (symbol, vector) with None for what "
                "one does not have."
            )

    def features(self, dtype: DTypeLike) -> tuple[NDArray[Any] | None, NDArray[np.bool_]]:
        """Feature vectors of all nodes, 0 where there is none, and which nodes have one."""
        n_nodes = len(self.symbols)
        has_features = np.zeros(n_nodes, dtype=bool)
        has_features[self._places] = True
        if not self._vectors:
            return None, has_features
        features = np.zeros((n_nodes, len(self._vectors[0])), dtype=dtype)
        with np.errstate(over="ignore"):
            features[self._places] = np.array(self._vectors)
        return features, has_features


def _split_value(value: Any) -> tuple[Any, NDArray[Any] | None]:
    """Symbol and feature vector of a node, None for what it does not have."""
    if isinstance(value, tuple) and len(value) == 2:
        symbol, vector = value
        return _symbol(symbol, value), None if vector is None else as_vector(vector, value)
    if value is None or _is_symbol(value):
        return _symbol(value, value), None
    return None, as_vector(value, value)


def _is_symbol(value: Any) -> bool:
    # A duration counts as an integer for numpy.
    integer = isinstance(value, (Integral, np.bool_)) and not isinstance(value, np.timedelta64)
    return integer or isinstance(value, str)


def _symbol(symbol: Any, value: Any) -> Any:
    """Python's own str or int, or None."""
    if symbol is None or isinstance(symbol, str):
        return None if symbol is None else str(symbol)
    if not _is_symbol(symbol):
        raise TypeError(_no_value(value))
    if not -(1 << 63) <= (number := int(symbol)) < 1 << 63:
        raise ValueError(
            f"has an integer of {number.bit_length()} bits for a symbol, and 64 are the most: "
            "give it as str, or a float as a number."
        )
    return number


def as_vector(vector: Any, value: Any = None) -> NDArray[np.float64]:
    """A number or numbers as a feature vector.

    Parameters
    ----------
    vector : object
        A real number, or a list or 1-D array of them; of a torch tensor what it holds.
    value : object, default=None
        The value of the node that it is part of, for messages.

    Raises
    ------
    TypeError
        If it is anything else, such as a complex number or a date.
    """
    if isinstance(vector, (Real, Decimal, list)) or hasattr(vector, "__array__"):
        try:
            array = np.atleast_1d(np.asarray(plain_array(vector)))
            if array.dtype == object and all(isinstance(v, (Real, Decimal)) for v in array.flat):
                array = array.astype(np.float64)
        except (ValueError, OverflowError):  # of different lengths, or integers too large
            array = np.empty(0)
        if array.ndim == 1 and array.dtype.kind in "biuf" and len(array):
            return array.astype(np.float64)
    raise TypeError(_no_value(vector if value is None else value))


def plain_array(values: Any) -> Any:
    """An array of what can be one, such as a Series or a tensor; else as it is."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values) if hasattr(values, "__array__") else values


def is_missing(value: Any) -> bool:
    """None, or NaN or NA, which pandas makes of it."""
    is_nan = isinstance(value, (float, np.floating)) and bool(np.isnan(value))
    return value is None or is_nan or type(value).__name__ == "NAType"


def kind_of_item(tree: Any) -> str:
    """What messages say of an item that a reader does not take."""
    if is_missing(tree):
        return "missing"
    return "bytes (decode them)" if isinstance(tree, bytes) else f"a {type(tree).__name__}"


def _no_value(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of levels
        text = f"of type {type(value).__name__}, too long to write down"
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "..."
    return (
        f"has the value {text}: a value is a symbol (str or int), a vector of numbers, the pair "
        f"(symbol, vector), or None.{next(filter(None, map(_hint, _parts([value]))), '')}"
    )


def _parts(value: Any) -> Iterator[Any]:
    """What a value is made of, at any depth."""
    for part in value:
        if isinstance(part, (tuple, list)):
            yield from _parts(part)
        elif hasattr(part, "detach") or getattr(part, "ndim", 0) > 0:
            yield from _parts(plain_array(part).ravel())
        else:
            yield part


def _hint(value: Any) -> str:
    """The way out for what is often met."""
    if isinstance(value, (bytes, bytearray)):
        return " Decode bytes first."
    if isinstance(value, (complex, np.complexfloating)):
        return " Give a complex number as the vector [z.real, z.imag]."
    if isinstance(value, (date, time, timedelta, np.datetime64, np.timedelta64)):
        return " Give a time as a number, such as seconds or days since a start."
    if isinstance(value, Integral) and int(value).bit_length() > 1023:
        return " An integer is too large for a float."
    if type(value).__name__ == "NAType":  # pandas'
        return " A node without a value has None."
    return ""


def _same_kind(symbol: Any, kind: type | None) -> type:
    if kind is not None and not isinstance(symbol, kind):
        raise ValueError(
            f"has the symbol {symbol!r}, but symbols before are of type {kind.__name__}: use one "
            "type for all."
        )
    return type(symbol)


def _check_finite(
    features: NDArray[Any], starts: NDArray[np.int64], name_of: Callable[[int], str]
) -> None:
    if (beyond := first_beyond(features, largest(features.dtype), features.dtype)) is None:
        return
    (node, feature), what, why = beyond
    tree = int(np.searchsorted(starts, node, side="right")) - 1
    raise ValueError(
        f"Input X contains {what}: {name_of(tree).lower()}, node {node - starts[tree]}, feature "
        f"{feature}{why}. A node without a value has None."
    )
