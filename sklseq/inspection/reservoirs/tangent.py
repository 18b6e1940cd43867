"""Small differences between the states of a reservoir, and whose states those are."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from sklseq.nn.reservoir import Reservoir, all_states

__all__ = ["FloatArray", "Tangent", "dense", "layers_of"]

FloatArray = NDArray[np.float64]

# The slope of each activation, given its argument.
_SLOPES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "relu": lambda z: (z > 0).astype(float),
    "identity": np.ones_like,
}


class Tangent:
    """Small differences between the states of stacked layers, carried along a series."""

    def __init__(self, layers: Sequence[Reservoir]):
        self.layers = layers
        self.recurrent = [_product(r.recurrent_weights) for r in layers]
        self.rotation = [None if r.rotation is None else _product(r.rotation) for r in layers]
        self.inputs = [_product(r.input_weights) for r in layers]
        self.leak = [np.broadcast_to(r.leak_rate, r.units)[:, None] for r in layers]
        self.bounds = np.cumsum([r.units for r in layers])[:-1]

    def slopes(self, X: ArrayLike, feedback: ArrayLike | None) -> Iterator[list[FloatArray]]:
        """The slope f' of each layer's units, step by step of a series from the state zero."""
        steps = np.asarray(X, dtype=float)
        states = all_states(self.layers, steps, feedback=feedback).astype(float)
        outer = None if feedback is None else np.asarray(feedback, dtype=float)
        before = [np.zeros(r.units) for r in self.layers]
        for t, (u, row) in enumerate(zip(steps, states, strict=True)):
            after = np.split(row, self.bounds)
            found = []
            for i, layer in enumerate(self.layers):
                z = self.recurrent[i] @ before[i] + self.inputs[i] @ (after[i - 1] if i else u)
                if layer.bias is not None:
                    z = z + layer.bias
                if outer is not None and i == 0 and layer.feedback_weights is not None:
                    z = z + layer.feedback_weights @ outer[t]
                found.append(np.asarray(_SLOPES[layer.activation](z)))
            yield found
            before = after

    def step(self, slopes: Sequence[FloatArray], vectors: FloatArray) -> FloatArray:
        """The step's Jacobian times vectors (units, n_vectors)."""
        after: list[FloatArray] = []
        for i, old in enumerate(np.split(vectors, self.bounds)):
            sums = self.recurrent[i] @ old
            if i:
                sums = sums + self.inputs[i] @ after[-1]
            rotation = self.rotation[i]
            kept = old if rotation is None else rotation @ old
            leak = self.leak[i]
            after.append((1 - leak) * kept + leak * slopes[i][:, None] * sums)
        return np.concatenate(after)


def layers_of(reservoir: Any) -> tuple[Reservoir, ...]:
    """The stacked reservoirs of whatever was given."""
    if isinstance(reservoir, Reservoir):
        return (reservoir,)
    if isinstance(reservoir, (tuple, list)):
        return tuple(reservoir)
    if hasattr(reservoir, "get_params"):
        check_is_fitted(reservoir)
    found = getattr(reservoir, "layers_", None)
    if found is None:
        raise TypeError(
            f"{type(reservoir).__name__} is neither a Reservoir, a sequence of them, nor a fitted "
            "estimator with the attribute layers_."
        )
    return tuple(found)


def _product(matrix: Any) -> Any:
    """The matrix in a form that multiplies numpy arrays."""
    return sp.csr_array(matrix) if sp.issparse(matrix) else dense(matrix)


def dense(matrix: Any) -> FloatArray:
    """A matrix of any kind as a dense array of floats."""
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=float)
