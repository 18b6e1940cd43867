"""How a small change of a recurrent network's state goes on to the next step."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.inspection.models import read_one
from sklseq.inspection.networks.recording import (
    LayerPass,
    float_parts,
    layer_of,
    recorded,
    recurrent,
)
from sklseq.nn.recurrent.layer import by_part

__all__ = ["network_eigenvalues", "state_jacobians"]

_WHAT = "Jacobians are those"


def state_jacobians(
    estimator: Any, X: Any, *, layer: int = 0, context: Any = None
) -> NDArray[np.float64]:
    """Jacobian of the state after each step of a sequence with respect to the state before it.

    The state is all of what a layer carries, side by side: of an LSTM hidden state and cell, of
    complex units real and imaginary parts. Inputs are those of the sequence, which the network
    reads without dropout, in float64.

    Parameters
    ----------
    estimator : estimator instance
        A fitted classifier, regressor or transformer of `sklseq.recurrent`, or a pipeline or
        search with one.
    X : sequences
        One sequence, in a container as in `predict`.
    layer : int, default=0
        Which recurrent layer, from 0 for the lowest; of both directions the forward one.
    context : array-like of shape (1, n_context_features) or None, default=None
        As in `fit`.

    Returns
    -------
    jacobians : ndarray of shape (n_steps - 1, n_states, n_states)
        Row i, column j of the t-th is the derivative of number i of the state after step t + 1 with
        respect to number j of the state after step t.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not such an estimator.
    ValueError
        If X is not one sequence of at least two steps, or there is no such layer.

    See Also
    --------
    jacobian_eigenvalues : Their eigenvalues.
    gradient_flow : What their products leave of a gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import state_jacobians
    >>> from sklseq.recurrent import LSTMRegressor
    >>> X = np.random.default_rng(0).normal(size=(20, 30, 1))
    >>> model = LSTMRegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, -1, 0])
    >>> state_jacobians(model, X[:1]).shape
    (29, 16, 16)
    """
    return _of_layer(layer_of(_run(estimator, X, context), layer))


def network_eigenvalues(estimator: Any, X: Any, context: Any = None) -> NDArray[np.complex128]:
    """Eigenvalues of the Jacobians of all layers' states; see `jacobian_eigenvalues`."""
    run = _run(estimator, X, context)
    # A layer's state depends on those of the layers below, so the Jacobian of all is triangular.
    values = np.concatenate([np.linalg.eigvals(_of_layer(one)) for one in run.layers], axis=1)
    order = np.argsort(-np.abs(values), axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1).astype(np.complex128)


def _run(estimator: Any, X: Any, context: Any) -> Any:
    model, data = recurrent(estimator, X, context)
    data = read_one(data, _WHAT)
    if data.lengths[0] < 2:
        raise ValueError("X has a single step: a Jacobian goes from one step to the next.")
    with torch.enable_grad():
        return recorded(model, data)


def _of_layer(layer: LayerPass) -> NDArray[np.float64]:
    def joined(*parts: Tensor) -> Tensor:
        part = torch.cat(parts).detach()
        return part.requires_grad_(part.is_floating_point())

    before = by_part(joined, *layer.states[:-1])
    after = torch.cat(float_parts(layer.all_steps(layer.x[1:].detach(), before)), dim=1)
    rows = [
        torch.cat(
            torch.autograd.grad(
                unit.sum(),
                float_parts(before),
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            ),
            dim=1,
        )
        # The steps are rows of a batch, none of which depends on another.
        for unit in after.unbind(dim=1)
    ]
    return torch.stack(rows, dim=1).numpy()
